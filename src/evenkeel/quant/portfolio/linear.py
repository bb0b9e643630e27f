"""Linear programmes over a room, by HiGHS (in SciPy): variables are the weights and what measures them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats

if TYPE_CHECKING:
    from evenkeel.quant.portfolio.room import Room


_SECONDS = 60.0
_GAP = 1e-8


class Programme:
    """Least cost · x over lower <= x <= upper and low <= A x <= high. The first variables are a room's weights."""

    def __init__(self, room: Room, extra: int = 0) -> None:
        self.weights = room.size
        self.size = room.size * (1 + len(room.parts()) + room.is_few) + extra
        self.extra = slice(room.size, room.size + extra)
        self.cost = np.zeros(self.size)
        self.lower, self.upper = np.zeros(self.size), np.full(self.size, np.inf)
        self.lower[: room.size], self.upper[: room.size] = room.lower, room.upper
        self._rows: list[Floats] = []
        self._lows: list[Floats] = []
        self._highs: list[Floats] = []
        self.add(np.ones((1, room.size)), [room.total], [room.total])
        self.add(*room.over(self.size, room.size + extra))
        self._flags = slice(self.size - room.size, self.size) if room.is_few else None
        if room.is_few:
            self._count(room)

    def _count(self, room: Room) -> None:
        """The last variables say whether a weight is held: 0 or 1."""
        n, flags = self.weights, slice(self.size - self.weights, self.size)
        self.upper[flags] = 1.0
        block = np.zeros((2 * n + 1, self.size))
        block[:n, :n], block[:n, flags] = np.eye(n), -np.diag(room.upper)
        block[n : 2 * n, :n], block[n : 2 * n, flags] = np.eye(n), -np.diag(np.maximum(room.lower, room.min_weight))
        block[2 * n, flags] = 1.0
        lows = np.concatenate((np.full(n, -np.inf), np.zeros(n), [-np.inf]))
        most = np.inf if room.max_assets is None else float(room.max_assets)
        self.add(block, lows, np.concatenate((np.zeros(n), np.full(n, np.inf), [most])))

    def add(self, matrix: Floats, low: Any, high: Any) -> None:
        """Rows over the first variables there are columns for."""
        wide = np.zeros((len(matrix), self.size))
        wide[:, : matrix.shape[1]] = matrix
        self._rows.append(wide)
        self._lows.append(np.asarray(low, np.float64))
        self._highs.append(np.asarray(high, np.float64))

    def solve(self) -> Floats:
        """The variables (v,) of least cost. Raises InvalidInput where there is no room, or no least cost."""
        if self._flags is None:
            return self._answer(None)
        whole = np.zeros(self.size)
        whole[self._flags] = 1.0
        held = np.rint(self._answer(whole)[self._flags])
        # Whole numbers are met to a tolerance: with them fixed, the rest is met to rounding.
        self.lower[self._flags] = self.upper[self._flags] = held
        return self._answer(None)

    def _answer(self, whole: Floats | None) -> Floats:
        from scipy.optimize import Bounds, LinearConstraint, milp

        rows = LinearConstraint(np.concatenate(self._rows), np.concatenate(self._lows), np.concatenate(self._highs))
        options = {} if whole is None else {"time_limit": _SECONDS, "mip_rel_gap": _GAP}
        found = milp(
            self.cost, integrality=whole, bounds=Bounds(self.lower, self.upper), constraints=rows, options=options
        )
        if found.x is None or (whole is not None and found.status != 0):
            raise InvalidInput(f"the linear programme has no answer: {_reason(found.status)}")
        return np.asarray(found.x)


def feasible(room: Room) -> bool:
    """Whether any portfolio keeps to all constraints."""
    try:
        Programme(room).solve()
    except InvalidInput:
        return False
    return True


_REASONS = {1: "the time was too short", 2: "nothing keeps to all constraints", 3: "its cost has no least value"}


def _reason(status: int) -> str:
    return _REASONS.get(status, "the solver gave up")
