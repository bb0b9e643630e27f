"""Sizes that follow the market: one number a bar, worked out from the bars up to it and no further."""

import numpy as np

from evenkeel.domain.sizing import Kelly, Sizing, VolatilityTarget
from evenkeel.market.bars import Bars
from evenkeel.market.days import Days
from evenkeel.quant.indicators import sma
from evenkeel.research.backtest.outcome import Floats

_NOTHING: Floats = np.empty(0)


def scale_of(sizing: Sizing, bars: Bars, days: Days) -> Floats:
    """The share of equity by bar that a rule of the market's own asks for; empty for all other rules.

    A volatility target: annual target ÷ annualised volatility. Kelly: its fraction × mean ÷ variance of returns.
    NaN until the window is full, and where nothing has moved.
    """
    match sizing:
        case VolatilityTarget(annual, window):
            _, variance = _moments(bars, window)
            bars_a_year = days.per_year * len(bars) / len(days.last)
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = annual / np.sqrt(variance * bars_a_year)
        case Kelly(fraction, window):
            mean, variance = _moments(bars, window)
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = fraction * mean / variance
        case _:
            return _NOTHING
    return np.where(np.isfinite(scale), scale, np.nan)


def _moments(bars: Bars, window: int) -> tuple[Floats, Floats]:
    """Mean and sample variance of the last `window` simple returns of the close."""
    returns = np.full(len(bars), np.nan)
    returns[1:] = bars.close[1:] / bars.close[:-1] - 1.0
    mean = sma(returns, window)
    square = sma(returns * returns, window)
    return mean, np.maximum(0.0, square - mean * mean) * (window / (window - 1))
