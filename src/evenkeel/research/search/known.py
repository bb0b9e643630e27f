"""Targets of a stretch of history, worked out from all that is known until it ends, and then run as given.

So a stretch that is trained on and one that is traded begin alike: with the position that their parameters hold then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.columns import Ints
from evenkeel.market.panel import Panel
from evenkeel.quant.indicators import Flags
from evenkeel.research.backtest.outcome import Floats
from evenkeel.research.backtest.run import instrument_of
from evenkeel.research.backtest.terms import Terms
from evenkeel.trading.strategies.base import D, PanelStrategy, SignalStrategy, TargetStrategy
from evenkeel.trading.strategies.evaluate import evaluate, fold, read_only, rebalances_of, undecided
from evenkeel.trading.strategies.parameters import Params


class Known(NamedTuple):
    """What was decided, by the moment at which the bars close: targets (n,) or (n, k), and where it rebalances."""

    close_ts: Ints
    targets: Floats
    rebalances: Flags

    def at(self, close_ts: Ints) -> Known:
        """The part of these moments, which are all known."""
        rows = np.searchsorted(self.close_ts, close_ts)
        return Known(close_ts, self.targets[rows], self.rebalances[rows])


class GivenTargets(SignalStrategy):
    """Targets that are known already, by instrument."""

    name = "given-targets"

    def __init__(self, known: Mapping[str, Known]) -> None:
        self.known = known

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        return self.known[bars.instrument_id].at(bars.close_ts).targets

    def rebalances(self, bars: Bars, params: Params) -> Flags:
        return self.known[bars.instrument_id].at(bars.close_ts).rebalances

    def is_rebalancing(self) -> bool:
        return any(known.rebalances.any() for known in self.known.values())


class GivenPanel(PanelStrategy):
    """Targets of several instruments together that are known already."""

    name = "given-panel"

    def __init__(self, known: Known) -> None:
        self.known = known

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Panel, params: Params) -> Floats:
        return self.known.at(bars.close_ts).targets

    def rebalances(self, bars: Panel, params: Params) -> Flags:
        return self.known.at(bars.close_ts).rebalances

    def is_rebalancing(self) -> bool:
        return bool(self.known.rebalances.any())


Targets = GivenTargets | GivenPanel
_TOGETHER = ""  # what several instruments are told together has no one's name


class Seen:
    """What a strategy sees of the stretch from `start` until before `end` (ns): all bars until it ends, for what lies
    after it is not even shown.
    """

    def __init__(self, series: Sequence[Bars], terms: Terms, start: int, end: int) -> None:
        self._whole = [bars.between(end=end) for bars in series]
        self._terms, self._start = terms, start

    @cached_property
    def _lines(self) -> dict[str, Bars]:
        return {bars.instrument_id: read_only(_adjusted(self._terms, bars)) for bars in self._whole}

    @cached_property
    def _panel(self) -> Panel:
        return read_only(Panel.of(self._lines))

    @cached_property
    def _inside(self) -> dict[str, Ints]:
        """The closes within the stretch, by instrument."""
        return {bars.instrument_id: bars.between(self._start).close_ts for bars in self._whole}

    @cached_property
    def _together(self) -> Ints:
        return np.unique(np.concatenate(list(self._inside.values())))

    def targets(self, strategy: TargetStrategy[Any], params: Params) -> Targets:
        """What these parameters decide in the stretch, ready to run. Raises InvalidInput, as `evaluate` does."""
        found = self.decided(strategy, params)
        return GivenPanel(found[_TOGETHER]) if isinstance(strategy, PanelStrategy) else GivenTargets(found)

    def decided(self, strategy: TargetStrategy[Any], params: Params | None) -> dict[str, Known]:
        """The same by instrument, of a strategy that decides on each alone; without parameters, nothing is held."""
        if isinstance(strategy, PanelStrategy):
            return {_TOGETHER: _decided(strategy, self._panel, self._together, params)}
        return {name: _decided(strategy, bars, self._inside[name], params) for name, bars in self._lines.items()}

    def waited(self, strategy: TargetStrategy[Any], params: Params) -> float:
        """The share of the stretch that is the warm-up of these parameters yet; the longest of any instrument."""
        if isinstance(strategy, PanelStrategy):
            return _waited(undecided(strategy, self._panel, params), len(self._panel), len(self._together))
        return max(
            _waited(undecided(strategy, bars, params), len(bars), len(self._inside[name]))
            for name, bars in self._lines.items()
        )


def joined(parts: Sequence[Known]) -> Known:
    """The parts as one. A moment in two of them, at which bars of both close, is the later part's."""
    closes = np.concatenate([one.close_ts for one in parts])
    last = len(closes) - 1 - np.unique(closes[::-1], return_index=True)[1]
    columns = (np.concatenate([getattr(one, name) for one in parts])[last] for name in Known._fields[1:])
    return Known(closes[last], *columns)


def _waited(warmup: int, seen: int, inside: int) -> float:
    return max(0, min(warmup, seen) - (seen - inside)) / max(1, inside)


def _decided(strategy: TargetStrategy[D], seen: D, closes: Ints, params: Params | None) -> Known:
    """What the strategy decides at the moments of a stretch, the last of those it has seen."""
    if params is None or not len(closes):
        return Known(closes, np.zeros((len(closes), *seen.close.shape[1:])), np.zeros(len(closes), dtype=np.bool_))
    every, flags = evaluate(strategy, seen, params), rebalances_of(strategy, seen, params)
    found = Known(seen.close_ts, every, np.zeros(len(seen), dtype=np.bool_) if flags is None else flags).at(closes)
    until = int(np.searchsorted(seen.close_ts, closes[0])) + 1
    held = [fold(line)[-1] for line in every[:until].reshape(until, -1).T]
    found.targets[0] = np.reshape(held, found.targets[0].shape)
    return found


def _adjusted(terms: Terms, bars: Bars) -> Bars:
    if not terms.splits:
        return bars
    starts = calendar(instrument_of(bars).calendar).day_start
    return bars.adjusted(terms.splits, as_of=int(bars.close_ts[-1]), day_start=starts)
