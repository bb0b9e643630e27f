"""What the market does: marks that are numbers, days that close once and carry on, nothing where nothing is ours."""

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import records as r
from evenkeel.domain.accounts import LedgerKind
from evenkeel.domain.marketdata import MarketSlice, Quote
from evenkeel.domain.orders import Side
from evenkeel.domain.positions import PositionKey
from evenkeel.trading.engine.state import Mark
from evenkeel.trading.engine.turn import NOTHING
from tests.trading.engine.world import ACME, BOLT, WHO, D, World, assert_sound, at, bar

NAN = float("nan")


@pytest.fixture
def world() -> World:
    world = World()
    world.account()
    world.price(ACME, 10.0)
    return world


def test_a_slice_that_concerns_nothing_of_ours_is_the_shared_nothing(world: World) -> None:
    assert world.price(ACME, 11.0) is NOTHING
    assert world.step(MarketSlice(at(0))) is NOTHING
    assert world.state.marks[ACME.id].price == 11.0


@pytest.mark.parametrize(
    ("quote", "mark"),
    [
        (Quote(ACME.id, 5, 9.0, 11.0, 10.5), Mark(10.5, 5, 2.0)),
        (Quote(ACME.id, 5, 9.0, 11.0, NAN), Mark(10.0, 5, 2.0)),
        (Quote(ACME.id, 5, NAN, 11.0, 10.5), Mark(10.5, 5, 0.0)),
        (Quote(ACME.id, 5, NAN, 11.0, NAN), None),
        (Quote(ACME.id, 5, NAN, NAN, float("inf")), None),
    ],
)
def test_a_mark_is_always_a_number(world: World, quote: Quote, mark: Mark | None) -> None:
    before = world.state.marks[ACME.id]
    world.step(MarketSlice(at(0), quotes=(quote,)))
    assert world.state.marks[ACME.id] == (mark or before)
    world.deploy(("A", "0.5"))
    world.signal(1.0)
    assert len(world.sent()) == 1


def test_a_bar_that_is_no_number_leaves_the_mark(world: World) -> None:
    world.step(MarketSlice(at(0), bars=(bar(ACME, 0, NAN), bar(BOLT, 0, 3.0, spread=NAN))))
    assert world.state.marks[ACME.id].price == 10.0
    assert world.state.marks[BOLT.id].spread == 0.0


def test_bid_and_ask_of_the_arrival_come_from_the_spread(world: World) -> None:
    world.step(MarketSlice(at(0), bars=(bar(ACME, 0, 10.0, spread=0.5),)))
    world.submit()
    arrival = world.of(r.OrderDecided)[-1].arrival
    assert (arrival.bid, arrival.ask, arrival.last) == (9.75, 10.25, 10.0)


def test_a_day_closes_once_at_its_marks(world: World) -> None:
    world.holding("100", "10")
    world.price(ACME, 12.0, 0)
    world.price(ACME, 15.0, 1)
    (closed,) = world.of(r.DayClosed)
    assert (closed.equity, closed.cash, closed.marks) == (D("100200.00"), D(99_000), {ACME.id: D("12.00")})
    assert closed.session_date.isoformat() == "2024-03-04"
    account = world.state.accounts["A"]
    assert (account.day.isoformat(), account.day_start_equity) == ("2024-03-05", D("100200.00"))
    assert world.state.equity(account) - account.day_start_equity == 300
    world.price(ACME, 16.0, 1)
    assert len(world.of(r.DayClosed)) == 1
    assert_sound(world)


def test_a_long_weekend_closes_one_day(world: World) -> None:
    world.price(ACME, 11.0, 4)
    world.price(ACME, 12.0, 8)
    assert [record.session_date.isoformat() for record in world.of(r.DayClosed)] == ["2024-03-04", "2024-03-08"]


