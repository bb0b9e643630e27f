"""Value at risk and expected shortfall of what is held now, and the part that each position has in them.

Both are positive amounts of money: what the positions lose over the horizon in a bad case. VaR is the loss that is
exceeded with probability 1 - confidence, CVaR the mean loss of those cases. Parts are Euler's (Tasche 1999; Jorion
2007): value x the derivative by it, so that they add up to the whole, and a position that hedges has a negative part.
"""

from math import ceil
from statistics import NormalDist
from typing import Literal, NamedTuple, get_args

import numpy as np
from msgspec import Struct

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.quant.analytics.series import Floats, check_confidence, refuse

Method = Literal["historical", "normal", "cornish-fisher", "monte-carlo"]
METHODS: tuple[Method, ...] = get_args(Method)
LEAST = 30
LONGEST = 250
DRAWS, SEED = 10_000, 1
FAR = 5.0
_NORMAL = NormalDist()


class Tail(Struct, frozen=True, kw_only=True):
    """What is asked: the confidence (above a half), the horizon in periods, and how to find out.

    `draws` and `seed` are for "monte-carlo": numpy's PCG64, so that the same question has the same answer. Raises
    InvalidInput.
    """

    confidence: float = 0.95
    horizon: int = 1
    method: Method = "historical"
    draws: int = DRAWS
    seed: int = SEED

    def __post_init__(self) -> None:
        check_confidence(self.confidence)
        if not 1 <= self.horizon <= LONGEST:
            raise refuse("horizon", f"expected 1 to {LONGEST} periods, not {self.horizon}")
        if self.method not in METHODS:
            raise refuse("method", f"expected one of {', '.join(METHODS)}, not {self.method!r}")
        if not 1.0 <= round(self.draws * (1.0 - self.confidence), 9) <= 1e6:
            raise refuse("draws", f"expected enough of them for one in the tail, not {self.draws}")


class TailRisk(NamedTuple):
    """`var` and `cvar` as amounts, negative for a sure gain; the parts (k,) of each position add up to them."""

    var: float
    cvar: float
    var_parts: Floats
    cvar_parts: Floats


def least_returns(tail: Tail) -> int:
    """How many returns the question needs: 30, and for a historical answer one whole case in the tail."""
    if tail.method != "historical":
        return LEAST
    return tail.horizon - 1 + max(LEAST, ceil(round(1.0 / (1.0 - tail.confidence), 9)))


def value_at_risk(returns: Floats, values: Floats, *, tail: Tail) -> TailRisk:
    """The tail of `values` (k,) under returns (n, k).

    - historical: today's positions over every stretch of `horizon` periods of the past, overlapping, returns
      compounded; the linear quantile (Hyndman & Fan's type 7), and the fractional tail of Rockafellar & Uryasev (2000).
    - normal: mean x horizon and sample deviation x sqrt(horizon) of the same positions' P&L (RiskMetrics 1996).
    - cornish-fisher: that quantile corrected for skewness / sqrt(horizon) and excess kurtosis / horizon (Favre &
      Galeano 2002); its CVaR is the mean of the corrected quantiles beyond.
    - monte-carlo: `draws` of normal log returns with the mean and covariance of the past's, over the horizon.

    Raises InvalidInput for fewer returns than `least_returns`, for what is not finite, and where skewness and kurtosis
    are outside of the range in which the correction keeps worse cases worse (after Maillard 2012).
    """
    if len(returns) < least_returns(tail):
        raise InvalidInput(
            f"{tail.method} at {tail.confidence:g} over {tail.horizon} needs {least_returns(tail)} returns"
        )
    if not (np.isfinite(returns).all() and np.isfinite(values).all()):
        raise InvalidInput("returns and values must be finite")
    if tail.method == "historical":
        return _of_cases(_stretches(returns, tail.horizon), values, confidence=tail.confidence)
    if tail.method == "monte-carlo":
        return _of_cases(simulated(returns, tail), values, confidence=tail.confidence)
    return _of_moments(returns, values, tail=tail)


def simulated(returns: Floats, tail: Tail) -> Floats:
    """(draws, k): returns over the horizon, of log returns drawn from the normal distribution of the past's.

    The covariance is factored by its eigenvalues, so that one without full rank is no fault. Raises InvalidInput for a
    return of -1 or less, which has no logarithm.
    """
    if not (returns > -1.0).all():
        raise InvalidInput("a return of −100 % has no logarithm", errors=(FieldError("method", "take another one"),))
    logs = np.log1p(returns)
    centred = logs - logs.mean(axis=0)
    scales, axes = np.linalg.eigh(centred.T @ centred / (len(logs) - 1))
    factor = axes * np.sqrt(np.maximum(scales, 0.0))
    normal = np.random.Generator(np.random.PCG64(tail.seed)).standard_normal((tail.draws, returns.shape[1]))
    return np.asarray(np.expm1(logs.mean(axis=0) * tail.horizon + (normal @ factor.T) * np.sqrt(tail.horizon)))


def _stretches(returns: Floats, horizon: int) -> Floats:
    if horizon == 1:
        return returns
    windows = np.lib.stride_tricks.sliding_window_view(1.0 + returns, horizon, axis=0)
    return np.asarray(windows.prod(axis=-1) - 1.0)


