"""Whole-engine stories: each is something that happens to people who trade."""

from datetime import date

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Limits
from evenkeel.domain.marketdata import Split
from evenkeel.domain.orders import OrderState, Side, TimeInForce
from evenkeel.domain.positions import PositionKey
from evenkeel.quant.costs import FillModel
from tests.scenarios.desk import Desk, session
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, D

FREE = msgspec.structs.replace(OPEN, allow_short=False)


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.open("A", "100000", limits=FREE)
    desk.day(session(0, 50, 50, 50, 50))
    return desk


def test_buy_and_hold_through_a_split_with_a_resting_stop(desk: Desk) -> None:
    buy = desk.order(Side.BUY, "101")
    desk.day(session(1, 51, 52, 50, 52))
    assert (buy.state, buy.average_price) == (OrderState.FILLED, D(51))
    stop = desk.order(Side.SELL, "101", stop_price="44.45")
    desk.day(session(2, 52, 53, 51, 52))
    before = desk.equity()
    split = Split(ACME.id, date(2024, 3, 7), D(3), D(2))
    desk.day(session(3, 34.67, 35, 34, 34.67), splits=(split,))
    assert (desk.position(), stop.quantity, stop.stop_price, stop.state) == (
        D(151), D(151), D("29.63"), OrderState.ACCEPTED,
    )  # fmt: skip
    assert desk.equity() - before == D("34.67") * 151 + D("17.33") - D(52) * 101, "half a new share is paid out"
    desk.day(session(4, 34, 34, 28, 29))
    assert (stop.state, stop.average_price, desk.position()) == (OrderState.FILLED, D("29.63"), D(0))
    cash = D(100_000) - 101 * 51 + D("17.33") + 151 * D("29.63")
    assert desk.equity() == cash
    held = desk.state.position(PositionKey("A", "manual", ACME.id))
    assert held.realised == cash - D(100_000)
    desk.finish()


def test_a_gap_through_a_stop_fills_at_the_open(desk: Desk) -> None:
    desk.order(Side.BUY, "100")
    desk.day(session(1, 50, 51, 49, 50))
    stop = desk.order(Side.SELL, "100", stop_price="45")
    limit = desk.order(Side.SELL, "100", stop_price="45", limit_price="44")
    assert (limit.state, limit.rule) == (OrderState.REFUSED, "short-selling"), "one stop protects the whole already"
    desk.day(session(2, 40, 42, 39, 41))
    assert (stop.state, stop.average_price, stop.triggered) == (OrderState.FILLED, D(40), True)
    desk.finish()


def test_a_stop_limit_left_behind_by_a_gap_rests(desk: Desk) -> None:
    desk.order(Side.BUY, "100")
    desk.day(session(1, 50, 51, 49, 50))
    stop = desk.order(Side.SELL, "100", stop_price="45", limit_price="44")
    desk.day(session(2, 40, 42, 39, 41))
    assert (stop.state, stop.triggered, desk.position()) == (OrderState.ACCEPTED, True, D(100))
    desk.day(session(3, 43, 46, 42, 45))
    assert (stop.state, stop.average_price) == (OrderState.FILLED, D(44))
    desk.finish()


def test_partial_fills_over_several_bars() -> None:
    desk = Desk(model=FillModel(participation=0.10))
    desk.open("A", "100000", limits=FREE, costs="us-per-share")
    desk.day(session(0, 50, 50, 50, 50))
    order = desk.order(Side.BUY, "100")
    filled = []
    for day, volume in enumerate((300, 50, 5, 650), start=1):
        desk.day(session(day, 50 + day, 60, 50, 55, volume))
        filled.append((order.filled, order.state))
    part, full = OrderState.PARTIALLY_FILLED, OrderState.FILLED
    assert filled == [(D(30), part), (D(35), part), (D(35), part), (D(100), full)]
    assert order.notional == 30 * 51 + 5 * 52 + 65 * 54
    charges = sum(entry.amount for booked in desk.of(r.FillBooked) for entry in booked.entries[1:])
    assert charges == D("-1.00"), "the minimum is of the order, not of each execution"
    desk.finish()


