"""How far the price went for and against a trade while it was open: extremes over many ranges of bars at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evenkeel.quant.analytics.series import Floats, Ints

if TYPE_CHECKING:
    from evenkeel.quant.analytics.round_trips import PriceBars

At = tuple[Ints, Floats]


def excursions(bars: PriceBars | None, side: Ints, *, entry: At, exit_: At) -> tuple[Floats, Floats, Floats]:
    """(worst, best, bars held) of each trade; the first two as fractions of its entry price, NaN without bars.

    `entry` and `exit_` are (times in ns, prices). Bars wholly within the two times count, and both prices.
    """
    (entry_ts, entry_price), (exit_ts, exit_price) = entry, exit_
    if bars is None:
        nothing = np.full(len(side), np.nan)
        return nothing, nothing.copy(), nothing.copy()
    first = np.searchsorted(bars.ts, entry_ts, side="left")
    after = np.searchsorted(bars.close_ts, exit_ts, side="right")
    high, low = highest_and_lowest(bars.high, bars.low, first=first, after=after)
    high = np.fmax(high, np.maximum(entry_price, exit_price))
    low = np.fmin(low, np.minimum(entry_price, exit_price))
    base = np.where(entry_price == 0.0, np.nan, np.abs(entry_price))
    up, down = (high - entry_price) / base, (low - entry_price) / base
    held = np.searchsorted(bars.ts, exit_ts, side="left") - first
    return np.where(side > 0, down, -up), np.where(side > 0, up, -down), held.astype(np.float64)


def highest_and_lowest(high: Floats, low: Floats, *, first: Ints, after: Ints) -> tuple[Floats, Floats]:
    """The highest high and lowest low of each range of bars [first, after); NaN of an empty one.

    Two overlapping windows of 2^k bars cover any range: log2(longest) passes over the bars, whatever the overlap.
    """
    length = after - first
    top, bottom = np.full(len(length), np.nan), np.full(len(length), np.nan)
    width = 1
    while width <= np.max(length, initial=0):
        rows = np.flatnonzero((length >= width) & (length < 2 * width))
        begin, end = first[rows], after[rows] - width
        top[rows] = np.maximum(high[begin], high[end])
        bottom[rows] = np.minimum(low[begin], low[end])
        high = np.maximum(high[:-width], high[width:])
        low = np.minimum(low[:-width], low[width:])
        width *= 2
    return top, bottom
