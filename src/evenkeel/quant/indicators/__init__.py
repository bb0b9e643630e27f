"""Indicators: float64 series in, a series of equal length out, NaN while warming up.

What strategies here use every day is computed so that a value depends on its own window only, to the last bit:
the same bars give the same signal however much history lies before them. Everything else of TA-Lib is one call
away (`ta`); importing it takes over a second, so it is loaded on first use.
"""

from evenkeel.quant.indicators.averages import ema, sma, wilder
from evenkeel.quant.indicators.compare import above, below
from evenkeel.quant.indicators.extremes import rolling_max, rolling_min
from evenkeel.quant.indicators.library import ta
from evenkeel.quant.indicators.memo import Floats, frozen
from evenkeel.quant.indicators.momentum import atr, rsi, true_range

__all__ = [
    "Floats",
    "above",
    "atr",
    "below",
    "ema",
    "frozen",
    "rolling_max",
    "rolling_min",
    "rsi",
    "sma",
    "ta",
    "true_range",
    "wilder",
]
