"""When a schedule of rebalancing is due: moments of sessions, by the calendars of the exchanges it trades at.

A day counts on which all of these are open, and its session is that of the exchange that opens last. However long a
span, a moment lies within its session, a minute before the close at the latest.
"""

from collections.abc import Collection, Iterator
from datetime import date, timedelta
from itertools import groupby

from evenkeel.domain.clock import from_ns
from evenkeel.domain.rebalance_schedules import MINUTE, Cadence, Timing
from evenkeel.market.calendars import Session, calendar

_REACH = timedelta(days=120)
_WINDOWS = 4
_MARGIN = timedelta(days=3)


def next_moment(timing: Timing, calendars: Collection[str], *, after: int) -> int | None:
    """The first moment (ns) after another; None where the calendars have none within a year.

    Calendars may have to be loaded first: call it on a thread. Raises InvalidInput for one that nobody knows.
    """
    start = from_ns(after).date() - _MARGIN
    for _ in range(_WINDOWS):
        found = next((one for one in _moments(timing, calendars, start, start + _REACH) if one > after), None)
        if found is not None:
            return found
        start += _REACH
    return None


def last_moment(timing: Timing, calendars: Collection[str], *, after: int, until: int) -> tuple[int | None, int]:
    """The last moment (ns) after one and up to another, and how many came before it; of bands, those of 120 days."""
    first, last = from_ns(after).date() - _MARGIN, from_ns(until).date() + _MARGIN
    if timing.cadence is Cadence.BAND:
        first = max(first, last - _REACH)
    found = [one for one in _moments(timing, calendars, first, last) if after < one <= until]
    return (found[-1], len(found) - 1) if found else (None, 0)


def _moments(timing: Timing, calendars: Collection[str], first: date, last: date) -> Iterator[int]:
    """In order, those of sessions from a day to another, periods that begin or end beyond them left whole."""
    for _, group in groupby(
        _sessions(calendars, *_whole(timing, first, last)), key=lambda one: _period(timing, one.date)
    ):
        period = list(group)
        session = period[-1] if timing.last else period[0]
        if first <= session.date <= last:
            yield from _of_session(timing, session)


def _whole(timing: Timing, first: date, last: date) -> tuple[date, date]:
    """The days with the weeks, months and quarters that they lie in."""
    if timing.cadence in (Cadence.DAILY, Cadence.BAND):
        return first, last
    begin = date(first.year, 3 * ((first.month - 1) // 3) + 1, 1)
    return begin - timedelta(days=7), date(last.year + last.month // 10, (last.month + 2) // 3 * 3 % 12 + 1, 7)


def _period(timing: Timing, day: date) -> tuple[int, ...]:
    match timing.cadence:
        case Cadence.WEEKLY:
            return tuple(day.isocalendar()[:2])
        case Cadence.MONTHLY:
            return day.year, day.month
        case Cadence.QUARTERLY:
            return day.year, (day.month - 1) // 3
    return (day.toordinal(),)


def _sessions(calendars: Collection[str], first: date, last: date) -> Iterator[Session]:
    """A session each day that all exchanges have one: of that which opens last."""
    by_day = [{one.date: one for one in calendar(name).sessions(first, last)} for name in sorted(set(calendars))]
    if not by_day:
        return
    for day in sorted(set(by_day[0]).intersection(*by_day[1:])):
        yield max((sessions[day] for sessions in by_day), key=lambda one: one.open)


def _of_session(timing: Timing, session: Session) -> Iterator[int]:
    at = session.open + timing.after_open if timing.before_close is None else session.close - timing.before_close
    at = max(session.open, min(at, session.close - MINUTE))
    yield at
    if timing.cadence is Cadence.BAND:
        while (at := at + timing.every) < session.close:
            yield at
