"""Markowitz's critical line: every corner of the efficient frontier under bounds, exactly, from the most return down.

Between two corners the same assets are free and weights are linear in λ, which weighs return against variance: the
weights minimise w'Σw/2 - λ μ'w. Walking λ from infinity to zero, an asset that reaches a bound is held there, and one
whose gradient changes sign is set free. Three portfolios make up the line, w = q + κ a + λ b: on the free assets the
covariance maps a to 1 and b to μ, and q, which has what is held at bounds, to 0. One step changes each of them along
one direction, so that it costs one product of the covariance with a vector.

Source: Markowitz (1956), Naval Research Logistics Quarterly 3; Niedermayer and Niedermayer (2007).
"""

import numpy as np

from evenkeel.quant.analytics.series import Floats, Ints
from evenkeel.quant.kernels import compiled, kernel

LOWER, UPPER, FREE, PINNED = 0, 1, 2, 3
FULL, STUCK = -1, -2
_ONES, _MEAN, _HELD = 0, 1, 2
_FLAT = 1e-11
_NOTHING = 1e-13
_REFRESH = 64


@kernel
def _image(cov: Floats, shift: float, vector: Floats, image: Floats) -> None:
    total = 0.0
    for i in range(image.size):
        image[i] = 0.0
    for j in range(vector.size):
        x = vector[j]
        if x != 0.0:
            total += x
            row = cov[j]
            for i in range(image.size):
                image[i] += x * row[i]
    for i in range(image.size):
        image[i] += shift * total


@kernel
def _toward(
    inverse: Floats,
    free: Ints,
    k: int,
    cov: Floats,
    j: int,
    shift: float,
    column: Floats,
    along: Floats,
) -> float:
    """The direction that takes asset j in and changes the gradient of no free one; its curvature."""
    for r in range(k):
        column[r] = 0.0
    for s in range(k):
        x = cov[j, free[s]] + shift
        for r in range(k):
            column[r] += inverse[s, r] * x
    curvature = cov[j, j] + shift
    for i in range(along.size):
        along[i] = 0.0
    along[j] = 1.0
    for s in range(k):
        curvature -= (cov[j, free[s]] + shift) * column[s]
        along[free[s]] = -column[s]
    return float(curvature)


@kernel
def _enter(inverse: Floats, k: int, curvature: float, column: Floats) -> None:
    for r in range(k):
        x = column[r] / curvature
        for s in range(k):
            inverse[r, s] += x * column[s]
        inverse[r, k] = -x
        inverse[k, r] = -x
    inverse[k, k] = 1.0 / curvature


@kernel
def _leave(inverse: Floats, free: Ints, k: int, place: int, along: Floats) -> None:
    """Takes the asset in `place` out, the last one takes its place; `along` changes the gradient of no other."""
    pivot = inverse[place, place]
    for i in range(along.size):
        along[i] = 0.0
    for r in range(k):
        along[free[r]] = inverse[r, place] / pivot
    for r in range(k):
        if r != place:
            x = inverse[r, place] / pivot
            for s in range(k):
                inverse[r, s] -= x * inverse[place, s]
    last = k - 1
    for s in range(k):
        inverse[place, s] = inverse[last, s]
    for s in range(last):
        inverse[s, place] = inverse[s, last]
    inverse[place, place] = inverse[last, last]
    free[place] = free[last]


@kernel
def _move(cov: Floats, shift: float, lines: Floats, images: Floats, by: Floats, along: Floats, image: Floats) -> None:
    """Changes each of the three portfolios by its own multiple of one direction, whose image this works out."""
    _image(cov, shift, along, image)
    for m in range(3):
        x = by[m]
        if x != 0.0:
            for i in range(image.size):
                lines[m, i] += x * along[i]
                images[m, i] += x * image[i]


@kernel
def _refresh(
    inverse: Floats,
    free: Ints,
    k: int,
    cov: Floats,
    shift: float,
    mean: Floats,
    lines: Floats,
    images: Floats,
    column: Floats,
) -> None:
    """Takes away the rounding that has gathered."""
    for m in range(3):
        _image(cov, shift, lines[m], images[m])
        for r in range(k):
            column[r] = 0.0
        for s in range(k):
            wanted = 1.0 if m == _ONES else (mean[free[s]] if m == _MEAN else 0.0)
            x = wanted - images[m, free[s]]
            for r in range(k):
                column[r] += inverse[s, r] * x
        for r in range(k):
            lines[m, free[r]] += column[r]
        _image(cov, shift, lines[m], images[m])


