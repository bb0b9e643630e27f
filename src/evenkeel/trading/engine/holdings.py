"""Positions and the prices that value them, so that an account's value is no walk over all its positions.

The fold says which instruments it has touched; the last prices count their changes. A sum is kept for as long as
neither has moved, and only what was touched is valued again. It is no part of what makes two states equal.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec import Struct

from evenkeel.domain.money import ZERO, add, sub
from evenkeel.domain.positions import Position, PositionKey


class Mark(Struct, gc=False):
    """The last price of an instrument, when it was seen, and its spread."""

    price: float
    at: int
    spread: float = 0.0


class Marks(dict[str, Mark]):
    """The last mark by instrument; `version` counts the changes. A mark is exchanged, never altered.

    `earlier` has the prices before a slice of what it shows, while its bars meet the exits of positions. `closes` are
    the last marks that were bars, kept where an account is valued by these alone. `look_at` (ns) is when drawdowns are
    looked at next.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.version = 0
        self.earlier: dict[str, float] = {}
        self.closes: dict[str, Mark] = {}
        self.look_at = 0

    def __setitem__(self, instrument_id: str, mark: Mark) -> None:
        dict.__setitem__(self, instrument_id, mark)
        self.version += 1

    def clear(self) -> None:
        super().clear()
        self.version += 1


class Holdings(dict[PositionKey, Position]):
    """Positions by key. Whoever alters one says so with `touch`."""

    def __init__(self) -> None:
        super().__init__()
        self._by_instrument: dict[str, list[Position]] = {}
        self._begin()

    def _begin(self) -> None:
        self._marks: Marks | None = None
        self._version = 0
        self._values: dict[str, Decimal] = {}
        self._touched: dict[str, None] = {}
        self._value = ZERO

    def __setitem__(self, key: PositionKey, position: Position) -> None:
        super().__setitem__(key, position)
        self._by_instrument.setdefault(key.instrument_id, []).append(position)
        self._touched[key.instrument_id] = None

    def of(self, instrument_id: str) -> list[Position]:
        """The positions of an instrument, flat ones too."""
        return self._by_instrument.get(instrument_id, [])

    def touch(self, instrument_id: str) -> None:
        """Has the instrument's positions valued again."""
        self._touched[instrument_id] = None

    def recount(self) -> None:
        """Has everything valued again: an instrument is not what it was."""
        self._begin()

    def value(self, marks: Marks, value_of: Callable[[Position], Decimal]) -> Decimal:
        """The sum of `value_of` over all positions that are not flat; `value_of` reads prices from `marks`."""
        if self._marks is not marks or self._version != marks.version:
            self._begin()
            self._touched = dict.fromkeys(self._by_instrument)
        for instrument_id in tuple(self._touched):
            value = ZERO
            for position in self._by_instrument[instrument_id]:
                if position.quantity:
                    value = add(value, value_of(position))
            whole = add(sub(self._value, self._values.get(instrument_id, ZERO)), value)
            self._value, self._values[instrument_id] = whole, value
            del self._touched[instrument_id]
        self._marks, self._version = marks, marks.version
        return self._value
