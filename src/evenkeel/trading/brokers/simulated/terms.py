"""An account's own terms at the simulated venue: what it sees of the market, when it arrives, and where it queues.

An account with terms trades as if it were alone there: the volume of a bar is all its own to take part of, so that what
one walk-forward session does never changes what another one is filled at. An account without is in the venue's crowd.
"""

from collections.abc import Iterable
from math import floor, inf, isnan
from typing import NamedTuple

from evenkeel.domain.accounts import Account
from evenkeel.domain.marketdata import Bar, Quote
from evenkeel.domain.orders import OrderKind, OrderSpec
from evenkeel.quant.costs import FillModel, Slippage
from evenkeel.quant.costs.fills import Attempt
from evenkeel.trading.brokers.simulated.orders import VenueOrder


class Own(NamedTuple):
    """The terms of one account, made ready: `late` (ns) is how long after its sending an order counts."""

    model: FillModel
    late: int
    spread: float | None
    queue: float | None

    def bar(self, bar: Bar) -> Bar:
        """The bar with the account's spread."""
        if self.spread is None:
            return bar
        spread = self.spread * bar.open
        return Bar(bar.instrument_id, bar.ts, bar.close_ts, bar.open, bar.high, bar.low, bar.close, bar.volume, spread)

    def quote(self, quote: Quote) -> Quote:
        """The quote with the account's spread around its middle, or around its last trade where it has none."""
        if self.spread is None:
            return quote
        middle = (quote.bid + quote.ask) / 2
        middle = quote.last if isnan(middle) else middle
        half = middle * self.spread / 2
        return Quote(quote.instrument_id, quote.ts, middle - half, middle + half, quote.last)


class Terms(dict[str, Own]):
    """The accounts that have terms of their own."""

    def __init__(self, accounts: Iterable[Account] = ()) -> None:
        super().__init__()
        for account in accounts:
            self.take(account)

    def take(self, account: Account) -> None:
        """Notes an account's terms, if it has any."""
        terms = account.terms
        if terms is not None:
            slippage = Slippage(bps=terms.slippage_bps, spread_share=terms.spread_share, impact=terms.impact)
            model = FillModel(slippage, terms.participation)
            self[account.id] = Own(model, terms.latency + terms.delay, terms.spread, terms.queue)

    def seen_by(self, account_id: str, bar: Bar) -> Bar:
        """A bar as an account meets it."""
        own = self.get(account_id)
        return bar if own is None else own.bar(bar)

    def late(self, spec: OrderSpec) -> int:
        """How long (ns) after its sending an order counts; the exits of a position are there when it is."""
        own = self.get(spec.account_id)
        return 0 if own is None or spec.link else own.late


class Queue:
    """What one bar brings to the resting limits of one account that it touches. `share`: see `FillTerms.queue`.

    A limit that the market trades through, by a tick or more, is filled. Where the market only touches it, the order
    stands behind `share` of the volume of the first bar that did; of each such bar as much is taken to have traded at
    its price as there would be with all of the bar's volume spread evenly over the ticks of its range. What comes after
    those before it is the order's. Without known volume only a trade through fills. A restart sends it to the back.
    """

    def __init__(self, bar: Bar, share: float, *, shift: float, tick: float, seen: int) -> None:
        self._bar = bar
        self._share = share
        self._shift = shift
        self._tick = tick
        self._seen = seen
        self._rooms: dict[str, float] = {}

    def hold(self, order: VenueOrder, attempt: Attempt, lot: float) -> Attempt:
        """The attempt with as much of it, in whole lots, as the order's place lets fill.

        A stop-limit that the bar itself has turned into a limit queues from the next bar on.
        """
        is_new = order.spec.kind is OrderKind.STOP_LIMIT and not order.triggered and not attempt.taker
        room = 0.0 if is_new else self.room(order)
        if attempt.quantity <= room:
            return attempt
        return Attempt(attempt.price, floor(room / lot + 1e-9) * lot, attempt.triggered, attempt.taker)

    def room(self, order: VenueOrder) -> float:
        """How much of the order may fill: inf for one that does not wait."""
        if order.order_id not in self._rooms:
            self._rooms[order.order_id] = self._come_to(order)
        return self._rooms[order.order_id]

    def _come_to(self, order: VenueOrder) -> float:
        bar, sign = self._bar, order.spec.side.sign
        if not rests(order) or order.limit_price is None:
            return inf
        limit, shift = float(order.limit_price), sign * self._shift
        opened = bar.open + shift
        if order.since >= self._seen and sign * (limit - opened) >= 0.0:
            return inf
        reached = (bar.low if sign > 0 else bar.high) + shift
        if sign * (limit - reached) > self._tick / 2:
            return inf
        known = bar.volume if bar.volume > 0.0 else 0.0
        if order.ahead < 0.0:
            order.ahead = self._share * known
        traded = known / ((bar.high - bar.low) / self._tick + 1.0)
        came, order.ahead = traded - order.ahead, max(0.0, order.ahead - traded)
        return max(0.0, came)


def rests(order: VenueOrder) -> bool:
    """Whether it is a limit in the book: one of its own, or what a triggered stop-limit has become."""
    kind = order.spec.kind
    return kind is OrderKind.LIMIT or (kind is OrderKind.STOP_LIMIT and order.triggered)


def merely_touches(order: VenueOrder, quote: Quote, *, tick: float, seen: int) -> bool:
    """Whether a quote comes to a resting limit's price and no further: quotes do not say what trades there."""
    if not rests(order) or order.limit_price is None or order.since >= seen:
        return False
    sign = order.spec.side.sign
    return sign * (float(order.limit_price) - (quote.ask if sign > 0 else quote.bid)) <= tick / 2
