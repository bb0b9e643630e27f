"""Comparing averages of prices: what differs by rounding only counts as equal.

Two averages of the same prices over different windows are often equal on paper and differ in the last bit; a bare
`>` turns that bit into a trade.
"""

from math import nan

import numpy as np
import numpy.typing as npt

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.quant.indicators.memo import Floats
from evenkeel.quant.indicators.windows import contiguous
from evenkeel.quant.kernels import compiled

Flags = npt.NDArray[np.bool_]
_RELATIVE = 1e-12


def above(a: Floats | float, b: Floats | float) -> Flags:
    """Where `a` exceeds `b` by more than rounding; False where either is NaN.

    Either may be one number. Raises InvalidInput for series that differ in length.
    """
    one, other, result = _pair(a, b)
    flags = np.empty(result, dtype=np.bool_)
    exceeds(one, other, flags)
    return flags


def below(a: Floats | float, b: Floats | float) -> Flags:
    """Where `a` is less than `b` by more than rounding; False where either is NaN.

    Either may be one number. Raises InvalidInput for series that differ in length.
    """
    return above(b, a)


def crossing(fast: Floats, slow: Floats, *, up: float = 1.0, down: float = 0.0) -> Floats:
    """`up` where `fast` is above `slow`, `down` where it is below; NaN where they are equal or either is unknown.

    Above and below as the functions of that name mean them. Raises InvalidInput for series that differ in length.
    """
    one, other, count = _pair(fast, slow)
    result = np.empty(count)
    order(one, other, float(up), float(down), result)
    return result


@compiled(lambda t: t.void(t.floats, t.floats, t.Array(t.boolean, 1, "C")))
def exceeds(a: Floats, b: Floats, out: Flags) -> None:
    """Writes where `a` is above `b`; a series of one value stands for all bars."""
    for i in range(len(out)):
        x = a[i] if len(a) == len(out) else a[0]
        y = b[i] if len(b) == len(out) else b[0]
        p, q = abs(x), abs(y)
        out[i] = x - y > _RELATIVE * (p if p > q else q)


@compiled(lambda t: t.void(t.floats, t.floats, t.float64, t.float64, t.out))
def order(a: Floats, b: Floats, up: float, down: float, out: Floats) -> None:
    """Writes `up` where `a` is above `b`, `down` where it is below, else NaN."""
    for i in range(len(out)):
        difference = a[i] - b[i]
        apart = abs(difference)
        side = up if difference > 0.0 else down
        out[i] = side if (apart > _RELATIVE * abs(a[i])) & (apart > _RELATIVE * abs(b[i])) else nan


def _pair(a: Floats | float, b: Floats | float) -> tuple[Floats, Floats, int]:
    """Both as series, and how long the result is."""
    one, other = contiguous(a), contiguous(b)
    lengths = {len(series) for series, given in ((one, a), (other, b)) if np.ndim(given)}
    if len(lengths) > 1:
        message = f"expected series of one length, not of {len(one)} and {len(other)} values"
        raise InvalidInput(f"the series compared differ: {message}", errors=(FieldError("b", message),))
    return one, other, max(lengths, default=1)
