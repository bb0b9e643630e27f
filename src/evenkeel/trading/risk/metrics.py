"""How alike an account's positions would be with one more order: the closest one, and how many they amount to.

The engine reads no files: how instruments go together is measured outside and handed in as `RiskInputs`. Of what has
not been measured nothing is guessed: it is not known, and the check that asks records so.
"""

from collections.abc import Iterable
from math import inf, isnan, nan
from typing import NamedTuple

import numpy as np

from evenkeel.domain.events import RiskInputs
from evenkeel.quant.risk import effective_number

__all__ = ["Closest", "Correlations", "diversification"]


class Closest(NamedTuple):
    """The highest `correlation` with what else is held, None where none is known; of `unknown` instruments it has not
    been measured."""

    correlation: float | None = None
    unknown: int = 0


class Correlations:
    """Correlations by pair of instruments, as `RiskInputs` gives them."""

    def __init__(self, inputs: RiskInputs) -> None:
        self.inputs = inputs
        self._rows = dict(zip(inputs.instruments, inputs.correlations, strict=True))
        self._places = {name: place for place, name in enumerate(inputs.instruments)}

    def closest(self, instrument_id: str, side: int, *, others: Iterable[tuple[str, int]]) -> Closest:
        """How alike an entry on `side` would be to those of `others` (instrument, side 1 or -1) that it is most alike.

        Positions on opposite sides are alike as far as their instruments move against each other. None is known of an
        instrument that has not been measured, or did not move.
        """
        row, places = self._rows.get(instrument_id), self._places
        best, unknown = -inf, dict[str, None]()
        for other, other_side in others:
            if other == instrument_id:
                continue
            place = places.get(other)
            known = nan if row is None or place is None else row[place]
            if isnan(known):
                unknown[other] = None
            elif (alike := known if side == other_side else -known) > best:
                best = alike
        return Closest(None if best == -inf else best, len(unknown))


def diversification(values: Iterable[float]) -> float:
    """How many equal positions these signed values amount to (1 / Herfindahl); 0 of nothing."""
    held = np.fromiter(values, np.float64)
    return effective_number(held) if held.any() else 0.0
