"""Trailing stop-limits: a stop that follows the price, and a limit that stays beyond it, at a venue and held here."""

from decimal import Decimal
from typing import Any

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.orders import AverageRange, Order, OrderKind, OrderState, Side, Trail
from evenkeel.domain.records import AmendRequested
from evenkeel.trading.engine.effects import SendOrder
from tests.trading.engine.holding import GTC, bare_world, cash_world, kept, quote, released, sell
from tests.trading.engine.world import WHO, D, World, assert_sound, fold, split_slice


@pytest.fixture
def world() -> World:
    made = cash_world()
    made.holding("100")
    return made


@pytest.fixture
def bare() -> World:
    made = bare_world()
    made.holding("100")
    return made


def follows(world: World, trail: Trail, **more: Any) -> Order:
    return sell(world, kind=OrderKind.TRAILING_STOP_LIMIT, trail=trail, **more)


def change(world: World, order: Order, trail: Trail, **more: Any) -> None:
    world.step(c.ModifyOrder(provenance=WHO, order_id=order.id, trail=trail, **more))


def prices(order: Order) -> tuple[Decimal | None, Decimal | None]:
    return order.stop_price, order.limit_price


def amend(world: World, order: Order) -> tuple[Decimal | None, Decimal | None]:
    """The venue does what it was asked last; the prices that it was asked for."""
    asked = world.of(AmendRequested)[-1]
    world.step(
        world.said(
            e.VenueAmended,
            order,
            quantity=asked.quantity,
            limit_price=asked.limit_price,
            stop_price=asked.stop_price,
        )
    )
    return asked.stop_price, asked.limit_price


@pytest.mark.parametrize(
    ("trail", "stop"),
    [
        (Trail(amount=D(5), limit_offset=D("0.50")), "45"),
        (Trail(fraction=D("0.04"), limit_offset=D("0.50")), "48"),
        (Trail(amount=D(6), average_range=AverageRange(D(3), 14, "1d"), limit_offset=D("0.50")), "44"),
    ],
    ids=["amount", "percent", "ranges"],
)
def test_the_limit_follows_beyond_the_stop_at_a_venue_that_has_stop_limits(
    world: World, trail: Trail, stop: str
) -> None:
    order = follows(world, trail)
    assert order.kind is OrderKind.STOP_LIMIT
    assert prices(order) == (D(stop), D(stop) - D("0.50"))
    world.step(world.said(e.VenueAccepted, order))
    quote(world, 60.0)
    there = amend(world, order)
    level = kept(order).level
    assert level is not None
    assert level > D(stop)
    assert there == prices(order) == (level, level - D("0.50"))
    asked = len(world.of(AmendRequested))
    quote(world, 59.0)
    assert len(world.of(AmendRequested)) == asked, "it only ever moves towards the market"
    assert_sound(world)


def test_one_to_buy_has_its_limit_above(world: World) -> None:
    order = world.submit(
        Side.BUY, "10", kind=OrderKind.TRAILING_STOP_LIMIT, trail=Trail(D(2), limit_offset=D(1)), time_in_force=GTC
    )
    assert prices(order) == (D(52), D(53))


def test_held_it_goes_out_as_a_limit_beyond_where_the_stop_stood(bare: World) -> None:
    order = follows(bare, Trail(amount=D(5), limit_offset=D(1)))
    assert (order.state, order.kind, prices(order)) == (OrderState.HELD, OrderKind.LIMIT, (D(45), D(44)))
    quote(bare, 60.0)
    assert prices(order) == (D(55), D(54))
    assert fold(bare.records).orders[order.id] == order
    quote(bare, 53.0)
    assert released(bare)[-1].approved
    (sent,) = [effect.ticket.spec for effect in bare.effects if isinstance(effect, SendOrder)][-1:]
    assert (sent.kind, sent.limit_price, sent.stop_price, sent.trail) == (OrderKind.LIMIT, D(54), None, None)
    assert_sound(bare)


def test_without_a_price_it_waits_for_the_first_to_trail_from(bare: World) -> None:
    bare.state.marks.clear()
    order = follows(bare, Trail(amount=D(5), limit_offset=D(1)))
    assert prices(order) == (None, None)
    quote(bare, 70.0)
    assert prices(order) == (D(65), D(64))


