"""Relative strength and true range (J. Welles Wilder, New Concepts in Technical Trading Systems, 1978); stochastics."""

from math import isnan, nan

import numpy as np

from evenkeel.quant.indicators.averages import sma, wilder
from evenkeel.quant.indicators.extremes import rolling_max, rolling_min
from evenkeel.quant.indicators.memo import Floats, memoised
from evenkeel.quant.indicators.results import Stochastic
from evenkeel.quant.indicators.windows import check_lengths, check_period, contiguous, ratio, unknown
from evenkeel.quant.kernels import compiled


@memoised
def rsi(series: Floats, period: int = 14) -> Floats:
    """The relative strength index, 0 to 100; first known at index `period`. Raises InvalidInput.

    100 x gain / (gain + loss), both Wilder averages of one-bar changes; 50 where nothing has moved.
    """
    check_period(period, 2)
    series = contiguous(series)
    result = np.empty(len(series))
    relative_strength(series, int(period), result)
    return result


@compiled(lambda t: t.void(t.floats, t.int64, t.out))
def relative_strength(values: Floats, period: int, out: Floats) -> None:
    """Writes the index, both averages in one walk: they are divided at the same time, not one after the other."""
    count = len(values)
    start = 1
    while start < count and isnan(values[start] - values[start - 1]):
        start += 1
    first = start + period - 1
    gain = loss = 0.0
    for i in range(count):
        if i < start:
            out[i] = nan
            continue
        change = values[i] - values[i - 1]
        rise = change if change > 0.0 or isnan(change) else 0.0
        fall = -change if change < 0.0 or isnan(change) else 0.0
        if i <= first:
            gain, loss = gain + rise, loss + fall
            if i == first:
                gain, loss = gain / period, loss / period
        else:
            gain = (gain * (period - 1) + rise) / period
            loss = (loss * (period - 1) + fall) / period
        moved = gain + loss
        out[i] = nan if i < first else 50.0 if moved == 0.0 else 100.0 * gain / moved


def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """The greatest of high - low and the distances of both from the close before; NaN on the first bar.

    Raises InvalidInput for series that differ in length.
    """
    check_lengths(high=high, low=low, close=close)
    result = unknown(len(close))
    before = close[:-1]
    result[1:] = np.maximum(high[1:], before) - np.minimum(low[1:], before)
    return result


@memoised
def atr(high: Floats, low: Floats, close: Floats, period: int = 14) -> Floats:
    """Wilder's average of the true range, in price; first known at index `period`. Raises InvalidInput."""
    check_period(period)
    return wilder(true_range(high, low, close), period).copy()


def stochastic(
    high: Floats, low: Floats, close: Floats, period: int = 14, *, smooth: int = 3, signal: int = 3
) -> Stochastic[Floats]:
    """Where the close lies between the lowest low (0) and the highest high (100) of the last `period` bars.

    %K is that, averaged over `smooth` bars (1: the fast stochastic); %D is the simple average of %K over `signal`
    (George Lane). 50 where the market has not moved. Raises InvalidInput.
    """
    check_lengths(high=high, low=low, close=close)
    highest, lowest = rolling_max(high, period), rolling_min(low, period)
    place = ratio(100.0 * (close - lowest), highest - lowest, otherwise=50.0)
    place.flags.writeable = False
    k = sma(place, smooth)
    return Stochastic(k, sma(k, signal))
