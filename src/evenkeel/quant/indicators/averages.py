"""Averages: simple, exponential and Wilder's."""

from math import isnan, nan

import numpy as np

from evenkeel.quant.indicators.memo import Floats, memoised
from evenkeel.quant.indicators.windows import check_period, contiguous
from evenkeel.quant.kernels import compiled, kernel

_BLOCK = 8_192


@memoised
def sma(series: Floats, period: int) -> Floats:
    """The mean of the last `period` values; NaN before and where the window holds a NaN.

    Each window is summed by itself in a fixed tree of additions, not by adding and dropping values, so a value
    does not depend on where the series starts, and no error builds up along it. Raises InvalidInput.
    """
    check_period(period)
    series = contiguous(series)
    result = np.empty(len(series))
    _window_means(series, int(period), result)
    return result


def _window_means(values: Floats, period: int, out: Floats) -> None:
    """Writes the means of all windows, a block at a time, for which the passes stay in a fast cache.

    Blocks overlap by a window, so where one begins changes no value.
    """
    before = period - 1
    out[:before] = nan
    size = max(_BLOCK, 2 * period)
    scratch = np.empty(size + before), np.empty(size + before)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(values) - before, size):
            means = out[start + before : start + before + size]
            _sum_windows(values[start : start + before + len(means)], period, scratch, means)
            means /= period


def _sum_windows(block: Floats, period: int, scratch: tuple[Floats, Floats], sums: Floats) -> None:
    """Writes the sums of all windows, put together from sums of 1, 2, 4 … values: log2(period) passes."""
    spare, other = scratch
    width, offset = 1, 0
    sums[:] = 0.0
    while True:
        if period & width:
            sums += block[offset : offset + len(sums)]
            offset += width
        if 2 * width > period:
            return
        wider = spare[: len(block) - width]
        np.add(block[:-width], block[width:], out=wider)
        block, spare, other = wider, other, spare
        width *= 2


@memoised
def ema(series: Floats, period: int) -> Floats:
    """The exponential average with weight 2 / (period + 1), started by the mean of the first `period` values.

    It remembers its start for ever, if ever less. Raises InvalidInput.
    """
    return _recursive(series, period, wilder=False)


@memoised
def wilder(series: Floats, period: int) -> Floats:
    """Wilder's average (J. Welles Wilder, 1978): weight 1 / period, started by the mean of the first `period`.

    It remembers its start for ever, if ever less. Raises InvalidInput.
    """
    return _recursive(series, period, wilder=True)


def _recursive(series: Floats, period: int, *, wilder: bool) -> Floats:
    check_period(period)
    series = contiguous(series)
    result = np.empty(len(series))
    recursive_average(series, int(period), wilder, result)
    return result


@kernel
def stepped(average: float, value: float, period: int, wilder: bool) -> float:
    """The exponential average, or Wilder's, after one more value."""
    if wilder:
        return (average * (period - 1) + value) / period
    return (value - average) * (2.0 / (period + 1)) + average


@compiled(lambda t: t.void(t.floats, t.int64, t.boolean, t.out))
def recursive_average(values: Floats, period: int, wilder: bool, out: Floats) -> None:
    """Writes the exponential average of `values`, or Wilder's, from their first known value on."""
    count = len(values)
    start = 0
    while start < count and isnan(values[start]):
        start += 1
    first = start + period - 1
    for i in range(min(first, count)):
        out[i] = nan
    if first >= count:
        return
    average = 0.0
    for i in range(start, first + 1):
        average += values[i]
    average /= period
    out[first] = average
    for i in range(first + 1, count):
        average = stepped(average, values[i], period, wilder)
        out[i] = average
