"""Evaluating targets: the strategy's answer is checked, and what lies within the warm-up is NaN = keep."""

from typing import NamedTuple

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.market.columns import MEASURES
from evenkeel.market.higher import higher
from evenkeel.market.panel import Panel
from evenkeel.market.timeframes import ratio_of
from evenkeel.quant.indicators import Flags, Floats, frozen
from evenkeel.trading.strategies.base import D, PanelStrategy, TargetStrategy, Template
from evenkeel.trading.strategies.parameters import Params


class Told(NamedTuple):
    """What one instrument is told: a target or NaN at each of its bars, and where it is rebalanced, if ever."""

    targets: Floats
    rebalances: Flags | None


def read_only(bars: D) -> D:
    """The same bars with columns a strategy cannot write to, whose indicators are remembered."""
    times = {name: getattr(bars, name).view() for name in ("ts", "close_ts")}
    for column in times.values():
        column.flags.writeable = False
    return bars.replaced(**times, **{name: frozen(getattr(bars, name)) for name in MEASURES})


def evaluate(strategy: TargetStrategy[D], bars: D, params: Params) -> Floats:
    """Targets in [-1, 1] or NaN, one for each close of the bars; those not decided on are NaN.

    Raises InvalidInput when the strategy answers with another shape, type or range.
    """
    answer = np.asarray(strategy.signals(bars, params))
    _check_shape(strategy, "signals", answer, bars)
    if answer.dtype.kind not in "fiub":
        raise InvalidInput(f"{strategy.name}.signals answered {answer.dtype}; expected numbers or NaN")
    targets = answer.astype(np.float64)
    outside = np.argwhere(np.abs(targets) > 1.0)
    if len(outside):
        place = tuple(outside[0].tolist())
        raise InvalidInput(
            f"{strategy.name}.signals answered {targets[place]} at bar {place[0]}; targets lie in -1 to 1"
        )
    targets[: undecided(strategy, bars, params)] = np.nan
    return targets


def stepped(strategy: PanelStrategy, state: bytes | None, recent: Panel, params: Params) -> tuple[bytes, Floats, bool]:
    """(state, targets (k,), whether it rebalances) of the last moment of `recent`, by `update`; all NaN, and False, in
    the warm-up.

    Raises InvalidInput when the strategy answers with another shape, type or range.
    """
    state, answer, is_due = strategy.update(state, recent, params)
    targets = np.asarray(answer)
    if targets.shape != recent.close.shape[1:] or targets.dtype.kind not in "fiub" or not isinstance(state, bytes):
        raise InvalidInput(
            f"{strategy.name}.update answered {type(state).__name__} and {targets.dtype} of shape {targets.shape}; "
            f"expected bytes and {recent.close.shape[1]} numbers or NaN"
        )
    if np.any(np.abs(targets) > 1.0):
        raise InvalidInput(f"{strategy.name}.update answered {targets.tolist()}; targets lie in -1 to 1")
    if undecided(strategy, recent, params) >= len(recent):
        return state, np.full(len(targets), np.nan), False
    return state, targets.astype(np.float64), bool(is_due)


def rebalances_of(strategy: TargetStrategy[D], bars: D, params: Params) -> Flags | None:
    """Where positions are brought back to their targets: one flag a moment, False where nothing is decided.

    None where the strategy never does it. Raises InvalidInput.
    """
    answer = strategy.rebalances(bars, params)
    if answer is None:
        return None
    flags = np.array(answer)
    if flags.shape != (len(bars),) or flags.dtype.kind != "b":
        raise InvalidInput(
            f"{strategy.name}.rebalances answered {flags.dtype} of shape {flags.shape} for {_extent(bars)}; "
            "expected True or False a moment"
        )
    flags[: undecided(strategy, bars, params)] = False
    return flags


def decided(strategy: TargetStrategy[D], bars: D, params: Params) -> Floats:
    """All that is decided at each bar: its targets, and in a last column whether it rebalances, where it ever does."""
    targets, flags = evaluate(strategy, bars, params), rebalances_of(strategy, bars, params)
    return targets if flags is None else np.column_stack((targets, flags))


