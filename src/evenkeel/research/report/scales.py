"""From values to places: straight, logarithmic and time scales on [0, 1], and where their ticks go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil, floor, log10

import numpy as np
import numpy.typing as npt

from evenkeel.domain.clock import from_ns
from evenkeel.research.report.words import DAY, HOUR, MINUTE, MONTHS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_YEAR = 365.25 * DAY
_MONTH = _YEAR / 12
# The least distance of two ticks on the time axis.
_APART = 0.075
# Values nearer than this share of themselves count as one.
_SAME = 1e-9
_SHORT = ((6 * HOUR, HOUR), (HOUR, 15 * MINUTE))


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high`, which differ; by their logarithm with `log`, where both are above zero.

    `whole`: values are counts, and so are the ticks.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def place(self, values: npt.ArrayLike) -> Floats:
        """Where values lie: 0 at `low`, 1 at `high`."""
        given = np.asarray(values, dtype=np.float64)
        if not self.log:
            return np.asarray((given - self.low) / (self.high - self.low))
        low, high = log10(self.low), log10(self.high)
        return np.asarray((np.log10(given) - low) / (high - low))

    def ticks(self, about: int = 5) -> list[float]:
        """Round values within, about as many as asked for."""
        if self.log and self.high / self.low >= 8.0:
            return self._decades(about)
        step = round_step((self.high - self.low) / about, whole=self.whole)
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [tick * step for tick in range(first, last + 1)]

    def _decades(self, about: int) -> list[float]:
        first, last = floor(log10(self.low)), ceil(log10(self.high))
        every = [
            [m * 10.0**e for e in range(first, last + 1) for m in within if self.low <= m * 10.0**e <= self.high]
            for within in ((1, 2, 5), (1, 3), (1,))
        ]
        return next((ticks for ticks in every if len(ticks) <= 1.6 * about), every[-1])


def round_step(least: float, *, whole: bool = False) -> float:
    """The smallest of 1, 2, 2.5, 5 × 10^k that is not below `least`; `whole`: of whole numbers, without 2.5."""
    if whole and least <= 1.0:
        return 1.0
    power = 10.0 ** floor(log10(least))
    steps = (1.0, 2.0, 5.0, 10.0) if whole else (1.0, 2.0, 2.5, 5.0, 10.0)
    return next(step * power for step in steps if step * power >= least * (1 - 1e-9))


def spanning(*series: npt.ArrayLike, include: Iterable[float] = (), log: bool = False, air: float = 0.05) -> Scale:
    """The scale that holds all finite values and `include`, with a share of `air` beyond both ends."""
    every = np.concatenate([np.ravel(np.asarray(one, dtype=np.float64)) for one in (*series, list(include))])
    known = every[np.isfinite(every)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if log:
        wide = (high / low) ** air if high > low else 1.05
        return Scale(low / wide, high * wide, log=True)
    apart = high - low > _SAME * max(abs(low), abs(high))
    wide = (high - low) * air if apart else abs(high) * 0.05 or 1.0
    return Scale(low - wide, high + wide)


def from_zero(*series: npt.ArrayLike, include: Iterable[float] = (), air: float = 0.08) -> Scale:
    """As `spanning`, with zero for an end or within, and no air beyond a zero end."""
    found = spanning(*series, include=(*include, 0.0), air=0.0)
    low, high = found.low, found.high if found.high - found.low > 1e-8 else found.low + 1.0
    wide = (high - low) * air
    return Scale(low - wide if low < 0 else 0.0, high + wide if high > 0 else 0.0)


@dataclass(frozen=True, eq=False)
class Timeline:
    """Moments in ns, rising; each lies as far from the one before as any other, so that nights take no room."""

    moments: Ints

    def place(self, values: npt.ArrayLike) -> Floats:
        """Where moments lie: 0 at the first, 1 at the last."""
        steps = np.linspace(0.0, 1.0, len(self.moments)) if len(self.moments) > 1 else np.array([0.5])
        return np.asarray(np.interp(np.asarray(values, dtype=np.float64), self.moments.astype(np.float64), steps))

    @cached_property
    def ticks(self) -> list[tuple[float, str]]:
        """(place, label) of round dates or times, none too near another."""
        first, last = int(self.moments[0]), int(self.moments[-1])
        kept: list[tuple[float, str]] = []
        for at, label in _calendar_ticks(first, last):
            place = float(self.place(at))
            if first <= at <= last and (not kept or place - kept[-1][0] >= _APART):
                kept.append((place, label))
        return kept


def _calendar_ticks(first: int, last: int) -> list[tuple[int, str]]:
    span = last - first
    if span > 2.5 * _YEAR:
        return _years(first, last, step=ceil(span / _YEAR / 12))
    if span > 100 * DAY:
        step = next((step for step in (1, 2, 3) if span / _MONTH / step <= 10), 6)
        return _months(first, last, step=step)
    if span > 4 * DAY:
        step = next(step for step in (1, 2, 4, 7, 14) if span / DAY / step <= 10 or step == 14)
        return [(at, _day(at)) for at in _steps(first, last, step=step * DAY)]
    if span > 36 * HOUR:
        return [(at, f"{_day(at)} {from_ns(at):%H:%M}") for at in _steps(first, last, step=12 * HOUR)]
    step = next((step for least, step in _SHORT if span > least), 5 * MINUTE)
    return [(at, f"{from_ns(at):%H:%M}") for at in _steps(first, last, step=step)]


def _steps(first: int, last: int, *, step: int) -> range:
    return range(-(-first // step) * step, last + 1, step)


def _day(at: int) -> str:
    found = from_ns(at)
    return f"{found.day} {MONTHS[found.month - 1]}"


def _years(first: int, last: int, *, step: int) -> list[tuple[int, str]]:
    start, end = from_ns(first).year, from_ns(last).year
    return [(_ns(np.datetime64(f"{year:04d}", "Y")), str(year)) for year in range(start, end + 1) if year % step == 0]


def _months(first: int, last: int, *, step: int) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    start, end = (int(np.datetime64(at, "ns").astype("datetime64[M]").astype(np.int64)) for at in (first, last))
    for month in range(start, end + 1):
        if month % step == 0:
            year, name = 1970 + month // 12, MONTHS[month % 12]
            found.append((_ns(np.datetime64(month, "M")), f"{name} {year}" if month % 12 == 0 or not found else name))
    return found


def _ns(date: np.datetime64) -> int:
    return int(date.astype("datetime64[ns]").astype(np.int64))


def extremes(values: Floats, most: int) -> Ints:
    """Indices of at most `most` values, in order: the lowest and highest of each stretch, the first and the last."""
    count = len(values)
    if count <= most:
        return np.arange(count, dtype=np.int64)
    edges = np.linspace(0, count, max(1, (most - 2) // 2) + 1).astype(np.int64).tolist()
    known = np.where(np.isfinite(values), values, 0.0)
    kept = {0, count - 1}
    for start, stop in pairwise(edges):
        part = known[start:stop]
        kept |= {start + int(part.argmin()), start + int(part.argmax())}
    return np.array(sorted(kept), dtype=np.int64)


def evenly(count: int, most: int) -> Ints:
    """At most `most` of `count` indices, evenly spread, the first and the last among them."""
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return np.unique(np.linspace(0, count - 1, most).round().astype(np.int64))
