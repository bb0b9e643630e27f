"""A made-up market of two shares: one is quoted, the other shows thin bars, so that orders fill in parts."""

from decimal import Decimal
from random import Random

from evenkeel.domain.clock import SECOND, from_ns
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice, Quote, Split

ACME = Instrument("acme", "ACME", "TEST", AssetClass.EQUITY, "USD", Decimal("0.01"), Decimal(1))
BOLT = Instrument("bolt", "BOLT", "TEST", AssetClass.EQUITY, "USD", Decimal("0.01"), Decimal(1))
INSTRUMENTS = (ACME, BOLT)
CORK = Instrument("cork", "CORK", "TEST", AssetClass.EQUITY, "USD", Decimal("0.05"), Decimal(5))
"""Only followers trade it, in another's place and in lots of five; its price goes with that of BOLT."""


class Market:
    """`prices` are the last ones, as floats. A tick moves both; CORK is there where somebody `has_cork`."""

    def __init__(self, draw: Random, start: int) -> None:
        self.has_cork = False
        self._draw = draw
        self.prices = {ACME.id: 50.0, BOLT.id: 20.0}
        self._at = start
        self._splits = 0

    def tick(self, at: int) -> MarketSlice:
        """What becomes visible at `at`: a quote of the one, and the other's bar since the last tick."""
        draw, prices = self._draw, self.prices
        opened = prices[BOLT.id]
        for name, price in prices.items():
            jump = 0.03 if draw.random() < 0.03 else 0.003
            prices[name] = max(1.0, round(price * (1 + jump * draw.uniform(-1, 1)), 2))
        last = prices[ACME.id]
        closed = prices[BOLT.id]
        quote = Quote(ACME.id, at, round(last - 0.01, 2), round(last + 0.01, 2), last)
        high, low = round(max(opened, closed) + 0.02, 2), round(min(opened, closed) - 0.02, 2)
        bar = Bar(BOLT.id, self._at, at, opened, high, low, closed, float(draw.choice((200, 800, 5000))))
        self._at = at
        other = round(round(closed * 50) * 0.05, 2)
        beside = Quote(CORK.id, at, round(other - 0.05, 2), round(other + 0.05, 2), other)
        return MarketSlice(at, bars=(bar,), quotes=(quote, beside) if self.has_cork else (quote,))

    def split(self, at: int) -> MarketSlice:
        """Two new shares of ACME for one. Each has a date of its own, since a split is known by that."""
        self._splits += 1
        day = from_ns(at + self._splits * 86_400 * SECOND).date()
        self.prices[ACME.id] = round(self.prices[ACME.id] / 2, 2)
        return MarketSlice(at, splits=(Split(ACME.id, day, Decimal(2), Decimal(1)),))
