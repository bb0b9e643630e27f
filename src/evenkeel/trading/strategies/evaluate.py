"""Evaluating a `SignalStrategy`: its answer is checked, and what lies within the warm-up is NaN = keep."""

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.market.bars import Bars
from evenkeel.market.columns import MEASURES
from evenkeel.quant.indicators import Floats, frozen
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Params


def read_only(bars: Bars) -> Bars:
    """The same bars with columns a strategy cannot write to, whose indicators are remembered."""
    times = {name: getattr(bars, name).view() for name in ("ts", "close_ts")}
    for column in times.values():
        column.flags.writeable = False
    return bars.replaced(**times, **{name: frozen(getattr(bars, name)) for name in MEASURES})


def evaluate(strategy: SignalStrategy, bars: Bars, params: Params) -> Floats:
    """One target in [-1, 1] or NaN for each bar; the first `warmup` are NaN.

    Raises InvalidInput when the strategy answers with another length, type or range.
    """
    answer = np.asarray(strategy.signals(bars, params))
    if answer.shape != (len(bars),):
        raise InvalidInput(
            f"{strategy.name}.signals answered shape {answer.shape} for {len(bars)} bars; expected one target a bar"
        )
    if answer.dtype.kind not in "fiub":
        raise InvalidInput(f"{strategy.name}.signals answered {answer.dtype}; expected numbers or NaN")
    targets = answer.astype(np.float64)
    outside = np.flatnonzero(np.abs(targets) > 1.0)
    if len(outside):
        raise InvalidInput(
            f"{strategy.name}.signals answered {targets[outside[0]]} at bar {outside[0]}; targets lie in -1 to 1"
        )
    targets[: warmup_of(strategy, params)] = np.nan
    return targets


def warmup_of(strategy: SignalStrategy, params: Params) -> int:
    """The declared warm-up. Raises InvalidInput unless it is a whole number of bars."""
    bars = strategy.warmup(params)
    if int(bars) != bars or bars < 0:
        raise InvalidInput(f"{strategy.name}.warmup answered {bars!r}; expected a whole number of bars, 0 or more")
    return int(bars)


def confidence_of(strategy: SignalStrategy, bars: Bars, params: Params, *, targets: Floats) -> Floats:
    """The strategy's confidence per bar, cut to [0, 1]; where it gives none, 1 with a target and 0 without."""
    answer = strategy.confidence(bars, params, targets)
    if answer is None:
        return np.where(np.isnan(targets), 0.0, 1.0)
    if np.shape(answer) != (len(bars),):
        raise InvalidInput(
            f"{strategy.name}.confidence answered shape {np.shape(answer)} for {len(bars)} bars; "
            "expected one value a bar"
        )
    return np.clip(np.nan_to_num(answer, nan=0.0), 0.0, 1.0)


def fold(targets: Floats, start: float = 0.0) -> Floats:
    """Targets with NaN = keep resolved: each bar carries the last target known, `start` before the first."""
    known = np.maximum.accumulate(np.where(np.isnan(targets), -1, np.arange(len(targets))))
    return np.where(known < 0, start, targets[np.maximum(known, 0)])
