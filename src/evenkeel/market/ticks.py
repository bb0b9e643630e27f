"""The price grid that bars lie on, where nobody has said it."""

from decimal import Decimal

import numpy as np
import numpy.typing as npt

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.market.bars import Bars
from evenkeel.market.columns import PRICES, Floats

_TICKS = tuple(Decimal(text) for text in ("1", "0.5", "0.25", "0.1", "0.05", "0.01", "0.001", "0.0001", "0.00001"))
_FINEST = Decimal("0.00000001")
_LOOKED_AT, _OFF_GRID, _STRAY = 2000, 1e-6, 0.1  # prices of a column, steps, share of prices


def tick_for(bars: Bars, guess: Decimal | None = None) -> Decimal:
    """The step of their prices: the `guess` where most lie on it, else the coarsest usual one that all lie on, else the
    finest that can be traded.

    A few trades between ticks are told even of shares that are quoted in cents; adjusted prices lie anywhere; what is
    the middle of bid and ask may lie half way.
    """
    parts = 2.0 if guess is not None and bars.spread.any() else 1.0
    every = max(1, len(bars) // _LOOKED_AT)
    sample = parts * np.concatenate([getattr(bars, name)[::every] for name in PRICES])
    if guess is not None and _off(sample, guess).mean() <= _STRAY:
        return guess
    finer = (tick for tick in _TICKS if guess is None or tick < guess)
    return next((tick for tick in finer if not _off(sample, tick).any()), _FINEST)


def _off(prices: Floats, tick: Decimal) -> npt.NDArray[np.bool_]:
    """Which prices lie between two ticks, or below the first."""
    steps = prices / float(tick)
    off: npt.NDArray[np.bool_] = np.abs(steps - np.maximum(np.rint(steps), 1.0)) > _OFF_GRID
    return off


def check_tick(symbol: str, tick: Decimal, lowest: float) -> None:
    """A price below one tick would be traded at zero, or at many times itself. Raises InvalidInput."""
    if lowest < float(tick):
        raise InvalidInput(
            f"{symbol} has prices as low as {lowest:g}, below its tick of {tick:f}",
            errors=(FieldError("tick", "coarser than the prices"),),
            hint="Name the step of its prices with --tick, such as 0.00000001.",
        )
