"""The highest and lowest value of a rolling window."""

import numpy as np

from evenkeel.quant.indicators.memo import Floats, memoised
from evenkeel.quant.indicators.windows import check_period, unknown


@memoised
def rolling_max(series: Floats, period: int) -> Floats:
    """The highest of the last `period` values, the present one included; NaN before. Raises InvalidInput."""
    return _rolling(series, period, np.maximum)


@memoised
def rolling_min(series: Floats, period: int) -> Floats:
    """The lowest of the last `period` values, the present one included; NaN before. Raises InvalidInput."""
    return _rolling(series, period, np.minimum)


def _rolling(series: Floats, period: int, pick: np.ufunc) -> Floats:
    """Extremes of windows of 1, 2, 4 … values; two overlapping ones cover the period."""
    check_period(period)
    result = unknown(len(series))
    if len(series) < period:
        return result
    best, width = series, 1
    while 2 * width <= period:
        best = pick(best[:-width], best[width:])
        width *= 2
    rest = period - width
    result[period - 1 :] = pick(best[:-rest], best[rest:]) if rest else best
    return result
