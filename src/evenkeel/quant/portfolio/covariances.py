"""Estimates of a covariance from returns (t, n), per period of the returns.

Each row is a period, the last the latest. All are symmetric and positive semi-definite. Sources: Ledoit and Wolf
(2004), "A Well-conditioned Estimator" (identity) and "Honey, I Shrunk the Sample Covariance Matrix" (constant
correlation); Chen, Wiesel, Eldar and Hero (2010) (OAS); López de Prado (2020), "Machine Learning for Asset Managers"
(denoised, detoned).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.portfolio.assets import WITHOUT, AssetAtFault


def sample(returns: Floats) -> Floats:
    """The sample covariance, divided by t - 1."""
    _around(returns)
    return np.atleast_2d(np.cov(returns, rowvar=False))


def ledoit_wolf(returns: Floats) -> Floats:
    """Shrunk towards the mean variance times the identity, by the share that is best in the long run."""
    around = _around(returns)
    days, n = around.shape
    population = around.T @ around / days
    level = float(np.trace(population)) / n
    distance = float(((population - level * np.eye(n)) ** 2).sum()) / n
    squares = around**2
    noise = float(((squares.T @ squares) / days - population**2).sum()) / (days * n)
    share = min(noise, distance) / distance if distance > 0.0 else 0.0
    return np.asarray((1.0 - share) * population + share * level * np.eye(n))


def oas(returns: Floats) -> Floats:
    """The oracle approximating shrinkage towards the mean variance times the identity, for normal returns."""
    around = _around(returns)
    days, n = around.shape
    population = around.T @ around / days
    level = float(np.trace(population)) / n
    alpha = float((population**2).mean())
    below = (days + 1.0) * (alpha - level**2 / n)
    share = 1.0 if below == 0.0 else min((alpha + level**2) / below, 1.0)
    return np.asarray((1.0 - share) * population + share * level * np.eye(n))


def constant_correlation(returns: Floats) -> Floats:
    """Shrunk towards the sample's variances with their mean correlation for all pairs, by the best share."""
    around = _around(returns)
    days, n = around.shape
    population = around.T @ around / days
    deviations = np.sqrt(np.diag(population))
    if n == 1 or not np.all(deviations > 0.0):
        return sample(returns)
    together = np.outer(deviations, deviations)
    mean = float((population / together).sum() - n) / (n * (n - 1))
    target = mean * together
    np.fill_diagonal(target, np.diag(population))
    squares = around**2
    noise = squares.T @ squares / days - population**2
    share = _share_of_target(around, population, target=target, noise=noise, mean=mean)
    return np.asarray(share * target + (1.0 - share) * population)


def _share_of_target(around: Floats, population: Floats, *, target: Floats, noise: Floats, mean: float) -> float:
    days = len(around)
    deviations = np.sqrt(np.diag(population))
    cubes = (around**3).T @ around / days - np.diag(population)[:, None] * population
    ratio = deviations[None, :] / deviations[:, None]
    bound = float(np.trace(noise)) + mean * float((ratio * cubes).sum() - np.trace(ratio * cubes))
    distance = float(((population - target) ** 2).sum())
    if distance == 0.0:
        return 0.0
    return float(np.clip((float(noise.sum()) - bound) / distance / days, 0.0, 1.0))


def ewma(returns: Floats, half_life: float = 60.0) -> Floats:
    """Weighted by 0.5^(age / half_life), age in periods, around the mean weighted alike; corrected for its bias."""
    if not half_life > 0.0:
        raise InvalidInput(f"the half-life is a number of periods above zero, not {half_life}")
    _around(returns)
    weights = 0.5 ** (np.arange(len(returns) - 1, -1, -1) / half_life)
    weights /= weights.sum()
    around = returns - weights @ returns
    found: Floats = (around * weights[:, None]).T @ around / (1.0 - float(weights @ weights))
    return found


def semi(returns: Floats, target: float = 0.0) -> Floats:
    """Of what returns fall short of `target` a period; nothing is taken off for a mean. Divided by t."""
    _around(returns)
    short = np.minimum(returns - target, 0.0)
    found: Floats = short.T @ short / len(returns)
    return found


def denoised(returns: Floats) -> Floats:
    """The sample covariance whose eigenvalues within those of pure noise (Marchenko-Pastur) are their mean."""
    return _cleaned(returns, tone=False)


def detoned(returns: Floats) -> Floats:
    """Denoised, and without the largest component, the market; singular, so it serves clusters, not a frontier."""
    return _cleaned(returns, tone=True)


def _cleaned(returns: Floats, *, tone: bool) -> Floats:
    around = _around(returns)
    days, n = around.shape
    covariance = sample(returns)
    deviations = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(correlation(covariance))
    noise = values <= _noise_edge(values, days / n)
    if noise.any():
        values = np.where(noise, values[noise].mean(), values)
    if tone:
        values[-1] = 0.0
    correlations = (vectors * values) @ vectors.T
    scale = deviations / np.sqrt(np.maximum(np.diag(correlations), 1e-300))
    return np.asarray(correlations * np.outer(scale, scale))


def _noise_edge(values: Floats, ratio: float) -> float:
    """The largest eigenvalue that noise alone gives, its variance what the eigenvalues below that edge leave to it."""
    variance = 1.0
    for _ in range(100):
        edge = variance * (1.0 + np.sqrt(1.0 / ratio)) ** 2
        inside = values[values <= edge]
        found = float(inside.mean()) if inside.size else variance
        if abs(found - variance) < 1e-12:
            break
        variance = found
    return float(variance * (1.0 + np.sqrt(1.0 / ratio)) ** 2)


def correlation(covariance: Floats) -> Floats:
    """Correlations (n, n) of a covariance, within [-1, 1]. Raises InvalidInput for an asset without variance."""
    deviations = np.sqrt(np.diag(covariance))
    if not np.all(deviations > 0.0):
        place = int(np.flatnonzero(~(deviations > 0.0))[0])
        raise AssetAtFault("{asset} has no variance, so that nothing is correlated with it", place, hint=WITHOUT)
    found = covariance / np.outer(deviations, deviations)
    np.clip(found, -1.0, 1.0, out=found)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)


def factor_model(returns: Floats, factors: Floats) -> Floats:
    """B F B' + D: loadings on `factors` (t, k) by least squares, the factors' covariance, and what is left to each."""
    around = _around(returns)
    if len(factors) != len(returns):
        raise InvalidInput(f"the factors have {len(factors)} rows, the returns {len(returns)}")
    moves = factors - factors.mean(axis=0)
    loadings, *_ = np.linalg.lstsq(moves, around, rcond=None)
    left = around - moves @ loadings
    freedom = max(len(returns) - factors.shape[1] - 1, 1)
    shared = loadings.T @ (moves.T @ moves / (len(returns) - 1)) @ loadings
    return np.asarray(shared + np.diag((left**2).sum(axis=0) / freedom))


def _around(returns: Floats) -> Floats:
    if returns.ndim != 2 or len(returns) < 2:
        raise InvalidInput("a covariance takes at least two rows of returns")
    if not np.all(np.isfinite(returns)):
        raise InvalidInput("returns have gaps: fill or drop them first")
    return np.asarray(returns - returns.mean(axis=0))


COVARIANCES: dict[str, Callable[[Floats], Floats]] = {
    "sample": sample,
    "ledoit-wolf": ledoit_wolf,
    "oas": oas,
    "constant-correlation": constant_correlation,
    "ewma": ewma,
    "semi": semi,
    "denoised": denoised,
    "detoned": detoned,
}
