"""The probability of backtest overfitting: does the best of a search in one half of the data stay good in the other?

Combinatorially symmetric cross-validation (Bailey, Borwein, Lopez de Prado & Zhu 2015): time is cut into S blocks;
every choice of S / 2 of them is once the half to choose in, and the rest the half to prove it in.
"""

from itertools import combinations
from typing import NamedTuple, Self

import numpy as np

from evenkeel.quant.analytics.series import ROUNDING, Flags, Floats, refuse

_ELEMENTS = 1 << 20


class Overfitting(NamedTuple):
    """`probability`: the share of splits whose winner ends at or below the median outside. `logits` (one a split)
    of the winner's relative rank; `chosen` its Sharpe ratio per period inside, `proved` the one outside.
    `loss_probability`: the share of splits whose winner loses outside. `slope`: of `proved` on `chosen`."""

    probability: float
    loss_probability: float
    slope: float
    logits: Floats
    chosen: Floats
    proved: Floats


def probability_of_overfitting(returns: Floats, *, blocks: int = 16) -> Overfitting:
    """The Overfitting of a search from its `returns`, a T x N matrix: one column for each of N trials.

    Blocks are equal to within one period. A trial that stands still over a half ranks by its mean there. Time goes
    with N times the number of splits, of which 16 blocks have 12,870. Raises InvalidInput unless there are two
    trials, finite returns, an even number of blocks and two periods in each.
    """
    _check(returns, blocks)
    measured = _Blocks.of(returns, blocks)
    inside = _splits(blocks)
    step = max(1, _ELEMENTS // returns.shape[1])
    results, mirrored = [], []
    # The splits are in lexicographic order, so the last is the complement of the first, and so on.
    for first in range(0, len(inside) // 2, step):
        flags = inside[first : min(first + step, len(inside) // 2)]
        chosen, proved = (measured.sharpes(half.astype(np.float64)) for half in (flags, ~flags))
        results.append(_judge(chosen, proved))
        mirrored.append(_judge(proved, chosen))
    halves = [[np.concatenate(column) for column in zip(*half, strict=True)] for half in (results, mirrored)]
    logits, chosen, proved = (np.concatenate((one, other[::-1])) for one, other in zip(*halves, strict=True))
    return _verdict(logits, chosen=chosen, proved=proved)


def _check(returns: Floats, blocks: int) -> None:
    if returns.ndim != 2 or returns.shape[1] < 2:
        raise refuse("returns", "expected a matrix of periods x trials, with two trials or more")
    if not np.isfinite(returns).all():
        raise refuse("returns", "expected finite numbers: fill the periods of a trial without a position with 0")
    if blocks < 2 or blocks % 2 or blocks > 20:
        raise refuse("blocks", f"expected an even number from 2 to 20, not {blocks!r}")
    if len(returns) < 2 * blocks:
        raise refuse("returns", f"expected {2 * blocks} periods or more for {blocks} blocks, not {len(returns)}")


def _splits(blocks: int) -> Flags:
    """One row a split, true for the blocks to choose in."""
    rows = np.array(list(combinations(range(blocks), blocks // 2)))
    flags = np.zeros((len(rows), blocks), dtype=np.bool_)
    np.put_along_axis(flags, rows, True, axis=1)
    return flags


class _Blocks(NamedTuple):
    """Per block: periods, and sums and sums of squares of each trial's returns less its mean, `centre`."""

    counts: Floats
    sums: Floats
    squares: Floats
    centre: Floats

    @classmethod
    def of(cls, returns: Floats, blocks: int) -> Self:
        centre = returns.mean(axis=0)
        parts = np.array_split(returns - centre, blocks)
        counts = np.array([len(part) for part in parts], dtype=np.float64)
        sums, squares = (np.array([(part**power).sum(axis=0) for part in parts]) for power in (1, 2))
        return cls(counts, sums, squares, centre)

    def sharpes(self, half: Floats) -> Floats:
        """The Sharpe ratio of every trial (columns) over the blocks (0 or 1) of every split (rows)."""
        count = (half @ self.counts)[:, None]
        shift = half @ self.sums / count
        around = half @ self.squares
        variance = (around - count * shift**2) / (count - 1.0)
        average = shift + self.centre
        still = variance <= ROUNDING * (around / count + ROUNDING)
        ratio = average / np.sqrt(np.where(still, 1.0, variance))
        if still.any():
            # Without variance the order is that of the mean: a sure gain is above every ratio, nothing at all is 0.
            sure = np.where(np.abs(average) > ROUNDING, np.copysign(np.inf, average), 0.0)
            return np.where(still, sure, ratio)
        return ratio


def _judge(chosen_in: Floats, proved_in: Floats) -> tuple[Floats, Floats, Floats]:
    """(logit, ratio inside, ratio outside) of each split's winner; ties outside share their ranks."""
    winner = np.argmax(chosen_in, axis=1)[:, None]
    chosen, proved = np.take_along_axis(chosen_in, winner, 1), np.take_along_axis(proved_in, winner, 1)
    below, equal = (proved_in < proved).sum(axis=1), (proved_in == proved).sum(axis=1)
    rank = (below + (equal + 1) / 2.0) / (proved_in.shape[1] + 1.0)
    return np.log(rank / (1.0 - rank)), chosen[:, 0], proved[:, 0]


def _verdict(logits: Floats, *, chosen: Floats, proved: Floats) -> Overfitting:
    finite = np.isfinite(chosen) & np.isfinite(proved)
    x, y = chosen[finite], proved[finite]
    spread = float(np.var(x)) if len(x) > 1 else 0.0
    slope = float(np.mean((x - x.mean()) * (y - y.mean()))) / spread if spread > ROUNDING**2 else float("nan")
    return Overfitting(float(np.mean(logits <= 0.0)), float(np.mean(proved < 0.0)), slope, logits, chosen, proved)
