"""The trading days that bars fall into, and how many of them a year has: measured by the calendar, else by the bars."""

from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
from msgspec import Struct

from evenkeel.domain.clock import from_ns
from evenkeel.domain.instruments import AROUND_THE_CLOCK
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import Calendar, calendar
from evenkeel.market.columns import DAY, Ints
from evenkeel.market.timeframes import timeframe

_YEAR = 365.25 * DAY
_NOMINAL = {"1w": 52.0, "1mo": 12.0}
_DECADE = (2015, 2024)


class Days(Struct, frozen=True):
    """`last`: index of each day's last bar; `dates`: their dates as proleptic ordinals; `per_year`: periods a year.

    `basis` says in words where `per_year` comes from. Bars of a week or a month count as periods of their own.
    """

    last: Ints
    dates: Ints
    per_year: float
    basis: str


def days_of(bars: Bars) -> Days:
    """The trading days of at least one bar: sessions of the instrument's calendar, else days in UTC."""
    last, dates = _intraday(bars) if timeframe(bars.timeframe).intraday else _one_a_bar(bars)
    per_year, basis = _per_year(bars, dates)
    return Days(last, dates, per_year, basis)


def days_together(series: Sequence[Bars], moments: Ints, *, of: Callable[[Bars], Days] = days_of) -> Days:
    """The trading days of bars of several instruments, at least one each; `last` are places in `moments`, which are the
    closes of all their bars. `of` finds the days of one.

    They are those of the series with the most bars. Before it begins and after it has ended they are those of the one
    with the next most, and so on: what happens then counts, too.
    """
    longest, *others = sorted(series, key=len, reverse=True)
    first = of(longest)
    closes, dates = longest.close_ts[first.last], first.dates
    for bars in others:
        if bars.close_ts[0] >= closes[0] and bars.close_ts[-1] <= closes[-1]:
            continue
        days = of(bars)
        ends = bars.close_ts[days.last]
        early = (ends < closes[0]) & (days.dates < dates[0])
        late = (ends > closes[-1]) & (days.dates > dates[-1])
        closes = np.concatenate((ends[early], closes, ends[late]))
        dates = np.concatenate((days.dates[early], dates, days.dates[late]))
    last = np.searchsorted(moments, closes, side="right") - 1
    last[-1] = len(moments) - 1
    return Days(last.astype(np.int64), dates, first.per_year, first.basis)


def dates_at(closes: Ints, exchange: str) -> Ints:
    """The session dates (ordinals) of bars that close at these moments (ns), by the calendar `exchange`."""
    if exchange == AROUND_THE_CLOCK or not len(closes):
        return (closes - 1) // DAY + date(1970, 1, 1).toordinal()
    sessions = calendar(exchange).around(int(closes[0]), int(closes[-1]))
    return np.asarray(sessions.days[np.searchsorted(sessions.closes, closes, side="left")], dtype=np.int64)


def bars_a_year(name: str, exchange: str) -> float:
    """How many bars of timeframe `name` the calendar `exchange` has in a year: the mean of the ten from 2015 on.

    It needs no bars, so it is the same in a backtest of any length and live. A session's last bar may be cut short.
    """
    frame = timeframe(name)
    if frame.name in _NOMINAL:
        return _NOMINAL[frame.name]
    first, last = _DECADE
    sessions = calendar(exchange).sessions(date(first, 1, 1), date(last, 12, 31))
    if not frame.intraday:
        return len(sessions) / (last - first + 1)
    open_for = sessions.closes - sessions.opens - (sessions.breaks[:, 1] - sessions.breaks[:, 0])
    return float(np.ceil(open_for / frame.ns).sum()) / (last - first + 1)


def _intraday(bars: Bars) -> tuple[Ints, Ints]:
    """(last bar, date) of each day: looked up from the days, of which there are few, and not from the bars."""
    exchange = _calendar_of(bars)
    if exchange is not None:
        sessions = exchange.around(int(bars.ts[0]), int(bars.close_ts[-1]))
        moments, starts, dates = bars.close_ts, sessions.opens + 1, sessions.days
    else:
        utc = np.arange(bars.ts[0] // DAY, bars.ts[-1] // DAY + 1)
        moments, starts, dates = bars.ts, utc * DAY, utc + date(1970, 1, 1).toordinal()
    first = np.searchsorted(moments, starts)
    last = np.unique(np.append(first[first > 0], len(bars))) - 1
    day = np.searchsorted(starts, moments[last], side="right") - 1
    return last.astype(np.int64), np.asarray(dates[np.maximum(day, 0)], dtype=np.int64)


def _one_a_bar(bars: Bars) -> tuple[Ints, Ints]:
    exchange = _calendar_of(bars)
    if exchange is not None:
        days = [from_ns(at - 1).astimezone(exchange.zone).date().toordinal() for at in bars.close_ts.tolist()]
        dates = np.array(days, dtype=np.int64)
    else:
        dates = _by_bar(bars.ts // DAY + date(1970, 1, 1).toordinal())
    last = np.append(np.flatnonzero(np.diff(dates)), len(bars) - 1).astype(np.int64)
    return last, dates[last]


def _calendar_of(bars: Bars) -> Calendar | None:
    """The calendar that says what a day is; None where it is a day in UTC."""
    return None if bars.calendar == AROUND_THE_CLOCK else calendar(bars.calendar)


def _by_bar(utc: Ints) -> Ints:
    """One period a bar, though two may fall on one date."""
    return utc if len(utc) < 2 or (np.diff(utc) > 0).all() else utc[0] + np.arange(len(utc), dtype=np.int64)


def _per_year(bars: Bars, dates: Ints) -> tuple[float, str]:
    if bars.timeframe in _NOMINAL:
        return _NOMINAL[bars.timeframe], f"bars of {bars.timeframe}"
    if bars.instrument is not None:
        name = bars.instrument.calendar
        first, last = from_ns(int(bars.ts[0])).year, from_ns(int(bars.close_ts[-1]) - 1).year
        if name == AROUND_THE_CLOCK:
            return 365.0, "every day of the year"
        sessions = calendar(name).sessions(date(first, 1, 1), date(last, 12, 31))
        return len(sessions) / (last - first + 1), f"sessions of {name} in {first}–{last}"
    years = (int(bars.close_ts[-1]) - int(bars.ts[0])) / _YEAR
    if years >= 1.0:
        return float(round(len(dates) / years)), "trading days that the bars show"
    weekdays = ((dates - 1) % 7 < 5).all()  # ordinal 1 was a Monday
    return (252.0, "bars on weekdays only") if weekdays else (365.0, "bars on weekends, too")
