"""Rolling deviation, co-movement and slope: two passes a window, so that large prices cost no digits.

Each window is centred on its own mean before products are summed, oldest first. A spread that is rounding only
(1e-12 of the mean) counts as none.
"""

from math import nan

import numpy as np

from evenkeel.quant.indicators.averages import sma
from evenkeel.quant.indicators.memo import Floats, memoised
from evenkeel.quant.indicators.windows import check_lengths, check_period, contiguous, ratio
from evenkeel.quant.kernels import compiled

_RELATIVE = 1e-12
_BLOCK = 1_024


@memoised
def rolling_std(series: Floats, period: int, *, ddof: int = 0) -> Floats:
    """The standard deviation of the last `period` values, of the population, or with `ddof` 1 of a sample.

    Raises InvalidInput.
    """
    check_period(period, ddof + 1)
    spread = np.sqrt(_co_moment(series, series, period=period) / (period - ddof))
    return np.where(spread <= _RELATIVE * np.abs(sma(series, period)), 0.0, spread)


@memoised
def zscore(series: Floats, period: int, *, ddof: int = 0) -> Floats:
    """(value − mean) / standard deviation of the last `period` values; NaN where these are all equal.

    Raises InvalidInput.
    """
    check_period(period, max(2, ddof + 1))
    return ratio(series - sma(series, period), rolling_std(series, period, ddof=ddof))


@memoised
def rolling_correlation(series: Floats, other: Floats, *, period: int) -> Floats:
    """Pearson's correlation over the last `period` pairs, −1 to 1; NaN where either stands still.

    Raises InvalidInput.
    """
    check_period(period, 2)
    check_lengths(series=series, other=other)
    spread = rolling_std(series, period) * rolling_std(other, period)
    return np.clip(ratio(_co_moment(series, other, period=period) / period, spread), -1.0, 1.0)


@memoised
def rolling_beta(series: Floats, benchmark: Floats, *, period: int) -> Floats:
    """Ordinary least squares over the last `period` pairs: what `series` moves per unit of `benchmark`.

    Covariance / variance of the benchmark; NaN where that stands still. Raises InvalidInput.
    """
    check_period(period, 2)
    check_lengths(series=series, benchmark=benchmark)
    variance = rolling_std(benchmark, period) ** 2
    return ratio(_co_moment(series, benchmark, period=period) / period, variance)


def hedge_ratio(y: Floats, x: Floats, *, period: int) -> Floats:
    """Units of `x` to sell against one of `y`: the slope of prices `y` on prices `x`, with an intercept.

    The first step of Engle and Granger (1987), over the last `period` bars. Raises InvalidInput.
    """
    return rolling_beta(y, x, period=period)


@memoised
def slope(series: Floats, period: int) -> Floats:
    """The rise a bar of the straight line fitted to the last `period` values by least squares.

    Raises InvalidInput.
    """
    check_period(period, 2)
    bars = np.arange(len(series), dtype=np.float64)
    return _co_moment(bars, series, period=period) / (period * (period * period - 1) / 12.0)


def _co_moment(x: Floats, y: Floats, *, period: int) -> Floats:
    """Of each window, the sum of (x − its mean) × (y − its mean)."""
    x, y = contiguous(x), contiguous(y)
    result = np.empty(len(x))
    co_moments(x, y, sma(x, period), sma(y, period), int(period), result)
    return result


@compiled(lambda t: t.void(t.floats, t.floats, t.floats, t.floats, t.int64, t.out))
def co_moments(x: Floats, y: Floats, mean_x: Floats, mean_y: Floats, period: int, out: Floats) -> None:
    """Writes the co-moment of each window about the means given; many windows advance side by side."""
    before = period - 1
    for i in range(min(before, len(out))):
        out[i] = nan
    for start in range(0, len(x) - before, _BLOCK):
        sums = out[start + before : start + before + _BLOCK]
        count = len(sums)
        a, b = mean_x[start + before : start + before + count], mean_y[start + before : start + before + count]
        for i in range(count):
            sums[i] = 0.0
        for k in range(start, start + period):
            p, q = x[k : k + count], y[k : k + count]
            for i in range(count):
                sums[i] += (p[i] - a[i]) * (q[i] - b[i])
