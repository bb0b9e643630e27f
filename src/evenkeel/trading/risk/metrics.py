"""How alike an account's positions would be with one more order: the closest pair, and how many they amount to.

The engine reads no files: how instruments go together is measured outside and handed in as `RiskInputs`. Of what has
not been measured nothing is guessed: it is not known, and the check that asks records so.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from evenkeel.domain.events import RiskInputs
from evenkeel.quant.risk import effective_number

__all__ = ["Closest", "Correlations", "diversification"]


class Closest(NamedTuple):
    """The position that an entry would be most alike. `correlation` is None where none is known; `unknown` counts the
    positions whose correlation with it has not been measured."""

    correlation: float | None
    instrument_id: str
    unknown: int = 0


class Correlations:
    """Correlations by pair of instruments, as `RiskInputs` gives them."""

    def __init__(self, inputs: RiskInputs) -> None:
        self.inputs = inputs
        self._places = {name: place for place, name in enumerate(inputs.instruments)}

    def between(self, first: str, second: str) -> float | None:
        """None where it has not been measured, or one of them did not move."""
        row, column = self._places.get(first), self._places.get(second)
        if row is None or column is None:
            return None
        found = self.inputs.correlations[row][column]
        return found if found == found else None  # noqa: PLR0124 - NaN is not itself

    def closest(self, instrument_id: str, side: int, *, others: Iterable[tuple[str, int]]) -> Closest | None:
        """Which of `others` (instrument, side 1 or -1) an entry on `side` would be most alike; None without any.

        Positions on opposite sides are alike as far as their instruments move against each other.
        """
        best: Closest | None = None
        unknown, name = 0, ""
        for other, other_side in others:
            if other == instrument_id:
                continue
            name, known = other, self.between(instrument_id, other)
            if known is None:
                unknown += 1
                continue
            value = known if side == other_side else -known
            if best is None or best.correlation is None or value > best.correlation:
                best = Closest(value, other)
        if best is not None:
            return best._replace(unknown=unknown)
        return Closest(None, name, unknown) if name else None


def diversification(values: Iterable[float]) -> float:
    """How many equal positions these signed values amount to (1 / Herfindahl); 0 of nothing."""
    held = np.fromiter(values, np.float64)
    return effective_number(held) if held.any() else 0.0
