"""Convex programmes with cones, by Clarabel: a risk that may not be passed, an uncertain mean, the growth of wealth."""

from __future__ import annotations

from typing import Any

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.portfolio.room import Room

_NEAR = 1e-10


class _Problem:
    """Least x'Px/2 + q'x with s = b - A x in a product of cones; the first variables are a room's weights."""

    def __init__(self, room: Room, extra: int) -> None:
        self.n, self.size = room.size, room.size * (1 + len(room.parts())) + extra
        self.p: Floats | None = None
        self.q = np.zeros(self.size)
        self._a: list[Any] = []
        self._b: list[Floats] = []
        self._cones: list[Any] = []
        self._room(room, room.size + extra)

    def _room(self, room: Room, first: int) -> None:
        n, eye = self.n, np.eye(self.n)
        self.equal(np.ones((1, n)), np.array([room.total]))
        bounded = np.isfinite(room.upper)
        self.at_most(eye[bounded], room.upper[bounded])
        bounded = np.isfinite(room.lower)
        self.at_most(-eye[bounded], -room.lower[bounded])
        matrix, lows, highs = room.over(self.size, first)
        self.at_most(matrix[np.isfinite(highs)], highs[np.isfinite(highs)])
        self.at_most(-matrix[np.isfinite(lows)], -lows[np.isfinite(lows)])

    def equal(self, rows: Floats, to: Floats) -> None:
        import clarabel

        self._add(rows, to, [clarabel.ZeroConeT(len(rows))])

    def at_most(self, rows: Floats, most: Floats) -> None:
        import clarabel

        if len(rows):
            self._add(rows, most, [clarabel.NonnegativeConeT(len(rows))])

    def within(self, rows: Floats, offset: Floats) -> None:
        """offset - rows x in the second-order cone: its first entry is at least the length of the others."""
        import clarabel

        self._add(rows, offset, [clarabel.SecondOrderConeT(len(rows))])

    def below_logarithms(self, rows: Floats, offset: Floats) -> None:
        """Each three entries (x, y, z) of offset - rows x keep y exp(x / y) <= z."""
        import clarabel

        self._add(rows, offset, [clarabel.ExponentialConeT()] * (len(rows) // 3))

    def _add(self, rows: Floats, right: Floats, cones: list[Any]) -> None:
        wide = np.zeros((len(rows), self.size))
        wide[:, : rows.shape[1]] = rows
        self._a.append(wide)
        self._b.append(right)
        self._cones += cones

    def solve(self) -> Floats:
        """The variables. Raises InvalidInput where there is no room, or the solver gives up."""
        import clarabel
        from scipy.sparse import csc_matrix

        settings = clarabel.DefaultSettings()
        settings.verbose = False
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = _NEAR
        p = np.zeros((self.size, self.size)) if self.p is None else self.p
        solver = clarabel.DefaultSolver(
            csc_matrix(np.triu(p)),
            self.q,
            csc_matrix(np.concatenate(self._a)),
            np.concatenate(self._b),
            self._cones,
            settings,
        )
        found = solver.solve()
        if found.status in (clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved):
            return np.asarray(found.x)
        raise InvalidInput(f"no portfolio was found: {str(found.status).rsplit('.', 1)[-1]}")


def root(covariance: Floats) -> Floats:
    """L (r, n) with L'L = covariance, of as many rows as the covariance has rank."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > 1e-14 * max(float(values[-1]), 0.0)
    found: Floats = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    return found


def max_return_at_risk(mean: Floats, covariance: Floats, room: Room, risk: float) -> Floats:
    """The weights (n,) of most return whose standard deviation is at most `risk`. Raises InvalidInput."""
    factor = root(covariance)
    problem = _Problem(room, 0)
    problem.q[: room.size] = -mean / (float(np.abs(mean).max()) or 1.0)
    problem.within(
        np.vstack((np.zeros((1, room.size)), -factor / risk)), np.concatenate(([1.0], np.zeros(len(factor))))
    )
    return problem.solve()[: room.size]


def robust(mean: Floats, covariance: Floats, room: Room, *, aversion: float, doubt: float, spread: Floats) -> Floats:
    """The weights (n,) of most μ'w - doubt·|spread^½ w| - aversion/2 w'Σw: the best for the worst mean there may be.

    The mean lies in the ellipsoid (m - μ)' spread⁻¹ (m - μ) <= doubt², `spread` (n, n) the covariance of its estimate.
    Source: Goldfarb and Iyengar (2003), "Robust Portfolio Selection Problems".
    """
    n = room.size
    factor = root(spread)
    problem = _Problem(room, 1)
    problem.p = np.zeros((problem.size, problem.size))
    problem.p[:n, :n] = aversion * covariance
    problem.q[:n], problem.q[n] = -mean, doubt
    rows = np.zeros((1 + len(factor), n + 1))
    rows[0, n], rows[1:, :n] = -1.0, -factor
    problem.within(rows, np.zeros(1 + len(factor)))
    scale = max(float(np.abs(problem.p).max()), float(np.abs(problem.q).max()))
    problem.p, problem.q = problem.p / scale, problem.q / scale
    return problem.solve()[:n]


def max_growth(returns: Floats, room: Room) -> Floats:
    """The weights (n,) of most mean log(1 + r'w) over the rows of `returns` (t, n). Source: Kelly (1956)."""
    days, n = returns.shape
    problem = _Problem(room, days)
    problem.q[n : n + days] = -1.0 / days
    rows, offset = np.zeros((3 * days, n + days)), np.zeros(3 * days)
    rows[np.arange(0, 3 * days, 3), n + np.arange(days)] = -1.0
    rows[2::3, :n] = -returns
    offset[1::3] = 1.0
    offset[2::3] = 1.0
    problem.below_logarithms(rows, offset)
    return problem.solve()[:n]
