"""Lots: a position as what each purchase left of it, and what each sale has closed of it, by a method of choice.

Whatever the method, what is held and what has been paid for it, with what has been realised, come to the same; what
one method has realised by now, another still holds. A part of a lot takes its share of the lot's cost, rounded once to
`COST_STEP`, so that shares add up to the whole.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from heapq import merge

from msgspec import Struct, field
from msgspec.structs import replace

from evenkeel.domain.money import COST_STEP, ZERO, add, mul, neg, portion, ratio, rounded, sub, total
from evenkeel.domain.taxes import BEGINNING, UNTOLD, LotMethod, TaxTerms

_UNIT_STEP = Decimal("0.000000000001")


class Lot(Struct, eq=False):
    """Signed quantity and total cost, paid for a long and received for a short; what was charged is beside it.

    `id` names the fill that opened it, on the day `opened`, and `origin` its order; a split may leave one of neither.
    `unit` is the basis a unit as it was opened or split, once it has been asked for.
    """

    quantity: Decimal
    cost: Decimal
    charges: Decimal = ZERO
    opened: date = BEGINNING
    origin: str = ""
    id: str = ""
    unit: Decimal | None = None

    @property
    def basis(self) -> Decimal:
        """The cost with charges; of a short, below zero, what it has brought after charges."""
        return add(self.cost, self.charges)

    def is_long_term(self, day: date, terms: TaxTerms) -> bool:
        """Whether a gain would be long-term: of a purchase held for more than the terms' days; of a short, never."""
        return self.quantity > 0 and (day - self.opened).days > terms.days


class Trade(Struct, frozen=True):
    """Signed units (negative sells) at a price, with charges, on a day of the account; `id` names the fill, `origin`
    its order."""

    quantity: Decimal
    price: Decimal
    charges: Decimal = ZERO
    day: date = BEGINNING
    origin: str = ""
    id: str = ""


class Closing(Struct, frozen=True):
    """What a trade has closed of one lot. `quantity` and `basis` are signed like the lot; `proceeds` are net of
    charges, below zero where a short was bought back. `origin` and `by` name the orders that opened and closed it."""

    quantity: Decimal
    basis: Decimal
    proceeds: Decimal
    opened: date
    closed: date
    is_long_term: bool = False
    origin: str = ""
    by: str = ""

    @property
    def gain(self) -> Decimal:
        return sub(self.proceeds, self.basis)


def untold(day: date) -> TaxTerms:
    """Terms where nothing is said of an account."""
    return UNTOLD


