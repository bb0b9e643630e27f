"""Strategies of several instruments as authors might write them, honest and sneaky, and panels to try them on."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.market.higher import higher
from evenkeel.market.panel import Panel
from evenkeel.quant.indicators import Flags, Floats
from evenkeel.trading.strategies import PanelStrategy, Parameter, Params, whole
from evenkeel.trading.strategies.seeded import seeded_panel


def lines_of(panel: Panel) -> dict[str, Bars]:
    return {name: panel.bars(name) for name in panel.instrument_ids}


def gappy(count: int, instruments: int = 3, seed: int = 1, *, missing: float = 0.3) -> dict[str, Bars]:
    """Seeded bars of which many are missing, never all at a moment."""
    lines = lines_of(seeded_panel(count, instruments, seed))
    rng = np.random.default_rng(seed)
    return {
        name: line if place == 0 else line.where(rng.random(len(line)) >= missing)
        for place, (name, line) in enumerate(lines.items())
    }


def rises(panel: Panel, back: int) -> Floats:
    """(n, k): how much each last known close has risen in `back` moments, NaN where that is not known."""
    close = panel.last_close()
    risen = np.full(close.shape, np.nan)
    risen[back:] = close[back:] / close[: max(0, len(close) - back)] - 1.0
    return risen


class Strongest(PanelStrategy):
    """Holds what has risen most, by a tenth per instrument; keeps where nothing has risen."""

    name = "strongest"
    parameters: ClassVar[tuple[Parameter, ...]] = (whole("back", 5, 1, 100),)

    def warmup(self, params: Params) -> int:
        return params.whole("back")

    def signals(self, bars: Panel, params: Params) -> Floats:
        risen = np.nan_to_num(rises(bars, params.whole("back")), nan=-1.0)
        best = risen.max(axis=1, keepdims=True)
        return np.where(best > 0.0, np.where(risen == best, 0.9, 0.0), np.nan)

    def confidence(self, bars: Panel, params: Params, targets: Floats) -> Floats:
        return np.abs(np.nan_to_num(rises(bars, params.whole("back")))) * 10.0

    def details(self, bars: Panel, params: Params) -> Mapping[str, Floats]:
        risen = rises(bars, params.whole("back"))
        known = np.where(np.isnan(risen).all(axis=1), 0.0, np.nan_to_num(risen, nan=-1.0).max(axis=1))
        return {"rise": risen, "best": known}


class Restored(Strongest):
    """The same, restoring its weights whenever the first instrument has fallen over two moments."""

    name = "restored"

    def rebalances(self, bars: Panel, params: Params) -> Flags:
        return np.less(rises(bars, 2)[:, 0], 0.0)

    def warmup(self, params: Params) -> int:
        return max(2, params.whole("back"))


class TomorrowOfTheOther(Strongest):
    """What the second will have risen by tomorrow decides on the first."""

    name = "tomorrow-of-the-other"

    def signals(self, bars: Panel, params: Params) -> Floats:
        close = bars.last_close()
        following = np.vstack((close[1:], close[-1:]))
        return np.where(following > close, 0.5, 0.0)[:, ::-1]


class BestOfAll(Strongest):
    """Holds what will turn out to have risen most in the whole sample."""

    name = "best-of-all"

    def signals(self, bars: Panel, params: Params) -> Floats:
        close = bars.last_close()
        return np.tile(np.nan_to_num(close[-1] / close[0]) >= np.nanmax(close[-1] / close[0]), (len(bars), 1)) * 1.0


class RebalancesBeforeFalls(Restored):
    name = "rebalances-before-falls"

    def rebalances(self, bars: Panel, params: Params) -> Flags:
        falls = rises(bars, 1)[:, 0] < 0.0
        return np.append(falls[1:], False)


class DayBegun(Strongest):
    """Reads the day that has not finished: the last of its bars, joined to all of them."""

    name = "panel-day-begun"

    def timeframes(self, params: Params) -> Mapping[str, int]:
        return {"1d": 2}

    def signals(self, bars: Panel, params: Params) -> Floats:
        day = bars.close_ts // 86_400_000_000_000
        last = np.searchsorted(day, day, side="right") - 1
        return np.where(bars.last_close()[last] > bars.last_close(), 0.5, 0.0)


class DaysFinished(DayBegun):
    """The honest twin: days that have closed."""

    name = "panel-days-finished"

    def signals(self, bars: Panel, params: Params) -> Floats:
        day = higher(bars, "1d")
        risen = np.diff(day.bars.last_close(), axis=0, prepend=np.nan)
        return np.where(day.aligned(risen) > 0.0, 0.3, 0.0)


class Counting(Strongest):
    """Its targets depend on how many moments it has seen."""

    name = "counting"

    def signals(self, bars: Panel, params: Params) -> Floats:
        targets = super().signals(bars, params)
        return np.where(np.arange(len(bars))[:, None] % 7 == 0, targets, np.nan)


class RebalancesByCount(Restored):
    name = "rebalances-by-count"

    def rebalances(self, bars: Panel, params: Params) -> Flags:
        return np.equal(np.arange(len(bars)) % 7, 0)
