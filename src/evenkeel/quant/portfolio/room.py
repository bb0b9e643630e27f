"""The room that constraints leave: bounds, a total, linear rows, what may be traded; and why it is empty if it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from numbers import Real

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Flags, Floats
from evenkeel.quant.portfolio.assets import AssetAtFault
from evenkeel.quant.portfolio.constraints import Linear

_SLACK = 1e-9


@dataclass(frozen=True)
class Room:
    """Weights (n,) between `lower` and `upper` that add up to `total` and keep to each of `rows`.

    `turnover` is the most Σ|w - present|, None: any. `gross` is the most Σ|w|, None: any. At most `max_assets` weights
    are not zero, None: any number; those are `min_weight` at least, which takes weights that are not below zero.
    """

    lower: Floats
    upper: Floats
    total: float = 1.0
    rows: Sequence[Linear] = ()
    present: Floats | None = None
    turnover: float | None = None
    gross: float | None = None
    max_assets: int | None = None
    min_weight: float = 0.0

    @property
    def is_box(self) -> bool:
        """Whether there are finite bounds and a total, and nothing more."""
        if self.rows or self.turnover is not None or self.gross is not None or self.is_few:
            return False
        return bool(np.isfinite(self.lower).all() and np.isfinite(self.upper).all())

    @property
    def is_few(self) -> bool:
        """Whether there is a rule of how many assets are held, or how little of one: no convex room."""
        return self.max_assets is not None or self.min_weight > 0.0

    def few_in_words(self) -> str:
        """That rule, as a person says it."""
        most = self.max_assets
        said = [] if most is None else [f"at most {most} asset{'' if most == 1 else 's'}"]
        return " and ".join([*said, *([f"none below {self.min_weight:g}"] if self.min_weight > 0.0 else [])])

    @property
    def is_long_only(self) -> bool:
        """Whether it is all portfolios without shorts, and nothing more."""
        return self.is_box and self.total == 1.0 and not np.any(self.lower) and bool(np.all(self.upper >= 1.0))

    @property
    def size(self) -> int:
        return self.lower.size

    def narrowed(self, kept: Flags) -> Room:
        """The room where only the assets `kept` (n,) may be held. What is held of others has to be traded, so that it
        does not count as turnover."""
        rows = [replace(one, coefficients=one.coefficients[kept]) for one in self.rows]
        start = self.start
        forced = float(np.abs(start[~kept]).sum())
        return replace(
            self,
            lower=self.lower[kept],
            upper=self.upper[kept],
            rows=tuple(one for one in rows if np.any(one.coefficients) or not one.low <= 0.0 <= one.high),
            present=None if self.present is None else start[kept],
            turnover=None if self.turnover is None else self.turnover + forced,
        )

    def matrix(self) -> tuple[Floats, Floats, Floats]:
        """The rows as a matrix (m, n), and their lows and highs (m,)."""
        if not self.rows:
            return np.zeros((0, self.size)), np.zeros(0), np.zeros(0)
        lows, highs = np.array([one.low for one in self.rows]), np.array([one.high for one in self.rows])
        return np.vstack([one.coefficients for one in self.rows]), lows, highs

    def parts(self) -> list[tuple[Floats, float]]:
        """What is measured by absolute changes, and how much of each there may be: (from where, most)."""
        found = []
        if self.turnover is not None:
            found.append((self.start, self.turnover))
        if self.gross is not None:
            found.append((np.zeros(self.size), self.gross))
        return found

    def over(self, size: int, first: int, *, change: bool = False) -> tuple[Floats, Floats, Floats]:
        """All rows over `size` variables, and their lows and highs; the weights are the first of the variables.

        From `first` on lie n for each of `parts`: |w - origin| at least, and in sum the most there may be. With
        `change`, n more follow for |w - start|, of any sum.
        """
        matrix, lows, highs = self.matrix()
        wide = np.zeros((len(matrix), size))
        wide[:, : self.size] = matrix
        found = [(wide, lows, highs)]
        for place, part in enumerate([*self.parts(), *([(self.start, np.inf)] if change else [])]):
            found.append(_measured(size, first + self.size * place, *part))
        rows, low, high = zip(*found, strict=True)
        return np.concatenate(rows), np.concatenate(low), np.concatenate(high)

    @property
    def start(self) -> Floats:
        """The present weights, none where they are not known."""
        return np.zeros(self.size) if self.present is None else self.present

    def breaches(self, weights: Floats, slack: float = 1e-6) -> list[str]:
        """Which constraints `weights` break by more than `slack`, in words."""
        found = []
        if abs(weights.sum() - self.total) > slack:
            found.append(f"the weights add up to {weights.sum():g}, not {self.total:g}")
        if np.any(weights < self.lower - slack) or np.any(weights > self.upper + slack):
            found.append("the bounds")
        for one in self.rows:
            value = float(one.coefficients @ weights)
            if value < one.low - slack or value > one.high + slack:
                found.append(one.text)
        for (origin, most), name in zip(self.parts(), self.part_names(), strict=True):
            if np.abs(weights - origin).sum() > most + slack:
                found.append(f"{name} <= {most:g}")
        held = np.abs(weights) > slack
        too_many = self.max_assets is not None and int(held.sum()) > self.max_assets
        if too_many or np.any(np.abs(weights[held]) < self.min_weight - slack):
            found.append(self.few_in_words())
        return found

    def part_names(self) -> list[str]:
        """The names of `parts`."""
        return [*(["turnover"] if self.turnover is not None else []), *(["gross"] if self.gross is not None else [])]


def _measured(size: int, first: int, origin: Floats, most: float) -> tuple[Floats, Floats, Floats]:
    """Rows by which the variables from `first` on are |w - origin| at least, and `most` at most in sum."""
    n = origin.size
    block = np.zeros((2 * n + 1, size))
    block[:n, :n], block[:n, first : first + n] = -np.eye(n), np.eye(n)
    block[n : 2 * n, :n], block[n : 2 * n, first : first + n] = np.eye(n), np.eye(n)
    block[2 * n, first : first + n] = 1.0
    low, high = np.concatenate((-origin, origin, [-np.inf])), np.concatenate((np.full(2 * n, np.inf), [most]))
    kept = slice(None) if np.isfinite(most) else slice(0, 2 * n)
    return block[kept], low[kept], high[kept]


def check(room: Room) -> None:
    """Raises InvalidInput where no portfolio keeps to all constraints, naming those in conflict.

    The constraints named are a smallest set: without any one of them the others leave room.
    """
    crossed = np.flatnonzero(room.lower > room.upper)
    if crossed.size:
        place = int(crossed[0])
        told = f"the bounds of {{asset}} leave nothing: {room.lower[place]:g} to {room.upper[place]:g}"
        raise AssetAtFault(told, place)
    if room.lower.sum() > room.total + _SLACK or room.upper.sum() < room.total - _SLACK:
        raise InvalidInput(
            f"weights within the bounds add up to {room.lower.sum():g} at least and {room.upper.sum():g} at most,"
            f" never to {room.total:g}"
        )
    _check_few(room)
    if room.is_box or _has_room(room):
        return
    raise InvalidInput(f"no portfolio keeps to all constraints; in conflict are: {'; '.join(_conflict(room))}")


def _check_few(room: Room) -> None:
    if room.max_assets is not None and room.max_assets < 1:
        raise InvalidInput(f"at least one asset is held, not {room.max_assets}")
    if room.min_weight < 0.0 or (room.min_weight > 0.0 and np.any(room.lower < 0.0)):
        raise InvalidInput("a least weight of what is held is above zero, and takes bounds without shorts")
    if room.is_few and not (np.all(np.isfinite(room.lower)) and np.all(np.isfinite(room.upper))):
        raise InvalidInput("a number of assets takes finite bounds")


def _conflict(room: Room) -> list[str]:
    """A smallest set of the constraints, beside bounds and total, that cannot hold together."""
    kept = room
    if room.gross is not None and not _has_room(replace(kept, gross=None)):
        kept = replace(kept, gross=None)
    if room.turnover is not None and not _has_room(replace(kept, turnover=None)):
        kept = replace(kept, turnover=None)
    if room.is_few and not _has_room(replace(kept, max_assets=None, min_weight=0.0)):
        kept = replace(kept, max_assets=None, min_weight=0.0)
    rows = list(kept.rows)
    for one in tuple(rows):
        without = [other for other in rows if other is not one]
        if not _has_room(replace(kept, rows=without)):
            rows = without
    named = [one.text for one in rows] + ([kept.few_in_words()] if kept.is_few else [])
    return named + [f"{name} <= {most:g}" for name, (_, most) in zip(kept.part_names(), kept.parts(), strict=True)]


def _has_room(room: Room) -> bool:
    from evenkeel.quant.portfolio.linear import feasible

    return feasible(room)


def check_finite(given: Mapping[str, object]) -> None:
    """Raises InvalidInput for what is no finite number."""
    for name, value in given.items():
        if not (isinstance(value, Real) and isfinite(float(value))):
            raise InvalidInput(f"{name} is a finite number, not {value!r}")
