"""Worlds with held orders: an account at a broker that has stops or has none, and prices that come in."""

from decimal import Decimal
from typing import Any

import msgspec

from evenkeel.domain import events as e
from evenkeel.domain.held_records import OrderReleased
from evenkeel.domain.marketdata import Bar, MarketSlice, Quote
from evenkeel.domain.orders import Kept, Order, OrderKind, Side, TimeInForce, Trail
from evenkeel.trading.brokers.simulated.profile import IN_PROCESS
from tests.trading.engine.world import ACME, OPEN, World, at

CASH = msgspec.structs.replace(OPEN, allow_short=False)
HOURS = 3_600_000_000_000
BARE = msgspec.structs.replace(
    IN_PROCESS,
    name="bare",
    order_kinds=frozenset({OrderKind.MARKET, OrderKind.LIMIT}),
    times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC}),
)
GTC = TimeInForce.GTC


def cash_world() -> World:
    """A cash account at a broker that takes everything but trailing stops and GTD; ACME was last at 50."""
    world = World()
    world.account(limits=CASH)
    world.price(ACME, 50.0)
    return world


def bare_world() -> World:
    """The same at a broker that takes no stops."""
    world = cash_world()
    world.state.profiles["sim"] = BARE
    return world


def day(world: World, number: int, open_: float, high: float, low: float, close: float) -> None:
    """A day's bar, once the venue has met it, too."""
    shown = Bar(ACME.id, at(number) - 6 * HOURS, at(number), open_, high, low, close, 1e6)
    market = MarketSlice(at(number), bars=(shown,))
    world.step(market)
    world.step(e.SliceDone(market))


def quote(world: World, price: float, *, after: int = 1) -> None:
    when = world.now + after
    world.step(MarketSlice(when, quotes=(Quote(ACME.id, when, price - 0.01, price + 0.01, price),)))


def sell(world: World, quantity: str = "100", **more: Any) -> Order:
    return world.submit(Side.SELL, quantity, **({"time_in_force": GTC} | more))


def trailing(world: World, amount: Decimal | None = None, fraction: Decimal | None = None) -> Order:
    return sell(world, kind=OrderKind.TRAILING_STOP, trail=Trail(amount, fraction))


def kept(order: Order) -> Kept:
    assert order.kept is not None
    return order.kept


def released(world: World) -> list[OrderReleased]:
    return world.of(OrderReleased)
