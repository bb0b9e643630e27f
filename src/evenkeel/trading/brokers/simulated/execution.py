"""One slice at work on the book: triggers, fills, what they cost, and orders that end with the slice."""

from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from heapq import merge
from math import isnan, nan
from typing import NamedTuple, TypedDict

from evenkeel.domain.clock import day_bounds, session_date
from evenkeel.domain.events import (
    AnyVenueEvent,
    VenueCancelled,
    VenueExpired,
    VenueFilled,
    VenueTriggered,
)
from evenkeel.domain.fills import Charge
from evenkeel.domain.marketdata import Bar, Quote
from evenkeel.domain.money import add, mul
from evenkeel.domain.orders import OrderState, TimeInForce
from evenkeel.quant.costs import (
    NOTHING,
    Biller,
    FillModel,
    Traded,
    book_price,
    book_quantity,
)
from evenkeel.quant.costs.fills import Attempt
from evenkeel.trading.brokers.simulated.exits import first_of_each, work_from_the_open
from evenkeel.trading.brokers.simulated.matching import Reach, Volume, at_quote, reached, sequence
from evenkeel.trading.brokers.simulated.orders import BookState, OrderKey, VenueOrder, execution_id
from evenkeel.trading.brokers.simulated.rooms import Line
from evenkeel.trading.brokers.simulated.terms import Own, Queue, merely_touches

_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
DAY_OVER = "the day it was good for is over"


Days = dict[str, tuple[int, int]]
Volumes = dict[tuple[str, str], Volume]
Billers = Callable[[str, str], Biller]


class Names(TypedDict):
    account_id: str
    venue_client_id: str
    venue_order_id: str


def names(order: VenueOrder) -> Names:
    """How every event names its order."""
    return {
        "account_id": order.spec.account_id,
        "venue_client_id": order.venue_client_id,
        "venue_order_id": order.venue_order_id,
    }


class Meeting(NamedTuple):
    """A bar as some orders meet it: all those of the crowd, or those of one account with terms of its own.

    The crowd's may stand in `line`: once the volume is spent, the bar does nothing to those behind.
    """

    orders: Collection[VenueOrder]
    bar: Bar
    volume: Volume
    model: FillModel
    queue: Queue | None
    line: Line | None = None

    def reaches(self) -> Iterable[Reach]:
        """What the bar reaches, in sequence."""
        others = reached(self.orders, self.bar, slippage=self.model.slippage) if self.orders else []
        if not self.line:
            return others
        return merge(others, self._in_line(self.line), key=sequence) if others else self._in_line(self.line)

    def _in_line(self, line: Line) -> Iterable[Reach]:
        bar, volume, fills = self.bar, self.volume, not isnan(self.bar.open)
        is_last = line.ends_with(bar)
        for order in line.until(bar.ts):
            if not is_last and volume.is_spent:
                return
            yield Reach(bar.ts, order.since, order.spec.account_id, order.order_id, order, fills, 0)

    def attempt(self, order: VenueOrder) -> Attempt:
        """How the bar fills an order with what is left of it."""
        attempt = self.volume.attempt(order)
        return attempt if self.queue is None else self.queue.hold(order, attempt, self.volume.lot)

    def lets(self, order: VenueOrder) -> bool:
        """Whether the order's place in the queue lets anything of it fill."""
        return self.queue is None or self.queue.room(order) >= self.volume.lot


