"""Does a strategy look ahead, and how much does it remember?

Look-ahead: the targets of a prefix of the bars must be the prefix of the targets. Memory: after its warm-up a
strategy evaluated on a suffix, or on its last warm-up + 1 bars, or after another past, must answer the same;
if it does not it is path-dependent, which is allowed, but it is then evaluated from its anchor. Both compare
targets, where it rebalances, and the details recorded with them, on every bar or on a sample of long histories. A
strategy of several instruments is examined on a panel in which some bars are missing, one that reads higher
timeframes on bars of a lower one, and any other on days and on hours.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from msgspec import Struct

from evenkeel.market.bars import Bars
from evenkeel.market.columns import DAY, MEASURES, PRICES, Ints
from evenkeel.market.panel import Panel
from evenkeel.market.timeframes import timeframe
from evenkeel.quant.indicators import Flags, Floats
from evenkeel.trading.strategies.base import D, PanelStrategy, SignalStrategy, TargetStrategy
from evenkeel.trading.strategies.evaluate import decided, evaluate, lookback_of, read_only, stepped, undecided
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.seeded import seeded_for, sessions_for

_TOLERANCE = 1e-9
_SAMPLES = 120
_LATEST = 40
_SHOCK = 1e4
EXAMINED_BARS = 180
_PREFIXES = 5  # spread evenly, after changes of the target, and after the first bar of a day: so many of each


class Examination(Struct, frozen=True):
    """What examining a strategy with given parameters has shown. Bars are counted from 0; None: all is well."""

    warmup: int
    first_peeking_bar: int | None
    first_unrepeated_bar: int | None
    first_path_dependent_bar: int | None
    first_wrong_update_bar: int | None
    targets: int

    @property
    def path_dependent(self) -> bool:
        return self.first_path_dependent_bar is not None

    @property
    def faults(self) -> tuple[str, ...]:
        """What forbids running it at all, in words."""
        said = (
            (self.first_unrepeated_bar, "two evaluations of the same bars differ: it must not draw random numbers"),
            (self.first_peeking_bar, "it looks ahead: its target changes when later bars become known"),
            (self.first_wrong_update_bar, "`update` and `signals` disagree"),
        )
        return tuple(f"{text} (first at bar {bar})" for bar, text in said if bar is not None)


def examine(strategy: TargetStrategy[D], params: Params, bars: D | None = None) -> Examination:
    """Runs all checks on `bars`, or on seeded ones reaching well beyond the warm-up.

    Raises InvalidInput for a malformed answer, and whatever the strategy raises.
    """
    given, bars = bars, read_only(seeded_for(strategy, params, beyond=EXAMINED_BARS) if bars is None else bars)
    warmup, targets = undecided(strategy, bars, params), evaluate(strategy, bars, params)
    whole, count = decided(strategy, bars, params), int(np.sum(~np.isnan(targets)))
    unrepeated = _first_difference(whole, decided(strategy, _copied(bars), params))
    if unrepeated is not None:
        return Examination(warmup, None, unrepeated, None, None, count)
    peeking = _peeks(strategy, bars, params, whole=whole)
    if peeking is None and given is None:
        peeking = peeks_within_days(strategy, params)
    return Examination(
        warmup,
        first_peeking_bar=peeking,
        first_unrepeated_bar=None,
        first_path_dependent_bar=_remembers(strategy, bars, params, whole=whole),
        first_wrong_update_bar=_updates_wrongly(strategy, bars, params, whole=whole),
        targets=count,
    )


def peeks(strategy: TargetStrategy[D], bars: D, params: Params) -> int | None:
    """The first bar found, on these bars, whose target differs once later ones are known; None: none does.

    A few prefixes only, which catches what bars made up for `examine` are too short for, or too unlike them. Raises
    InvalidInput for a malformed answer, and whatever the strategy raises.
    """
    bars = read_only(bars)
    whole = decided(strategy, bars, params)
    cuts = _prefixes(bars, whole, first=undecided(strategy, bars, params) + 1)
    return _peeks(strategy, bars, params, whole=whole, cuts=iter(cuts))


def peeks_within_days(strategy: TargetStrategy[D], params: Params) -> int | None:
    """The same on made-up hours in sessions; None for a strategy that declares timeframes, whose bars are hours or less
    anyway, and for one that does not take hours.
    """
    if strategy.timeframes(params):
        return None
    try:
        return peeks(strategy, sessions_for(strategy, params, beyond=EXAMINED_BARS), params)
    except Exception:  # noqa: BLE001 - one that refuses hours, being made for days, is not at fault
        return None


def _prefixes(bars: Bars | Panel, whole: Floats, *, first: int) -> list[int]:
    """Where a few prefixes end, from `first` to the last bar but one: spread evenly, and right after what tells most: a
    change of the target, and the first bar of a day, where a whole day is known too early.
    """
    rows = np.arange(first, len(bars))
    changed = ~_same(whole[1:], whole[:-1]).reshape(len(bars) - 1, -1).all(axis=1)
    told = np.flatnonzero(changed) + 2
    begun = np.flatnonzero(np.diff((bars.close_ts - 1) // DAY)) + 2 if timeframe(bars.timeframe).intraday else told[:0]
    places = (rows, *(ends[(ends >= first) & (ends < len(bars))] for ends in (told, begun)))
    return sorted({cut for ends in places for cut in _spread(ends)})


def _spread(ends: Ints) -> list[int]:
    """A few of these, the first and the last among them."""
    if not len(ends):
        return []
    return [int(one) for one in ends[np.linspace(0, len(ends) - 1, _PREFIXES).astype(int)]]


def _peeks(
    strategy: TargetStrategy[D], bars: D, params: Params, *, whole: Floats, cuts: Iterator[int] | None = None
) -> int | None:
    """The first bar found whose target differs once later bars are known; `cuts` are where the prefixes end."""
    found: list[int] = []
    for cut in cuts or _sample(undecided(strategy, bars, params) + 1, len(bars)):
        prefix = decided(strategy, bars.rows(0, cut), params)
        different = _first_difference(whole[:cut], prefix)
        if different is not None:
            found.append(different)
    return min(found, default=None)


def _remembers(strategy: TargetStrategy[D], bars: D, params: Params, *, whole: Floats) -> int | None:
    """The first bar found whose target or details depend on more than the warm-up before it."""
    warmup = lookback_of(strategy, params, bars.timeframe)
    if strategy.remembers(params):
        return warmup
    recorded = (whole, *strategy.details(bars, params).values())
    for end in _sample(warmup + 1, len(bars) + 1):
        known = [values[end - 1 : end] for values in recorded]
        if _last_differs(strategy, bars.rows(end - 1 - warmup, end), params, known=known):
            return end - 1
    for start in _sample(1, len(bars) - warmup, count=8):
        for other in (decided(strategy, bars.rows(start), params), _shocked(strategy, bars, params, start=start)):
            different = _first_difference(whole[start + warmup :], other[-(len(bars) - start) :][warmup:])
            if different is not None:
                return start + warmup + different
    return None


def _last_differs(strategy: TargetStrategy[D], window: D, params: Params, *, known: list[Floats]) -> bool:
    """Whether the last bar of a window tells something else than what is `known` of it from all bars."""
    told = (decided(strategy, window, params), *strategy.details(window, params).values())
    return any(_first_difference(a, b[-1:]) is not None for a, b in zip(known, told, strict=True))


def _shocked(strategy: TargetStrategy[D], bars: D, params: Params, *, start: int) -> Floats:
    """What is decided where all prices before `start` were a wild multiple of what they were."""
    factor = np.where(np.arange(len(bars)) < start, _SHOCK, 1.0).reshape(-1, *[1] * (bars.close.ndim - 1))
    other = bars.replaced(**{name: getattr(bars, name) * factor for name in PRICES})
    return decided(strategy, read_only(other), params)


def _updates_wrongly(strategy: TargetStrategy[Any], bars: Any, params: Params, *, whole: Floats) -> int | None:
    if isinstance(strategy, PanelStrategy) and strategy.is_incremental():
        begins = (0, len(bars) // 2)
        found = (_first_difference(whole, _by_update(strategy, bars, params, whole=whole, begin=row)) for row in begins)
        return min((row for row in found if row is not None), default=None)
    if not isinstance(strategy, SignalStrategy) or not strategy.is_incremental():
        return None
    state, targets = None, np.full(len(bars), np.nan)
    for i, bar in enumerate(bars):
        state, targets[i] = strategy.update(state, bar, params)
    targets[: undecided(strategy, bars, params)] = np.nan
    return _first_difference(whole.reshape(len(bars), -1)[:, 0], targets)


def _by_update(strategy: PanelStrategy, panel: Panel, params: Params, *, whole: Floats, begin: int) -> Floats:
    """`whole` with what `update` decides, which is first asked at moment `begin`, in the place of the rest."""
    state, told, least = None, whole.copy(), lookback_of(strategy, params, panel.timeframe) + 1
    for row, recent in enumerate(chain((panel.rows(0, begin + 1),), panel.windows(least, begin + 1)), begin):
        state, targets, is_due = stepped(strategy, state, read_only(recent), params)
        told[row] = (*targets, is_due)[: whole.shape[1]]
    return told


def _sample(first: int, end: int, count: int = _SAMPLES) -> Iterator[int]:
    """All of `first` to `end` - 1, or where these are many, about `count` of them and the latest."""
    if end - first <= count + _LATEST:
        yield from range(first, end)
        return
    spread = np.linspace(first, end - _LATEST - 1, count).astype(int)
    yield from sorted({*spread.tolist(), *range(end - _LATEST, end)})


def _first_difference(a: Floats, b: Floats) -> int | None:
    same = _same(a, b)
    return None if same.all() else int(np.argmin(same.all(axis=tuple(range(1, same.ndim)))))


def _same(a: Floats, b: Floats) -> Flags:
    return (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= _TOLERANCE * np.maximum(1.0, np.abs(a)))


def _copied(bars: D) -> D:
    """The same values in other memory, so that nothing remembered about the first is found."""
    return read_only(bars.replaced(**{name: getattr(bars, name).copy() for name in MEASURES}))