def test_an_exit_between_partial_fills() -> None:
    desk = Desk(model=FillModel(participation=0.10))
    desk.open("A", "100000", limits=FREE)
    wishes = iter([1.0, 1.0, 0.0, 0.0])
    desk.run("trend", lambda closes: next(wishes), {"A": "0.5"}, [ACME])
    for day in range(4):
        desk.day(session(day, 50, 50, 50, 50, 3_000))
    assert [(fill.side, fill.quantity) for fill in desk.state.fills.values()] == [
        (Side.BUY, D(300)), (Side.SELL, D(300)),
    ]  # fmt: skip
    entry = next(iter(desk.state.orders.values()))
    assert (entry.state, entry.quantity, entry.filled) == (OrderState.EXPIRED, D(1000), D(300))
    assert desk.position("trend") == 0
    desk.finish()


def test_an_order_the_venue_rejects() -> None:
    desk = Desk(ACME, BOLT, unlisted=[BOLT.id])
    desk.open("A", "100000", limits=FREE)
    desk.day(session(0, 50, 50, 50, 50), session(0, 5, 5, 5, 5, of=BOLT))
    order = desk.order(Side.BUY, "100", instrument_id=BOLT.id)
    assert order.state is OrderState.REJECTED
    assert order.reason == f"instrument {BOLT.id} is not listed at this venue"
    assert desk.alerts() == ["order-rejected"]
    other = desk.order(Side.BUY, "1900")
    assert other.state is OrderState.ACCEPTED, "what was rejected reserves nothing"
    desk.finish()


def test_a_fill_that_comes_after_its_cancel() -> None:
    desk = Desk(model=FillModel(participation=0.10))
    desk.open("A", "100000", limits=FREE)
    desk.day(session(0, 50, 50, 50, 50))
    order = desk.order(Side.BUY, "100")
    desk.held_back = []
    desk.day(session(1, 51, 51, 51, 51, 300))
    assert [type(event) for event in desk.held_back] == [e.VenueFilled]
    late, desk.held_back = desk.held_back, None
    desk.cancel(order)
    desk.deliver()
    assert (order.state, order.filled, desk.position()) == (OrderState.CANCELLED, D(0), D(0))
    desk.post.extend(late)
    desk.deliver()
    assert (order.state, order.filled, desk.position()) == (OrderState.CANCELLED, D(30), D(30))
    assert desk.alerts() == ["late-fill"]
    desk.finish()


def test_a_fill_that_crosses_its_cancel(desk: Desk) -> None:
    order = desk.order(Side.BUY, "100")
    desk.held_back = []
    desk.day(session(1, 51, 51, 51, 51))
    desk.cancel(order)
    assert order.state is OrderState.CANCEL_PENDING
    desk.release()
    assert (order.state, desk.position()) == (OrderState.FILLED, D(100))
    assert desk.alerts() == []
    desk.finish()


def test_a_message_lost_for_ever_is_found_by_reconcile(desk: Desk) -> None:
    order = desk.order(Side.BUY, "100")
    resting = desk.order(Side.SELL, "1", limit_price="90", account_id="A") if desk.position() else None
    desk.held_back = []
    desk.day(session(1, 51, 51, 51, 51))
    desk.held_back = None
    assert (order.state, desk.position(), resting) == (OrderState.ACCEPTED, D(0), None)
    desk.step(e.BrokerLink("A", connected=False))
    desk.step(e.BrokerLink("A", connected=True))
    assert (order.state, desk.position()) == (OrderState.FILLED, D(100))
    assert not desk.of(r.PositionCorrected)
    desk.finish()


