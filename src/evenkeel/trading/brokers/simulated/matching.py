"""Which orders a bar reaches, and in which order they share its volume: by (time, seniority, account, order).

What fills at the open fills at `bar.ts`, the rest at `bar.close_ts`. The fill model's participation is a share
of the bar for all orders together: what one takes is gone for those after it.
"""

from collections.abc import Iterable
from decimal import Decimal
from math import inf, isnan, nan
from typing import NamedTuple

from evenkeel.domain.marketdata import Bar, Quote
from evenkeel.domain.orders import OrderKind
from evenkeel.quant.costs.fills import KINDS, MARKET, Attempt, FillModel, Slippage, fill, taken_at, touch
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
    if len(reaches) > 1:
        reaches.sort(key=sequence)
    return reaches


def sequence(reach: Reach) -> tuple[int, int, str, str]:
    """What decides who comes before whom."""
    return reach[:4]


def _reach(order: VenueOrder, bar: Bar, *, slippage: Slippage) -> Reach:
    spec = order.spec
    if spec.kind is OrderKind.MARKET:
        return Reach(bar.ts, order.since, spec.account_id, order.order_id, order, not isnan(bar.open), 0)
    sign = spec.side.sign
    stop = price_of(order.stop_price)
    shift = sign * slippage.spread_share * bar.spread if slippage.spread_share > 0.0 else 0.0
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
        self.lot = lot
        self._taken = 0.0

    def attempt(self, order: VenueOrder) -> Attempt:
        """The fill of `order` on what is left: quantity 0 where nothing is."""
        left = self._left()
        if left is None:
            return Attempt(nan, 0.0, order.triggered)
        bar, slippage, share = self._bar, self._model.slippage, self._model.participation
        return Attempt(
            *fill(
                *_terms(order),
                self.lot,
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                left,
                bar.spread,
                inf if share is None else share,
                slippage.bps,
                slippage.spread_share,
                slippage.impact,
            )
        )

    @property
    def is_spent(self) -> bool:
        """Whether less than a lot is left, so that nothing more can fill."""
        return self._left() is None

    def take(self, quantity: float) -> None:
        self._taken += quantity

    def of(self, bar: Bar) -> "Volume":
        """What is left of the same volume to those who meet it as `bar`."""
        left = Volume(bar, self._model, self.lot)
        left._taken = self._taken
        return left

    def _left(self) -> float | None:
        """The volume whose participation share is what remains; None when that is less than a lot."""
        volume, share = self._bar.volume, self._model.participation
        if share is None or not volume > 0.0:
            return volume
        left = volume - self._taken / share if share > 0.0 else 0.0
        return left if left * share >= self.lot * (1.0 - 1e-9) else None


def at_quote(order: VenueOrder, quote: Quote, *, slippage: Slippage) -> Attempt:
    """The fill of `order` on one quote: a buy meets the ask, a sell the bid; where it is NaN, nothing fills.

    The quote carries the spread already and no volume, so only `bps` of the slippage applies.
    """
    price = quote.ask if order.spec.side.sign > 0 else quote.bid
    if isnan(price):
        return Attempt(nan, 0.0, order.triggered)
    if order.spec.kind is OrderKind.MARKET:
        quantity = float(order.remaining)
        moved = taken_at(price, order.spec.side.sign, nan, quantity, 0.0, slippage.bps, 0.0)
        return Attempt(moved, quantity, order.triggered, taker=True)
    terms = _terms(order)
    return Attempt(*fill(*terms, 1.0, price, price, price, price, 0.0, 0.0, inf, slippage.bps, 0.0, 0.0))


def _terms(order: VenueOrder) -> tuple[int, int, float, float, bool, float]:
    """The first arguments of the fill kernel: kind, side, limit, stop, triggered, and the quantity still open."""
    kind, sign = KINDS[order.spec.kind], order.spec.side.sign
    if kind == MARKET:
        return kind, sign, nan, nan, order.triggered, float(order.remaining)
    limit, stop = price_of(order.limit_price), price_of(order.stop_price)
    return kind, sign, limit, stop, order.triggered, float(order.remaining)


def price_of(price: Decimal | None) -> float:
    """A price as a measurement; NaN where there is none."""
    return nan if price is None else float(price)
