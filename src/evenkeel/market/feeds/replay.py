"""Stored bars handed out again in the order in which they closed.

The feed reads a year at a time, merges all instruments and timeframes by `close_ts`, and keeps no position: the cursor
is the `at` of the last slice taken, and belongs to whoever takes them.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Bar, Dividend, MarketSlice, Split
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.columns import DAY
from evenkeel.market.ports import BarStore, Series, latest
from evenkeel.market.timeframes import timeframe as parse

_WINDOW = 366 * DAY
_SETTLING = 7 * DAY


class ReplayFeed:
    """A `Feed` over a `BarStore`.

    Without `instruments` it takes all the store has in any of `timeframes`; without `start` and `end` (ns) the whole
    range. Raises NotFound where an instrument has no bars in any of them, InvalidInput for an empty range.
    """

    def __init__(
        self,
        store: BarStore,
        *,
        instruments: Sequence[Instrument] | None = None,
        timeframes: Sequence[str] = ("1d",),
        start: int | None = None,
        end: int | None = None,
        cache: Path | None = None,
    ) -> None:
        self._store, self._cache = store, cache
        self.timeframes = tuple(sorted((parse(name).name for name in timeframes), key=lambda name: parse(name).ns))
        kept = {(one.instrument_id, one.timeframe): one for one in store.series() if one.timeframe in self.timeframes}
        served = {instrument_id for instrument_id, _ in kept}
        self.instruments = (
            tuple(one for one in store.instruments() if one.id in served) if instruments is None else tuple(instruments)
        )
        self._require_bars(served)
        self._series = [
            kept[key] for name in self.timeframes for one in self.instruments if (key := (one.id, name)) in kept
        ]
        self.start = min(one.first_ts for one in self._series) if start is None else start
        self.end = max(one.last_close_ts for one in self._series) if end is None else end
        if self.end <= self.start:
            raise InvalidInput("the feed would be empty: its end is not after its start")
        self._due = self._going_ex()

    def slices(self, after: int | None = None) -> Iterator[MarketSlice]:
        cursor = self.start if after is None else max(after, self.start)
        due = [item for item in self._due if item[0] > cursor]
        while cursor < self.end:
            until = min(cursor + _WINDOW, self.end)
            for at, bars in self._merged(cursor, until):
                splits, dividends = list[Split](), list[Dividend]()
                while due and due[0][0] == at:
                    action = due.pop(0)[1]
                    if isinstance(action, Split):
                        splits.append(action)
                    else:
                        dividends.append(action)
                yield MarketSlice(at, bars, (), tuple(splits), tuple(dividends))
            cursor = until

    def history(self, instrument_id: str, timeframe: str, *, before: int, count: int) -> Bars:
        name = parse(timeframe).name
        for one in self._store.series():
            if (one.instrument_id, one.timeframe) == (instrument_id, name):
                return latest(self._store, one, before=before, count=count)
        raise NotFound(f"there are no {name} bars of instrument {instrument_id} in the feed")

    def splits(self, instrument_id: str) -> tuple[Split, ...]:
        return self._store.splits(instrument_id)

    def _require_bars(self, served: set[str]) -> None:
        absent = [one.symbol for one in self.instruments if one.id not in served]
        if absent or not self.instruments:
            raise NotFound(
                f"there are no {' or '.join(self.timeframes)} bars of {', '.join(absent) or 'any instrument'}",
                hint="`evenkeel data list` shows what is stored, `evenkeel data import FILE` adds to it.",
            )

    def _merged(self, after: int, until: int) -> Iterator[tuple[int, tuple[Bar, ...]]]:
        parts = [self._window(one, after, until) for one in self._series]
        closes = np.concatenate([part.close_ts for part in parts])
        ranks = np.concatenate([np.full(len(part), rank) for rank, part in enumerate(parts)])
        order = np.lexsort((ranks, closes))
        cursors = [iter(part) for part in parts]
        moments, ranks_in_order = closes[order], ranks[order].tolist()
        bounds = np.flatnonzero(np.diff(moments)) + 1
        starts = [0, *bounds.tolist()] if len(moments) else []
        ends = [*bounds.tolist(), len(moments)]
        for first, last in zip(starts, ends[: len(starts)], strict=True):
            yield int(moments[first]), tuple(next(cursors[rank]) for rank in ranks_in_order[first:last])

    def _window(self, series: Series, after: int, until: int) -> Bars:
        """The bars that close in (after, until]."""
        reach = 2 * parse(series.timeframe).ns + _SETTLING
        read = self._store.read(series.instrument_id, series.timeframe, start=after - reach, end=until)
        return read.after(after).as_of(until)

    def _going_ex(self) -> list[tuple[int, Split | Dividend]]:
        """(close of the first bar that opens on or after the ex-date, what goes ex), within the feed's range."""
        due: list[tuple[int, date, Split | Dividend]] = []
        for one in self.instruments:
            sessions = calendar(one.calendar, cache=self._cache)
            actions: list[Split | Dividend] = [*self._store.splits(one.id), *self._store.dividends(one.id)]
            for action in actions:
                at = self._first_close(one.id, sessions.day_start(action.ex_date))
                if at is not None and self.start < at <= self.end:
                    due.append((at, action.ex_date, action))
        due.sort(key=_by_moment)
        return [(at, action) for at, _, action in due]

    def _first_close(self, instrument_id: str, opening: int) -> int | None:
        closes = []
        for series in self._series:
            if series.instrument_id == instrument_id and series.first_ts < opening < series.last_close_ts:
                found = self._store.read(instrument_id, series.timeframe, start=opening, end=opening + _WINDOW)
                closes += found.close_ts[:1].tolist()
        return min(closes, default=None)


def _by_moment(item: tuple[int, date, Split | Dividend]) -> tuple[int, date]:
    return item[0], item[1]
