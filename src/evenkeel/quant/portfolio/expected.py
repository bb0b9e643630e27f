"""Estimates of expected returns (n,) per period, and views on them.

Sources: Black and Litterman (1992), "Global Portfolio Optimization"; Idzorek (2005) for confidences of views.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.risk.together import betas


def historical(returns: Floats) -> Floats:
    """The mean of each column of `returns` (t, n)."""
    found: Floats = returns.mean(axis=0)
    return found


def ewma(returns: Floats, half_life: float = 60.0) -> Floats:
    """The mean weighted by 0.5^(age / half_life), age in periods."""
    if not half_life > 0.0:
        raise InvalidInput(f"the half-life is a number of periods above zero, not {half_life}")
    weights = 0.5 ** (np.arange(len(returns) - 1, -1, -1) / half_life)
    found: Floats = weights @ returns / weights.sum()
    return found


def capm(returns: Floats, market: Floats | None = None, risk_free: float = 0.0) -> Floats:
    """risk_free + beta (market - risk_free), per period; `market` (t,) is the mean of all assets where None."""
    moves = returns.mean(axis=1) if market is None else np.asarray(market, np.float64)
    if moves.shape != (len(returns),):
        raise InvalidInput(f"the market has {moves.size} returns, the assets have {len(returns)}")
    slopes = betas(returns, moves)
    if np.isnan(slopes).any():
        raise InvalidInput("the market does not vary, so that nothing has a beta to it")
    return np.asarray(risk_free + slopes * (float(moves.mean()) - risk_free))


def implied(covariance: Floats, weights: Floats, aversion: float = 2.5, risk_free: float = 0.0) -> Floats:
    """The means for which `weights` (n,) is the best portfolio of an investor of that risk aversion."""
    found: Floats = risk_free + aversion * (covariance @ weights)
    return found


@dataclass(frozen=True)
class View:
    """That `coefficients` · returns (n,) is `value` a period, believed by `confidence` above 0, to 1 (certain)."""

    coefficients: Floats
    value: float
    confidence: float = 0.5


def black_litterman(prior: Floats, covariance: Floats, views: Sequence[View], tau: float = 0.05) -> Floats:
    """The means (n,) after `views`; one view of confidence c moves its own value c of the way from the prior to it.

    `tau` scales the covariance to the doubt about the prior. Raises InvalidInput for views that cannot all hold.
    """
    if not views:
        return prior.copy()
    rows = np.vstack([one.coefficients for one in views])
    values = np.array([one.value for one in views])
    beliefs = np.array([one.confidence for one in views])
    if not np.all((beliefs > 0.0) & (beliefs <= 1.0)):
        raise InvalidInput("the confidence of a view is a share above 0, to 1")
    spread = tau * covariance
    doubt = np.diag(rows @ spread @ rows.T) * (1.0 / beliefs - 1.0)
    middle = rows @ spread @ rows.T + np.diag(doubt)
    try:
        moved = np.linalg.solve(middle, values - rows @ prior)
    except np.linalg.LinAlgError as error:
        raise InvalidInput("two certain views are about the same thing") from error
    found: Floats = prior + spread @ rows.T @ moved
    return found


MEANS: dict[str, Callable[[Floats], Floats]] = {"historical": historical, "ewma": ewma, "capm": capm}
