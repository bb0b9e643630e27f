"""What values a position: closes on the price grid, as the live engine marks them."""

from decimal import Decimal

import numpy as np

from evenkeel.research.backtest.outcome import Floats


def marks_of(close: Floats, tick: Decimal) -> Floats:
    """The closes rounded to the tick, half to even; the very array where all lie on the grid already.

    As `domain.money.exact` does, a close counts as the shortest decimal that reads back as the float: one is half way
    between two ticks where it equals the float of that half way point.
    """
    step, parts = (float(part) for part in tick.as_integer_ratio())
    near = np.rint(close * parts / step)
    grid = near * step / parts
    off = np.flatnonzero(grid != close)
    if not len(off):
        return close
    below = np.floor(close[off] * parts / step)
    below -= below * step / parts > close[off]
    half = (2.0 * below + 1.0) * step / (2.0 * parts)
    up = (close[off] > half) | ((close[off] == half) & (below % 2.0 == 1.0))
    marks = grid.copy()
    marks[off] = (below + up) * step / parts
    return marks
