"""What held orders may ask, how they are changed, and what splits, panics and strategies make of them."""

from typing import Any

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.errors import ChangeRefused, Conflict, InvalidInput
from evenkeel.domain.limits import Layer
from evenkeel.domain.orders import OrderKind, OrderState, Side, TimeInForce, Trail, Trigger
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.strategies import Protection
from evenkeel.trading.engine.effects import SendAmendment
from tests.trading.engine.holding import BARE, CASH, GTC, bare_world, cash_world, day, kept, quote, sell, trailing
from tests.trading.engine.world import WHO, D, World, assert_sound, at, split_slice


@pytest.fixture
def world() -> World:
    return cash_world()


@pytest.fixture
def bare() -> World:
    return bare_world()


FAULTS: dict[str, dict[str, Any]] = {
    "trail": {"kind": OrderKind.TRAILING_STOP},
    "trail_percent": {"kind": OrderKind.TRAILING_STOP, "trail": Trail(fraction=D(1))},
    "trail_amount": {"kind": OrderKind.TRAILING_STOP, "trail": Trail(amount=D(50))},
    "trigger_price": {"trigger": Trigger(D("45.005"))},
    "expires_at": {"time_in_force": TimeInForce.GTD},
    "stop_price": {"kind": OrderKind.TRAILING_STOP, "trail": Trail(amount=D(5)), "stop_price": D(45)},
}


@pytest.mark.parametrize("field", FAULTS)
def test_terms_that_make_no_sense_are_named(world: World, field: str) -> None:
    error = world.declined(c.SubmitOrder(provenance=WHO, spec=world.spec(Side.SELL, **FAULTS[field])))
    assert isinstance(error, InvalidInput)
    assert [fault.field for fault in error.errors] == [field]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"trigger": Trigger(D(50))}, "the last price is 50.00 already"),
        ({"trigger": Trigger(D(45)), "kind": OrderKind.STOP, "stop_price": D(44)}, "a STOP order has its own"),
        ({"trail": Trail(amount=D(5), fraction=D("0.1")), "kind": OrderKind.TRAILING_STOP}, "either an amount"),
        ({"time_in_force": TimeInForce.GTD, "expires_at": at(0) - 1}, "still to come"),
        ({"time_in_force": TimeInForce.GTD, "expires_at": at(1), "not_before": at(2)}, "after the order begins"),
        ({"expires_at": at(2)}, "goes with a time in force of GTD"),
        ({"trail": Trail(amount=D(5))}, "goes with trailing stops"),
    ],
)
def test_why_terms_make_no_sense(world: World, more: dict[str, Any], said: str) -> None:
    error = world.declined(c.SubmitOrder(provenance=WHO, spec=world.spec(Side.SELL, **more)))
    assert isinstance(error, InvalidInput)
    assert said in error.errors[0].message


@pytest.mark.parametrize(
    ("more", "rule", "said"),
    [
        ({"time_in_force": TimeInForce.FOK}, "time-in-force", "takes orders good for GTC, IOC, and FOK"),
        ({"time_in_force": TimeInForce.BAR, "trigger": Trigger(D(45))}, "time-in-force", "cannot be BAR"),
    ],
)
def test_what_a_broker_lacks_and_cannot_be_made_is_refused_with_what_it_can(
    bare: World, more: dict[str, Any], rule: str, said: str
) -> None:
    order = bare.submit(Side.BUY, "10", **more)
    assert (order.state, order.rule) == (OrderState.REFUSED, rule)
    assert order.reason is not None
    assert said in order.reason


def test_a_kind_that_cannot_be_made_is_refused(world: World) -> None:
    world.state.profiles["sim"] = msgspec.structs.replace(BARE, order_kinds=frozenset({OrderKind.LIMIT}))
    order = world.submit(Side.BUY, "10", kind=OrderKind.STOP, stop_price=D(55), time_in_force=GTC)
    assert (order.rule, order.limit) == ("order-kind", "LIMIT")
    assert order.reason == "this broker takes LIMIT orders, and a STOP order cannot be made of them"


