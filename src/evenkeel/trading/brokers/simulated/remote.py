"""The client of a simulated venue that runs as its own process.

What was not written was not asked (BrokerUnavailable). An order request that was written and not answered has an
unknown outcome; a query in the same place is merely unavailable. When the link is lost `events` ends, and
`connect` may be called again.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from decimal import Decimal
from itertools import count
from typing import TypeVar

import msgspec
import structlog

from evenkeel.domain.accounts import Account
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import BrokerRejected, BrokerUnavailable, OutcomeUnknown
from evenkeel.domain.events import AnyVenueEvent, BrokerBalance, BrokerOrder, BrokerPosition, VenueFilled
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice, Quote
from evenkeel.domain.money import ZERO
from evenkeel.trading.brokers.ports import AccountSummary, Amendment, Cancellation, Ticket
from evenkeel.trading.brokers.profiles import BrokerProfile
from evenkeel.trading.brokers.simulated import wire
from evenkeel.trading.brokers.simulated.profile import OWN_PROCESS
from evenkeel.trading.brokers.streams import EventStream

log = structlog.get_logger(__name__)
T = TypeVar("T")
_ORDERS = (wire.Place, wire.Modify, wire.Cancel)


class Link:
    """One connection: requests by id, events in a stream. It is lost once, and then for good."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.stream = EventStream()
        self.is_up = True
        self._reader = reader
        self._writer = writer
        self._waiting: dict[int, asyncio.Future[wire.Answer | wire.Refusal]] = {}
        self._task = asyncio.create_task(self._read(), name="simulated venue link")

    async def ask(self, request: wire.AnyRequest, *, patience: float) -> wire.Answer:
        """The answer, or the error that the port promises for this kind of request."""
        if not self.is_up or self._writer.is_closing():
            raise BrokerUnavailable("the link to the simulated venue is down")
        answered: asyncio.Future[wire.Answer | wire.Refusal] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = answered
        try:
            async with asyncio.timeout(patience):
                self._writer.write(wire.frame(request))
                await self._writer.drain()
                reply = await answered
        except (TimeoutError, ConnectionError) as error:
            unknown = isinstance(request, _ORDERS)
            lost = "lost the link" if isinstance(error, ConnectionError) else f"did not answer within {patience:g} s"
            raise (OutcomeUnknown if unknown else BrokerUnavailable)(f"the simulated venue {lost}") from error
        finally:
            self._waiting.pop(request.id, None)
        if isinstance(reply, wire.Refusal):
            rejected = reply.code == BrokerRejected.code
            raise (BrokerRejected if rejected else BrokerUnavailable)(reply.message)
        if not reply.complete:
            raise BrokerUnavailable("the simulated venue's answer is incomplete")
        return reply

    async def _read(self) -> None:
        try:
            while (body := await wire.read_frame(self._reader)) is not None:
                reply = wire.decode_reply(body)
                if isinstance(reply, wire.Told):
                    self.stream.put((reply.event,))
                    continue
                waiting = self._waiting.get(reply.id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(reply)
        except (msgspec.MsgspecError, BrokerUnavailable) as error:
            log.warning("the simulated venue sent what cannot be read", error=str(error))
        finally:
            self._end()

    def _end(self) -> None:
        self.is_up = False
        self.stream.close()
        self._writer.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError("the link was lost"))

    async def close(self) -> None:
        self._end()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        with suppress(ConnectionError):
            await self._writer.wait_closed()


