"""Does a strategy look ahead, and how much does it remember?

Look-ahead: the targets of a prefix of the bars must be the prefix of the targets. Memory: after its warm-up a
strategy evaluated on a suffix, or on its last warm-up + 1 bars, or after another past, must answer the same;
if it does not it is path-dependent, which is allowed, but it is then evaluated from its anchor. Both compare
targets, and the details recorded with them, on every bar or on a sample of long histories.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from msgspec import Struct

from evenkeel.market.bars import Bars
from evenkeel.market.columns import PRICES
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.evaluate import evaluate, read_only, warmup_of
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.seeded import seeded_bars

_TOLERANCE = 1e-9
_SAMPLES = 120
_LATEST = 40
_SHOCK = 1e4
_EXAMINED_BARS = 180


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


def examine(strategy: SignalStrategy, params: Params, bars: Bars | None = None) -> Examination:
    """Runs all checks on `bars`, or on seeded ones reaching well beyond the warm-up.

    Raises InvalidInput for a malformed answer, and whatever the strategy raises.
    """
    warmup = warmup_of(strategy, params)
    if bars is None:
        bars = seeded_bars(warmup + _EXAMINED_BARS)
    bars = read_only(bars)
    whole = evaluate(strategy, bars, params)
    again = evaluate(strategy, _copied(bars), params)
    unrepeated = _first_difference(whole, again)
    if unrepeated is not None:
        return Examination(warmup, None, unrepeated, None, None, int(np.sum(~np.isnan(whole))))
    return Examination(
        warmup,
        first_peeking_bar=_peeks(strategy, bars, params, whole=whole),
        first_unrepeated_bar=None,
        first_path_dependent_bar=_remembers(strategy, bars, params, whole=whole),
        first_wrong_update_bar=_updates_wrongly(strategy, bars, params, whole=whole),
        targets=int(np.sum(~np.isnan(whole))),
    )


def _peeks(strategy: SignalStrategy, bars: Bars, params: Params, *, whole: Floats) -> int | None:
    """The first bar found whose target differs once later bars are known."""
    found: list[int] = []
    for cut in _sample(warmup_of(strategy, params) + 1, len(bars)):
        prefix = evaluate(strategy, bars.rows(0, cut), params)
        different = _first_difference(whole[:cut], prefix)
        if different is not None:
            found.append(different)
    return min(found, default=None)


def _remembers(strategy: SignalStrategy, bars: Bars, params: Params, *, whole: Floats) -> int | None:
    """The first bar found whose target or details depend on more than the warm-up before it."""
    warmup = warmup_of(strategy, params)
    if strategy.remembers(params):
        return warmup
    series = strategy.details(bars, params)
    for end in _sample(warmup + 1, len(bars) + 1):
        window = bars.rows(end - 1 - warmup, end)
        last = [evaluate(strategy, window, params)[-1:], *_lasts(strategy.details(window, params))]
        known = [whole[end - 1 : end], *(values[end - 1 : end] for values in series.values())]
        if any(_first_difference(a, b) is not None for a, b in zip(known, last, strict=True)):
            return end - 1
    for start in _sample(1, len(bars) - warmup, count=8):
        for other in (evaluate(strategy, bars.rows(start), params), _shocked(strategy, bars, params, start=start)):
            different = _first_difference(whole[start + warmup :], other[-(len(bars) - start) :][warmup:])
            if different is not None:
                return start + warmup + different
    return None


def _shocked(strategy: SignalStrategy, bars: Bars, params: Params, *, start: int) -> Floats:
    """Targets where all prices before `start` were a wild multiple of what they were."""
    factor = np.where(np.arange(len(bars)) < start, _SHOCK, 1.0)
    other = bars.replaced(**{name: getattr(bars, name) * factor for name in PRICES})
    return evaluate(strategy, read_only(other), params)


def _updates_wrongly(strategy: SignalStrategy, bars: Bars, params: Params, *, whole: Floats) -> int | None:
    if not strategy.is_incremental():
        return None
    state, targets = None, np.full(len(bars), np.nan)
    for i, bar in enumerate(bars):
        state, targets[i] = strategy.update(state, bar, params)
    targets[: warmup_of(strategy, params)] = np.nan
    return _first_difference(whole, targets)


def _sample(first: int, end: int, count: int = _SAMPLES) -> Iterator[int]:
    """All of `first` to `end` - 1, or where these are many, about `count` of them and the latest."""
    if end - first <= count + _LATEST:
        yield from range(first, end)
        return
    spread = np.linspace(first, end - _LATEST - 1, count).astype(int)
    yield from sorted({*spread.tolist(), *range(end - _LATEST, end)})


def _lasts(series: Mapping[str, Floats]) -> list[Floats]:
    return [values[-1:] for values in series.values()]


def _first_difference(a: Floats, b: Floats) -> int | None:
    same = (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= _TOLERANCE * np.maximum(1.0, np.abs(a)))
    return None if same.all() else int(np.argmin(same))


def _copied(bars: Bars) -> Bars:
    """The same values in other memory, so that nothing remembered about the first is found."""
    return read_only(bars.replaced(**{name: getattr(bars, name).copy() for name in (*PRICES, "volume", "spread")}))
