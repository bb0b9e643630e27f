"""Least x'Σx/2 - r'x over x ≥ 0, exactly: with r = 1 the direction of least variance, with excess means that of the
highest Sharpe ratio. Scaled to one, x is the long-only portfolio.

Coordinate descent finds which assets are held; the answer on those is one Cholesky solve, checked by its gradients, and
assets change sides in blocks until the check holds. Source: Júdice and Pires (1994), block principal pivoting.
"""

from __future__ import annotations

import numpy as np

from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.kernels import compiled

_SWEEPS = 40
_ROUNDS = 60
_NEAR = 1e-12


@compiled(lambda t: t.int64(t.table, t.floats, t.out, t.out, t.int64), allocates=False)
def descend(cov: Floats, right: Floats, x: Floats, gradient: Floats, most: int) -> int:
    """Coordinate descent from x = 0 until a sweep changes nothing in what is held; how many sweeps it took."""
    n = x.size
    for i in range(n):
        x[i] = 0.0
        gradient[i] = -right[i]
    for sweep in range(most):
        moved = 0
        for i in range(n):
            new = max(x[i] - gradient[i] / cov[i, i], 0.0)
            change = new - x[i]
            if change != 0.0:
                if (new == 0.0) != (x[i] == 0.0):
                    moved += 1
                x[i] = new
                row = cov[i]
                for k in range(n):
                    gradient[k] += change * row[k]
        if sweep > 0 and moved <= n // 100:
            return sweep + 1
    return most


def solve(covariance: Floats, right: Floats) -> Floats | None:
    """x (n,); None where the held assets' covariance is singular or sides keep changing."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    n = right.size
    x, gradient = np.empty(n), np.empty(n)
    descend(covariance, right, x, gradient, _SWEEPS)
    held = x > 0.0
    fewest, patience = n + 1, 3
    for _ in range(_ROUNDS):
        inside = np.flatnonzero(held)
        x = np.zeros(n)
        if inside.size:
            try:
                x[inside] = cho_solve(
                    cho_factor(covariance[np.ix_(inside, inside)], check_finite=False),
                    right[inside],
                    check_finite=False,
                )
            except LinAlgError:
                return None
        gradient = covariance[:, inside] @ x[inside] - right
        wrong = (held & (x < 0.0)) | (~held & (gradient < -_NEAR * np.abs(right).max()))
        count = int(wrong.sum())
        if count == 0:
            return x
        if count < fewest:
            fewest, patience = count, 3
        elif patience > 0:
            patience -= 1
        else:  # one at a time cannot go round in circles
            last = np.flatnonzero(wrong)[-1]
            wrong = np.zeros(n, bool)
            wrong[last] = True
        held = held ^ wrong
    return None
