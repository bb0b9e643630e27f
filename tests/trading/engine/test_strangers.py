"""What happens at the broker without us: executions taken back unheard, exits that will not go, closes by hand."""

from decimal import Decimal
from typing import Any

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Limits
from evenkeel.domain.clock import SECOND
from evenkeel.domain.orders import Order, OrderState, Side
from evenkeel.domain.strategies import Protection
from evenkeel.trading.brokers.simulated.profile import OWN_PROCESS
from evenkeel.trading.engine.effects import WantReconcile
from tests.trading.engine.world import ACME, WHO, D, World, assert_sound

GUARDED = Protection(stop_loss=0.1, take_profit=0.1)


@pytest.fixture
def world() -> World:
    made = World()
    made.account()
    made.price(ACME, 10.0)
    return made


def test_an_execution_taken_back_while_we_were_away_is_reversed_with_its_cash(world: World) -> None:
    """The broker holds less, by just what it lists no more: the fill is undone, and nothing is left unassigned."""
    kept, lost = world.submit(quantity="30"), world.submit(quantity="100")
    first = world.fill(kept, "30")
    world.fill(lost, "100")
    world.now += 60 * SECOND
    seen: dict[str, Any] = {
        "executions": (first,),
        "positions": (held("30"),),
        "orders": (),
        "booked": len(world.state.fills),
    }
    world.step(world.snapshot("A", **seen))
    assert world.state.orders[lost.id].filled == 0
    assert world.position() == 30
    assert world.state.accounts["A"].cash_in("USD") == D("100000") - 30 * 10
    assert not world.of(r.PositionCorrected)
    assert "fill-busted" in world.alerts()
    world.step(world.snapshot(**seen | {"booked": len(world.state.fills)}))
    assert len(world.of(r.FillBooked)) == 3
    assert_sound(world)


def held(quantity: str) -> e.BrokerPosition:
    return e.BrokerPosition(account_id="A", instrument_id=ACME.id, quantity=D(quantity))


def test_what_the_difference_does_not_explain_is_booked_to_nobody(world: World) -> None:
    kept, lost = world.submit(quantity="30"), world.submit(quantity="100")
    first = world.fill(kept, "30")
    world.fill(lost, "100")
    world.now += 60 * SECOND
    world.step(world.snapshot(executions=(first,), positions=(held("31"),), orders=(), booked=2))
    assert world.state.orders[lost.id].filled == 100
    assert world.position("unassigned") == -99


def test_a_fill_may_be_too_new_to_show(world: World) -> None:
    """As long as the broker says it may take, its picture is taken again, and believed after that."""
    world.state.profiles = {"sim": OWN_PROCESS}
    order = world.submit(quantity="100")
    world.fill(order, "100")
    step = world.step(world.snapshot(executions=(), positions=(), orders=(), booked=1))
    assert step.effects == (WantReconcile("A", "a fill came while the snapshot was taken", again=True),)
    assert not step.records
    world.now += OWN_PROCESS.settle_time + SECOND
    world.step(world.snapshot(executions=(), positions=(), orders=(), booked=1))
    assert world.position("unassigned") == -100


def exits(world: World) -> list[Order]:
    return [order for order in world.state.accounts["A"].working.values() if order.spec.link]


def guarded(world: World, quantity: str = "100") -> tuple[Order, Order]:
    """A strategy's holding with its stop and target, both accepted."""
    world.deploy(("A", "1"), protection=GUARDED)
    world.holding(quantity, book="trend")
    stop, goal = exits(world)
    for order in (stop, goal):
        world.step(world.said(e.VenueAccepted, order))
    return stop, goal


def test_an_exit_that_the_venue_will_not_cancel_is_asked_for_again(world: World) -> None:
    """Its position is closed, so that it would open one: after a while, and after every reconcile, until it is gone."""
    stop, goal = guarded(world)
    world.fill(stop, "100", "9")
    assert goal.state is OrderState.CANCEL_PENDING
    step = world.step(world.said(e.VenueCancelRefused, goal, reason="too late"))
    assert goal.state is OrderState.ACCEPTED
    assert [effect.again for effect in step.effects if isinstance(effect, WantReconcile)] == [True]
    world.step(world.snapshot())
    assert goal.state is OrderState.CANCEL_PENDING
    world.step(world.said(e.VenueCancelled, goal))
    assert not exits(world)
    assert_sound(world)


