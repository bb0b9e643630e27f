"""Averages: simple, exponential and Wilder's."""

from collections.abc import Callable
from itertools import accumulate

import numpy as np

from evenkeel.quant.indicators.memo import Floats, memoised
from evenkeel.quant.indicators.windows import check_period, first_known, unknown


@memoised
def sma(series: Floats, period: int) -> Floats:
    """The mean of the last `period` values; NaN before and where the window holds a NaN.

    Each window is summed by itself in a fixed tree of additions, not by adding and dropping values, so a value
    does not depend on where the series starts, and no error builds up along it. Raises InvalidInput.
    """
    check_period(period)
    result = unknown(len(series))
    if len(series) >= period:
        result[period - 1 :] = _window_sums(series, period) / period
    return result


def _window_sums(series: Floats, period: int) -> Floats:
    """The sums of all windows, put together from sums of 1, 2, 4 … values: log2(period) passes."""
    count = len(series) - period + 1
    sums = np.zeros(count)
    block, width, offset = series, 1, 0
    while True:
        if period & width:
            sums = sums + block[offset : offset + count]
            offset += width
        if 2 * width > period:
            return sums
        block = block[:-width] + block[width:]
        width *= 2


@memoised
def ema(series: Floats, period: int) -> Floats:
    """The exponential average with weight 2 / (period + 1), started by the mean of the first `period` values.

    It remembers its start for ever, if ever less. Raises InvalidInput.
    """
    check_period(period)
    weight = 2.0 / (period + 1)
    return _recursive(series, period, lambda average, value: (value - average) * weight + average)


@memoised
def wilder(series: Floats, period: int) -> Floats:
    """Wilder's average (J. Welles Wilder, 1978): weight 1 / period, started by the mean of the first `period`.

    It remembers its start for ever, if ever less. Raises InvalidInput.
    """
    check_period(period)
    before = period - 1
    return _recursive(series, period, lambda average, value: (average * before + value) / period)


def _recursive(series: Floats, period: int, step: Callable[[float, float], float]) -> Floats:
    start = first_known(series)
    result = unknown(len(series))
    if len(series) - start < period:
        return result
    values = series[start:].tolist()
    seed = sum(values[:period]) / period
    result[start + period - 1 :] = list(accumulate(values[period:], step, initial=seed))
    return result