class Lots(Struct):
    """What is held of one position, the oldest first, and what closed lots have realised, before charges.

    `terms` say, for the day of a sale, by which method it chooses. With `closed` a list, each closing is kept in it.
    """

    held: deque[Lot] = field(default_factory=deque)
    realised: Decimal = ZERO
    terms: Callable[[date], TaxTerms] = untold
    closed: list[Closing] | None = None

    @property
    def cost(self) -> Decimal:
        """What has been paid for all that is held, before charges."""
        return total([lot.cost for lot in self.held])

    @property
    def basis(self) -> Decimal:
        """The same with charges."""
        return total([lot.basis for lot in self.held])

    @property
    def quantity(self) -> Decimal:
        return total([lot.quantity for lot in self.held])

    def copy(self) -> "Lots":
        """The same lots, to try trades on; its closings begin anew."""
        return Lots(deque(replace(lot) for lot in self.held), self.realised, self.terms, [])

    def trade(self, trade: Trade, multiplier: Decimal, *, undoes: bool = False) -> None:
        """Books a trade: it closes lots in the order of the method, and opens one with what is left of it.

        Charges are shared by quantity. A trade that undoes another closes the newest.
        """
        left, charges = trade.quantity, trade.charges
        if self.held and (self.held[0].quantity > 0) != (left > 0):
            for lot in self._in_order(trade, multiplier, undoes=undoes):
                part = lot.quantity if lot.quantity.copy_abs() <= left.copy_abs() else left.copy_negate()
                left = add(left, part)
                charged = charges if not left else portion(charges, part, of=sub(part, left), step=COST_STEP)
                charges = sub(charges, charged)
                self._close(lot, part, mul(mul(part, trade.price), multiplier), trade=replace(trade, charges=charged))
                if not left:
                    return
        if left:
            cost = mul(mul(left, trade.price), multiplier)
            self.held.append(Lot(left, cost, charges, trade.day, trade.origin, trade.id))

    def _in_order(self, trade: Trade, multiplier: Decimal, *, undoes: bool) -> Iterator[Lot]:
        """Lots as they are to be closed; one that has been closed is no longer held when the next is asked for."""
        terms = self.terms(trade.day)
        if undoes or terms.method is LotMethod.LIFO:
            while self.held:
                yield self.held[-1]
        elif terms.method is LotMethod.FIFO:
            while self.held:
                yield self.held[0]
        else:
            yield from in_order(self.held, trade, multiplier, terms=terms)

    def _close(self, lot: Lot, part: Decimal, value: Decimal, *, trade: Trade) -> None:
        """Closes a part, signed like the lot, that brings `value`."""
        closes = part == lot.quantity
        released = lot.cost if closes else portion(lot.cost, part, of=lot.quantity, step=COST_STEP)
        charges = lot.charges if closes else portion(lot.charges, part, of=lot.quantity, step=COST_STEP)
        self.realised = add(self.realised, sub(value, released))
        if self.closed is not None:
            is_long_term = lot.is_long_term(trade.day, self.terms(trade.day))
            basis, proceeds = add(released, charges), sub(value, trade.charges)
            closing = Closing(part, basis, proceeds, lot.opened, trade.day, is_long_term, lot.origin, trade.origin)
            self.closed.append(closing)
        lot.quantity, lot.cost = sub(lot.quantity, part), sub(lot.cost, released)
        lot.charges = sub(lot.charges, charges)
        if closes:
            self._drop(lot)

    def _drop(self, lot: Lot) -> None:
        if self.held[0] is lot:
            self.held.popleft()
        elif self.held[-1] is lot:
            self.held.pop()
        else:
            self.held.remove(lot)

    def split(
        self, numerator: Decimal, denominator: Decimal, *, quantity: Decimal, cash: Decimal, day: date = BEGINNING
    ) -> None:
        """Applies a split that has left `quantity` in all; a fraction paid out in `cash` comes from the oldest lot.

        A lot may be no whole number of lots of the instrument: only their sum is.
        """
        for lot in self.held:
            lot.quantity, lot.unit = portion(lot.quantity, numerator, of=denominator, step=COST_STEP), None
        extra = sub(self.quantity, quantity)
        while extra and self.held and (self.held[0].quantity > 0) == (extra > 0):
            lot = self.held[0]
            part = lot.quantity if lot.quantity.copy_abs() <= extra.copy_abs() else extra
            paid = cash if part == extra else portion(cash, part, of=extra, step=COST_STEP)
            extra, cash = sub(extra, part), sub(cash, paid)
            self._close(lot, part, paid, trade=Trade(part, ZERO, day=day))
        if extra:  # what a book has gained by the rounding of the whole, at the price of the cash for it
            self.held.append(Lot(neg(extra), neg(cash), opened=day))
        elif cash:
            self.realised = add(self.realised, cash)
            if self.closed is not None:
                self.closed.append(Closing(ZERO, ZERO, cash, day, day))


def in_order(held: "deque[Lot] | list[Lot]", trade: Trade, multiplier: Decimal, *, terms: TaxTerms) -> Iterator[Lot]:
    """Lots as a trade that closes them takes them; among equals, the oldest first.

    Each lot has a gain a unit, what it would bring less its basis; `min-tax` takes the least tax a unit first, which is
    that gain times the rate of its term. Tax adds up lot by lot, so no other choice of as many units costs less.
    """
    match terms.method:
        case LotMethod.FIFO:
            return iter(held)
        case LotMethod.LIFO:
            return reversed(held)
        case LotMethod.MIN_TAX:
            return _least_tax_first(held, trade, multiplier, terms=terms)
    return iter(_dearest_first(held, cheapest=terms.method is LotMethod.LOWEST_COST))


def _least_tax_first(held: Iterable[Lot], trade: Trade, multiplier: Decimal, *, terms: TaxTerms) -> Iterator[Lot]:
    """Within a term, the dearest has the least tax; the two are merged by what it is."""
    by_term: dict[bool, list[Lot]] = {True: [], False: []}
    for lot in held:
        by_term[lot.is_long_term(trade.day, terms)].append(lot)
    charged = _rounded(ratio(trade.charges, trade.quantity.copy_abs()))
    price = _rounded(mul(trade.price, multiplier))

    def tax(lot: Lot) -> Decimal:
        gain = sub(price, _unit(lot)) if lot.quantity > 0 else sub(_unit(lot), price)
        return mul(sub(gain, charged), terms.rate(long=lot.is_long_term(trade.day, terms)))

    orders = [_dearest_first(lots) if terms.rate(long=long) else lots for long, lots in by_term.items()]
    return merge(*orders, key=tax)


def _dearest_first(held: Iterable[Lot], *, cheapest: bool = False) -> list[Lot]:
    """By the gain of a sale, the least first: of longs the dearest, of shorts those that have brought least."""
    lots = list(held)
    return sorted(lots, key=_unit, reverse=bool(lots) and (lots[0].quantity > 0) is not cheapest)


def _unit(lot: Lot) -> Decimal:
    if lot.unit is None:
        lot.unit = _rounded(ratio(lot.basis, lot.quantity))
    return lot.unit


def _rounded(value: Decimal) -> Decimal:
    return rounded(value, _UNIT_STEP)