class RemoteSimulatedBroker:
    """Implements `Broker` and `MarketObserver`. `address` is a socket path, or a port on 127.0.0.1.

    `accounts` are opened at the venue with `cash` (by account and currency) where it does not know them yet.
    `patience`: seconds during which a refused connection is tried again.
    """

    def __init__(
        self,
        address: str | int,
        *,
        accounts: tuple[Account, ...] = (),
        instruments: tuple[Instrument, ...] = (),
        cash: Mapping[str, Mapping[str, Decimal]] | None = None,
        profile: BrokerProfile = OWN_PROCESS,
        patience: float = 1.0,
    ) -> None:
        self._address = address
        self._accounts = {account.id: account for account in accounts}
        self._instruments = {instrument.id: instrument for instrument in instruments}
        self._cash = {name: dict(amounts) for name, amounts in (cash or {}).items()}
        self._profile = profile
        self._patience = patience
        self._ids = count(1)
        self._link: Link | None = None

    @property
    def profile(self) -> BrokerProfile:
        return self._profile

    async def connect(self) -> None:
        """Raises BrokerUnavailable when nobody listens or the venue does not answer."""
        if self.is_connected():
            return
        await self.disconnect()
        link = Link(*await self._open())
        attach = wire.Attach(
            id=next(self._ids),
            accounts=tuple(self._accounts.values()),
            instruments=tuple(self._instruments.values()),
            cash=self._cash,
        )
        try:
            await link.ask(attach, patience=self._profile.query_timeout / SECOND)
        except BaseException:
            await link.close()
            raise
        self._link = link

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        deadline = asyncio.get_running_loop().time() + self._patience
        while True:
            try:
                if isinstance(self._address, int):
                    return await asyncio.open_connection("127.0.0.1", self._address)
                return await asyncio.open_unix_connection(self._address)
            except OSError as error:
                if asyncio.get_running_loop().time() >= deadline:
                    raise BrokerUnavailable(f"no simulated venue listens at {self._address}: {error}") from error
                await asyncio.sleep(0.05)

    async def disconnect(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    def is_connected(self) -> bool:
        return self._link is not None and self._link.is_up

    async def balance(self, account_id: str) -> BrokerBalance:
        return await self._query(wire.AskBalance(id=next(self._ids), account_id=account_id), BrokerBalance)

    async def positions(self, account_id: str) -> tuple[BrokerPosition, ...]:
        request = wire.AskPositions(id=next(self._ids), account_id=account_id)
        return await self._query(request, tuple[BrokerPosition, ...])

    async def open_orders(self, account_id: str) -> tuple[BrokerOrder, ...]:
        request = wire.AskOrders(id=next(self._ids), account_id=account_id)
        return await self._query(request, tuple[BrokerOrder, ...])

    async def executions(self, account_id: str, since: int) -> tuple[VenueFilled, ...]:
        request = wire.AskExecutions(id=next(self._ids), account_id=account_id, since=since)
        return await self._query(request, tuple[VenueFilled, ...])

    async def order_status(self, account_id: str, venue_client_id: str) -> BrokerOrder | None:
        request = wire.AskStatus(id=next(self._ids), account_id=account_id, venue_client_id=venue_client_id)
        answer = await self._ask(request, self._profile.query_timeout)
        return msgspec.msgpack.decode(answer.result, type=BrokerOrder | None)

    async def account_summary(self, account_id: str) -> AccountSummary:
        return await self._query(wire.AskSummary(id=next(self._ids), account_id=account_id), AccountSummary)

    async def quotes(self, instrument_ids: tuple[str, ...]) -> tuple[Quote, ...]:
        request = wire.AskQuotes(id=next(self._ids), instrument_ids=instrument_ids)
        return await self._query(request, tuple[Quote, ...])

    async def history(self, instrument_id: str, *, timeframe: str, start: int, end: int) -> tuple[Bar, ...]:
        request = wire.AskHistory(
            id=next(self._ids), instrument_id=instrument_id, timeframe=timeframe, start=start, end=end
        )
        return await self._query(request, tuple[Bar, ...])

    async def place(self, ticket: Ticket) -> None:
        await self._ask(wire.Place(id=next(self._ids), ticket=ticket), self._profile.place_timeout)

    async def modify(self, amendment: Amendment) -> None:
        await self._ask(wire.Modify(id=next(self._ids), amendment=amendment), self._profile.place_timeout)

    async def cancel(self, cancellation: Cancellation) -> None:
        await self._ask(wire.Cancel(id=next(self._ids), cancellation=cancellation), self._profile.place_timeout)

    def events(self) -> AsyncIterator[AnyVenueEvent]:
        """Events of the present connection. Raises BrokerUnavailable when there is none."""
        return self._connected().stream.__aiter__()

    async def observe(self, market: MarketSlice) -> None:
        """Shows the venue a slice; shown again after a failure (BrokerUnavailable), what it has seen is ignored."""
        await self._ask(wire.Show(id=next(self._ids), market=market), self._profile.query_timeout)

    async def finish(self, market: MarketSlice) -> None:
        """Has linked orders meet the slice that was shown last."""
        await self._ask(wire.Show(id=next(self._ids), market=market, finish=True), self._profile.query_timeout)

    def backlog(self) -> int:
        return 0 if self._link is None else self._link.stream.backlog()

    async def open_account(self, account: Account, cash: Decimal = ZERO) -> None:
        """Opens an account at the venue; one that is open stays as it is."""
        self._accounts[account.id] = account
        self._cash[account.id] = {account.currency: cash}
        await self._attach(accounts=(account,), cash={account.id: {account.currency: cash}})

    async def list_instrument(self, instrument: Instrument) -> None:
        self._instruments[instrument.id] = instrument
        await self._attach(instruments=(instrument,))

    async def move_cash(self, account_id: str, amount: Decimal, *, currency: str, reference: str) -> None:
        """A deposit or withdrawal, booked once per `reference`."""
        request = wire.MoveCash(
            id=next(self._ids), account_id=account_id, amount=amount, currency=currency, reference=reference
        )
        await self._ask(request, self._profile.query_timeout)

    async def inject(self, faults: wire.Faults) -> None:
        """Sets what goes wrong at the venue from now on: for tests."""
        await self._ask(wire.Inject(id=next(self._ids), faults=faults), self._profile.query_timeout)

    async def _attach(
        self,
        *,
        accounts: tuple[Account, ...] = (),
        instruments: tuple[Instrument, ...] = (),
        cash: dict[str, dict[str, Decimal]] | None = None,
    ) -> None:
        request = wire.Attach(
            id=next(self._ids), accounts=accounts, instruments=instruments, cash=cash or {}, events=True
        )
        await self._ask(request, self._profile.query_timeout)

    def _connected(self) -> Link:
        if self._link is None:
            raise BrokerUnavailable("the simulated broker is not connected")
        return self._link

    async def _ask(self, request: wire.AnyRequest, timeout_ns: int) -> wire.Answer:
        return await self._connected().ask(request, patience=timeout_ns / SECOND)

    async def _query(self, request: wire.AnyRequest, kind: type[T]) -> T:
        answer = await self._ask(request, self._profile.query_timeout)
        return msgspec.msgpack.decode(answer.result, type=kind)
