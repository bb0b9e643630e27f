"""Two users' strategies on a market that a test moves on, with hosts of its choice."""

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any, Self

import msgspec
import numpy as np

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account, Limits
from evenkeel.domain.records import AlertRaised, OrderDecided
from evenkeel.domain.strategies import Allocation, Deployment, Revision
from evenkeel.market.bars import Bars
from evenkeel.market.feeds.replay import ReplayFeed
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.hosting.ports import Hosts, HostStatus
from evenkeel.trading.live.hosting.process import Bounds, ProcessHosts
from evenkeel.trading.live.strategies import StrategyDesk
from evenkeel.trading.strategies.base import Strategy
from evenkeel.trading.strategies.registry import BUILT_IN, PANELS, Registry
from tests.trading.live.desk import BY, DAY, START, STOCK, MemoryJournal, make_runner
from tests.trading.live.hosting import misbehaving

KINDS = tuple(
    one
    for one in vars(misbehaving).values()
    if isinstance(one, type) and issubclass(one, Strategy) and one is not Strategy
)
REGISTRY = Registry((*BUILT_IN, *PANELS, *KINDS))
FREE = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=None, cash_check=False)
QUICK = Bounds(deadline=1.0, start=20.0, memory=1024)
BEGINS, UNLUCKY = 20, 25
"""The first day that is handed over, and the one that closes at 13."""


def bars(days: int = 60) -> Bars:
    """Daily closes of 10 and a little, but for one of 13."""
    close = 10.0 + np.arange(days) % 3
    close[UNLUCKY] = 13.0
    ends = START + np.arange(days, dtype=np.int64) * DAY
    columns = {"ts": ends - DAY // 4, "close_ts": ends, "open": close, "high": close + 1, "low": close - 1}
    return Bars.of(STOCK.id, "1d", columns | {"close": close, "volume": np.full(days, 1e6)})


class Market:
    """`ann` and `bob` have an account each. Strategies are deployed before the first bar, unless later."""

    def __init__(
        self, hosts: Hosts | None = None, *, journal: MemoryJournal | None = None, is_real: bool = True
    ) -> None:
        self.journal = journal or MemoryJournal()
        first = START + (BEGINS - 1) * DAY
        self.feed = ReplayFeed(MemoryStore([STOCK], [bars()], splits=()), start=first, end=None)
        self.runner = make_runner(self.journal, start=first, deterministic=not is_real)
        self.exchanges: list[float] = []
        hosts = hosts or ProcessHosts(REGISTRY, QUICK)
        self.desk = StrategyDesk(hosts, self.feed, self.runner, on_exchange=self.exchanges.append)
        self.runner.subscribe(self.desk)
        self.control = FeedControl(self.runner, self.feed, self.desk, kind="replay", speed=Decimal(0))

    async def __aenter__(self) -> Self:
        is_new = self.runner.state.seq == 0
        await self.runner.start(run="test", version="0")
        if is_new:
            await self.runner.submit(c.ListInstrument(provenance=BY, instrument=STOCK))
            for user in ("ann", "bob"):
                account = Account(user, user, user, "simulated", "USD", costs="zero", limits=FREE)
                await self.runner.submit(c.OpenAccount(provenance=BY, account=account, initial_cash=Decimal(100_000)))
        async with asyncio.timeout(10):
            while any(held.readiness != "READY" for held in self.runner.state.accounts.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        self.slices = self.feed.slices(after=self.runner.state.cursor)
        self.handed = self.runner.state.cursor or self.feed.start
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.control.stop()
        await self.runner.stop()

    async def deploy(self, template: str, user: str = "ann", name: str | None = None, **more: Any) -> None:
        share = (Allocation(user, Decimal("0.1")),)
        name = name or template
        made = Deployment(name, name, template, "1", more.pop("parameters", {}), (STOCK.id,), share, **more)
        await self.runner.submit(c.Deploy(provenance=BY, deployment=made))

    @staticmethod
    def share(user: str) -> Allocation:
        return Allocation(user, Decimal("0.1"))

    @staticmethod
    def revision(template: str) -> Revision:
        return Revision(template, "1", {})

    async def go(self, days: int = 1) -> None:
        for _ in range(days):
            market = next(self.slices)
            await self.control.hand_over(market)
            self.handed = market.at

    async def until(self, day: int) -> None:
        """Hands over the market up to that day, and has everybody catch up."""
        while self.handed < START + day * DAY:
            await self.go()
        await self.caught_up()

    async def caught_up(self) -> None:
        async with asyncio.timeout(30):
            await self.desk.caught_up()

    def decided(self, book: str) -> list[int]:
        """The days at whose close the deployment bought, as its orders' own ids say."""
        specs = [one.spec for one in self.journal.records() if isinstance(one, OrderDecided) and one.spec.book == book]
        return [(int(spec.client_order_id.split(":")[1]) - START) // DAY for spec in specs]

    def paused(self) -> dict[str, str]:
        found = self.runner.state.deployments.items()
        return {name: held.deployment.paused for name, held in found if held.deployment.paused is not None}

    def alerts(self) -> Counter[str | None]:
        raised = [one for one in self.journal.records() if isinstance(one, AlertRaised)]
        return Counter(one.deployment_id for one in raised if one.kind == "strategy-paused")

    def memory(self, name: str) -> int:
        """How many bars a deployment remembers."""
        held = self.runner.state.deployments[name].memory
        return int.from_bytes(msgspec.msgpack.decode(held)["strategy"], "big") if held else 0

    def at_work(self) -> list[str]:
        """The users whose strategies run."""
        return [one.user_id for one in self.desk.hosts() if one.deployments]

    def host(self, user: str = "ann") -> HostStatus:
        return next(one for one in self.desk.hosts() if one.user_id == user)


class Impatient(ProcessHosts):
    """A market that hardly waits, for strategies that may take their time."""

    patience = 0.05
