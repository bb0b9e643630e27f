"""Drawdowns: falls of equity below its highest value so far, as negative fractions.

`equity` has n + 1 values, the initial capital first, so that a loss from the first period on counts. A fall within
rounding of the top is none.
"""

from math import nan, sqrt
from typing import NamedTuple

import numpy as np

from evenkeel.quant.analytics.series import Floats, Ints, known, mean, quotient

_NOISE = 1e-12


class Drawdown(NamedTuple):
    """One fall by index in `equity`: from the top at `start` over `trough` to `end`, where the top was reached again
    (None: not yet). `depth` is a negative fraction; `length` periods lie under water, up to the last value."""

    start: int
    trough: int
    end: int | None
    depth: float
    length: int

    @property
    def decline(self) -> int:
        """Periods from the top to the trough."""
        return self.trough - self.start

    @property
    def recovery(self) -> int | None:
        """Periods from the trough back to the top; None where it is not reached."""
        return None if self.end is None else self.end - self.trough


class Falls(NamedTuple):
    """All drawdowns as columns: index of the top, of the recovery (of the last value if `open`), and depth."""

    start: Ints
    end: Ints
    depth: Floats
    open: bool


def underwater(equity: Floats) -> Floats:
    """Equity / its highest value so far - 1, n + 1 values from 0 down; of each row where there are several."""
    fall = equity / np.maximum.accumulate(equity, axis=-1) - 1.0
    return np.where(fall > -_NOISE, 0.0, fall)


def falls(equity: Floats) -> Falls:
    """Every drawdown in order of time; the last one may be open."""
    depth = underwater(equity)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], depth < 0.0, [False]))))
    first, after = edges[::2], edges[1::2]
    still = len(after) > 0 and int(after[-1]) == len(equity)
    deepest = np.minimum.reduceat(depth, first) if len(first) else np.empty(0)
    return Falls(first - 1, np.minimum(after, len(equity) - 1), deepest, still)


def drawdown_table(equity: Floats, *, largest: int | None = None) -> tuple[Drawdown, ...]:
    """The drawdowns from the deepest on, at most `largest` of them; of equal ones (but for
    rounding) the earlier first."""
    if not known(equity):
        return ()
    depth, all_of = underwater(equity), falls(equity)
    rows = []
    for at in np.argsort(np.round(all_of.depth, 12), kind="stable")[:largest].tolist():
        start, end = int(all_of.start[at]), int(all_of.end[at])
        trough = start + int(np.argmin(depth[start : end + 1]))
        still = all_of.open and at == len(all_of.depth) - 1
        rows.append(Drawdown(start, trough, None if still else end, float(all_of.depth[at]), end - start))
    return tuple(rows)


def max_drawdown(equity: Floats) -> float:
    """The deepest fall from a top; 0 where there is none."""
    return float(underwater(equity).min()) if known(equity, 2) else nan


def current_drawdown(equity: Floats) -> float:
    """How far the last value lies below the top."""
    return float(underwater(equity)[-1]) if known(equity, 2) else nan


def average_drawdown(equity: Floats) -> float:
    """The mean depth of all drawdowns; NaN where there is none."""
    return mean(falls(equity).depth) if known(equity, 2) else nan


def time_under_water(equity: Floats) -> float:
    """The share of periods that end below an earlier top."""
    return mean((underwater(equity)[1:] < 0.0).astype(np.float64)) if known(equity, 2) else nan


def pain_index(equity: Floats) -> float:
    """The mean of |drawdown| over all n periods (Zephyr; Becker 2006)."""
    return mean(-underwater(equity)[1:]) if known(equity, 2) else nan


def ulcer_index(equity: Floats) -> float:
    """The root mean square of drawdown over all n periods (Martin & McCann 1989)."""
    return sqrt(mean(underwater(equity)[1:] ** 2)) if known(equity, 2) else nan


def burke_risk(equity: Floats) -> float:
    """The root of the sum of squared depths, one per drawdown (Burke 1994)."""
    return sqrt(float(np.sum(falls(equity).depth ** 2))) if known(equity, 2) else nan


def recovery_factor(equity: Floats) -> float:
    """Total return / |max drawdown|."""
    return quotient(float(equity[-1] / equity[0]) - 1.0, -max_drawdown(equity)) if known(equity, 2) else nan
