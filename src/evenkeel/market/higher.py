"""A higher timeframe seen from a lower one: its finished bars only, each from the moment it has closed.

The bars are made of the lower ones by the calendar of the instrument, so that a backtest and a live run read the same.
A bar that has not finished is never shown, however much of it is known: it would be another one at its close.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from weakref import ref

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.columns import COLUMNS, Floats, Ints
from evenkeel.market.panel import Panel
from evenkeel.market.resample import resample
from evenkeel.market.timeframes import ratio_of
from evenkeel.market.timeframes import timeframe as parse

D = TypeVar("D", Bars, Panel)


@dataclass(frozen=True, slots=True, eq=False)
class Higher(Generic[D]):
    """`bars`: the finished ones of the higher timeframe, m of them, read-only; the first may lack its beginning.

    `row` (n,): for each of the n lower bars the place in `bars` of the newest that has closed by its close, −1 before
    the first. `whole` (n,): how many that began no earlier than the first lower bar have closed by then.
    """

    bars: D
    row: Ints
    whole: Ints

    def aligned(self, values: Floats) -> Floats:
        """(n, …): a series (m, …) of the higher bars as it was known at each lower one, NaN before the first."""
        known = np.full((len(self.row), *np.shape(values)[1:]), np.nan)
        seen = self.row >= 0
        known[seen] = np.asarray(values)[self.row[seen]]
        return known


def higher(bars: D, timeframe: str) -> Higher[D]:
    """The finished bars of a higher timeframe, and which of them are known at each bar.

    Raises InvalidInput where it is not a higher one made of whole bars.
    """
    ratio_of(timeframe, bars.timeframe)
    return _remembered(bars, parse(timeframe).name)


def finished(bars: Bars, name: str, *, as_of: int) -> Bars:
    """The bars of the higher timeframe that have closed by `as_of` (ns), by the instrument's calendar, else 24/7."""
    made = resample(bars, name, calendar(bars.calendar), as_of=as_of).as_of(as_of)
    return Bars.raw(made.instrument_id, made.timeframe, [getattr(made, one) for one in COLUMNS], bars.instrument)


def _made(lower: D, name: str) -> Higher[D]:
    last = int(lower.close_ts[-1]) if len(lower) else 0
    if isinstance(lower, Panel):
        made = Panel.of({one: finished(lower.bars(one), name, as_of=last) for one in lower.instrument_ids})
    else:
        made = finished(lower, name, as_of=last)
    for column in COLUMNS:
        getattr(made, column).flags.writeable = False
    row = np.searchsorted(made.close_ts, lower.close_ts, side="right") - 1
    partial = np.count_nonzero(made.ts < lower.ts[0]) if len(lower) else 0
    return Higher(made, row, np.maximum(row + 1 - partial, 0))


_Kept = dict[str, tuple[tuple[ref[Any], ...], Higher[Any]]]
_KNOWN: dict[int, tuple[ref[Any], _Kept]] = {}


def _remembered(lower: D, name: str) -> Higher[D]:
    """What was made of the same read-only columns is made once, and remembered for as long as these live."""
    columns = tuple(getattr(lower, one) for one in COLUMNS)
    if any(column.flags.writeable for column in columns):
        return _made(lower, name)
    known = _kept_of(lower.close)
    found = known.get(name)
    if found is None or any(one() is not column for one, column in zip(found[0], columns, strict=True)):
        found = known[name] = (tuple(map(ref, columns)), _made(lower, name))
    return found[1]


def _kept_of(close: Floats) -> _Kept:
    place = id(close)
    known = _KNOWN.get(place)
    if known is None or known[0]() is not close:
        known = _KNOWN[place] = (ref(close, lambda gone: _forget(place, gone)), {})
    return known[1]


def _forget(place: int, gone: ref[Any]) -> None:
    known = _KNOWN.get(place)
    if known is not None and known[0] is gone:
        del _KNOWN[place]
