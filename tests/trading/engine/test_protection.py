"""Exits of positions: what goes out after a fill, what follows the position, and what ends with it."""

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.marketdata import Bar, MarketSlice
from evenkeel.domain.orders import Order, OrderKind, OrderState, Side, TimeInForce
from evenkeel.domain.sizing import Units
from evenkeel.domain.strategies import Allocation, Deployment, Entry, Protection, Revision
from evenkeel.trading.engine.effects import SendAmendment, SendCancel, SendOrder
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, D, World, assert_sound, at, fold, split_slice

BOTH = Protection(stop_loss=0.05, take_profit=0.10)


def guarded(protection: Protection | None = BOTH, *, entry: Entry | None = None, units: str = "100") -> World:
    world = World()
    world.account(limits=msgspec.structs.replace(OPEN, allow_short=False))
    world.deploy(("A", "1"), sizing=Units(D(units)), protection=protection, entry=entry)
    world.price(ACME, 100.0)
    return world


def accept(world: World) -> None:
    """The venue takes all that has been sent to it."""
    for order in tuple(world.state.orders.values()):
        if order.is_working and not order.has_venue_event:
            world.step(world.said(e.VenueAccepted, order))


def entered(world: World, price: str = "100", quantity: str | None = None) -> Order:
    world.signal(1.0)
    entry = list(world.state.orders.values())[-1]
    world.fill(entry, quantity or str(entry.quantity), price, bar=at(0))
    accept(world)
    return entry


def exits(world: World) -> dict[OrderKind, Order]:
    """Those that work and are not on their way out."""
    working = world.state.accounts["A"].working.values()
    return {o.spec.kind: o for o in working if o.spec.link and o.state is not OrderState.CANCEL_PENDING}


def terms(world: World) -> list[tuple[str, str, str]]:
    """(kind, quantity left, price) of every exit."""
    return [(str(o.spec.kind), str(o.remaining), str(o.stop_price or o.limit_price)) for o in exits(world).values()]


def bar(high: float, low: float, day: int = 1) -> MarketSlice:
    return MarketSlice(at(day), bars=(Bar(ACME.id, at(day) - 1000, at(day), high, high, low, low),))


def test_a_fill_brings_a_stop_and_a_target_of_one_link() -> None:
    world = guarded()
    entered(world)
    assert terms(world) == [("STOP", "100", "95.00"), ("LIMIT", "100", "110.00")]
    stop, goal = exits(world).values()
    assert stop.spec.link == goal.spec.link
    assert {(o.spec.side, o.spec.book, o.spec.time_in_force) for o in (stop, goal)} == {
        (Side.SELL, "trend", TimeInForce.GTC)
    }
    assert_sound(world)


def test_a_short_is_guarded_the_other_way_round() -> None:
    world = World()
    world.account()
    world.deploy(("A", "1"), sizing=Units(D(10)), protection=BOTH)
    world.price(ACME, 100.0)
    world.signal(-1.0)
    world.fill(next(iter(world.state.orders.values())), "10", "100.01")
    assert terms(world) == [("STOP", "10", "105.02"), ("LIMIT", "10", "90.00")]
    assert {order.spec.side for order in exits(world).values()} == {Side.BUY}


def test_levels_rest_on_the_grid_no_nearer_than_was_asked() -> None:
    world = guarded(Protection(stop_loss=0.0333, take_profit=0.0333))
    entered(world, "99.99")
    assert [price for *_, price in terms(world)] == ["96.66", "103.32"]


def test_exits_follow_partial_fills_and_their_average_price() -> None:
    """F9: what guards a position is as large as what has filled, and no larger (I6)."""
    world = guarded()
    world.signal(1.0)
    entry = next(iter(world.state.orders.values()))
    world.fill(entry, "40", "100")
    accept(world)
    assert terms(world) == [("STOP", "40", "95.00"), ("LIMIT", "40", "110.00")]
    world.fill(entry, "60", "101")
    for order in tuple(exits(world).values()):
        amendment = next(
            effect.amendment.spec
            for effect in reversed(world.effects)
            if isinstance(effect, SendAmendment) and effect.order_id == order.id
        )
        prices = {"limit_price": amendment.limit_price, "stop_price": amendment.stop_price}
        world.step(world.said(e.VenueAmended, order, quantity=amendment.quantity, **prices))
    assert terms(world) == [("STOP", "100", "95.57"), ("LIMIT", "100", "110.66")]
    assert_sound(world)


