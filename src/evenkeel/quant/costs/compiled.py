"""The cost and fill kernels compiled by numba, on first use.

Importing numba takes most of a second, so nothing here runs at import; the live engine, which fills a few
orders a second, uses the plain functions. Both give the same bits: no fast-math, and the same operations in
the same order.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from evenkeel.quant.costs import charges, fills
from evenkeel.quant.costs.kernels import KERNELS


class Kernels(NamedTuple):
    """numba dispatchers of `charges.component_charge` and `fills.fill`, callable from other compiled code."""

    component_charge: Callable[..., Any]
    fill: Callable[..., Any]


_CHARGE = "float64(float64, float64, float64, float64, float64, float64, float64, float64)"
_FILL = (
    "Tuple((float64, float64, boolean))"
    "(int64, int64, float64, float64, boolean, float64, float64, float64, float64, float64, float64,"
    " float64, float64, float64, float64, float64, float64)"
)


@cache
def kernels() -> Kernels:
    """The compiled kernels, compiled or loaded from numba's cache on the first call."""
    from numba.extending import register_jitable

    for inner in KERNELS:
        register_jitable(inner)
    return Kernels(_compiled(_CHARGE, charges.component_charge), _compiled(_FILL, fills.fill))


def _compiled(signature: str, kernel: Callable[..., Any]) -> Any:
    from numba import njit

    try:
        return njit(signature, cache=True)(kernel)
    except RuntimeError:  # no writable folder to keep the compiled code in
        return njit(signature)(kernel)
