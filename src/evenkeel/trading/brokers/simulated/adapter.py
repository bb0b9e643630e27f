"""The simulated venue in this process: `Book` behind the broker port. Nothing sleeps unless a latency is asked for."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

from evenkeel.domain.accounts import Account
from evenkeel.domain.errors import BrokerError, BrokerUnavailable
from evenkeel.domain.events import AnyVenueEvent, BrokerBalance, BrokerOrder, BrokerPosition, VenueFilled
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice, Quote
from evenkeel.domain.money import ZERO
from evenkeel.trading.brokers.ports import AccountSummary, Amendment, Cancellation, Ticket
from evenkeel.trading.brokers.profiles import BrokerProfile
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.brokers.simulated.observed import Observed
from evenkeel.trading.brokers.simulated.profile import IN_PROCESS
from evenkeel.trading.brokers.streams import EventStream


class SimulatedBroker:
    """Implements `Broker` and `MarketObserver`. `latency` is seconds before a request is taken, 0 for none.

    While disconnected the market still moves the book; what happens then is found by the queries, as at a venue.
    """

    def __init__(
        self,
        book: Book,
        *,
        observed: Observed | None = None,
        latency: float = 0.0,
        profile: BrokerProfile = IN_PROCESS,
    ) -> None:
        self.book = book
        self._observed = observed or Observed()
        self._latency = latency
        self._profile = profile
        self._stream: EventStream | None = None

    @property
    def profile(self) -> BrokerProfile:
        return self._profile

    async def connect(self) -> None:
        if self._stream is None:
            self._stream = EventStream()

    async def disconnect(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def is_connected(self) -> bool:
        return self._stream is not None

    async def balance(self, account_id: str) -> BrokerBalance:
        await self._link()
        return self.book.balance(account_id)

    async def positions(self, account_id: str) -> tuple[BrokerPosition, ...]:
        await self._link()
        return self.book.positions(account_id)

    async def open_orders(self, account_id: str) -> tuple[BrokerOrder, ...]:
        await self._link()
        return self.book.open_orders(account_id)

    async def executions(self, account_id: str, since: int) -> tuple[VenueFilled, ...]:
        await self._link()
        return self.book.executions(account_id, since)

    async def order_status(self, account_id: str, venue_client_id: str) -> BrokerOrder | None:
        await self._link()
        return self.book.order_status(account_id, venue_client_id)

    async def account_summary(self, account_id: str) -> AccountSummary:
        await self._link()
        return self.book.account_summary(account_id)

    async def quotes(self, instrument_ids: tuple[str, ...]) -> tuple[Quote, ...]:
        await self._link()
        return self._observed.quotes(instrument_ids)

    async def history(self, instrument_id: str, *, timeframe: str, start: int, end: int) -> tuple[Bar, ...]:
        await self._link()
        return self._observed.history(instrument_id, timeframe=timeframe, start=start, end=end)

    async def place(self, ticket: Ticket) -> None:
        stream = await self._link()
        stream.put(self.book.place(ticket))

    async def place_all(self, tickets: Sequence[Ticket]) -> list[BrokerError | None]:
        await self._link()
        return self.place_now(tickets)

    @property
    def is_far(self) -> bool:
        """Whether requests take a while to get here."""
        return self._latency > 0

    def place_now(self, tickets: Sequence[Ticket]) -> list[BrokerError | None]:
        """Implements `ports.AnswersAtOnce`."""
        stream, answers = self._connected(), list[BrokerError | None]()
        for ticket in tickets:
            try:
                stream.put(self.book.place(ticket))
                answers.append(None)
            except BrokerError as error:
                answers.append(error)
        return answers

    async def modify(self, amendment: Amendment) -> None:
        stream = await self._link()
        stream.put(self.book.modify(amendment))

    async def cancel(self, cancellation: Cancellation) -> None:
        stream = await self._link()
        stream.put(self.book.cancel(cancellation))

    def events(self) -> AsyncIterator[AnyVenueEvent]:
        """Events of the present connection. Raises BrokerUnavailable when there is none."""
        return self._connected().__aiter__()

    async def observe(self, market: MarketSlice) -> None:
        events = self.book.observe(market)
        self._observed.see(market)
        if self._stream is not None:
            self._stream.put(events)

    async def finish(self, market: MarketSlice) -> None:
        events = self.book.finish(market)
        if self._stream is not None:
            self._stream.put(events)

    def backlog(self) -> int:
        return 0 if self._stream is None else self._stream.backlog()

    async def open_account(self, account: Account, cash: Decimal = ZERO) -> None:
        """Opens an account at the venue; one that is open stays as it is."""
        self.book.open_account(account, cash)

    async def list_instrument(self, instrument: Instrument) -> None:
        self.book.list_instrument(instrument)

    async def move_cash(self, account_id: str, amount: Decimal, *, currency: str, reference: str) -> None:
        """A deposit or withdrawal, booked once per `reference`."""
        self.book.move_cash(account_id, amount, currency=currency, reference=reference)

    def _connected(self) -> EventStream:
        if self._stream is None:
            raise BrokerUnavailable("the simulated broker is not connected")
        return self._stream

    async def _link(self) -> EventStream:
        stream = self._connected()
        if self._latency > 0:
            await asyncio.sleep(self._latency)
        return stream