def test_held_orders_are_changed_here(bare: World) -> None:
    bare.holding("100", "50")
    stop = sell(bare, kind=OrderKind.STOP, stop_price=D(45))
    sent = len(bare.effects)
    bare.step(c.ModifyOrder(provenance=WHO, order_id=stop.id, stop_price=D(47), quantity=D(60)))
    assert (stop.stop_price, stop.quantity, kept(stop).level, len(bare.effects)) == (D(47), D(60), D(47), sent)
    quote(bare, 46.5)
    assert stop.state is OrderState.SUBMITTED
    assert_sound(bare)


def test_a_refused_change_leaves_what_is_kept_of_a_working_stop(world: World) -> None:
    world.holding("100", "50")
    stop = trailing(world, amount=D(5))
    world.step(world.said(e.VenueAccepted, stop))
    change = c.ModifyOrder(provenance=WHO, order_id=stop.id, trail=Trail(amount=D(3)), quantity=D("60.5"))
    assert isinstance(world.declined(change), Conflict)
    assert kept(stop).level == D(45)
    world.step(msgspec.structs.replace(change, quantity=D(60)))
    assert kept(stop).level == D(47)
    (asked,) = [effect for effect in world.effects if isinstance(effect, SendAmendment)]
    assert (asked.amendment.spec.quantity, asked.amendment.spec.stop_price) == (D(60), D(47))
    assert_sound(world)


def test_a_trail_a_trigger_and_an_end_are_changed(bare: World) -> None:
    bare.holding("100", "50")
    stop = trailing(bare, amount=D(5))
    bare.step(c.ModifyOrder(provenance=WHO, order_id=stop.id, trail=Trail(fraction=D("0.02"))))
    assert stop.stop_price == D(49)
    bare.step(c.ModifyOrder(provenance=WHO, order_id=stop.id, trail=Trail(amount=D(8))))
    assert stop.stop_price == D(42), "it is a person who loosens it"
    waiting = bare.submit(
        Side.BUY, "10", trigger=Trigger(D(45)), time_in_force=TimeInForce.GTD, expires_at=at(3), client_order_id="w"
    )
    bare.step(c.ModifyOrder(provenance=WHO, order_id=waiting.id, trigger_price=D(55), expires_at=at(1)))
    assert (kept(waiting).level, kept(waiting).rises, kept(waiting).until) == (D(55), True, at(1))
    bare.step(e.TimersDue(), at(1))
    assert waiting.state is OrderState.EXPIRED
    assert_sound(bare)


def test_the_trail_of_a_stop_at_its_venue_is_changed_there(world: World) -> None:
    world.holding("100", "50")
    stop = trailing(world, amount=D(5))
    world.step(world.said(e.VenueAccepted, stop))
    world.step(c.ModifyOrder(provenance=WHO, order_id=stop.id, trail=Trail(amount=D(2))))
    last = world.effects[-1]
    assert isinstance(last, SendAmendment)
    assert last.amendment.spec.stop_price == D(48)
    assert_sound(world)


def test_what_cannot_be_changed_says_why(world: World) -> None:
    order = world.resting(Side.BUY, "10", kind=OrderKind.LIMIT, limit_price=D(45))
    error = world.declined(c.ModifyOrder(provenance=WHO, order_id=order.id, trigger_price=D(44), trail=Trail(D(1))))
    assert isinstance(error, InvalidInput)
    assert [fault.field for fault in error.errors] == ["trigger_price", "trail"]
    held = world.submit(Side.BUY, "10", trigger=Trigger(D(45)))
    world.cancel(held)
    assert held.state is OrderState.CANCELLED
    assert isinstance(world.declined(c.ModifyOrder(provenance=WHO, order_id=held.id, quantity=D(5))), Conflict)


def test_a_change_that_risk_refuses_leaves_a_held_order_as_it_is(world: World) -> None:
    limits = msgspec.structs.replace(CASH, cash_check=True)
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=limits))
    held = world.submit(Side.BUY, "10", trigger=Trigger(D(45)))
    assert isinstance(world.declined(c.ModifyOrder(provenance=WHO, order_id=held.id, quantity=D(50_000))), Conflict)
    assert held.quantity == D(10)


CLOSING: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"trigger": Trigger(D(45))}, {"trigger_price": D(47)}),
    ({"kind": OrderKind.STOP, "stop_price": D(45)}, {"stop_price": D(47)}),
    ({"kind": OrderKind.TRAILING_STOP, "trail": Trail(D(5))}, {"trail": Trail(D(3))}),
    (
        {"trigger": Trigger(D(47)), "time_in_force": TimeInForce.GTD, "expires_at": at(2)},
        {"expires_at": at(3)},
    ),
]


