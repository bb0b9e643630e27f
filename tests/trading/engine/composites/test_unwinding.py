"""Legs that are taking back what they filled, while a person closes, reverses or cancels some of it."""

import pytest
from msgspec.structs import replace

from evenkeel.domain import commands as c
from evenkeel.domain import composites as d
from evenkeel.domain import events as e
from evenkeel.domain.composites import CompositeState
from evenkeel.domain.orders import Order, OrderState, Side
from evenkeel.domain.selections import Selection
from evenkeel.trading.engine.composites.standing import Composite
from tests.trading.engine.composites.desks import spec
from tests.trading.engine.world import ACME, BOLT, WHO, D, World, assert_sound

IN_ACME = Selection(account_ids=("A",), instrument_id=ACME.id)
CLOSE = c.ClosePosition(provenance=WHO, account_id="A", instrument_id=ACME.id, client_order_id="out")
LEGS = d.Legs(
    (spec(Side.BUY, "100"), spec(Side.BUY, "100", instrument_id=BOLT.id), spec(Side.BUY, "10", limit_price="9")),
    d.OnFailure.UNWIND,
)


@pytest.fixture
def world() -> World:
    world = World()
    world.account()
    world.price(ACME, 10)
    world.price(BOLT, 5)
    return world


def child(world: World, one: Composite, leg: str) -> Order:
    """The last child of a leg."""
    return world.state.orders[one.legs[leg][-1]]


def fill(world: World, order: Order) -> None:
    world.step(world.said(e.VenueAccepted, order))
    world.fill(order, str(order.remaining))


def unwinding(world: World) -> Composite:
    """Two legs have filled, the third is rejected, and what takes the two back is at work."""
    step = world.step(c.SubmitComposite(provenance=WHO, client_order_id="mine", terms=LEGS))
    assert step.outcome is not None
    one = world.state.composites[step.outcome.id]
    fill(world, child(world, one, "leg-1"))
    fill(world, child(world, one, "leg-2"))
    world.step(world.said(e.VenueRejected, child(world, one, "leg-3"), reason="no"))
    for leg in ("unwind-1", "unwind-2"):
        world.step(world.said(e.VenueAccepted, child(world, one, leg)))
    return one


def let_cancels_through(world: World) -> None:
    for order in tuple(world.state.orders.values()):
        if order.state is OrderState.CANCEL_PENDING:
            world.step(world.said(e.VenueCancelled, order))


def fill_all(world: World) -> None:
    for order in tuple(world.state.accounts["A"].working.values()):
        fill(world, order)


@pytest.mark.parametrize(
    "command",
    [
        CLOSE,
        c.TargetPosition(
            provenance=WHO, account_id="A", instrument_id=ACME.id, book="manual", quantity=D(0), client_order_id="out"
        ),
        c.Flatten(provenance=WHO, selection=IN_ACME),
    ],
    ids=["close", "target 0", "flatten"],
)
def test_closing_what_is_being_taken_back_leaves_the_rest_to_be_taken_back(world: World, command: c.AnyCommand) -> None:
    one = unwinding(world)
    outcome = world.step(command).outcome
    assert outcome is not None
    assert outcome.stopped == ()
    assert {child(world, one, leg).state for leg in ("unwind-1", "unwind-2")} == {OrderState.ACCEPTED}
    fill_all(world)
    assert (world.position(), world.position(of=BOLT), one.state) == (0, 0, CompositeState.FAILED)
    assert_sound(world)


def test_what_is_held_beside_it_is_closed_by_an_order_of_its_own(world: World) -> None:
    world.holding("50")
    one = unwinding(world)
    world.step(CLOSE)
    assert child(world, one, "unwind-1").state is OrderState.ACCEPTED
    fill_all(world)
    assert (world.position(), world.position(of=BOLT)) == (0, 0)
    assert_sound(world)


def test_where_less_is_held_than_is_taken_back_closing_replaces_it(world: World) -> None:
    """What gave way to the order that closes is not placed again behind it."""
    one = unwinding(world)
    world.holding("-40")
    world.step(CLOSE)
    let_cancels_through(world)
    assert child(world, one, "unwind-1").state is OrderState.CANCELLED
    fill_all(world)
    assert (world.position(), world.position(of=BOLT), one.state) == (0, 0, CompositeState.FAILED)
    assert_sound(world)


def test_a_target_that_wants_it_back_keeps_it_and_leaves_the_rest_to_be_taken_back(world: World) -> None:
    one = unwinding(world)
    target = c.TargetPosition(
        provenance=WHO, account_id="A", instrument_id=ACME.id, book="manual", quantity=D(100), client_order_id="keep"
    )
    world.step(target)
    let_cancels_through(world)
    fill_all(world)
    assert (world.position(), world.position(of=BOLT), one.state) == (100, 0, CompositeState.FAILED)
    assert_sound(world)


def test_a_filter_that_cancels_some_of_it_leaves_the_rest_and_a_person_is_told(world: World) -> None:
    one = unwinding(world)
    assert world.step(c.CancelOrders(provenance=WHO, selection=IN_ACME)).outcome.stopped == ()  # type: ignore[union-attr]
    let_cancels_through(world)
    assert len(one.legs["unwind-1"]) == 1, "what a person has cancelled is not placed again"
    fill_all(world)
    assert (world.position(), world.position(of=BOLT)) == (100, 0)
    assert "unwind-failed" in world.alerts()
    assert_sound(world)


def test_a_filter_that_fits_all_of_it_stops_it(world: World) -> None:
    one = unwinding(world)
    outcome = world.step(c.CancelOrders(provenance=WHO, selection=replace(IN_ACME, instrument_id=None))).outcome
    assert outcome is not None
    assert outcome.stopped == (one.id,)
    let_cancels_through(world)
    assert one.state is CompositeState.CANCELLED
    assert_sound(world)
