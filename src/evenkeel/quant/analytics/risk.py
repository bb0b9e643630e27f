"""The spread of returns: both sides, each side of a target, and the shape.

One-sided measures follow Bacon, Practical Portfolio Performance Measurement and Attribution (2008): sums run over all
n periods, not only those on that side. `target` is the minimum acceptable return per period.
"""

from math import nan, sqrt

import numpy as np

from evenkeel.quant.analytics.series import ROUNDING, Floats, check_periods, deviation, known, mean, quotient


def volatility(returns: Floats, *, periods: float) -> float:
    """The sample deviation (ddof 1) x sqrt(A), a yearly fraction. Raises InvalidInput."""
    check_periods(periods)
    return deviation(returns) * sqrt(periods)


def mean_absolute_deviation(returns: Floats) -> float:
    """The mean distance from the mean, per period."""
    return mean(np.abs(returns - np.mean(returns))) if known(returns) else nan


def downside_moment(returns: Floats, order: int, *, target: float = 0.0) -> float:
    """The lower partial moment: mean of max(target - r, 0)^order over all n (Fishburn 1977)."""
    return mean(np.maximum(target - returns, 0.0) ** order)


def upside_moment(returns: Floats, order: int, *, target: float = 0.0) -> float:
    """The upper partial moment: mean of max(r - target, 0)^order over all n."""
    return mean(np.maximum(returns - target, 0.0) ** order)


def downside_deviation(returns: Floats, *, target: float = 0.0) -> float:
    """The root of the second lower partial moment, per period (Sortino & Price 1994)."""
    return sqrt(downside_moment(returns, 2, target=target))


def upside_risk(returns: Floats, *, target: float = 0.0) -> float:
    """The root of the second upper partial moment, per period."""
    return sqrt(upside_moment(returns, 2, target=target))


def downside_potential(returns: Floats, *, target: float = 0.0) -> float:
    """The mean shortfall below the target, per period."""
    return downside_moment(returns, 1, target=target)


def upside_potential(returns: Floats, *, target: float = 0.0) -> float:
    """The mean surplus above the target, per period."""
    return upside_moment(returns, 1, target=target)


def downside_frequency(returns: Floats, *, target: float = 0.0) -> float:
    """The share of periods below the target."""
    return mean((returns < target).astype(np.float64)) if known(returns) else nan


def upside_frequency(returns: Floats, *, target: float = 0.0) -> float:
    """The share of periods above the target."""
    return mean((returns > target).astype(np.float64)) if known(returns) else nan


def volatility_skewness(returns: Floats, *, target: float = 0.0) -> float:
    """Upside variance / downside variance about the target."""
    side = quotient(upside_risk(returns, target=target), downside_deviation(returns, target=target))
    return side**2


def skewness(returns: Floats) -> float:
    """The third standardised moment of the population; NaN without variance."""
    return _standardised(returns, 3)


def kurtosis(returns: Floats) -> float:
    """The fourth standardised moment of the population: 3 of a normal distribution; NaN without variance."""
    return _standardised(returns, 4)


def _standardised(returns: Floats, order: int) -> float:
    spread = deviation(returns, ddof=0) if known(returns, 2) else nan
    if not spread > ROUNDING:
        return nan
    return float(np.mean(((returns - np.mean(returns)) / spread) ** order))