@kernel
def _line(lines: Floats, total: float, k: int, fixed: Floats, slope: Floats) -> tuple[float, float]:
    """The weights as fixed + λ slope; and b's multiple of a, which keeps the total, and the multiple of a at λ = 0."""
    ones = lines[_ONES].sum()
    ratio, kappa = lines[_MEAN].sum() / ones, (total - lines[_HELD].sum()) / ones
    for i in range(fixed.size):
        fixed[i] = lines[_HELD, i] + kappa * lines[_ONES, i]
        slope[i] = lines[_MEAN, i] - ratio * lines[_ONES, i]
        if k == 1 or abs(slope[i]) <= _NOTHING * abs(lines[_MEAN, i]):
            slope[i] = 0.0
    return ratio, kappa


@kernel
def _stand(
    free: Ints, k: int, fixed: Floats, slope: Floats, at: float, lower: Floats, upper: Floats, weights: Floats
) -> None:
    """Puts the free weights where they are at λ = `at`."""
    for r in range(k):
        i = free[r]
        weights[i] = min(max(fixed[i] + (at * slope[i] if slope[i] != 0.0 else 0.0), lower[i]), upper[i])


@kernel
def _first_to_stop(
    free: Ints,
    k: int,
    lower: Floats,
    upper: Floats,
    fixed: Floats,
    slope: Floats,
    now: float,
    moved: int,
    came: int,
) -> tuple[float, int, int]:
    """The free asset that reaches a bound first as λ falls: λ, its place, and which bound."""
    best, place, bound = -1.0, -1, LOWER
    for r in range(k):
        i = free[r]
        side = LOWER if slope[i] > 0.0 else UPPER
        if slope[i] == 0.0 or (i == moved and side == came):
            continue
        end = lower[i] if side == LOWER else upper[i]
        at = min((end - fixed[i]) / slope[i], now)
        if at > best:
            best, place, bound = at, r, side
    return best, place, bound


@kernel
def _first_to_start(
    state: Ints, mean: Floats, images: Floats, kappa: float, ratio: float, now: float, moved: int
) -> tuple[float, int]:
    """The asset at a bound whose gradient changes sign first as λ falls: λ, and the asset."""
    best, asset = -1.0, -1
    for i in range(mean.size):
        if state[i] >= FREE or i == moved:
            continue
        slope = images[_MEAN, i] - mean[i] + ratio * (1.0 - images[_ONES, i])
        if abs(slope) <= _NOTHING * (abs(images[_MEAN, i]) + abs(mean[i]) + abs(ratio)):
            continue
        if (slope > 0.0) if state[i] == LOWER else (slope < 0.0):
            still = images[_HELD, i] + kappa * (images[_ONES, i] - 1.0)
            at = min(-still / slope, now)
            if at > best:
                best, asset = at, i
    return best, asset


@kernel
def _slide(
    free: Ints,
    k: int,
    along: Floats,
    j: int,
    up: bool,
    lower: Floats,
    upper: Floats,
    weights: Floats,
) -> int:
    """Goes along a direction of no variance as far as bounds let it: which free place stops it, -1 for j itself."""
    sign = 1.0 if up else -1.0
    longest = upper[j] - weights[j] if up else weights[j] - lower[j]
    place = -1
    for r in range(k):
        i = free[r]
        step = sign * along[i]
        if abs(step) > 1e-12:
            room = (upper[i] - weights[i]) / step if step > 0.0 else (lower[i] - weights[i]) / step
            if room < longest:
                longest = max(room, 0.0)
                place = r
    for i in range(weights.size):
        weights[i] += sign * longest * along[i]
    return place


@kernel
def _hold(
    inverse: Floats,
    free: Ints,
    k: int,
    place: int,
    side: int,
    lower: Floats,
    upper: Floats,
    cov: Floats,
    shift: float,
    state: Ints,
    lines: Floats,
    images: Floats,
    along: Floats,
    image: Floats,
    by: Floats,
) -> None:
    """Holds the free asset in `place` at one of its bounds."""
    i = free[place]
    _leave(inverse, free, k, place, along)
    by[_ONES], by[_MEAN] = -lines[_ONES, i], -lines[_MEAN, i]
    by[_HELD] = (lower[i] if side == LOWER else upper[i]) - lines[_HELD, i]
    _move(cov, shift, lines, images, by, along, image)
    lines[_ONES, i], lines[_MEAN, i] = 0.0, 0.0
    lines[_HELD, i] = lower[i] if side == LOWER else upper[i]
    state[i] = side


@kernel
def _release(
    inverse: Floats,
    free: Ints,
    k: int,
    j: int,
    curvature: float,
    mean: Floats,
    cov: Floats,
    shift: float,
    state: Ints,
    lines: Floats,
    images: Floats,
    column: Floats,
    along: Floats,
    image: Floats,
    by: Floats,
) -> None:
    """Sets asset j free, `along` the direction that takes it in."""
    by[_ONES] = (1.0 - images[_ONES, j]) / curvature
    by[_MEAN] = (mean[j] - images[_MEAN, j]) / curvature
    by[_HELD] = -images[_HELD, j] / curvature
    _move(cov, shift, lines, images, by, along, image)
    _enter(inverse, k, curvature, column)
    free[k] = j
    state[j] = FREE


