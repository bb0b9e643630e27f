"""The simulated venue's book: synchronous, without clock or I/O. Backtests call it, both adapters wrap it.

Rules. An order counts from its decision (`ticket.at`): it can meet a bar that opened then or later, and a quote
later than that, so a market order fills at the next open or the next quote. Per instrument the book keeps the
time of the last bar close or quote: what is not newer is ignored, and a bar that opened before it only marks.
DAY orders live for the account day in which they first met the market, up to the last bar that fits into it;
IOC and FOK live for one bar or quote, BAR for one bar. Splits and dividends adjust orders, holdings and cash before the
slice's bars are matched. Events of one slice come in order of (time, account, order).
Accounts with `terms` of their own share no bar with others, and their orders and changes count from when they arrive.

Linked orders, the exits of a position, meet a slice last, in `finish`: when what the others have met has been answered.
Those that follow from a fill in its bar count from that fill; where that was inside the bar, a stop from its open.
"""

from collections.abc import Callable
from decimal import Decimal
from heapq import heapify, heappop, heappush
from math import isnan

from evenkeel.domain.accounts import Account
from evenkeel.domain.clock import day_bounds, session_date
from evenkeel.domain.errors import BrokerRejected, BrokerUnavailable
from evenkeel.domain.events import (
    AnyVenueEvent,
    BrokerBalance,
    BrokerOrder,
    BrokerPosition,
    VenueAccepted,
    VenueAmended,
    VenueCancelled,
    VenueCancelRefused,
    VenueFilled,
    VenueRejected,
)
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice, Quote
from evenkeel.domain.money import ZERO, add, exact
from evenkeel.domain.orders import OrderKind, OrderState, TimeInForce
from evenkeel.quant.costs import Biller, CostSchedule, FillModel, find_schedule
from evenkeel.trading.brokers.ports import AccountSummary, Amendment, Cancellation, Ticket
from evenkeel.trading.brokers.simulated import adjusting, execution
from evenkeel.trading.brokers.simulated.orders import (
    BookState,
    OrderKey,
    VenueOrder,
    execution_id,
    shown,
    shown_position,
    venue_order_id,
)
from evenkeel.trading.brokers.simulated.restoring import state_of
from evenkeel.trading.brokers.simulated.rooms import Rooms
from evenkeel.trading.brokers.simulated.screening import amendment_fault, ticket_fault
from evenkeel.trading.brokers.simulated.terms import Terms
from evenkeel.trading.brokers.standing import Standing

STANDARD = FillModel(participation=0.10)


