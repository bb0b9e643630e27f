"""A desk killed behind any record of a composite's life goes on from there, and doubles nothing."""

from collections.abc import Sequence

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import composites as d
from evenkeel.domain.composite_records import CompositeStarted
from evenkeel.domain.marketdata import Bar
from evenkeel.domain.orders import Side, TimeInForce, Trail
from tests.scenarios.desk import Desk, session
from tests.trading.engine.composites.desks import assert_bounded, found, new_desk, spec
from tests.trading.engine.world import WHO, D

BUY, SELL = Side.BUY, Side.SELL
UP = [session(day, 50 + day, 52 + day, 49 + day, 51 + day, 400) for day in range(2, 12)]
DOWN = [session(day, 50 - day, 51 - day, 48 - day, 49 - day, 400) for day in range(2, 12)]
STORIES: dict[str, tuple[d.Terms, Sequence[Bar]]] = {
    "bracket to its target": (d.Bracket(spec(BUY, "100"), D("45"), D("55")), UP),
    "bracket to its stop": (d.Bracket(spec(BUY, "100"), D("45"), D("55")), DOWN),
    "trailing": (d.Bracket(spec(BUY, "60"), trail=Trail(amount=D(2))), [*UP[:4], *DOWN[4:]]),
    "cover": (d.Cover(spec(SELL, "100", limit_price="50"), D("55")), UP),
    "two exits": (d.OneCancelsOther(spec(SELL, "30", stop_price="45"), spec(SELL, "30", limit_price="55")), UP),
    "two entries": (d.OneCancelsOther(spec(BUY, "90", stop_price="55"), spec(BUY, "90", limit_price="40")), UP),
    "either side": (d.OneCancelsOther(spec(BUY, "90", stop_price="55"), spec(SELL, "50", stop_price="45")), DOWN),
    "iceberg": (d.Iceberg(spec(BUY, "100", limit_price="60"), D(30)), UP),
    "parts": (d.Slices(spec(BUY, "100"), d.Parts(D(30))), UP),
    "participation": (d.Slices(spec(BUY, "100"), d.Participation(0.05)), UP),
    "legs": (d.Legs((spec(BUY, "50"), spec(BUY, "30", limit_price="56"), spec(SELL, "80"))), UP),
    "unwound": (
        d.Legs((spec(BUY, "50"), spec(BUY, "30", limit_price="10", time_in_force=TimeInForce.DAY)), d.OnFailure.UNWIND),
        UP,
    ),
}


def at_start() -> Desk:
    """A desk that holds 30, at a venue where a bar fills a tenth of its volume."""
    desk = new_desk(participation=0.1)
    desk.order(BUY, "30")
    desk.day(session(1, 50, 51, 49, 50, 1_000))
    return desk


def live(desk: Desk, bars: Sequence[Bar], marks: list[int]) -> None:
    for bar in bars:
        desk.day(bar)
        marks.append(len(desk.records))
        assert_bounded(desk)


def killed(desk: Desk, behind: int) -> Desk:
    """The desk as it is started again from the first records of its journal, with its venue as those tell of it."""
    before = Desk.__new__(Desk)
    before.__dict__ |= desk.__dict__
    before.records = desk.records[:behind]
    before.last = {}
    again = before.restarted()
    again.compares, again.now = False, again.state.time
    again.step(again.picture("A"))
    again.deliver()
    return again


@pytest.mark.parametrize("story", STORIES)
def test_a_kill_behind_any_record(story: str) -> None:
    terms, bars = STORIES[story]
    desk, marks = at_start(), list[int]()
    step = desk.step(c.SubmitComposite(provenance=WHO, client_order_id="mine", terms=terms))
    desk.deliver()
    assert step.outcome is not None
    live(desk, bars, marks)
    whole = found(desk, step.outcome.id)
    desk.finish()
    first = next(n for n, record in enumerate(desk.records) if isinstance(record, CompositeStarted))
    for behind in range(first + 1, len(desk.records) + 1):
        again = killed(desk, behind)
        seen = next((n for n, mark in enumerate(marks) if mark > behind), len(marks))
        live(again, bars[max(0, seen - 1) :], [])
        one = found(again, step.outcome.id)
        assert_bounded(again)
        assert one.state.is_live == whole.state.is_live, f"killed behind record {behind}: {one.state} {one.reason}"
        ids = [order.spec.client_order_id for order in again.state.orders.values()]
        assert len(ids) == len(set(ids))
        again.finish()


def test_what_was_recorded_and_not_sent_is_not_sent_again() -> None:
    desk = at_start()
    step = desk.step(
        c.SubmitComposite(provenance=WHO, client_order_id="mine", terms=d.Bracket(spec(BUY, "100"), D("45")))
    )
    assert step.outcome is not None
    again = killed(desk, len(desk.records))
    one = found(again, step.outcome.id)
    assert (one.state, len(one.legs["entry"])) == (d.CompositeState.FAILED, 1)
    again.finish()
