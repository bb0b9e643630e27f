"""What works in one instrument at the simulated venue, kept so that a bar looks at no more orders than it has to.

Market orders that can wait stand in line, in the sequence in which a bar fills them: once its volume is spent, those
behind do not meet it. All other orders a bar looks at one by one, as it may trigger or end any of them.
"""

from collections.abc import Callable, Iterator
from sys import maxsize

from evenkeel.domain.marketdata import Bar
from evenkeel.domain.orders import OrderKind, TimeInForce
from evenkeel.trading.brokers.simulated.orders import OrderKey, VenueOrder

NEVER = maxsize
_CAN_WAIT = frozenset({TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD})


def _place(item: tuple[OrderKey, VenueOrder]) -> tuple[int, str, str]:
    """Where an order stands among those that a bar reaches at the same moment: the longest there is the first."""
    order = item[1]
    return order.since, order.spec.account_id, order.order_id


class Line:
    """Market orders that wait for their turn, the first in front. Times in ns.

    Those who have come since a bar last met the line are put in their places before the next one does.
    """

    __slots__ = ("_come", "_first_end", "_last", "_new", "_orders")

    def __init__(self) -> None:
        self._orders: dict[OrderKey, VenueOrder] = {}
        self._come: dict[OrderKey, VenueOrder] = {}
        self._new: list[VenueOrder] = []
        self._clear()

    def __bool__(self) -> bool:
        return bool(self._orders or self._come)

    def _clear(self) -> None:
        self._last, self._first_end = (-1, "", ""), NEVER
        self._new.clear()

    def join(self, order: VenueOrder) -> None:
        self._come[order.key] = order
        if order.day_end:
            self._first_end = min(self._first_end, order.day_end)
        elif order.spec.time_in_force is TimeInForce.DAY:
            self._new.append(order)

    def leave(self, key: OrderKey) -> None:
        gone = self._orders.pop(key, None) or self._come.pop(key, None)
        if gone is not None and not self:
            self._clear()

    def meet(self, opens: int, learn: Callable[[VenueOrder, int], None]) -> None:
        """Has the day's orders that meet the market for the first time `learn` when their session ends."""
        if not self._new:
            return
        early = [order for order in self._new if order.since > opens]
        for order in self._new:
            if order.since <= opens and order.is_working:
                if not order.day_end:  # no quote has met it before
                    learn(order, opens)
                self._first_end = min(self._first_end, order.day_end)
        self._new = early

    def ends_with(self, bar: Bar) -> bool:
        """Whether this may be the last bar that fits into the day of one of them."""
        until = bar.close_ts + (bar.close_ts - bar.ts)
        if until < self._first_end:
            return False
        known = (*self._orders.values(), *self._come.values())
        self._first_end = min((order.day_end for order in known if order.day_end), default=NEVER)
        return until >= self._first_end

    def until(self, opens: int) -> Iterator[VenueOrder]:
        """Those that a bar which opens then can meet, in sequence."""
        if self._come:
            self._take_in()
        for order in self._orders.values():
            if order.since > opens:
                return
            if order.is_working:
                yield order

    def _take_in(self) -> None:
        """Puts those who have come where they belong: mostly behind all others."""
        come = sorted(self._come.items(), key=_place)
        if _place(come[0]) < self._last:
            come = sorted([*self._orders.items(), *come], key=_place)
            self._orders.clear()
        self._orders.update(come)
        self._last = _place(come[-1])
        self._come.clear()


class Room:
    """All that works in an instrument, as it came: in `orders`; what stands in `line`; and the `rest`."""

    __slots__ = ("line", "orders", "rest")

    def __init__(self) -> None:
        self.orders: dict[OrderKey, VenueOrder] = {}
        self.rest: dict[OrderKey, VenueOrder] = {}
        self.line = Line()

    def enter(self, order: VenueOrder, *, apart: bool) -> None:
        """Takes an order; `apart`: its account shares no bar with others."""
        key, spec = order.key, order.spec
        self.orders[key] = order
        if spec.kind is OrderKind.MARKET and spec.time_in_force in _CAN_WAIT and not apart:
            self.line.join(order)
        else:
            self.rest[key] = order

    def leave(self, key: OrderKey) -> None:
        if self.orders.pop(key, None) is not None and self.rest.pop(key, None) is None:
            self.line.leave(key)

    def move(self, order: VenueOrder) -> None:
        """Has an order that counts from another moment now stand where it belongs."""
        if order.key in self.orders and order.key not in self.rest:
            self.line.leave(order.key)
            self.line.join(order)


class Rooms:
    """All that works, by instrument: what is free to meet the market in `free`, the exits of positions in `exits`."""

    def __init__(self) -> None:
        self.free: dict[str, Room] = {}
        self.exits: dict[str, dict[OrderKey, VenueOrder]] = {}

    def __bool__(self) -> bool:
        return bool(self.free or self.exits)

    def __iter__(self) -> Iterator[VenueOrder]:
        for room in self.free.values():
            yield from room.orders.values()
        for orders in self.exits.values():
            yield from orders.values()

    def of(self, name: str) -> dict[OrderKey, VenueOrder]:
        """All that works in one instrument."""
        room = self.free.get(name)
        return (room.orders if room is not None else {}) | self.exits.get(name, {})

    def enter(self, order: VenueOrder, *, apart: bool) -> None:
        """Takes an order; `apart`: its account shares no bar with others."""
        name = order.spec.instrument_id
        if order.spec.link:
            self.exits.setdefault(name, {})[order.key] = order
            return
        room = self.free.get(name)
        if room is None:
            room = self.free[name] = Room()
        room.enter(order, apart=apart)

    def leave(self, order: VenueOrder) -> None:
        name, key = order.spec.instrument_id, order.key
        if order.spec.link:
            exits = self.exits.get(name)
            if exits is not None and exits.pop(key, None) is not None and not exits:
                del self.exits[name]
            return
        room = self.free.get(name)
        if room is not None:
            room.leave(key)
            if not room.orders:
                del self.free[name]

    def move(self, order: VenueOrder) -> None:
        """Has an order that counts from another moment now stand where it belongs."""
        room = self.free.get(order.spec.instrument_id)
        if room is not None:
            room.move(order)
