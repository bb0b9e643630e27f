"""Portfolios by their worst: least conditional value at risk, drawdown at risk, deepest drawdown, absolute deviation,
semi-variance.

All but the last, which is a quadratic one, are linear programmes over past returns, each row of equal weight. Sources:
Rockafellar and Uryasev (2000), "Optimization of Conditional Value-at-Risk"; Chekhlov, Uryasev and Zabarankin (2005),
"Drawdown Measure in Portfolio Optimization"; Konno and Yamazaki (1991), "Mean-Absolute Deviation".
"""

from __future__ import annotations

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics import tails
from evenkeel.quant.analytics.risk import mean_absolute_deviation
from evenkeel.quant.analytics.series import Floats, check_confidence
from evenkeel.quant.portfolio import quadratic
from evenkeel.quant.portfolio.linear import Programme
from evenkeel.quant.portfolio.room import Room


def cvar(returns: Floats, weights: Floats, confidence: float = 0.95) -> float:
    """The mean loss in the worst 1 - confidence of the rows of `returns` (t, n). Raises InvalidInput."""
    return tails.cvar(returns @ weights, confidence=confidence)


def drawdowns(returns: Floats, weights: Floats) -> Floats:
    """How far the sum of past returns lies below its highest so far (t,); not compounded, as in the programme."""
    path = np.cumsum(returns @ weights)
    found: Floats = np.maximum.accumulate(np.maximum(path, 0.0)) - path
    return found


def cdar(returns: Floats, weights: Floats, confidence: float = 0.95) -> float:
    """The mean of the deepest 1 - confidence of the drawdowns. Raises InvalidInput."""
    return tails.cvar(-drawdowns(returns, weights), confidence=confidence)


def absolute_deviation(returns: Floats, weights: Floats) -> float:
    """The mean of what the portfolio's returns differ from their mean."""
    return mean_absolute_deviation(returns @ weights)


def min_cvar(returns: Floats, room: Room, confidence: float = 0.95) -> Floats:
    """The weights (n,) of least CVaR over the rows of `returns` (t, n). Raises InvalidInput where the room is empty."""
    check_confidence(confidence)
    if room.is_long_only:
        return _by_prices_of_rows(returns, confidence)
    rows, n = returns.shape
    programme = Programme(room, extra=1 + rows)
    level, first = n, n + 1
    programme.lower[level] = -np.inf
    programme.cost[level] = 1.0
    programme.cost[first : first + rows] = 1.0 / ((1.0 - confidence) * rows)
    block = np.zeros((rows, first + rows))
    block[:, :n], block[:, level], block[:, first:] = returns, 1.0, np.eye(rows)
    programme.add(block, np.zeros(rows), np.full(rows, np.inf))
    return programme.solve()[:n]


def _by_prices_of_rows(returns: Floats, confidence: float) -> Floats:
    """The same by the dual, which has a row an asset and not one a day: the weights are what its rows are worth."""
    from scipy.optimize import linprog

    days, n = returns.shape
    most = 1.0 / ((1.0 - confidence) * days)
    rows = np.hstack((returns.T, np.ones((n, 1))))
    total = np.concatenate((np.ones(days), [0.0]))[None, :]
    bounds = [(0.0, most)] * days + [(None, None)]
    cost = np.concatenate((np.zeros(days), [-1.0]))
    found = linprog(
        cost, rows, np.zeros(n), total, [1.0], bounds=bounds, method="highs-ds", options={"presolve": False}
    )
    if found.status != 0:
        raise InvalidInput(f"the least CVaR was not found: {found.message}")
    weights = np.maximum(-found.ineqlin.marginals, 0.0)
    return np.asarray(weights / weights.sum())


def min_absolute_deviation(returns: Floats, room: Room) -> Floats:
    """The weights (n,) of least mean absolute deviation over the rows of `returns` (t, n)."""
    rows, n = returns.shape
    programme = Programme(room, extra=rows)
    programme.cost[programme.extra] = 1.0 / rows
    around = returns - returns.mean(axis=0)
    for sign in (1.0, -1.0):
        programme.add(np.hstack((sign * around, np.eye(rows))), np.zeros(rows), np.full(rows, np.inf))
    return programme.solve()[:n]


def min_cdar(returns: Floats, room: Room, confidence: float = 0.95) -> Floats:
    """The weights (n,) of least conditional drawdown at risk over the rows of `returns` (t, n)."""
    check_confidence(confidence)
    rows, n = returns.shape
    programme = Programme(room, extra=1 + 2 * rows)
    level, excess, peak = n, n + 1, n + 1 + rows
    programme.lower[level] = -np.inf
    programme.cost[level] = 1.0
    programme.cost[excess:peak] = 1.0 / ((1.0 - confidence) * rows)
    path = np.cumsum(returns, axis=0)
    block = np.zeros((rows, peak + rows))
    block[:, :n], block[:, level], block[:, excess:peak], block[:, peak:] = path, 1.0, np.eye(rows), -np.eye(rows)
    programme.add(block, np.zeros(rows), np.full(rows, np.inf))
    _raise_peaks(programme, path, peak)
    return programme.solve()[:n]


def min_drawdown(returns: Floats, room: Room) -> Floats:
    """The weights (n,) whose deepest drawdown over the rows of `returns` (t, n) is the least."""
    rows, n = returns.shape
    programme = Programme(room, extra=1 + rows)
    deepest, peak = n, n + 1
    programme.cost[deepest] = 1.0
    path = np.cumsum(returns, axis=0)
    block = np.zeros((rows, peak + rows))
    block[:, :n], block[:, deepest], block[:, peak:] = path, 1.0, -np.eye(rows)
    programme.add(block, np.zeros(rows), np.full(rows, np.inf))
    _raise_peaks(programme, path, peak)
    return programme.solve()[:n]


def min_semi_variance(excess: Floats, room: Room) -> Floats:
    """The weights (n,) of least mean square of what rows of `excess` returns (t, n) fall short of nothing.

    A variable a row is the shortfall, as in Markowitz (1959), "Portfolio Selection", chapter 9. Raises InvalidInput
    where the room is empty.
    """
    days, n = excess.shape
    first = n * (1 + len(room.parts()))
    size = first + days
    p, equal = np.zeros((size, size)), np.zeros((1, size))
    p[first:, first:] = np.eye(days) / days
    equal[0, :n] = 1.0
    short = np.zeros((days, size))
    short[:, :n], short[:, first:] = excess, np.eye(days)
    rows, lows, highs = room.over(size, n)
    lower, upper = np.zeros(size), np.full(size, np.inf)
    lower[:n], upper[:n] = room.lower, room.upper
    programme = quadratic.Programme(
        p, np.zeros(size), equal, np.array([room.total]), np.concatenate((short, rows)),
        np.concatenate((np.zeros(days), lows)), np.concatenate((np.full(days, np.inf), highs)), lower, upper,
    )  # fmt: skip
    return np.clip(quadratic.solve(programme, sparse=True)[:n], room.lower, room.upper)


def _raise_peaks(programme: Programme, path: Floats, first: int) -> None:
    """The variables from `first` on are at least the path, and never fall; the first is at least zero."""
    rows, n = path.shape
    above = np.zeros((rows, first + rows))
    above[:, :n], above[:, first:] = -path, np.eye(rows)
    programme.add(above, np.zeros(rows), np.full(rows, np.inf))
    rising = np.zeros((rows - 1, first + rows))
    rising[:, first:] = np.eye(rows)[1:] - np.eye(rows)[:-1]
    programme.add(rising, np.zeros(rows - 1), np.full(rows - 1, np.inf))
