"""What a stored run of bars lacks: gaps against the exchange's calendar, and where its rows came from.

A gap is a warning, never a refusal: markets halt, thin ones have minutes without a trade, and archives have holes.
"""

import numpy as np
from msgspec import Struct

from evenkeel.market.bars import Bars
from evenkeel.market.calendars import Calendar, Sessions
from evenkeel.market.columns import Ints
from evenkeel.market.timeframes import Timeframe
from evenkeel.market.timeframes import timeframe as parse
from evenkeel.market.validation import Fault

LISTED = 200
_SESSIONS_IN = {"d": 1, "w": 5, "mo": 21}


class Gap(Struct, frozen=True):
    """Trading time without bars, from the close before it to the open after it (ns), and how many bars that is."""

    start: int
    end: int
    missing: int


class Source(Struct, frozen=True):
    """One file that was imported: its name, the rows taken, the rows left out and what was assumed."""

    file: str
    rows: int
    dropped: tuple[Fault, ...] = ()
    dropped_total: int = 0
    notes: tuple[str, ...] = ()


class CheckReport(Struct, frozen=True):
    """The check of one stored series. `gaps` lists the first `LISTED` of `gap_count`."""

    rows: int
    first_ts: int
    last_close_ts: int
    calendar: str
    missing: int
    gap_count: int
    gaps: tuple[Gap, ...]
    outside_sessions: int
    sources: tuple[Source, ...] = ()


def report(bars: Bars, calendar: Calendar, *, sources: tuple[Source, ...] = ()) -> CheckReport:
    """The check of `bars` (at least one) against `calendar`."""
    sessions = calendar.around(int(bars.ts[0]), int(bars.close_ts[-1]))
    gaps, missing = _gaps(bars, parse(bars.timeframe), sessions)
    during = sessions.open_time(bars.close_ts) - sessions.open_time(bars.ts)
    return CheckReport(
        rows=len(bars),
        first_ts=int(bars.ts[0]),
        last_close_ts=int(bars.close_ts[-1]),
        calendar=calendar.name,
        missing=int(missing.sum()),
        gap_count=len(missing),
        gaps=gaps,
        outside_sessions=int((during == 0).sum()),
        sources=sources,
    )


def _gaps(bars: Bars, timeframe: Timeframe, sessions: Sessions) -> tuple[tuple[Gap, ...], Ints]:
    start, end = bars.close_ts[:-1], bars.ts[1:]
    lacking = sessions.open_time(end) - sessions.open_time(start)
    at = np.flatnonzero(lacking > 0)
    if timeframe.intraday:
        missing = -(-lacking[at] // timeframe.ns)
    else:
        days = np.searchsorted(sessions.opens, end[at]) - np.searchsorted(sessions.opens, start[at])
        missing = np.maximum(1, days // _SESSIONS_IN[timeframe.unit])
    found = zip(start[at].tolist(), end[at].tolist(), missing.tolist(), strict=True)
    listed = tuple(Gap(*gap) for _, gap in zip(range(LISTED), found, strict=False))
    return listed, np.asarray(missing, dtype=np.int64)
