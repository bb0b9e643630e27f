"""What strategies have made so far, how much each is to be given for it, and which are to be left out for a while.

Everything is point-in-time: row t of a result uses rows 0 to t only. Results are fractions of what a strategy may use,
added up and not compounded, so that a fall counts the same whenever it comes.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evenkeel.quant.indicators import Floats, rolling_std, sma
from evenkeel.quant.kernels import compiled

Flags = npt.NDArray[np.bool_]


class Switching(NamedTuple):
    """`on` (n,): whether it counts at each bar. `distance` (n,): while on, the fall from the top; while off, the rise
    from the bottom."""

    on: Flags
    distance: Floats


def made(close: Floats, held: Floats, *, cost: float = 0.0) -> Floats:
    """The result of each bar (n,) of holding `held` (n,), a target decided at the bar's close and kept to the next.

    held[t − 1] · (close[t] / close[t − 1] − 1) − cost · |held[t − 1] − held[t − 2]|; the first is 0. `cost` is a
    fraction of the value traded.
    """
    result = np.zeros(len(close))
    before = np.concatenate(([0.0], held[:-1]))
    traded = np.abs(np.diff(before))
    result[1:] = before[1:] * np.nan_to_num(close[1:] / close[:-1] - 1.0, posinf=0.0, neginf=0.0) - cost * traded
    return result


def scores(results: Floats, lookback: int) -> Floats:
    """Each strategy's Sharpe-like score over its volatility, 0 where it has lost: results (n, k) to scores (n, k).

    With the mean m and the standard deviation s of the last `lookback` results: max(m / s, 0) / s. A strategy that made
    m with twice the risk gets a quarter. 0 where it did nothing, NaN before there are as many results.
    """
    columns = []
    for column in np.ascontiguousarray(results.T):
        mean, spread = sma(column, lookback), rolling_std(column, lookback)
        still = spread == 0.0
        columns.append(np.where(still, 0.0, np.maximum(mean, 0.0) / np.where(still, 1.0, spread) ** 2))
    return np.column_stack(columns)


def shares(weights: Floats) -> Floats:
    """Weights (n, k) as shares of their sum in each row; 0 where all are 0."""
    whole = weights.sum(axis=1, keepdims=True)
    return np.where(whole > 0.0, weights / np.where(whole > 0.0, whole, 1.0), 0.0)


def switching(results: Floats, *, fall: float, window: int, rise: float, least: int) -> Switching:
    """Whether a strategy with these results (n,) counts, bar by bar.

    Off where the sum of its results lies more than `fall` below its highest of the last `window` bars since it was on;
    on again where it has risen by `rise` from its lowest since then. Each lasts `least` bars at least.
    """
    line = np.cumsum(results)
    on, distance = np.empty(len(line)), np.empty(len(line))
    follow(line, float(fall), int(window), float(rise), int(least), on, distance)
    return Switching(on > 0.0, distance)


@compiled(lambda t: t.void(t.floats, t.float64, t.int64, t.float64, t.int64, t.out, t.out))
def follow(line: Floats, fall: float, window: int, rise: float, least: int, on: Floats, distance: Floats) -> None:
    """Writes 1 or 0, and the distance from the top or the bottom, for each value of `line`."""
    counts, since, top, low = True, 0, 0, 0.0
    for t in range(len(line)):
        if counts:
            first = max(since, t - window + 1)
            if top < first:
                top = first
                for j in range(first, t):
                    if line[j] >= line[top]:
                        top = j
            if line[t] >= line[top]:
                top = t
            distance[t] = line[top] - line[t]
            if distance[t] > fall and t - since >= least:
                counts, since, low = False, t, line[t]
        else:
            low = min(low, line[t])
            distance[t] = line[t] - low
            if distance[t] >= rise and t - since >= least:
                counts, since, top = True, t, t
        on[t] = 1.0 if counts else 0.0
