"""What composites do when a venue says no, says nothing, says too much, or is away; and when a person interferes."""

from typing import Any

import pytest
from msgspec.structs import replace

from evenkeel.domain import commands as c
from evenkeel.domain import composites as d
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.clock import SECOND
from evenkeel.domain.composite_records import CompositeEnded, CompositeMoved
from evenkeel.domain.composites import CompositeState, OnFailure
from evenkeel.domain.errors import Conflict, IdempotencyConflict, InvalidInput
from evenkeel.domain.orders import Order, OrderState, Side, TimeInForce, Trigger
from evenkeel.domain.strategies import Protection
from evenkeel.trading.engine.composites.children import RETRY
from evenkeel.trading.engine.composites.standing import Composite
from tests.trading.engine.composites.desks import spec
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, D, World, assert_sound, theirs

BUY, SELL = Side.BUY, Side.SELL
BRACKET = d.Bracket(spec(BUY, "100"), D("9"), D("12"))


@pytest.fixture
def world() -> World:
    world = World()
    world.account()
    world.price(ACME, 10)
    world.price(BOLT, 5)
    return world


def submit(world: World, terms: d.Terms, name: str = "mine") -> Composite:
    step = world.step(c.SubmitComposite(provenance=WHO, client_order_id=name, terms=terms))
    assert step.outcome is not None
    one = world.state.composites.find(step.outcome.id)
    assert one is not None
    return one


def child(world: World, one: Composite, leg: str) -> Order:
    """The last child of a leg."""
    return world.state.orders[one.legs[leg][-1]]


def rest(world: World, one: Composite, *legs: str) -> None:
    """The venue acknowledges the last child of each leg."""
    for leg in legs:
        world.step(world.said(e.VenueAccepted, child(world, one, leg)))


def entered(world: World, terms: d.Terms = BRACKET, quantity: str = "100") -> Composite:
    """A bracket whose entry has filled so far, with its exits at rest."""
    one = submit(world, terms)
    rest(world, one, "entry")
    world.fill(child(world, one, "entry"), quantity, "10")
    rest(world, one, *[leg for leg in one.legs if leg != "entry"])
    return one


def ended(one: Composite, state: CompositeState) -> bool:
    return one.state is state and not one.working


@pytest.mark.parametrize(
    ("kind", "more", "state"),
    [
        (e.VenueRejected, {"reason": "no"}, CompositeState.FAILED),
        (e.VenueExpired, {}, CompositeState.EXPIRED),
        (e.VenueCancelled, {}, CompositeState.CANCELLED),
    ],
)
def test_an_entry_that_comes_to_nothing_ends_its_bracket(
    world: World, kind: type[e.VenueEvent], more: dict[str, Any], state: CompositeState
) -> None:
    one = submit(world, BRACKET)
    world.step(world.said(kind, child(world, one, "entry"), **more))
    assert ended(one, state)
    assert list(one.legs) == ["entry"]
    assert_sound(world)


def test_what_was_filled_of_a_cancelled_entry_is_guarded(world: World) -> None:
    one = submit(world, BRACKET)
    rest(world, one, "entry")
    world.fill(child(world, one, "entry"), "30", "10")
    world.step(c.CancelComposite(provenance=WHO, composite_id=one.id))
    world.step(world.said(e.VenueCancelled, child(world, one, "entry")))
    assert (one.state, child(world, one, "stop").quantity) == (CompositeState.ACTIVE, D(30))
    rest(world, one, "stop", "target")
    world.fill(child(world, one, "stop"), "30", "9")
    world.step(world.said(e.VenueCancelled, child(world, one, "target")))
    assert ended(one, CompositeState.DONE)
    assert_sound(world)


def test_a_partial_exit_shrinks_the_other_once(world: World) -> None:
    one = entered(world)
    world.fill(child(world, one, "target"), "40", "12")
    asked = [record for record in world.of(r.AmendRequested) if record.order_id == one.legs["stop"][0]]
    assert [record.quantity for record in asked] == [D(60)]
    stop = child(world, one, "stop")
    world.step(world.said(e.VenueAccepted, child(world, one, "target")))
    assert len(world.of(r.AmendRequested)) == 1, "what the venue has been asked for is not asked again"
    world.step(world.said(e.VenueAmended, stop, quantity=D(60), stop_price=D("9")))
    assert stop.quantity == 60
    assert_sound(world)


