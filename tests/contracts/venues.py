"""The simulated venue for tests: in this process, and as a child process that can be killed and started again."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from evenkeel.domain.clock import SECOND
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.quant.costs import FillModel
from evenkeel.trading.brokers.profiles import BrokerProfile
from evenkeel.trading.brokers.simulated.adapter import SimulatedBroker
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.brokers.simulated.profile import OWN_PROCESS
from evenkeel.trading.brokers.simulated.remote import RemoteSimulatedBroker
from tests.contracts.samples import ACME, ALPHA, BRAVO, CASH

MODULE = "evenkeel.trading.brokers.simulated.process"


class InProcess:
    """`Book` behind its in-process adapter."""

    def __init__(self) -> None:
        book = Book(model=FillModel(participation=0.1))
        book.list_instrument(ACME)
        for account in (ALPHA, BRAVO):
            book.open_account(account, CASH)
        self.broker = SimulatedBroker(book)

    async def show(self, market: MarketSlice) -> None:
        await self.broker.observe(market)


class OwnProcess:
    """The venue as a child process, a broker connected to it, and a second client that moves the market."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self._book = folder / "book.db"
        self.socket = str(folder / "venue.sock")
        self._port = port
        self._process: Process | None = None
        self.settings: dict[str, str | int] = {}
        self.broker = self.client()
        self.market = self.client()

    def client(self, *, timeout: float = 5.0) -> RemoteSimulatedBroker:
        """A broker of this venue; `timeout` is for orders and queries, in seconds."""
        profile = _with_timeout(OWN_PROCESS, timeout)
        return RemoteSimulatedBroker(
            self.socket if self._port is None else self._port,
            accounts=(ALPHA, BRAVO),
            instruments=(ACME,),
            cash={account.id: {"USD": CASH} for account in (ALPHA, BRAVO)},
            profile=profile,
            patience=0.0,
        )

    async def start(self, *arguments: str) -> None:
        door = ["--socket", self.socket] if self._port is None else ["--port", str(self._port)]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", MODULE, "--book", str(self._book), *door, *arguments, stdout=PIPE
        )
        assert self._process.stdout is not None
        self.settings = json.loads(await self._process.stdout.readline())
        if self._port is not None:
            self._port = int(self.settings["listening"])
            self.broker, self.market = self.client(), self.client()

    async def connect(self) -> None:
        await self.broker.connect()
        await self.market.connect()

    async def kill(self) -> None:
        """kill -9 of the venue."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """Asks the venue to end and returns its exit code."""
        for client in (self.broker, self.market):
            await client.disconnect()
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
        return await self._process.wait()

    async def show(self, market: MarketSlice) -> None:
        await self.market.observe(market)


def _with_timeout(profile: BrokerProfile, seconds: float) -> BrokerProfile:
    fields = {name: getattr(profile, name) for name in profile.__struct_fields__}
    fields["place_timeout"] = fields["query_timeout"] = int(seconds * SECOND)
    return BrokerProfile(**fields)
