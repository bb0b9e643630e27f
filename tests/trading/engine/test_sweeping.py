"""Many orders at once: cancelled by filter, changed one by one or all that fit, each answered for itself."""

from typing import Any

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.errors import ChangeRefused, Conflict, InvalidInput, NotFound
from evenkeel.domain.events import TimersDue
from evenkeel.domain.orders import Order, OrderKind, OrderState, Product, Side
from evenkeel.domain.selections import Edit, Selection
from evenkeel.trading.engine.effects import Outcome, SendAmendment, SendCancel
from evenkeel.trading.engine.followups import PATIENCE
from tests.trading.engine.world import ACME, BOLT, WHO, D, World, assert_sound

S = OrderState


def desk() -> World:
    world = World()
    world.account()
    world.account("B")
    world.price(ACME, 10.0)
    world.price(BOLT, 10.0)
    return world


def limit(world: World, side: Side = Side.BUY, quantity: str = "100", price: str = "9", **more: Any) -> Order:
    return world.resting(side, quantity, kind=OrderKind.LIMIT, limit_price=D(price), **more)


def done(world: World, command: c.AnyCommand) -> Outcome:
    outcome = world.step(command).outcome
    assert outcome is not None
    return outcome


def cancel(world: World, **selection: Any) -> list[str]:
    selection = {"account_ids": ("A", "B")} | selection
    return [p.order_id for p in done(world, c.CancelOrders(provenance=WHO, selection=Selection(**selection))).parts]


def edit(world: World, *edits: tuple[str, Edit]) -> Outcome:
    return done(world, c.EditOrders(provenance=WHO, edits=edits))


def terms(world: World) -> tuple[Any, ...]:
    """(quantity, limit, stop) of the last amendment that went out."""
    sent = [effect for effect in world.effects if isinstance(effect, SendAmendment)][-1].amendment.spec
    return str(sent.quantity), sent.limit_price, sent.stop_price


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "abcdef"),
    ({"account_ids": ("A",)}, "abcde"),
    ({"account_ids": ()}, ""),
    ({"book": "unassigned"}, "b"),
    ({"instrument_id": BOLT.id}, "c"),
    ({"side": Side.SELL}, "d"),
    ({"kind": OrderKind.STOP}, "d"),
    ({"product": Product.MIS}, "e"),
    ({"side": Side.BUY, "instrument_id": ACME.id, "account_ids": ("A",)}, "abe"),
    ({"side": Side.SELL, "instrument_id": BOLT.id}, ""),
]


@pytest.mark.parametrize(("selection", "hit"), FILTERS, ids=str)
def test_what_fits_all_of_a_filter_is_cancelled(selection: dict[str, Any], hit: str) -> None:
    world = desk()
    orders = {
        "a": limit(world),
        "b": limit(world, book="unassigned"),
        "c": limit(world, instrument_id=BOLT.id),
        "d": world.resting(Side.SELL, kind=OrderKind.STOP, stop_price=D(9)),
        "e": limit(world, product=Product.MIS),
        "f": limit(world, account_id="B"),
    }
    assert cancel(world, **selection) == [orders[name].id for name in hit]
    assert "".join(name for name, order in orders.items() if order.state is S.CANCEL_PENDING) == hit
    assert [effect.order_id for effect in world.effects if isinstance(effect, SendCancel)] == [
        orders[name].id for name in hit
    ]
    assert_sound(world)


def test_cancelled_twice_is_asked_twice_and_ended_once() -> None:
    world = desk()
    order = limit(world)
    assert cancel(world) == cancel(world) == [order.id]
    world.step(world.said(e.VenueCancelled, order))
    assert cancel(world) == []
    assert order.state is S.CANCELLED


def test_each_change_is_answered_for_itself() -> None:
    world = desk()
    good, filled = limit(world), limit(world)
    world.fill(filled, "100", "9")
    outcome = edit(
        world,
        (good.id, Edit(limit_price=D("9.5"))),
        (filled.id, Edit(quantity=D(50))),
        ("nothing", Edit(quantity=D(50))),
    )
    assert [type(part.error) for part in outcome.parts] == [type(None), Conflict, NotFound]
    assert terms(world) == ("100", D("9.5"), None)
    assert all(part.error is None or part.error.__traceback__ is None for part in outcome.parts)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (Edit(quantity=D(70)), ("70", D("9.00"), None)),
        (Edit(factor=D(2)), ("200", D("9.00"), None)),
        (Edit(factor=D("0.5")), ("50", D("9.00"), None)),
        (Edit(factor=D("0.337")), ("33", D("9.00"), None)),
        (Edit(ticks=3), ("100", D("9.03"), None)),
        (Edit(ticks=-3), ("100", D("8.97"), None)),
        (Edit(percent=D("0.01")), ("100", D("9.09"), None)),
        (Edit(percent=D("-0.0004")), ("100", D("9.00"), None)),
        (Edit(quantity=D(10), ticks=1), ("10", D("9.01"), None)),
    ],
    ids=str,
)
def test_quantities_and_prices_are_set_or_moved(what: Edit, expected: tuple[Any, ...]) -> None:
    world = desk()
    order = limit(world, price="9.00")
    assert [part.error for part in edit(world, (order.id, what)).parts] == [None]
    assert terms(world) == expected


