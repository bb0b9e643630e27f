"""Closing, reversing, targets, flattening: what is held goes, nothing twice, nothing through zero, nothing halted."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Limits
from evenkeel.domain.errors import Conflict, IdempotencyConflict, InvalidInput, NotFound
from evenkeel.domain.events import TimersDue
from evenkeel.domain.followups import FollowUpDone, FollowUpSet
from evenkeel.domain.money import plain
from evenkeel.domain.orders import Order, OrderKind, OrderState, Product, Side
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.selections import Selection
from evenkeel.domain.strategies import Protection
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.followups import PATIENCE
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, D, World, assert_sound, comparable, fold

S = OrderState


def desk(limits: Limits = OPEN) -> World:
    world = World()
    world.account(limits=limits)
    world.price(ACME, 10.0)
    world.price(BOLT, 10.0)
    return world


def done(world: World, command: c.AnyCommand) -> Outcome:
    outcome = world.step(command).outcome
    assert outcome is not None
    return outcome


def close(world: World, name: str = "close", **more: Any) -> Outcome:
    more = {"account_id": "A", "instrument_id": ACME.id, "client_order_id": name} | more
    return done(world, c.ClosePosition(provenance=WHO, **more))


def reverse(world: World, name: str = "turn", **more: Any) -> Outcome:
    more = {"account_id": "A", "instrument_id": ACME.id, "client_order_id": name} | more
    return done(world, c.ReversePosition(provenance=WHO, **more))


def target(world: World, quantity: str, name: str = "goal", **more: Any) -> Outcome:
    more = {"account_id": "A", "instrument_id": ACME.id, "client_order_id": name} | more
    return done(world, c.TargetPosition(provenance=WHO, quantity=D(quantity), **more))


def flatten(world: World, *, cancel: bool = True, **more: Any) -> Outcome:
    more = {"account_ids": ("A",)} | more
    return done(world, c.Flatten(provenance=WHO, selection=Selection(**more), cancel=cancel))


def placed(world: World, outcome: Outcome) -> list[Order]:
    return [world.state.orders[part.order_id] for part in outcome.parts if part.created]


def signed(orders: list[Order]) -> list[str]:
    return [f"{'+' if one.spec.side is Side.BUY else '-'}{plain(one.quantity)} {one.spec.book}" for one in orders]


def newest(world: World) -> Order:
    return list(world.state.orders.values())[-1]


def confirm(world: World, order: Order) -> None:
    world.step(world.said(e.VenueCancelled, order))


def test_close_sells_what_is_held_by_one_order() -> None:
    world = desk()
    world.holding("100")
    (order,) = placed(world, close(world))
    assert (order.spec.side, order.quantity, order.spec.kind) == (Side.SELL, D(100), OrderKind.MARKET)
    world.fill(order, "100")
    assert world.position() == 0
    assert_sound(world)


def test_a_short_is_bought_back() -> None:
    world = desk()
    world.holding("-40")
    assert signed(placed(world, close(world))) == ["+40 manual"]


def test_where_nothing_is_held_there_is_nothing_to_do() -> None:
    world = desk()
    outcome = close(world)
    assert (outcome.created, outcome.parts) == (False, ())
    assert close(world, share=D("0.5")).parts == ()
    assert flatten(world).parts == ()


def test_pressed_twice_it_closes_once() -> None:
    world = desk()
    world.holding("100")
    (order,) = placed(world, close(world))
    again = close(world)
    assert ([part.order_id for part in again.parts], again.created) == ([order.id], False)
    assert close(world, name="another id").parts == ()
    world.fill(order, "60")
    assert close(world, name="a third").parts == ()
    assert flatten(world).parts == (), "a market order that closes is not cancelled to close again"
    world.fill(order, "40")
    assert world.position() == 0


def test_an_id_of_another_order_is_a_conflict() -> None:
    world = desk()
    world.holding("100")
    world.resting(instrument_id=BOLT.id, client_order_id="taken")
    command = c.ClosePosition(provenance=WHO, account_id="A", instrument_id=ACME.id, client_order_id="taken")
    assert isinstance(world.declined(command), IdempotencyConflict)


@pytest.mark.parametrize(
    ("part", "closes"),
    [
        ({"quantity": D(30)}, "-30"),
        ({"share": D("0.5")}, "-50"),
        ({"share": D("0.337")}, "-33"),
        ({"share": D(1)}, "-100"),
    ],
)
def test_a_part_is_closed_in_whole_lots(part: dict[str, Any], closes: str) -> None:
    world = desk()
    world.holding("100")
    assert signed(placed(world, close(world, **part))) == [f"{closes} manual"]


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"quantity": D(101)}, "quantity"),
        ({"quantity": D(0)}, "quantity"),
        ({"quantity": D(-5)}, "quantity"),
        ({"quantity": D("1.5")}, "quantity"),
        ({"share": D("0.001")}, "share"),
        ({"share": D(2)}, "share"),
        ({"share": D("0.5"), "quantity": D(1)}, "share"),
        ({"client_order_id": ""}, "client_order_id"),
        ({"client_order_id": "x" * 61}, "client_order_id"),
        ({"instrument_id": "none"}, "symbol"),
    ],
)
def test_a_part_that_cannot_be_names_its_field(part: dict[str, Any], field: str) -> None:
    world = desk()
    world.holding("100")
    named = {"account_id": "A", "instrument_id": ACME.id, "client_order_id": "x"} | part
    error = world.declined(c.ClosePosition(provenance=WHO, **named))
    assert isinstance(error, InvalidInput)
    assert [fault.field for fault in error.errors] == [field]


def test_each_book_and_product_is_closed_by_its_own_order() -> None:
    world = desk()
    world.holding("100")
    world.holding("30", book="unassigned")
    world.holding("20", product=Product.MIS)
    found = placed(world, close(world))
    assert sorted(signed(found)) == ["-100 manual", "-20 manual", "-30 unassigned"]
    assert {(one.quantity, one.spec.product) for one in found} >= {(D(20), Product.MIS)}
    assert [one.spec.client_order_id for one in found] == ["close", "close:1", "close:2"]
    again = close(world)
    assert [part.order_id for part in again.parts] == [one.id for one in found]


def test_a_name_that_somebody_has_taken_is_not_given_twice() -> None:
    """By an order that was there before, and by one that has come while the close waited for its cancel."""
    world = desk()
    world.holding("100")
    world.holding("50", book="other")
    world.submit(client_order_id="close:1", kind=OrderKind.LIMIT, limit_price=D(5))
    assert signed(placed(world, close(world, cancel=False))) == ["-100 manual", "-50 other"]
    assert newest(world).spec.client_order_id == "close:1:1"
    world = desk()
    world.holding("100")
    resting = world.resting(Side.SELL, "50", kind=OrderKind.LIMIT, limit_price=D(15))
    close(world)
    world.submit(client_order_id="close", quantity="1")
    confirm(world, resting)
    assert (newest(world).spec.client_order_id, newest(world).quantity) == ("close:1", D(100))
    assert_sound(world)


def test_a_part_is_of_one_position() -> None:
    world = desk()
    world.holding("100")
    world.holding("30", book="unassigned")
    command = c.ClosePosition(
        provenance=WHO, account_id="A", instrument_id=ACME.id, client_order_id="x", share=D("0.5")
    )
    error = world.declined(command)
    assert isinstance(error, Conflict)
    assert "manual, unassigned" in error.message
    assert signed(placed(world, close(world, share=D("0.5"), book="unassigned"))) == ["-15 unassigned"]


def test_what_rests_is_cancelled_first_and_the_rest_closed_once_that_is_confirmed() -> None:
    world = desk()
    world.holding("100")
    stop = world.resting(Side.SELL, kind=OrderKind.STOP, stop_price=D(9))
    more = world.resting(Side.BUY, "50", kind=OrderKind.LIMIT, limit_price=D(9))
    outcome = close(world)
    assert [part.order_id for part in outcome.parts] == [stop.id, more.id]
    assert not outcome.created
    assert len(world.of(FollowUpSet)) == 1
    assert close(world, name="again").parts == (), "it waits already"
    world.fill(more, "50")
    assert newest(world) is more
    confirm(world, stop)
    closing = newest(world)
    assert signed([closing]) == ["-150 manual"]
    assert closing.spec.client_order_id == "close"
    assert world.state.follow_ups == {}
    world.fill(closing, "150")
    assert world.position() == 0
    assert_sound(world)


def test_a_crash_in_the_middle_loses_nothing() -> None:
    world = desk()
    world.holding("100")
    stop = world.resting(Side.SELL, kind=OrderKind.STOP, stop_price=D(9))
    close(world)
    after = fold(world.records)
    assert comparable(after) == comparable(world.state)
    world.engine.state = after
    confirm(world, stop)
    assert signed([newest(world)]) == ["-100 manual"]


def test_a_refused_cancel_counts_and_a_person_is_told() -> None:
    world = desk()
    world.holding("100")
    limit = world.resting(Side.SELL, "40", kind=OrderKind.LIMIT, limit_price=D(11))
    close(world)
    world.step(world.said(e.VenueCancelRefused, limit, reason="too late"))
    assert signed([newest(world)]) == ["-60 manual"]
    assert "follow-up-incomplete" in world.alerts()
    world.fill(newest(world), "60")
    world.fill(limit, "40", "11")
    assert world.position() == 0


def test_a_cancel_that_is_never_answered_is_not_waited_for_for_ever() -> None:
    world = desk()
    world.holding("100")
    limit = world.resting(Side.SELL, "40", kind=OrderKind.LIMIT, limit_price=D(11))
    close(world)
    world.now += PATIENCE
    world.step(TimersDue())
    assert signed([newest(world)]) == ["-60 manual"]
    assert [record.reason for record in world.of(FollowUpDone)] == [
        f"Could not close the position in ACME in full: order {limit.id} over 40 is CANCEL_PENDING"
    ]
    assert not world.state.timers
    assert_sound(world)


def test_without_cancels_only_what_nothing_else_closes_is_closed() -> None:
    world = desk()
    world.holding("100")
    world.resting(Side.SELL, "40", kind=OrderKind.LIMIT, limit_price=D(11))
    assert signed(placed(world, close(world, cancel=False))) == ["-60 manual"]
    command = c.ClosePosition(
        provenance=WHO, account_id="A", instrument_id=ACME.id, client_order_id="x", quantity=D(10), cancel=False
    )
    assert isinstance(world.declined(command), Conflict)


@pytest.mark.parametrize("pressed", [close, flatten])
def test_more_on_its_way_than_is_held_is_cancelled_and_never_turns_the_position(
    pressed: Callable[..., Outcome],
) -> None:
    world = desk()
    world.holding("20")
    larger = world.resting(Side.SELL, "50")
    pressed(world)
    assert larger.state is S.CANCEL_PENDING
    confirm(world, larger)
    closing = newest(world)
    assert (closing.spec.side, closing.quantity) == (Side.SELL, D(20))
    world.fill(closing, "20")
    assert world.position() == 0
    assert_sound(world)


@pytest.mark.parametrize("pressed", [close, flatten])
def test_a_reversal_on_its_way_is_stopped_at_nothing_held(pressed: Callable[..., Outcome]) -> None:
    world = desk()
    world.holding("26")
    first, second = placed(world, reverse(world))
    pressed(world)
    assert (first.state, second.state) == (S.SUBMITTED, S.CANCEL_PENDING)
    world.fill(first, "26")
    confirm(world, second)
    assert (world.position(), newest(world)) == (0, second)
    assert_sound(world)


def test_exits_give_way_by_themselves() -> None:
    world = desk()
    world.deploy(("A", "0.5"), protection=Protection(stop_loss=0.1))
    world.signal(1.0)
    world.fill(newest(world), str(newest(world).quantity))
    stop = newest(world)
    assert stop.spec.link
    world.step(world.said(e.VenueAccepted, stop))
    (closing,) = placed(world, close(world, book="trend"))
    assert closing.quantity == stop.quantity
    assert stop.state is S.CANCEL_PENDING
    assert world.state.follow_ups == {}


@pytest.mark.parametrize("limits", [Limits(max_trades_per_day=0), Limits(daily_loss=D(0))])
def test_no_limit_on_entries_keeps_a_position(limits: Limits) -> None:
    world = desk()
    world.holding("100")
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=limits))
    assert placed(world, close(world))[0].state is S.SUBMITTED


def test_reverse_closes_and_opens_the_opposite() -> None:
    world = desk()
    world.holding("100")
    limit = world.resting(Side.SELL, "40", kind=OrderKind.LIMIT, limit_price=D(11))
    assert [part.order_id for part in reverse(world).parts] == [limit.id]
    confirm(world, limit)
    first, second = list(world.state.orders.values())[-2:]
    assert signed([first, second]) == ["-100 manual", "-100 manual"]
    assert reverse(world, name="twice").created is False
    world.fill(first, "100")
    world.fill(second, "100")
    assert world.position() == -100
    again = reverse(world)
    assert [part.order_id for part in again.parts] == [first.id, second.id]
    assert signed(placed(world, reverse(world, name="back"))) == ["+100 manual", "+100 manual"]
    assert_sound(world)


def test_reverse_closes_though_the_opposite_is_refused() -> None:
    world = desk(Limits(max_position_share=None, daily_loss=None, allow_short=False))
    world.holding("100")
    first, second = placed(world, reverse(world))
    assert (first.state, second.state, second.rule) == (S.SUBMITTED, S.REFUSED, "short-selling")


def test_there_is_nothing_to_reverse_in_nothing_or_in_two_books() -> None:
    world = desk()
    command = c.ReversePosition(provenance=WHO, account_id="A", instrument_id=ACME.id, client_order_id="x")
    assert isinstance(world.declined(command), Conflict)
    world.holding("100")
    world.holding("-30", book="unassigned")
    assert isinstance(world.declined(command), Conflict)
    assert isinstance(world.declined(c.Flatten(provenance=WHO, selection=Selection(account_ids=("nobody",)))), NotFound)


@pytest.mark.parametrize(
    ("held", "wanted", "orders"),
    [
        ("100", "150", ["+50 manual"]),
        ("100", "30", ["-70 manual"]),
        ("100", "0", ["-100 manual"]),
        ("100", "-20", ["-100 manual", "-20 manual"]),
        ("100", "100", []),
        ("-100", "50", ["+100 manual", "+50 manual"]),
    ],
)
def test_a_target_is_reached_by_what_is_missing(held: str, wanted: str, orders: list[str]) -> None:
    world = desk()
    world.holding(held)
    outcome = target(world, wanted)
    assert signed(placed(world, outcome)) == orders
    assert outcome.created is bool(orders)
    assert target(world, wanted, name="again").created is False, "it is on its way"
    for order in placed(world, outcome):
        world.fill(order, str(order.quantity))
    assert world.position() == D(wanted)
    assert_sound(world)


def test_a_target_counts_what_works_and_cancels_what_goes_the_wrong_way() -> None:
    world = desk()
    world.holding("100")
    world.resting(Side.BUY, "50", kind=OrderKind.LIMIT, limit_price=D(9))
    assert target(world, "150").parts == ()
    outcome = target(world, "120")
    assert signed(placed(world, outcome)) == ["+20 manual"]
    assert len(outcome.parts) == 2


def test_a_target_may_be_reached_by_limit() -> None:
    world = desk()
    (order,) = placed(world, target(world, "100", limit_price=D("9.50")))
    assert (order.spec.kind, order.limit_price) == (OrderKind.LIMIT, D("9.50"))


@pytest.mark.parametrize(("wanted", "field"), [("1.5", "quantity"), ("1E+30", "quantity")])
def test_a_target_that_no_order_reaches_is_declined(wanted: str, field: str) -> None:
    world = desk()
    command = c.TargetPosition(
        provenance=WHO, account_id="A", instrument_id=ACME.id, client_order_id="x", quantity=D(wanted)
    )
    error = world.declined(command)
    assert isinstance(error, InvalidInput)
    assert error.errors[0].field == field


def test_flatten_closes_what_fits_and_leaves_the_rest() -> None:
    world = desk()
    world.account("B")
    world.holding("100")
    world.holding("7", instrument_id=BOLT.id)
    world.holding("-30", book="unassigned")
    world.holding("11", account_id="B")
    assert signed(placed(world, flatten(world, instrument_id=BOLT.id))) == ["-7 manual"]
    assert signed(placed(world, flatten(world, book="unassigned"))) == ["+30 unassigned"]
    assert signed(placed(world, flatten(world, side=Side.SELL))) == []
    rest = flatten(world, account_ids=("A", "B"))
    assert signed(placed(world, rest)) == ["-100 manual", "-11 manual"]
    for order in list(world.state.orders.values()):
        if order.is_working:
            world.fill(order, str(order.remaining))
    assert {p.quantity for a in world.state.accounts.values() for p in a.positions.values()} == {D(0)}
    assert not world.state.halts
    assert world.submit(quantity="1").state is S.SUBMITTED
    assert_sound(world)


def test_flatten_cancels_first_what_opens_and_what_rests() -> None:
    world = desk()
    world.holding("100")
    stop = world.resting(Side.SELL, kind=OrderKind.STOP, stop_price=D(9))
    entry = world.resting(Side.BUY, "10", kind=OrderKind.LIMIT, limit_price=D(9), instrument_id=BOLT.id)
    outcome = flatten(world)
    assert {part.order_id for part in outcome.parts} == {stop.id, entry.id}
    assert (stop.state, entry.state) == (S.CANCEL_PENDING, S.CANCEL_PENDING)
    flatten(world)
    confirm(world, entry)
    confirm(world, stop)
    assert signed([newest(world)]) == ["-100 manual"]
    assert len(world.of(FollowUpSet)) == 1


def test_a_panic_takes_over_what_waits() -> None:
    world = desk()
    world.holding("100")
    stop = world.resting(Side.SELL, kind=OrderKind.STOP, stop_price=D(9))
    close(world)
    world.step(c.Panic(provenance=WHO, scope=Scope(ScopeKind.ACCOUNT, "A")))
    confirm(world, stop)
    working = [order for order in world.state.orders.values() if order.is_working]
    assert sum(order.remaining for order in working if order.spec.side is Side.SELL) == 100


WAYS = ["close", "half", "keep", "flat", "buy", "sell", "rest", "stop", "confirm", "refuse", "fill", "part", "time"]
MOVES = st.lists(st.sampled_from(WAYS), min_size=1, max_size=30)


@settings(max_examples=150, deadline=None)
@given(MOVES)
def test_however_they_are_mixed_closing_never_goes_through_zero(moves: list[str]) -> None:
    """Closing orders of these commands never add up to more than is held; the fold agrees after every step."""
    world = desk()
    for place, move in enumerate(moves):
        _move(world, move, f"m{place}")
        held = world.position()
        closing = [
            order
            for order in world.state.accounts["A"].working.values()
            if order.spec.client_order_id.startswith(("c", "flatten")) and order.spec.kind is OrderKind.MARKET
        ]
        for order in closing:
            assert held, "nothing closes what is flat"
            assert (held > 0) != (order.spec.side is Side.BUY)
        assert sum(order.remaining for order in closing) <= abs(held)
    assert_sound(world)


def _move(world: World, move: str, name: str) -> None:
    resting = list(world.state.accounts["A"].working.values())
    match move:
        case "close" | "half" | "keep":
            parts: dict[str, dict[str, Any]] = {"half": {"share": D("0.5")}, "keep": {"cancel": False}}
            part = parts.get(move, {})
            close(world, name=f"c{name}", **part)
        case "flat":
            flatten(world)
        case "buy" | "sell" if not any(order.spec.client_order_id.startswith(("c", "flatten")) for order in resting):
            side = Side.BUY if move == "buy" else Side.SELL
            if not world.state.follow_ups:
                world.fill(world.resting(side, "100"), "100")
        case "rest":
            world.resting(Side.SELL, "40", kind=OrderKind.LIMIT, limit_price=D(11))
        case "stop":
            world.resting(Side.SELL, "100", kind=OrderKind.STOP, stop_price=D(9))
        case "confirm":
            for order in resting:
                if order.state is S.CANCEL_PENDING:
                    confirm(world, order)
        case "refuse":
            for order in resting:
                if order.state is S.CANCEL_PENDING:
                    world.step(world.said(e.VenueCancelRefused, order, reason="late"))
        case "fill" | "part":
            for order in resting:
                closes = order.spec.client_order_id.startswith(("c", "flatten"))
                if closes and order.spec.kind is OrderKind.MARKET:
                    world.fill(order, str(order.remaining if move == "fill" else min(order.remaining, D(1))))
        case "time":
            world.now += PATIENCE
            world.step(TimersDue())


def test_what_is_recorded_of_a_follow_up_is_all_that_a_restart_needs() -> None:
    world = desk()
    world.holding("100")
    world.resting(Side.SELL, "40", kind=OrderKind.LIMIT, limit_price=D(11))
    close(world, quantity=D(70))
    (waits,) = world.of(FollowUpSet)
    (again,) = r.decode(r.encode((waits,)))
    assert again == waits
    assert isinstance(again, FollowUpSet)
    assert (again.quantity, again.kind, len(again.awaits)) == (D(70), "close", 1)
