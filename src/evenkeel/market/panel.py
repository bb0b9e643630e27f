"""Bars of several instruments side by side, one row for each moment at which any of them closes.

Where an instrument has no bar at a moment its values are NaN: nothing is filled in. What was known of it by then is
`last_close`, which never looks ahead and knows, in a part of a panel, what lies before the part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.instruments import Instrument
from evenkeel.market.bars import Bars
from evenkeel.market.columns import COLUMNS, MEASURES, Floats, Ints

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """n moments of k instruments; columns of an instrument are contiguous, slices share memory.

    `ts` and `close_ts` (n,): the earliest open of the bars that close at a moment, and that moment (ns UTC). `open` to
    `spread` (n, k): NaN where an instrument has no bar then. `opened` (n, k): when each bar opened, 0 where there is
    none. `before` (k,): the last close before the first row, NaN where there was none.
    """

    instrument_ids: tuple[str, ...]
    timeframe: str
    ts: Ints
    close_ts: Ints
    opened: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    spread: Floats
    before: Floats
    instruments: tuple[Instrument | None, ...]

    @classmethod
    def of(cls, bars: Mapping[str, Bars]) -> Self:
        """The panel of bars by instrument. Raises InvalidInput for none, or for several timeframes."""
        lines = tuple(bars.values())
        frames = sorted({line.timeframe for line in lines})
        if len(frames) != 1:
            said = f"differ in timeframe: {', '.join(frames)}" if frames else "are of no instrument"
            raise InvalidInput(f"the bars of a panel {said}", hint="Give bars of one timeframe, by instrument.")
        first = lines[0].close_ts
        is_aligned = all(np.array_equal(line.close_ts, first) for line in lines[1:])
        moments = first if is_aligned else np.unique(np.concatenate([line.close_ts for line in lines]))
        rows = [np.searchsorted(moments, line.close_ts) for line in lines]
        opened = _placed([line.ts for line in lines], rows, np.zeros((len(moments), len(lines)), np.int64, order="F"))
        measures = {
            name: _placed([getattr(line, name) for line in lines], rows, np.full(opened.shape, np.nan, order="F"))
            for name in MEASURES
        }
        return cls(
            instrument_ids=tuple(bars),
            timeframe=frames[0],
            ts=np.where(np.isnan(measures["close"]), _NEVER, opened).min(axis=1),
            close_ts=moments,
            opened=opened,
            before=np.full(len(lines), np.nan),
            instruments=tuple(line.instrument for line in lines),
            **measures,
        )

    def __len__(self) -> int:
        return len(self.close_ts)

    def __repr__(self) -> str:
        names = ", ".join(self.instrument_ids)
        return f"Panel({names}; {self.timeframe}, {len(self)} moments)"

    @property
    def shown(self) -> npt.NDArray[np.bool_]:
        """(n, k): whether the instrument has a bar at the moment."""
        return ~np.isnan(self.close)

    def last_close(self) -> Floats:
        """(n, k): the close last known of each instrument at each moment, NaN before its first bar."""
        places = np.where(self.shown, np.arange(len(self))[:, None], -1)
        known = np.asfortranarray(np.maximum.accumulate(places, axis=0))
        return np.where(known < 0, self.before, np.take_along_axis(self.close, np.maximum(known, 0), axis=0))

    def bars(self, instrument_id: str) -> Bars:
        """The bars of one instrument. Raises NotFound."""
        if instrument_id not in self.instrument_ids:
            raise NotFound(f"{instrument_id} is not one of {', '.join(self.instrument_ids)}")
        line = self.instrument_ids.index(instrument_id)
        rows = np.flatnonzero(self.shown[:, line])
        columns = [self.opened[rows, line], self.close_ts[rows]]
        columns += [getattr(self, name)[rows, line] for name in MEASURES]
        return Bars.raw(instrument_id, self.timeframe, columns, self.instruments[line])

    def rows(self, start: int | None, stop: int | None = None) -> Panel:
        """Moments `start` to `stop` by index, as in a slice; no copy, and what lies before stays known."""
        first = slice(start, stop).indices(len(self))[0]
        part = {name: getattr(self, name)[start:stop] for name in (*COLUMNS, "opened")}
        return replace(self, before=self._known_before(first), **part)

    def tail(self, count: int) -> Panel:
        """The last `count` moments, or all where there are fewer."""
        return self.rows(max(0, len(self) - count))

    def windows(self, count: int, start: int = 0) -> Iterator[Panel]:
        """By each moment from `start` on, the last `count` moments, or all where there are fewer; no copies."""
        known = self.last_close()
        for row in range(start, len(self)):
            first = max(0, row + 1 - count)
            part = {name: getattr(self, name)[first : row + 1] for name in (*COLUMNS, "opened")}
            yield replace(self, before=known[first - 1] if first else self.before, **part)

    def replaced(self, **columns: npt.NDArray[Any]) -> Panel:
        """The same panel with the named columns exchanged."""
        changed: dict[str, Any] = {**columns}
        return replace(self, **changed)

    def _known_before(self, row: int) -> Floats:
        shown = self.shown[:row][::-1]
        if not len(shown):
            return self.before
        last = row - 1 - shown.argmax(axis=0)
        return np.where(shown.any(axis=0), self.close[last, np.arange(len(last))], self.before)


def _placed(lines: list[Any], rows: list[Ints], into: npt.NDArray[Any]) -> npt.NDArray[Any]:
    for line, (values, places) in enumerate(zip(lines, rows, strict=True)):
        into[places, line] = values
    return into
