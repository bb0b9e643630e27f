"""The vault and the backups of the server's tests, in memory; and a broker that trades for real, as far as it goes."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from evenkeel.desk.backups import Summary
from evenkeel.desk.household import Household
from evenkeel.desk.sealing import Key
from evenkeel.desk.vault.safe import Safe
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.events import AnyVenueEvent, BrokerBalance, VenueAccepted
from evenkeel.domain.orders import OrderKind
from evenkeel.trading.brokers.credentials import Credentials
from evenkeel.trading.brokers.ports import AccountSummary, Broker
from evenkeel.trading.brokers.profiles import PLAIN_KINDS, PLAIN_TIMES, BrokerProfile, LookupKind
from evenkeel.trading.brokers.registry import BrokerSetup
from evenkeel.trading.engine.state import State
from tests.desk.vault.memory import FIELDS, MemoryVault, safe
from tests.trading.live.desk import in_process

KEY = Key(b"k" * 32)
REAL = BrokerProfile(
    name="acme",
    title="Acme Securities",
    is_simulated=False,
    order_kinds=PLAIN_KINDS - {OrderKind.STOP, OrderKind.STOP_LIMIT},
    times_in_force=PLAIN_TIMES,
    dedupes_client_id=True,
    lookup=LookupKind.EXACT,
    settle_time=0,
    credentials=FIELDS,
)


class Acme:
    """A broker that would trade for real: it asks for an account's credentials whenever it is asked about it.

    `seen` are the values it was handed, `placed` the tickets; what it is told to raise it raises at the next call.
    """

    profile = REAL

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self.seen: list[Mapping[str, str]] = []
        self.placed: list[Any] = []
        self.fault: Exception | None = None
        self._events: asyncio.Queue[AnyVenueEvent] = asyncio.Queue()

    async def connect(self) -> None:
        """It is there."""

    async def disconnect(self) -> None:
        """Nothing to close."""

    def is_connected(self) -> bool:
        return True

    async def balance(self, account_id: str) -> BrokerBalance:
        raise EvenkeelError("nobody asks")

    async def _signed_in(self, account_id: str) -> None:
        values = await self._credentials.of(account_id)
        self.seen.append(dict(values))
        if self.fault is not None:
            raise self.fault

    async def open_orders(self, account_id: str) -> tuple[Any, ...]:
        await self._signed_in(account_id)
        return ()

    async def positions(self, account_id: str) -> tuple[Any, ...]:
        return ()

    async def executions(self, account_id: str, since: int) -> tuple[Any, ...]:
        return ()

    async def order_status(self, account_id: str, venue_client_id: str) -> None:
        return None

    async def account_summary(self, account_id: str) -> AccountSummary:
        raise EvenkeelError("nobody asks")

    async def quotes(self, instrument_ids: tuple[str, ...]) -> tuple[Any, ...]:
        return ()

    async def history(self, instrument_id: str, *, timeframe: str, start: int, end: int) -> tuple[Any, ...]:
        return ()

    async def place(self, ticket: Any) -> None:
        await self._signed_in(ticket.spec.account_id)
        self.placed.append(ticket)
        self._events.put_nowait(
            VenueAccepted(
                account_id=ticket.spec.account_id,
                venue_client_id=ticket.venue_client_id,
                venue_order_id=f"acme-{len(self.placed)}",
            )
        )

    async def modify(self, amendment: Any) -> None:
        """It takes no changes."""

    async def cancel(self, cancellation: Any) -> None:
        await self._signed_in(cancellation.account_id)

    async def events(self) -> AsyncIterator[AnyVenueEvent]:
        while True:
            yield await self._events.get()


def acme(setup: BrokerSetup) -> Broker:
    """The factory that a package would register."""
    return Acme(setup.credentials)


def with_acme(found: Safe) -> Any:
    """Brokers of a runner: the simulated one, and Acme with this vault's credentials."""

    def brokers(state: State) -> Mapping[str, Broker]:
        return {**in_process(state), REAL.name: acme(BrokerSetup(credentials=found.credentials))}

    return brokers


class MemoryShelf:
    """Backups that are only told of. `fault` is raised by the next one."""

    def __init__(self) -> None:
        self.made: list[Summary] = []
        self.fault: EvenkeelError | None = None

    def make(self) -> Summary:
        if self.fault is not None:
            raise self.fault
        at = 1_700_000_000_000_000_000 + len(self.made)
        self.made.insert(0, Summary(f"evenkeel-{len(self.made)}", at, 1024, 7, ("abcd",), has_keys=False))
        return self.made[0]

    def all(self) -> Sequence[Summary]:
        return tuple(self.made)

    def prune(self) -> int:
        return 0


def watching(household: Household, found: Safe) -> Household:
    """People whose passwords open their vaults."""
    household.watch_passwords([found.vault])
    return household


def new_safe(store: MemoryVault | None = None) -> Safe:
    return safe(store, KEY)
