"""Reduce-only orders: never more of them than there is to close, whether they rest here or at their venue."""

from typing import Any

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import composites as d
from evenkeel.domain import events as e
from evenkeel.domain.orders import Kept, Order, OrderKind, OrderState, Side, TimeInForce, Trail, Trigger
from evenkeel.trading.brokers.simulated.profile import IN_PROCESS
from evenkeel.trading.engine.effects import Effect, SendAmendment, SendCancel, SendOrder, WantReconcile
from tests.trading.engine.composites.desks import spec
from tests.trading.engine.holding import BARE, GTC, kept, quote
from tests.trading.engine.world import ACME, WHO, D, World, assert_sound, at, split_slice

NO_TRAILING = msgspec.structs.replace(IN_PROCESS, order_kinds=IN_PROCESS.order_kinds - {OrderKind.TRAILING_STOP})
STOP = {"kind": OrderKind.STOP, "stop_price": D(45), "time_in_force": GTC}


@pytest.fixture
def world() -> World:
    """A margin account that may sell short, long 100."""
    world = World()
    world.account()
    world.price(ACME, 50.0)
    world.holding("100", "50")
    return world


def stop(world: World, quantity: str = "100", **more: Any) -> Order:
    return world.resting(Side.SELL, quantity, **(STOP | more))


def close(world: World, quantity: str = "100") -> None:
    world.effects.clear()
    world.fill(world.resting(Side.SELL, quantity), quantity, "50")


def asked(world: World, kind: type[Effect]) -> list[Any]:
    return [effect for effect in world.effects if isinstance(effect, kind)]


def cuts(world: World) -> list[Any]:
    return [one.amendment.spec.quantity for one in asked(world, SendAmendment)]


def test_stops_do_not_outlive_their_position(world: World) -> None:
    plain = stop(world)
    trailing = world.resting(Side.SELL, "100", kind=OrderKind.TRAILING_STOP, trail=Trail(D(1)), time_in_force=GTC)
    close(world)
    assert [plain.state, trailing.state] == [OrderState.CANCEL_PENDING] * 2
    assert {one.order_id for one in asked(world, SendCancel)} == {plain.id, trailing.id}
    assert plain.reason == "the position that it was to close is gone"
    assert world.alerts().count("order-reduced") == 2
    for order in (plain, trailing):
        world.step(world.said(e.VenueCancelled, order))
    assert world.state.reducing == {}
    assert_sound(world)


def test_a_stop_is_cut_to_what_is_left_once(world: World) -> None:
    order = stop(world)
    close(world, "60")
    assert cuts(world) == [D(40)]
    quote(world, 49.0)
    world.fill(world.resting(Side.BUY, "10"), "10", "50")
    assert cuts(world) == [D(40)], "it has been asked, and more is held since"
    world.step(world.said(e.VenueAmended, order, quantity=D(40), stop_price=D(45)))
    assert (order.quantity, order.state, kept(order).asked) == (D(40), OrderState.ACCEPTED, None)
    assert cuts(world) == [D(40)]
    assert_sound(world)


def test_a_cut_that_is_under_way_is_cut_again_where_still_less_is_left(world: World) -> None:
    stop(world)
    close(world, "60")
    world.fill(world.resting(Side.SELL, "20"), "20", "50")
    assert cuts(world) == [D(40), D(20)]


def test_a_partly_filled_stop_is_cut_to_what_it_has_left_to_do(world: World) -> None:
    order = stop(world)
    world.effects.clear()
    world.fill(order, "30", "45")
    assert cuts(world) == [], "its own fill closes as much as it takes off it"
    close(world, "50")
    assert cuts(world) == [D(50)]


def test_a_cut_that_did_not_arrive_is_asked_again_once_the_account_has_been_compared(world: World) -> None:
    order = stop(world)
    close(world, "60")
    world.effects.clear()
    world.step(e.SendFailed(order_id=order.id, what="modify", reason="lost"))
    assert [one.account_id for one in asked(world, WantReconcile)] == ["A"]
    world.step(world.snapshot())
    assert cuts(world) == [D(40)]