@pytest.mark.parametrize(("terms", "change"), CLOSING)
def test_what_is_held_to_close_is_changed_beside_a_target_and_goes_on_closing(
    bare: World, terms: dict[str, Any], change: dict[str, Any]
) -> None:
    """One from before there were reduce-only orders, too: it says of itself only that it closes."""
    bare.holding("100", "50")
    stop = sell(bare, reduce_only=False, **terms)
    target = bare.resting(Side.SELL, "100", kind=OrderKind.LIMIT, limit_price=D(60), time_in_force=GTC)
    assert (kept(stop).closes, kept(stop).reduces) == (True, False)
    bare.fill(target, "60", "60")
    bare.step(c.ModifyOrder(provenance=WHO, order_id=stop.id, **change))
    assert kept(stop).closes
    more = c.ModifyOrder(provenance=WHO, order_id=stop.id, quantity=D(101))
    assert isinstance(bare.declined(more), ChangeRefused)
    bare.cancel(target)
    bare.step(bare.said(e.VenueCancelled, target))
    quote(bare, 46.0)
    assert (stop.state, stop.quantity) == (OrderState.SUBMITTED, D(40))
    assert_sound(bare)


COLLAR = msgspec.structs.replace(CASH, price_collar=D("0.05"))


def test_another_trigger_is_judged_as_a_new_one_would_be(world: World) -> None:
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=COLLAR))
    assert world.submit(Side.BUY, "10", trigger=Trigger(D(70)), client_order_id="far").rule == "price-collar"
    held = world.submit(Side.BUY, "10", trigger=Trigger(D(49)), time_in_force=GTC)
    error = world.declined(c.ModifyOrder(provenance=WHO, order_id=held.id, trigger_price=D(70)))
    assert isinstance(error, ChangeRefused)
    assert (error.rule, error.layer, error.limit, error.value) == ("price-collar", Layer.ACCOUNT, "0.05", "0.4000")
    world.step(c.ModifyOrder(provenance=WHO, order_id=held.id, trigger_price=D(52)))
    assert kept(held).level == D(52)


def test_another_quantity_is_judged_at_the_trigger_of_now(world: World) -> None:
    held = world.submit(Side.BUY, "10", trigger=Trigger(D(49)), time_in_force=GTC)
    world.step(c.ModifyOrder(provenance=WHO, order_id=held.id, trigger_price=D(70)))
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=COLLAR))
    error = world.declined(c.ModifyOrder(provenance=WHO, order_id=held.id, quantity=D(20)))
    assert isinstance(error, ChangeRefused)
    assert error.rule == "price-collar"


def test_another_distance_of_a_held_trail_is_judged(bare: World) -> None:
    bare.step(c.SetLimits(provenance=WHO, account_id="A", limits=COLLAR))
    stop = bare.submit(
        Side.BUY, "10", kind=OrderKind.TRAILING_STOP, trail=Trail(amount=D(2)), time_in_force=GTC, client_order_id="t"
    )
    assert (stop.state, kept(stop).level) == (OrderState.HELD, D(52))
    error = bare.declined(c.ModifyOrder(provenance=WHO, order_id=stop.id, trail=Trail(amount=D(20))))
    assert isinstance(error, ChangeRefused)
    assert error.rule == "price-collar"
    bare.step(c.ModifyOrder(provenance=WHO, order_id=stop.id, trail=Trail(amount=D(1))))
    assert kept(stop).level == D(51)


def test_a_held_order_may_end_sooner_whatever_risk_says(world: World) -> None:
    held = world.submit(
        Side.BUY, "10", trigger=Trigger(D(70)), time_in_force=TimeInForce.GTD, expires_at=at(5), client_order_id="d"
    )
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=COLLAR))
    later = c.ModifyOrder(provenance=WHO, order_id=held.id, expires_at=at(9))
    assert isinstance(world.declined(later), ChangeRefused)
    world.step(msgspec.structs.replace(later, expires_at=at(2)))
    assert kept(held).until == at(2)


