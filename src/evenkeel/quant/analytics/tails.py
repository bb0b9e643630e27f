"""The losing tail: value at risk and expected shortfall, as positive fractions of a period's capital.

Parametric forms have names of their own; `var` and `cvar` without more are historical.
"""

from math import nan
from statistics import NormalDist
from typing import Literal

import numpy as np

from evenkeel.quant.analytics.risk import kurtosis, skewness
from evenkeel.quant.analytics.series import Floats, check_confidence, deviation, known, mean, quotient

QuantileMethod = Literal["linear", "lower", "higher", "hazen", "weibull", "median_unbiased", "normal_unbiased"]
_NORMAL = NormalDist()


def var(returns: Floats, *, confidence: float = 0.95, method: QuantileMethod = "linear") -> float:
    """Historical value at risk: minus the (1 - confidence) quantile of returns.

    `method` names the quantile as numpy and Hyndman & Fan (1996) do; "linear" is their type 7. A negative result is
    a gain. Raises InvalidInput.
    """
    check_confidence(confidence)
    return -float(np.quantile(returns, 1.0 - confidence, method=method)) if known(returns, 2) else nan


def var_parametric(returns: Floats, *, confidence: float = 0.95) -> float:
    """Value at risk of a normal distribution of the same mean and deviation (ddof 1). Raises InvalidInput."""
    check_confidence(confidence)
    return -(mean(returns) + _NORMAL.inv_cdf(1.0 - confidence) * deviation(returns))


def var_cornish_fisher(returns: Floats, *, confidence: float = 0.95) -> float:
    """Value at risk with the normal quantile corrected for skewness and kurtosis (Favre & Galeano 2002).

    Raises InvalidInput.
    """
    check_confidence(confidence)
    z, skew, tail = _NORMAL.inv_cdf(1.0 - confidence), skewness(returns), kurtosis(returns) - 3.0
    corrected = z + (z * z - 1) * skew / 6 + (z**3 - 3 * z) * tail / 24 - (2 * z**3 - 5 * z) * skew * skew / 36
    return -(mean(returns) + corrected * deviation(returns))


def cvar(returns: Floats, *, confidence: float = 0.95) -> float:
    """Expected shortfall: the mean loss of the worst 1 - confidence of all periods (Rockafellar & Uryasev 2000).

    The tail holds n (1 - confidence) periods, the last of them with its fraction. Raises InvalidInput.
    """
    check_confidence(confidence)
    if not known(returns, 2):
        return nan
    # A product such as 100 x (1 - 0.95) is 5.000000000000004: noise would add a sliver of the next loss.
    size = round(len(returns) * (1.0 - confidence), 9)
    whole = int(size)
    losses = np.sort(-returns)[::-1]
    return float(np.sum(losses[:whole]) + (size - whole) * losses[whole]) / size


def cvar_parametric(returns: Floats, *, confidence: float = 0.95) -> float:
    """Expected shortfall of a normal distribution of the same mean and deviation. Raises InvalidInput."""
    check_confidence(confidence)
    density = _NORMAL.pdf(_NORMAL.inv_cdf(confidence)) / (1.0 - confidence)
    return density * deviation(returns) - mean(returns)


def tail_ratio(returns: Floats, *, share: float = 0.05) -> float:
    """|upper quantile / lower quantile| at `share` from either end: how much larger the good tail is."""
    if not known(returns, 2):
        return nan
    low, high = np.quantile(returns, (share, 1.0 - share))
    return abs(quotient(float(high), float(low)))