def test_two_exits_that_fill_at_once_are_taken_back(world: World) -> None:
    one = entered(world)
    world.fill(child(world, one, "target"), "100", "12")
    world.fill(child(world, one, "stop"), "100", "9")  # before its cancel came through
    assert "over-filled" in world.alerts()
    correction = child(world, one, "correction")
    assert (correction.spec.side, correction.quantity, world.position()) == (BUY, D(100), D(-100))
    rest(world, one, "correction")
    world.fill(correction, "100", "9")
    assert ended(one, CompositeState.DONE)
    assert world.position() == 0
    assert_sound(world)


def test_reduce_only_exits_that_fill_at_once_are_taken_back(world: World) -> None:
    world.holding("200")
    exits = (spec(SELL, "150", limit_price="12", reduce_only=True), spec(SELL, "150", stop_price="9", reduce_only=True))
    one = submit(world, d.OneCancelsOther(*exits))
    rest(world, one, "exit-1", "exit-2")
    for leg in ("exit-1", "exit-2"):
        world.fill(child(world, one, leg), "150", "9")
    correction = child(world, one, "correction")
    assert (correction.quantity, correction.state) == (D(150), OrderState.SUBMITTED)
    rest(world, one, "correction")
    world.fill(correction, "150", "9")
    assert ended(one, CompositeState.DONE)
    assert world.position() == 50
    assert_sound(world)


def test_two_entries_that_fill_at_once_are_taken_back(world: World) -> None:
    pair = d.OneCancelsOther(spec(BUY, "100", stop_price="11"), spec(BUY, "100", limit_price="9"))
    one = submit(world, pair)
    rest(world, one, "entry-1", "entry-2")
    world.fill(child(world, one, "entry-1"), "100", "11")
    assert child(world, one, "entry-2").state is OrderState.CANCEL_PENDING
    world.step(world.said(e.VenueCancelled, child(world, one, "entry-2")))
    assert ended(one, CompositeState.DONE)
    world.fill(child(world, one, "entry-2"), "60", "9")  # it was late
    assert (one.state, child(world, one, "correction").quantity) == (CompositeState.ACTIVE, D(60))
    rest(world, one, "correction")
    world.fill(child(world, one, "correction"), "60", "9")
    assert ended(one, CompositeState.DONE)
    assert world.position() == 100
    assert_sound(world)


def test_a_late_fill_of_a_cancelled_entry_is_guarded(world: World) -> None:
    one = submit(world, BRACKET)
    rest(world, one, "entry")
    world.step(c.CancelComposite(provenance=WHO, composite_id=one.id))
    world.step(world.said(e.VenueCancelled, child(world, one, "entry")))
    assert ended(one, CompositeState.CANCELLED)
    world.fill(child(world, one, "entry"), "100", "10")
    assert (one.state, child(world, one, "stop").quantity) == (CompositeState.ACTIVE, D(100))
    assert_sound(world)


def test_a_late_fill_of_a_slice_brings_no_more_of_them(world: World) -> None:
    one = submit(world, d.Iceberg(spec(BUY, "100", limit_price="9"), D(30)))
    rest(world, one, "slice")
    world.step(c.CancelComposite(provenance=WHO, composite_id=one.id))
    world.step(world.said(e.VenueCancelled, child(world, one, "slice")))
    world.fill(child(world, one, "slice"), "30", "9")
    assert ended(one, CompositeState.CANCELLED)
    assert len(one.legs["slice"]) == 1
    assert_sound(world)


def test_a_fill_that_is_taken_back_takes_its_exits_with_it(world: World) -> None:
    one = submit(world, BRACKET)
    rest(world, one, "entry")
    fill = world.fill(child(world, one, "entry"), "100", "10")
    rest(world, one, "stop", "target")
    world.step(e.VenueBusted(account_id="A", execution_id=fill.execution_id, reason="an error"))
    assert {child(world, one, leg).state for leg in ("stop", "target")} == {OrderState.CANCEL_PENDING}
    assert_sound(world)


def test_an_exit_the_venue_will_not_have_is_tried_again_once_compared(world: World) -> None:
    one = submit(world, BRACKET)
    rest(world, one, "entry")
    world.fill(child(world, one, "entry"), "100", "10")
    world.step(world.said(e.VenueRejected, child(world, one, "stop"), reason="no stops today"))
    assert len(one.legs["stop"]) == 1
    rest(world, one, "target")
    world.step(world.snapshot())
    assert len(one.legs["stop"]) == 2
    assert_sound(world)


