"""When a market is open: sessions by date, with holidays, early closes and special sessions.

A session is dated by the exchange's own day: the FX session that opens on Sunday evening in New York is Monday's.
Importing this module is cheap; pandas is loaded only for an exchange that is neither computed here nor cached.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct

from evenkeel.domain.clock import from_ns, to_ns
from evenkeel.domain.errors import InvalidInput
from evenkeel.market import schedules
from evenkeel.market.columns import Ints

_MARGIN = timedelta(days=10)
_SEARCH_YEARS = 3


class Session(Struct, frozen=True):
    """One trading day: `open` and `close` in ns UTC, and the pause between `break_start` and `break_end`, if any."""

    date: date
    open: int
    close: int
    break_start: int = 0
    break_end: int = 0


class Sessions:
    """Sessions as columns: `days` (proleptic ordinals), `opens`, `closes`, `breaks` (n × 2), int64."""

    __slots__ = ("_open_before", "breaks", "closes", "days", "opens")

    def __init__(self, table: schedules.Table) -> None:
        self.days, self.opens, self.closes = (np.ascontiguousarray(table[:, n]) for n in range(3))
        self.breaks = table[:, 3:5]
        lengths = self.closes - self.opens - (self.breaks[:, 1] - self.breaks[:, 0])
        self._open_before = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths)))

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, index: int) -> Session:
        pause = self.breaks[index].tolist()
        day = date.fromordinal(int(self.days[index]))
        return Session(day, int(self.opens[index]), int(self.closes[index]), *pause)

    def __iter__(self) -> Iterator[Session]:
        return (self[index] for index in range(len(self)))

    def open_time(self, moments: Ints) -> Ints:
        """Time the market was open from the first session here up to each moment, in ns.

        The difference of two is the trading time between them, which is 0 across a night or a holiday.
        """
        at = np.searchsorted(self.opens, moments, side="right") - 1
        known = np.maximum(at, 0)
        inside = np.clip(moments - self.opens[known], 0, self.closes[known] - self.opens[known])
        start, end = self.breaks[known, 0], self.breaks[known, 1]
        paused = np.clip(moments - start, 0, end - start)
        return np.asarray(np.where(at < 0, 0, self._open_before[known] + inside - paused), dtype=np.int64)


class Calendar:
    """The sessions of one exchange. Get it with `calendar(name)`."""

    def __init__(self, name: str, *, cache: Path | None = None) -> None:
        self.name = schedules.canonical(name)
        self.zone = ZoneInfo(schedules.zone_of(self.name))
        self._cache = cache
        self._years: dict[int, schedules.Table] = {}
        self._span: tuple[int, int] = (0, -1)
        self._loaded = Sessions(np.empty((0, 5), dtype=np.int64))

    def sessions(self, start: date, end: date) -> Sessions:
        """The sessions dated from `start` to `end`, both included."""
        loaded = self._covering(start, end)
        first = int(np.searchsorted(loaded.days, start.toordinal(), side="left"))
        last = int(np.searchsorted(loaded.days, end.toordinal(), side="right"))
        columns = (loaded.days, loaded.opens, loaded.closes, loaded.breaks)
        return Sessions(np.column_stack([column[first:last] for column in columns]))

    def around(self, first: int, last: int) -> Sessions:
        """The sessions from some days before the moment `first` to some days after `last` (ns)."""
        return self.sessions(from_ns(first).date() - _MARGIN, from_ns(last).date() + _MARGIN)

    def session(self, day: date) -> Session | None:
        """The session of `day`, or None where the exchange is closed."""
        loaded = self._covering(day, day)
        at = int(np.searchsorted(loaded.days, day.toordinal()))
        return loaded[at] if at < len(loaded) and loaded.days[at] == day.toordinal() else None

    def session_at(self, moment: int) -> Session | None:
        """The session whose [open, close) holds `moment` (ns), pauses included."""
        day = from_ns(moment).date()
        loaded = self._covering(day - _MARGIN, day + _MARGIN)
        at = int(np.searchsorted(loaded.opens, moment, side="right")) - 1
        return loaded[at] if at >= 0 and moment < loaded.closes[at] else None

    def is_open(self, moment: int) -> bool:
        """Whether the market trades at `moment` (ns)."""
        session = self.session_at(moment)
        return session is not None and not session.break_start <= moment < session.break_end

    def next_session(self, day: date) -> Session:
        """The first session dated after `day`. Raises InvalidInput where the calendar ends."""
        return self._nearest(day, 1)

    def previous_session(self, day: date) -> Session:
        """The last session dated before `day`. Raises InvalidInput where the calendar begins."""
        return self._nearest(day, -1)

    def day_start(self, day: date) -> int:
        """The ns at which `day` begins here: local midnight, or its session's open where that is earlier."""
        midnight = to_ns(datetime.combine(day, time(0), self.zone))
        session = self.session(day)
        return midnight if session is None else min(midnight, session.open)

    def local_date(self, moment: int) -> date:
        """The session date of `moment`: of the session that holds it, else the date on the exchange's wall."""
        session = self.session_at(moment)
        return session.date if session else from_ns(moment).astimezone(self.zone).date()

    def _nearest(self, day: date, step: int) -> Session:
        for years in range(_SEARCH_YEARS):
            far = date(day.year + step * years, 12 if step > 0 else 1, 31 if step > 0 else 1)
            found = (
                self.sessions(day + timedelta(days=1), far) if step > 0 else self.sessions(far, day - timedelta(days=1))
            )
            if len(found):
                return found[0 if step > 0 else len(found) - 1]
        raise InvalidInput(f"the calendar {self.name} has no session {'after' if step > 0 else 'before'} {day}")

    def _covering(self, start: date, end: date) -> Sessions:
        first, last = start.year, end.year
        if self._span[0] <= first and last <= self._span[1]:
            return self._loaded
        if self._years:
            first, last = min(first, self._span[0]), max(last, self._span[1])
        for year in range(first, last + 1):
            if year not in self._years:
                self._years[year] = schedules.table(self.name, year, self._cache)
        self._span = (first, last)
        self._loaded = Sessions(np.concatenate([self._years[year] for year in range(first, last + 1)]))
        return self._loaded


@lru_cache(maxsize=256)
def calendar(name: str, *, cache: Path | None = None) -> Calendar:
    """The calendar of an exchange: XNYS, XNSE, CME, FX, METALS, 24/7, or a name pandas-market-calendars knows.

    `cache` is a folder that keeps what the library computed. Raises InvalidInput for an unknown name.
    """
    return Calendar(name, cache=cache)
