"""What the parts of a tear sheet share: one result seen by day, by bar and by instrument."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evenkeel.domain.instruments import Instrument
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.quant import analytics
from evenkeel.research.backtest.outcome import Why
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.backtest.terms import FillAt
from evenkeel.research.report.scales import Flags, Floats, Ints, Timeline
from evenkeel.research.report.words import DAY, counted, day_of, moment

if TYPE_CHECKING:
    from evenkeel.research.report.search import Searched

# With fewer days than this, equity is drawn by bar.
_FEW_DAYS = 500
_LEAST_DRAWN = 20
_LEAST_ROLLED = 21


class Rest(NamedTuple):
    """Where the gain lies: `closed` in trades, `open` in positions still held, `carried` in what holding them earned
    and cost, `interest` on cash, `other` in what none of these explains.
    """

    closed: float
    open: dict[str, float]
    carried: dict[str, float]
    interest: float
    other: float


@dataclass(frozen=True, eq=False)
class Sheet:
    """A result, and what its tear sheet was asked to show. `runs` redrawn histories come from `seed`; 0: none.

    `search` is the one that chose its parameters, where there was one.
    """

    result: BacktestResult
    title: str
    with_benchmark: bool
    runs: int
    seed: int
    search: Searched | None = None

    @property
    def currency(self) -> str:
        return self.result.terms.currency

    @cached_property
    def cash(self) -> float:
        return float(self.result.terms.cash)

    @cached_property
    def metrics(self) -> dict[str, float | None]:
        return self.result.metrics

    @cached_property
    def gain(self) -> float:
        return self.result.final_equity - self.cash

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        return tuple(one.symbol or one.id for one in self.result.instruments)

    @property
    def held(self) -> str:
        """What the benchmark holds, in words."""
        names = self.symbols
        return names[0] if len(names) == 1 else f"{len(names)} instruments in equal parts"

    @cached_property
    def periods(self) -> str:
        """What one period of the metrics is called."""
        return {"1w": "week", "1mo": "month"}.get(self.result.bars[0].timeframe, "day")

    @cached_property
    def intraday(self) -> bool:
        return len(self.result.at) > 1 and int(np.median(np.diff(self.result.at))) < DAY

    def when(self, ns: int) -> str:
        """A moment as precise as the bars are."""
        return moment(ns) if self.intraday else day_of(ns)

    @cached_property
    def period(self) -> str:
        start, end = self.result.start, int(self.result.at[-1])
        return f"{self.when(start)} – {self.when(end)}"

    @cached_property
    def timeline(self) -> Timeline:
        """The time axis of all charts: the first open, then the close of every bar."""
        at = self.result.at
        return Timeline(np.concatenate(([min(self.result.start, int(at[0]) - 1)], at)))

    @cached_property
    def day_ends(self) -> Ints:
        """The index in `at` of each day's last moment."""
        return self.result.days.last

    @cached_property
    def points(self) -> Ints:
        """The n + 1 moments of the daily record."""
        return np.concatenate((self.timeline.moments[:1], self.result.at[self.day_ends]))

    @cached_property
    def daily(self) -> Floats:
        """The n + 1 values of equity, the initial cash first."""
        return self.result.daily.equity

    @cached_property
    def equity(self) -> tuple[Ints, Floats]:
        """(moments, values) to draw: by day, or by bar where there are few days."""
        if len(self.daily) > _FEW_DAYS:
            return self.points, self.daily
        return self.timeline.moments, np.concatenate(([self.cash], self.result.equity))

    @cached_property
    def benchmark(self) -> Floats:
        """The n + 1 values of the initial cash invested in the benchmark."""
        return self.cash * np.concatenate(([1.0], np.cumprod(1.0 + self.result.benchmark)))

    @cached_property
    def bands(self) -> analytics.Bands | None:
        """What the same daily returns, drawn again in blocks, would have given; None where that says nothing."""
        returns = self.result.daily.returns
        if self.runs < 1 or len(returns) < _LEAST_DRAWN or not np.isfinite(returns).all() or not returns.any():
            return None
        block = float(max(2, round(len(returns) ** (1 / 3))))
        return analytics.stationary_bootstrap(
            returns, block=block, runs=self.runs, seed=self.seed, periods=self.result.days.per_year
        )

    @cached_property
    def window(self) -> int | None:
        """Periods in the rolling window: a year, or what a third of the record allows; None for a short record."""
        year, third = round(self.result.days.per_year), len(self.result.daily) // 3
        for part in (1, 2, 4, 12):
            if max(1, year // part) <= third:
                return year // part if year // part >= min(_LEAST_ROLLED, year) else None
        return None

    @cached_property
    def positions(self) -> Floats:
        """One row an instrument, one value a bar."""
        return np.atleast_2d(self.result.outcome.positions)

    def ratios(self, place: int) -> Floats:
        """What to multiply a bar's raw prices by, so that a later split makes no step."""
        bars: Bars = self.result.bars[place]
        mine = [one for one in self.result.terms.splits if one.instrument_id == bars.instrument_id]
        ones = np.ones(len(bars))
        if not mine:
            return ones
        starts = calendar(self.result.instruments[place].calendar).day_start
        level = bars.replaced(open=ones, high=ones, low=ones, close=ones, spread=ones)
        return level.adjusted(mine, as_of=int(bars.close_ts[-1]), day_start=starts).close

    def fills_of(self, place: int) -> tuple[Flags, Ints]:
        """(which fills are an instrument's, the row of its bars each happened in).

        Bars may meet: what opens and what closes at one moment are told apart by how orders fill.
        """
        fills, bars = self.result.fills, self.result.bars[place]
        mine = fills.instrument == place
        at, why = fills.at[mine], fills.why[mine]
        opening = np.isin(why, (Why.SIGNAL, Why.ORDER)) & (self.result.terms.fill is FillAt.NEXT_OPEN)
        by_open = np.searchsorted(bars.ts, at, side="right") - 1
        by_close = np.searchsorted(bars.close_ts, at, side="left")
        row = np.where(opening, by_open, by_close)
        return mine, np.clip(row, 0, len(bars) - 1).astype(np.int64)

    @cached_property
    def rest(self) -> Rest:
        """The gain in parts that add up to it."""
        trades = self.result.trades
        still: dict[str, float] = {}
        places = iter(range(len(self.symbols)))
        for position in trades.open:
            place = next(at for at in places if self.instrument(at).symbol == position.symbol)
            last = float(self.result.bars[place].close[-1])
            size = position.quantity * float(self.instrument(place).multiplier)
            still[self.symbols[place]] = size * (last - position.price) - position.fees
        closed, paid = float(trades.net.sum()), self.result.outcome.carried
        carried = {name: paid.of(place) for place, name in enumerate(self.symbols) if paid.of(place)}
        other = self.gain - closed - sum(still.values()) - paid.total
        other = 0.0 if abs(other) < 1e-6 * max(self.cash, abs(self.gain)) else other
        return Rest(closed, still, carried, paid.interest, other)

    def instrument(self, place: int) -> Instrument:
        return self.result.instruments[place]

    def trading(self) -> str:
        """How many bars and instruments, in words."""
        bars = counted(len(self.result.at), "bar")
        return bars if len(self.symbols) == 1 else f"{bars}, {len(self.symbols)} instruments"