def _of_cases(cases: Floats, values: Floats, *, confidence: float) -> TailRisk:
    """The tail of equally likely cases (m, k); of equal losses the earlier case is the worse one."""
    losses = -(cases * values)
    order = np.argsort(-losses.sum(axis=1), kind="stable")
    var_weights, cvar_weights = _weights(len(cases), confidence)
    worst = losses[order[: max(len(var_weights), len(cvar_weights))]]
    var_parts, cvar_parts = var_weights @ worst[: len(var_weights)], cvar_weights @ worst[: len(cvar_weights)]
    return TailRisk(float(var_parts.sum()), float(cvar_parts.sum()), var_parts, cvar_parts)


def _weights(count: int, confidence: float) -> tuple[Floats, Floats]:
    """How much each of the worst cases weighs, the worst first: in the quantile, and in the mean beyond it."""
    share = 1.0 - confidence
    place = round((count - 1) * share, 9)
    quantile = np.zeros(int(place) + 2)
    quantile[-2:] = 1.0 - place % 1.0, place % 1.0
    size = round(count * share, 9)
    mean = np.append(np.ones(int(size)), size % 1.0) / size
    return quantile, mean


class _Powers(NamedTuple):
    """z, z² and z³ of the standard normal: at the quantile, or their means beyond it."""

    first: float
    second: float
    third: float

    def corrected(self, skew: float, tail: float) -> float:
        """The Cornish-Fisher expansion, which is linear in them."""
        return self.first + self.by_skew * skew + self.by_tail * tail - self.by_square * skew * skew

    @property
    def by_skew(self) -> float:
        return (self.second - 1.0) / 6.0

    @property
    def by_tail(self) -> float:
        return (self.third - 3.0 * self.first) / 24.0

    @property
    def by_square(self) -> float:
        return (2.0 * self.third - 5.0 * self.first) / 36.0


def _powers(confidence: float) -> tuple[_Powers, _Powers]:
    share = 1.0 - confidence
    z = _NORMAL.inv_cdf(share)
    density = _NORMAL.pdf(z) / share
    # Integrals of z^k times the density up to the quantile, by parts, over the probability there.
    return _Powers(z, z * z, z**3), _Powers(-density, 1.0 - z * density, -(z * z + 2.0) * density)


class _Moments(NamedTuple):
    """Of the P&L and, in (k,), each position's part in them: parts of `deviation` add up to it, of the others to 0."""

    mean_parts: Floats
    deviation: float
    deviation_parts: Floats
    skew: float
    skew_parts: Floats
    tail: float
    tail_parts: Floats


def _of_moments(returns: Floats, values: Floats, *, tail: Tail) -> TailRisk:
    moments, horizon = _moments(returns, values), tail.horizon
    if tail.method == "normal":
        nothing = np.zeros(len(values))
        moments = moments._replace(skew=0.0, skew_parts=nothing, tail=0.0, tail_parts=nothing)
    skew, excess = moments.skew / horizon**0.5, moments.tail / horizon
    at, beyond = _powers(tail.confidence)
    if not _tells_apart(at.first, skew=skew, tail=excess):
        raise InvalidInput(
            f"a skewness of {moments.skew:.2f} and an excess kurtosis of {moments.tail:.2f} are outside of the range in"
            " which the Cornish-Fisher correction keeps worse cases worse",
            hint="Take the historical method.",
        )
    found = []
    for powers in (at, beyond):
        by_skew = powers.by_skew - 2.0 * powers.by_square * skew
        moved = by_skew * moments.skew_parts / horizon**0.5 + powers.by_tail * moments.tail_parts / horizon
        spread = moments.deviation_parts * powers.corrected(skew, excess) + moments.deviation * moved
        found.append(-(moments.mean_parts * horizon + spread * horizon**0.5))
    return TailRisk(float(found[0].sum()), float(found[1].sum()), *found)


def _moments(returns: Floats, values: Floats) -> _Moments:
    """Population moments but for the deviation (ddof 1), as in `quant.analytics`; all of it 0 without variance."""
    count, pieces = len(returns), returns * values
    means, nothing = pieces.mean(axis=0), np.zeros(len(values))
    pieces = pieces - means
    whole = pieces.sum(axis=1)
    second = whole @ pieces / count
    square = float(second.sum())
    if not square > 1e-30 * float(np.abs(values).sum()) ** 2:
        return _Moments(means, 0.0, nothing, 0.0, nothing, 0.0, nothing)
    third, fourth = (whole**2) @ pieces / count, (whole**3) @ pieces / count
    deviation = (square * count / (count - 1)) ** 0.5
    skew, kurtosis = float(third.sum()) / square**1.5, float(fourth.sum()) / square**2
    share = second / square
    return _Moments(
        mean_parts=means,
        deviation=deviation,
        deviation_parts=deviation * share,
        skew=skew,
        skew_parts=3.0 * (third / square**1.5 - skew * share),
        tail=kurtosis - 3.0,
        tail_parts=4.0 * (fourth / square**2 - kurtosis * share),
    )


def _tells_apart(z: float, *, skew: float, tail: float) -> bool:
    """Whether the correction leaves every worse case worse than that of the quantile `z`, and every better one better.

    Corrected, another case at y differs by (y - z) times a square of y, which must stay above 0 as far as cases matter.
    """
    square = tail / 24.0 - skew * skew / 18.0
    linear = square * z + skew / 6.0
    constant = linear * z + 1.0 - tail / 8.0 + 5.0 * skew * skew / 36.0
    lowest = -linear / (2.0 * square) if square > 0.0 else FAR
    places = (-FAR, min(max(lowest, -FAR), FAR), FAR)
    return all(square * y * y + linear * y + constant > 0.0 for y in places)