class Run:
    """Gathers one slice's events. `sessions`: DAY orders whose day became known; `done`: orders that ended.

    `billers` know what fills cost by account and currency; `days` keeps the bounds of the day that an account's orders
    met last; `own` has the accounts with terms of their own.
    """

    def __init__(
        self, state: BookState, model: FillModel, billers: Billers, *, days: Days, own: Mapping[str, Own]
    ) -> None:
        self.state = state
        self.model = model
        self.billers = billers
        self.days = days
        self.own = own
        self.volumes: Volumes = {}
        self.sessions: list[VenueOrder] = []
        self.done: list[VenueOrder] = []
        self._events: list[tuple[int, str, str, AnyVenueEvent]] = []

    def in_order(self) -> list[AnyVenueEvent]:
        if len(self._events) > 1:
            self._events.sort(key=lambda item: item[:3])
        return [item[3] for item in self._events]

    def tell(self, order: VenueOrder, event: AnyVenueEvent) -> None:
        self._events.append((event.at, order.spec.account_id, order.order_id, event))

    def match_bar(self, orders: Mapping[OrderKey, VenueOrder], bar: Bar, line: Line | None = None) -> None:
        """Works through every order that `bar` can reach, in sequence, sharing its volume."""
        if line:
            line.meet(bar.ts, self._learn)
        for meeting in self._meetings(orders.values(), bar, line):
            self._match(meeting)

    def _meetings(self, orders: Collection[VenueOrder], bar: Bar, line: Line | None = None) -> Iterable[Meeting]:
        groups = self._apart(orders) if self.own else {"": orders}
        crowd, met = groups.pop("", ()), list[Meeting]()
        if crowd or line:
            met.append(Meeting(crowd, bar, self._volume(bar, "", self.model), self.model, None, line))
        return [*met, *(self._meeting(name, group, bar) for name, group in groups.items())]

    def _apart(self, orders: Iterable[VenueOrder]) -> dict[str, Collection[VenueOrder]]:
        """The orders of each account that has terms of its own, and under no name all others'."""
        groups: dict[str, list[VenueOrder]] = {}
        for order in orders:
            account_id = order.spec.account_id
            groups.setdefault(account_id if account_id in self.own else "", []).append(order)
        return dict(groups)

    def _meeting(self, name: str, orders: Collection[VenueOrder], bar: Bar) -> Meeting:
        own = self.own[name]
        shown, queue = own.bar(bar), None
        volume = self._volume(shown, name, own.model)
        if own.queue is not None:
            instrument = self.state.instruments[bar.instrument_id]
            queue = Queue(
                shown,
                own.queue,
                shift=own.model.slippage.spread_share * shown.spread,
                tick=float(instrument.tick_size),
                seen=self.state.seen.get(bar.instrument_id, 0),
            )
        return Meeting(orders, shown, volume, own.model, queue)

    def _volume(self, bar: Bar, name: str, model: FillModel) -> Volume:
        """What the slice's orders have left of a bar."""
        key = bar.instrument_id, name
        volume = self.volumes.get(key)
        if volume is None:
            lot = float(self.state.instruments[bar.instrument_id].lot_size)
            volume = self.volumes[key] = Volume(bar, model, lot)
        return volume

    def _match(self, meeting: Meeting) -> None:
        bar = meeting.bar
        for reach in meeting.reaches():
            order = reach.order
            if self._is_over(order, opens=bar.ts, bar=bar.close_ts):
                continue
            if reach.fills:
                attempt = meeting.attempt(order)
                self._note_trigger(order, reach.triggered_at, bar=bar.close_ts)
                meeting.volume.take(self._fill(order, attempt, at=reach.at, bar=bar.close_ts))
            else:
                self._note_trigger(order, reach.triggered_at, bar=bar.close_ts)
            self._end_with_bar(order, bar)

    def match_exits(self, orders: Mapping[OrderKey, VenueOrder], bar: Bar, *, at_close: bool) -> None:
        """Has linked orders meet a bar that all others have met: one of each link at most executes."""
        if not at_close:
            work_from_the_open(orders.values(), bar)
        for meeting in self._meetings(orders.values(), bar):
            slippage = meeting.model.slippage
            for reach in first_of_each(meeting.orders, meeting.bar, slippage=slippage, lets=meeting.lets):
                attempt = meeting.attempt(reach.order)
                self._note_trigger(reach.order, reach.triggered_at, bar=bar.close_ts)
                meeting.volume.take(self._fill(reach.order, attempt, at=reach.at, bar=bar.close_ts))

    def match_quote(self, orders: Mapping[OrderKey, VenueOrder], quote: Quote) -> None:
        """The same on one quote, which carries no volume: what it reaches, it fills."""
        waiting = [order for order in orders.values() if order.state.is_working and order.since < quote.ts]
        if len(waiting) > 1:
            waiting.sort(key=lambda o: (o.since, o.spec.account_id, o.order_id))
        for order in waiting:
            if self._is_over(order, opens=quote.ts, bar=0):
                continue
            attempt = self._at_quote(order, quote)
            if attempt.triggered and not order.triggered:
                self._note_trigger(order, quote.ts, bar=0)
            self._fill(order, attempt, at=quote.ts, bar=0)
            if order.state.is_working and order.spec.time_in_force in _AT_ONCE:
                self._cancel_rest(order, at=quote.ts, bar=0)

    def _at_quote(self, order: VenueOrder, quote: Quote) -> Attempt:
        own = self.own.get(order.spec.account_id)
        if own is None:
            return at_quote(order, quote, slippage=self.model.slippage)
        shown = own.quote(quote)
        if own.queue is not None:
            tick, seen = self.state.instruments[quote.instrument_id].tick_size, self.state.seen
            if merely_touches(order, shown, tick=float(tick), seen=seen.get(quote.instrument_id, 0)):
                return Attempt(nan, 0.0, order.triggered)
        return at_quote(order, shown, slippage=own.model.slippage)

    def expire(self, order: VenueOrder, *, at: int, bar: int, reason: str = DAY_OVER) -> None:
        order.state = OrderState.EXPIRED
        order.reason = reason
        self.done.append(order)
        self.tell(order, VenueExpired(**names(order), at=at, bar=bar, reason=order.reason))

    def cancel(self, order: VenueOrder, reason: str, *, at: int, bar: int) -> None:
        order.state = OrderState.CANCELLED
        order.reason = reason
        self.done.append(order)
        self.tell(order, VenueCancelled(**names(order), at=at, bar=bar, reason=reason))

    def _is_over(self, order: VenueOrder, *, opens: int, bar: int) -> bool:
        """Whether a DAY order's session is over by `opens`; meeting the market first, it learns its session."""
        if order.spec.time_in_force is not TimeInForce.DAY:
            return False
        if not order.day_end:
            self._learn(order, opens)
        if opens < order.day_end:
            return False
        self.expire(order, at=order.day_end, bar=bar)
        return True

    def _learn(self, order: VenueOrder, opens: int) -> None:
        order.day_end = self._end_of_day(order.spec.account_id, opens)
        self.sessions.append(order)

    def _end_of_day(self, account_id: str, at: int) -> int:
        """The end of the account's day that holds the moment `at`."""
        start, end = self.days.get(account_id, (0, 0))
        if not start <= at < end:
            account = self.state.accounts[account_id]
            day = session_date(at, account.time_zone, account.roll)
            self.days[account_id] = start, end = day_bounds(day, account.time_zone, account.roll)
        return end

    def _note_trigger(self, order: VenueOrder, at: int, *, bar: int) -> None:
        if at:
            order.triggered = True
            self.tell(order, VenueTriggered(**names(order), at=at, bar=bar))

    def _fill(self, order: VenueOrder, attempt: Attempt, *, at: int, bar: int) -> float:
        """Books one execution and returns its quantity, 0 if there is none."""
        if attempt.quantity <= 0.0 or isnan(attempt.price):
            return 0.0
        spec, left, state = order.spec, order.remaining, self.state
        instrument = state.instruments[spec.instrument_id]
        is_all = attempt.quantity >= float(left)
        quantity = left if is_all else min(book_quantity(attempt.quantity, instrument.lot_size), left)
        if not quantity or (spec.time_in_force is TimeInForce.FOK and quantity < left):
            return 0.0
        price = book_price(attempt.price, spec.side, instrument.tick_size)
        event = VenueFilled(
            account_id=spec.account_id,
            venue_client_id=order.venue_client_id,
            venue_order_id=order.venue_order_id,
            at=at,
            bar=bar,
            execution_id=execution_id(order, bar or at),
            instrument_id=spec.instrument_id,
            side=spec.side,
            quantity=quantity,
            price=price,
            charges=self._execute(order, quantity=quantity, price=price, maker=not attempt.taker),
        )
        state.executions.setdefault(spec.account_id, []).append(event)
        state.ledger.note(spec, event, instrument)
        self.tell(order, event)
        if order.state is OrderState.FILLED:
            self.done.append(order)
        return float(quantity)

    def _execute(self, order: VenueOrder, *, quantity: Decimal, price: Decimal, maker: bool) -> tuple[Charge, ...]:
        """Moves the order by one execution, and returns what it cost."""
        spec = order.spec
        instrument = self.state.instruments[spec.instrument_id]
        value = mul(quantity, price)
        biller = self.billers(spec.account_id, instrument.currency)
        if order.filled:
            before = NOTHING if biller.is_free else _traded(order, instrument.multiplier)
            order.filled, order.notional = add(order.filled, quantity), add(order.notional, value)
        else:
            before, order.filled, order.notional = NOTHING, quantity, value
        order.state = OrderState.PARTIALLY_FILLED if order.filled < order.quantity else OrderState.FILLED
        if biller.is_free:
            return ()
        return biller.bill(spec.side, after=_traded(order, instrument.multiplier), before=before, maker=maker)

    def _end_with_bar(self, order: VenueOrder, bar: Bar) -> None:
        if not order.is_working:
            return
        if order.spec.time_in_force in _AT_ONCE:
            self._cancel_rest(order, at=bar.close_ts, bar=bar.close_ts)
        elif order.spec.time_in_force is TimeInForce.BAR:
            self.expire(order, at=bar.close_ts, bar=bar.close_ts, reason="the bar it was good for is over")
        elif order.day_end and bar.close_ts + (bar.close_ts - bar.ts) > order.day_end:
            self.expire(order, at=bar.close_ts, bar=bar.close_ts)

    def _cancel_rest(self, order: VenueOrder, *, at: int, bar: int) -> None:
        what = "in full at once" if order.spec.time_in_force is TimeInForce.FOK else "at once"
        self.cancel(order, f"{order.spec.time_in_force}: could not be filled {what}", at=at, bar=bar)


def _traded(order: VenueOrder, multiplier: Decimal) -> Traded:
    return Traded(float(order.filled), float(mul(order.notional, multiplier)))