def test_a_cover_whose_stop_is_rejected_is_closed_at_once(world: World) -> None:
    one = submit(world, d.Cover(spec(BUY, "100"), D("9")))
    rest(world, one, "entry")
    world.fill(child(world, one, "entry"), "100", "10")
    world.step(world.said(e.VenueRejected, child(world, one, "stop"), reason="no stops today"))
    assert (one.state, child(world, one, "close").quantity) == (CompositeState.CLOSING, D(100))
    rest(world, one, "close")
    world.fill(child(world, one, "close"), "100", "10")
    assert ended(one, CompositeState.DONE)
    assert_sound(world)


def test_exits_cancelled_by_hand_stay_cancelled(world: World) -> None:
    one = entered(world)
    for leg in ("stop", "target"):
        world.cancel(child(world, one, leg))
        world.step(world.said(e.VenueCancelled, child(world, one, leg)))
    assert ended(one, CompositeState.CANCELLED)
    assert one.reason == "its exits were cancelled by hand; what is held stays"
    assert world.position() == 100
    assert_sound(world)


def test_what_is_closed_by_hand_needs_no_exits(world: World) -> None:
    one = entered(world)
    sale = world.resting(SELL, "40")
    assert {record.quantity for record in world.of(r.AmendRequested)} == {D(60)}
    world.fill(sale, "40", "11")
    rest_ = world.resting(SELL, "60")
    assert {child(world, one, leg).state for leg in ("stop", "target")} == {OrderState.CANCEL_PENDING}
    world.fill(rest_, "60", "11")
    for leg in ("stop", "target"):
        world.step(world.said(e.VenueCancelled, child(world, one, leg)))
    assert ended(one, CompositeState.DONE)
    assert one.reason == "what it held was closed by other orders"
    assert_sound(world)


def test_two_brackets_of_one_position_cover_it_once(world: World) -> None:
    one = entered(world)
    two = submit(world, replace(BRACKET, entry=spec(BUY, "50")), "two")
    rest(world, two, "entry")
    world.fill(child(world, two, "entry"), "50", "10")
    rest(world, two, "stop", "target")
    sale = world.resting(SELL, "30")
    world.fill(sale, "30", "10")
    wanted = {record.order_id: record.quantity for record in world.of(r.AmendRequested)}
    assert wanted == {name: D(20) for leg in ("stop", "target") for name in two.legs[leg]}, "the older is covered first"
    assert child(world, one, "stop").quantity == 100
    assert_sound(world)


def test_an_entry_in_doubt_is_waited_for(world: World) -> None:
    one = submit(world, BRACKET)
    entry = child(world, one, "entry")
    world.step(e.SendUncertain(entry.id, "no answer"))
    assert (one.state, entry.state) == (CompositeState.ACTIVE, OrderState.IN_DOUBT)
    found = theirs(entry, state=OrderState.FILLED, filled=D(100))
    fill = world.execution(entry, "100", "10")
    held = e.BrokerPosition(account_id="A", instrument_id=ACME.id, quantity=D(100))
    lookups = (e.Lookup(order_id=entry.id, found=found, conclusive=True),)
    world.step(world.snapshot(orders=(), executions=(fill,), positions=(held,), lookups=lookups))
    assert child(world, one, "stop").quantity == 100
    assert_sound(world)


def test_what_fills_while_the_line_is_down_is_guarded_once_it_is_back(world: World) -> None:
    one = submit(world, BRACKET)
    rest(world, one, "entry")
    entry = child(world, one, "entry")
    world.step(e.BrokerLink("A", connected=False))
    fill = world.execution(entry, "100", "10")
    held = e.BrokerPosition(account_id="A", instrument_id=ACME.id, quantity=D(100))
    world.step(e.BrokerLink("A", connected=True))
    assert list(one.legs) == ["entry"]
    world.step(world.snapshot(orders=(), executions=(fill,), positions=(held,)))
    assert {leg: child(world, one, leg).quantity for leg in ("stop", "target")} == {"stop": D(100), "target": D(100)}
    assert_sound(world)