def told_each(strategy: TargetStrategy[Panel], panel: Panel, params: Params) -> tuple[Told, ...]:
    """What the strategy tells each instrument of the panel, at its own bars. Raises InvalidInput."""
    return dealt(evaluate(strategy, panel, params), rebalances_of(strategy, panel, params), panel.shown)


def dealt(targets: Floats, rebalances: Flags | None, shown: Flags) -> tuple[Told, ...]:
    """Decisions (n, k) as the k instruments take them, each at its own bars, which are those `shown` (n, k).

    A bar has the last target given since the instrument's bar before, and rebalances where any moment since then does.
    """
    moments = np.arange(len(targets))
    given = np.maximum.accumulate(np.where(np.isnan(targets), -1, moments[:, None]), axis=0)
    count = None if rebalances is None else np.cumsum(rebalances)
    parts = []
    for line in range(targets.shape[1]):
        rows = np.flatnonzero(shown[:, line])
        before = np.concatenate((np.full(min(1, len(rows)), -1), rows[:-1]))
        at = given[rows, line]
        wanted = np.where(at > before, targets[at, line], np.nan)
        due = None if count is None else np.diff(count[rows], prepend=0) > 0
        parts.append(Told(wanted, due))
    return tuple(parts)


def warmup_of(strategy: Template, params: Params) -> int:
    """The declared warm-up. Raises InvalidInput unless it is a whole number of bars."""
    return _whole(f"{strategy.name}.warmup", strategy.warmup(params))


def undecided(strategy: Template, bars: D, params: Params) -> int:
    """How many bars at the beginning of these are not decided on: those of its warm-up, in every timeframe it reads.

    A bar of a higher timeframe counts if it began no earlier than these bars. Raises InvalidInput.
    """
    rows = warmup_of(strategy, params)
    for name, count in strategy.timeframes(params).items():
        finished = higher(bars, name).whole
        rows = max(rows, int(np.searchsorted(finished, _whole(f"{strategy.name}.timeframes", count))))
    return rows


def lookback_of(strategy: Template, params: Params, timeframe: str) -> int:
    """How many bars of `timeframe` before the one decided on surely hold the warm-up, in every timeframe it reads.

    Raises InvalidInput, also where it reads one that is not higher.
    """
    rows = warmup_of(strategy, params)
    for name, count in strategy.timeframes(params).items():
        # Besides whole ones, the first of the window may have begun before it, and the last not have finished.
        rows = max(rows, (_whole(f"{strategy.name}.timeframes", count) + 2) * ratio_of(name, timeframe))
    return rows


def confidence_of(strategy: TargetStrategy[D], bars: D, params: Params, *, targets: Floats) -> Floats:
    """The strategy's confidence per target, cut to [0, 1]; where it gives none, 1 with a target and 0 without."""
    answer = strategy.confidence(bars, params, targets)
    if answer is None:
        return np.where(np.isnan(targets), 0.0, 1.0)
    _check_shape(strategy, "confidence", np.asarray(answer), bars)
    return np.clip(np.nan_to_num(answer, nan=0.0), 0.0, 1.0)


def fold(targets: Floats, start: float = 0.0) -> Floats:
    """Targets with NaN = keep resolved: each bar carries the last target known, `start` before the first."""
    known = np.maximum.accumulate(np.where(np.isnan(targets), -1, np.arange(len(targets))))
    return np.where(known < 0, start, targets[np.maximum(known, 0)])


def _whole(name: str, bars: int) -> int:
    if int(bars) != bars or bars < 0:
        raise InvalidInput(f"{name} answered {bars!r}; expected a whole number of bars, 0 or more")
    return int(bars)


def _check_shape(strategy: TargetStrategy[D], name: str, answer: Floats, bars: D) -> None:
    if answer.shape != bars.close.shape:
        expected = "one value a bar" if answer.ndim == bars.close.ndim else f"an array of shape {bars.close.shape}"
        raise InvalidInput(
            f"{strategy.name}.{name} answered shape {answer.shape} for {_extent(bars)}; expected {expected}"
        )


def _extent(bars: D) -> str:
    if isinstance(bars, Panel):
        return f"{len(bars)} moments of {len(bars.instrument_ids)} instruments"
    return f"{len(bars)} bars"
