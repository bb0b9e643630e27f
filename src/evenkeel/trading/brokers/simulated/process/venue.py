"""One venue: takes a request, changes the book, commits, and only then says what happened."""

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from evenkeel.domain.events import AnyVenueEvent
from evenkeel.quant.costs import FillModel
from evenkeel.trading.brokers.simulated import wire
from evenkeel.trading.brokers.simulated.book import STANDARD, Book
from evenkeel.trading.brokers.simulated.observed import Observed
from evenkeel.trading.brokers.simulated.process import store as rows
from evenkeel.trading.brokers.simulated.process.faults import Misfortune
from evenkeel.trading.brokers.simulated.process.store import Row, Store


class Done(Struct):
    """What a request led to."""

    answer: wire.Answer
    events: list[AnyVenueEvent]


class Venue:
    """The book with its store. A failed commit is not survived: memory would be ahead of the disk."""

    def __init__(self, store: Store, *, model: FillModel = STANDARD, timeframe: str = "1d") -> None:
        self._store = store
        self.book = Book(store.load(), model=model)
        self.misfortune = Misfortune(wire.Faults())
        self._observed = Observed(timeframe=timeframe)

    def take(self, request: wire.AnyRequest) -> Done:
        """Raises EvenkeelError for what the venue refuses, with nothing changed."""
        events: list[AnyVenueEvent] = []
        match request:
            case wire.Place(ticket=ticket):
                events = self.book.place(ticket)
                self._commit_order(ticket.spec.account_id, ticket.venue_client_id)
            case wire.Modify(amendment=amendment):
                events = self.book.modify(amendment)
                self._commit_order(amendment.account_id, amendment.venue_client_id)
            case wire.Cancel(cancellation=cancellation):
                events = self.book.cancel(cancellation)
                self._commit_order(cancellation.account_id, cancellation.venue_client_id)
            case wire.Show(market=market, finish=finish):
                events = self.book.finish(market) if finish else self.book.observe(market)
                self._observed.see(market)
                self._commit(rows.moved(self.book.state, market, events=events))
            case wire.Attach():
                self._attach(request)
            case wire.MoveCash():
                self._move_cash(request)
            case wire.Inject(faults=faults):
                self._inject(faults)
            case _:
                return Done(self._query(request), events)
        return Done(wire.Answer(id=request.id), events)

    def _attach(self, request: wire.Attach) -> None:
        for instrument in request.instruments:
            self.book.list_instrument(instrument)
        for account in request.accounts:
            is_new = account.id not in self.book.state.accounts
            self.book.open_account(account)
            if is_new:
                self.book.state.cash[account.id] = dict(request.cash.get(account.id, {}))
        self._commit(rows.opened(self.book.state))

    def _move_cash(self, request: wire.MoveCash) -> None:
        self.book.move_cash(request.account_id, request.amount, currency=request.currency, reference=request.reference)
        self._commit(rows.opened(self.book.state))

    def _inject(self, faults: wire.Faults) -> None:
        self.misfortune = Misfortune(faults)
        if faults.reuse_ids:
            latest = list(self.book.state.orders.values())[-faults.reuse_ids :]
            self.book.reused_ids = [order.venue_order_id for order in latest]

    def _commit_order(self, account_id: str, venue_client_id: str) -> None:
        order = rows.ordered(self.book.state, account_id=account_id, venue_client_id=venue_client_id)
        self._commit(order)

    def _commit(self, changed: Iterable[Row]) -> None:
        self._store.save(changed)

    def _query(self, request: wire.AnyRequest) -> wire.Answer:
        found = self._find(request)
        complete = True
        if self.misfortune.faults.incomplete and isinstance(found, tuple):
            found, complete = found[: len(found) // 2], False
        return wire.Answer(id=request.id, result=Raw(msgspec.msgpack.encode(found)), complete=complete)

    def _find(self, request: wire.AnyRequest) -> object:
        book = self.book
        match request:
            case wire.AskBalance(account_id=account_id):
                return book.balance(account_id)
            case wire.AskPositions(account_id=account_id):
                return book.positions(account_id)
            case wire.AskOrders(account_id=account_id):
                return book.open_orders(account_id)
            case wire.AskExecutions(account_id=account_id, since=since):
                return book.executions(account_id, since)
            case wire.AskStatus(account_id=account_id, venue_client_id=name):
                return book.order_status(account_id, name)
            case wire.AskSummary(account_id=account_id):
                return book.account_summary(account_id)
            case wire.AskQuotes(instrument_ids=names):
                return self._observed.quotes(names)
            case wire.AskHistory(instrument_id=name, timeframe=timeframe, start=start, end=end):
                return self._observed.history(name, timeframe=timeframe, start=start, end=end)
        raise AssertionError(f"{type(request).__name__} is not a query")
