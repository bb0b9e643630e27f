"""From records to the columns of an outcome: fills as they happened, and equity at every moment.

Cash and positions are exact and read from the engine when they change; equity between changes follows from them and
the prices at each moment, as the engine would value them: last prices on the tick grid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from evenkeel.domain import records as r
from evenkeel.domain.instruments import Instrument
from evenkeel.research.backtest.event_market import BarMarket, Market, QuoteMarket
from evenkeel.research.backtest.marks import marks_of
from evenkeel.research.backtest.outcome import Fills, Outcome, Why
from evenkeel.trading.engine.state import AccountState

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Tally:
    """Follows one account's records. `moment` is set by whoever hands over the market."""

    def __init__(self, account: AccountState) -> None:
        self.moment = 0
        self.fills: list[r.FillBooked] = []
        self.orders = 0
        self.refusals: Counter[str] = Counter()
        self.ears: dict[type, Callable[[Any], None]] = {
            r.FillBooked: self._filled,
            r.OrderDecided: self._decided,
            r.SplitApplied: self._split,
        }
        self._account = account
        self._currency = account.account.currency
        self._changes: list[tuple[int, str, float, float]] = []

    def _filled(self, record: r.FillBooked) -> None:
        self.fills.append(record)
        self._changed(record.fill.instrument_id)

    def _decided(self, record: r.OrderDecided) -> None:
        self.orders += 1
        if not record.approved:
            self.refusals[record.checks[-1].rule] += 1

    def _split(self, record: r.SplitApplied) -> None:
        self._changed(record.split.instrument_id)

    def _changed(self, instrument_id: str) -> None:
        held, cash = self._account.net.get(instrument_id, 0), self._account.cash[self._currency]
        self._changes.append((self.moment, instrument_id, float(held), float(cash)))

    def outcome(
        self, market: BarMarket | QuoteMarket, instruments: list[Instrument], *, cash: Decimal, why: Why
    ) -> Outcome:
        """The outcome without notes; `cash` is what the account began with."""
        moments = np.array([change[0] for change in self._changes], dtype=np.int64)
        names = np.array([market.ids.index(change[1]) for change in self._changes], dtype=np.int64)
        at_moment = np.arange(len(market))
        money = _steps(at_moment, moments, np.array([change[3] for change in self._changes]), start=float(cash))
        held = np.array([change[2] for change in self._changes])
        positions = np.array(
            [_steps(at_moment, moments[names == k], held[names == k], start=0.0) for k in range(len(market.ids))]
        )
        equity = money.copy()
        for line, instrument in enumerate(instruments):
            equity += positions[line] * _marks(market, line, instrument) * float(instrument.multiplier)
        return Outcome(
            engine="event",
            at=market.moments,
            equity=equity,
            cash=money,
            positions=positions,
            fills=self._columns(market, why),
            orders=self.orders,
            refused=self.refusals.total(),
        )

    def _columns(self, market: Market, why: Why) -> Fills:
        booked = [record.fill for record in self.fills]
        bars = [record.bar or record.fill.executed_at for record in self.fills]
        lines = {name: line for line, name in enumerate(market.ids)}
        return Fills(
            symbols=market.ids,
            bar=np.searchsorted(market.moments, np.array(bars, dtype=np.int64)),
            at=np.array([fill.executed_at for fill in booked], dtype=np.int64),
            instrument=np.array([lines[fill.instrument_id] for fill in booked], dtype=np.int64),
            side=np.array([fill.side.sign for fill in booked], dtype=np.int64),
            quantity=np.array([float(fill.quantity) for fill in booked]),
            price=np.array([float(fill.price) for fill in booked]),
            fee=np.array([float(sum(charge.amount for charge in fill.charges)) for fill in booked]),
            why=np.full(len(booked), int(why)),
        )


def _steps(at_moment: Ints, moments: Ints, values: Floats, *, start: float) -> Floats:
    """At each moment the last of `values` by then, `start` before the first."""
    place = np.searchsorted(moments, at_moment, side="right")
    return np.concatenate(([start], values))[place]


def _marks(market: BarMarket | QuoteMarket, line: int, instrument: Instrument) -> Floats:
    """The last price of an instrument at each moment, rounded to its tick; 0 before the first."""
    marks, rows = marks_of(market.prices(line), instrument.tick_size), market.rows[line]
    return np.where(rows >= 0, marks[np.maximum(rows, 0)], 0.0)
