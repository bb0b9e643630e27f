"""Bands around a result: what the same trades in another order, or the same returns drawn again, would have given.

Every draw comes from numpy's PCG64 with the seed the caller gives and the result names, so it can be drawn again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np

from evenkeel.quant.analytics.series import ROUNDING, Flags, Floats, Ints, check_periods, known, refuse

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_ELEMENTS = 1 << 21
_POINTS = 251

Draw = Callable[[np.random.Generator, int], Ints]


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """The outcome of `len(final)` draws by `method` from `seed`.

    `final` equity, `drawdown` (max, negative fraction) and `sharpe` (annual; NaN without variance or where it has
    no meaning) have one value a draw. `curves` has one row for each of `levels`: that quantile of equity after
    `steps` periods or trades, the first being 0.
    """

    method: str
    seed: int
    levels: tuple[float, ...]
    steps: Ints
    curves: Floats
    final: Floats
    drawdown: Floats
    sharpe: Floats

    def quantiles(self, measure: str) -> Floats:
        """The `levels` of `final`, `drawdown` or `sharpe`; NaN where a draw has none."""
        return np.asarray(np.quantile(getattr(self, measure), self.levels))


def shuffled_trades(net: Floats, *, capital: float, runs: int, seed: int, replace: bool = False) -> Bands:
    """The same trades in `runs` random orders, their P&L `net` added to `capital`; each drawn anew with `replace`.

    Without it the final equity is the same in every order and only the way there differs. Raises InvalidInput.
    """
    _check(net, runs)
    if not capital > 0.0:
        raise refuse("capital", f"expected a positive amount, not {capital!r}")
    count = len(net)

    def draw(source: np.random.Generator, rows: int) -> Ints:
        if replace:
            return source.integers(0, count, (rows, count))
        return source.permuted(np.tile(np.arange(count), (rows, 1)), axis=1)

    method = "trades drawn with replacement" if replace else "trades shuffled"
    sampling = _Sampling(method, seed, runs, draw)
    return sampling.bands(net, grow=lambda picked: capital + np.cumsum(picked, axis=1), capital=capital)


def stationary_bootstrap(returns: Floats, *, block: float, runs: int, seed: int, periods: float) -> Bands:
    """Returns drawn in blocks of random length, `block` on average, wrapping around (Politis & Romano 1994).

    Equity starts at 1. Raises InvalidInput.
    """
    _check(returns, runs, block=block)
    count = len(returns)

    def draw(source: np.random.Generator, rows: int) -> Ints:
        fresh = source.random((rows, count)) < 1.0 / block
        fresh[:, 0] = True
        return _run_on(source.integers(0, count, (rows, count)), fresh)

    return _Sampling(f"stationary bootstrap, mean block {block:g}", seed, runs, draw).of_returns(returns, periods)


def block_bootstrap(returns: Floats, *, block: int, runs: int, seed: int, periods: float) -> Bands:
    """Returns drawn in blocks of `block` periods, wrapping around (Politis & Romano 1992).

    Equity starts at 1. Raises InvalidInput.
    """
    _check(returns, runs, block=block)
    count = len(returns)

    def draw(source: np.random.Generator, rows: int) -> Ints:
        fresh = np.broadcast_to(np.arange(count) % int(block) == 0, (rows, count))
        return _run_on(source.integers(0, count, (rows, count)), fresh)

    return _Sampling(f"circular block bootstrap, block {block:g}", seed, runs, draw).of_returns(returns, periods)


def block_means(values: Floats, *, block: int, runs: int, seed: int) -> Floats:
    """The mean (runs,) of each draw of whole blocks of `block` values, wrapping around, as many as cover all values.

    Raises InvalidInput.
    """
    _check(values, runs, block=block)
    blocks = -(-len(values) // block)
    sums = np.concatenate(([0.0], np.cumsum(np.concatenate((values, values[:block])))))
    starts = np.random.Generator(np.random.PCG64(seed)).integers(0, len(values), (runs, blocks))
    return np.asarray((sums[starts + block] - sums[starts]).sum(axis=1) / (blocks * block))


def _run_on(starts: Ints, fresh: Flags) -> Ints:
    """Indices that begin at `starts` where a block is `fresh` and go on by one elsewhere."""
    count = starts.shape[1]
    place = np.arange(count)
    begun = np.maximum.accumulate(np.where(fresh, place, 0), axis=1)
    return np.asarray((np.take_along_axis(starts, begun, axis=1) + place - begun) % count, dtype=np.int64)


def _check(values: Floats, runs: int, *, block: float = 1.0) -> None:
    if not known(values, 2):
        raise refuse("values", "expected two finite numbers or more to draw from")
    if runs < 1:
        raise refuse("runs", f"expected one draw or more, not {runs!r}")
    if not 1.0 <= block <= len(values):
        raise refuse("block", f"expected a length from 1 to the {len(values)} values there are, not {block!r}")


@dataclass(frozen=True, slots=True)
class _Sampling:
    method: str
    seed: int
    runs: int
    draw: Draw

    def of_returns(self, returns: Floats, periods: float) -> Bands:
        check_periods(periods)
        return self.bands(returns, grow=_compounded, capital=1.0, periods=periods)

    def bands(
        self, values: Floats, *, grow: Callable[[Floats], Floats], capital: float, periods: float | None = None
    ) -> Bands:
        source = np.random.Generator(np.random.PCG64(self.seed))
        steps = np.unique(np.linspace(0, len(values), min(_POINTS, len(values) + 1)).astype(np.int64))
        rows = max(1, _ELEMENTS // len(values))
        kept, falls, ratios = [], [], []
        for first in range(0, self.runs, rows):
            picked = values[self.draw(source, min(rows, self.runs - first))]
            equity = np.concatenate((np.full((len(picked), 1), capital), grow(picked)), axis=1)
            kept.append(equity[:, steps])
            falls.append(np.min(equity / np.maximum.accumulate(equity, axis=1) - 1.0, axis=1))
            ratios.append(_sharpes(picked, periods))
        points = np.concatenate(kept)
        return Bands(
            method=self.method,
            seed=self.seed,
            levels=LEVELS,
            steps=steps,
            curves=np.quantile(points, LEVELS, axis=0),
            final=points[:, -1].copy(),
            drawdown=np.concatenate(falls),
            sharpe=np.concatenate(ratios),
        )


def _compounded(picked: Floats) -> Floats:
    return np.asarray(np.cumprod(1.0 + picked, axis=1), dtype=np.float64)


def _sharpes(picked: Floats, periods: float | None) -> Floats:
    if periods is None:
        return np.full(len(picked), np.nan)
    spread = np.std(picked, axis=1, ddof=1)
    still = spread <= ROUNDING * (1.0 + np.max(np.abs(picked), axis=1))
    return np.where(still, np.nan, np.mean(picked, axis=1) / np.where(still, 1.0, spread) * sqrt(periods))
