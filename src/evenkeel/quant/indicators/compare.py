"""Comparing averages of prices: what differs by rounding only counts as equal.

Two averages of the same prices over different windows are often equal on paper and differ in the last bit; a bare
`>` turns that bit into a trade.
"""

import numpy as np
import numpy.typing as npt

from evenkeel.quant.indicators.memo import Floats

Flags = npt.NDArray[np.bool_]
_RELATIVE = 1e-12


def above(a: Floats, b: Floats | float) -> Flags:
    """Where `a` exceeds `b` by more than rounding; False where either is NaN."""
    return a - b > _RELATIVE * np.maximum(np.abs(a), np.abs(b))


def below(a: Floats, b: Floats | float) -> Flags:
    """Where `a` is less than `b` by more than rounding; False where either is NaN."""
    return b - a > _RELATIVE * np.maximum(np.abs(a), np.abs(b))
