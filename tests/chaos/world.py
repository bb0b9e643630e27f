"""One chaos world: a venue, a gate before it, a desk, and a client that trades; killed in many ways, then compared."""

import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from evenkeel.trading.brokers.simulated.remote import RemoteSimulatedBroker
from evenkeel.trading.brokers.simulated.wire import Faults
from tests.chaos.books import broken_promises, differences, ours
from tests.chaos.gate import Gate
from tests.chaos.processes import Desk, Venue, until
from tests.chaos.timeline import Timeline
from tests.chaos.trader import Client, Trader

DEMO = ("demo", "--speed", "12")
SIMULATED = ("up", "--feed", "simulated", "--speed", "12")
SETTLED_WITHIN = 60.0


class World:
    """Everything of one test. `check` is the comparison after a restart."""

    def __init__(self, folder: Path, seed: random.Random, timeline: Timeline) -> None:
        self.folder = folder
        self.seed = seed
        self.timeline = timeline
        self.venue = Venue(folder)
        self.gate = Gate(str(folder / "gate.sock"), self.venue.socket)
        self.control = RemoteSimulatedBroker(self.venue.socket)
        self.counts = ""
        self.desk: Desk
        self.client: Client
        self.trader: Trader

    async def open(self, arguments: Sequence[str], database_url: str | None, accounts: int) -> None:
        await self.venue.start()
        await self.control.connect()
        await self.gate.open()
        command = [*arguments, "--broker-socket", self.gate.front]
        self.desk = Desk(self.folder, command, database_url=database_url)
        await self.desk.start()
        self.client = Client(self.desk.url, self.desk.username)
        await self.client.sign_in()
        for number in range(accounts):
            body = {"name": f"Chaos {number}", "cash": str(20_000 * (number + 1)), "fees": "us-per-share"}
            answer = await self.client.call("POST", "/accounts", body)
            assert answer.status_code == 201, answer.text
        held = (await self.client.get("/accounts"))["items"]
        self.trader = Trader(self.client, [account["id"] for account in held], self.seed)
        await self.desk.ready()
        await self.trader.learn_prices()

    async def close(self) -> None:
        """Ends the processes first, and everything else whatever becomes of that."""
        async with AsyncExitStack() as stack:
            if hasattr(self, "trader"):
                stack.push_async_callback(self.trader.stop)
            if hasattr(self, "client"):
                stack.push_async_callback(self.client.close)
            stack.push_async_callback(self.gate.close)
            stack.push_async_callback(self.control.disconnect)
            stack.callback(self.venue.kill)
            if hasattr(self, "desk"):
                stack.callback(self.desk.kill)

    async def afflict(self, faults: Faults) -> None:
        """Sets what goes wrong at the venue from now on, over a link that no fault concerns."""
        await self.control.connect()
        await self.control.inject(faults)

    def kill(self, why: str) -> None:
        self.desk.kill()
        self.timeline.note(f"killed: {why}")

    async def restart(self) -> None:
        begun = time.monotonic()
        await self.desk.start()
        self.timeline.note(f"ready again after {time.monotonic() - begun:.1f} s")

    async def settle(self) -> None:
        """After a death: every connection of before is gone, and the venue behaves."""
        await self.trader.stop()
        self.gate.cut()
        await self.afflict(Faults())

    async def check(self) -> None:
        """Retries what was not answered, then proves that nothing is lost and nothing is doubled."""
        await self.client.feed("pause")
        unanswered = self.trader.unanswered()
        for name in unanswered:
            await self.trader.send(name)
            await self.trader.send(name)
        acknowledged = self.trader.acknowledged()
        for name in self.seed.sample(acknowledged, min(3, len(acknowledged))):
            await self.trader.send(name)
        await self.agree()
        await self.trader.learn_prices()
        report = await self.desk.doctor()
        assert report["ok"], report["differences"]
        self.counts = f"{report['orders']} orders, {report['fills']} fills, {len(unanswered)} retried"
        self.timeline.note(f"agreed: {self.counts}")
        await self.client.feed("resume")

    async def agree(self) -> None:
        """Waits until the books agree; AssertionError with every difference when they do not come to."""
        wrong: list[str] = []

        async def agrees() -> bool:
            found = await ours(self.client)
            wrong[:] = differences(self.venue.book(), found, self.gate.placed)
            wrong.extend(broken_promises(self.trader.orders, found))
            return not wrong

        try:
            await until(agrees, "the books agree", SETTLED_WITHIN)
        except AssertionError as error:
            shown = [*wrong[:12], *([f"and {len(wrong) - 12} more"] if len(wrong) > 12 else [])]
            raise AssertionError("\n".join(["the books do not agree:", *shown])) from error


@asynccontextmanager
async def world(
    folder: Path,
    seed: random.Random,
    timeline: Timeline,
    *,
    arguments: Sequence[str] = DEMO,
    database_url: str | None = None,
    accounts: int = 3,
) -> AsyncIterator[World]:
    made = World(folder, seed, timeline)
    with timeline.telling():
        try:
            await made.open(arguments, database_url, accounts)
            yield made
        except BaseException as error:
            if hasattr(made, "desk"):
                error.add_note(f"the end of Evenkeel's log:\n{made.desk.log.read_text(errors='replace')[-3000:]}")
            raise
        finally:
            await made.close()
