"""The New York Stock Exchange's days, by rule, from 1993 on: computed in a millisecond, with no library behind it.

Holidays and 13:00 closes follow the exchange's standing rules (Rule 7.2); what no rule foresees (mourning, storms, late
openings) is data in `special_sessions.csv`. The tests hold the outcome against pandas-market-calendars.
"""

from datetime import date, time, timedelta

FIRST_YEAR = 1993
OPEN, CLOSE, EARLY = time(9, 30), time(16, 0), time(13, 0)
_MONDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 3, 4, 5, 6


def trading_days(year: int) -> list[tuple[date, time, time]]:
    """(date, open, close) in New York time for each day of `year` (≥ 1993) on which the rules let it trade."""
    closed, early = holidays(year), early_closes(year)
    days = (date(year, 1, 1) + timedelta(days=n) for n in range(366))
    return [
        (day, OPEN, EARLY if day in early else CLOSE)
        for day in days
        if day.year == year and day.weekday() < _SATURDAY and day not in closed
    ]


def holidays(year: int) -> set[date]:
    """Days closed by rule."""
    closed = {
        _weekday(year, 2, _MONDAY, 3),
        easter(year) - timedelta(days=2),
        _last_monday_of_may(year),
        _moved(date(year, 7, 4)),
        _weekday(year, 9, _MONDAY, 1),
        thanksgiving(year),
        _moved(date(year, 12, 25)),
    }
    new_year = date(year, 1, 1)
    if new_year.weekday() != _SATURDAY:
        closed.add(_moved(new_year))
    if year >= 1998:
        closed.add(_weekday(year, 1, _MONDAY, 3))
    if year >= 2022:
        closed.add(_moved(date(year, 6, 19)))
    return closed


def early_closes(year: int) -> set[date]:
    """Days that close at 13:00 by rule."""
    days = {thanksgiving(year) + timedelta(days=1)}
    if (eve := date(year, 12, 24)).weekday() <= _THURSDAY:
        days.add(eve)
    independence = date(year, 7, 4)
    if independence.weekday() == _THURSDAY and year < 2013:
        days.add(date(year, 7, 5))
    elif independence.weekday() not in (_MONDAY, _SATURDAY, _SUNDAY):
        days.add(date(year, 7, 3))
    return days


def thanksgiving(year: int) -> date:
    return _weekday(year, 11, _THURSDAY, 4)


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones and Butcher's algorithm)."""
    golden, century, in_century = year % 19, year // 100, year % 100
    skipped, leap = (century + 8) // 25, century // 4
    moon = (19 * golden + century - leap - (century - skipped + 1) // 3 + 15) % 30
    week = (32 + 2 * (century % 4) + 2 * (in_century // 4) - moon - in_century % 4) % 7
    late = (golden + 11 * moon + 22 * week) // 451
    month, day = divmod(moon + week - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _moved(day: date) -> date:
    """A Saturday's holiday is kept on Friday, a Sunday's on Monday."""
    return day + timedelta(days={_SATURDAY: -1, _SUNDAY: 1}.get(day.weekday(), 0))


def _weekday(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _last_monday_of_may(year: int) -> date:
    last = date(year, 5, 31)
    return last - timedelta(days=last.weekday())
