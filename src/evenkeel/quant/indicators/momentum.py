"""Relative strength and true range (J. Welles Wilder, New Concepts in Technical Trading Systems, 1978)."""

import numpy as np

from evenkeel.quant.indicators.averages import wilder
from evenkeel.quant.indicators.memo import Floats, memoised
from evenkeel.quant.indicators.windows import check_period, unknown


@memoised
def rsi(series: Floats, period: int = 14) -> Floats:
    """The relative strength index, 0 to 100; first known at index `period`. Raises InvalidInput.

    100 x gain / (gain + loss), both Wilder averages of one-bar changes; 50 where nothing has moved.
    """
    check_period(period, 2)
    change = np.diff(series, prepend=np.nan)
    gain = wilder(np.where(np.isnan(change), np.nan, np.maximum(change, 0.0)), period)
    loss = wilder(np.where(np.isnan(change), np.nan, np.maximum(-change, 0.0)), period)
    moved = gain + loss
    still = moved == 0.0
    return np.where(still, 50.0, 100.0 * gain / np.where(still, 1.0, moved))


def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """The greatest of high - low and the distances of both from the close before; NaN on the first bar."""
    result = unknown(len(close))
    before = close[:-1]
    result[1:] = np.maximum(high[1:], before) - np.minimum(low[1:], before)
    return result


@memoised
def atr(high: Floats, low: Floats, close: Floats, period: int = 14) -> Floats:
    """Wilder's average of the true range, in price; first known at index `period`. Raises InvalidInput."""
    check_period(period)
    return wilder(true_range(high, low, close), period).copy()