def test_one_exit_that_fills_ends_the_other() -> None:
    world = guarded()
    entered(world)
    stop, goal = exits(world).values()
    world.fill(stop, "100", "95")
    assert world.position("trend") == 0
    assert goal.state is OrderState.CANCEL_PENDING
    assert not world.state.accounts["A"].guards
    world.step(world.said(e.VenueCancelled, goal))
    assert not world.state.accounts["A"].working
    assert_sound(world)


def test_what_one_exit_fills_in_part_the_other_gives_up() -> None:
    world = guarded()
    entered(world)
    stop, goal = exits(world).values()
    world.fill(goal, "30", "110")
    (amendment,) = (effect.amendment for effect in world.effects if isinstance(effect, SendAmendment))
    assert (amendment.venue_client_id, amendment.spec.quantity) == (stop.venue_client_id, D(70))
    assert goal.remaining == D(70)


def test_an_exit_at_the_market_takes_the_place_of_stop_and_target() -> None:
    world = guarded()
    entered(world)
    world.effects.clear()
    world.signal(0.0)
    assert [type(effect) for effect in world.effects] == [SendCancel, SendCancel, SendOrder], "risk comes off first"
    closing = list(world.state.orders.values())[-1]
    assert (closing.state, closing.rule) == (OrderState.SUBMITTED, None), "a cash account may still sell what it has"


def test_a_closing_order_that_fails_brings_the_exits_back() -> None:
    """F21: the stop that made way for an exit is back when the exit is refused."""
    world = guarded()
    entered(world)
    world.signal(0.0)
    for order in tuple(world.state.orders.values()):
        if order.state is OrderState.CANCEL_PENDING:
            world.step(world.said(e.VenueCancelled, order))
    closing = list(world.state.orders.values())[-1]
    world.step(world.said(e.VenueRejected, closing, reason="the exchange is closed"))
    assert terms(world) == [("STOP", "100", "95.00"), ("LIMIT", "100", "110.00")]


def test_an_exit_by_limit_leaves_them_until_it_fills() -> None:
    world = guarded(entry=Entry(offset=0.01))
    entered(world)
    world.signal(0.0)
    closing = list(world.state.orders.values())[-1]
    assert (closing.spec.kind, closing.limit_price, closing.spec.time_in_force) == (
        OrderKind.LIMIT, D("101.00"), TimeInForce.BAR,
    )  # fmt: skip
    assert len(exits(world)) == 2
    world.fill(closing, "100", "101")
    assert not exits(world)


def test_the_trail_follows_the_best_price_of_the_bars_behind() -> None:
    world = guarded(Protection(stop_loss=0.10, trailing_stop=0.05))
    entered(world)
    assert terms(world) == [("STOP", "100", "95.00")]
    for day, (high, low, price) in enumerate([(104, 99, "98.80"), (103, 98.9, "98.80"), (110, 100, "104.50")], 1):
        world.step(bar(high, low, day))
        world.step(e.SliceDone(bar(high, low, day)))
        (stop,) = exits(world).values()
        asked = [effect.amendment.spec for effect in world.effects if isinstance(effect, SendAmendment)]
        assert str(asked[-1].stop_price) == price
        world.step(world.said(e.VenueAmended, stop, quantity=stop.quantity, stop_price=asked[-1].stop_price))
    assert world.state.accounts["A"].guards.popitem()[1].rule == "trailing_stop"


def test_the_trail_begins_with_the_bar_after_one_in_which_it_was_entered() -> None:
    world = guarded(Protection(trailing_stop=0.05))
    world.signal(1.0)
    world.fill(next(iter(world.state.orders.values())), "100", "100", at=at(1), bar=at(1))
    accept(world)
    world.step(e.SliceDone(bar(120, 99)))
    assert terms(world) == [("STOP", "100", "95.00")]


