"""One process's adapter to the scripted venue: the broker port, and what a simulated venue offers beside it.

What it is asked goes to the venue if there is a link, and the answer comes if nothing befalls it. A dead process asks
nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from evenkeel.domain import events as e
from evenkeel.domain.accounts import Account
from evenkeel.domain.errors import BrokerUnavailable, OutcomeUnknown
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice, Quote
from evenkeel.trading.brokers.ports import AccountSummary, Amendment, Cancellation, Ticket
from evenkeel.trading.brokers.profiles import BrokerProfile
from evenkeel.trading.brokers.streams import EventStream
from tests.simulator.faults import Fault
from tests.simulator.words import spec_in_words

if TYPE_CHECKING:
    from tests.simulator.life import Life
    from tests.simulator.venue import Venue


class Door:
    """The `Broker` of one process: what it is asked goes to the venue, if there is a link."""

    def __init__(self, venue: "Venue", life: "Life") -> None:
        self.venue = venue
        self.life = life
        self._world = venue.world
        self._stream: EventStream | None = None
        self._asked: dict[asyncio.Future[Any], bool] = {}

    @property
    def profile(self) -> BrokerProfile:
        return self.venue.profile

    def is_connected(self) -> bool:
        return self._stream is not None

    async def connect(self) -> None:
        venue, loop = self.venue, asyncio.get_running_loop()
        if venue.world.weather.strikes(Fault.CONNECT_HANGS):
            await loop.create_future()
        await asyncio.sleep(venue.latency)
        if venue.world.timeline.now < venue.down_until:
            raise BrokerUnavailable("the venue cannot be reached")
        if venue.door is not self:
            venue.link += 1
            venue.door = self
            venue.world.story.tell("connected to the venue")
        self._stream = EventStream()

    async def disconnect(self) -> None:
        self.lose()

    def lose(self) -> None:
        """The link is gone: what was asked may have been done, what was only read is not known."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        asked, self._asked = self._asked, {}
        for future, is_request in asked.items():
            if not future.done():
                lost = "the connection was lost"
                future.set_exception(OutcomeUnknown(lost) if is_request else BrokerUnavailable(lost))

    def hear(self, event: e.AnyVenueEvent) -> None:
        if self._stream is not None:
            self._stream.put([event])

    def events(self) -> AsyncIterator[e.AnyVenueEvent]:
        if self._stream is None:
            raise BrokerUnavailable("there is no connection")
        return self._stream.__aiter__()

    async def place(self, ticket: Ticket) -> None:
        if not self.life.is_dead:
            self._world.sending(ticket, is_connected=self._stream is not None)
        what = f"order {ticket.venue_client_id[:6]}, {spec_in_words(self._world, ticket.spec)}"
        await self._ask(what, partial(self.venue.place, ticket))

    async def modify(self, amendment: Amendment) -> None:
        what = f"change of {amendment.venue_client_id[:6]}: {spec_in_words(self._world, amendment.spec)}"
        await self._ask(what, partial(self.venue.modify, amendment))

    async def cancel(self, cancellation: Cancellation) -> None:
        what = f"cancel of {cancellation.venue_client_id[:6]}"
        await self._ask(what, partial(self.venue.cancel, cancellation))

    async def _ask(self, what: str, do: Callable[[], Any]) -> None:
        if self.life.is_dead:
            await asyncio.get_running_loop().create_future()
        if self._stream is None:
            raise BrokerUnavailable("there is no connection")
        self._world.story.tell("to the venue: {}", what)
        if self._world.weather.strikes(Fault.KILLED_SENDING):
            self.life.kill(f"while {what} is on its way")
        future = self._future(is_request=True)
        self.venue.request(self, what, do, future)
        await future

    def _future(self, *, is_request: bool) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[future] = is_request
        future.add_done_callback(lambda done: self._asked.pop(done, None))
        return future

    async def _find(self, what: str, find: Callable[[], Any]) -> Any:
        if self._stream is None:
            raise BrokerUnavailable("there is no connection")
        future = self._future(is_request=False)
        self.venue.query(self, what, find, future)
        return await future

    async def positions(self, account_id: str) -> tuple[e.BrokerPosition, ...]:
        found: tuple[e.BrokerPosition, ...] = await self._find(
            "positions", lambda: self.venue.book.positions(account_id)
        )
        return found

    async def open_orders(self, account_id: str) -> tuple[e.BrokerOrder, ...]:
        found: tuple[e.BrokerOrder, ...] = await self._find("orders", lambda: self.venue.book.open_orders(account_id))
        return found

    async def executions(self, account_id: str, since: int) -> tuple[e.VenueFilled, ...]:
        book = self.venue.book
        found: tuple[e.VenueFilled, ...] = await self._find("executions", lambda: book.executions(account_id, since))
        return found

    async def order_status(self, account_id: str, venue_client_id: str) -> e.BrokerOrder | None:
        book = self.venue.book
        found: e.BrokerOrder | None = await self._find(
            "one order", lambda: book.order_status(account_id, venue_client_id)
        )
        return found

    async def balance(self, account_id: str) -> e.BrokerBalance:
        found: e.BrokerBalance = await self._find("the balance", lambda: self.venue.book.balance(account_id))
        return found

    async def account_summary(self, account_id: str) -> AccountSummary:
        summary: AccountSummary = await self._find("all", lambda: self.venue.book.account_summary(account_id))
        return summary

    async def open_account(self, account: Account, _cash: Decimal) -> None:
        """The venue has its accounts of its own."""
        assert account.id in self.venue.book.state.accounts

    async def list_instrument(self, instrument: Instrument) -> None:
        """The venue knows what it trades."""
        assert instrument.id in self.venue.book.state.instruments

    async def observe(self, market: MarketSlice) -> None:
        """The venue sees the market by itself, whoever is connected."""
        assert market.at <= self._world.timeline.now

    async def finish(self, market: MarketSlice) -> None:
        """As `observe`."""
        assert market.at <= self._world.timeline.now

    def backlog(self) -> int:
        return 0 if self._stream is None else self._stream.backlog()

    async def quotes(self, instrument_ids: tuple[str, ...]) -> tuple[Quote, ...]:
        raise BrokerUnavailable("this venue quotes nothing")

    async def history(self, instrument_id: str, *, timeframe: str, start: int, end: int) -> tuple[Bar, ...]:
        raise BrokerUnavailable("this venue keeps no history")