def test_an_iceberg_waits_while_its_account_is_away(world: World) -> None:
    one = submit(world, d.Iceberg(spec(BUY, "100", limit_price="9"), D(30)))
    rest(world, one, "slice")
    world.step(e.BrokerLink("A", connected=False))
    world.fill(child(world, one, "slice"), "30", "9")
    assert len(one.legs["slice"]) == 1
    world.step(world.snapshot())
    assert [child(world, one, "slice").quantity, len(one.legs["slice"])] == [D(30), 2]
    assert_sound(world)


def test_an_iceberg_that_is_rejected_pauses_and_gives_up_in_the_end(world: World) -> None:
    one = submit(world, d.Iceberg(spec(BUY, "100", limit_price="9"), D(30)))
    rest(world, one, "slice")
    world.fill(child(world, one, "slice"), "30", "9")
    for failures in (1, 2):
        world.step(world.said(e.VenueRejected, child(world, one, "slice"), reason="no"))
        assert (one.state, one.failures, one.wake) == (CompositeState.PAUSED, failures, world.now + RETRY)
        world.step(e.TimersDue(), world.now + RETRY - 1)
        assert not one.working
        world.step(e.TimersDue(), world.now + 1)
        assert one.state is CompositeState.ACTIVE
    world.step(world.said(e.VenueRejected, child(world, one, "slice"), reason="no"))
    assert ended(one, CompositeState.FAILED)
    assert one.filled_of("slice") == 30
    assert world.alerts().count("composite-paused") == 2
    assert "composite-failed" in world.alerts()
    assert_sound(world)


def test_a_fill_ends_a_row_of_failures(world: World) -> None:
    one = submit(world, d.Iceberg(spec(BUY, "90", limit_price="9"), D(30)))
    for _ in range(3):
        world.step(world.said(e.VenueRejected, child(world, one, "slice"), reason="no"))
        world.step(e.TimersDue(), world.now + RETRY)
        rest(world, one, "slice")
        world.fill(child(world, one, "slice"), "30", "9")
    assert ended(one, CompositeState.DONE)
    assert_sound(world)


def test_a_part_cancelled_by_hand_ends_an_iceberg(world: World) -> None:
    one = submit(world, d.Iceberg(spec(BUY, "100", limit_price="9"), D(30)))
    rest(world, one, "slice")
    world.cancel(child(world, one, "slice"))
    world.step(world.said(e.VenueCancelled, child(world, one, "slice")))
    assert ended(one, CompositeState.CANCELLED)
    assert_sound(world)


def test_what_expired_is_not_shown_again(world: World) -> None:
    one = submit(world, d.Iceberg(spec(BUY, "100", limit_price="9", time_in_force=TimeInForce.DAY), D(30)))
    world.step(world.said(e.VenueExpired, child(world, one, "slice")))
    assert ended(one, CompositeState.EXPIRED)
    parts = submit(world, d.Slices(spec(BUY, "100", limit_price="9"), d.Parts(D(60))), "parts")
    first, second = (world.state.orders[name] for name in parts.legs["slice"])
    world.step(world.said(e.VenueExpired, first))
    world.step(world.said(e.VenueAccepted, second))
    world.fill(second, "40", "9")
    assert ended(parts, CompositeState.EXPIRED)
    assert parts.lost == {"slice": D(60)}
    assert_sound(world)


def twap(world: World, count: int = 4, minutes: int = 1) -> d.Slices:
    every = minutes * 60 * SECOND
    start = world.now + every
    return d.Slices(spec(BUY, "100"), d.Twap(start, start + count * every, every))


def test_what_a_twap_misses_is_spread_over_what_follows(world: World) -> None:
    one = submit(world, twap(world))
    start = one.slots[0].at
    world.step(e.TimersDue(), start)
    assert child(world, one, "slice").quantity == 25
    world.step(world.said(e.VenueRejected, child(world, one, "slice"), reason="no"))
    world.step(e.TimersDue(), one.slots[2].at)  # one moment was missed
    assert child(world, one, "slice").quantity == 50
    rest(world, one, "slice")
    world.fill(child(world, one, "slice"), "10", "10")
    world.step(e.TimersDue(), one.slots[3].at)
    assert child(world, one, "slice").quantity == 50, "what still works of the one before is not sent twice"
    rest(world, one, "slice")
    world.step(e.TimersDue(), one.slots[3].at + 61 * SECOND)
    assert one.state is CompositeState.STOPPING
    for order_id in tuple(one.working):
        world.step(world.said(e.VenueCancelled, world.state.orders[order_id]))
    assert ended(one, CompositeState.EXPIRED)
    assert one.filled_of("slice") == 10
    assert_sound(world)


