"""History as the engine meets it: bars or quotes of some instruments, merged by the moments at which they show.

Only what is asked for becomes an object: a whole slice for moments at which something is going on, a run of bars or
quotes for the stretches between, in which nobody but the strategy looks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Bar, Dividend, MarketSlice, Quote, Split
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.columns import COLUMNS, PRICES

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Action = TypeVar("Action", Split, Dividend)
Item = Any
"""A Bar or a Quote, as the market is one of bars or of quotes."""

_CHUNK = 8192
_QUOTED = ("ts", "bid", "ask", "last")


@dataclass(frozen=True, slots=True, eq=False)
class Quotes:
    """Columns of quotes of one instrument, ordered by `ts` (int64 ns); a price is NaN where it is not quoted."""

    instrument_id: str
    ts: Ints
    bid: Floats
    ask: Floats
    last: Floats

    @classmethod
    def of(cls, instrument_id: str, columns: Mapping[str, Any]) -> Self:
        """Quotes from a mapping of column name to values. Raises InvalidInput where lengths or times do not fit."""
        ts = np.ascontiguousarray(columns["ts"], dtype=np.int64)
        prices = [np.ascontiguousarray(columns[name], dtype=np.float64) for name in _QUOTED[1:]]
        if any(len(values) != len(ts) for values in prices) or np.any(np.diff(ts) <= 0):
            raise InvalidInput("quotes must rise strictly in time, and their columns be of one length")
        return cls(instrument_id, ts, *prices)

    def __len__(self) -> int:
        return len(self.ts)


class Market(ABC):
    """Lines of bars or quotes merged into moments, which are numbered from 0. `at` are their times (ns)."""

    def __init__(
        self, ids: Sequence[str], *, times: Sequence[Ints], columns: Sequence[Sequence[npt.NDArray[Any]]]
    ) -> None:
        self.ids = tuple(ids)
        self.times = tuple(times)
        self.moments: Ints = times[0] if len(times) == 1 else np.unique(np.concatenate(times))
        self.at: list[int] = self.moments.tolist()
        self.splits: dict[int, tuple[Split, ...]] = {}
        self.dividends: dict[int, tuple[Dividend, ...]] = {}
        self._columns = tuple(columns)
        self.is_aligned = all(len(line) == len(self.at) for line in times)
        # The row of each line that shows last at a moment, -1 before the first.
        self.rows = [np.searchsorted(line, self.moments, side="right") - 1 for line in times]

    def __len__(self) -> int:
        return len(self.at)

    @abstractmethod
    def item(self, line: int, row: int) -> Item:
        """The bar or quote of a line in row `row`."""

    @abstractmethod
    def items(self, line: int, first: int) -> Iterator[Item]:
        """The bars or quotes of a line from row `first` on."""

    @abstractmethod
    def slice_of(self, moment: int, fresh: tuple[Item, ...]) -> MarketSlice:
        """All that shows at a moment, `fresh` being its bars or quotes."""

    @abstractmethod
    def prices(self, line: int) -> Floats:
        """The last price that each row of a line shows, NaN where it shows none."""

    def fresh(self, moment: int) -> tuple[Item, ...]:
        """What shows at `moment`, in the order of the instruments."""
        return self._between(moment, moment - 1)

    def latest(self, moment: int, since: int) -> MarketSlice:
        """The last of each instrument that showed after moment `since` (-1: of all) and by `moment`."""
        return self.slice_of(moment, self._between(moment, since))

    def _between(self, moment: int, since: int) -> tuple[Item, ...]:
        if self.is_aligned:
            return tuple([self.item(line, moment) for line in range(len(self.ids))])
        rows = [(int(known[moment]), int(known[since]) if since >= 0 else -1) for known in self.rows]
        return tuple(self.item(line, row) for line, (row, before) in enumerate(rows) if row > before)

    def stream(self, first: int) -> Iterator[tuple[Item, ...]]:
        """What shows at each moment from `first` on."""
        if self.is_aligned:
            return zip(*[self.items(line, first) for line in range(len(self.ids))], strict=True)
        return self._merged(first)

    def _merged(self, first: int) -> Iterator[tuple[Item, ...]]:
        starts = [int(known[first - 1]) + 1 if first else 0 for known in self.rows]
        cursors = [self.items(line, start) for line, start in enumerate(starts)]
        times = np.concatenate([line[start:] for line, start in zip(self.times, starts, strict=True)])
        lines = np.concatenate(
            [np.full(len(t) - s, k) for k, (t, s) in enumerate(zip(self.times, starts, strict=True))]
        )
        order = np.lexsort((lines, times))
        in_turn = lines[order].tolist()
        ends = [*(np.flatnonzero(np.diff(times[order])) + 1).tolist(), len(times)]
        begun = 0
        for end in ends:
            yield tuple([next(cursors[line]) for line in in_turn[begun:end]])
            begun = end

    def moment_of(self, at: int) -> int:
        """The first moment at or after the time `at`; the number of moments where there is none."""
        return bisect_left(self.at, at)


class BarMarket(Market):
    """Bars by instrument id, seen as they close."""

    def __init__(self, bars: Mapping[str, Bars]) -> None:
        """Raises InvalidInput where there are no bars, or bars that an account cannot be valued by."""
        self.bars = tuple(_named(name, series) for name, series in bars.items())
        if not self.bars or not any(len(series) for series in self.bars):
            raise InvalidInput("a backtest needs at least one bar")
        if len({series.timeframe for series in self.bars}) > 1:
            raise InvalidInput("all bars of a backtest are of one timeframe")
        columns = [[getattr(series, name) for name in COLUMNS] for series in self.bars]
        super().__init__(tuple(bars), times=[series.close_ts for series in self.bars], columns=columns)

    def item(self, line: int, row: int) -> Bar:
        return Bar(self.ids[line], *[column.item(row) for column in self._columns[line]])

    def items(self, line: int, first: int) -> Iterator[Bar]:
        return chain.from_iterable(
            map(Bar, repeat(self.ids[line]), *columns) for columns in _chunks(self._columns[line], first)
        )

    def slice_of(self, moment: int, fresh: tuple[Bar, ...]) -> MarketSlice:
        splits, dividends = self.splits.get(moment, ()), self.dividends.get(moment, ())
        return MarketSlice(self.at[moment], fresh, (), splits, dividends)

    def prices(self, line: int) -> Floats:
        return self.bars[line].close

    def add_actions(
        self, splits: Sequence[Split], dividends: Sequence[Dividend], instruments: Mapping[str, Instrument]
    ) -> None:
        """Has each split and dividend come with the first bar of its instrument that opens on its ex-date or later."""
        self.splits, self.dividends = self._going_ex(splits, instruments), self._going_ex(dividends, instruments)

    def _going_ex(
        self, actions: Sequence[Action], instruments: Mapping[str, Instrument]
    ) -> dict[int, tuple[Action, ...]]:
        found: dict[int, list[Action]] = defaultdict(list)
        for action in actions:
            moment = self._ex_moment(action, instruments)
            if moment is not None:
                found[moment].append(action)
        return {moment: tuple(due) for moment, due in found.items()}

    def _ex_moment(self, action: Split | Dividend, instruments: Mapping[str, Instrument]) -> int | None:
        series = self.bars[self.ids.index(action.instrument_id)]
        opening = calendar(instruments[action.instrument_id].calendar).day_start(action.ex_date)
        row = int(np.searchsorted(series.ts, opening))
        return self.moment_of(int(series.close_ts[row])) if 0 < row < len(series) else None


class QuoteMarket(Market):
    """Quotes by instrument id, seen as they come."""

    def __init__(self, quotes: Mapping[str, Quotes]) -> None:
        """Raises InvalidInput where there are no quotes."""
        if not any(len(series) for series in quotes.values()):
            raise InvalidInput("a backtest needs at least one quote")
        columns = [[series.ts, series.bid, series.ask, series.last] for series in quotes.values()]
        super().__init__(tuple(quotes), times=[series.ts for series in quotes.values()], columns=columns)

    def item(self, line: int, row: int) -> Quote:
        return Quote(self.ids[line], *[column.item(row) for column in self._columns[line]])

    def items(self, line: int, first: int) -> Iterator[Quote]:
        return chain.from_iterable(
            map(Quote, repeat(self.ids[line]), *columns) for columns in _chunks(self._columns[line], first)
        )

    def slice_of(self, moment: int, fresh: tuple[Quote, ...]) -> MarketSlice:
        return MarketSlice(self.at[moment], (), fresh)

    def prices(self, line: int) -> Floats:
        """The last trade, else the middle, else what was shown before."""
        _, bid, ask, last = self._columns[line]
        shown: Floats = np.where(np.isfinite(last), last, bid + (ask - bid) / 2)
        known = np.maximum.accumulate(np.where(np.isfinite(shown), np.arange(len(shown)), 0))
        return shown[known]


def _chunks(columns: Sequence[npt.NDArray[Any]], first: int) -> Iterator[list[Any]]:
    """Columns as lists, some rows at a time; one that holds a single value throughout, as that value."""
    same = [len(column) > 0 and bool(np.all(column == column[0])) for column in columns]
    for start in range(first, len(columns[0]), _CHUNK):
        rows = slice(start, start + _CHUNK)
        yield [
            repeat(column[0].item()) if is_same else column[rows].tolist()
            for column, is_same in zip(columns, same, strict=True)
        ]


def _named(name: str, series: Bars) -> Bars:
    if np.any(np.diff(series.close_ts) <= 0):
        raise InvalidInput(f"the bars of {name} must close one after the other")
    for column in PRICES:
        if not np.all(np.isfinite(getattr(series, column))):
            row = int(np.argmin(np.isfinite(getattr(series, column))))
            raise InvalidInput(f"bar {row} of {name} has no {column}", hint="Leave such bars out.")
    columns = [getattr(series, column) for column in COLUMNS]
    return Bars.raw(name, series.timeframe, columns, series.instrument)
