"""Measures over a moving window: n values, NaN until the first window is full. Each window is computed by itself."""

from collections.abc import Callable
from math import sqrt

import numpy as np

from evenkeel.quant.analytics.returns import excess
from evenkeel.quant.analytics.series import ROUNDING, Floats, check_confidence, check_periods, refuse, same_length

_ELEMENTS = 1 << 20


def _rolled(window: int, measure: Callable[..., Floats], *series: Floats) -> Floats:
    """`measure` of (rows x window) matrices, a block of rows at a time, so that memory stays small."""
    if int(window) != window or window < 2:
        raise refuse("window", f"expected a whole number of periods, 2 or more, not {window!r}")
    result = np.full(len(series[0]), np.nan)
    count = len(series[0]) - window + 1
    if count < 1:
        return result
    views = [np.lib.stride_tricks.sliding_window_view(one, window) for one in series]
    step = max(1, _ELEMENTS // window)
    for first in range(0, count, step):
        rows = slice(first, min(first + step, count))
        result[window - 1 :][rows] = measure(*(view[rows] for view in views))
    return result


def _deviation(windows: Floats) -> Floats:
    spread = np.std(windows, axis=1, ddof=1)
    return np.where(spread > ROUNDING * (1.0 + np.max(np.abs(windows), axis=1)), spread, 0.0)


def _divided(above: Floats, below: Floats) -> Floats:
    zero = ~(np.abs(below) > ROUNDING)
    return np.where(zero, np.nan, above / np.where(zero, 1.0, below))


def rolling_volatility(returns: Floats, window: int, *, periods: float) -> Floats:
    """Sample deviation x sqrt(A). Raises InvalidInput."""
    check_periods(periods)
    return _rolled(window, _deviation, returns) * sqrt(periods)


def rolling_sharpe(returns: Floats, window: int, *, periods: float, risk_free: float = 0.0) -> Floats:
    """The Sharpe ratio, as `sharpe`. Raises InvalidInput."""
    over = excess(returns, periods=periods, risk_free=risk_free)
    return _rolled(window, lambda w: _divided(np.mean(w, axis=1), _deviation(w)), over) * sqrt(periods)


def rolling_sortino(returns: Floats, window: int, *, periods: float, target: float = 0.0) -> Floats:
    """The Sortino ratio, as `sortino`; `target` is per period. Raises InvalidInput."""
    check_periods(periods)

    def measure(w: Floats) -> Floats:
        over = w - target
        return _divided(np.mean(over, axis=1), np.sqrt(np.mean(np.minimum(over, 0.0) ** 2, axis=1)))

    return _rolled(window, measure, returns) * sqrt(periods)


def rolling_beta(returns: Floats, benchmark: Floats, *, window: int) -> Floats:
    """The slope on the benchmark. Raises InvalidInput."""
    same_length(returns=returns, benchmark=benchmark)

    def measure(ours: Floats, theirs: Floats) -> Floats:
        centred = theirs - np.mean(theirs, axis=1, keepdims=True)
        together = np.sum(ours * centred, axis=1) / (window - 1)
        spread = _deviation(theirs)
        return _divided(_divided(together, spread), spread)

    return _rolled(window, measure, returns, benchmark)


def rolling_drawdown(returns: Floats, window: int) -> Floats:
    """The maximum drawdown within the window, from the capital at its start. Raises InvalidInput."""

    def measure(w: Floats) -> Floats:
        equity = np.cumprod(np.concatenate((np.ones((len(w), 1)), 1.0 + w), axis=1), axis=1)
        return np.asarray(np.min(equity / np.maximum.accumulate(equity, axis=1) - 1.0, axis=1))

    return _rolled(window, measure, returns)


def rolling_var(returns: Floats, window: int, *, confidence: float = 0.95) -> Floats:
    """Historical value at risk by the linear quantile, as `var`. Raises InvalidInput."""
    check_confidence(confidence)
    return -_rolled(window, lambda w: np.quantile(w, 1.0 - confidence, axis=1), returns)
