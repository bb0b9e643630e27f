"""What an account holds and has on its way, by instrument, with what rules read of all of it together.

Positions and working orders note which instruments they have altered, marks which have moved. Whoever reads brings only
those up to date, so that judging one more order is no walk over all that an account holds. It follows from positions,
orders and prices, and is no part of what makes two states equal.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from evenkeel.domain.money import ZERO, add, mul, sub
from evenkeel.trading.engine.holdings import Follower, Marks
from evenkeel.trading.engine.working import Reserve
from evenkeel.trading.risk.metrics import Closest, Correlations

if TYPE_CHECKING:
    from evenkeel.trading.engine.state import AccountState


class Cell(NamedTuple):
    """What is held of an instrument, signed, and what is on its way."""

    held: Decimal = ZERO
    buys: Decimal = ZERO
    sells: Decimal = ZERO

    def plus(self, other: "Cell") -> "Cell":
        return Cell(add(self.held, other.held), add(self.buys, other.buys), add(self.sells, other.sells))

    def moved(self, quantity: Decimal, *, is_buy: bool) -> "Cell":
        """With so much more on its way."""
        held, buys, sells = self
        return Cell(held, add(buys, quantity), sells) if is_buy else Cell(held, buys, add(sells, quantity))

    @property
    def worst(self) -> Decimal:
        """The largest position without sign that may come of it."""
        return max(add(self.held, self.buys).copy_abs(), sub(self.held, self.sells).copy_abs())

    def sides(self) -> tuple[int, ...]:
        """The sides on which it is held, or will be where what works fills: 1 is long, -1 short."""
        held, buys, sells = self
        is_long = held > 0 or (buys and add(held, buys) > 0)
        is_short = held < 0 or (sells and sub(held, sells) < 0)
        return ((1, -1) if is_short else (1,)) if is_long else ((-1,) if is_short else ())


class Worth(NamedTuple):
    """The value of the worst position without sign, of what only buys would make of it, and only sales, and of what
    works."""

    gross: Decimal = ZERO
    long: Decimal = ZERO
    short: Decimal = ZERO
    moving: Decimal = ZERO

    def plus(self, other: "Worth") -> "Worth":
        return Worth(*map(add, self, other))

    def less(self, other: "Worth") -> "Worth":
        return Worth(*map(sub, self, other))


def cell_worth(cell: Cell, unit: Decimal) -> Worth:
    """A cell's worth, where one unit is worth `unit`."""
    held, buys, sells = cell
    return Worth(
        mul(cell.worst, unit), mul(add(held, buys), unit), mul(sub(held, sells), unit), mul(add(buys, sells), unit)
    )


class Cells:
    """The cells of one account. Ask `at` for them as they stand; everything else is as of the last time."""

    def __init__(self) -> None:
        self.recount()

    def recount(self) -> None:
        """Has everything looked at again: an instrument is not what it was."""
        self._by_name: dict[str, Cell] | None = None
        self._sides: dict[str, tuple[int, ...]] = {}
        self._measured: Correlations | None = None
        self._closest: dict[tuple[str, int], Closest] = {}
        self._worths: dict[str, Worth] = {}
        self._worth = Worth()
        self._stale: dict[str, None] = {}
        self._follower = Follower()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cells)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "Cells()"

    def at(self, account: "AccountState", reserve: Reserve) -> Mapping[str, Cell]:
        """The cells by instrument, those left out where nothing is held and nothing works."""
        working, positions, found = account.working, account.positions, self._by_name
        quantities = working.quantities(reserve)
        if found is None:
            found = self._by_name = {}
            names = {*account.net, *(name for name, _ in quantities)}
        elif working.shifted or positions.shifted:
            names = working.shifted.keys() | positions.shifted.keys()
        else:
            return found
        working.shifted.clear()
        positions.shifted.clear()
        for name in names:
            buys, sells = quantities.get((name, True), ZERO), quantities.get((name, False), ZERO)
            self._put(found, name, Cell(account.net.get(name, ZERO), buys, sells))
        return found

    def _put(self, found: dict[str, Cell], name: str, cell: Cell) -> None:
        self._stale[name] = None
        if any(cell):
            found[name] = cell
        else:
            found.pop(name, None)
        sides = cell.sides()
        if sides != self._sides.get(name, ()):
            self._sides[name] = sides
            self._closest.clear()

    def closest(self, measured: Correlations, instrument_id: str, side: int) -> Closest:
        """How alike an entry would be to what it is most alike of what is held, or will be."""
        if measured is not self._measured:
            self._measured, self._closest = measured, {}
        known = self._closest.get((instrument_id, side))
        if known is None:
            others = ((name, one) for name, sides in self._sides.items() for one in sides)
            known = self._closest[instrument_id, side] = measured.closest(instrument_id, side, others=others)
        return known

    def worth(self, marks: Marks, unit_of: Callable[[str], Decimal]) -> Worth:
        """The sums over all cells at last prices; what has no price yet is asked for each time."""
        moved = self._follower.news(marks)
        if moved is None:
            self._stale = dict.fromkeys([*(self._by_name or ()), *self._worths])
        elif moved:
            self._stale.update((name, None) for name in moved if name in self._worths)
        for name in tuple(self._stale):
            before, cell = self._worths.pop(name, None), (self._by_name or {}).get(name)
            if before is not None:
                self._worth = self._worth.less(before)
            if cell is not None:
                self._worths[name] = now = cell_worth(cell, unit_of(name))
                self._worth = self._worth.plus(now)
            if cell is None or name in marks:
                del self._stale[name]
        return self._worth

    def worth_in(self, instrument_id: str) -> Worth:
        """The part that one instrument has in the sums."""
        return self._worths.get(instrument_id, Worth())
