"""The bars one deployment has seen of one instrument: growing by one at a time, or known beforehand and uncovered.

Rows are only ever written behind what has been handed out, and a split writes new columns, so a view given to
a strategy never changes under it and costs no copy.
"""

from collections.abc import Iterable
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Bar, Split
from evenkeel.domain.strategies import Deployment
from evenkeel.market.bars import Bars
from evenkeel.market.columns import COLUMNS, MEASURES
from evenkeel.market.higher import finished, higher
from evenkeel.trading.strategies.evaluate import read_only

Number = TypeVar("Number", np.int64, np.float64)

_TIMES = 2
_ROOM = 256


class History(Protocol):
    """What a deployment may know of one instrument's past, split-adjusted as known at the newest bar."""

    def load(self, bars: Bars) -> Bars:
        """Takes bars of the past; returns those that are news."""

    def append(self, bar: Bar) -> bool:
        """Takes one bar; False where it is not newer than the newest."""

    def split(self, split: Split, at: int) -> float | None:
        """Adjusts the bars before `split`, seen at `at` (ns); returns its ratio, None where it was applied before."""

    def seen(self, count: int, at: int) -> Bars | None:
        """The last `count` bars that have closed by `at` (ns), or as many as there are; None before the first."""

    def higher(self, timeframe: str, count: int, at: int) -> Bars | None:
        """The same of a higher timeframe, finished by `at`; one that began before what is kept is left out."""


class Window:
    """The last `keep` bars (None: all) of one instrument, split-adjusted as known at the newest."""

    def __init__(
        self, instrument_id: str, timeframe: str, keep: int | None, *, instrument: Instrument | None = None
    ) -> None:
        self._instrument_id = instrument_id
        self._instrument = instrument
        self._timeframe = timeframe
        self._keep = keep
        self._times: npt.NDArray[np.int64] = np.empty((_TIMES, 0), dtype=np.int64)
        self._measures: npt.NDArray[np.float64] = np.empty((len(MEASURES), 0))
        self._length = 0
        self._split_days: set[object] = set()

    def __len__(self) -> int:
        return self._length if self._keep is None else min(self._length, self._keep)

    @property
    def newest(self) -> tuple[int, int]:
        """(ts, close_ts) of the newest bar; (-1, -1) before the first."""
        if not self._length:
            return -1, -1
        return int(self._times[0, self._length - 1]), int(self._times[1, self._length - 1])

    def load(self, bars: Bars) -> Bars:
        """Takes the bars newer than the newest held, adjusted as of their last close; returns those taken."""
        fresh = bars.rows(int(np.searchsorted(bars.ts, self.newest[0], side="right")))
        count = len(fresh)
        self._reserve(count)
        columns = [getattr(fresh, name) for name in COLUMNS]
        end = self._length + count
        self._times[:, self._length : end] = columns[:_TIMES]
        self._measures[:, self._length : end] = columns[_TIMES:]
        self._length = end
        return fresh

    def append(self, bar: Bar) -> bool:
        """Takes one bar; False, and nothing done, where it is not newer than the newest."""
        if bar.ts <= self.newest[0]:
            return False
        self._reserve(1)
        self._times[:, self._length] = bar.ts, bar.close_ts
        self._measures[:, self._length] = bar.open, bar.high, bar.low, bar.close, bar.volume, bar.spread
        self._length += 1
        return True

    def limit(self, keep: int) -> None:
        """Keeps the last `keep` bars from now on, and room for no more than those need."""
        if keep != self._keep:
            self._keep = keep
            self._move(0)

    def split(self, split: Split, at: int) -> float | None:
        """Re-adjusts the bars before `split`, seen at `at` (ns), and returns its ratio.

        None, and nothing done, where bars as late as `at` are held already (a slice handed over again) or the
        split was applied before.
        """
        if at <= self.newest[1] or split.ex_date in self._split_days:
            return None
        self._split_days.add(split.ex_date)
        ratio = float(split.numerator) / float(split.denominator)
        factors = np.array([ratio if name == "volume" else 1.0 / ratio for name in MEASURES])
        self._measures = self._measures * factors[:, None]
        return ratio

    def bars(self, count: int | None = None) -> Bars:
        """The last `count` bars or all that are kept, read-only and never to change."""
        start = self._length - (len(self) if count is None else min(count, len(self)))
        rows = slice(start, self._length)
        columns = (*self._times[:, rows], *self._measures[:, rows])
        return read_only(Bars.raw(self._instrument_id, self._timeframe, columns, self._instrument))

    def seen(self, count: int, at: int) -> Bars | None:
        return self.bars(count) if self._length else None

    def higher(self, timeframe: str, count: int, at: int) -> Bars | None:
        kept = self.bars()
        made = finished(kept, timeframe, as_of=at).between(int(kept.ts[0])) if len(kept) else kept
        return read_only(made.tail(count)) if len(made) else None

    def _reserve(self, count: int) -> None:
        if self._length + count <= self._times.shape[1]:
            return
        self._move(count)

    def _move(self, count: int) -> None:
        """Moves what is kept into columns of its own, with room for so many bars more, and then some."""
        kept = len(self)
        room = max(_ROOM, 2 * (kept + count))
        self._times = _moved(self._times, self._length, kept=kept, room=room)
        self._measures = _moved(self._measures, self._length, kept=kept, room=room)
        self._length = kept


def windows_of(deployment: Deployment, instruments: Iterable[Instrument], *, keep: int | None) -> dict[str, Window]:
    """One for each instrument of the deployment; `instruments` are those whose calendar is known."""
    known = {one.id: one for one in instruments}
    return {
        name: Window(name, deployment.timeframe, keep, instrument=known.get(name)) for name in deployment.instrument_ids
    }


class Uncovered:
    """A `History` over bars that are known from the start, of which a strategy sees those that have closed.

    Nothing happens when a bar is taken: what has closed is looked up when it is asked for.
    """

    def __init__(self, bars: Bars, keep: int) -> None:
        self._raw = self._bars = read_only(bars)
        self._keep = keep

    def load(self, bars: Bars) -> Bars:
        return bars

    def append(self, bar: Bar) -> bool:
        return True

    def split(self, split: Split, at: int) -> float | None:
        ratio = float(split.numerator) / float(split.denominator)
        before = self._raw.close_ts < at
        factors = {name: ratio if name == "volume" else 1.0 / ratio for name in MEASURES}
        columns = {name: getattr(self._bars, name) * np.where(before, factor, 1.0) for name, factor in factors.items()}
        self._bars = read_only(self._bars.replaced(**columns))
        return ratio

    def seen(self, count: int, at: int) -> Bars | None:
        end = int(np.searchsorted(self._bars.close_ts, at, side="right"))
        return self._bars.rows(max(0, end - min(count, self._keep)), end) if end else None

    def higher(self, timeframe: str, count: int, at: int) -> Bars | None:
        end = int(np.searchsorted(self._bars.close_ts, at, side="right"))
        if not end:
            return None
        begun = int(self._bars.ts[max(0, end - self._keep)])
        made = higher(self._bars, timeframe).bars.as_of(at).between(begun)
        return made.tail(count) if len(made) else None


def _moved(columns: npt.NDArray[Number], length: int, *, kept: int, room: int) -> npt.NDArray[Number]:
    moved = np.zeros((len(columns), room), dtype=columns.dtype)
    moved[:, :kept] = columns[:, length - kept : length]
    return moved
