"""Accounts out of use: no new risk, nothing left working, what is held looked after, names, rates at a day's end."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain.account_records import AccountRenamed, AccountSwitched, FxRatesSet
from evenkeel.domain.accounts import LedgerKind
from evenkeel.domain.errors import Conflict, InvalidInput
from evenkeel.domain.fx import FxRate, RateSource
from evenkeel.domain.instruments import AssetClass
from evenkeel.domain.orders import OrderKind, OrderState, Side
from evenkeel.domain.records import DayClosed
from tests.trading.engine.world import ACME, WHO, World, assert_sound, instrument

D = Decimal
LIMIT = {"kind": OrderKind.LIMIT, "limit_price": D("9.00")}


def holding() -> World:
    """An account that holds 100 ACME at 10."""
    world = World()
    world.account("A")
    world.price(ACME, 10.0)
    world.holding("100")
    return world


def deactivate(world: World, **more: object) -> None:
    world.step(c.DeactivateAccount(provenance=WHO, account_id="A", **more))  # type: ignore[arg-type]


def test_an_idle_account_is_taken_out_of_use_and_its_orders_are_cancelled() -> None:
    world = World()
    held = world.account("A")
    world.price(ACME, 10.0)
    order = world.submit(Side.BUY, "10", **LIMIT)
    deactivate(world, reason="the broker closes it")
    assert held.retired.endswith(": the broker closes it")
    assert order.state is OrderState.CANCEL_PENDING
    refused = world.submit(Side.BUY, "10", **LIMIT)
    assert (refused.state, refused.rule) == (OrderState.REFUSED, "account-active")
    assert "out of use since 2024-03-04: the broker closes it" in (refused.reason or "")
    assert_sound(world)


def test_an_account_that_holds_something_is_not_left_alone_unasked() -> None:
    world = holding()
    error = world.declined(c.DeactivateAccount(provenance=WHO, account_id="A"))
    assert isinstance(error, Conflict)
    assert "100 ACME" in error.message
    both = world.declined(c.DeactivateAccount(provenance=WHO, account_id="A", close=True, keep=True))
    assert isinstance(both, InvalidInput)


def test_kept_positions_can_be_reduced_and_not_grown() -> None:
    world = holding()
    entry = world.submit(Side.BUY, "10", **LIMIT)
    deactivate(world, keep=True)
    assert entry.state is OrderState.CANCEL_PENDING
    assert world.submit(Side.SELL, "40").state is not OrderState.REFUSED
    assert world.submit(Side.SELL, "80").rule == "account-active"
    assert world.submit(Side.BUY, "1").rule == "account-active"


def test_positions_are_closed_where_that_is_asked_for() -> None:
    world = holding()
    deactivate(world, close=True)
    orders = [one for one in world.state.orders.values() if one.spec.side is Side.SELL]
    assert [(one.quantity, one.state) for one in orders] == [(D(100), OrderState.SUBMITTED)]
    assert world.state.accounts["A"].retired


def test_it_is_put_back_into_use_and_may_be_asked_twice() -> None:
    world = World()
    held = world.account("A")
    world.price(ACME, 10.0)
    deactivate(world)
    deactivate(world)
    world.step(c.ReactivateAccount(provenance=WHO, account_id="A"))
    world.step(c.ReactivateAccount(provenance=WHO, account_id="A"))
    assert [one.active for one in world.of(AccountSwitched)] == [False, True]
    assert held.retired == ""
    assert world.submit(Side.BUY, "10", **LIMIT).state is OrderState.SUBMITTED
    assert_sound(world)


def test_nothing_is_paid_into_an_account_out_of_use_and_all_may_be_taken_out() -> None:
    world = World()
    world.account("A")
    deactivate(world)
    assert isinstance(world.declined(c.MoveCash(provenance=WHO, account_id="A", amount=D(5))), Conflict)
    world.step(c.MoveCash(provenance=WHO, account_id="A", amount=D(-100_000), kind=LedgerKind.WITHDRAWAL))
    assert world.state.accounts["A"].cash_in("USD") == 0


def test_an_account_is_renamed_and_its_name_erased_only_out_of_use() -> None:
    world = World()
    world.account("A")
    world.account("B")
    rename = c.RenameAccount(provenance=WHO, account_id="A", name="Long term")
    world.step(rename)
    world.step(rename)
    assert world.state.accounts["A"].account.name == "Long term"
    assert len(world.of(AccountRenamed)) == 1
    taken = world.declined(msgspec.structs.replace(rename, name="b"))
    assert isinstance(taken, InvalidInput)
    assert taken.errors[0].message == "another account of yours is called 'b', in whatever case"
    erase = msgspec.structs.replace(rename, name="erased-1", erase=True)
    assert isinstance(world.declined(erase), Conflict)
    deactivate(world)
    world.step(erase)
    assert world.state.accounts["A"].account.name == "erased-1"
    assert_sound(world)


def rate(day: date, value: str, base: str = "EUR") -> FxRate:
    return FxRate(base, "USD", day, D(value), RateSource.HAND)


def test_rates_are_recorded_as_they_are_given_and_marked_at_the_end_of_a_day() -> None:
    world = World()
    world.account("A")
    world.price(ACME, 10.0)
    world.step(c.SetFxRates(provenance=WHO, rates=(rate(date(2024, 3, 4), "1.0832"),)))
    world.price(ACME, 10.0, day=1)
    closed = world.of(DayClosed)[0]
    assert closed.fx == {"USD": D(1), "EUR": D("1.0832")}
    assert_sound(world)


@pytest.mark.parametrize("given", [(), (rate(date(2024, 3, 9), "1.1"),)])
def test_rates_that_make_no_sense_are_declined(given: tuple[FxRate, ...]) -> None:
    world = World()
    assert isinstance(world.declined(c.SetFxRates(provenance=WHO, rates=given)), InvalidInput)


def test_the_last_price_of_a_pair_is_its_rate_at_the_end_of_a_day() -> None:
    pair = msgspec.structs.replace(instrument("EURUSD", tick="0.00001"), asset_class=AssetClass.FX)
    world = World(ACME, pair)
    world.account("A")
    world.account("B")
    world.price(pair, 1.08325)
    world.price(pair, 1.1, day=1)
    taken = [one.rates for one in world.of(FxRatesSet)]
    assert taken == [(FxRate("EUR", "USD", date(2024, 3, 4), D("1.08325"), RateSource.FEED),)]
    assert_sound(world)