def test_the_daily_loss_halts_entries_and_lets_exits_through() -> None:
    desk = Desk()
    desk.open("A", "100000", limits=Limits(max_position_share=D("0.9"), daily_loss=D("0.02")))
    desk.day(session(0, 50, 50, 50, 50))
    desk.order(Side.BUY, "1000")
    desk.day(session(1, 50, 50, 48, 48.5))
    assert desk.order(Side.BUY, "10", limit_price="40").state is OrderState.ACCEPTED, "1.5 % down"
    desk.day(session(2, 48, 48, 46, 46))
    entry = desk.order(Side.BUY, "10")
    assert (entry.state, entry.rule) == (OrderState.REFUSED, "daily-loss")
    assert entry.reason == "today's loss is 2.54 % of equity, the limit is 2 %"
    leave = desk.order(Side.SELL, "1000")
    assert leave.state is OrderState.ACCEPTED
    desk.day(session(3, 45, 45, 45, 45))
    assert (leave.state, desk.position()) == (OrderState.FILLED, D(0))
    desk.day(session(4, 45, 45, 45, 45))
    assert desk.order(Side.BUY, "10").state is OrderState.ACCEPTED, "a new day"
    desk.finish()


def test_no_position_above_a_tenth() -> None:
    desk = Desk()
    desk.open("A", "100000")
    desk.day(session(0, 50, 50, 50, 50))
    desk.run("bold", lambda closes: 1.0, {"A": "0.5"}, [ACME])
    desk.run("meek", lambda closes: 1.0, {"A": "0.08"}, [ACME])
    desk.run("late", lambda closes: 1.0, {"A": "0.03"}, [ACME])
    desk.day(session(1, 50, 50, 50, 50))
    bold, meek, late = desk.state.orders.values()
    assert (bold.state, bold.reason) == (
        OrderState.REFUSED, "ACME would be 50 % of equity, the limit is 10 %",
    )  # fmt: skip
    assert (meek.state, meek.quantity) == (OrderState.ACCEPTED, D(160))
    assert (late.state, late.value) == (OrderState.REFUSED, "0.1100"), "the books of an account count together"
    desk.day(session(2, 50, 50, 50, 50))
    assert desk.position("meek") == D(160)
    assert [deployed.refusals for deployed in desk.state.deployments.values()] == [1, 0, 1]
    desk.finish()


def test_a_day_order_expires_and_its_cash_is_free_again(desk: Desk) -> None:
    desk.step(c.SetLimits(provenance=WHO, account_id="A", limits=msgspec.structs.replace(FREE, cash_check=True)))
    order = desk.order(Side.BUY, "1990", limit_price="50", time_in_force=TimeInForce.DAY)
    assert desk.order(Side.BUY, "100", limit_price="50").rule == "cash"
    desk.day(session(1, 55, 55, 55, 55))
    assert order.state is OrderState.EXPIRED
    assert desk.order(Side.BUY, "100", limit_price="50").state is OrderState.ACCEPTED
    desk.finish()


def test_changing_a_resting_order(desk: Desk) -> None:
    order = desk.order(Side.BUY, "100", limit_price="40")
    desk.step(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(50), limit_price=D("49.50")))
    desk.deliver()
    assert (order.quantity, order.limit_price) == (D(50), D("49.50"))
    desk.day(session(1, 50, 50, 49, 50))
    assert (order.state, order.average_price) == (OrderState.FILLED, D("49.50"))
    desk.finish()


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_split_in_the_middle_of_partial_fills(at: int) -> None:
    desk = Desk(model=FillModel(participation=0.10))
    desk.open("A", "100000", limits=FREE, costs="percent")
    desk.day(session(0, 50, 50, 50, 50))
    order = desk.order(Side.BUY, "100")
    price = 50.0
    for day in range(1, 5):
        split = Split(ACME.id, date(2024, 3, 4), D(2), D(1))
        price = price / 2 if day == at else price
        desk.day(session(day, price, price, price, price, 310), splits=(split,) if day == at else ())
    desk.day(session(5, price, price, price, price))
    assert (order.state, desk.position(), order.quantity) == (OrderState.FILLED, D(200), D(200))
    desk.finish()