def test_profit_of_the_days_adds_up_to_the_whole(world: World) -> None:
    account = world.state.accounts["A"]
    sum_of_days = D(0)
    for day, close in enumerate((10.5, 9.75, 12.0, 11.25, 13.0), start=1):
        world.price(ACME, close, day)
        if day == 1:
            world.holding("500", "10.40")
        if day == 3:
            world.fill(world.resting(Side.SELL, "200"), "200", "12.10")
        world.price(ACME, close + 0.25, day)
        sum_of_days += world.state.equity(account) - account.day_start_equity
        world.step(MarketSlice(at(day) + 7_200_000_000_000))
        assert account.day_start_equity == world.state.equity(account)
    assert world.state.equity(account) - account.contributed == sum_of_days
    held = world.state.position(PositionKey("A", "manual", ACME.id))
    assert sum_of_days == held.realised + world.state.unrealised(held)


@pytest.mark.parametrize(("kind", "amount"), [(LedgerKind.DEPOSIT, "5000"), (LedgerKind.WITHDRAWAL, "-5000")])
def test_what_is_paid_in_or_out_is_no_profit(world: World, kind: LedgerKind, amount: str) -> None:
    world.holding("100", "10")
    account = world.state.accounts["A"]
    world.price(ACME, 8.0, 1)
    world.price(ACME, 8.0, 2)
    drawdown = account.growth.drawdown(world.state.equity(account))
    made = account.growth.at(world.state.equity(account))
    before = world.state.equity(account) - account.day_start_equity
    assert drawdown == pytest.approx(0.002)
    world.step(c.MoveCash(provenance=WHO, account_id="A", amount=D(amount), kind=kind))
    assert world.state.equity(account) - account.day_start_equity == before
    assert account.contributed == D(100_000) + D(amount)
    equity = world.state.equity(account)
    assert account.growth.at(equity) == pytest.approx(made, rel=1e-15)
    assert account.growth.drawdown(equity) == pytest.approx(drawdown, rel=1e-12), "nor is it a drawdown, or less of one"
    assert_sound(world)


@pytest.mark.parametrize("kind", [LedgerKind.DIVIDEND, LedgerKind.INTEREST, LedgerKind.CORRECTION])
def test_what_the_account_earns_is_profit(world: World, kind: LedgerKind) -> None:
    account = world.state.accounts["A"]
    world.step(c.MoveCash(provenance=WHO, account_id="A", amount=D("12.34"), kind=kind))
    assert world.state.equity(account) - account.day_start_equity == D("12.34")
    assert account.contributed == D(100_000)


def test_the_peak_follows_the_days(world: World) -> None:
    world.holding("100", "10")
    peaks = []
    for day, close in enumerate((12.0, 11.0, 13.0, 9.0, 9.0), start=1):
        world.price(ACME, close, day)
        peaks.append(world.state.accounts["A"].growth.peak)
    assert peaks == [1.0, 1.002, 1.002, 1.003, 1.003]


def test_orders_and_fills_carry_the_accounts_day(world: World) -> None:
    world.account("K", time_zone="Asia/Kolkata", limits=msgspec.structs.replace(world.state.accounts["A"].limits))
    here, there = world.holding("10"), world.holding("10", account_id="K")
    assert (here.session_date.isoformat(), there.session_date.isoformat()) == ("2024-03-04", "2024-03-05")
    assert {fill.session_date for fill in world.state.fills.values()} == {here.session_date, there.session_date}


def test_the_clock_alone_closes_a_day_before_what_happens_in_the_next(world: World) -> None:
    order = world.resting()
    world.now = at(1)
    world.fill(order, "100")
    (fill,) = world.state.fills.values()
    assert fill.session_date.isoformat() == "2024-03-05"
    (closed,) = world.of(r.DayClosed)
    assert closed.equity == D(100_000)
    assert_sound(world)


def test_time_does_not_run_backwards(world: World) -> None:
    world.price(ACME, 11.0, 2)
    step = world.engine.step(c.SubmitOrder(provenance=WHO, spec=world.spec()), at(0))
    assert step.records[-1].at == at(2)