@pytest.mark.parametrize("what", ["modify", "modify-unknown"])
def test_a_change_that_came_to_nothing_bars_no_cut(world: World, what: str) -> None:
    order = stop(world)
    world.step(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(30)))
    world.step(e.SendFailed(order_id=order.id, what=what, reason="the broker says no"))
    assert kept(order).asked is None
    close(world, "60")
    assert cuts(world) == [D(40)]
    assert_sound(world)


@pytest.mark.parametrize("what", ["modify", "modify-unknown"])
def test_what_became_too_much_while_a_change_was_asked_for_is_cut_when_that_fails(world: World, what: str) -> None:
    order = stop(world)
    world.step(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(30)))
    close(world, "60")
    assert cuts(world) == [], "what is asked for is less than there is to close"
    world.step(e.SendFailed(order_id=order.id, what=what, reason="the broker says no"))
    assert [one.account_id for one in asked(world, WantReconcile)] == ["A"]
    world.step(world.snapshot())
    assert cuts(world) == [D(40)]


def test_a_change_that_came_to_nothing_is_not_made_with_the_next_price(world: World) -> None:
    world.state.profiles["sim"] = NO_TRAILING
    order = world.resting(Side.SELL, "100", kind=OrderKind.TRAILING_STOP, trail=Trail(D(5)), time_in_force=GTC)
    world.step(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(30)))
    world.step(e.SendFailed(order_id=order.id, what="modify", reason="the broker says no"))
    world.effects.clear()
    quote(world, 55.0)
    assert cuts(world) == [D(100)]


def test_a_refused_cancel_is_asked_again_once_the_account_has_been_compared(world: World) -> None:
    order = stop(world)
    close(world)
    world.effects.clear()
    world.step(world.said(e.VenueCancelRefused, order, reason="later"))
    assert (order.state, asked(world, SendCancel)) == (OrderState.ACCEPTED, [])
    assert asked(world, WantReconcile)
    world.step(world.snapshot())
    assert [one.order_id for one in asked(world, SendCancel)] == [order.id]


def test_what_is_not_acknowledged_yet_is_cancelled_at_once_and_cut_when_it_is(world: World) -> None:
    order = world.submit(Side.SELL, "100", **STOP)
    close(world, "60")
    assert cuts(world) == []
    world.step(world.said(e.VenueAccepted, order))
    assert cuts(world) == [D(40)]
    other = world.submit(Side.SELL, "40", **STOP)
    close(world, "40")
    assert [one.order_id for one in asked(world, SendCancel)] == [order.id, other.id]


def test_what_somebody_closed_at_the_broker_counts(world: World) -> None:
    order = stop(world)
    there = e.BrokerPosition(account_id="A", instrument_id=ACME.id, quantity=D(30))
    for _ in range(3):
        world.step(world.snapshot(positions=(there,)))
    assert world.position("unassigned") == D(-70)
    assert cuts(world)[-1:] == [D(30)]
    assert order.is_open


def test_a_turned_position_is_not_added_to(world: World) -> None:
    order = stop(world)
    close(world, "150")
    assert order.state is OrderState.CANCEL_PENDING


def test_a_position_of_another_book_does_not_count(world: World) -> None:
    world.deploy(("A", "1"))
    order = stop(world)
    world.effects.clear()
    world.fill(world.resting(Side.SELL, "100", book="trend"), "100", "50")
    assert (order.state, cuts(world)) == (OrderState.ACCEPTED, [])