def test_both_prices_of_a_stop_limit_move() -> None:
    world = desk()
    order = world.resting(Side.SELL, kind=OrderKind.STOP_LIMIT, stop_price=D("9.00"), limit_price=D("8.90"))
    edit(world, (order.id, Edit(ticks=5)))
    assert terms(world) == ("100", D("8.95"), D("9.05"))


@pytest.mark.parametrize(
    ("what", "field"),
    [
        (Edit(), "orders.0"),
        (Edit(quantity=D(5), factor=D(2)), "orders.0.factor"),
        (Edit(factor=D(0)), "orders.0.factor"),
        (Edit(ticks=0), "orders.0.ticks"),
        (Edit(ticks=1, percent=D("0.1")), "orders.0.percent"),
        (Edit(ticks=1, limit_price=D(9)), "orders.0.ticks"),
        (Edit(percent=D(-1)), "orders.0.percent"),
        (Edit(at_market=True, ticks=1), "orders.0.at_market"),
    ],
    ids=str,
)
def test_a_change_that_makes_no_sense_declines_the_command(what: Edit, field: str) -> None:
    world = desk()
    order = limit(world)
    error = world.declined(c.EditOrders(provenance=WHO, edits=((order.id, what),)))
    assert isinstance(error, InvalidInput)
    assert [fault.field for fault in error.errors] == [field]


def test_a_command_names_each_order_once_and_something_to_change() -> None:
    world = desk()
    order = limit(world)
    twice = ((order.id, Edit(ticks=1)), (order.id, Edit(ticks=2)))
    for command in (
        c.EditOrders(provenance=WHO, edits=twice),
        c.EditOrders(provenance=WHO),
        c.EditOrders(provenance=WHO, selection=Selection(account_ids=("A",))),
        c.EditOrders(provenance=WHO, edit=Edit(ticks=1)),
    ):
        assert isinstance(world.declined(command), InvalidInput)


def test_what_cannot_be_moved_says_so_and_the_others_are() -> None:
    world = desk()
    market, first, second = world.resting(), limit(world), limit(world, price="8.00")
    selection = Selection(account_ids=("A",))
    outcome = done(world, c.EditOrders(provenance=WHO, selection=selection, edit=Edit(ticks=-800)))
    assert [type(part.error) for part in outcome.parts] == [Conflict, type(None), ChangeRefused]
    assert [part.order_id for part in outcome.parts] == [market.id, first.id, second.id]
    assert terms(world) == ("100", D("1.00"), None)


def test_to_the_market_is_a_cancel_and_then_a_market_order_for_the_rest() -> None:
    world = desk()
    order = limit(world)
    world.fill(order, "30", "9")
    assert [part.error for part in edit(world, (order.id, Edit(at_market=True))).parts] == [None]
    edit(world, (order.id, Edit(at_market=True)))
    world.fill(order, "20", "9")
    world.step(world.said(e.VenueCancelled, order))
    replacing = list(world.state.orders.values())[-1]
    assert (replacing.spec.kind, replacing.quantity, replacing.spec.side) == (OrderKind.MARKET, D(50), Side.BUY)
    assert len(world.state.orders) == 2
    assert isinstance(edit(world, (order.id, Edit(at_market=True))).parts[0].error, Conflict)
    assert isinstance(edit(world, (replacing.id, Edit(at_market=True))).parts[0].error, Conflict)
    assert_sound(world)


def test_one_that_fills_before_its_cancel_is_not_bought_twice() -> None:
    world = desk()
    order = limit(world)
    edit(world, (order.id, Edit(at_market=True)))
    world.fill(order, "100", "9")
    assert len(world.state.orders) == 1
    assert world.state.follow_ups == {}


def test_one_whose_cancel_is_not_answered_is_not_bought_twice() -> None:
    world = desk()
    order = limit(world)
    edit(world, (order.id, Edit(at_market=True)))
    world.now += PATIENCE
    world.step(TimersDue())
    assert len(world.state.orders) == 1
    assert world.alerts() == ["follow-up-incomplete"]
    assert_sound(world)


def test_what_goes_to_the_market_for_a_reduce_only_order_closes_what_is_left_and_no_more() -> None:
    world = desk()
    world.holding("100")
    order = world.resting(Side.SELL, kind=OrderKind.STOP, stop_price=D(9))
    edit(world, (order.id, Edit(at_market=True)))
    world.fill(world.resting(Side.SELL, "30"), "30", "10")
    world.submit(Side.SELL, "20")
    world.step(world.said(e.VenueCancelled, order))
    replacing = list(world.state.orders.values())[-1]
    assert (replacing.quantity, replacing.state, replacing.spec.reduce_only) == (D(50), S.SUBMITTED, True)
    assert_sound(world)


def test_nothing_goes_to_the_market_for_a_reduce_only_order_whose_position_is_gone() -> None:
    world = desk()
    world.holding("100")
    order = world.resting(Side.SELL, kind=OrderKind.STOP, stop_price=D(9))
    edit(world, (order.id, Edit(at_market=True)))
    world.fill(world.resting(Side.SELL, "100"), "100", "10")
    world.step(world.said(e.VenueCancelled, order))
    assert (order.state, world.position(), len(world.state.orders)) == (S.CANCELLED, D(0), 3)
    assert world.state.follow_ups == {}
    assert_sound(world)
