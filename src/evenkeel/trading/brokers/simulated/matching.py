"""Which orders a bar reaches, and in which order they share its volume: by (time, seniority, account, order).

What fills at the open fills at `bar.ts`, the rest at `bar.close_ts`. The fill model's participation is a share
of the bar for all orders together: what one takes is gone for those after it.
"""

from collections.abc import Iterable
from decimal import Decimal
from math import isnan, nan
from typing import NamedTuple

from evenkeel.domain.marketdata import Bar
from evenkeel.quant.costs.fills import KINDS, Attempt, FillModel, Slippage, fill_at_bar, touch
from evenkeel.trading.brokers.simulated.orders import VenueOrder


class Reach(NamedTuple):
    """How a bar reaches an order, in the sequence of its fields: at which moment, and whether it can fill.

    Among orders reached at the same moment the one that has worked longest comes first, whosever it is.
    """

    at: int
    since: int
    account_id: str
    order_id: str
    order: VenueOrder
    fills: bool
    triggered_at: int


def reached(orders: Iterable[VenueOrder], bar: Bar, *, slippage: Slippage) -> list[Reach]:
    """Every order of the bar's instrument that works from its open on, in sequence.

    `triggered_at` is 0 unless this bar triggers the order's stop. An order that the bar does not touch is in
    the list, too (its time in force may end with the bar).
    """
    reaches = [_reach(order, bar, slippage=slippage) for order in orders if order.is_working and order.since <= bar.ts]
    reaches.sort(key=lambda reach: reach[:4])
    return reaches


def _reach(order: VenueOrder, bar: Bar, *, slippage: Slippage) -> Reach:
    spec = order.spec
    sign = spec.side.sign
    stop = price_of(order.stop_price)
    shift = sign * slippage.spread_share * bar.spread
    price, triggered, _ = touch(
        KINDS[spec.kind],
        sign,
        price_of(order.limit_price),
        stop,
        order.triggered,
        bar.open + shift,
        bar.high + shift,
        bar.low + shift,
        bar.close + shift,
    )
    armed = order.triggered or isnan(stop) or sign * (bar.open + shift - stop) >= 0.0
    at = bar.ts if armed and price == bar.open + shift else bar.close_ts
    triggered_at = 0
    if triggered and not order.triggered:
        triggered_at = bar.ts if armed else bar.close_ts
    return Reach(at, order.since, spec.account_id, order.order_id, order, not isnan(price), triggered_at)


class Volume:
    """What is left of one bar's volume for the orders that follow."""

    def __init__(self, bar: Bar, model: FillModel, lot: float) -> None:
        self._bar = bar
        self._model = model
        self._lot = lot
        self._taken = 0.0

    def attempt(self, order: VenueOrder) -> Attempt:
        """The fill of `order` on what is left: quantity 0 where nothing is."""
        left = self._left()
        if left is None:
            return Attempt(nan, 0.0, order.triggered)
        return fill_at_bar(
            self._bar,
            order.spec.kind,
            side=order.spec.side,
            quantity=float(order.remaining),
            limit=price_of(order.limit_price),
            stop=price_of(order.stop_price),
            triggered=order.triggered,
            lot=self._lot,
            model=self._model,
            volume=left,
        )

    def take(self, quantity: float) -> None:
        self._taken += quantity

    def _left(self) -> float | None:
        """The volume whose participation share is what remains; None when that is less than a lot."""
        volume, share = self._bar.volume, self._model.participation
        if share is None or not volume > 0.0:
            return volume
        left = volume - self._taken / share if share > 0.0 else 0.0
        return left if left * share >= self._lot * (1.0 - 1e-9) else None


def price_of(price: Decimal | None) -> float:
    """A price as a measurement; NaN where there is none."""
    return nan if price is None else float(price)
