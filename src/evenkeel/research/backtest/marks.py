"""What values a position: closes on the price grid, as the live engine marks them."""

from decimal import Decimal

import numpy as np

from evenkeel.research.backtest.outcome import Floats

_BLOCK = 16_384  # what stays in the cache while it is looked at


def marks_of(close: Floats, tick: Decimal) -> Floats:
    """The closes rounded to the tick, half to even; the very array where all lie on the grid already.

    As `domain.money.exact` does, a close counts as the shortest decimal that reads back as the float: one is half way
    between two ticks where it equals the float of that half way point.
    """
    step, parts = (float(part) for part in tick.as_integer_ratio())
    blocks = range(0, len(close), _BLOCK)
    if all(_on_grid(close[at : at + _BLOCK], step, parts) for at in blocks):
        return close
    grid = np.rint(close * parts / step) * step / parts
    off = np.flatnonzero(grid != close)
    below = np.floor(close[off] * parts / step)
    below -= below * step / parts > close[off]
    half = (2.0 * below + 1.0) * step / (2.0 * parts)
    up = (close[off] > half) | ((close[off] == half) & (below % 2.0 == 1.0))
    marks = grid.copy()
    marks[off] = (below + up) * step / parts
    return marks


def _on_grid(close: Floats, step: float, parts: float) -> bool:
    ticks = close * parts
    if step != 1.0:
        ticks /= step
    np.rint(ticks, out=ticks)
    if step != 1.0:
        ticks *= step
    ticks /= parts
    return bool(np.array_equal(ticks, close))