@pytest.mark.parametrize(
    "terms",
    [
        STOP,
        {"kind": OrderKind.STOP_LIMIT, "stop_price": D(45), "limit_price": D(44)},
        {"kind": OrderKind.TRAILING_STOP, "trail": Trail(D(1))},
        {"trigger": Trigger(D(45))},
    ],
)
def test_what_waits_for_a_price_to_close_is_reduce_only_unless_it_may_open(world: World, terms: dict[str, Any]) -> None:
    assert kept(world.submit(Side.SELL, "100", **terms)).reduces
    for other in (
        world.submit(Side.SELL, "101", **terms),
        world.submit(Side.SELL, "100", reduce_only=False, **terms),
    ):
        assert other.kept is None or not other.kept.reduces


def test_a_stop_that_may_open_stays(world: World) -> None:
    order = stop(world, reduce_only=False)
    close(world)
    assert (order.state, world.alerts().count("order-reduced")) == (OrderState.ACCEPTED, 0)


def test_market_and_limit_orders_are_reduce_only_where_they_say_so(world: World) -> None:
    limit = {"kind": OrderKind.LIMIT, "limit_price": D(60), "time_in_force": GTC}
    plain, own = world.resting(Side.SELL, "100", **limit), world.resting(Side.SELL, "100", reduce_only=True, **limit)
    close(world)
    assert [plain.state, own.state] == [OrderState.ACCEPTED, OrderState.CANCEL_PENDING]


@pytest.mark.parametrize(("side", "quantity"), [(Side.SELL, "101"), (Side.BUY, "1")])
def test_more_than_there_is_to_close_is_refused(world: World, side: Side, quantity: str) -> None:
    order = world.submit(side, quantity, reduce_only=True)
    assert (order.state, order.rule, order.value) == (OrderState.REFUSED, "reduce-only", quantity)
    assert order.limit == ("100" if side is Side.SELL else "0")
    assert kept(order).reduces
    assert_sound(world)


def test_two_that_close_at_the_market_close_no_more_than_there_is(world: World) -> None:
    first = world.submit(Side.SELL, "70", reduce_only=True)
    second = world.submit(Side.SELL, "70", reduce_only=True)
    assert (first.state, second.state, second.limit) == (OrderState.SUBMITTED, OrderState.REFUSED, "30")


def test_a_reduce_only_order_is_not_changed_to_more_than_there_is(world: World) -> None:
    order = stop(world, "60")
    world.step(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(100)))
    error = world.declined(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(101)))
    assert "may only reduce a position" in str(error)


def test_its_venue_is_told_and_one_sent_twice_is_one(world: World) -> None:
    spec = world.spec(Side.SELL, "100", **STOP)
    world.step(c.SubmitOrder(provenance=WHO, spec=spec))
    (ticket,) = [one.ticket for one in asked(world, SendOrder)][-1:]
    assert ticket.spec.reduce_only
    again = world.step(c.SubmitOrder(provenance=WHO, spec=spec))
    assert again.outcome is not None
    assert not again.outcome.created


def test_a_held_stop_limit_goes_on_being_cut_at_its_venue(world: World) -> None:
    world.state.profiles["sim"] = BARE
    order = world.submit(
        Side.SELL, "100", kind=OrderKind.STOP_LIMIT, stop_price=D(45), limit_price=D(44), time_in_force=GTC
    )
    assert order.state is OrderState.HELD
    quote(world, 45.0)
    world.step(world.said(e.VenueAccepted, order))
    close(world, "60")
    assert cuts(world) == [D(40)]
    close(world, "40")
    assert order.state is OrderState.CANCEL_PENDING
    assert_sound(world)


def test_a_good_till_date_order_that_its_venue_ends_is_not_ended_here(world: World) -> None:
    world.state.profiles["sim"] = msgspec.structs.replace(
        BARE, order_kinds=frozenset(OrderKind), times_in_force=frozenset(TimeInForce)
    )
    order = world.submit(
        Side.SELL, "100", kind=OrderKind.STOP, stop_price=D(45), time_in_force=TimeInForce.GTD, expires_at=world.now + 9
    )
    assert (kept(order).reduces, kept(order).until) == (True, 0)
    world.step(world.said(e.VenueAccepted, order))
    world.declined(c.ModifyOrder(provenance=WHO, order_id=order.id, expires_at=world.now + 99))


