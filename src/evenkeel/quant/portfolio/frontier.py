"""The exact efficient frontier under bounds, and the portfolios that lie on it: found on its corners, not on a grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats, Ints
from evenkeel.quant.portfolio import critical_line
from evenkeel.quant.portfolio.assets import AssetAtFault
from evenkeel.quant.portfolio.critical_line import FREE, FULL, LOWER, PINNED, STUCK, UPPER

_SLACK = 1e-9


@dataclass(frozen=True)
class Frontier:
    """Corner portfolios from the most return to the least variance; between two neighbours lie their mixtures.

    `weights` has one row a corner, `multipliers` the λ at which it is best: it minimises w'Σw/2 - λ μ'w. Returns and
    risks (standard deviations) are in the units of `mean` and of the root of `covariance`.
    """

    mean: Floats
    covariance: Floats
    weights: Floats
    multipliers: Floats

    @cached_property
    def returns(self) -> Floats:
        """Expected return of each corner."""
        return self.weights @ self.mean

    @cached_property
    def _images(self) -> Floats:
        return self.weights @ self.covariance

    @cached_property
    def variances(self) -> Floats:
        """Variance of each corner."""
        found: Floats = np.einsum("ij,ij->i", self._images, self.weights)
        return np.maximum(found, 0.0)

    @property
    def risks(self) -> Floats:
        """Standard deviation of each corner."""
        return np.sqrt(self.variances)

    def min_variance(self) -> Floats:
        """The weights of least variance."""
        return np.asarray(self.weights[-1])

    def max_return(self) -> Floats:
        """The weights of most return; among several, those of least variance."""
        return np.asarray(self.weights[0])

    def at_return(self, wanted: float) -> Floats:
        """The weights of least variance that return at least `wanted`. Raises InvalidInput above the most there is."""
        most = float(self.returns[0])
        if not wanted <= most + _SLACK * max(1.0, abs(most)):
            raise InvalidInput(f"no portfolio within the bounds is expected to return {wanted:g}: the most is {most:g}")
        place = int(np.searchsorted(-self.returns, -wanted))
        if place in (0, len(self.returns)):
            return np.asarray(self.weights[min(place, len(self.returns) - 1)])
        high, low = self.returns[place - 1], self.returns[place]
        return self._between(place - 1, (high - wanted) / (high - low))

    def at_risk(self, wanted: float) -> Floats:
        """The weights of most return whose risk is at most `wanted`. Raises InvalidInput below the least there is."""
        least = float(self.risks[-1])
        if not wanted >= least - _SLACK * max(1e-12, least):
            raise InvalidInput(f"no portfolio within the bounds has a risk of {wanted:g}: the least is {least:g}")
        target = wanted * wanted
        place = int(np.searchsorted(-self.variances, -target))
        if place in (0, len(self.variances)):
            return np.asarray(self.weights[min(place, len(self.variances) - 1)])
        return self._between(place - 1, self._share_at(place - 1, target))

    def at_multiplier(self, multiplier: float) -> Floats:
        """The weights that minimise w'Σw/2 - λ μ'w: those of most utility for a risk aversion of 1/λ."""
        place = int(np.searchsorted(-self.multipliers, -multiplier))
        if place in (0, len(self.multipliers)):
            return np.asarray(self.weights[min(place, len(self.multipliers) - 1)])
        high, low = self.multipliers[place - 1], self.multipliers[place]
        return self._between(place - 1, (high - multiplier) / (high - low))

    def max_sharpe(self, risk_free: float = 0.0) -> Floats:
        """The weights of the highest Sharpe ratio.

        Where no portfolio returns more than `risk_free`, that is the least negative ratio of the frontier: the most
        return. A portfolio without risk that returns more has no finite ratio and is the answer.
        """
        excess, variances = self.returns - risk_free, self.variances
        if excess[0] <= 0.0:
            return np.asarray(self.weights[0])
        sure = np.flatnonzero((variances <= 0.0) & (excess > 0.0))
        if sure.size:
            return np.asarray(self.weights[sure[0]])
        ratios = np.full(excess.size, -np.inf)
        np.divide(excess, np.sqrt(variances), out=ratios, where=variances > 0.0)
        best = int(np.argmax(ratios))
        tried = [(float(ratios[best]), self.weights[best])]
        for first in (best - 1, best):
            if 0 <= first < len(excess) - 1:
                found = self._between(first, self._steepest(first, excess))
                variance = float(found @ self.covariance @ found)
                if variance > 0.0:
                    tried.append((float(found @ self.mean - risk_free) / float(np.sqrt(variance)), found))
        return np.asarray(max(tried, key=lambda one: one[0])[1])

    def _steepest(self, first: int, excess: Floats) -> float:
        """The share of the next corner at which the ratio along the line to it is highest: where its slope is zero."""
        gain = excess[first + 1] - excess[first]
        variance, change, bend = self._curve(first)
        below = gain * change - excess[first] * bend
        if below == 0.0:
            return 0.0
        return float(np.clip((excess[first] * change - gain * variance) / below, 0.0, 1.0))

    def _curve(self, first: int) -> tuple[float, float, float]:
        """The variance along the line from one corner to the next: v + 2 c t + b t²."""
        here, following = self.variances[first], self.variances[first + 1]
        cross = float(self._images[first] @ self.weights[first + 1])
        return float(here), cross - float(here), float(here) - 2.0 * cross + float(following)

    def _share_at(self, first: int, target: float) -> float:
        variance, change, bend = self._curve(first)
        if bend <= 0.0:
            return 0.0
        inside = max(change * change - bend * (variance - target), 0.0)
        return float(np.clip((-change - np.sqrt(inside)) / bend, 0.0, 1.0))

    def _between(self, first: int, share: float) -> Floats:
        return np.asarray((1.0 - share) * self.weights[first] + share * self.weights[first + 1])


def frontier(mean: Floats, covariance: Floats, *, lower: Floats, upper: Floats, total: float = 1.0) -> Frontier:
    """Every corner of the frontier of weights within bounds that add up to `total`.

    `mean`, `lower` and `upper` have shape (n,), `covariance` (n, n), symmetric and positive semi-definite. Raises
    InvalidInput where the bounds are not finite or leave no portfolio.
    """
    mean, covariance = np.ascontiguousarray(mean, np.float64), np.ascontiguousarray(covariance, np.float64)
    lower, upper = np.ascontiguousarray(lower, np.float64), np.ascontiguousarray(upper, np.float64)
    _check(lower, upper, total)
    weights, state = _start(mean, covariance, lower=lower, upper=upper, total=total)
    corners, multipliers = _walk(mean, covariance, lower, upper, total=total, weights=weights, state=state)
    return Frontier(mean, covariance, corners, multipliers)


def _check(lower: Floats, upper: Floats, total: float) -> None:
    if not (np.isfinite(lower).all() and np.isfinite(upper).all()):
        raise InvalidInput("a frontier takes finite bounds: without them there is no portfolio of most return")
    crossed = np.flatnonzero(lower > upper)
    if crossed.size:
        place = int(crossed[0])
        told = f"the least weight of {{asset}} is above its most: {lower[place]:g} > {upper[place]:g}"
        raise AssetAtFault(told, place)
    slack = 1e-12 * max(1.0, abs(total))
    if lower.sum() > total + slack:
        raise InvalidInput(f"the least weights add up to {lower.sum():g}, more than {total:g}")
    if upper.sum() < total - slack:
        raise InvalidInput(f"the most weights add up to {upper.sum():g}, less than {total:g}")


def _start(mean: Floats, covariance: Floats, *, lower: Floats, upper: Floats, total: float) -> tuple[Floats, Ints]:
    """The portfolio of most return; among assets of one mean that share what is left, that of least variance."""
    weights, state = lower.copy(), np.where(lower == upper, PINNED, LOWER)
    order = np.argsort(-mean, kind="stable")
    room = (upper - lower)[order]
    before = np.concatenate(([0.0], np.cumsum(room)))
    left = total - lower.sum()
    last = min(int(np.searchsorted(before[1:], left - 1e-15)), mean.size - 1)
    filled = order[:last]
    weights[filled] = upper[filled]
    state[filled] = np.where(state[filled] == PINNED, PINNED, UPPER)
    tied = order[mean[order] == mean[order[last]]]
    if tied.size == 1:
        weights[order[last]] = min(lower[order[last]] + left - before[last], upper[order[last]])
        state[order[last]] = FREE
        return weights, state
    _share_among(tied, weights, state, covariance=covariance, lower=lower, upper=upper, total=total)
    return weights, state


def _share_among(
    tied: Ints,
    weights: Floats,
    state: Ints,
    *,
    covariance: Floats,
    lower: Floats,
    upper: Floats,
    total: float,
) -> None:
    """Least variance among `tied`, the others as they are: the end of a line of made-up means, no two alike."""
    rest = weights.copy()
    rest[tied] = 0.0
    within = np.ascontiguousarray(covariance[np.ix_(tied, tied)])
    pull = covariance[tied] @ rest
    # An extra asset that is always held once stands for the others.
    size = tied.size
    wide = np.zeros((size + 1, size + 1))
    wide[:size, :size], wide[size, :size], wide[:size, size] = within, pull, pull
    wide[size, size] = rest @ covariance @ rest
    low, high = np.append(lower[tied], 1.0), np.append(upper[tied], 1.0)
    scale = float(np.sqrt(np.abs(np.diag(within)).max())) or 1.0
    means = np.append(scale * np.arange(size, 0, -1.0), -scale)
    found = np.append(lower[tied], 1.0)
    marks = np.where(low == high, PINNED, LOWER)
    left = total - rest.sum() - lower[tied].sum()
    for place in range(size):
        step = min(left, high[place] - low[place])
        found[place] += step
        left -= step
        marks[place] = UPPER if marks[place] == LOWER else PINNED
        if left <= 1e-15:
            marks[place] = FREE
            break
    corners, _ = _walk(means, wide, low, high, total=total - rest.sum() + 1.0, weights=found, state=marks)
    weights[tied], state[tied] = corners[-1][:size], marks[:size]


def _walk(
    mean: Floats,
    covariance: Floats,
    lower: Floats,
    upper: Floats,
    *,
    total: float,
    weights: Floats,
    state: Ints,
) -> tuple[Floats, Floats]:
    """Corners and multipliers; `weights` and `state` end as they are at the least variance."""
    shift = float(np.abs(np.diag(covariance)).mean()) or 1.0
    rows = 2 * mean.size + 16
    while True:
        corners, multipliers = np.empty((rows, mean.size)), np.empty(rows)
        begun, marks = weights.copy(), state.copy()
        count = critical_line.walk(mean, covariance, lower, upper, total, shift, begun, marks, corners, multipliers)
        if count == STUCK:
            raise InvalidInput("the frontier cannot be walked: the covariance is too close to singular for its size")
        if count != FULL:
            weights[:], state[:] = begun, marks
            return corners[:count].copy(), multipliers[:count].copy()
        rows *= 2
