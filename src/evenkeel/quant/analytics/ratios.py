"""Reward over risk. Rates (`risk_free`) are annual and effective, targets are returns per period.

Ratios on the mean are annualised by sqrt(A), with A = `periods` a year always given. Ratios on the annual growth rate
take the calendar time in `years` and are undefined below a year.
"""

from math import nan, sqrt

import numpy as np

from evenkeel.quant.analytics import drawdowns, risk
from evenkeel.quant.analytics.returns import cagr, excess, wealth
from evenkeel.quant.analytics.series import Floats, check_periods, deviation, known, mean, quotient


def sharpe(returns: Floats, *, periods: float, risk_free: float = 0.0) -> float:
    """Mean excess return / its sample deviation (ddof 1) x sqrt(A) (Sharpe 1994). Raises InvalidInput."""
    over = excess(returns, periods=periods, risk_free=risk_free)
    return quotient(mean(over), deviation(over)) * sqrt(periods)


def newey_west_lags(count: int) -> int:
    """How many autocorrelations `count` observations support: floor(4 (n / 100)^(2/9)) (Newey & West 1994)."""
    return int(4.0 * (count / 100.0) ** (2.0 / 9.0))


def autocorrelations(values: Floats, lags: int) -> Floats:
    """The sample autocorrelations of lags 1 to `lags`, as many as there are points for; NaN without variance."""
    lags = max(0, min(lags, len(values) - 1))
    if not deviation(values) > 0.0:
        return np.full(lags, np.nan)
    centred = values - np.mean(values)
    return np.array([centred[lag:] @ centred[:-lag] for lag in range(1, lags + 1)]) / float(centred @ centred)


def sharpe_lo(returns: Floats, *, periods: float, lags: int, risk_free: float = 0.0) -> float:
    """The Sharpe ratio annualised for autocorrelation: q / sqrt(q + 2 sum (q - k) rho_k) instead of sqrt(q), with
    q = A, for k = 1 to the smaller of q - 1 and `lags` (Lo 2002, eq. 20). Raises InvalidInput."""
    over = excess(returns, periods=periods, risk_free=risk_free)
    q = max(1, round(periods))
    rho = autocorrelations(over, min(q - 1, lags))
    weights = q - np.arange(1, len(rho) + 1, dtype=np.float64)
    variance = q + 2.0 * float(weights @ rho)
    once = quotient(mean(over), deviation(over))
    return once * q / sqrt(variance) if variance > 0.0 else nan


def sharpe_error(returns: Floats, *, periods: float, lags: int, risk_free: float = 0.0) -> float:
    """The standard error of `sharpe`, for returns of any distribution, correlated up to `lags` (Lo 2002, GMM).

    The delta method on mean and variance, whose covariance is estimated with Bartlett weights (Newey & West 1987).
    With `lags` = 0 and normal returns it is sqrt((1 + SR^2 / 2) / n) x sqrt(A). Raises InvalidInput.
    """
    over = excess(returns, periods=periods, risk_free=risk_free)
    spread = deviation(over, ddof=0) if known(over, 2) else nan
    if not spread > 0.0:
        return nan
    z = (over - np.mean(over)) / spread
    influence = z - mean(over) / spread / 2.0 * (z * z - 1.0)
    variance = float(influence @ influence)
    lags = max(0, min(lags, len(over) - 1))
    for lag in range(1, lags + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * float(influence[lag:] @ influence[:-lag])
    return sqrt(max(variance, 0.0)) / len(over) * sqrt(periods)


def adjusted_sharpe(returns: Floats, *, periods: float, years: float, risk_free: float = 0.0) -> float:
    """SR (1 + skewness / 6 SR - (kurtosis - 3) / 24 SR^2) with SR = (growth rate - risk-free) / volatility
    (Pezier & White 2006, as in Bacon 2008). Raises InvalidInput."""
    ratio = quotient(cagr(returns, years=years) - risk_free, risk.volatility(returns, periods=periods))
    skew, tail = risk.skewness(returns), risk.kurtosis(returns) - 3.0
    return ratio * (1.0 + skew / 6.0 * ratio - tail / 24.0 * ratio * ratio)


def sortino(returns: Floats, *, periods: float, target: float = 0.0) -> float:
    """(Mean - target) / downside deviation over all n x sqrt(A) (Sortino & Price 1994). Raises InvalidInput."""
    check_periods(periods)
    return kappa(returns, 2, target=target) * sqrt(periods)


def kappa(returns: Floats, order: int, *, target: float = 0.0) -> float:
    """(Mean - target) / the order-th root of the lower partial moment, per period (Kaplan & Knowles 2004)."""
    shortfall = risk.downside_moment(returns, order, target=target)
    return quotient(mean(returns) - target, shortfall ** (1.0 / order))


def omega(returns: Floats, *, target: float = 0.0) -> float:
    """Upside potential / downside potential (Keating & Shadwick 2002); at a target of 0 it is the Bernardo-Ledoit
    ratio."""
    return quotient(risk.upside_potential(returns, target=target), risk.downside_potential(returns, target=target))


def omega_sharpe(returns: Floats, *, target: float = 0.0) -> float:
    """(Mean - target) / downside potential = omega - 1."""
    return kappa(returns, 1, target=target)


def bernardo_ledoit(returns: Floats) -> float:
    """Sum of gains / sum of losses (Bernardo & Ledoit 2000)."""
    return omega(returns)


def upside_potential_ratio(returns: Floats, *, target: float = 0.0) -> float:
    """Upside potential / downside deviation (Sortino, van der Meer & Plantinga 1999)."""
    return quotient(risk.upside_potential(returns, target=target), risk.downside_deviation(returns, target=target))


def gain_to_pain(returns: Floats) -> float:
    """Sum of returns / sum of losses (Schwager 2012)."""
    return omega_sharpe(returns)


def calmar(returns: Floats, *, years: float) -> float:
    """Growth rate / |max drawdown| over the periods given (Young 1991 takes 36 months)."""
    return quotient(cagr(returns, years=years), -_fall(returns))


def sterling(returns: Floats, *, years: float, margin: float = 0.10) -> float:
    """Growth rate / (|max drawdown| + `margin`) (Kestner 1996, over the whole record)."""
    return quotient(cagr(returns, years=years), margin - _fall(returns))


def burke(returns: Floats, *, years: float, risk_free: float = 0.0) -> float:
    """(Growth rate - risk-free) / root of the sum of squared drawdowns, one depth each (Burke 1994)."""
    return quotient(cagr(returns, years=years) - risk_free, drawdowns.burke_risk(wealth(returns)))


def modified_burke(returns: Floats, *, years: float, risk_free: float = 0.0) -> float:
    """Burke's ratio x sqrt(n): the squared drawdowns are averaged over n periods (Bacon 2008)."""
    return burke(returns, years=years, risk_free=risk_free) * sqrt(len(returns))


def martin(returns: Floats, *, years: float, risk_free: float = 0.0) -> float:
    """(Growth rate - risk-free) / ulcer index (Martin & McCann 1989)."""
    return quotient(cagr(returns, years=years) - risk_free, drawdowns.ulcer_index(wealth(returns)))


def pain_ratio(returns: Floats, *, years: float, risk_free: float = 0.0) -> float:
    """(Growth rate - risk-free) / pain index (Becker 2006)."""
    return quotient(cagr(returns, years=years) - risk_free, drawdowns.pain_index(wealth(returns)))


def _fall(returns: Floats) -> float:
    return drawdowns.max_drawdown(wealth(returns))