@pytest.mark.parametrize(("filled", "ratio", "left"), [("0", "2:1", 80), ("30", "2:1", 80), ("0", "1:2", 20)])
def test_a_cut_under_way_is_split_with_its_order(world: World, filled: str, ratio: str, left: int) -> None:
    world.state.profiles["sim"] = NO_TRAILING
    order = world.resting(Side.SELL, "100", kind=OrderKind.TRAILING_STOP, trail=Trail(D(5)), time_in_force=GTC)
    if D(filled):
        world.fill(order, filled, "45")
    close(world, str(60 - int(filled)))
    world.step(split_slice(1, ratio), at(1))
    assert world.position() == left
    world.effects.clear()
    quote(world, 120.0)
    assert cuts(world) == [order.filled + left]
    assert_sound(world)


def test_a_change_of_its_price_does_not_undo_a_cut_that_is_under_way(world: World) -> None:
    order = stop(world)
    close(world, "60")
    world.step(c.ModifyOrder(provenance=WHO, order_id=order.id, stop_price=D(46)))
    assert cuts(world) == [D(40), D(40)]
    for price in ("45", "46"):
        world.step(world.said(e.VenueAmended, order, quantity=D(40), stop_price=D(price)))
    assert (order.quantity, order.stop_price, cuts(world)) == (D(40), D(46), [D(40), D(40)])
    assert_sound(world)


@pytest.mark.parametrize("quantity", ["41", "99", "100"])
def test_a_change_that_names_a_quantity_does_not_undo_a_cut_either(world: World, quantity: str) -> None:
    order = stop(world)
    close(world, "60")
    for price in (None, D(46)):
        command = c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(quantity), stop_price=price)
        assert "may only reduce a position" in str(world.declined(command))
    world.step(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(40), stop_price=D(46)))


def test_a_stop_that_follows_the_price_is_no_larger_than_its_position_though_its_cut_failed(world: World) -> None:
    world.state.profiles["sim"] = NO_TRAILING
    order = world.resting(Side.SELL, "100", kind=OrderKind.TRAILING_STOP, trail=Trail(D(5)), time_in_force=GTC)
    close(world, "60")
    world.step(e.SendFailed(order_id=order.id, what="modify-unknown", reason="lost"))
    quote(world, 55.0)
    assert cuts(world) == [D(40), D(40)]


def test_a_stop_that_follows_the_price_grows_as_it_was_asked_to(world: World) -> None:
    world.state.profiles["sim"] = NO_TRAILING
    order = world.resting(Side.SELL, "40", kind=OrderKind.TRAILING_STOP, trail=Trail(D(5)), time_in_force=GTC)
    world.effects.clear()
    world.step(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(60)))
    quote(world, 55.0)
    world.step(c.ModifyOrder(provenance=WHO, order_id=order.id, trail=Trail(D(4))))
    assert cuts(world) == [D(60), D(60), D(60)]
    assert_sound(world)


@pytest.mark.parametrize("is_held", [False, True])
def test_what_waits_to_be_sent_goes_out_for_what_is_left_to_close(world: World, is_held: bool) -> None:
    if is_held:
        world.state.profiles["sim"] = BARE
    order = world.submit(Side.SELL, "100", **STOP)
    if is_held:
        quote(world, 44.0)
    close(world, "60")
    (sent,) = world.step(e.IntentDelayed(order.id, 600)).effects
    assert isinstance(sent, SendOrder)
    assert (sent.ticket.spec.quantity, order.quantity, order.state) == (D(40), D(40), OrderState.SUBMITTED)
    assert order.stands_as(sent.ticket.spec), "it goes out and is not judged a third time"
    assert world.alerts() == ["order-reduced"]
    assert world.submit(Side.SELL, "1", reduce_only=True).state is (
        OrderState.REFUSED if is_held else OrderState.SUBMITTED
    )
    assert_sound(world)


