"""Positions and the prices that value them, so that an account's value is no walk over all its positions.

The fold says which instruments it has touched; the last prices count their changes. A sum is kept for as long as
neither has moved, and only what was touched is valued again. It is no part of what makes two states equal.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec import Struct

from evenkeel.domain.money import ZERO, add, exact, sub, total
from evenkeel.domain.positions import Position, PositionKey

MOST_MOVES = 4_096
"""So many changes of marks are remembered one by one; whoever is further behind looks at all that it holds."""


class Mark(Struct, gc=False):
    """The last price of an instrument, when it was seen, and its spread."""

    price: float
    at: int
    spread: float = 0.0


def at_tick(price: float, tick: Decimal) -> Decimal:
    """A price, rounded to the tick."""
    return _at_tick(price, str(tick))


@lru_cache(maxsize=16_384)
def _at_tick(price: float, tick: str) -> Decimal:
    """Cached by the tick as it is written: 0.01 and 0.010 are equal, and round to differently written prices."""
    return exact(price, Decimal(tick))


class Marks(dict[str, Mark]):
    """The last mark by instrument. A mark is exchanged, never altered.

    `moves` are the instruments whose marks have changed of late, in that sequence, after `forgotten` changes before.
    `earlier` has the prices before a slice of what it shows, while its bars meet the exits of positions. `closes` are
    the last marks that were bars, kept where an account is valued by these alone. `look_at` (ns) is when drawdowns are
    looked at next. `silent` are instruments of which no price has come for too long, with the seconds, where `silence`
    is too long; `stalled` is for how long the whole feed has stood still, 0 where it has not.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.moves: list[str] = []
        self.forgotten = 0
        self.earlier: dict[str, float] = {}
        self.closes: dict[str, Mark] = {}
        self.look_at = 0
        self.silent: dict[str, int] = {}
        self.silence = 0
        self.stalled = 0
        self._on_grid: dict[str, tuple[Mark, Decimal, Decimal]] = {}

    def __setitem__(self, instrument_id: str, mark: Mark) -> None:
        dict.__setitem__(self, instrument_id, mark)
        self.moves.append(instrument_id)
        if len(self.moves) > MOST_MOVES:
            self._forget()

    def on_grid(self, instrument_id: str, tick: Decimal) -> Decimal:
        """The last price, rounded to the tick."""
        mark = self[instrument_id]
        known = self._on_grid.get(instrument_id)
        if known is None or known[0] is not mark or known[1] is not tick:
            known = self._on_grid[instrument_id] = mark, tick, at_tick(mark.price, tick)
        return known[2]

    def clear(self) -> None:
        super().clear()
        self._forget()

    def _forget(self) -> None:
        self.forgotten += len(self.moves) + 1
        self.moves.clear()


class Follower:
    """Keeps up with marks: tells which instruments have moved since it was asked before."""

    __slots__ = ("_marks", "_seen")

    def __init__(self) -> None:
        self._marks: Marks | None = None
        self._seen = 0

    def news(self, marks: Marks) -> Sequence[str] | None:
        """The instruments that have moved since the last time, some more than once; None where any may have."""
        place = self._seen - marks.forgotten
        if self._marks is not marks or place < 0:
            self._marks, self._seen = marks, marks.forgotten + len(marks.moves)
            return None
        if place == len(marks.moves):
            return ()
        self._seen = marks.forgotten + len(marks.moves)
        return marks.moves[place:]


class Holdings(dict[PositionKey, Position]):
    """Positions by key. Whoever alters one says so with `touch`. `shifted` are the instruments of those altered since
    somebody cleared it."""

    def __init__(self) -> None:
        super().__init__()
        self._by_instrument: dict[str, list[Position]] = {}
        self._by_book: dict[str, list[Position]] = {}
        self.shifted: dict[str, None] = {}
        self._begin()

    def _begin(self) -> None:
        self._follower = Follower()
        self._values: dict[str, Decimal] = {}
        self._touched: dict[str, None] = {}
        self._value = ZERO

    def __setitem__(self, key: PositionKey, position: Position) -> None:
        super().__setitem__(key, position)
        self._by_instrument.setdefault(key.instrument_id, []).append(position)
        self._by_book.setdefault(key.book, []).append(position)
        self.touch(key.instrument_id)

    def of(self, instrument_id: str) -> list[Position]:
        """The positions of an instrument, flat ones too."""
        return self._by_instrument.get(instrument_id, [])

    def in_book(self, book: str) -> list[Position]:
        """The positions of a book, flat ones too."""
        return self._by_book.get(book, [])

    def books(self) -> Iterable[str]:
        """The books that have, or had, a position."""
        return self._by_book.keys()

    def touch(self, instrument_id: str) -> None:
        """Has the instrument's positions valued again."""
        self._touched[instrument_id] = self.shifted[instrument_id] = None

    def recount(self) -> None:
        """Has everything valued again: an instrument is not what it was."""
        self._begin()

    def value(self, marks: Marks, value_of: Callable[[Position], Decimal]) -> Decimal:
        """The sum of `value_of` over all positions that are not flat; `value_of` reads prices from `marks`."""
        moved = self._follower.news(marks)
        if moved is None:
            self._touched = dict.fromkeys(self._by_instrument)
        elif moved:
            self._touched.update((name, None) for name in moved if name in self._values)
        if self._touched:
            self._count(value_of)
        return self._value

    def _count(self, value_of: Callable[[Position], Decimal]) -> None:
        """Values what was touched. The sum has the decimal places of what it is made of now, whatever that was before:
        it is taken anew where those of a part have changed."""
        whole, values, is_anew = self._value, self._values, False
        for instrument_id in tuple(self._touched):
            value, before = ZERO, values.get(instrument_id)
            for position in self._by_instrument[instrument_id]:
                if position.quantity:
                    value = add(value, value_of(position))
            if before is not None and value.same_quantum(before):
                whole = add(sub(whole, before), value)
            else:
                is_anew = True
            values[instrument_id] = value
            del self._touched[instrument_id]
        self._value = total(tuple(values.values())) if is_anew else whole