def test_slices_end_after_too_many_refusals_in_a_row(world: World) -> None:
    one = submit(world, twap(world, 5))
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=replace(OPEN, max_trades_per_day=0)))
    for slot in one.slots[:4]:
        world.step(e.TimersDue(), slot.at)
    assert ended(one, CompositeState.FAILED)
    assert world.alerts().count("slice-refused") == 3
    assert_sound(world)


@pytest.mark.parametrize("rule", list(OnFailure))
def test_the_rule_for_a_leg_that_fails(world: World, rule: OnFailure) -> None:
    legs = (spec(BUY, "100"), spec(BUY, "10", instrument_id=BOLT.id), spec(SELL, "20"))
    one = submit(world, d.Legs(legs, rule))
    rest(world, one, "leg-1")
    world.fill(child(world, one, "leg-1"), "100", "10")
    rest(world, one, "leg-2")
    world.fill(child(world, one, "leg-2"), "4", "5")
    world.step(world.said(e.VenueCancelled, child(world, one, "leg-2")))
    if rule is OnFailure.STOP:
        assert ended(one, CompositeState.FAILED)
        assert list(one.legs) == ["leg-1", "leg-2"]
    elif rule is OnFailure.CONTINUE:
        rest(world, one, "leg-3")
        world.fill(child(world, one, "leg-3"), "20", "10")
        assert ended(one, CompositeState.DONE)
        assert one.reason == "not filled in full: leg 2"
    else:
        assert {leg: child(world, one, leg).quantity for leg in ("unwind-1", "unwind-2")} == {
            "unwind-1": D(100), "unwind-2": D(4),
        }  # fmt: skip
        for leg in ("unwind-2", "unwind-1"):
            rest(world, one, leg)
            world.fill(child(world, one, leg), str(child(world, one, leg).quantity), "5")
        assert ended(one, CompositeState.FAILED)
        assert (world.position(), world.position(of=BOLT)) == (0, 0)
    assert_sound(world)


def test_a_leg_that_only_reduces_is_unwound(world: World) -> None:
    world.holding("200")
    legs = (spec(SELL, "100", reduce_only=True), spec(BUY, "10", instrument_id=BOLT.id))
    one = submit(world, d.Legs(legs, OnFailure.UNWIND))
    rest(world, one, "leg-1")
    world.fill(child(world, one, "leg-1"), "100", "10")
    world.step(world.said(e.VenueRejected, child(world, one, "leg-2"), reason="no"))
    back = child(world, one, "unwind-1")
    assert (back.spec.side, back.quantity, back.state) == (BUY, D(100), OrderState.SUBMITTED)
    assert_sound(world)


def test_slicing_is_no_way_round_a_limit(world: World) -> None:
    share = replace(OPEN, max_position_share=D("0.10"))
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=share))
    refused = submit(world, d.Slices(spec(BUY, "1001"), d.Parts(D(100))), "more")
    assert (refused.state, refused.rule, refused.limit) == (CompositeState.REFUSED, "max-position-share", "0.10")
    assert world.sent() == []
    exact = submit(world, d.Slices(spec(BUY, "1000"), d.Parts(D(100))), "exact")
    assert (exact.state, len(world.sent())) == (CompositeState.ACTIVE, 10)
    assert_sound(world)


def test_a_leg_is_judged_as_if_those_before_had_filled(world: World) -> None:
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=replace(OPEN, allow_short=False)))
    assert submit(world, d.Legs((spec(BUY, "10"), spec(SELL, "10")))).state is CompositeState.ACTIVE
    short = submit(world, d.Legs((spec(BUY, "10"), spec(SELL, "11"))), "short")
    assert (short.state, short.rule) == (CompositeState.REFUSED, "short-selling")


def test_exits_of_a_holding_are_for_what_no_others_cover(world: World) -> None:
    entered(world)
    pair = d.OneCancelsOther(spec(SELL, "40", stop_price="9"), spec(SELL, "40", limit_price="12"))
    said = world.declined(c.SubmitComposite(provenance=WHO, client_order_id="pair", terms=pair))
    assert isinstance(said, InvalidInput)
    assert said.errors[0].message == "at most the 0 held that no other exits cover"


