"""Indicators: float64 series in, a series of equal length out, NaN while warming up.

What strategies here use every day is computed so that a value depends on its own window only, to the last bit:
the same bars give the same signal however much history lies before them. Recursive ones (`ema`, `rsi` …) remember
where they started, if ever less. `stream` gives each of them a bar at a time. Everything else of TA-Lib is one call
away (`ta`); importing it takes over a second, so it is loaded on first use.
"""

from evenkeel.quant.indicators.averages import ema, sma, wilder
from evenkeel.quant.indicators.channels import bollinger, donchian, keltner
from evenkeel.quant.indicators.compare import above, below, crossing
from evenkeel.quant.indicators.extremes import rolling_max, rolling_min
from evenkeel.quant.indicators.library import ta
from evenkeel.quant.indicators.memo import Floats, frozen
from evenkeel.quant.indicators.moments import (
    hedge_ratio,
    rolling_beta,
    rolling_correlation,
    rolling_std,
    slope,
    zscore,
)
from evenkeel.quant.indicators.momentum import atr, rsi, stochastic, true_range
from evenkeel.quant.indicators.positions import latched, onset
from evenkeel.quant.indicators.ranks import rolling_quantile, rolling_rank
from evenkeel.quant.indicators.results import Bands, Candles, Macd, Movement, Range, Stochastic, Trend
from evenkeel.quant.indicators.returns import (
    garman_klass_volatility,
    log_returns,
    parkinson_volatility,
    realised_volatility,
    simple_returns,
)
from evenkeel.quant.indicators.sessions import opening_range, session, session_starts
from evenkeel.quant.indicators.streaming import Stream, stream
from evenkeel.quant.indicators.trend import adx, heikin_ashi, macd, supertrend
from evenkeel.quant.indicators.volume import anchored_vwap, obv, rolling_vwap, vwap, vwap_deviation
from evenkeel.quant.indicators.windows import Flags, delayed, ratio

__all__ = [
    "Bands",
    "Candles",
    "Flags",
    "Floats",
    "Macd",
    "Movement",
    "Range",
    "Stochastic",
    "Stream",
    "Trend",
    "above",
    "adx",
    "anchored_vwap",
    "atr",
    "below",
    "bollinger",
    "crossing",
    "delayed",
    "donchian",
    "ema",
    "frozen",
    "garman_klass_volatility",
    "hedge_ratio",
    "heikin_ashi",
    "keltner",
    "latched",
    "log_returns",
    "macd",
    "obv",
    "onset",
    "opening_range",
    "parkinson_volatility",
    "ratio",
    "realised_volatility",
    "rolling_beta",
    "rolling_correlation",
    "rolling_max",
    "rolling_min",
    "rolling_quantile",
    "rolling_rank",
    "rolling_std",
    "rolling_vwap",
    "rsi",
    "session",
    "session_starts",
    "simple_returns",
    "slope",
    "sma",
    "stochastic",
    "stream",
    "supertrend",
    "ta",
    "true_range",
    "vwap",
    "vwap_deviation",
    "wilder",
    "zscore",
]
