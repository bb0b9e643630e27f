"""Accounts, cash, limits, instruments, deployments: taken whole or declined with every fault named."""

from datetime import time
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Account, AccountMode, LedgerKind, Limits, SendRate
from evenkeel.domain.errors import Conflict, EvenkeelError, Forbidden, InvalidInput, NotFound
from evenkeel.domain.orders import Side
from evenkeel.domain.sizing import Kelly, Sizing, Units, VolatilityTarget
from evenkeel.domain.strategies import Allocation, Deployment
from evenkeel.quant.costs import Component, CostSchedule
from evenkeel.trading.engine.effects import WantReconcile
from tests.trading.engine.world import ACME, BOLT, WHO, D, World, assert_sound


@pytest.fixture
def world() -> World:
    world = World()
    world.account()
    return world


def opening(cash: str = "1000", **more: Any) -> c.OpenAccount:
    base = {"id": "N", "user_id": "u", "name": "New", "broker": "sim", "currency": "USD"} | more
    return c.OpenAccount(provenance=WHO, account=Account(**base), initial_cash=D(cash))


def fields(error: EvenkeelError) -> set[str]:
    assert isinstance(error, InvalidInput)
    return {fault.field for fault in error.errors}


def test_opening_an_account(world: World) -> None:
    step = world.step(opening(roll=time(0)))
    account = world.state.accounts["N"]
    assert (account.cash, account.day_start_equity, account.contributed) == ({"USD": D(1000)}, D(1000), D(1000))
    assert [type(record) for record in step.records] == [r.AccountOpened, r.CashBooked]
    assert step.effects == (WantReconcile("N", "opened"),)
    assert_sound(world)


def test_an_account_may_start_empty(world: World) -> None:
    assert len(world.step(opening("0")).records) == 1


@pytest.mark.parametrize(
    ("command", "error", "where"),
    [
        (opening(id="A"), Conflict, None),
        (opening(name="A"), InvalidInput, {"name"}),
        (opening(name="a"), InvalidInput, {"name"}),
        (opening(mode=AccountMode.LIVE), Forbidden, None),
        (opening(costs="free lunch"), NotFound, None),
        (opening("-1"), InvalidInput, {"cash"}),
        (opening("0.001"), InvalidInput, {"cash"}),
        (opening("NaN"), InvalidInput, {"cash"}),
        (opening("1E+30"), InvalidInput, {"cash"}),
        (opening(time_zone="Mars/Olympus"), InvalidInput, {"time_zone"}),
        (opening(time_zone="../etc/passwd"), InvalidInput, {"time_zone"}),
        (
            opening(limits=Limits(D(-1), D("NaN"), -1)),
            InvalidInput,
            {"limits.max_position_share", "limits.daily_loss", "limits.max_trades_per_day"},
        ),
        (opening(limits=Limits(rate=SendRate(0.0, 1))), InvalidInput, {"limits.rate"}),
        (opening(limits=Limits(rate=SendRate(float("nan"), 1))), InvalidInput, {"limits.rate"}),
        (opening(limits=Limits(rate=SendRate(1.0, 0))), InvalidInput, {"limits.rate"}),
    ],
)
def test_accounts_that_cannot_be_opened(
    world: World, command: c.OpenAccount, error: type, where: set[str] | None
) -> None:
    raised = world.declined(command)
    assert isinstance(raised, error)
    assert where is None or fields(raised) == where


@pytest.mark.parametrize(
    ("amount", "kind"),
    [
        ("-1", LedgerKind.DEPOSIT),
        ("0", LedgerKind.DEPOSIT),
        ("1", LedgerKind.WITHDRAWAL),
        ("-100000.01", LedgerKind.WITHDRAWAL),
        ("0.001", LedgerKind.INTEREST),
        ("sNaN", LedgerKind.DEPOSIT),
        ("Infinity", LedgerKind.DEPOSIT),
        ("1E+17", LedgerKind.DEPOSIT),
    ],
)
def test_amounts_that_cannot_be_moved(world: World, amount: str, kind: LedgerKind) -> None:
    error = world.declined(c.MoveCash(provenance=WHO, account_id="A", amount=D(amount), kind=kind))
    assert fields(error) == {"amount"}