def test_a_split_moves_levels_and_the_best_price() -> None:
    world = guarded(Protection(stop_loss=0.20, trailing_stop=0.05))
    entered(world)
    world.step(bar(110, 100))
    world.step(e.SliceDone(bar(110, 100)))
    (stop,) = exits(world).values()
    world.step(world.said(e.VenueAmended, stop, quantity=D(100), stop_price=D("104.50")))
    world.step(split_slice(2))
    assert terms(world) == [("STOP", "200", "52.25")]
    world.step(e.SliceMet(split_slice(2)))
    assert terms(world) == [("STOP", "200", "52.25")]
    assert next(iter(world.state.accounts["A"].guards.values())).best == 55.0
    assert_sound(world)


def test_an_exit_that_a_person_cancels_stays_away_until_the_position_changes() -> None:
    world = guarded()
    entered(world)
    stop, _ = exits(world).values()
    world.cancel(stop)
    world.step(world.said(e.VenueCancelled, stop))
    assert [kind for kind, *_ in terms(world)] == ["LIMIT"]
    world.price(ACME, 100.0, 1)
    world.submit(Side.BUY, "10", book="trend")
    more = list(world.state.orders.values())[-1]
    world.fill(more, "10", "100")
    assert sorted(kind for kind, *_ in terms(world)) == ["LIMIT", "STOP"]


def test_an_exit_that_the_venue_will_not_have_is_not_sent_for_ever() -> None:
    world = guarded()
    world.signal(1.0)
    world.fill(next(iter(world.state.orders.values())), "100", "100")
    stop, _ = exits(world).values()
    before = len(world.state.orders)
    world.step(world.said(e.VenueRejected, stop, reason="no stops here"))
    world.step(e.SliceDone(bar(101, 99)))
    assert len(world.state.orders) == before
    assert "order-rejected" in world.alerts()


def test_a_lost_exit_is_placed_again_once_the_account_is_reconciled() -> None:
    world = guarded()
    world.signal(1.0)
    entry = next(iter(world.state.orders.values()))
    world.step(world.said(e.VenueAccepted, entry))
    world.fill(entry, "100", "100")
    stop, goal = exits(world).values()
    world.step(world.said(e.VenueAccepted, goal))
    world.step(e.Started(run="again", version="1", at=world.now))
    lookup = e.Lookup(order_id=stop.id, found=None, conclusive=True)
    world.step(world.snapshot(orders=(), lookups=(lookup,)))
    assert stop.state is OrderState.EXPIRED_UNSENT
    assert sorted(kind for kind, *_ in terms(world)) == ["LIMIT", "STOP"]
    assert_sound(world)


def test_exits_are_no_trades_of_the_day_and_hold_no_cash() -> None:
    world = guarded()
    account = world.state.accounts["A"]
    entered(world)
    assert account.trades_today == 1
    limited = c.SetLimits(provenance=WHO, account_id="A", limits=msgspec.structs.replace(OPEN, max_trades_per_day=1))
    world.step(limited)
    world.fill(exits(world)[OrderKind.STOP], "100", "95")
    assert world.position("trend") == 0


def test_all_of_it_is_folded_state() -> None:
    world = guarded(Protection(stop_loss=0.05, take_profit=0.10, trailing_stop=0.02))
    entered(world)
    world.step(bar(104, 99))
    world.step(e.SliceDone(bar(104, 99)))
    folded = fold(world.records)
    assert folded.accounts["A"].guards == world.state.accounts["A"].guards
    assert folded.guarded
    assert_sound(world)


def test_an_order_good_for_one_bar_is_cancelled_behind_it_and_not_before() -> None:
    world = guarded(entry=Entry(offset=0.01))
    world.signal(1.0)
    accept(world)
    order = next(iter(world.state.orders.values()))
    assert (order.limit_price, order.spec.time_in_force) == (D("99.00"), TimeInForce.BAR)
    world.step(e.SliceDone(MarketSlice(at(0), bars=(Bar(ACME.id, at(0) - 10, at(0), 1, 1, 1, 1),))))
    assert order.state is OrderState.ACCEPTED, "that bar opened before it"
    world.step(e.SliceDone(bar(101, 100)))
    assert order.state is OrderState.CANCEL_PENDING
    world.step(world.said(e.VenueCancelled, order))
    assert not world.state.minds_bars
    assert_sound(world)