def test_a_set_off_stop_that_risk_stops_on_its_way_is_held_again(world: World) -> None:
    world.state.profiles["sim"] = BARE
    order = world.submit(Side.SELL, "100", **STOP)
    quote(world, 44.0)
    other = world.resting(Side.SELL, "100")
    world.step(e.BrokerLink("A", connected=False))
    world.step(e.IntentDelayed(order.id, 600))
    assert (order.state, order.quantity, kept(order).reached) == (OrderState.HELD, D(100), True)
    world.step(e.BrokerLink("A", connected=True))
    world.step(world.snapshot())
    assert order.state is OrderState.HELD, "the other one closes all of it"
    world.fill(other, "30", "44")
    world.cancel(other)
    world.step(world.said(e.VenueCancelled, other))
    assert (order.state, order.quantity) == (OrderState.SUBMITTED, D(70))
    assert_sound(world)


def test_a_set_off_stop_waits_while_a_linked_exit_closes_its_position(world: World) -> None:
    world.state.profiles["sim"] = BARE
    terms = d.OneCancelsOther(spec(Side.SELL, "100", limit_price="60"), spec(Side.SELL, "100", stop_price="45"))
    made = world.step(c.SubmitComposite(provenance=WHO, client_order_id="pair", terms=terms)).outcome
    assert made is not None
    pair = world.state.composites.find(made.id)
    assert pair is not None
    order = world.submit(Side.SELL, "100", **STOP)
    quote(world, 44.0)
    leg = world.state.orders[pair.legs["exit-2"][-1]]
    assert (leg.state, order.state, kept(order).reached) == (OrderState.SUBMITTED, OrderState.HELD, True)
    world.step(world.said(e.VenueRejected, leg, reason="no"))
    assert order.state is OrderState.SUBMITTED
    assert_sound(world)


def test_a_set_off_stop_waits_while_its_position_is_closed_elsewhere(world: World) -> None:
    world.state.profiles["sim"] = BARE
    order = world.submit(Side.SELL, "100", **STOP)
    for _ in range(3):
        world.step(world.snapshot(positions=()))
    assert world.position("unassigned") == D(-100)
    quote(world, 44.0)
    assert (order.state, kept(order).reached) == (OrderState.HELD, True)
    there = e.BrokerPosition(account_id="A", instrument_id=ACME.id, quantity=D(70))
    for _ in range(3):
        world.step(world.snapshot(positions=(there,)))
    assert (order.is_working, order.quantity) == (True, D(70))
    assert_sound(world)


@pytest.mark.parametrize(
    "terms",
    [
        {"kind": OrderKind.TRAILING_STOP, "trail": Trail(D(1)), "time_in_force": GTC},
        {"kind": OrderKind.STOP, "stop_price": D(45), "time_in_force": TimeInForce.GTD, "expires_at": 2**61},
    ],
)
def test_what_its_venue_sees_to_is_changed_as_it_was_asked(world: World, terms: dict[str, Any]) -> None:
    world.state.profiles["sim"] = msgspec.structs.replace(
        BARE, order_kinds=frozenset(OrderKind), times_in_force=frozenset(TimeInForce)
    )
    order = world.resting(Side.SELL, "100", **terms)
    assert kept(order) == Kept(reduces=True)
    world.step(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(60)))
    (spec,) = [one.amendment.spec for one in asked(world, SendAmendment)]
    assert (spec.quantity, spec.trail, spec.expires_at) == (D(60), terms.get("trail"), terms.get("expires_at", 0))
    world.step(world.said(e.VenueAmended, order, quantity=D(60), stop_price=terms.get("stop_price")))
    assert (order.quantity, kept(order)) == (D(60), Kept(reduces=True))
    assert_sound(world)
