"""Quadratic programmes over a room, by PIQP: least w'Pw/2 + q'w, with rows, turnover and costs of trading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats

if TYPE_CHECKING:
    from evenkeel.quant.portfolio.room import Room

_NEAR = 1e-11
_ANY = 1e30  # what the solver takes for infinite; it speaks of rows without a bound


@dataclass(frozen=True)
class Programme:
    """Least x'Px/2 + q'x with equal x = to, low <= rows x <= high, lower <= x <= upper; x has shape (v,)."""

    p: Floats
    q: Floats
    equal: Floats
    to: Floats
    rows: Floats
    low: Floats
    high: Floats
    lower: Floats
    upper: Floats


def minimise(curvature: Floats, slope: Floats, room: Room, *, trading: Floats | None = None) -> Floats:
    """The weights (n,) of least w'Pw/2 + q'w + trading·|w - present| in the room.

    `curvature` has shape (n, n), positive semi-definite; `slope` and `trading` (costs, not negative) have shape (n,).
    Raises InvalidInput where the room is empty.
    """
    n = room.size
    costs = trading is not None and bool(np.any(trading))
    size = n * (1 + len(room.parts()) + costs)
    p, q = np.zeros((size, size)), np.zeros(size)
    p[:n, :n], q[:n] = curvature, slope
    if costs:
        q[size - n :] = trading
    lower, upper = np.full(size, -np.inf), np.full(size, np.inf)
    lower[:n], upper[:n] = room.lower, room.upper
    total = np.zeros((1, size))
    total[0, :n] = 1.0
    rows, low, high = room.over(size, n, change=costs)
    programme = Programme(p, q, total, np.array([room.total]), rows, low, high, lower, upper)
    return np.clip(solve(programme)[:n], room.lower, room.upper)


def solve(programme: Programme, *, sparse: bool = False) -> Floats:
    """The best x (v,). `sparse` is for programmes of which most entries are zero. Raises InvalidInput."""
    import piqp
    from scipy.sparse import csc_matrix

    # Variances of a day are tiny: in these units the solver's tolerances are far below any weight that matters.
    it = programme
    scale = max(float(np.abs(it.p).max(initial=0.0)), float(np.abs(it.q).max(initial=0.0))) or 1.0
    solver = piqp.SparseSolver() if sparse else piqp.DenseSolver()
    shaped = csc_matrix if sparse else np.asarray
    solver.settings.eps_abs = solver.settings.eps_rel = _NEAR
    solver.settings.max_iter = 500
    bound = (it.low > -_ANY) | (it.high < _ANY)
    has_rows = bool(bound.any())
    rows, low, high = (shaped(it.rows[bound]), it.low[bound], it.high[bound]) if has_rows else (None, None, None)
    solver.setup(shaped(it.p / scale), it.q / scale, shaped(it.equal), it.to, rows, low, high, it.lower, it.upper)
    status = solver.solve()
    if status == piqp.PIQP_SOLVED:
        return np.asarray(solver.result.x)
    if status == piqp.PIQP_PRIMAL_INFEASIBLE:
        raise InvalidInput("no portfolio keeps to all constraints")
    raise InvalidInput(f"the quadratic programme has no answer: {str(status).rsplit('.', 1)[-1].lower()}")