def test_the_distance_and_the_offset_are_changed_each_by_itself(world: World, bare: World) -> None:
    order = follows(bare, Trail(amount=D(5), limit_offset=D(1)))
    change(bare, order, Trail(amount=D(3)))
    assert prices(order) == (D(47), D(46))
    change(bare, order, Trail(limit_offset=D(2)))
    assert prices(order) == (D(47), D(45))
    bare.step(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(60)))
    assert (order.quantity, prices(order)) == (D(60), (D(47), D(45)))
    order = follows(world, Trail(amount=D(5), limit_offset=D(1)))
    world.step(world.said(e.VenueAccepted, order))
    change(world, order, Trail(limit_offset=D(0)))
    assert amend(world, order) == prices(order) == (D(45), D(45))
    change(world, order, Trail(fraction=D("0.02")))
    assert amend(world, order) == prices(order) == (D(49), D(49))
    world.step(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(60)))
    assert amend(world, order) == (D(49), D(49))
    assert order.quantity == D(60)
    assert_sound(world)
    assert_sound(bare)


@pytest.mark.parametrize(
    ("kind", "trail", "said"),
    [
        (OrderKind.TRAILING_STOP_LIMIT, Trail(amount=D(5)), "a trailing stop-limit needs one"),
        (OrderKind.TRAILING_STOP, Trail(amount=D(5), limit_offset=D(1)), "goes with trailing stop-limits"),
        (OrderKind.TRAILING_STOP_LIMIT, Trail(amount=D(5), limit_offset=D("0.005")), "multiple of the tick size"),
        (OrderKind.TRAILING_STOP_LIMIT, Trail(amount=D(5), limit_offset=D(-1)), "multiple of the tick size"),
        (OrderKind.TRAILING_STOP_LIMIT, Trail(amount=D(5), limit_offset=D(45)), "less than the stop"),
        (OrderKind.TRAILING_STOP_LIMIT, Trail(limit_offset=D(1)), "either an amount"),
        (OrderKind.TRAILING_STOP_LIMIT, None, "a trailing stop needs one"),
    ],
)
def test_what_makes_no_sense_of_one(world: World, kind: OrderKind, trail: Trail | None, said: str) -> None:
    spec = world.spec(Side.SELL, "100", kind=kind, trail=trail, time_in_force=GTC)
    error = world.declined(c.SubmitOrder(provenance=WHO, spec=spec))
    assert isinstance(error, InvalidInput)
    assert said in "; ".join(fault.message for fault in error.errors)


def test_prices_are_not_for_it_to_have_nor_an_offset_for_a_plain_trailing_stop(world: World, bare: World) -> None:
    order = follows(world, Trail(amount=D(5), limit_offset=D(1)))
    world.step(world.said(e.VenueAccepted, order))
    for wrong in ({"limit_price": D(44)}, {"stop_price": D(44)}):
        error = world.declined(c.ModifyOrder(provenance=WHO, order_id=order.id, **wrong))  # type: ignore[arg-type]
        assert isinstance(error, InvalidInput)
    plain = sell(bare, kind=OrderKind.TRAILING_STOP, trail=Trail(amount=D(5)))
    error = bare.declined(c.ModifyOrder(provenance=WHO, order_id=plain.id, trail=Trail(limit_offset=D(1))))
    assert isinstance(error, InvalidInput)


def test_a_split_restates_the_offset(bare: World) -> None:
    order = follows(bare, Trail(amount=D(5), limit_offset=D(1)))
    bare.step(split_slice(1, "2:1"))
    trail = kept(order).trail
    assert trail is not None
    assert (trail.amount, trail.limit_offset) == (D("2.50"), D("0.50"))
    assert prices(order) == (D("22.50"), D("22.00"))
    quote(bare, 30.0)
    assert prices(order) == (D("27.50"), D("27.00"))
    assert_sound(bare)


def test_a_limit_never_falls_to_nothing() -> None:
    trail = Trail(amount=D(1), limit_offset=D(3))
    assert trail.limit_at(Side.SELL, D(2)) == D(2)
    assert trail.limit_at(Side.SELL, D(4)) == D(1)
    assert trail.limit_at(Side.BUY, D(2)) == D(5)
    assert (trail.limit_at(Side.BUY, None), Trail(amount=D(1)).limit_at(Side.BUY, D(2))) == (None, None)
