"""Against a benchmark: both series have one return a period, in the same order.

Following Bacon (2008) and as his tables show, the risks that add up (specific, systematic, total) are those of the
population (ddof 0); tracking error and the slope are sample measures. Every function raises InvalidInput where the
lengths differ.
"""

from math import nan, sqrt

import numpy as np

from evenkeel.quant.analytics.returns import cagr, geometric_mean
from evenkeel.quant.analytics.risk import volatility
from evenkeel.quant.analytics.series import (
    Floats,
    check_periods,
    covariance,
    deviation,
    known,
    mean,
    quotient,
    same_length,
)


def beta(returns: Floats, benchmark: Floats) -> float:
    """The slope of the regression of returns on the benchmark."""
    same_length(returns=returns, benchmark=benchmark)
    market = deviation(benchmark)
    return quotient(quotient(covariance(returns, benchmark), market), market)


def fama_beta(returns: Floats, benchmark: Floats) -> float:
    """Volatility / the benchmark's: the beta of the same total risk (Fama 1972)."""
    same_length(returns=returns, benchmark=benchmark)
    return quotient(deviation(returns), deviation(benchmark))


def correlation(returns: Floats, benchmark: Floats) -> float:
    """Pearson's correlation."""
    same_length(returns=returns, benchmark=benchmark)
    return quotient(quotient(covariance(returns, benchmark), deviation(benchmark)), deviation(returns))


def r_squared(returns: Floats, benchmark: Floats) -> float:
    """The share of variance that the benchmark explains."""
    return correlation(returns, benchmark) ** 2


def alpha(returns: Floats, benchmark: Floats, *, years: float, risk_free: float = 0.0) -> float:
    """Jensen's alpha (1968), annual: growth rate - risk-free - beta x (the benchmark's - risk-free)."""
    market = cagr(benchmark, years=years) - risk_free
    return cagr(returns, years=years) - risk_free - beta(returns, benchmark) * market


def active_return(returns: Floats, benchmark: Floats, *, periods: float) -> float:
    """The mean difference to the benchmark x A. Raises InvalidInput."""
    check_periods(periods)
    same_length(returns=returns, benchmark=benchmark)
    return mean(returns - benchmark) * periods


def tracking_error(returns: Floats, benchmark: Floats, *, periods: float) -> float:
    """The sample deviation (ddof 1) of the difference x sqrt(A). Raises InvalidInput."""
    same_length(returns=returns, benchmark=benchmark)
    return volatility(returns - benchmark, periods=periods)


def information_ratio(returns: Floats, benchmark: Floats, *, periods: float) -> float:
    """Active return / tracking error (Goodwin 1998). Raises InvalidInput."""
    error = tracking_error(returns, benchmark, periods=periods)
    return quotient(active_return(returns, benchmark, periods=periods), error)


def treynor(returns: Floats, benchmark: Floats, *, years: float, risk_free: float = 0.0) -> float:
    """(Growth rate - risk-free) / beta (Treynor 1965)."""
    return quotient(cagr(returns, years=years) - risk_free, beta(returns, benchmark))


def modified_treynor(
    returns: Floats, benchmark: Floats, *, periods: float, years: float, risk_free: float = 0.0
) -> float:
    """(Growth rate - risk-free) / systematic risk (Bacon 2008). Raises InvalidInput."""
    reward = cagr(returns, years=years) - risk_free
    return quotient(reward, systematic_risk(returns, benchmark, periods=periods))


def m_squared(returns: Floats, benchmark: Floats, *, years: float, risk_free: float = 0.0) -> float:
    """The growth rate at the benchmark's risk: (rate - risk-free) x its deviation / ours + risk-free
    (Modigliani & Modigliani 1997)."""
    same_length(returns=returns, benchmark=benchmark)
    reward = cagr(returns, years=years) - risk_free
    return quotient(reward * deviation(benchmark), deviation(returns)) + risk_free


def systematic_risk(returns: Floats, benchmark: Floats, *, periods: float) -> float:
    """Beta x the benchmark's deviation (population) x sqrt(A). Raises InvalidInput."""
    check_periods(periods)
    return beta(returns, benchmark) * deviation(benchmark, ddof=0) * sqrt(periods)


def specific_risk(returns: Floats, benchmark: Floats, *, periods: float) -> float:
    """The deviation (population) of what the benchmark does not explain x sqrt(A). Raises InvalidInput."""
    check_periods(periods)
    slope = beta(returns, benchmark)
    return deviation(returns - slope * benchmark, ddof=0) * sqrt(periods)


def total_risk(returns: Floats, benchmark: Floats, *, periods: float) -> float:
    """The root of systematic^2 + specific^2: the population deviation x sqrt(A). Raises InvalidInput."""
    systematic = systematic_risk(returns, benchmark, periods=periods)
    return sqrt(systematic**2 + specific_risk(returns, benchmark, periods=periods) ** 2)


def up_capture(returns: Floats, benchmark: Floats) -> float:
    """Geometric mean return over the benchmark's, in the periods in which the benchmark rose (Bacon 2008)."""
    return _capture(returns, benchmark, rising=True)


def down_capture(returns: Floats, benchmark: Floats) -> float:
    """Geometric mean return over the benchmark's, in the periods in which the benchmark fell."""
    return _capture(returns, benchmark, rising=False)


def _capture(returns: Floats, benchmark: Floats, *, rising: bool) -> float:
    same_length(returns=returns, benchmark=benchmark)
    if not (known(returns) and known(benchmark)):
        return nan
    those = np.flatnonzero(benchmark > 0.0 if rising else benchmark < 0.0)
    if not len(those):
        return nan
    return quotient(geometric_mean(returns[those]), geometric_mean(benchmark[those]))