class Book:
    """All accounts of one simulated venue. `model`: slippage, and the share of a bar's volume orders may take.

    `schedules` knows the cost schedules that accounts name; it raises NotFound. With `at_close` a market order that is
    placed at the close of a bar meets that close, and is cancelled as far as it cannot.
    """

    def __init__(
        self,
        state: BookState | None = None,
        *,
        model: FillModel = STANDARD,
        schedules: Callable[[str], CostSchedule] = find_schedule,
        at_close: bool = False,
    ) -> None:
        self.state = BookState() if state is None else state
        self.model = model
        self.at_close = at_close
        self._find_schedule = schedules
        self.reused_ids: list[str] = []
        self.now = max(self.state.seen.values(), default=0)
        self._rooms = Rooms()
        self._shown = MarketSlice(0)
        self._fresh: dict[str, Bar] = {}
        self._volumes: execution.Volumes = {}
        self._days: execution.Days = {}
        self._ends: list[tuple[int, OrderKey]] = []
        self._billers: dict[tuple[str, str], Biller] = {}
        self._costs = {account.id: schedules(account.costs) for account in self.state.accounts.values()}
        self._terms = Terms(self.state.accounts.values())
        for order in self.state.orders.values():
            if order.is_working:
                self._index(order)
        heapify(self._ends)
        self._behind = dict(self.state.seen)

    @classmethod
    def restore(cls, standing: Standing, *, model: FillModel = STANDARD, at_close: bool = False) -> "Book":
        """The book that a journal's fold stands for. Raises NotFound for an unknown cost schedule."""
        return cls(state_of(standing), model=model, at_close=at_close)

    def open_account(self, account: Account, cash: Decimal = ZERO) -> None:
        """Opens an account with `cash` of its currency; one that is open stays as it is. Raises NotFound."""
        if account.id not in self.state.accounts:
            self._costs[account.id] = self._find_schedule(account.costs)
            self.state.accounts[account.id] = account
            self._terms.take(account)
            self.state.cash[account.id] = {account.currency: cash}

    def list_instrument(self, instrument: Instrument) -> None:
        """Makes an instrument tradable here; listed again, the newer description counts."""
        self.state.instruments[instrument.id] = instrument

    def _biller(self, account_id: str, currency: str) -> Biller:
        known = self._billers.get((account_id, currency))
        if known is None:
            known = self._billers[account_id, currency] = Biller(self._costs[account_id], currency)
        return known

    def move_cash(self, account_id: str, amount: Decimal, *, currency: str, reference: str) -> None:
        """A deposit (positive) or withdrawal, booked once per `reference`. Raises BrokerUnavailable."""
        self._account(account_id)
        if reference not in self.state.references:
            self.state.references.add(reference)
            cash = self.state.cash[account_id]
            cash[currency] = add(cash.get(currency, ZERO), amount)

    def place(self, ticket: Ticket) -> list[AnyVenueEvent]:
        """Accepts or rejects an order, by an event. The same ticket again is answered with the order that exists.

        Raises BrokerRejected for an account this venue does not have and for a client id used with another order.
        """
        spec = ticket.spec
        if spec.account_id not in self.state.accounts:
            raise BrokerRejected(f"account {spec.account_id} does not exist at this venue")
        order = self.state.orders.get((spec.account_id, ticket.venue_client_id))
        is_new = order is None
        if order is None:
            order = self._enter(ticket)
        elif order.spec != spec or order.order_id != ticket.order_id:
            raise BrokerRejected(f"client id {ticket.venue_client_id} already names another order")
        at = max(ticket.at, self.now)
        if order.state is OrderState.REJECTED:
            return [VenueRejected(**execution.names(order), at=at, reason=order.reason or "rejected")]
        accepted = VenueAccepted(
            account_id=spec.account_id,
            venue_client_id=order.venue_client_id,
            venue_order_id=order.venue_order_id,
            at=at,
        )
        if self.at_close and is_new and spec.kind is OrderKind.MARKET:
            return [accepted, *self._meet_close(order, at)]
        return [accepted]

    def _meet_close(self, order: VenueOrder, at: int) -> list[AnyVenueEvent]:
        """What the close of the bar that has just been shown makes of an order placed at it."""
        name = order.spec.instrument_id
        bar = next((bar for bar in self._shown.bars if (bar.instrument_id, bar.close_ts) == (name, at)), None)
        if bar is None:
            return []
        run = self._new_run()
        close = float(exact(bar.close, self.state.instruments[name].tick_size))
        shown = Bar(name, at, at, close, close, close, close, bar.volume, bar.spread)
        run.volumes = {key: left.of(shown) for key, left in self._volumes.items() if key[0] == name}
        run.match_bar({order.key: order}, shown)
        self._volumes |= {key: used.of(self._terms.seen_by(key[1], bar)) for key, used in run.volumes.items()}
        if order.is_working:
            run.cancel(order, "it could not be filled in full at the close", at=at, bar=at)
        self._settle(run)
        return run.in_order()

    def _new_run(self) -> execution.Run:
        return execution.Run(self.state, self.model, self._biller, days=self._days, own=self._terms)

    def modify(self, amendment: Amendment) -> list[AnyVenueEvent]:
        """Sets total quantity and prices of a working order, all three. Raises BrokerRejected."""
        order = self._order(amendment.account_id, amendment.venue_client_id)
        fault = amendment_fault(order, amendment.spec, instrument=self.state.instruments[order.spec.instrument_id])
        if fault:
            raise BrokerRejected(f"order {order.venue_order_id} cannot be changed: {fault}")
        order.amend(amendment.spec)
        order.since = max(order.since, amendment.since or amendment.at + self._terms.late(order.spec))
        self._rooms.move(order)
        return [
            VenueAmended(
                **execution.names(order),
                at=max(amendment.at, self.now),
                quantity=order.quantity,
                limit_price=order.limit_price,
                stop_price=order.stop_price,
            )
        ]

    def cancel(self, cancellation: Cancellation) -> list[AnyVenueEvent]:
        """Cancels what is left of an order, or refuses by an event if it is done. Raises BrokerRejected if unknown."""
        order = self._order(cancellation.account_id, cancellation.venue_client_id)
        at = max(cancellation.at, self.now)
        if not order.is_working:
            reason = f"the order is {order.state} already"
            return [VenueCancelRefused(**execution.names(order), at=at, reason=reason)]
        order.state = OrderState.CANCELLED
        self._rooms.leave(order)
        return [VenueCancelled(**execution.names(order), at=at)]

    def observe(self, market: MarketSlice) -> list[AnyVenueEvent]:
        """Moves the market on by one slice and returns everything that it causes, in order, but for exits."""
        self._shown = market
        if self._volumes:
            self._volumes = {}
        if self._rooms or market.splits or market.dividends:
            return self._work_through(market)
        seen, prices = self.state.seen, self.state.prices
        for bar in market.bars:
            name = bar.instrument_id
            if bar.close_ts > seen.get(name, -1):
                seen[name] = bar.close_ts
                prices[name] = bar.close
        for quote in market.quotes:
            if quote.ts > seen.get(quote.instrument_id, -1):
                self._mark(quote)
        self.now = max(self.now, market.at)
        return []

    def _work_through(self, market: MarketSlice) -> list[AnyVenueEvent]:
        run, unfinished = self._new_run(), self._fresh
        self._volumes, self._fresh = run.volumes, {}
        if market.dividends:
            adjusting.pay_dividends(self.state, market)
        if market.splits:
            adjusting.apply_splits(run, market, working=self._rooms.of)
        seen, prices, working = self.state.seen, self.state.prices, self._rooms.free
        for bar in market.bars:
            name = bar.instrument_id
            last = seen.get(name, -1)
            if bar.close_ts <= last:
                if bar.close_ts == last and (name in unfinished or self._behind.get(name) == last):
                    self._fresh.setdefault(name, bar)  # shown again, before its exits have met it or a restart
                continue
            if bar.ts >= last:
                self._fresh[name] = bar
                room = working.get(name)
                if room is not None:
                    run.match_bar(room.rest, bar, room.line)
            seen[name] = bar.close_ts
            prices[name] = bar.close
        for quote in market.quotes:
            if quote.ts > seen.get(quote.instrument_id, -1):
                room = working.get(quote.instrument_id)
                if room is not None:
                    run.match_quote(room.orders, quote)
                self._mark(quote)
        self.now = max(self.now, market.at)
        self._settle(run)
        return run.in_order()

    def finish(self, market: MarketSlice) -> list[AnyVenueEvent]:
        """Has exits meet the slice that was observed last, once all else that it caused has been answered."""
        if not self._rooms.exits:
            return []
        run = self._new_run()
        run.volumes = self._volumes
        for name, bar in self._fresh.items():
            if name in self._rooms.exits:
                run.match_exits(self._unexecuted(name, bar), bar, at_close=self.at_close)
        for quote in market.quotes:
            if quote.instrument_id in self._rooms.exits and quote.ts == self.state.seen.get(quote.instrument_id):
                run.match_quote(self._rooms.exits[quote.instrument_id], quote)
        self._fresh.clear()
        self._settle(run)
        return run.in_order()

    def _unexecuted(self, name: str, bar: Bar) -> dict[OrderKey, VenueOrder]:
        """The exits of an instrument, but for those of a link that has executed in this bar before a restart."""
        exits = self._rooms.exits[name]
        if self._behind.get(name) != bar.close_ts:
            return exits
        known = {fill.execution_id for fills in self.state.executions.values() for fill in fills}
        done = {order.spec.link for order in self.state.orders.values() if execution_id(order, bar.close_ts) in known}
        return {key: order for key, order in exits.items() if order.spec.link not in done}

    def _mark(self, quote: Quote) -> None:
        self.state.seen[quote.instrument_id] = quote.ts
        if not isnan(quote.last):
            self.state.prices[quote.instrument_id] = quote.last

    def _settle(self, run: execution.Run) -> None:
        """Ends the day's orders whose instruments stayed quiet, and forgets what is done."""
        for order in run.sessions:
            if order.is_working:
                heappush(self._ends, (order.day_end, order.key))
        while self._ends and self._ends[0][0] <= self.now:
            day_end, key = heappop(self._ends)
            order = self.state.orders[key]
            if order.is_working:
                run.expire(order, at=day_end, bar=self.now)
        for order in run.done:
            self._rooms.leave(order)

    @property
    def is_quiet(self) -> bool:
        """True when no order works here, so that the market causes nothing."""
        return not self._rooms

    def balance(self, account_id: str) -> BrokerBalance:
        """Cash by currency. Raises BrokerUnavailable, as every query does for an unknown account."""
        self._account(account_id)
        return BrokerBalance(account_id=account_id, cash=dict(self.state.cash[account_id]))

    def positions(self, account_id: str) -> tuple[BrokerPosition, ...]:
        self._account(account_id)
        return tuple(
            shown_position(position, self.state.instruments.get(position.key.instrument_id))
            for key, position in self.state.positions.items()
            if key[0] == account_id and position.quantity
        )

    def open_orders(self, account_id: str) -> tuple[BrokerOrder, ...]:
        self._account(account_id)
        mine = sorted((o for o in self._rooms if o.spec.account_id == account_id), key=lambda o: o.order_id)
        return tuple(shown(order) for order in mine)

    def executions(self, account_id: str, since: int) -> tuple[VenueFilled, ...]:
        """Executions that became known at or after `since` (a fill at a bar's open is known at its close)."""
        self._account(account_id)
        return tuple(fill for fill in self.state.executions.get(account_id, ()) if max(fill.at, fill.bar) >= since)

    def order_status(self, account_id: str, venue_client_id: str) -> BrokerOrder | None:
        """The order, working or done; None proves that it never was here."""
        self._account(account_id)
        order = self.state.orders.get((account_id, venue_client_id))
        return None if order is None else shown(order)

    def account_summary(self, account_id: str) -> AccountSummary:
        return AccountSummary(
            balance=self.balance(account_id),
            positions=self.positions(account_id),
            open_orders=self.open_orders(account_id),
        )

    def _enter(self, ticket: Ticket) -> VenueOrder:
        spec = ticket.spec
        fault = ticket_fault(spec, self.state.instruments.get(spec.instrument_id))
        given = self.reused_ids.pop(0) if self.reused_ids else None
        order = VenueOrder(
            order_id=ticket.order_id,
            venue_client_id=ticket.venue_client_id,
            venue_order_id=given or venue_order_id(ticket.venue_client_id),
            spec=spec,
            state=OrderState.REJECTED if fault else OrderState.ACCEPTED,
            quantity=spec.quantity,
            limit_price=spec.limit_price,
            stop_price=spec.stop_price,
            since=(ticket.since or max(ticket.at, self.state.seen.get(spec.instrument_id, 0))) + self._terms.late(spec),
            reason=fault,
        )
        self.state.orders[order.key] = order
        if order.is_working:
            self._index(order)
        return order

    def _index(self, order: VenueOrder) -> None:
        spec = order.spec
        last = self.state.seen.get(spec.instrument_id, 0)
        # Restored: it has met the market before, and it still works, so the last bar was of its session.
        if spec.time_in_force is TimeInForce.DAY and last > order.since and not order.day_end:
            account = self.state.accounts[spec.account_id]
            day = session_date(last - 1, account.time_zone, account.roll)
            order.day_end = day_bounds(day, account.time_zone, account.roll)[1]
        if order.day_end:
            heappush(self._ends, (order.day_end, order.key))
        self._rooms.enter(order, apart=spec.account_id in self._terms)

    def _account(self, account_id: str) -> Account:
        try:
            return self.state.accounts[account_id]
        except KeyError:
            raise BrokerUnavailable(f"account {account_id} does not exist at this venue") from None

    def _order(self, account_id: str, venue_client_id: str) -> VenueOrder:
        order = self.state.orders.get((account_id, venue_client_id))
        if order is None:
            raise BrokerRejected(f"account {account_id} has no order with client id {venue_client_id}")
        return order
