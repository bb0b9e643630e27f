"""From weights to whole lots: trades that come as near to the weights as the money allows.

What is least is Σ|w_i W − value_i|, with W what is to be invested. It is an integer programme, solved by HiGHS (in
SciPy) within a time limit; where that finds nothing better, lots are filled one asset after another. Either way the
result says by how much at most another one could be better.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats, Ints

_ROUNDING = 1e-9
_FEWER = 1e-9
SECONDS = 2.0


@dataclass(frozen=True)
class Assets:
    """Per asset (n,): the weight wanted, the value of one lot, and what is held, in lots and signed."""

    weights: Floats
    lots: Floats
    held: Floats


@dataclass(frozen=True)
class Means:
    """What there is: `cash`, and `whole`, the worth that weights are shares of, positions that are not traded included.

    `buffer` is the share of it that stays in cash, `costs` what trading is expected to cost, and `slack` how much more
    than its price, as a share, has to be there for a purchase: the buffer may be that. Assets whose weight is off by
    `band` or less are left alone, and so are trades worth less than `least`.
    """

    cash: float
    whole: float
    buffer: float = 0.0
    costs: float = 0.0
    slack: float = 0.0
    band: float = 0.0
    least: float = 0.0


@dataclass(frozen=True)
class Lots:
    """`trades` (n,) in lots, sales negative. `deviation` is Σ|wanted − reached| in money, and `gap` by how much at most
    it could be less. `inside` (n,) are left alone for their band, `small` (n,) for the size of the trade."""

    trades: Ints
    deviation: float
    gap: float
    inside: npt.NDArray[np.bool_]
    small: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Task:
    """By asset: the change of value wanted, the value of a lot, and the fewest and most lots to trade.

    Trades may take `money`, and `whole` of it and the buffer together where `slack` more is there for each purchase.
    """

    wanted: Floats
    unit: Floats
    low: Floats
    high: Floats
    money: float
    whole: float
    slack: float

    def left(self, trades: Floats) -> tuple[float, float]:
        """What trades leave of the money, and of the whole with what has to be there for them."""
        taken, more = float((trades * self.unit).sum()), self.slack * float((np.maximum(trades, 0.0) * self.unit).sum())
        return self.room - taken, max(self.whole, self.sales) - taken - more

    def off(self, trades: Floats) -> float:
        return float(np.abs(self.wanted - trades * self.unit).sum())

    def without(self, left: npt.NDArray[np.bool_]) -> "_Task":
        return replace(self, low=np.where(left, 0.0, self.low), high=np.where(left, 0.0, self.high))

    @property
    def sales(self) -> float:
        """The value, below zero, of the sales that are wanted anyway."""
        lots = np.clip(np.floor(self.wanted / self.unit), self.low, 0.0)
        return float((lots * self.unit).sum())

    @property
    def room(self) -> float:
        """The money there is; where none is, what sales that are wanted anyway bring."""
        return max(self.money, self.sales)


def whole_lots(assets: Assets, means: Means, *, seconds: float = SECONDS, exact: bool = True) -> Lots:
    """The trades that come nearest to the weights. Nothing is sold short unless its weight is negative, nor bought
    beyond what is short unless its weight is positive. Without `exact` lots are only filled one after another.

    Raises InvalidInput where a figure makes no sense.
    """
    _check(assets, means)
    held = assets.held * assets.lots
    ideal = assets.weights * (1.0 - means.buffer) * means.whole
    drift = np.abs(held - ideal)
    inside = (drift <= means.band * means.whole * (1.0 + _ROUNDING)) & (assets.weights != 0.0) & (means.band > 0.0)
    low, high = _bounds(assets, (ideal - held) / assets.lots)
    cash = means.cash - means.costs
    money = cash - means.buffer * means.whole
    task = _Task(ideal - held, assets.lots, low, high, money, cash, means.slack).without(inside)
    small = np.zeros(len(held), np.bool_)
    while True:
        now = task.without(small)
        trades, gap = _solved(now, seconds, exact=exact)
        value = np.abs(trades) * assets.lots
        less = (trades != 0.0) & (value < means.least * (1.0 - _ROUNDING))
        if not less.any():
            break
        small |= less
    return Lots(trades.astype(np.int64), task.off(trades), gap, inside, small)


def _check(assets: Assets, means: Means) -> None:
    figures = np.concatenate((assets.weights, assets.lots, assets.held, [means.cash, means.whole, means.costs]))
    if not np.all(np.isfinite(figures)) or np.any(assets.lots <= 0.0):
        raise InvalidInput("weights, prices, lots and money are finite, and lots worth more than nothing")
    if means.whole < 0.0 or not 0.0 <= means.buffer < 1.0 or min(means.costs, means.slack, means.band, means.least) < 0:
        raise InvalidInput("worth, costs, slack, band and least trade are not below zero, and the buffer is below one")


def _bounds(assets: Assets, wanted: Floats) -> tuple[Floats, Floats]:
    """The fewest and most lots to trade (n,): enough for the weight, and never through nothing against its sign."""
    flat = -assets.held
    low = np.minimum(0.0, np.floor(wanted + _ROUNDING))
    high = np.maximum(0.0, np.ceil(wanted - _ROUNDING))
    longs = assets.weights >= 0.0
    low = np.where(longs, np.minimum(0.0, np.ceil(flat - _ROUNDING)), low)
    high = np.where(assets.weights <= 0.0, np.maximum(0.0, np.minimum(high, np.floor(flat + _ROUNDING))), high)
    return low, high


def _solved(task: _Task, seconds: float, *, exact: bool) -> tuple[Floats, float]:
    """Trades, and by how much at most others could be better."""
    filled = _filled(task)
    bound = _bound(task)
    best, off = filled, task.off(filled)
    if exact and off > bound + _ROUNDING:
        found, least = _programme(task, seconds)
        bound = max(bound, least)
        if found is not None and task.off(found) < off:
            best, off = found, task.off(found)
    return best, max(0.0, off - bound)


def _bound(task: _Task) -> float:
    """No trades can be nearer: each asset as near as its lots allow, and all as near as the money does."""
    nearest = np.clip(np.rint(task.wanted / task.unit), task.low, task.high)
    lacking = float(np.clip(task.wanted, task.low * task.unit, task.high * task.unit).sum()) - task.room
    return max(task.off(nearest), lacking, 0.0)


def _filled(task: _Task) -> Floats:
    """Sales as wanted, purchases cut alike to the money there is, and what is left spent where it does the most."""
    trades = np.clip(np.floor(task.wanted / task.unit + _ROUNDING), task.low, task.high)
    sales, buys = np.minimum(trades, 0.0), np.maximum(trades, 0.0)
    cost, (free, whole) = float((buys * task.unit).sum()), task.left(sales)
    free = min(free, whole / (1.0 + task.slack))
    if cost > free:
        trades = sales + np.floor(buys * max(0.0, free) / cost)
    for place in np.argsort(-task.unit, kind="stable").tolist():
        trades[place] += _more(task, trades, place)
    return np.asarray(trades)


def _more(task: _Task, trades: Floats, place: int) -> float:
    """How many lots more of an asset there is money for, and are nearer to what is wanted."""
    unit, (free, whole) = float(task.unit[place]), task.left(trades)
    nearest = float(np.clip(np.rint(task.wanted[place] / unit), task.low[place], task.high[place]))
    more = nearest - float(trades[place])
    return float(max(0.0, min(more, np.floor(min(free, whole / (1.0 + task.slack)) / unit))))


def _programme(task: _Task, seconds: float) -> tuple[Floats | None, float]:
    """The integer programme's trades, None where it has none in time, and the bound it has proved.

    Variables are lots bought, lots sold, and how far each asset stays off, (3n,), in shares of the largest lot.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csc_matrix, diags, hstack, identity, vstack

    count = task.unit.size
    scale = float(task.unit.max())
    unit, wanted = task.unit / scale, task.wanted / scale
    line, one = diags(unit), identity(count)
    taken = np.array([[*unit, *-unit, *np.zeros(count)], [*unit * (1.0 + task.slack), *-unit, *np.zeros(count)]])
    rows = vstack([hstack([line, -line, one]), hstack([line, -line, -one]), csc_matrix(taken)])
    above = np.concatenate((wanted, np.full(count, -np.inf), [-np.inf, -np.inf]))
    most = [task.room / scale, max(task.whole, task.sales) / scale]
    below = np.concatenate((np.full(count, np.inf), wanted, most))
    found = milp(
        np.concatenate((_FEWER * unit, _FEWER * unit, np.ones(count))),
        integrality=np.concatenate((np.ones(2 * count), np.zeros(count))),
        bounds=Bounds(
            np.zeros(3 * count), np.concatenate((np.maximum(task.high, 0.0), -task.low, np.full(count, np.inf)))
        ),
        constraints=LinearConstraint(csc_matrix(rows), above, below),
        options={"time_limit": seconds, "mip_rel_gap": 0.0},
    )
    proved = getattr(found, "mip_dual_bound", None)
    least = 0.0 if proved is None or not np.isfinite(proved) else max(0.0, float(proved) - 1e-6) * scale
    if found.x is None:
        return None, least
    trades = np.rint(found.x[:count]) - np.rint(found.x[count : 2 * count])
    fits = min(task.left(trades)) >= -_ROUNDING * scale
    return (trades if fits else None), least
