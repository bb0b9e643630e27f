"""Sizes that follow the market: one number a bar, worked out from the bars up to it and no further.

The same function serves both engines of a backtest and the runner of live signals. Each value depends on its own
window alone, so it does not matter where the history begins.
"""

from functools import lru_cache

import numpy as np

from evenkeel.domain.sizing import Kelly, Sizing, VolatilityTarget
from evenkeel.market.bars import Bars
from evenkeel.market.days import Days, bars_a_year
from evenkeel.quant.indicators import Floats, sma

_NOTHING: Floats = np.empty(0)


def window_of(sizing: Sizing | None) -> int:
    """How many bars back a rule looks, with the one whose close the first return starts from; 0 for other rules."""
    return sizing.window + 1 if isinstance(sizing, VolatilityTarget | Kelly) else 0


def scale_of(sizing: Sizing | None, bars: Bars, a_year: float) -> Floats:
    """The share of equity by bar that a rule of the market's own asks for; empty for all other rules.

    A volatility target: annual target ÷ annualised volatility, at `a_year` bars a year. Kelly: its fraction × mean ÷
    variance of returns. NaN until the window is full, and where nothing has moved.
    """
    match sizing:
        case VolatilityTarget(annual, window):
            _, variance = _moments(bars, window)
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = annual / np.sqrt(variance * a_year)
        case Kelly(fraction, window):
            mean, variance = _moments(bars, window)
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = fraction * mean / variance
        case _:
            return _NOTHING
    return np.where(np.isfinite(scale), scale, np.nan)


def last_scale(sizing: Sizing, bars: Bars) -> float:
    """What `scale_of` says of the last bar, 0 where it says nothing: no size yet is no position."""
    count = min(len(bars), window_of(sizing))
    scale = float(scale_of(sizing, bars.rows(len(bars) - count), _nominal(bars.timeframe, bars.calendar))[-1])
    return 0.0 if np.isnan(scale) else scale


def a_year_of(bars: Bars, days: Days) -> float:
    """Bars a year: by the instrument's calendar, the same as live; without an instrument, counted from the bars."""
    if bars.instrument is None:
        return days.per_year * len(bars) / len(days.last)
    return _nominal(bars.timeframe, bars.instrument.calendar)


@lru_cache(maxsize=256)
def _nominal(timeframe: str, calendar: str) -> float:
    return bars_a_year(timeframe, calendar)


def _moments(bars: Bars, window: int) -> tuple[Floats, Floats]:
    """Mean and sample variance of the last `window` simple returns of the close."""
    returns = np.full(len(bars), np.nan)
    returns[1:] = bars.close[1:] / bars.close[:-1] - 1.0
    mean = sma(returns, window)
    square = sma(returns * returns, window)
    return mean, np.maximum(0.0, square - mean * mean) * (window / (window - 1))
