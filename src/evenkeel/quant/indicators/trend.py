"""Trend: MACD, the directional index, SuperTrend and Heikin-Ashi candles."""

from math import isnan, nan

import numpy as np

from evenkeel.quant.indicators.averages import ema, wilder
from evenkeel.quant.indicators.memo import Floats, memoised
from evenkeel.quant.indicators.momentum import atr, true_range
from evenkeel.quant.indicators.results import Candles, Macd, Movement, Trend
from evenkeel.quant.indicators.windows import check_lengths, check_period, check_positive, contiguous, ratio
from evenkeel.quant.kernels import compiled, kernel


def macd(series: Floats, *, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd[Floats]:
    """Exponential average `fast` − `slow`, and its exponential average `signal` (Gerald Appel, 1979).

    Each average starts by the mean of its own first values. Raises InvalidInput.
    """
    line = ema(series, fast) - ema(series, slow)
    line.flags.writeable = False
    average = ema(line, signal)
    return Macd(line, average, line - average)


def adx(high: Floats, low: Floats, close: Floats, period: int = 14) -> Movement[Floats]:
    """How strongly a market trends, and which way (J. Welles Wilder, 1978).

    The directional indicators are 100 × Wilder averages of the rises of highs and falls of lows, each where the
    greater, over that of the true range; the index is the Wilder average of 100 × their difference / their sum.
    Indicators are first known at index `period`, the index at 2 × `period` − 1. Raises InvalidInput.
    """
    check_period(period)
    check_lengths(high=high, low=low, close=close)
    up, down = np.diff(high, prepend=np.nan), -np.diff(low, prepend=np.nan)
    known = ~(np.isnan(up) | np.isnan(down))
    rise = np.where(known, np.where((up > down) & (up > 0.0), up, 0.0), np.nan)
    fall = np.where(known, np.where((down > up) & (down > 0.0), down, 0.0), np.nan)
    span = wilder(true_range(high, low, close), period)
    plus = ratio(100.0 * wilder(rise, period), span, otherwise=0.0)
    minus = ratio(100.0 * wilder(fall, period), span, otherwise=0.0)
    strength = ratio(100.0 * np.abs(plus - minus), plus + minus, otherwise=0.0)
    return Movement(wilder(strength, period), plus, minus)


def supertrend(high: Floats, low: Floats, close: Floats, period: int = 10, *, width: float = 3.0) -> Trend[Floats]:
    """A stop that trails the price by `width` average true ranges and turns where a close passes it (Olivier Seban).

    Below the price while the trend is up: the highest (high + low) / 2 − `width` × ATR since it turned; above while
    it is down, likewise. First known at index `period`; it begins up where the close is in the upper half of that
    bar. Raises InvalidInput.
    """
    check_positive(width, name="width")
    line, direction = _supertrend(high, low, close, period, width)
    return Trend(line, direction)


@memoised
def _supertrend(high: Floats, low: Floats, close: Floats, period: int, width: float) -> Floats:
    reach = width * atr(high, low, close, period)
    result = np.empty((2, len(close)))
    trailing_stops(contiguous(high), contiguous(low), contiguous(close), reach, result)
    return result


@kernel
def trailed(
    lower: float, upper: float, direction: float, before: float, high: float, low: float, close: float, reach: float
) -> tuple[float, float, float]:
    """(lower, upper, direction) after one more bar; `direction` is 0 before the first, `before` the close before."""
    middle = (high + low) / 2.0
    floor, ceiling = middle - reach, middle + reach
    if direction == 0.0:
        return floor, ceiling, 1.0 if close >= middle else -1.0
    if before >= lower and floor < lower:
        floor = lower
    if before <= upper and ceiling > upper:
        ceiling = upper
    if direction < 0.0:
        return floor, ceiling, 1.0 if close > ceiling else -1.0
    return floor, ceiling, -1.0 if close < floor else 1.0


@compiled(lambda t: t.void(t.floats, t.floats, t.floats, t.floats, t.out_table))
def trailing_stops(high: Floats, low: Floats, close: Floats, reach: Floats, out: Floats) -> None:
    """Writes the line in the first row of `out` and its direction in the second."""
    lower, upper, direction, before = 0.0, 0.0, 0.0, 0.0
    for i in range(len(close)):
        if isnan(reach[i]):
            out[0, i] = out[1, i] = nan
        else:
            lower, upper, direction = trailed(lower, upper, direction, before, high[i], low[i], close[i], reach[i])
            out[0, i], out[1, i] = lower if direction > 0.0 else upper, direction
        before = close[i]


def heikin_ashi(open_: Floats, high: Floats, low: Floats, close: Floats) -> Candles[Floats]:
    """Smoothed candles (Dan Valcu, Using the Heikin-Ashi Technique, 2004).

    Close: the mean of the four prices. Open: the middle of the smoothed candle before, at first of the bar itself.
    High and low reach over both. Half of where it started is left after each bar. Raises InvalidInput.
    """
    check_lengths(open_=open_, high=high, low=low, close=close)
    mean = (open_ + high + low + close) / 4.0
    # Wilder's average of 2 is the middle of itself and one more value, and starts as the middle of two.
    start = wilder(np.concatenate((open_[:1], close[:1], mean[:-1])), 2)[1:]
    return Candles(start, np.maximum(high, np.maximum(start, mean)), np.minimum(low, np.minimum(start, mean)), mean)
