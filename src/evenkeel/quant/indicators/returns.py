"""Returns, and volatility as it was realised, a year at a time.

The number of bars a year is always given (`A`): 252 for daily bars of an exchange, 252 × 390 for its minutes,
365 × 24 for hours of a market that never closes.
"""

from math import log, sqrt

import numpy as np

from evenkeel.quant.indicators.averages import sma
from evenkeel.quant.indicators.memo import Floats, memoised
from evenkeel.quant.indicators.moments import rolling_std
from evenkeel.quant.indicators.windows import check_lengths, check_period, check_positive, delayed


@memoised
def simple_returns(series: Floats, bars: int = 1) -> Floats:
    """value / value `bars` earlier − 1; NaN where either is not above 0. Raises InvalidInput."""
    check_period(bars, name="bars")
    before = delayed(series, int(bars))
    known = (before > 0.0) & (series > 0.0)
    return np.where(known, series / np.where(known, before, 1.0) - 1.0, np.nan)


@memoised
def log_returns(series: Floats, bars: int = 1) -> Floats:
    """ln(value / value `bars` earlier); NaN where either is not above 0. Raises InvalidInput."""
    check_period(bars, name="bars")
    return _log_ratio(series, delayed(series, int(bars)))


@memoised
def realised_volatility(close: Floats, period: int, *, A: float) -> Floats:
    """The sample deviation of the last `period` logarithmic returns × √A; first known at index `period`.

    Raises InvalidInput.
    """
    check_period(period, 2)
    check_positive(A, name="A")
    return rolling_std(log_returns(close), period, ddof=1) * sqrt(A)


@memoised
def parkinson_volatility(high: Floats, low: Floats, *, period: int, A: float) -> Floats:
    """√(A / (4 ln 2) × mean of ln(high / low)²) (M. Parkinson, 1980).

    It knows no gaps between bars. Raises InvalidInput.
    """
    check_period(period)
    check_positive(A, name="A")
    check_lengths(high=high, low=low)
    return np.sqrt(sma(_log_ratio(high, low) ** 2, period) * (A / (4.0 * log(2.0))))


@memoised
def garman_klass_volatility(
    open_: Floats, high: Floats, low: Floats, close: Floats, period: int, *, A: float
) -> Floats:
    """√(A × mean of ½ ln(high / low)² − (2 ln 2 − 1) ln(close / open)²) (M. B. Garman and M. J. Klass, 1980).

    It knows no gaps between bars. Raises InvalidInput.
    """
    check_period(period)
    check_positive(A, name="A")
    check_lengths(open_=open_, high=high, low=low, close=close)
    terms = 0.5 * _log_ratio(high, low) ** 2 - (2.0 * log(2.0) - 1.0) * _log_ratio(close, open_) ** 2
    return np.sqrt(np.maximum(sma(terms, period), 0.0) * A)


def _log_ratio(series: Floats, before: Floats) -> Floats:
    known = (before > 0.0) & (series > 0.0)
    return np.where(known, np.log(np.where(known, series, 1.0) / np.where(known, before, 1.0)), np.nan)