def test_all_of_the_cash_can_be_taken_out(world: World) -> None:
    world.step(c.MoveCash(provenance=WHO, account_id="A", amount=D(-100_000), kind=LedgerKind.WITHDRAWAL))
    assert world.state.accounts["A"].cash == {"USD": Decimal(0)}
    assert_sound(world)


def test_cash_on_its_way_cannot_be_taken_out(world: World) -> None:
    world.price(ACME, 10.0)
    bought = world.resting(Side.BUY, "1000")
    error = world.declined(c.MoveCash(provenance=WHO, account_id="A", amount=D(-90_000), kind=LedgerKind.WITHDRAWAL))
    assert isinstance(error, InvalidInput)
    assert "at most 89900.00" in error.errors[0].message
    world.step(world.said(e.VenueCancelled, bought))
    world.step(c.MoveCash(provenance=WHO, account_id="A", amount=D(-90_000), kind=LedgerKind.WITHDRAWAL))
    assert_sound(world)


def test_what_short_sales_brought_in_cannot_be_taken_out(world: World) -> None:
    world.price(ACME, 10.0)
    world.holding("-1000")
    error = world.declined(c.MoveCash(provenance=WHO, account_id="A", amount=D(-100_001), kind=LedgerKind.WITHDRAWAL))
    assert isinstance(error, InvalidInput)
    assert "at most 100000.00" in error.errors[0].message
    world.step(c.MoveCash(provenance=WHO, account_id="A", amount=D(-100_000), kind=LedgerKind.WITHDRAWAL))


def test_limits_have_versions_and_no_change_is_no_record(world: World) -> None:
    for expected in (1, 1, 2):
        limits = Limits(max_trades_per_day=expected)
        world.step(c.SetLimits(provenance=WHO, account_id="A", limits=limits))
        assert world.state.accounts["A"].limits_version == expected
        assert world.state.accounts["A"].limits == limits
    assert len(world.of(r.LimitsChanged)) == 2


@pytest.mark.parametrize("name", ["max_position_share", "daily_loss"])
@pytest.mark.parametrize("value", ["-0.1", "NaN", "Infinity"])
def test_limits_that_make_no_sense(world: World, name: str, value: str) -> None:
    limits = msgspec.structs.replace(Limits(), **{name: D(value)})
    assert fields(world.declined(c.SetLimits(provenance=WHO, account_id="A", limits=limits))) == {f"limits.{name}"}


@pytest.mark.parametrize("name", ["tick_size", "lot_size", "multiplier"])
@pytest.mark.parametrize("value", ["0", "-1", "NaN", "1E-30"])
def test_instruments_that_cannot_be_counted_in(world: World, name: str, value: str) -> None:
    listed = msgspec.structs.replace(ACME, id="other", **{name: D(value)})
    assert fields(world.declined(c.ListInstrument(provenance=WHO, instrument=listed))) == {name}


def test_listing_again_is_a_change_or_nothing(world: World) -> None:
    assert not world.step(c.ListInstrument(provenance=WHO, instrument=ACME)).records
    renamed = msgspec.structs.replace(ACME, symbol="ACM")
    step = world.step(c.ListInstrument(provenance=WHO, instrument=renamed))
    assert step.outcome is not None
    assert (step.outcome.created, world.state.instruments[ACME.id].symbol) == (False, "ACM")


def deployment(**more: Any) -> c.Deploy:
    base = {"id": "d", "name": "Trend", "template": "sma", "version": "1", "parameters": {}} | {
        "instrument_ids": (ACME.id,),
        "accounts": (Allocation("A", D("0.5")),),
    }
    return c.Deploy(provenance=WHO, deployment=Deployment(**(base | more)))


