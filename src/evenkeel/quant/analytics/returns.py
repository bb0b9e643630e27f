"""Returns: from equity and back, compounded over calendar time, and how single periods went."""

from math import nan

import numpy as np

from evenkeel.quant.analytics.series import Flags, Floats, check_periods, known, mean

DAYS_PER_YEAR = 365.25
# A calendar year of 365 days is a whole one.
WHOLE_YEAR = 365.0 / DAYS_PER_YEAR


def wealth(returns: Floats, capital: float = 1.0) -> Floats:
    """The n + 1 values of `capital` that earns n period returns; the initial capital comes first."""
    return capital * np.concatenate((np.ones(1), np.cumprod(1.0 + returns)))


def period_returns(equity: Floats) -> Floats:
    """The n returns between n + 1 values of equity, of each row where there are several; NaN where a period began with
    nothing or less."""
    before, after = equity[..., :-1], equity[..., 1:]
    solvent = before > 0.0
    return np.where(solvent, after / np.where(solvent, before, 1.0) - 1.0, np.nan)


def periodic_rate(annual: float, periods: float) -> float:
    """The rate per period that compounds to the effective `annual` one: (1 + annual)^(1/A) - 1.

    Raises InvalidInput unless `periods` is positive.
    """
    check_periods(periods)
    return float((1.0 + annual) ** (1.0 / periods)) - 1.0


def excess(returns: Floats, *, periods: float, risk_free: float = 0.0) -> Floats:
    """Returns over the risk-free rate; `risk_free` is annual and effective. Raises InvalidInput."""
    return returns - periodic_rate(risk_free, periods)


def total_return(returns: Floats) -> float:
    """The compounded return of all periods, a fraction."""
    return float(np.prod(1.0 + returns)) - 1.0 if known(returns) else nan


def annualised(total: float, *, years: float) -> float:
    """A compounded return as a yearly rate; NaN below a year (365 days), which is not annualised (GIPS 2020), and
    where all the capital or more was lost."""
    return (1.0 + total) ** (1.0 / years) - 1.0 if total > -1.0 and years >= WHOLE_YEAR else nan


def cagr(returns: Floats, *, years: float) -> float:
    """The compound annual growth rate over `years` of calendar time (days / 365.25); NaN below a year."""
    return annualised(total_return(returns), years=years)


def geometric_mean(returns: Floats) -> float:
    """The return per period that compounds to the total; NaN where the capital was lost."""
    total = total_return(returns)
    return float((1.0 + total) ** (1.0 / len(returns))) - 1.0 if total > -1.0 else nan


def best(returns: Floats) -> float:
    """The highest value."""
    return float(np.max(returns)) if known(returns) else nan


def worst(returns: Floats) -> float:
    """The lowest value."""
    return float(np.min(returns)) if known(returns) else nan


def positive_share(returns: Floats) -> float:
    """The share of periods above zero."""
    return mean(np.where(np.isnan(returns), np.nan, returns > 0.0))


def gain_streak(values: Floats) -> float:
    """The longest run of values above zero."""
    return _longest(values > 0.0) if known(values) else nan


def loss_streak(values: Floats) -> float:
    """The longest run of values below zero."""
    return _longest(values < 0.0) if known(values) else nan


def _longest(flags: Flags) -> float:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
    return float(np.max(edges[1::2] - edges[::2], initial=0))
