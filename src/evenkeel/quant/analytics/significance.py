"""How likely a Sharpe ratio is luck, given the length of the record, its shape and the number of trials.

All Sharpe ratios here are per period, not annualised, but for `minimum_backtest_years`.
"""

from math import e, isfinite, nan, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from evenkeel.quant.analytics.risk import kurtosis, skewness
from evenkeel.quant.analytics.series import ROUNDING, Floats, check_confidence, deviation, mean, quotient, refuse

_NORMAL = NormalDist()
_EULER = 0.5772156649015329


class Evidence(NamedTuple):
    """What a record says of its Sharpe ratio: number of periods, the ratio, skewness, and kurtosis (normal: 3)."""

    observations: int
    sharpe: float
    skewness: float
    kurtosis: float


class Trials(NamedTuple):
    """A search: the number of independent trials and the variance of their Sharpe ratios per period."""

    number: float
    variance: float


def evidence(excess_returns: Floats) -> Evidence:
    """The Evidence in returns over the risk-free rate."""
    ratio = quotient(mean(excess_returns), deviation(excess_returns))
    return Evidence(len(excess_returns), ratio, skewness(excess_returns), kurtosis(excess_returns))


def trials_of(sharpes: Floats) -> Trials:
    """The Trials of a search from the Sharpe ratio per period of every combination that has one.

    The count takes them as independent, which is the cautious side.
    """
    tried = sharpes[np.isfinite(sharpes)]
    spread = deviation(tried) if len(tried) > 1 else 0.0
    return Trials(len(tried), spread**2)


def _scatter(found: Evidence) -> float:
    """The variance of the estimated Sharpe ratio x (n - 1) (Mertens 2002)."""
    ratio = found.sharpe
    return 1.0 - found.skewness * ratio + (found.kurtosis - 1.0) / 4.0 * ratio * ratio


def probabilistic_sharpe(found: Evidence, threshold: float = 0.0) -> float:
    """The probability that the true Sharpe ratio exceeds `threshold` (Bailey & Lopez de Prado 2012).

    NaN below two periods and without variance.
    """
    scatter = _scatter(found)
    if found.observations < 2 or not (isfinite(scatter) and scatter > ROUNDING):
        return nan
    return _NORMAL.cdf((found.sharpe - threshold) * sqrt((found.observations - 1) / scatter))


def expected_max_sharpe(trials: Trials) -> float:
    """The highest Sharpe ratio to expect of trials without any skill (Bailey & Lopez de Prado 2014, eq. 1).

    0 for a single trial. Raises InvalidInput for less than one, or a negative variance.
    """
    if not (trials.number >= 1 and trials.variance >= 0.0):
        raise refuse("trials", f"expected one trial or more and a variance of 0 or more, not {tuple(trials)!r}")
    return sqrt(trials.variance) * _expected_maximum(trials.number)


def _expected_maximum(count: float) -> float:
    """Of `count` standard normal draws, approximately."""
    if count <= 1:
        return 0.0
    highest, next_to_it = _NORMAL.inv_cdf(1.0 - 1.0 / count), _NORMAL.inv_cdf(1.0 - 1.0 / (count * e))
    return max(0.0, (1.0 - _EULER) * highest + _EULER * next_to_it)


def deflated_sharpe(found: Evidence, trials: Trials) -> float:
    """The probability that the true Sharpe ratio exceeds what luck gives the best of all trials
    (Bailey & Lopez de Prado 2014). Raises InvalidInput."""
    return probabilistic_sharpe(found, expected_max_sharpe(trials))


def minimum_track_record(found: Evidence, threshold: float = 0.0, *, confidence: float = 0.95) -> float:
    """How many periods it takes to say with `confidence` that the true ratio exceeds `threshold`
    (Bailey & Lopez de Prado 2012); NaN where the ratio itself does not. Raises InvalidInput."""
    check_confidence(confidence)
    edge = found.sharpe - threshold
    if not edge > ROUNDING:
        return nan
    return 1.0 + _scatter(found) * (_NORMAL.inv_cdf(confidence) / edge) ** 2


def minimum_backtest_years(trials: float, *, sharpe: float = 1.0) -> float:
    """Years of data below which that many trials without skill are expected to show an annual Sharpe ratio of
    `sharpe` (Bailey, Borwein, Lopez de Prado & Zhu 2014). Raises InvalidInput."""
    if not (trials >= 1 and sharpe > 0.0):
        raise refuse("trials", "expected one trial or more and a positive Sharpe ratio")
    return (_expected_maximum(trials) / sharpe) ** 2
