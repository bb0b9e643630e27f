"""Returns by calendar month and year: the figures of a heat map."""

from typing import NamedTuple

import numpy as np

from evenkeel.quant.analytics.returns import period_returns
from evenkeel.quant.analytics.series import Floats, Ints
from evenkeel.quant.analytics.track import Days, Track


class YearTable(NamedTuple):
    """`years` (k), `months` (k x 12, NaN where the record has no period) and `totals` (k), all fractions."""

    years: Ints
    months: Floats
    totals: Floats


def _by(track: Track, unit: str) -> tuple[Days, Floats]:
    """The calendar units in which periods end, and the return of each from the last value before it."""
    unit_of = track.dates.astype(f"datetime64[{unit}]")
    last = np.flatnonzero(np.append(unit_of[1:] != unit_of[:-1], True)[: len(unit_of)])
    return unit_of[last], period_returns(np.concatenate((track.equity[:1], track.equity[1:][last])))


def monthly_returns(track: Track) -> tuple[Days, Floats]:
    """(months as datetime64[M], their returns), in order. The first and last may be parts of a month."""
    return _by(track, "M")


def yearly_returns(track: Track) -> tuple[Days, Floats]:
    """(years as datetime64[Y], their returns), in order. The first and last may be parts of a year."""
    return _by(track, "Y")


def year_table(track: Track) -> YearTable:
    """Returns by year and month, from the first year to the last."""
    years, totals = yearly_returns(track)
    numbers = years.astype(np.int64) + 1970
    rows = np.arange(numbers[0], numbers[-1] + 1) if len(numbers) else numbers
    table, sums = np.full((len(rows), 12), np.nan), np.full(len(rows), np.nan)
    months, values = monthly_returns(track)
    since = months.astype(np.int64)
    first = rows[0] if len(rows) else 0
    table[since // 12 + 1970 - first, since % 12] = values
    sums[numbers - first] = totals
    return YearTable(rows, table, sums)