def test_maintenance_guards_every_position_of_the_account() -> None:
    world = World()
    world.account(cash="1000", limits=msgspec.structs.replace(OPEN, maintenance=D("0.25")))
    world.price(ACME, 100.0)
    world.holding("20", "100")
    accept(world)
    assert terms(world) == [("STOP", "20", "66.66")]  # 1,000 owed / (20 × 0.75)
    assert next(iter(world.state.accounts["A"].guards.values())).rule == "maintenance"
    world.step(c.MoveCash(provenance=WHO, account_id="A", amount=D("300")))
    world.step(e.SliceMet(bar(100, 100)))
    (asked,) = (effect.amendment.spec for effect in world.effects if isinstance(effect, SendAmendment))
    assert asked.stop_price == D("46.66")


def test_what_else_is_held_counts_for_the_liquidation_price() -> None:
    world = World()
    world.account(cash="1000", limits=msgspec.structs.replace(OPEN, maintenance=D("0.5")))
    world.step(MarketSlice(at(0), bars=(bar(100, 100).bars[0], Bar(BOLT.id, 0, at(0), 10, 10, 10, 10))))
    world.holding("100", "10", instrument_id=BOLT.id)
    world.holding("10", "100")
    stops = {order.spec.instrument_id: order.stop_price for order in world.state.accounts["A"].working.values()}
    assert stops[ACME.id] == D("100.00")  # (1,000 owed − half of BOLT's 1,000) / (10 × 0.5)


def test_a_rule_that_comes_later_guards_what_is_held_then() -> None:
    world = World()
    world.account(cash="1000")
    world.price(ACME, 100.0)
    world.holding("20", "100")
    assert not exits(world)
    limits = msgspec.structs.replace(OPEN, maintenance=D("0.25"))
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=limits))
    assert terms(world) == [("STOP", "20", "66.66")]
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=OPEN))
    assert not world.state.accounts["A"].guards


def test_another_program_leaves_the_exits_of_what_is_held() -> None:
    world = guarded()
    entered(world)
    revision = Revision("ema", "1", {}, sizing=Units(D(100)))
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", revision=revision))
    assert len(exits(world)) == 2


def test_another_entry_leaves_the_exits_of_what_is_held_and_has_to_make_sense() -> None:
    world = guarded()
    entered(world)
    before = terms(world)
    revision = Revision("sma", "1", {}, sizing=Units(D(100)), entry=Entry(offset=0.01))
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", revision=revision))
    assert world.state.deployment("trend").deployment.entry == Entry(offset=0.01)
    assert terms(world) == before
    wrong = msgspec.structs.replace(revision, entry=Entry(offset=1.0))
    with pytest.raises(InvalidInput) as refused:
        world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", revision=wrong))
    assert [fault.field for fault in refused.value.errors] == ["entry.offset"]


def test_without_rules_nothing_is_noted() -> None:
    world = guarded(protection=None)
    entered(world)
    assert not world.of(r.ProtectionChanged)
    assert not world.state.guarded


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"protection": Protection(stop_loss=1.0)}, "protection.stop_loss"),
        ({"protection": Protection(trailing_stop=0.0)}, "protection.trailing_stop"),
        ({"protection": Protection(take_profit=-0.1)}, "protection.take_profit"),
        ({"entry": Entry(offset=1.0)}, "entry.offset"),
    ],
)
def test_rules_that_make_no_sense_are_named(more: dict[str, object], field: str) -> None:
    world = guarded(protection=None)
    wrong = Deployment("x", "x", "sma", "1", {}, (ACME.id,), (Allocation("A", D(1)),), **more)  # type: ignore[arg-type]
    error = world.declined(c.Deploy(provenance=WHO, deployment=wrong))
    assert isinstance(error, InvalidInput)
    assert [fault.field for fault in error.errors] == [field]
    limits = c.SetLimits(provenance=WHO, account_id="A", limits=msgspec.structs.replace(OPEN, maintenance=D(1)))
    assert isinstance(world.declined(limits), InvalidInput)
