"""Volume: on-balance volume, and the average price weighted by it since a session or another anchor began."""

from math import nan, sqrt

import numpy as np

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.quant.indicators.averages import sma
from evenkeel.quant.indicators.memo import Floats, memoised
from evenkeel.quant.indicators.windows import Flags, check_lengths, contiguous, ratio
from evenkeel.quant.kernels import compiled, kernel


@memoised
def obv(close: Floats, volume: Floats) -> Floats:
    """On-balance volume (Joseph Granville, 1963): + volume on a higher close, − on a lower one, summed from 0.

    Its level hangs on where the series starts; only its changes tell anything. Raises InvalidInput.
    """
    check_lengths(close=close, volume=volume)
    result = np.zeros(len(close))
    np.cumsum(np.sign(np.diff(close)) * volume[1:], out=result[1:])
    return result


def vwap(high: Floats, low: Floats, close: Floats, volume: Floats, starts: Flags) -> Floats:
    """The average of (high + low + close) / 3 weighted by volume since the last bar flagged in `starts`.

    Such flags come from `session_starts`. NaN before the first, and where nothing has traded since. Raises
    InvalidInput.
    """
    mean: Floats = _weighted(high, low, close, volume, starts)[0]
    return mean


def vwap_deviation(high: Floats, low: Floats, close: Floats, volume: Floats, starts: Flags) -> Floats:
    """The standard deviation around `vwap` of the same prices, weighted by volume, in price. Raises InvalidInput."""
    deviation: Floats = _weighted(high, low, close, volume, starts)[1]
    return deviation


def anchored_vwap(high: Floats, low: Floats, close: Floats, volume: Floats, *, at: int) -> Floats:
    """`vwap` since the bar of index `at` (negative: from the end); NaN before. Raises InvalidInput."""
    if not -len(close) <= at < len(close):
        message = f"expected the index of one of {len(close)} bars, not {at!r}"
        raise InvalidInput(f"an anchor is wrong: {message}", errors=(FieldError("at", message),))
    starts = np.zeros(len(close), dtype=np.bool_)
    starts[at] = True
    return vwap(high, low, close, volume, starts)


@memoised
def rolling_vwap(high: Floats, low: Floats, close: Floats, volume: Floats, period: int) -> Floats:
    """The average of (high + low + close) / 3 weighted by volume over the last `period` bars.

    NaN where none of them has volume. Raises InvalidInput.
    """
    check_lengths(high=high, low=low, close=close, volume=volume)
    return ratio(sma((high + low + close) / 3.0 * volume, period), sma(volume, period))


@memoised
def _weighted(high: Floats, low: Floats, close: Floats, volume: Floats, starts: Flags) -> Floats:
    check_lengths(high=high, low=low, close=close, volume=volume, starts=starts)
    result = np.empty((2, len(close)))
    weighted_moments(
        contiguous((high + low + close) / 3.0), contiguous(volume), np.ascontiguousarray(starts, dtype=bool), result
    )
    return result


@kernel
def weighted(weight: float, mean: float, squares: float, value: float, volume: float) -> tuple[float, float, float]:
    """(weight, mean, squares about it) after one more value (D. H. D. West, 1979); one without volume changes none."""
    if not volume > 0.0:
        return weight, mean, squares
    total = weight + volume
    distance = value - mean
    moved = mean + distance * volume / total
    more = volume * distance * (value - moved)
    return total, moved, squares + (0.0 if more < 0.0 else more)  # rounding may carry the mean past the value


@compiled(lambda t: t.void(t.floats, t.floats, t.flags, t.out_table))
def weighted_moments(values: Floats, volume: Floats, starts: Flags, out: Floats) -> None:
    """Writes the weighted mean since the last start in the first row of `out`, the deviation in the second."""
    weight, mean, squares = 0.0, 0.0, 0.0
    begun = False
    for i in range(len(values)):
        if starts[i]:
            begun, weight, mean, squares = True, 0.0, 0.0, 0.0
        if begun:
            weight, mean, squares = weighted(weight, mean, squares, values[i], volume[i])
        traded = weight > 0.0
        out[0, i] = mean if traded else nan
        out[1, i] = sqrt(squares / weight) if traded else nan