@pytest.mark.parametrize(("side", "stop", "limit"), [(BUY, "9", "11"), (BUY, "10", "10"), (SELL, "11", "9")])
def test_a_limit_and_a_stop_of_which_one_executes_wherever_the_market_is(
    world: World, side: Side, stop: str, limit: str
) -> None:
    """Swapped prices are refused, in whichever order, placed or changed to; behind its trigger a limit rests."""
    one, other = spec(side, "40", stop_price=stop), spec(side, "40", limit_price=limit)
    for pair in (d.OneCancelsOther(one, other), d.OneCancelsOther(other, one)):
        said = world.declined(c.SubmitComposite(provenance=WHO, client_order_id="pair", terms=pair))
        assert isinstance(said, InvalidInput)
        assert [error.field for error in said.errors] == ["limit_price"]
    away = replace(other, limit_price=D("8") if side is BUY else D("12"))
    resting = submit(world, d.OneCancelsOther(one, away), "resting")
    change = d.CompositeChange(limit_price=D(limit))
    assert isinstance(
        world.declined(c.ModifyComposite(provenance=WHO, composite_id=resting.id, change=change)), InvalidInput
    )
    held = replace(other, trigger=Trigger(D("15"), rises=True))
    assert submit(world, d.OneCancelsOther(one, held), "held").state is CompositeState.ACTIVE


def test_a_client_id_names_one_thing(world: World) -> None:
    one = submit(world, BRACKET)
    again = world.step(c.SubmitComposite(provenance=WHO, client_order_id="mine", terms=BRACKET))
    assert (again.outcome, again.records) == (type(again.outcome)(one.id, created=False), ())  # type: ignore[misc]
    other = replace(BRACKET, stop_loss=D("8"))
    plain = world.submit(client_order_id="plain")
    for command in (
        c.SubmitComposite(provenance=WHO, client_order_id="mine", terms=other),
        c.SubmitComposite(provenance=WHO, client_order_id="plain", terms=BRACKET),
        c.SubmitOrder(provenance=WHO, spec=replace(plain.spec, client_order_id="mine")),
    ):
        assert isinstance(world.declined(command), IdempotencyConflict)


def test_what_has_ended_is_neither_changed_nor_cancelled(world: World) -> None:
    one = submit(world, BRACKET)
    world.step(world.said(e.VenueRejected, child(world, one, "entry"), reason="no"))
    change = d.CompositeChange(stop_loss=D("8"))
    assert isinstance(world.declined(c.CancelComposite(provenance=WHO, composite_id=one.id)), Conflict)
    modify = c.ModifyComposite(provenance=WHO, composite_id=one.id, change=change)
    assert isinstance(world.declined(modify), Conflict)


def test_an_order_of_a_composite_is_changed_through_it(world: World) -> None:
    one = entered(world)
    stop = child(world, one, "stop")
    said = world.declined(c.ModifyOrder(provenance=WHO, order_id=stop.id, stop_price=D("8")))
    assert "part of a composite order" in said.message
    change = d.CompositeChange(stop_loss=D("8"), take_profit=D("13"))
    world.step(c.ModifyComposite(provenance=WHO, composite_id=one.id, change=change))
    asked = {record.order_id: (record.stop_price, record.limit_price) for record in world.of(r.AmendRequested)}
    assert asked == {stop.id: (D("8"), None), child(world, one, "target").id: (None, D("13"))}
    assert_sound(world)


def test_a_strategy_with_exits_of_its_own_takes_no_bracket(world: World) -> None:
    world.deploy(("A", "0.5"), protection=Protection(stop_loss=0.05))
    terms = replace(BRACKET, entry=spec(BUY, "100", book="trend"))
    said = world.declined(c.SubmitComposite(provenance=WHO, client_order_id="mine", terms=terms))
    assert isinstance(said, InvalidInput)
    assert said.errors[0].field == "book"


def test_its_records_tell_what_became_of_it(world: World) -> None:
    one = submit(world, d.Iceberg(spec(BUY, "100", limit_price="9"), D(30)))
    world.step(c.CancelComposite(provenance=WHO, composite_id=one.id))
    world.step(world.said(e.VenueCancelled, child(world, one, "slice")))
    assert [record.state for record in world.of(CompositeMoved)] == [CompositeState.STOPPING]
    assert [(record.state, record.reason) for record in world.of(CompositeEnded)] == [
        (CompositeState.CANCELLED, "it was cancelled"),
    ]
