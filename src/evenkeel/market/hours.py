"""Stretches of time cut to the hours in which an exchange trades."""

from collections.abc import Iterator
from datetime import date, timedelta

from msgspec import Struct

from evenkeel.market.calendars import Calendar


class Stretch(Struct, frozen=True):
    """Which stretch of a row it is, counted from 0, and from when until when (ns) its exchange is first open in it."""

    number: int
    start: int
    end: int


def open_hours(calendar: Calendar, since: int) -> Iterator[tuple[int, int]]:
    """From when until when (ns) the exchange is open, in sequence, from the session at `since` or before it on.

    Raises InvalidInput where the calendar ends.
    """
    day: date = calendar.local_date(since) - timedelta(days=1)
    while True:
        session = calendar.next_session(day)
        day = session.date
        if session.break_start:
            yield session.open, session.break_start
            yield session.break_end, session.close
        else:
            yield session.open, session.close


def open_stretches(calendar: Calendar, *, start: int, every: int, end: int | None = None) -> Iterator[Stretch]:
    """Of the stretches of `every` from `start` on, until before `end` (ns), those in which the exchange is open."""
    number = 0
    for opens, closes in open_hours(calendar, start):
        begins, ends = max(opens, start), closes if end is None else min(closes, end)
        if end is not None and begins >= end:
            return
        number = max(number, (begins - start) // every)
        while (first := max(begins, start + number * every)) < ends:
            yield Stretch(number, first, min(ends, start + (number + 1) * every))
            number += 1
