"""Times of a level: no entries after, square-off, and what the end of a day closes and lets stay."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import mtm_records as m
from evenkeel.domain import records as r
from evenkeel.domain.clock import to_ns
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.mtm import Carry, DayRules, SessionTimes
from evenkeel.domain.orders import OrderKind, OrderState, Product, Side
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Source
from evenkeel.trading.engine.mtm import hours
from tests.trading.engine.mtm.desk import MAIN, Desk, rules
from tests.trading.engine.world import WHO, D, assert_sound, fold

NEW_YORK = "America/New_York"
MONDAY = date(2024, 3, 4)


def listed(symbol: str, **more: Any) -> Instrument:
    return Instrument(
        id=f"id-{symbol}",
        symbol=symbol,
        venue="TEST",
        asset_class=AssetClass.FUTURE,
        currency="USD",
        tick_size=D("0.01"),
        lot_size=D(1),
        **({"calendar": "XNYS"} | more),
    )


NIFT, OPTN, TOKYO = listed("NIFT"), listed("OPTN", expiry=MONDAY), listed("TOKYO", calendar="XTKS")


def local(text: str, day: int = 0, zone: str = NEW_YORK) -> int:
    """A clock time (ns) at an exchange, so many days after Monday."""
    return to_ns(datetime.combine(MONDAY + timedelta(days=day), time.fromisoformat(text), ZoneInfo(zone)))


def session(day: int = 0, opens: str = "09:30", closes: str = "16:00", zone: str = NEW_YORK) -> SessionTimes:
    return SessionTimes(MONDAY + timedelta(days=day), local(opens, day, zone), local(closes, day, zone))


WEEK = e.SessionsKnown("XNYS", NEW_YORK, tuple(session(day) for day in (0, 1, 2, 3, 4, 7, 8)))


class Hours(Desk):
    """Monday, half past ten in New York, with instruments that have a calendar; 100.00 each."""

    def __init__(self, *, known: bool = True) -> None:
        super().__init__(held=False)
        self.engine.state = fold(())
        self.records, self.now = [], local("10:30")
        for one in (NIFT, OPTN, TOKYO):
            self.step(c.ListInstrument(provenance=WHO, instrument=one))
        self.account("A", "1000000")
        if known:
            self.step(WEEK)
        for one in (NIFT, OPTN, TOKYO):
            self.quote(one, "100")

    def times(self, scope: Scope = MAIN, **given: Any) -> None:
        self.set(scope, day=DayRules(**given))

    def until(self, text: str, day: int = 0) -> None:
        """Lets the time come, though nothing happens."""
        self.step(e.TimersDue(), local(text, day))

    def held(self, of: Instrument = NIFT, product: Product = Product.NONE) -> Any:
        return self.state.position(PositionKey("A", "manual", of.id, product)).quantity

    def buy(self, of: Instrument = NIFT, product: Product = Product.NONE, quantity: str = "10") -> None:
        self.holding(quantity, "100", instrument_id=of.id, product=product)


def test_from_a_time_on_only_reductions_are_taken_until_the_close() -> None:
    desk = Hours()
    desk.deploy(("A", "1"), of=(NIFT,))
    desk.times(no_entries_after=time(15, 15))
    desk.now = local("15:14:59")
    desk.buy()
    desk.now = local("15:15")
    refused = desk.submit(Side.BUY, "1", instrument_id=NIFT.id)
    assert (refused.state, refused.rule, refused.value) == (OrderState.REFUSED, "mtm", "no-entries")
    assert refused.reason == (
        "no entries of XNYS are taken from 2024-03-04T20:15:00Z to the close at 2024-03-04T21:00:00Z"
    )
    assert desk.submit(Side.SELL, "10", instrument_id=NIFT.id).state is OrderState.SUBMITTED
    assert desk.submit(Side.BUY, "1", instrument_id=TOKYO.id).state is OrderState.SUBMITTED, "another exchange"
    desk.now = local("16:00")
    assert desk.submit(Side.BUY, "1", instrument_id=NIFT.id).state is OrderState.SUBMITTED
    assert_sound(desk)


def test_a_strategy_may_leave_and_not_enter_when_its_time_is_over() -> None:
    desk = Hours()
    desk.deploy(("A", "1"), of=(NIFT,))
    desk.times(Scope(ScopeKind.STRATEGY, "trend"), no_entries_after=time(15))
    desk.buy()
    desk.holding("10", "100", instrument_id=NIFT.id, book="trend")
    desk.now = local("15:30")
    desk.signal(0.5, of=NIFT)
    desk.signal(0.0, of=NIFT)
    assert [order.state for order in list(desk.state.orders.values())[-2:]] == [
        OrderState.REFUSED,
        OrderState.SUBMITTED,
    ]


def test_square_off_closes_everything_at_its_exchange() -> None:
    desk = Hours()
    desk.times(square_off_at=time(15, 30))
    for product in (Product.NONE, Product.CNC, Product.MIS):
        desk.buy(product=product)
    desk.buy(TOKYO)
    rests = desk.resting(Side.BUY, "3", instrument_id=NIFT.id, kind=OrderKind.LIMIT, limit_price=D(90))
    desk.until("15:29:59.999")
    assert desk.closing() == []
    desk.until("15:30")
    assert rests.state is OrderState.CANCEL_PENDING
    desk.settle("100")
    assert [desk.held(product=one) for one in (Product.NONE, Product.CNC, Product.MIS)] == [0, 0, 0]
    assert desk.held(TOKYO) == 10
    assert desk.submit(Side.BUY, "1", instrument_id=NIFT.id).value == "square-off"
    desk.until("16:00")
    assert desk.state.halts == {}
    assert desk.submit(Side.BUY, "1", instrument_id=NIFT.id).state is OrderState.SUBMITTED
    assert_sound(desk)


def test_it_is_done_every_session_and_once() -> None:
    desk = Hours()
    desk.times(square_off_at=time(15, 30))
    for day in (0, 1, 2, 3, 4, 7):
        desk.now = local("10:00", day)
        desk.buy()
        desk.until("15:30", day)
        desk.until("15:31", day)
        desk.settle("100")
        desk.until("16:00", day)
    assert (len(desk.closing()), desk.held()) == (6, 0)
    assert [one.session.date.weekday() for one in _plans(desk)] == [0, 1, 2, 3, 4, 0, 1]
    assert_sound(desk)


def _plans(desk: Desk) -> list[Any]:
    plans = [one.plan for one in desk.of(m.MtmPlanned) if one.plan is not None]
    return [plan for place, plan in enumerate(plans) if place == 0 or plan.session != plans[place - 1].session]


CARRIED = [
    # what the rules say, product, profit, does it stay over the night?
    ({}, Product.MIS, 0, False),
    ({}, Product.NRML, 0, True),
    ({"products": (Product.NRML,)}, Product.NRML, 0, False),
    ({"products": (Product.NRML,)}, Product.CNC, 0, True),
    ({"products": (Product.NRML,), "carry": Carry.ALL}, Product.NRML, -5, True),
    ({"products": (Product.NRML,), "carry": Carry.ALL}, Product.MIS, 5, False),
    ({"products": (Product.NRML,), "carry": Carry.WINNERS}, Product.NRML, 1, True),
    ({"products": (Product.NRML,), "carry": Carry.WINNERS}, Product.NRML, 0, False),
    ({"products": (Product.NRML,), "carry": Carry.WINNERS}, Product.NRML, -1, False),
    ({"products": (Product.NRML,), "carry": Carry.ALL, "not_over": (1,)}, Product.NRML, 0, False),
    ({"products": (Product.NRML,), "carry": Carry.ALL, "not_over": (5,)}, Product.NRML, 0, True),
]


@pytest.mark.parametrize(("given", "product", "profit", "stays"), CARRIED)
def test_what_the_end_of_the_day_closes(given: dict[str, Any], product: Product, profit: int, stays: bool) -> None:
    desk = Hours()
    desk.times(end_of_day=15, **given)
    desk.buy(product=product)
    desk.quote(NIFT, str(100 + profit))
    desk.until("15:44:59")
    assert desk.closing() == []
    desk.until("15:45")
    desk.settle("100")
    assert desk.held(product=product) == (10 if stays else 0)
    assert_sound(desk)


def test_what_expires_today_is_closed_whatever_its_product() -> None:
    desk = Hours()
    desk.times(end_of_day=15)
    desk.buy(OPTN)
    desk.buy(NIFT)
    desk.until("15:45")
    desk.settle("100")
    assert (desk.held(OPTN), desk.held(NIFT)) == (0, 10)
    assert desk.submit(Side.BUY, "1", instrument_id=OPTN.id).rule == "mtm"
    desk = Hours()
    desk.times(end_of_day=15, expiry=False)
    desk.buy(OPTN)
    desk.until("15:45")
    assert desk.closing() == []


def test_entries_of_the_products_concerned_are_not_taken_after_it() -> None:
    desk = Hours()
    desk.times(end_of_day=15)
    desk.until("15:45")
    assert desk.submit(Side.BUY, "1", instrument_id=NIFT.id, product=Product.MIS).value == "end-of-day"
    assert desk.submit(Side.BUY, "1", instrument_id=NIFT.id, product=Product.CNC).state is OrderState.SUBMITTED


def test_a_position_is_carried_so_many_nights_and_no_more() -> None:
    desk = Hours()
    desk.times(end_of_day=15, products=(Product.NRML,), carry=Carry.ALL, carry_days=2)
    desk.buy(product=Product.NRML)
    for day, left in ((0, 10), (1, 10), (2, 0)):
        desk.until("15:45", day)
        desk.settle("100")
        assert desk.held(product=Product.NRML) == left, day
        desk.until("16:00", day)
    desk.now = local("10:00", 3)
    desk.buy(product=Product.NRML)
    desk.until("15:45", 3)
    assert desk.held(product=Product.NRML) == 10, "another position, in its first night"
    assert_sound(desk)


def test_the_exits_of_what_stays_are_left_alone() -> None:
    desk = Hours()
    desk.times(end_of_day=15, products=(Product.NRML,), carry=Carry.WINNERS)
    desk.buy(product=Product.NRML)
    desk.buy(product=Product.MIS)
    stop = {"kind": OrderKind.STOP, "stop_price": D(90), "instrument_id": NIFT.id}
    guards = [desk.resting(Side.SELL, "10", product=one, **stop) for one in (Product.NRML, Product.MIS)]
    desk.quote(NIFT, "101")
    desk.until("15:45")
    assert [order.state for order in guards] == [OrderState.ACCEPTED, OrderState.CANCEL_PENDING]


def test_what_came_due_while_nothing_ran_is_done_late_and_said() -> None:
    desk = Hours()
    desk.times(square_off_at=time(15, 30))
    desk.buy()
    marks = desk.state.marks
    desk.engine.state = fold(desk.records)
    desk.engine.state.marks.update(marks)
    desk.until("12:00", day=1)
    assert [order.quantity for order in desk.closing()] == [D(10)]
    desk.settle("100")
    (alert,) = [one for one in desk.of(r.AlertRaised) if one.kind == "mtm-square-off"]
    assert "late: the session closed at 2024-03-04T21:00:00Z" in alert.message
    assert desk.state.halts == {}
    desk.buy()
    desk.until("15:30", day=1)
    assert len(desk.closing()) == 2
    assert_sound(desk)


def test_times_set_after_they_have_passed_begin_with_the_next_session() -> None:
    desk = Hours()
    desk.buy()
    desk.now = local("15:45")
    desk.times(square_off_at=time(15, 30))
    desk.until("15:50")
    assert desk.closing() == []
    assert desk.submit(Side.BUY, "1", instrument_id=NIFT.id).rule == "mtm", "though none are taken any more"
    desk.until("16:00")
    desk.until("15:30", day=1)
    assert len(desk.closing()) == 1


def test_sessions_are_asked_for_where_they_are_missing_and_unknown_ones_told() -> None:
    desk = Hours(known=False)
    assert hours.wanted(desk.state, desk.now) == set()
    desk.times(square_off_at=time(15, 30))
    assert hours.wanted(desk.state, desk.now) == {"XNYS", "XTKS"}
    desk.step(WEEK)
    desk.step(e.SessionsKnown("XTKS", "", ()))
    assert hours.wanted(desk.state, desk.now) == set()
    assert "mtm-calendar" in desk.alerts()
    desk.until("16:00", day=2)
    assert hours.wanted(desk.state, desk.now) == {"XNYS"}, "four are left"
    desk.times()
    assert hours.wanted(desk.state, desk.now) == set()
    assert desk.state.timers == {}
    assert_sound(desk)


def test_where_sessions_run_out_it_waits_for_more() -> None:
    desk = Hours(known=False)
    desk.step(e.SessionsKnown("XNYS", NEW_YORK, (session(0),)))
    desk.times(square_off_at=time(15, 30))
    desk.until("16:00")
    assert (desk.level().plans, desk.state.timers) == ({}, {})
    desk.step(WEEK)
    desk.now = local("10:00", 1)
    desk.buy()
    desk.until("15:30", day=1)
    assert len(desk.closing()) == 1


def test_a_session_that_is_found_to_end_earlier_moves_what_is_planned() -> None:
    desk = Hours()
    desk.times(square_off_at=time(15, 30))
    desk.buy()
    desk.step(e.SessionsKnown("XNYS", NEW_YORK, (session(0, closes="13:00"), session(1))))
    desk.until("12:54")
    assert desk.closing() == []
    desk.until("12:55")
    assert len(desk.closing()) == 1
    desk.settle("100")
    desk.step(e.SessionsKnown("XNYS", NEW_YORK, (session(0), session(1))))
    desk.until("15:30")
    assert len(desk.closing()) == 1, "it holds nothing any more"
    assert_sound(desk)


def test_an_instrument_listed_later_brings_its_exchange() -> None:
    desk = Hours()
    desk.step(
        e.SessionsKnown(
            "XLON", "Europe/London", tuple(session(day, "08:00", "16:30", "Europe/London") for day in range(6))
        )
    )
    desk.times(square_off_at=time(15, 30))
    assert set(desk.level().plans) == {"XNYS"}
    desk.step(c.ListInstrument(provenance=WHO, instrument=listed("LATE", calendar="XLON")))
    assert set(desk.level().plans) == {"XNYS", "XLON"}


MOMENTS = [
    # session, zone, clock time, when that is: a normal day, half days, an evening open, clocks that change
    (("2024-03-04", "09:30", "16:00"), NEW_YORK, "15:15", "2024-03-04T20:15"),
    (("2024-07-05", "09:30", "16:00"), NEW_YORK, "15:15", "2024-07-05T19:15"),
    (("2024-07-03", "09:30", "13:00"), NEW_YORK, "15:15", "2024-07-03T16:55"),
    (("2024-07-03", "09:30", "13:00"), NEW_YORK, "13:00", "2024-07-03T16:55"),
    (("2024-07-03", "09:30", "13:00"), NEW_YORK, "12:59", "2024-07-03T16:59"),
    (("2024-07-03", "09:30", "13:00"), NEW_YORK, "08:00", "2024-07-03T13:30"),
    (("2024-11-01", "18:00", "19:00"), "Asia/Kolkata", "18:45", "2024-11-01T13:15"),
    (("2024-11-01", "18:00", "19:00"), "Asia/Kolkata", "15:15", "2024-11-01T12:30"),
    (("2024-03-10", "-17:00", "17:00"), NEW_YORK, "20:00", "2024-03-10T01:00"),
    (("2024-03-11", "-17:00", "17:00"), NEW_YORK, "20:00", "2024-03-11T00:00"),
    (("2024-03-11", "-17:00", "17:00"), NEW_YORK, "16:30", "2024-03-11T20:30"),
]


@pytest.mark.parametrize(("times", "zone", "clock", "expected"), MOMENTS)
def test_a_clock_time_is_the_exchanges_own(times: tuple[str, str, str], zone: str, clock: str, expected: str) -> None:
    day, tz = date.fromisoformat(times[0]), ZoneInfo(zone)
    opens = day - timedelta(days=1) if times[1].startswith("-") else day
    begin = datetime.combine(opens, time.fromisoformat(times[1].lstrip("-")), tz)
    end = datetime.combine(day, time.fromisoformat(times[2]), tz)
    found = hours.plan_of(
        DayRules(square_off_at=time.fromisoformat(clock)), SessionTimes(day, to_ns(begin), to_ns(end)), zone=zone
    )
    assert found.square_off == to_ns(datetime.fromisoformat(expected).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("day.end_of_day", {"end_of_day": 0}),
        ("day.carry_days", {"end_of_day": 5, "carry_days": 0}),
        ("day.not_over", {"end_of_day": 5, "not_over": (0,)}),
        ("day.products", {"end_of_day": 5, "products": (Product.MIS,)}),
        ("day.end_of_day", {"square_off_at": time(15), "carry": Carry.ALL}),
    ],
)
def test_times_that_make_no_sense(field: str, given: dict[str, Any]) -> None:
    desk = Hours()
    error = desk.declined(c.SetMtmRules(provenance=WHO, scope=MAIN, rules=rules(stop="1", day=DayRules(**given))))
    assert isinstance(error, InvalidInput)
    assert field in [one.field for one in error.errors]


def test_orders_that_close_are_the_panics_and_pass_every_gate() -> None:
    desk = Hours()
    desk.times(no_entries_after=time(9, 30), square_off_at=time(15, 30))
    assert desk.submit(Side.BUY, "1", instrument_id=NIFT.id).rule == "mtm"
    desk.times(square_off_at=time(15, 30))
    desk.buy()
    desk.until("15:30")
    assert {order.source for order in desk.closing()} == {Source.PANIC}