@kernel
def _flip(
    j: int,
    side: int,
    lower: Floats,
    upper: Floats,
    cov: Floats,
    shift: float,
    state: Ints,
    lines: Floats,
    images: Floats,
    along: Floats,
    image: Floats,
    by: Floats,
) -> None:
    """Holds asset j at its other bound, the free ones offsetting it as before."""
    for i in range(along.size):
        along[i] *= upper[j] - lower[j] if side == UPPER else lower[j] - upper[j]
    by[_ONES], by[_MEAN], by[_HELD] = 0.0, 0.0, 1.0
    _move(cov, shift, lines, images, by, along, image)
    lines[_HELD, j] = lower[j] if side == LOWER else upper[j]
    state[j] = side


@compiled(
    lambda t: t.int64(
        t.floats, t.table, t.floats, t.floats, t.float64, t.float64, t.out, t.out_ints, t.out_table, t.out
    )
)
def walk(
    mean: Floats,
    cov: Floats,
    lower: Floats,
    upper: Floats,
    total: float,
    shift: float,
    weights: Floats,
    state: Ints,
    corners: Floats,
    multipliers: Floats,
) -> int:
    """Walks the line down from `weights`, the portfolio of most return, whose free assets `state` names.

    Writes each corner, and its λ into `multipliers`, the last at λ = 0, and returns how many there are: FULL where
    `corners` has too few rows, STUCK where rounding keeps the walk from getting on. `shift` is a number of the size of
    the variances: added to every entry of the covariance it changes nothing on portfolios of one total, and makes
    regular what can be.
    """
    n = mean.size
    inverse, lines, images = np.empty((n, n)), np.zeros((3, n)), np.zeros((3, n))
    free = np.empty(n, np.int64)
    column, along, image, by = np.empty(n), np.empty(n), np.empty(n), np.empty(3)
    fixed, slope = np.empty(n), np.empty(n)
    k, count, moved, came, now = 0, 0, -1, -1, np.inf
    for i in range(n):
        lines[_HELD, i] = 0.0 if state[i] == FREE else weights[i]
    _image(cov, shift, lines[_HELD], images[_HELD])
    for j in range(n):
        if state[j] == FREE:
            curvature = _toward(inverse, free, k, cov, j, shift, column, along)
            _release(inverse, free, k, j, curvature, mean, cov, shift, state, lines, images, column, along, image, by)
            k += 1
    for step in range(20 * n + 100):
        if step % _REFRESH == _REFRESH - 1:
            _refresh(inverse, free, k, cov, shift, mean, lines, images, column)
        ratio, kappa = _line(lines, total, k, fixed, slope)
        stop, place, bound = _first_to_stop(free, k, lower, upper, fixed, slope, now, moved, came)
        start, asset = _first_to_start(state, mean, images, kappa, ratio, now, moved)
        now = max(stop, start, 0.0)
        _stand(free, k, fixed, slope, now, lower, upper, weights)
        if stop >= start and now > 0.0:
            weights[free[place]] = lower[free[place]] if bound == LOWER else upper[free[place]]
        if count == 0 or now < multipliers[count - 1]:
            if count == corners.shape[0]:
                return FULL
            corners[count] = weights
            multipliers[count] = now
            count += 1
        if now <= 0.0:
            return count
        if stop >= start:
            moved, came = free[place], -1
            _hold(inverse, free, k, place, bound, lower, upper, cov, shift, state, lines, images, along, image, by)
            k -= 1
            continue
        moved, came = asset, state[asset]
        curvature = _toward(inverse, free, k, cov, asset, shift, column, along)
        if curvature <= _FLAT * (cov[asset, asset] + shift):
            place = _slide(free, k, along, asset, came == LOWER, lower, upper, weights)
            if place < 0:
                side = UPPER if came == LOWER else LOWER
                _flip(asset, side, lower, upper, cov, shift, state, lines, images, along, image, by)
                continue
            i = free[place]
            side = LOWER if weights[i] - lower[i] < upper[i] - weights[i] else UPPER
            _hold(inverse, free, k, place, side, lower, upper, cov, shift, state, lines, images, along, image, by)
            k -= 1
            curvature = _toward(inverse, free, k, cov, asset, shift, column, along)
        _release(inverse, free, k, asset, curvature, mean, cov, shift, state, lines, images, column, along, image, by)
        k += 1
    return STUCK