@pytest.mark.parametrize(
    ("command", "where"),
    [
        (deployment(instrument_ids=()), {"symbols"}),
        (deployment(instrument_ids=("nothing",)), {"symbols"}),
        (deployment(accounts=(Allocation("X", D("0.5")),)), {"accounts.0.account_id"}),
        (deployment(accounts=(Allocation("A", D("1.01")),)), {"accounts.0.allocation"}),
        (deployment(accounts=(Allocation("A", D("NaN")),)), {"accounts.0.allocation"}),
        (deployment(accounts=(Allocation("A", D("0.1")), Allocation("A", D("0.1")))), {"accounts"}),
        (
            deployment(instrument_ids=("nothing",), accounts=(Allocation("X", D(-1)),)),
            {"symbols", "accounts.0.account_id", "accounts.0.allocation"},
        ),
    ],
)
def test_deployments_that_cannot_be(world: World, command: c.Deploy, where: set[str]) -> None:
    assert fields(world.declined(command)) == where


def test_a_deployment_has_one_id_and_one_name(world: World) -> None:
    world.step(deployment())
    assert isinstance(world.declined(deployment()), Conflict)
    assert fields(world.declined(deployment(id="e"))) == {"name"}
    world.step(deployment(id="e", name="Other", instrument_ids=(BOLT.id,)))
    assert set(world.state.deployments) == {"d", "e"}


def test_changing_a_deployment(world: World) -> None:
    world.step(deployment())
    changes = [{"enabled": False}, {"enabled": False}, {"accounts": (Allocation("A", D("0.1")),)}, {}]
    for change in changes:
        world.step(c.ChangeDeployment(provenance=WHO, deployment_id="d", **change))  # type: ignore[arg-type]
    assert len(world.of(r.DeploymentChanged)) == 3, "no change is no record"
    wrong = c.ChangeDeployment(provenance=WHO, deployment_id="d", accounts=(Allocation("X", D(1)),))
    assert fields(world.declined(wrong)) == {"accounts.0.account_id"}
    assert isinstance(world.declined(c.ChangeDeployment(provenance=WHO, deployment_id="x")), NotFound)
    assert isinstance(world.declined(c.PauseDeployment(provenance=WHO, deployment_id="x", reason="")), NotFound)


@pytest.mark.parametrize(
    ("sizing", "field", "said"),
    [
        (VolatilityTarget(-0.1), "size.annual", "expected a number above zero, at most 1,000"),
        (Kelly(window=1), "size.window", "expected 2 bars or more"),
        (Units(D(0)), "size.quantity", "expected a number above zero, at most 1,000,000,000,000"),
        (Units(D("1E+15")), "size.quantity", "expected a number above zero, at most 1,000,000,000,000"),
        (Units(D("NaN")), "size.quantity", "expected a number above zero, at most 1,000,000,000,000"),
    ],
)
def test_a_size_that_cannot_be_had_is_named(world: World, sizing: Sizing, field: str, said: str) -> None:
    shares = (Allocation("A", D(1)),)
    deployment = Deployment("d", "d", "sma", "1", {}, (ACME.id,), shares, sizing=sizing)
    error = world.declined(c.Deploy(provenance=WHO, deployment=deployment))
    assert isinstance(error, InvalidInput)
    (fault,) = error.errors
    assert fault.field == field
    assert said in fault.message


def test_costs_come_from_the_schedules_a_shard_is_given() -> None:
    mine = CostSchedule("mine", "Mine", (Component("fee", per_order=1.0),))
    world = World()
    world.state.find_schedule = {"mine": mine}.__getitem__
    world.step(opening(costs="mine"))
    assert world.state.accounts["N"].account.costs == "mine"
    with pytest.raises(NotFound):
        World().step(opening(costs="mine"))
