"""How returns spread and how they go together: volatilities, correlations, beta, and what diversification gains."""

from math import sqrt

import numpy as np

from evenkeel.quant.analytics.benchmark import beta
from evenkeel.quant.analytics.series import Floats, check_periods, deviation, known, quotient, refuse

DECAY = 0.94
"""How much of its weight a day keeps the day after: RiskMetrics (1996) for daily returns."""


def volatilities(returns: Floats, *, periods: float) -> Floats:
    """(k,): sample deviations (ddof 1) x sqrt(A), of each column. Raises InvalidInput."""
    check_periods(periods)
    return _deviations(returns) * sqrt(periods)


def _deviations(returns: Floats) -> Floats:
    return np.array([deviation(column) for column in returns.T], dtype=np.float64)


def ewma_volatility(returns: Floats, *, periods: float, decay: float = DECAY) -> float:
    """The root of the exponentially weighted mean of squared returns (n,), the newest heaviest, x sqrt(A).

    RiskMetrics (1996): the mean return is taken as zero, and a period weighs `decay` times the one after it; weights
    are scaled to sum to 1. Raises InvalidInput.
    """
    check_periods(periods)
    if not 0.0 < decay < 1.0:
        raise refuse("decay", f"expected a share between 0 and 1, such as 0.94, not {decay!r}")
    if not known(returns):
        return float("nan")
    weights = decay ** np.arange(len(returns) - 1, -1, -1, dtype=np.float64)
    return sqrt(float(weights @ (returns * returns)) / float(weights.sum()) * periods)


def correlations(returns: Floats) -> Floats:
    """(k, k): Pearson's correlations, exactly symmetric with 1 on the diagonal; NaN for a column without variance."""
    count = returns.shape[1]
    spread = _deviations(returns)
    spread = np.where(spread > 0.0, spread, np.nan)
    if len(returns) < 2:
        return np.full((count, count), np.nan)
    scaled = (returns - returns.mean(axis=0)) / spread
    found = scaled.T @ scaled / (len(returns) - 1)
    found = np.clip((found + found.T) / 2.0, -1.0, 1.0)
    np.fill_diagonal(found, np.where(np.isnan(spread), np.nan, 1.0))
    return np.asarray(found)


def betas(returns: Floats, benchmark: Floats) -> Floats:
    """(k,): the slope of each column on the benchmark (n,); NaN where that has no variance. Raises InvalidInput."""
    return np.array([beta(column, benchmark) for column in returns.T], dtype=np.float64)


def diversification_ratio(returns: Floats, values: Floats) -> float:
    """The mean volatility of the positions by size / the volatility of all together (Choueifaty & Coignard 2008).

    1 where nothing is gained, as in a single position; NaN where all together have no variance.
    """
    apart = float(np.abs(values) @ _deviations(returns))
    return quotient(apart, deviation(returns @ values)) if len(values) else float("nan")
