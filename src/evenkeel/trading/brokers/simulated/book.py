"""The simulated venue's book: synchronous, without clock or I/O. Backtests call it, both adapters wrap it.

Rules. An order counts from its decision (`ticket.at`): it can meet a bar that opened then or later, and a quote
later than that, so a market order fills at the next open or the next quote. Per instrument the book keeps the
time of the last bar close or quote: what is not newer is ignored, and a bar that opened before it only marks.
DAY orders live for the account day in which they first met the market, up to the last bar that fits into it;
IOC and FOK live for one bar or quote. Splits adjust orders and holdings before the slice's bars are matched.
Events of one slice come in order of (time, account, order).
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
from evenkeel.domain.marketdata import MarketSlice, Quote
from evenkeel.domain.money import ZERO, add, ratio
from evenkeel.domain.orders import OrderSpec, OrderState, TimeInForce
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.quant.costs import CostSchedule, FillModel, find_schedule
from evenkeel.trading.brokers.ports import AccountSummary, Amendment, Cancellation, Ticket
from evenkeel.trading.brokers.simulated import adjusting, execution
from evenkeel.trading.brokers.simulated.orders import (
    BookState,
    OrderKey,
    VenueOrder,
    execution_of,
    from_journal,
    shown,
    venue_order_id,
)
from evenkeel.trading.brokers.simulated.screening import amendment_fault, ticket_fault
from evenkeel.trading.brokers.standing import Standing

STANDARD = FillModel(participation=0.10)


class Book:
    """All accounts of one simulated venue. `model`: slippage, and the share of a bar's volume orders may take.

    `schedules` knows the cost schedules that accounts name; it raises NotFound.
    """

    def __init__(
        self,
        state: BookState | None = None,
        *,
        model: FillModel = STANDARD,
        schedules: Callable[[str], CostSchedule] = find_schedule,
    ) -> None:
        self.state = BookState() if state is None else state
        self.model = model
        self._find_schedule = schedules
        self.reused_ids: list[str] = []
        self.now = max(self.state.seen.values(), default=0)
        self._working: dict[str, dict[OrderKey, VenueOrder]] = {}
        self._days: execution.Days = {}
        self._ends: list[tuple[int, OrderKey]] = []
        self._costs = {account.id: schedules(account.costs) for account in self.state.accounts.values()}
        for order in self.state.orders.values():
            if order.is_working:
                self._index(order)
        heapify(self._ends)

    @classmethod
    def restore(cls, standing: Standing, *, model: FillModel = STANDARD) -> "Book":
        """The book that a journal's fold stands for. Raises NotFound for an unknown cost schedule."""
        state = BookState(
            accounts={account.id: account for account in standing.accounts},
            instruments={instrument.id: instrument for instrument in standing.instruments},
            seen=dict(standing.last_seen),
            prices={name: float(price) for name, price in standing.last_prices.items()},
            splits=set(standing.splits),
        )
        state.cash = {name: dict(standing.cash.get(name, {})) for name in state.accounts}
        clients = {}
        for order in standing.orders:
            if order.has_venue_event and order.spec.account_id in state.accounts:
                held = from_journal(order)
                state.orders[held.key] = held
                clients[order.id] = held
        for fill in standing.fills:
            if fill.order_id in clients and fill.reverses is None and not fill.synthetic:
                event = execution_of(fill, clients[fill.order_id])
                state.executions.setdefault(fill.account_id, []).append(event)
        for position in standing.positions:
            execution.add_holding(state, position)
        return cls(state, model=model)

    def open_account(self, account: Account, cash: Decimal = ZERO) -> None:
        """Opens an account with `cash` of its currency; one that is open stays as it is. Raises NotFound."""
        if account.id not in self.state.accounts:
            self._costs[account.id] = self._find_schedule(account.costs)
            self.state.accounts[account.id] = account
            self.state.cash[account.id] = {account.currency: cash}

    def list_instrument(self, instrument: Instrument) -> None:
        """Makes an instrument tradable here; listed again, the newer description counts."""
        self.state.instruments[instrument.id] = instrument

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
        if order is None:
            order = self._enter(ticket)
        elif order.spec != spec or order.order_id != ticket.order_id:
            raise BrokerRejected(f"client id {ticket.venue_client_id} already names another order")
        at = max(ticket.at, self.now)
        if order.state is OrderState.REJECTED:
            return [VenueRejected(**execution.names(order), at=at, reason=order.reason or "rejected")]
        return [VenueAccepted(**execution.names(order), at=at)]

    def modify(self, amendment: Amendment) -> list[AnyVenueEvent]:
        """Sets total quantity and prices of a working order, all three. Raises BrokerRejected."""
        order = self._order(amendment.account_id, amendment.venue_client_id)
        fault = amendment_fault(order, amendment.spec, instrument=self.state.instruments[order.spec.instrument_id])
        if fault:
            raise BrokerRejected(f"order {order.venue_order_id} cannot be changed: {fault}")
        wanted: OrderSpec = amendment.spec
        order.quantity, order.limit_price, order.stop_price = (
            wanted.quantity,
            wanted.limit_price,
            wanted.stop_price,
        )
        order.since = max(order.since, amendment.at)
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
        self._forget(order)
        return [VenueCancelled(**execution.names(order), at=at)]

    def observe(self, market: MarketSlice) -> list[AnyVenueEvent]:
        """Moves the market on by one slice and returns everything that it causes, in order."""
        if self._working or market.splits:
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
        run = execution.Run(self.state, self.model, self._costs, days=self._days)
        if market.splits:
            adjusting.apply_splits(run, market, working=self._working)
        seen, prices, working = self.state.seen, self.state.prices, self._working
        for bar in market.bars:
            name = bar.instrument_id
            last = seen.get(name, -1)
            if bar.close_ts <= last:
                continue
            if name in working and bar.ts >= last:
                run.match_bar(working[name], bar)
            seen[name] = bar.close_ts
            prices[name] = bar.close
        for quote in market.quotes:
            if quote.ts > seen.get(quote.instrument_id, -1):
                if quote.instrument_id in working:
                    run.match_quote(working[quote.instrument_id], quote)
                self._mark(quote)
        self.now = max(self.now, market.at)
        self._settle(run)
        return run.in_order()

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
            self._forget(order)

    @property
    def is_quiet(self) -> bool:
        """True when no order works here, so that the market causes nothing."""
        return not self._working

    def balance(self, account_id: str) -> BrokerBalance:
        """Cash by currency. Raises BrokerUnavailable, as every query does for an unknown account."""
        self._account(account_id)
        return BrokerBalance(account_id=account_id, cash=dict(self.state.cash[account_id]))

    def positions(self, account_id: str) -> tuple[BrokerPosition, ...]:
        self._account(account_id)
        return tuple(
            self._shown_position(position)
            for key, position in self.state.positions.items()
            if key[0] == account_id and position.quantity
        )

    def open_orders(self, account_id: str) -> tuple[BrokerOrder, ...]:
        self._account(account_id)
        held = (order for orders in self._working.values() for order in orders.values())
        mine = sorted((o for o in held if o.spec.account_id == account_id), key=lambda o: o.order_id)
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

    def _shown_position(self, position: Position) -> BrokerPosition:
        key: PositionKey = position.key
        instrument = self.state.instruments.get(key.instrument_id)
        cost = position.average_price
        return BrokerPosition(
            account_id=key.account_id,
            instrument_id=key.instrument_id,
            quantity=position.quantity,
            product=key.product,
            average_price=ratio(cost, instrument.multiplier) if instrument and cost is not None else cost,
        )

    def _enter(self, ticket: Ticket) -> VenueOrder:
        spec = ticket.spec
        fault = ticket_fault(spec, self.state.instruments.get(spec.instrument_id))
        given = self.reused_ids.pop(0) if self.reused_ids else None
        order = VenueOrder(
            order_id=ticket.order_id,
            venue_client_id=ticket.venue_client_id,
            venue_order_id=given or venue_order_id(spec.account_id, ticket.venue_client_id),
            spec=spec,
            state=OrderState.REJECTED if fault else OrderState.ACCEPTED,
            quantity=spec.quantity,
            limit_price=spec.limit_price,
            stop_price=spec.stop_price,
            since=max(ticket.at, self.state.seen.get(spec.instrument_id, 0)),
            reason=fault,
        )
        self.state.orders[order.key] = order
        if order.is_working:
            self._index(order)
        return order

    def _index(self, order: VenueOrder) -> None:
        spec = order.spec
        self._working.setdefault(spec.instrument_id, {})[order.key] = order
        last = self.state.seen.get(spec.instrument_id, 0)
        # Restored: it has met the market before, and it still works, so the last bar was of its session.
        if spec.time_in_force is TimeInForce.DAY and last > order.since and not order.day_end:
            account = self.state.accounts[spec.account_id]
            day = session_date(last - 1, account.time_zone, account.roll)
            order.day_end = day_bounds(day, account.time_zone, account.roll)[1]
        if order.day_end:
            heappush(self._ends, (order.day_end, order.key))

    def _forget(self, order: VenueOrder) -> None:
        orders = self._working.get(order.spec.instrument_id)
        if orders is not None and orders.pop(order.key, None) is not None and not orders:
            del self._working[order.spec.instrument_id]

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