def test_an_exit_is_made_smaller_though_nothing_new_could_be_sold() -> None:
    """A change that only takes away passes what is meant for entries: here, that the account may not be short."""
    world = World()
    world.account(limits=Limits(daily_loss=None, max_position_share=None, allow_short=False))
    world.price(ACME, 10.0)
    stop, goal = guarded(world)
    world.holding("-60", book="manual")
    world.fill(stop, "10", "9")
    (amended,) = [one for one in world.of(r.AmendRequested) if one.order_id == goal.id]
    assert amended.quantity == 90
    larger = c.ModifyOrder(provenance=WHO, order_id=goal.id, quantity=D(100_000))
    assert "short" in str(world.declined(larger))


def by_hand(world: World, quantity: str, side: Side = Side.SELL) -> None:
    serial = len(world.records)
    world.step(
        e.VenueFilled(
            account_id="A",
            venue_order_id=f"HAND{serial}",
            execution_id=f"hand-{serial}",
            instrument_id=ACME.id,
            side=side,
            quantity=D(quantity),
            price=D(10),
        )
    )


def test_what_was_closed_by_hand_in_part_is_guarded_for_the_rest(world: World) -> None:
    stop, goal = guarded(world)
    by_hand(world, "30")
    assert {(one.order_id, one.quantity) for one in world.of(r.AmendRequested)} == {(stop.id, D(70)), (goal.id, D(70))}
    by_hand(world, "70")
    assert {stop.state, goal.state} == {OrderState.CANCEL_PENDING}
    for order in (stop, goal):
        world.step(world.said(e.VenueCancelled, order))
    by_hand(world, "100", Side.BUY)
    assert sorted(order.quantity for order in exits(world)) == [D(100), D(100)]
    assert_sound(world)


def test_of_several_books_only_as_much_loses_its_guard_as_was_closed(world: World) -> None:
    world.deploy(("A", "0.5"), protection=GUARDED)
    world.deploy(("A", "0.5"), book="also", protection=GUARDED)
    for book in ("also", "trend"):
        world.holding("100", book=book)
    for order in exits(world):
        world.step(world.said(e.VenueAccepted, order))
    by_hand(world, "130")
    left = {order.spec.book: order.state for order in exits(world)}
    assert left == {"also": OrderState.CANCEL_PENDING, "trend": OrderState.ACCEPTED}
    asked = {world.state.orders[one.order_id].spec.book: one.quantity for one in world.of(r.AmendRequested)}
    assert asked == {"trend": D(70)}


def test_a_person_ends_an_order_the_broker_had_spoken_of_as_cancelled(world: World) -> None:
    """And one that it never spoke of as not sent."""
    for heard, after in ((True, OrderState.CANCELLED), (False, OrderState.EXPIRED_UNSENT)):
        order = world.submit()
        if heard:
            world.step(world.said(e.VenueAccepted, order))
            world.fill(order, "40")
        lookup = e.Lookup(order_id=order.id, found=None, conclusive=False)
        world.step(world.snapshot(orders=(), lookups=(lookup,)))
        assert order.state is OrderState.IN_DOUBT
        world.step(c.ResolveOrder(provenance=WHO, order_id=order.id))
        assert order.state is after
        assert order.filled == (Decimal(40) if heard else 0)


def test_a_cancel_that_keeps_failing_is_no_storm(world: World) -> None:
    """Of an order in doubt already nothing new is said, and the broker is asked later, and later each time."""
    order = world.submit()
    world.step(e.SendUncertain(order.id, "no answer"))
    world.cancel(order)
    before = world.alerts()
    step = world.step(world.said(e.VenueCancelRefused, order, venue_order_id=None, reason="no such order"))
    assert step.effects == (WantReconcile("A", f"a cancel of unknown order {order.id} failed", again=True),)
    assert world.alerts() == before
    assert order.state is OrderState.IN_DOUBT
