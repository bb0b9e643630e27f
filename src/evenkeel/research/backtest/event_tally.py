"""From records to the columns of an outcome: fills as they happened, and equity at every moment.

Cash and positions are exact and read from the engine when they change; equity between changes follows from them and
the prices at each moment, as the engine would value them: last prices on the tick grid.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from evenkeel.domain import records as r
from evenkeel.domain.accounts import LedgerKind
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.mtm import Rule
from evenkeel.domain.mtm_records import MtmBreached, MtmStopped
from evenkeel.domain.orders import OrderKind, OrderSpec
from evenkeel.domain.positions import PositionKey, key_of
from evenkeel.domain.provenance import Source
from evenkeel.research.backtest.event_market import BarMarket, Market, QuoteMarket
from evenkeel.research.backtest.marks import marks_of
from evenkeel.research.backtest.outcome import Carried, Fills, Outcome, Why
from evenkeel.trading.engine.mtm.stopping import ACTOR as CONTROL
from evenkeel.trading.engine.state import AccountState, State

_STOPS = {"stop_loss": Why.STOP_LOSS, "trailing_stop": Why.TRAILING_STOP, "maintenance": Why.LIQUIDATION}

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Tally:
    """Follows one account's records. `moment` is set by whoever hands over the market."""

    def __init__(self, state: State, account: AccountState) -> None:
        self.moment = 0
        self._state = state
        self._rules: dict[PositionKey, str] = {}
        self._whys: list[Why | None] = []
        self.fills: list[r.FillBooked] = []
        self.orders = 0
        self._by_control: set[str] = set()
        self.refusals: Counter[str] = Counter()
        self.closings: Counter[str] = Counter()
        self.ears: dict[type, Callable[[Any], None]] = {
            r.FillBooked: self._filled,
            r.OrderDecided: self._decided,
            r.SplitApplied: self._split,
            r.ProtectionChanged: self._guarded,
            r.DividendPaid: self._paid,
            r.NightsCharged: self._charged,
            MtmBreached: self._closed,
            MtmStopped: self._closed,
        }
        self._interest = 0.0
        self._borrow: dict[str, float] = defaultdict(float)
        self._dividends: dict[str, float] = defaultdict(float)
        self._account = account
        self._currency = account.account.currency
        self._changes: list[tuple[int, str, float, float]] = []

    def _guarded(self, record: r.ProtectionChanged) -> None:
        if record.link:
            self._rules[record.key] = record.rule

    def _filled(self, record: r.FillBooked) -> None:
        self.fills.append(record)
        spec = self._state.orders[record.fill.order_id].spec
        by_rule = Why.MTM if record.fill.order_id in self._by_control else None
        self._whys.append(self._why(spec) if spec.is_exit else by_rule)
        self._changed(record.fill.instrument_id)

    def _why(self, spec: OrderSpec) -> Why:
        """Which rule an exit has carried out: a limit is a target, and a stop that of the rule behind it."""
        if spec.kind is OrderKind.LIMIT:
            return Why.TAKE_PROFIT
        return Why.STOP_LOSS if spec.parent else _STOPS[self._rules[key_of(spec)]]

    def _decided(self, record: r.OrderDecided) -> None:
        self.orders += 1
        if record.provenance.source is Source.PANIC and record.provenance.actor == CONTROL:
            self._by_control.add(record.order_id)
        if not record.approved:
            self.refusals[record.checks[-1].rule] += 1

    def _closed(self, record: MtmBreached | MtmStopped) -> None:
        """Of a breach by its own record; what stops the level after it is counted only where it is a time."""
        if isinstance(record, MtmBreached) or record.rule in (Rule.SQUARE_OFF, Rule.END_OF_DAY):
            self.closings[record.rule] += 1

    def _split(self, record: r.SplitApplied) -> None:
        self._changed(record.split.instrument_id)

    def _paid(self, record: r.DividendPaid) -> None:
        name = record.dividend.instrument_id
        for entry in record.entries:
            self._dividends[name] += float(entry.amount)
        self._changed(name)

    def _charged(self, record: r.NightsCharged) -> None:
        for entry in record.entries:
            if entry.kind is LedgerKind.INTEREST:
                self._interest += float(entry.amount)
            else:
                self._borrow[entry.component] += float(entry.amount)
        if record.entries:
            self._changed("")

    def _changed(self, instrument_id: str) -> None:
        """Notes cash and, where an instrument is named, what is held of it."""
        held, cash = self._account.net.get(instrument_id, 0), self._account.cash[self._currency]
        self._changes.append((self.moment, instrument_id, float(held), float(cash)))

    @property
    def lowest_cash(self) -> float:
        """The least that there was after any change, 0 without one."""
        return min((change[3] for change in self._changes), default=0.0)

    def outcome(
        self, market: BarMarket | QuoteMarket, instruments: list[Instrument], *, cash: Decimal, why: Why
    ) -> Outcome:
        """The outcome without notes; `cash` is what the account began with."""
        moments = np.array([change[0] for change in self._changes], dtype=np.int64)
        lines = {name: line for line, name in enumerate(market.ids)}
        names = np.array([lines.get(change[1], -1) for change in self._changes], dtype=np.int64)
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
            carried=Carried(self._interest, _by_line(self._borrow, market), _by_line(self._dividends, market)),
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
            why=np.array([int(why if one is None else one) for one in self._whys], dtype=np.int64),
        )


def _by_line(amounts: Mapping[str, float], market: Market) -> tuple[float, ...]:
    return tuple(amounts.get(name, 0.0) for name in market.ids) if amounts else ()


def _steps(at_moment: Ints, moments: Ints, values: Floats, *, start: float) -> Floats:
    """At each moment the last of `values` by then, `start` before the first."""
    place = np.searchsorted(moments, at_moment, side="right")
    return np.concatenate(([start], values))[place]


def _marks(market: BarMarket | QuoteMarket, line: int, instrument: Instrument) -> Floats:
    """The last price of an instrument at each moment, rounded to its tick; 0 before the first."""
    marks, rows = marks_of(market.prices(line), instrument.tick_size), market.rows[line]
    return np.where(rows >= 0, marks[np.maximum(rows, 0)], 0.0)
