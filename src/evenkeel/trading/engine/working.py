"""An account's working orders, with running sums, so that judging one more order is no walk over all of them.

The fold keeps and drops orders; it only notes whose share of the sums is out of date. Whoever reads a sum brings it up
to date first, each change once. The sums follow from the orders alone and are no part of what makes two states equal.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Protocol

from msgspec import Struct, field

from evenkeel.domain.money import ZERO, add, mul, neg, plain, sub
from evenkeel.domain.orders import Order, OrderState, Side
from evenkeel.trading.engine.holdings import Follower, Marks


class Reserve(Protocol):
    """How much cash working buys may still use."""

    def __call__(self, order: Order) -> Decimal:
        """What one of them may use."""

    def is_plain(self, order: Order) -> bool:
        """Whether each unit of it may use what any unit does that is bought plainly at the market: see `unit`."""

    def unit(self, instrument_id: str) -> Decimal:
        """What a unit may use that is bought at the last price, with nothing charged."""


class _Market(Struct):
    """Buys of one instrument without a limit, which use more where the price rises.

    Plain ones are counted by their quantity, `left`; of the others each has its amount, `fresh` being not yet counted.
    """

    plain: dict[str, Decimal] = field(default_factory=dict)
    left: Decimal = ZERO
    others: dict[str, Order] = field(default_factory=dict)
    amounts: dict[str, Decimal] = field(default_factory=dict)
    fresh: dict[str, None] = field(default_factory=dict)
    reserved: Decimal = ZERO
    whole: Decimal = ZERO

    def take(self, order: Order, *, is_plain: bool) -> None:
        if is_plain:
            self.plain[order.id] = order.remaining
            self.left = add(self.left, order.remaining)
        else:
            self.others[order.id] = order
            self.fresh[order.id] = None

    def drop(self, order_id: str) -> None:
        left = self.plain.pop(order_id, None)
        if left is not None:
            self.left = sub(self.left, left)
        elif self.others.pop(order_id, None) is not None:
            self.fresh.pop(order_id, None)
            self.reserved = sub(self.reserved, self.amounts.pop(order_id, ZERO))

    def moved(self) -> None:
        """Has every order asked again: the price is another."""
        self.reserved, self.amounts, self.fresh = ZERO, {}, dict.fromkeys(self.others)

    def count(self, instrument_id: str, reserve: Reserve) -> Decimal:
        """What they may use now, less what they might when this was asked before."""
        for order_id in self.fresh:
            self.amounts[order_id] = amount = reserve(self.others[order_id])
            self.reserved = add(self.reserved, amount)
        self.fresh.clear()
        before, self.whole = self.whole, self.reserved
        if self.plain:
            self.whole = add(self.reserved, mul(self.left, reserve.unit(instrument_id)))
        return sub(self.whole, before)


class _Counted(Struct, gc=False):
    """What an order has added to the sums."""

    instrument_id: str
    is_buy: bool
    left: Decimal
    reserved: Decimal


class Working(dict[str, Order]):
    """Orders by id, in the order in which they began to work. `unheard` are those the venue has not spoken of yet,
    `shifted` the instruments of which more or less works since somebody cleared it."""

    def __init__(self) -> None:
        super().__init__()
        self._quantities: dict[tuple[str, bool], Decimal] = {}
        self.shifted: dict[str, None] = {}
        self._changed: dict[str, None] = {}
        self._doubtful: dict[str, str] = {}
        self.unheard: dict[str, None] = {}
        self._begin()

    def _begin(self) -> None:
        self._counted: dict[str, _Counted] = {}
        self.shifted.update((name, None) for name, _ in self._quantities)
        self._quantities = {}
        self._markets: dict[str, _Market] = {}
        self._stale: dict[str, None] = {}
        self._follower = Follower()
        self._reserved = ZERO

    def keep(self, order: Order) -> None:
        """Takes an order in, or notes that its quantity or prices have changed."""
        self[order.id] = order
        self._changed[order.id] = None
        if order.state is OrderState.SUBMITTED:
            self.unheard[order.id] = None
        else:
            self.unheard.pop(order.id, None)
        if order.state is OrderState.IN_DOUBT:
            self._doubtful[order.id] = order.spec.instrument_id
        else:
            self._doubtful.pop(order.id, None)

    def drop(self, order: Order) -> None:
        self.pop(order.id, None)
        self.unheard.pop(order.id, None)
        self._doubtful.pop(order.id, None)
        if order.id in self._counted:
            self._changed[order.id] = None
        else:
            self._changed.pop(order.id, None)

    def in_doubt(self, instrument_id: str) -> str | None:
        """An order of this instrument of which nobody knows whether the venue has it."""
        if not self._doubtful:
            return None
        return next((order_id for order_id, doubted in self._doubtful.items() if doubted == instrument_id), None)

    def recount(self) -> None:
        """Counts every order anew: an instrument is not what it was."""
        self._begin()
        self._changed = dict.fromkeys(self)

    def quantity(self, instrument_id: str, reserve: Reserve, *, is_buy: bool) -> Decimal:
        """The unsigned quantity of an instrument that is on its way to be bought, or sold.

        In its shortest notation, so that what was counted before, and has gone, leaves no trailing zeros.
        """
        self._settle(reserve)
        whole = self._quantities.get((instrument_id, is_buy))
        if not whole:
            return ZERO
        return whole if str(whole).isdecimal() else Decimal(plain(whole))

    def quantities(self, reserve: Reserve) -> Mapping[tuple[str, bool], Decimal]:
        """What is on its way of every instrument, by instrument and whether it is bought; some of it may be nothing."""
        self._settle(reserve)
        return self._quantities

    def reserved(self, reserve: Reserve, marks: Marks) -> Decimal:
        """The cash that all working buys may use; those at the market by the last price of their instrument."""
        self._settle(reserve)
        markets, moved = self._markets, self._follower.news(marks)
        for name in self._markets if moved is None else moved:
            if name in markets:
                markets[name].moved()
                self._stale[name] = None
        for name in self._stale:
            if name in markets:
                self._reserved = add(self._reserved, markets[name].count(name, reserve))
        self._stale.clear()
        return self._reserved

    def _settle(self, reserve: Reserve) -> None:
        if not self._changed:
            return
        for order_id in tuple(self._changed):
            order = self.get(order_id)
            counted = _counted(order, reserve) if order is not None and not order.spec.is_exit else None
            known = self._counted.pop(order_id, None)
            if known is not None:
                self._count(known, -1)
                self._leave_market(known.instrument_id, order_id)
            if counted is not None and order is not None:
                self._counted[order_id] = counted
                self._count(counted, 1)
                if _is_at_market(order):
                    self._join_market(counted.instrument_id, order, is_plain=reserve.is_plain(order))
            del self._changed[order_id]

    def _join_market(self, instrument_id: str, order: Order, *, is_plain: bool) -> None:
        market = self._markets.get(instrument_id)
        if market is None:
            market = self._markets[instrument_id] = _Market()
        market.take(order, is_plain=is_plain)
        self._stale[instrument_id] = None

    def _leave_market(self, instrument_id: str, order_id: str) -> None:
        market = self._markets.get(instrument_id)
        if market is not None:
            market.drop(order_id)
            self._stale[instrument_id] = None
            if not (market.plain or market.others):
                self._reserved = sub(self._reserved, market.whole)
                del self._markets[instrument_id]

    def _count(self, part: _Counted, sign: int) -> None:
        key = part.instrument_id, part.is_buy
        left, reserved = (part.left, part.reserved) if sign > 0 else (neg(part.left), neg(part.reserved))
        self._quantities[key] = add(self._quantities.get(key, ZERO), left)
        self.shifted[part.instrument_id] = None
        if reserved:
            self._reserved = add(self._reserved, reserved)


def _is_at_market(order: Order) -> bool:
    return order.spec.side.sign > 0 and order.limit_price is None


def _counted(order: Order, reserve: Reserve) -> _Counted:
    is_buy = order.spec.side.sign > 0
    own = reserve(order) if is_buy and not _is_at_market(order) else ZERO
    return _Counted(order.spec.instrument_id, is_buy, order.remaining, own)


def may_fill(orders: Iterable[Order], side: Side) -> Decimal:
    """How much of `side` orders may still fill; of exits that are linked, one fills in the others' place."""
    linked: dict[str, Decimal] = {}
    whole = ZERO
    for order in orders:
        if order.spec.side is not side:
            continue
        if order.spec.is_exit:
            linked[order.spec.link] = max(linked.get(order.spec.link, ZERO), order.remaining)
        else:
            whole = add(whole, order.remaining)
    for quantity in linked.values():
        whole = add(whole, quantity)
    return whole
