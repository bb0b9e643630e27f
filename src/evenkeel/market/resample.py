"""Longer bars from shorter ones, on the sessions of a calendar.

Intraday buckets are counted from the session's open (from the grid point before it where the source keeps clock hours)
and never cross the close; bars outside every session have buckets of their own. Days, weeks and months are made of
session bars only. The last bucket is left out until it is known to be complete.
"""

import numpy as np
from msgspec import Struct

from evenkeel.domain.errors import InvalidInput
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import Calendar, Sessions
from evenkeel.market.columns import DAY, Ints
from evenkeel.market.spans import period
from evenkeel.market.timeframes import Timeframe
from evenkeel.market.timeframes import timeframe as parse

_WIDEST = 40 * DAY


class _Buckets(Struct, frozen=True):
    """Per source bar kept: its bucket's number (rising), nominal start and end."""

    bars: Bars
    number: Ints
    start: Ints
    end: Ints


def resample(
    bars: Bars, timeframe: str, calendar: Calendar, *, as_of: int | None = None, partial: bool = False
) -> Bars:
    """Bars of `timeframe` made of `bars`: first open, highest high, lowest low, last close and spread, summed volume.

    The last bucket is given only if a source bar or `as_of` (ns) reaches its end; with `partial` it is given anyway,
    and closes with its last source bar. Raises InvalidInput where the target is not a multiple of the source.
    """
    source, target = parse(bars.timeframe), parse(timeframe)
    if source.name == target.name or not len(bars):
        return bars if len(bars) else Bars.empty(bars.instrument_id, target.name)
    if target.ns <= source.ns or (target.intraday and target.ns % source.ns):
        raise InvalidInput(f"{target.name} bars cannot be made of {source.name} bars: they are no multiple of them")
    sessions = calendar.around(int(bars.ts[0]) - _WIDEST, int(bars.close_ts[-1]) + _WIDEST)
    buckets = _intraday(bars, source, target, sessions) if target.intraday else _daily(bars, source, target, sessions)
    if not len(buckets.bars):
        return Bars.empty(bars.instrument_id, target.name)
    made = _merged(buckets, target.name)
    seen = max(int(bars.close_ts[-1]), as_of or 0)
    if made.close_ts[-1] <= seen:
        return made
    if not partial:
        return made.rows(0, -1)
    closes = made.close_ts.copy()
    closes[-1] = buckets.bars.close_ts[-1]
    return made.replaced(close_ts=closes)


def _intraday(bars: Bars, source: Timeframe, target: Timeframe, sessions: Sessions) -> _Buckets:
    at = np.searchsorted(sessions.closes, bars.ts, side="right")
    opens, closes, closed_before = sessions.opens[at], sessions.closes[at], sessions.closes[at - 1]
    phases, counts = np.unique((opens - bars.ts) % source.ns, return_counts=True)
    anchor = opens - phases[counts.argmax()]
    inside = opens < bars.close_ts
    bucket = (bars.ts - anchor) // target.ns
    bucket = np.where(inside, np.maximum(bucket, 0), np.minimum(bucket, -1))
    nominal = anchor + bucket * target.ns
    start = np.where(inside, nominal, np.maximum(nominal, closed_before))
    end = np.minimum(nominal + target.ns, np.where(inside, closes, anchor))
    changes = (np.diff(at) != 0) | (np.diff(bucket) != 0)
    return _Buckets(bars, np.concatenate(([0], np.cumsum(changes))), start, end)


def _daily(bars: Bars, source: Timeframe, target: Timeframe, sessions: Sessions) -> _Buckets:
    at = np.searchsorted(sessions.closes, bars.ts, side="right")
    if source.intraday:
        kept = sessions.opens[at] < bars.close_ts
        bars, at = bars.where(kept), at[kept]
    periods = period(sessions.days, target)
    first = np.searchsorted(periods, periods, side="left")
    last = np.searchsorted(periods, periods, side="right") - 1
    return _Buckets(bars, periods[at], sessions.opens[first[at]], sessions.closes[last[at]])


def _merged(buckets: _Buckets, timeframe: str) -> Bars:
    bars = buckets.bars
    first = np.concatenate(([0], np.flatnonzero(np.diff(buckets.number)) + 1))
    last = np.concatenate((first[1:] - 1, [len(bars) - 1]))
    columns = {
        "ts": buckets.start[first],
        "close_ts": np.maximum(buckets.end[first], bars.close_ts[last]),
        "open": bars.open[first],
        "high": np.maximum.reduceat(bars.high, first),
        "low": np.minimum.reduceat(bars.low, first),
        "close": bars.close[last],
        "volume": np.add.reduceat(bars.volume, first),
        "spread": bars.spread[last],
    }
    return Bars.of(bars.instrument_id, timeframe, columns)
