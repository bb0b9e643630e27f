"""Orders that the engine holds, lets go, follows and ends by itself: what sets them off, and what keeps them back."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.orders import OrderKind, OrderState, Side, TimeInForce, Trail, Trigger
from evenkeel.trading.engine.effects import Lane, SendAmendment, SendOrder
from evenkeel.trading.engine.keeping import KIND
from evenkeel.trading.engine.trailing import trail_level
from evenkeel.trading.live.outbox import Outbox
from tests.trading.engine.holding import (
    BARE,
    CASH,
    GTC,
    HOURS,
    bare_world,
    cash_world,
    day,
    kept,
    quote,
    released,
    sell,
    trailing,
)
from tests.trading.engine.world import ACME, WHO, D, World, assert_sound, at, fold


@pytest.fixture
def world() -> World:
    return cash_world()


@pytest.fixture
def bare() -> World:
    return bare_world()


def test_a_trailing_stop_is_a_stop_at_a_venue_that_has_them_and_follows_the_best_price(world: World) -> None:
    world.holding("100", "50")
    stop = trailing(world, fraction=D("0.1"))
    ticket = world.effects[-1]
    assert isinstance(ticket, SendOrder)
    assert (ticket.ticket.spec.kind, ticket.ticket.spec.stop_price) == (OrderKind.STOP, D(45))
    world.step(world.said(e.VenueAccepted, stop))
    day(world, 1, 50, 60, 49, 55)
    moved = world.effects[-1]
    assert isinstance(moved, SendAmendment)
    assert moved.amendment.spec.stop_price == D(54)
    assert (stop.stop_price, kept(stop).level) == (D(45), D(54)), "ours is what we have asked for, not what is there"
    world.step(world.said(e.VenueAmended, stop, quantity=stop.quantity, stop_price=D(54)))
    sent = len(world.effects)
    day(world, 2, 55, 59, 54.5, 56)
    assert (len(world.effects), stop.stop_price) == (sent, D(54)), "it never goes back"
    assert_sound(world)


def test_a_stop_that_was_not_acknowledged_yet_is_moved_when_it_is(world: World) -> None:
    world.holding("100", "50")
    stop = trailing(world, amount=D(5))
    day(world, 1, 50, 60, 49, 58)
    assert not [one for one in world.effects if isinstance(one, SendAmendment)]
    world.step(world.said(e.VenueAccepted, stop))
    assert [one.amendment.spec.stop_price for one in world.effects if isinstance(one, SendAmendment)] == [D(55)]


def test_a_reconcile_moves_a_stop_that_stands_elsewhere(world: World) -> None:
    world.holding("100", "50")
    stop = trailing(world, amount=D(5))
    world.step(world.said(e.VenueAccepted, stop))
    day(world, 1, 50, 60, 49, 58)
    world.effects.clear()
    world.step(world.snapshot())
    assert [one.amendment.spec.stop_price for one in world.effects if isinstance(one, SendAmendment)] == [D(55)]


def test_a_stop_that_follows_keeps_the_quantity_that_was_asked_for_meanwhile(world: World) -> None:
    world.holding("100", "50")
    stop = trailing(world, amount=D(5))
    world.step(world.said(e.VenueAccepted, stop))
    world.step(c.ModifyOrder(provenance=WHO, order_id=stop.id, quantity=D(40)))
    quote(world, 52.0)
    last = world.effects[-1]
    assert isinstance(last, SendAmendment)
    assert (last.amendment.spec.quantity, last.amendment.spec.stop_price) == (D(40), D(47))


def test_a_change_takes_the_place_of_one_of_the_same_order_that_still_waits(world: World) -> None:
    world.holding("100", "50")
    stop = trailing(world, amount=D(5))
    world.step(world.said(e.VenueAccepted, stop))
    world.effects.clear()
    for price in (51.0, 52.0, 53.0):
        quote(world, price)
    outbox = Outbox(lanes=True)
    for effect in world.effects:
        outbox.put(effect, 0.0)
    assert len(world.effects) == 3
    assert len(outbox) == 1
    (waiting,) = [one.effect for one in outbox._lanes[Lane.REDUCE]]
    assert isinstance(waiting, SendAmendment)
    assert waiting.amendment.spec.stop_price == D(48)


@pytest.mark.parametrize(
    ("side", "prices", "levels"),
    [
        (Side.SELL, (51.0, 55.0, 53.0, 57.0), ("46", "50", "50", "52")),
        (Side.BUY, (49.0, 45.0, 47.0, 43.0), ("54", "50", "50", "48")),
    ],
)
def test_a_held_stop_follows_quotes_up_or_down_and_never_back(
    bare: World, side: Side, prices: tuple[float, ...], levels: tuple[str, ...]
) -> None:
    if side is Side.SELL:
        bare.holding("100", "50")
    stop = bare.submit(side, "100", kind=OrderKind.TRAILING_STOP, trail=Trail(amount=D(5)), time_in_force=GTC)
    assert (stop.state, stop.stop_price) == (OrderState.HELD, D(45) if side is Side.SELL else D(55))
    seen = []
    for price in prices:
        quote(bare, price)
        seen.append(stop.stop_price)
    assert seen == [D(level) for level in levels]
    quote(bare, float(levels[-1]))
    assert stop.state is OrderState.SUBMITTED
    assert_sound(bare)


def test_a_close_beyond_the_stop_that_its_own_bar_has_moved_sets_it_off(bare: World) -> None:
    bare.holding("100", "50")
    stop = trailing(bare, amount=D(5))
    day(bare, 1, 50, 60, 49, 54)
    assert (stop.state, kept(stop).level) == (OrderState.SUBMITTED, D(55)), "the low came before, the close after"


@pytest.mark.parametrize(("fraction", "tick", "level"), [("0.015", 0.01, 98.5), ("0.0151", 0.05, 98.45)])
def test_a_share_is_rounded_away_from_the_market(fraction: str, tick: float, level: float) -> None:
    assert trail_level(1, 100.0, trail=Trail(fraction=D(fraction)), tick=tick) == pytest.approx(level)


def test_a_trail_begins_with_the_first_price_where_none_was_seen(bare: World) -> None:
    fresh = World()
    fresh.account(limits=CASH)
    fresh.state.profiles["sim"] = BARE
    position = e.BrokerPosition(account_id="A", instrument_id=ACME.id, quantity=D(100))
    fresh.step(fresh.snapshot(positions=(position,)))
    stop = sell(fresh, kind=OrderKind.TRAILING_STOP, trail=Trail(amount=D(5)), book="unassigned")
    assert (stop.state, stop.stop_price) == (OrderState.HELD, None)
    quote(fresh, 70.0)
    assert stop.stop_price == D(65)
    assert_sound(fresh)


def test_a_price_waited_for_is_reached_from_where_the_last_one_was(world: World) -> None:
    above = world.submit(Side.BUY, "10", trigger=Trigger(D(55)))
    below = world.submit(Side.BUY, "10", trigger=Trigger(D(45)))
    quote(world, 54.99)
    assert (above.state, below.state) == (OrderState.HELD, OrderState.HELD)
    quote(world, 60.0)
    assert (above.state, below.state) == (OrderState.SUBMITTED, OrderState.HELD), "what lies beyond counts"
    quote(world, 45.0)
    assert below.state is OrderState.SUBMITTED
    assert [record.triggered for record in released(world)] == [True, True]
    assert_sound(world)


def test_a_bar_counts_whole_for_what_was_there_when_it_opened_and_by_its_close_for_all(bare: World) -> None:
    bare.holding("100", "50")
    opened = at(1) - 6 * HOURS
    bare.step(e.TimersDue(), opened + HOURS)
    stop = sell(bare, kind=OrderKind.STOP, stop_price=D(45))
    day(bare, 1, 50, 51, 40, 49)
    assert stop.state is OrderState.HELD, "when its low was, nobody knows"
    day(bare, 2, 49, 50, 44, 49)
    assert stop.state is OrderState.SUBMITTED


def test_a_close_counts_for_an_order_placed_inside_its_bar(bare: World) -> None:
    bare.holding("100", "50")
    bare.step(e.TimersDue(), at(1) - HOURS)
    stop = sell(bare, kind=OrderKind.STOP, stop_price=D(45))
    day(bare, 1, 50, 51, 40, 44)
    assert stop.state is OrderState.SUBMITTED


def test_bars_that_are_shown_again_after_a_restart_set_nothing_off(bare: World) -> None:
    bare.holding("100", "50")
    day(bare, 1, 50, 50, 40, 50)
    stop = sell(bare, kind=OrderKind.STOP, stop_price=D(45))
    day(bare, 1, 50, 50, 40, 50)
    assert stop.state is OrderState.HELD


def test_what_is_held_is_no_working_order_and_reserves_nothing(world: World) -> None:
    for _ in range(3):
        assert world.submit(Side.BUY, "1500", trigger=Trigger(D(45)), time_in_force=GTC).state is OrderState.HELD
    account = world.state.accounts["A"]
    assert (len(account.held), len(account.working), account.trades_today) == (3, 0, 0)
    assert len(list(account.open_orders())) == 3
    assert_sound(world)


def test_risk_looks_again_when_it_is_let_out_and_a_refusal_is_seen(world: World) -> None:
    limits = msgspec.structs.replace(CASH, cash_check=True)
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=limits))
    first, second = (world.submit(Side.BUY, "1500", trigger=Trigger(D(45)), time_in_force=GTC) for _ in range(2))
    quote(world, 45.0)
    assert (first.state, second.state, second.rule) == (OrderState.SUBMITTED, OrderState.REFUSED, "cash")
    assert world.alerts() == ["order-refused"]
    assert world.state.accounts["A"].trades_today == 1
    assert_sound(world)


def test_a_held_stop_and_an_exit_at_the_market_are_both_allowed_and_never_sell_more(bare: World) -> None:
    bare.holding("100", "50")
    stop = sell(bare, kind=OrderKind.STOP, stop_price=D(45))
    out = sell(bare)
    assert (stop.state, out.state) == (OrderState.HELD, OrderState.SUBMITTED)
    quote(bare, 44.0)
    assert (stop.state, kept(stop).reached) == (OrderState.HELD, True)
    assert bare.alerts() == ["order-waits"]
    bare.step(bare.said(e.VenueAccepted, out))
    bare.fill(out, "70", "44")
    assert stop.state is OrderState.HELD, "the other 30 are being sold"
    bare.cancel(out)
    bare.step(bare.said(e.VenueCancelled, out))
    assert (stop.state, stop.quantity) == (OrderState.SUBMITTED, D(30)), "it is cut to what is left"
    assert bare.alerts() == ["order-waits"]
    assert_sound(bare)


def test_a_held_stop_whose_position_is_gone_is_cancelled(bare: World) -> None:
    bare.holding("100", "50")
    stop, other = (sell(bare, kind=OrderKind.STOP, stop_price=D(45)) for _ in range(2))
    quote(bare, 44.0)
    assert (stop.state, other.state) == (OrderState.SUBMITTED, OrderState.HELD)
    bare.step(bare.said(e.VenueAccepted, stop))
    bare.fill(stop, "100", "44")
    assert (other.state, other.reason) == (OrderState.CANCELLED, "the position that it was to close is gone")
    assert_sound(bare)


def test_a_stop_that_is_to_open_a_position_stays_whatever_is_held(bare: World) -> None:
    entry = bare.submit(Side.BUY, "100", kind=OrderKind.STOP, stop_price=D(55), time_in_force=GTC)
    bare.holding("10", "50")
    out = sell(bare, "10")
    bare.fill(out, "10", "50")
    assert (entry.state, kept(entry).closes) == (OrderState.HELD, False)


def test_an_entry_that_is_set_off_while_its_account_is_away_is_refused(world: World) -> None:
    order = world.submit(Side.BUY, "10", trigger=Trigger(D(45)))
    world.step(e.BrokerLink("A", connected=False))
    quote(world, 44.0)
    assert (order.state, order.rule) == (OrderState.REFUSED, "account-ready")


def test_a_protective_stop_that_is_set_off_while_its_account_is_away_goes_out_on_its_return(bare: World) -> None:
    bare.holding("100", "50")
    stop = sell(bare, kind=OrderKind.STOP, stop_price=D(45), time_in_force=TimeInForce.DAY)
    bare.step(e.BrokerLink("A", connected=False))
    quote(bare, 44.0)
    bare.price(ACME, 48.0, 3)
    assert (stop.state, kept(stop).reached) == (OrderState.HELD, True), "its day is not over: it has been set off"
    bare.step(e.BrokerLink("A", connected=True))
    bare.step(bare.snapshot())
    assert stop.state is OrderState.SUBMITTED
    assert_sound(bare)


@pytest.mark.parametrize("how", ["failed", "overdue", "absent"])
def test_a_protective_stop_that_was_not_sent_is_taken_back_and_tried_again(bare: World, how: str) -> None:
    bare.holding("100", "50")
    stop = sell(bare, kind=OrderKind.STOP, stop_price=D(45))
    quote(bare, 44.0)
    first = stop.venue_client_id
    if how == "absent":
        lookup = e.Lookup(order_id=stop.id, found=None, conclusive=True)
        bare.step(e.SendUncertain(stop.id, "no answer"))
        bare.step(bare.snapshot(orders=(), lookups=(lookup,)))
    else:
        bare.step(e.SendFailed(stop.id, "place", "503") if how == "failed" else e.IntentOverdue(stop.id))
        assert (stop.state, kept(stop).reached) == (OrderState.HELD, True)
        bare.step(e.TimersDue(), bare.now + 4_000_000_000)
        assert stop.state is OrderState.HELD
        bare.step(e.TimersDue(), bare.now + 2_000_000_000)
    assert (stop.state, stop.venue_client_id != first) == (OrderState.SUBMITTED, True), "each attempt has its own id"
    assert bare.state.venue_client_ids[first] == stop.id
    assert bare.state.accounts["A"].trades_today == 2, "the purchase, and the stop, once"
    assert "order-waits" in bare.alerts()
    assert_sound(bare)


def test_an_entry_that_was_not_sent_is_not_sent_later(world: World) -> None:
    order = world.submit(Side.BUY, "10", trigger=Trigger(D(45)))
    quote(world, 44.0)
    world.step(e.SendFailed(order.id, "place", "503"))
    assert order.state is OrderState.EXPIRED_UNSENT


def test_a_gtd_order_is_good_till_cancelled_at_the_venue_and_is_asked_to_end_again_and_again(world: World) -> None:
    until = world.now + HOURS
    order = world.submit(
        Side.BUY, "10", kind=OrderKind.LIMIT, limit_price=D(45), time_in_force=TimeInForce.GTD, expires_at=until
    )
    ticket = world.effects[-1]
    assert isinstance(ticket, SendOrder)
    assert (ticket.ticket.spec.time_in_force, ticket.ticket.spec.expires_at) == (GTC, 0)
    world.step(world.said(e.VenueAccepted, order))
    world.step(e.TimersDue(), until - 1)
    assert order.state is OrderState.ACCEPTED
    world.step(e.TimersDue(), until)
    assert order.state is OrderState.CANCEL_PENDING
    asked = [world.state.timers[KIND, order.id] - until]
    for _ in range(3):
        world.step(e.TimersDue(), world.state.timers.next)
        asked.append(world.state.timers[KIND, order.id] - until)
    assert [one // 1_000_000_000 for one in asked] == [30, 60, 120, 240]
    world.step(world.said(e.VenueCancelled, order))
    assert (order.state, order.reason) == (OrderState.EXPIRED, "the time it was good for is over")
    assert (KIND, order.id) not in world.state.timers
    assert_sound(world)


def test_a_day_at_a_venue_without_days_ends_with_the_one_on_which_it_met_the_market(bare: World) -> None:
    order = bare.resting(Side.BUY, "10", kind=OrderKind.LIMIT, limit_price=D(45))
    bare.step(e.TimersDue(), at(1) - 12 * HOURS)
    assert (order.state, kept(order).day) == (OrderState.ACCEPTED, True), "nothing was traded yet"
    day(bare, 1, 50, 51, 49, 50)
    bare.step(e.TimersDue(), bare.state.accounts["A"].day_end - 1)
    assert order.state is OrderState.ACCEPTED
    bare.step(e.TimersDue(), bare.state.accounts["A"].day_end)
    assert order.state is OrderState.CANCEL_PENDING
    assert_sound(bare)


def test_an_order_for_later_begins_at_its_moment_and_the_market_counts_from_then(world: World) -> None:
    begins = at(1) - 6 * HOURS
    order = world.submit(Side.BUY, "10", not_before=begins)
    assert order.state is OrderState.HELD
    day(world, 1, 52, 53, 51, 52)
    assert (order.state, order.since) == (OrderState.SUBMITTED, begins)
    ticket = world.effects[-1]
    assert isinstance(ticket, SendOrder)
    assert (ticket.ticket.since, ticket.ticket.spec.not_before) == (begins, 0)
    assert_sound(world)


def test_an_order_for_later_then_waits_for_its_price(bare: World) -> None:
    bare.holding("100", "50")
    begins = bare.now + HOURS
    stop = sell(bare, kind=OrderKind.STOP, stop_price=D(45), not_before=begins)
    quote(bare, 44.0)
    assert stop.state is OrderState.HELD
    bare.step(e.TimersDue(), begins)
    assert (stop.state, kept(stop).begins) == (OrderState.HELD, 0)
    quote(bare, 44.0)
    assert stop.state is OrderState.SUBMITTED
    assert_sound(bare)


def test_a_trailing_stop_for_later_goes_out_with_the_first_price_after_its_moment(world: World) -> None:
    world.holding("100", "50")
    begins = world.now + HOURS
    stop = sell(world, kind=OrderKind.TRAILING_STOP, trail=Trail(amount=D(5)), not_before=begins)
    world.step(e.TimersDue(), begins)
    assert (stop.state, stop.stop_price) == (OrderState.HELD, None)
    quote(world, 40.0)
    ticket = world.effects[-1]
    assert isinstance(ticket, SendOrder)
    assert (stop.state, ticket.ticket.spec.stop_price) == (OrderState.SUBMITTED, D(35))
    assert_sound(world)


def test_the_state_between_trigger_and_send_is_that_of_the_journal(bare: World) -> None:
    """Killed after any record, a restart knows what is held, what is watched and what is due."""
    bare.holding("100", "50")
    stop = sell(bare, kind=OrderKind.STOP, stop_price=D(45), time_in_force=TimeInForce.GTD, expires_at=at(5))
    bare.submit(Side.BUY, "9", not_before=at(9))
    quote(bare, 44.0)
    bare.step(e.SendFailed(stop.id, "place", "503"))
    for count in range(len(bare.records) + 1):
        state = fold(bare.records[:count])
        held = {name for name, order in state.orders.items() if order.state is OrderState.HELD}
        assert {name for account in state.accounts.values() for name in account.held} == held
        watched = {name for orders in state.watched.values() for name in orders}
        open_days = {
            one.id for one in state.orders.values() if one.is_working and one.kept is not None and one.kept.day
        }
        assert watched == {name for name in held if not kept(state.orders[name]).begins} | open_days
        for name in held:
            due = kept(state.orders[name])
            moments = [one for one in (due.begins, due.again, due.until) if one]
            assert state.timers.get((KIND, name), 0) == min(moments, default=0)
    assert_sound(bare)


def test_reconcile_never_takes_a_held_order_for_lost(bare: World) -> None:
    bare.holding("100", "50")
    stop = sell(bare, kind=OrderKind.STOP, stop_price=D(45))
    bare.step(e.BrokerLink("A", connected=False))
    bare.step(bare.snapshot())
    assert stop.state is OrderState.HELD
    assert bare.alerts() == ["broker-disconnected"]


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("quote"), st.integers(30, 70)),
        st.tuples(st.just("stop"), st.integers(30, 49)),
        st.tuples(st.just("trail"), st.integers(1, 15)),
        st.tuples(st.just("exit"), st.integers(1, 120)),
        st.tuples(st.just("fill"), st.integers(1, 120)),
        st.tuples(st.just("lose"), st.integers(0, 3)),
        st.tuples(st.just("link"), st.integers(0, 1)),
        st.tuples(st.just("wait"), st.integers(1, 40)),
        st.tuples(st.just("cancel"), st.integers(0, 5)),
    ),
    max_size=40,
)


@settings(max_examples=120)
@given(_steps)
def test_whatever_happens_held_stops_never_sell_more_than_is_held(steps: list[tuple[str, int]]) -> None:
    world = World()
    world.account(limits=CASH)
    world.state.profiles["sim"] = BARE
    world.price(ACME, 50.0)
    world.holding("100", "50")
    for what, number in steps:
        _happen(world, what, number)
        held = world.position()
        sells = [one for one in world.state.accounts["A"].working.values() if one.spec.side is Side.SELL]
        working = sum((one.remaining for one in sells), D(0))
        assert held >= 0, "it went short"
        assert working <= held, "more is on its way to be sold than there is"
        for order in world.state.accounts["A"].held.values():
            assert held, "a stop is left, and nothing to close"
            assert kept(order).closes
    assert_sound(world)


def _happen(world: World, what: str, number: int) -> None:
    working = list(world.state.accounts["A"].working.values())
    match what:
        case "quote":
            quote(world, float(number), after=1_000_000_000)
        case "stop" | "trail" | "exit":
            kinds: dict[str, dict[str, Any]] = {
                "stop": {"kind": OrderKind.STOP, "stop_price": D(number)},
                "trail": {"kind": OrderKind.TRAILING_STOP, "trail": Trail(amount=D(number))},
                "exit": {},
            }
            quantity = str(number if what == "exit" else 100)
            try:
                sell(world, quantity, **kinds[what])
            except EvenkeelError:
                assert what == "trail"
        case "fill" if working:
            order = working[0]
            world.step(world.said(e.VenueAccepted, order))
            world.fill(order, str(min(D(number), order.remaining)), "45")
        case "lose" if working and not working[-1].has_venue_event:
            world.step(e.SendFailed(working[-1].id, "place", "503"))
        case "link":
            world.step(e.BrokerLink("A", connected=bool(number)))
            if number:
                world.step(world.snapshot())
        case "wait":
            world.step(e.TimersDue(), world.now + number * 1_000_000_000)
        case "cancel":
            found = list(world.state.accounts["A"].open_orders())
            if number < len(found):
                world.cancel(found[number])


def test_records_of_held_orders_are_small(bare: World) -> None:
    """A stop that follows every tick writes a record for each: it holds what changes, not the order."""
    bare.holding("100", "50")
    trailing(bare, amount=D(5))
    quote(bare, 51.0)
    assert len(r.encode((bare.records[-1],))) < 220
