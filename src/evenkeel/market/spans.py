"""From the time a file gives a bar to its open and close: sessions for days and longer, the clock within the day."""

import numpy as np

from evenkeel.market.calendars import Calendar, Sessions
from evenkeel.market.columns import DAY, Ints
from evenkeel.market.timeframes import Timeframe

_WIDEST = 40 * DAY
_EPOCH = 719_163


def spans(ns: Ints, timeframe: Timeframe, calendar: Calendar, *, dates: bool) -> tuple[Ints, Ints]:
    """(open, close) in ns of bars stamped `ns`; `dates` says that the stamps are dates at midnight UTC.

    Intraday bars last their timeframe, or until the session closes. A daily bar takes the session of its date, also
    where it is stamped with local midnight or the session's open or close; a date without a session takes the hours of
    the session before. Weeks and months reach from their first open to their last close; (0, 0) where there is none.
    """
    sessions = calendar.around(int(ns.min()) - _WIDEST, int(ns.max()) + _WIDEST)
    if timeframe.intraday:
        return ns, _intraday_close(ns, timeframe, sessions)
    days = _dates(ns, calendar, sessions, dates=dates or not (ns % DAY).any())
    if timeframe.unit == "d":
        return _daily(days, calendar, sessions)
    periods = period(sessions.days, timeframe)
    wanted = period(days, timeframe)
    first = np.searchsorted(periods, wanted, side="left")
    last = np.searchsorted(periods, wanted, side="right") - 1
    exists = last >= first
    first, last = np.where(exists, first, 0), np.where(exists, last, 0)
    return np.where(exists, sessions.opens[first], 0), np.where(exists, sessions.closes[last], 0)


def period(days: Ints, timeframe: Timeframe) -> Ints:
    """A number that rises with each day, week (Monday first) or month, for ordinals of days."""
    if timeframe.unit == "d":
        return days
    if timeframe.unit == "w":
        return (days - 1) // 7
    dates = (days - _EPOCH).astype("datetime64[D]")
    return np.asarray(dates.astype("datetime64[M]"), dtype=np.int64)


def _intraday_close(ns: Ints, timeframe: Timeframe, sessions: Sessions) -> Ints:
    at = np.searchsorted(sessions.closes, ns, side="right")
    inside = sessions.opens[at] <= ns
    return np.where(inside, np.minimum(ns + timeframe.ns, sessions.closes[at]), ns + timeframe.ns)


def _dates(ns: Ints, calendar: Calendar, sessions: Sessions, *, dates: bool) -> Ints:
    """Ordinals of the session dates that the stamps mean."""
    if dates:
        return ns // DAY + _EPOCH
    import polars as pl

    moments = pl.Series(ns).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
    local = moments.dt.convert_time_zone(calendar.zone.key).dt.date().cast(pl.Int32).to_numpy().astype(np.int64)
    at = np.maximum(np.searchsorted(sessions.opens, ns, side="right") - 1, 0)
    inside = (sessions.opens[at] <= ns) & (ns < sessions.closes[at])
    return np.where(inside, sessions.days[at], local + _EPOCH)


def _daily(days: Ints, calendar: Calendar, sessions: Sessions) -> tuple[Ints, Ints]:
    at = np.minimum(np.searchsorted(sessions.days, days), len(sessions) - 1)
    opens, closes = sessions.opens[at].copy(), sessions.closes[at].copy()
    for index in np.flatnonzero(sessions.days[at] != days).tolist():
        usual = sessions[max(int(at[index]) - 1, 0)]
        shift = (int(days[index]) - usual.date.toordinal()) * DAY
        opens[index], closes[index] = usual.open + shift, usual.close + shift
    return opens, closes
