"""Made-up bars from a seed, on which every strategy is examined: trends, quiet and turns, prices in cents.

They stand for no market; they only make a strategy's rules fire, ties included.
"""

from typing import cast

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.market.columns import DAY, Ints
from evenkeel.market.panel import Panel
from evenkeel.market.timeframes import COMMON, UNITS, timeframe
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies.base import D, PanelStrategy, TargetStrategy, Template
from evenkeel.trading.strategies.evaluate import lookback_of, read_only
from evenkeel.trading.strategies.parameters import Params

_REGIME = 25
_SEED = 20050901
_ABREAST = 3
_MISSING = 0.02
_OPENS, _OPEN_FOR = 9 * DAY // 24, 7 * DAY // 24
_WITHIN_DAYS = "1h"
_FEWEST = 4  # bars of the timeframe examined on in one of the lowest higher timeframe


def seeded_for(strategy: TargetStrategy[D], params: Params, *, beyond: int) -> D:
    """What a strategy is examined on: `beyond` bars after its warm-up, of one instrument or of as many as it takes."""
    return _made_for(strategy, params, beyond=beyond, frame=frame_for(strategy, params), sessions=False)


def sessions_for(strategy: TargetStrategy[D], params: Params, *, beyond: int) -> D:
    """The same of hours in sessions: what reads the whole day at its first hour shows on these, and not on days."""
    return _made_for(strategy, params, beyond=beyond, frame=_WITHIN_DAYS, sessions=True)


def _made_for(strategy: TargetStrategy[D], params: Params, *, beyond: int, frame: str, sessions: bool) -> D:
    count = lookback_of(strategy, params, frame) + beyond
    made: Bars | Panel = seeded_bars(count, frame=frame, sessions=sessions)
    if isinstance(strategy, PanelStrategy):
        least, most = strategy.instruments(params)
        wanted = max(least, _ABREAST)
        wanted = wanted if most is None else min(wanted, most)
        made = seeded_panel(count, wanted, frame=frame, sessions=sessions)
    return cast("D", made)


def frame_for(strategy: Template, params: Params) -> str:
    """The timeframe a strategy is examined on: days, or what the higher timeframes it reads can be made of."""
    wanted = [timeframe(name) for name in strategy.timeframes(params)]
    lowest = min(wanted, key=lambda frame: frame.ns, default=timeframe("1mo"))
    fitting = [
        name
        for name in reversed(COMMON)
        if timeframe(name).ns <= UNITS["d"]
        and _FEWEST * timeframe(name).ns <= lowest.ns
        and (not lowest.intraday or lowest.ns % timeframe(name).ns == 0)
    ]
    return fitting[0] if fitting else "1s"


def seeded_bars(count: int, seed: int = _SEED, *, frame: str = "1d", sessions: bool = False) -> Bars:
    """`count` bars of a timeframe up to a day, around the clock or in sessions of seven hours, read-only, the same for
    the same arguments.
    """
    rng = np.random.default_rng(seed)
    regimes = count // _REGIME + 1
    drift = np.repeat(rng.choice([-0.012, -0.004, 0.0, 0.004, 0.012], regimes), _REGIME)[:count]
    noise = np.repeat(rng.choice([0.002, 0.01, 0.02], regimes), _REGIME)[:count]
    steps = drift + noise * rng.standard_normal(count)
    close = np.round(100.0 * np.exp(_held(np.cumsum(steps))), 2)
    open_ = np.round(np.concatenate(([100.0], close[:-1])) * (1 + 0.3 * noise * rng.standard_normal(count)), 2)
    high = np.round(np.maximum(open_, close) * (1 + noise * rng.random(count)), 2)
    low = np.round(np.minimum(open_, close) * (1 - noise * rng.random(count)), 2)
    ts, close_ts = _times(count, frame, sessions=sessions)
    columns = {"ts": ts, "close_ts": close_ts, "open": open_, "high": high, "low": low, "close": close}
    volume = np.round(1e6 * np.exp(0.4 * rng.standard_normal(count)))
    return read_only(Bars.of("seeded", frame, columns | {"volume": volume}))


def seeded_panel(
    count: int, instruments: int, seed: int = _SEED, *, frame: str = "1d", sessions: bool = False
) -> Panel:
    """The same of several instruments that share their path and stray from it, a few bars missing; read-only."""
    rng = np.random.default_rng(seed)
    common = seeded_bars(count, seed, frame=frame, sessions=sessions)
    lines = {}
    for line in range(instruments):
        strayed = _straying(rng, count)
        prices = {name: np.round(getattr(common, name) * strayed, 2) for name in ("open", "high", "low", "close")}
        kept = rng.random(count) >= _MISSING * (line > 0)
        lines[f"seeded-{line + 1}"] = common.replaced(**prices).where(kept)
    return read_only(Panel.of(lines))


def _straying(rng: np.random.Generator, count: int) -> Floats:
    """A factor about 1 that comes back to it, as the ratio of two prices of a kind does."""
    factor, steps = np.empty(count), 0.01 * rng.standard_normal(count)
    strayed = 0.0
    for i, step in enumerate(steps.tolist()):
        strayed = 0.9 * strayed + step
        factor[i] = strayed
    return np.exp(factor)


def _times(count: int, frame: str, *, sessions: bool) -> tuple[Ints, Ints]:
    """Days of seven hours from nine o'clock; below a day, bars in such days, or one after the other."""
    place = np.arange(count, dtype=np.int64)
    if frame == "1d":
        ts = place * DAY + _OPENS
        return ts, ts + _OPEN_FOR
    length = timeframe(frame).ns
    if sessions:
        day, within = np.divmod(place, _OPEN_FOR // length)
        ts = day * DAY + _OPENS + within * length
    else:
        ts = place * length
    return ts, ts + length


def _held(path: Floats) -> Floats:
    """A log path folded into one unit around zero, so that prices stay in a plausible range however long it
    is.
    """
    return np.abs((path + 0.5) % 2.0 - 1.0) - 0.5
