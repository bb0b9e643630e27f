"""Risk budgets: weights whose parts of the risk are as asked for, by coordinate descent; inverse volatility beside it.

The weights are those of x that minimises x'Σx/2 - Σ b_i ln x_i, of which each coordinate has a closed form, scaled to
one. Source: Griveau-Billion, Richard and Roncalli (2013), "A Fast Algorithm for Computing High-dimensional Risk Parity
Portfolios"; Spinu (2013).
"""

from __future__ import annotations

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.kernels import compiled, kernel
from evenkeel.quant.portfolio.assets import WITHOUT, AssetAtFault

_SWEEPS = 10_000
_NEAR = 1e-11


@kernel
def _image(cov: Floats, x: Floats, image: Floats) -> None:
    for i in range(x.size):
        image[i] = 0.0
    for j in range(x.size):
        row = cov[j]
        amount = x[j]
        for i in range(x.size):
            image[i] += amount * row[i]


@compiled(lambda t: t.int64(t.table, t.floats, t.out, t.out, t.int64, t.float64), allocates=False)
def descend(cov: Floats, budgets: Floats, x: Floats, image: Floats, sweeps: int, near: float) -> int:
    """Sweeps over all coordinates until each part x_i (Σx)_i is within `near` of its budget; how many sweeps, or -1.

    `image` is Σx, kept up to date from one coordinate to the next and made anew where it seems good enough.
    """
    n = x.size
    is_new = True
    _image(cov, x, image)
    for sweep in range(sweeps):
        worst = 0.0
        for i in range(n):
            worst = max(worst, abs(x[i] * image[i] - budgets[i]))
            rest = image[i] - cov[i, i] * x[i]
            new = (np.sqrt(rest * rest + 4.0 * cov[i, i] * budgets[i]) - rest) / (2.0 * cov[i, i])
            change = new - x[i]
            x[i] = new
            row = cov[i]
            for k in range(n):
                image[k] += change * row[k]
        if worst <= near:
            if is_new:
                return sweep
            _image(cov, x, image)
        is_new = worst <= near
    return -1


def risk_budget(covariance: Floats, budgets: Floats | None = None) -> Floats:
    """Weights (n,) of sum one whose parts of the variance stand to each other as `budgets` (n,), equal where None.

    Raises InvalidInput for budgets that are not positive, an asset that does not vary (it cannot bear any risk), and
    assets that offset each other so far that no such portfolio has a risk.
    """
    n = len(covariance)
    covariance = np.ascontiguousarray(covariance, np.float64)
    wanted = np.full(n, 1.0 / n) if budgets is None else np.asarray(budgets, np.float64)
    if wanted.shape != (n,) or not np.all(wanted > 0.0):
        raise InvalidInput(f"risk budgets are {n} positive numbers, one for each asset")
    deviations = _deviations(covariance)
    wanted = wanted / wanted.sum()
    x = np.sqrt(wanted) / deviations
    x /= np.sqrt(max(float(x @ covariance @ x), 1.0 / n))
    if descend(covariance, wanted, x, np.empty(n), _SWEEPS, _NEAR / n) < 0:
        raise InvalidInput("no portfolio has these risk budgets: some assets offset each other's risk entirely")
    return np.asarray(x / x.sum())


def inverse_volatility(covariance: Floats) -> Floats:
    """Weights (n,) of sum one in inverse proportion to each asset's standard deviation."""
    weights: Floats = 1.0 / _deviations(covariance)
    return np.asarray(weights / weights.sum())


def _deviations(covariance: Floats) -> Floats:
    variances = np.diag(covariance)
    still = np.flatnonzero(~(variances > 0.0))
    if still.size:
        told = "{asset} has no variance, so that no weight gives it a part of the risk"
        raise AssetAtFault(told, int(still[0]), hint=WITHOUT)
    found: Floats = np.sqrt(variances)
    return found


def risk_parts(weights: Floats, covariance: Floats) -> Floats:
    """Each asset's part (n,) of the portfolio's standard deviation; they add up to it (Euler)."""
    image = covariance @ weights
    deviation = float(np.sqrt(max(float(weights @ image), 0.0)))
    if deviation == 0.0:
        return np.zeros_like(weights)
    parts: Floats = weights * image / deviation
    return parts
