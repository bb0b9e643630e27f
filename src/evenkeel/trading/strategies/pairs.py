"""Pairs trading (E. Gatev, W. Goetzmann and K. Rouwenhorst, 2006): what has parted from its like comes back to it.

The spread is that of R. Engle and C. Granger (1987), over a moving window: the residual of the log price of the first
instrument regressed on that of the second.
"""

from collections.abc import Mapping
from math import isnan
from typing import ClassVar, NamedTuple

import msgspec
import numpy as np

from evenkeel.domain.errors import FieldError
from evenkeel.market.panel import Panel
from evenkeel.quant.indicators import Floats, frozen, ratio, rolling_beta, rolling_std, sma
from evenkeel.trading.strategies.base import PanelStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, number, whole

_ROUNDING = 1e-12


class Pairs(PanelStrategy):
    name = "pairs"
    aliases: ClassVar[tuple[str, ...]] = ("pairs-trading", "statistical-arbitrage", "stat-arb")
    version = "1"
    title = "Pairs"
    description = (
        "Two instruments: buys the first and sells hedge times the second when the z-score of their spread is at most"
        " -entry, the reverse at entry; out when it is back within exit. A score beyond stop ends the trade, and none"
        " begins before it has been back within exit. The hedge is the slope of log prices over the window and is"
        " kept while the trade lasts; both legs together use the whole allocation."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("window", 60, 3, 2000, description="Bars in the regression that gives hedge ratio and score."),
        number("entry", 2.0, 0.1, 20.0, description="Score at which it trades."),
        number("exit", 0.5, 0.0, 20.0, description="Score at which it takes leave; less than entry."),
        number("stop", 4.0, 0.1, 1000.0, description="Score at which it gives up; more than entry."),
    )

    def instruments(self, params: Params) -> tuple[int, int | None]:
        return 2, 2

    def check(self, params: Params) -> tuple[FieldError, ...]:
        faults, entry = [], params.number("entry")
        if params.number("exit") >= entry:
            faults.append(FieldError("parameters.exit", f"expected less than entry ({entry:g})"))
        if params.number("stop") <= entry:
            faults.append(FieldError("parameters.stop", f"expected more than entry ({entry:g})"))
        return tuple(faults)

    def warmup(self, params: Params) -> int:
        return params.whole("window") - 1

    def remembers(self, params: Params) -> bool:
        """Which exit counts, and with which hedge, depends on the trade it is in."""
        return True

    def signals(self, bars: Panel, params: Params) -> Floats:
        """Nothing is decided where either has no bar."""
        return self._traded(bars, params)[0]

    def _traded(self, bars: Panel, params: Params) -> tuple[Floats, "_Trade"]:
        """(targets, the trade it is in at the end)."""
        hedge, score = self._spread(bars, params)
        score = np.where(bars.shown.all(axis=1), score, np.nan)
        score[: self.warmup(params)] = np.nan
        targets = np.full(bars.close.shape, np.nan)
        trade = _NO_TRADE
        entry, leave, _ = rules = _rules(params)
        for row in np.flatnonzero((np.abs(score) >= entry) | (np.abs(score) <= leave) | _turns(score)).tolist():
            trade, told = _step(trade, float(score[row]), float(hedge[row]), rules=rules)
            if told is not None:
                targets[row] = told
        return targets, trade

    def update(self, state: bytes | None, recent: Panel, params: Params) -> tuple[bytes, Floats, bool]:
        """The state is the trade it is in."""
        if state is None:
            targets, trade = self._traded(recent, params)
            return msgspec.json.encode(trade), targets[-1], False
        trade = msgspec.json.decode(state, type=_Trade)
        hedge, score = (float(series[-1]) for series in self._spread(recent, params))
        told = None
        if bool(recent.shown[-1].all()) and len(recent) > self.warmup(params) and not isnan(score):
            trade, told = _step(trade, score, hedge, rules=_rules(params))
        return msgspec.json.encode(trade), np.full(2, np.nan) if told is None else np.array(told), False

    def confidence(self, bars: Panel, params: Params, targets: Floats) -> Floats:
        """The size of the score, half at entry; 0 where nothing is asked."""
        score = np.abs(self._spread(bars, params)[1]) / (2.0 * params.number("entry"))
        return np.where(np.isnan(targets), 0.0, score[:, None])

    def details(self, bars: Panel, params: Params) -> Mapping[str, Floats]:
        hedge, score = self._spread(bars, params)
        return {"hedge": hedge, "score": score}

    def _spread(self, bars: Panel, params: Params) -> tuple[Floats, Floats]:
        """(hedge ratio, z-score): the last residual of each window's regression, in deviations of its residuals.

        NaN where the second stands still, or the first moves with it exactly.
        """
        period, close = params.whole("window"), np.log(bars.last_close())
        y, x = frozen(close[:, 0].copy()), frozen(close[:, 1].copy())
        hedge, variance = rolling_beta(y, x, period=period), rolling_std(y, period) ** 2
        left = variance - (hedge * rolling_std(x, period)) ** 2
        deviation = np.sqrt(np.where(left > _ROUNDING * variance, left, np.nan))
        return hedge, ratio((y - sma(y, period)) - hedge * (x - sma(x, period)), deviation)


class _Trade(NamedTuple):
    """The side that the first instrument is held on, 0 for none, and whether the last trade was given up and its score
    has not been back since."""

    held: float = 0.0
    is_barred: bool = False


_NO_TRADE = _Trade()


def _rules(params: Params) -> tuple[float, float, float]:
    """(entry, exit, stop)."""
    return params.number("entry"), params.number("exit"), params.number("stop")


def _step(
    trade: _Trade, z: float, slope: float, *, rules: tuple[float, float, float]
) -> tuple[_Trade, tuple[float, float] | None]:
    """The trade after one more known score, and the targets where they change. Scores between exit and entry, on the
    side they were on before, change nothing."""
    (held, is_barred), (entry, leave, stop), told = trade, rules, None
    if held and (held * z >= -leave or held * z <= -stop):
        is_barred = held * z <= -stop
        held, told = 0.0, (0.0, 0.0)
    is_barred = is_barred and abs(z) > leave
    if not held and not is_barred and entry <= abs(z) < stop and slope > 0.0:
        held = -1.0 if z > 0 else 1.0
        told = held / (1.0 + slope), -held * slope / (1.0 + slope)
    return _Trade(held, is_barred), told


def _turns(score: Floats) -> np.ndarray:
    """Where the score has changed its sign since it was last known: a trade may end without stopping in between."""
    known = np.flatnonzero(~np.isnan(score))
    turned = np.zeros(len(score), dtype=np.bool_)
    turned[known[1:]] = np.sign(score[known[1:]]) != np.sign(score[known[:-1]])
    return turned
