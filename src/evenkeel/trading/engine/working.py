"""An account's working orders, with running sums, so that judging one more order is no walk over all of them.

The fold keeps and drops orders; it only notes whose share of the sums is out of date. Whoever reads a sum brings it up
to date first, each change once. The sums follow from the orders alone and are no part of what makes two states equal.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from msgspec import Struct, field

from evenkeel.domain.money import ZERO, add, neg, plain, sub
from evenkeel.domain.orders import Order, OrderState, Side

Reserve = Callable[[Order], Decimal]
"""The cash that a working buy may still use."""


class _Market(Struct):
    """Buys of one instrument without a limit: what each may use at `price`, and those not yet counted."""

    orders: dict[str, Order] = field(default_factory=dict)
    price: Decimal | None = None
    amounts: dict[str, Decimal] = field(default_factory=dict)
    fresh: dict[str, None] = field(default_factory=dict)
    reserved: Decimal = ZERO

    def take(self, order: Order) -> None:
        self.orders[order.id] = order
        self.fresh[order.id] = None

    def drop(self, order_id: str) -> None:
        if self.orders.pop(order_id, None) is not None:
            self.fresh.pop(order_id, None)
            self.reserved = sub(self.reserved, self.amounts.pop(order_id, ZERO))

    def at(self, price: Decimal | None, reserve: Reserve) -> Decimal:
        """What they may use at this price; every order is asked again only when the price has moved."""
        if price != self.price:
            self.price, self.reserved = price, ZERO
            self.amounts, self.fresh = {}, dict.fromkeys(self.orders)
        for order_id in self.fresh:
            self.amounts[order_id] = amount = reserve(self.orders[order_id])
            self.reserved = add(self.reserved, amount)
        self.fresh.clear()
        return self.reserved


class _Counted(Struct, gc=False):
    """What an order has added to the sums."""

    instrument_id: str
    is_buy: bool
    left: Decimal
    reserved: Decimal


class Working(dict[str, Order]):
    """Orders by id, in the order in which they began to work. `unheard` are those the venue has not spoken of yet."""

    def __init__(self) -> None:
        super().__init__()
        self._changed: dict[str, None] = {}
        self._doubtful: dict[str, str] = {}
        self.unheard: dict[str, None] = {}
        self._begin()

    def _begin(self) -> None:
        self._counted: dict[str, _Counted] = {}
        self._quantities: dict[tuple[str, bool], Decimal] = {}
        self._markets: dict[str, _Market] = {}
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
        return Decimal(plain(whole)) if whole else ZERO

    def quantities(self, reserve: Reserve) -> Mapping[tuple[str, bool], Decimal]:
        """What is on its way of every instrument, by instrument and whether it is bought; some of it may be nothing."""
        self._settle(reserve)
        return self._quantities

    def reserved(self, reserve: Reserve, price_of: Callable[[str], Decimal | None]) -> Decimal:
        """The cash that all working buys may use; those at the market by the last price of their instrument."""
        self._settle(reserve)
        whole = self._reserved
        for instrument_id, market in self._markets.items():
            whole = add(whole, market.at(price_of(instrument_id), reserve))
        return whole

    def _settle(self, reserve: Reserve) -> None:
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
                    self._markets.setdefault(counted.instrument_id, _Market()).take(order)
            del self._changed[order_id]

    def _leave_market(self, instrument_id: str, order_id: str) -> None:
        market = self._markets.get(instrument_id)
        if market is not None:
            market.drop(order_id)
            if not market.orders:
                del self._markets[instrument_id]

    def _count(self, part: _Counted, sign: int) -> None:
        key = part.instrument_id, part.is_buy
        left, reserved = (part.left, part.reserved) if sign > 0 else (neg(part.left), neg(part.reserved))
        self._quantities[key] = add(self._quantities.get(key, ZERO), left)
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