def test_a_split_restates_what_is_held(bare: World) -> None:
    bare.holding("100", "50")
    stop = sell(bare, kind=OrderKind.STOP, stop_price=D("45.05"))
    trail = trailing(bare, amount=D("5.01"))
    waiting = bare.submit(Side.BUY, "10", trigger=Trigger(D(41)), time_in_force=GTC)
    bare.step(split_slice(1, "2:1"))
    assert (stop.quantity, stop.stop_price, kept(stop).level) == (D(200), D("22.52"), D("22.52"))
    assert (trail.quantity, trail.stop_price, kept(trail).best) == (D(200), D("22.50"), 25.0)
    assert kept(trail).trail == Trail(amount=D("2.50"))
    assert (waiting.quantity, kept(waiting).level) == (D(20), D("20.50"))
    assert stop.state is OrderState.HELD
    assert_sound(bare)


def test_a_split_ends_what_is_left_with_less_than_a_lot(world: World) -> None:
    waiting = world.submit(Side.BUY, "1", trigger=Trigger(D(45)), time_in_force=GTC)
    later = world.submit(Side.BUY, "1", not_before=at(5))
    world.step(split_slice(1, "1:2"))
    assert (waiting.state, later.state) == (OrderState.CANCELLED, OrderState.CANCELLED)
    assert waiting.reason == "the split left less than one lot of it"
    assert_sound(world)


def test_a_panic_cancels_what_is_held_at_once_and_asks_no_venue(bare: World) -> None:
    bare.holding("100", "50")
    stop, waiting = sell(bare, kind=OrderKind.STOP, stop_price=D(45)), bare.submit(Side.BUY, "9", not_before=at(9))
    bare.effects.clear()
    bare.step(c.Panic(provenance=WHO, scope=Scope(ScopeKind.ACCOUNT, "A")))
    assert (stop.state, waiting.state) == (OrderState.CANCELLED, OrderState.CANCELLED)
    assert bare.sent() == [("A", D(-100))], "the position is closed at once: there is nothing to wait for"
    assert_sound(bare)


def test_a_strategy_is_not_removed_while_it_has_an_order_waiting(world: World) -> None:
    world.deploy(("A", "1"))
    world.submit(Side.BUY, "10", trigger=Trigger(D(45)), time_in_force=GTC, book="trend")
    assert isinstance(world.declined(c.RemoveDeployment(provenance=WHO, deployment_id="trend")), Conflict)


def test_exits_of_strategies_are_held_where_the_broker_has_no_stops(bare: World) -> None:
    bare.deploy(("A", "0.5"), protection=Protection(stop_loss=0.1, take_profit=0.2))
    bare.signal(1.0)
    (entry,) = bare.state.accounts["A"].working.values()
    bare.step(bare.said(e.VenueAccepted, entry))
    bare.fill(entry, str(entry.quantity), "50")
    (stop,) = bare.state.accounts["A"].held.values()
    (goal,) = bare.state.accounts["A"].working.values()
    bare.step(bare.said(e.VenueAccepted, goal))
    assert (stop.stop_price, goal.limit_price, stop.quantity) == (D(45), D(60), entry.quantity)
    quote(bare, 44.0)
    assert (stop.state, goal.state) == (OrderState.SUBMITTED, OrderState.CANCEL_PENDING), "one fills for both"
    bare.step(bare.said(e.VenueAccepted, stop))
    bare.fill(stop, str(stop.quantity), "44")
    bare.step(bare.said(e.VenueCancelled, goal))
    assert bare.position("trend") == 0
    assert not list(bare.state.accounts["A"].open_orders())
    assert_sound(bare)


def test_a_held_exit_follows_its_position(bare: World) -> None:
    bare.deploy(("A", "0.5"), protection=Protection(trailing_stop=0.1))
    bare.signal(1.0)
    (entry,) = bare.state.accounts["A"].working.values()
    bare.step(bare.said(e.VenueAccepted, entry))
    bare.fill(entry, "400", "50")
    (stop,) = bare.state.accounts["A"].held.values()
    bare.fill(entry, "100", "50")
    assert (stop.quantity, stop.stop_price) == (D(500), D(45))
    day(bare, 1, 50, 60, 49, 58)
    assert (stop.stop_price, kept(stop).level) == (D(54), D(54))
    day(bare, 2, 57, 57, 53, 54)
    assert stop.state is OrderState.SUBMITTED
    assert_sound(bare)
