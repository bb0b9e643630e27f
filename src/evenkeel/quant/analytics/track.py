"""A track record: equity by date, its initial capital first, and what a year of its periods is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.returns import DAYS_PER_YEAR, period_returns, wealth
from evenkeel.quant.analytics.series import Floats, refuse, same_length

Days = npt.NDArray[np.datetime64]
Day = np.datetime64 | date | str
Dates = npt.ArrayLike | Sequence[Day]


def days(dates: Dates) -> Days:
    """Dates of any kind numpy knows (`datetime.date`, "2024-01-31", datetime64) as datetime64[D].

    Raises InvalidInput where one is not a date.
    """
    try:
        result = np.asarray(dates, dtype="datetime64[D]")
    except (TypeError, ValueError) as fault:
        raise refuse("dates", f"expected dates such as 2024-01-31: {fault}") from fault
    if np.isnat(result).any():
        raise refuse("dates", "a date is missing")
    return result


def _day(date_: Day) -> np.datetime64:
    (only,) = days([date_])
    return np.datetime64(only, "D")


def periods_per_year(dates: Dates) -> float:
    """How many of these dates fall in a year of 365.25 days, to the nearest whole number.

    Give it the sessions of a calendar over whole years (252 for XNYS, about 247 for XNSE, 365 where every day is
    one) or the dates of a record (12 for months). Raises InvalidInput for less than a year.
    """
    distinct = np.unique(days(dates))
    span = int((distinct[-1] - distinct[0]).astype(np.int64)) if len(distinct) else 0
    if span < 364:
        raise refuse("dates", f"expected a year of dates or more, not {span} days; pass the calendar's sessions")
    return float(max(1, round((len(distinct) - 1) * DAYS_PER_YEAR / span)))


@dataclass(frozen=True, eq=False)
class Track:
    """n periods: `dates` has the n dates on which they end, `equity` n + 1 values, the first being the capital at
    `start`. Build it with `of_equity` or `of_returns`, which check."""

    start: np.datetime64
    dates: Days
    equity: Floats

    @classmethod
    def of_equity(cls, dates: Dates, equity: npt.ArrayLike, *, start: Day, capital: float) -> Self:
        """A record from equity at the end of each period, after `capital` was valued on the date `start`.

        Several values may fall on one date, in their order. Raises InvalidInput where lengths differ, dates fall,
        an equity is not finite or the capital is not positive.
        """
        ends, values = days(dates), np.asarray(equity, dtype=np.float64)
        same_length(dates=ends.astype(np.float64), equity=values)
        beginning = _day(start)
        if np.any(np.diff(np.concatenate(([beginning], ends))) < np.timedelta64(0, "D")):
            raise refuse("dates", "expected dates in order, none before the start")
        if not (np.isfinite(capital) and capital > 0.0):
            raise refuse("capital", f"expected a positive amount, not {capital!r}")
        if not np.isfinite(values).all():
            raise refuse("equity", f"value {int(np.argmin(np.isfinite(values)))} is not a finite number")
        return cls(beginning, ends, np.concatenate(([capital], values)))

    @classmethod
    def of_returns(cls, dates: Dates, returns: npt.ArrayLike, *, start: Day, capital: float = 1.0) -> Self:
        """A record from the return of each period. Raises InvalidInput, also for a return below -1: a loss beyond
        the capital does not compound, so give the equity instead."""
        values = np.asarray(returns, dtype=np.float64)
        if not np.isfinite(values).all() or np.any(values < -1.0):
            raise refuse("returns", "expected finite fractions of -1 or more; beyond that, give the equity")
        return cls.of_equity(dates, wealth(values, capital)[1:], start=start, capital=capital)

    def __len__(self) -> int:
        return len(self.dates)

    @cached_property
    def returns(self) -> Floats:
        """The n period returns; NaN after equity has reached zero."""
        return period_returns(self.equity)

    @cached_property
    def points(self) -> Days:
        """The n + 1 dates of `equity`."""
        return np.concatenate(([self.start], self.dates))

    @property
    def years(self) -> float:
        """Calendar time from the start to the last date, in years of 365.25 days."""
        return float((self.points[-1] - self.start).astype(np.int64)) / DAYS_PER_YEAR

    def daily(self) -> Track:
        """The record of whole dates: of several values on one date the last."""
        last = np.append(self.dates[1:] != self.dates[:-1], True)[: len(self)]
        return Track(self.start, self.dates[last], np.concatenate((self.equity[:1], self.equity[1:][last])))

    def since(self, start: Day) -> Track:
        """The record from the last value on or before the date `start`. Raises InvalidInput where it began later."""
        first = _day(start)
        at = int(np.searchsorted(self.points, first, side="right")) - 1
        if at < 0:
            raise InvalidInput(f"the record starts on {self.start}, after {first}; choose a later date")
        return Track(self.points[at], self.dates[at:], self.equity[at:])
