"""What hangs on one journal: the runner, its brokers, strategies, feed and projections; and where strategies run."""

from __future__ import annotations

import asyncio
import gc
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evenkeel import __version__
from evenkeel.domain.errors import EvenkeelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evenkeel.bootstrap.copying import Copying
    from evenkeel.cli.doors import ServePlan
    from evenkeel.desk.portfolios.scheduling import Scheduler
    from evenkeel.domain.commands import AnyCommand
    from evenkeel.domain.instruments import Instrument
    from evenkeel.domain.marketdata import MarketSlice
    from evenkeel.market.ports import BarStore
    from evenkeel.settings import Settings
    from evenkeel.storage.database import Database
    from evenkeel.storage.following import Follower
    from evenkeel.trading.live.feed import FeedControl
    from evenkeel.trading.live.hosting.ports import Hosts
    from evenkeel.trading.live.ports import Journal
    from evenkeel.trading.live.runner import Runner
    from evenkeel.trading.strategies.registry import Registry


@dataclass(slots=True)
class Run:
    """What hangs on one journal."""

    journal: Journal
    runner: Runner
    control: FeedControl
    projector: Follower
    bars: BarStore
    instruments: Sequence[Instrument]
    copying: Copying
    name: str | None = None
    scheduler: Scheduler | None = None

    async def start(self, commands: Sequence[AnyCommand]) -> None:
        """Takes over trading; `commands` set up what is not there yet, in one batch: all of it or nothing."""
        from evenkeel.trading.live.missed import missed_actions

        run = self.name or self.runner.state.run or uuid.uuid4().hex
        missed: Sequence[MarketSlice] = ()
        if self.control.source is None:
            missed = missed_actions(self.runner.state, self.bars, at=self.runner.clock.now())
        await self.runner.start(run=run, version=__version__, missed=missed)
        self.projector.start()
        faults = [answer for answer in await self.runner.post_all(commands) if isinstance(answer, EvenkeelError)]
        if faults:
            raise faults[0]
        self.control.launch()

    async def close(self) -> None:
        await self.control.stop()
        self.copying.stop()
        if self.scheduler is not None:
            self.scheduler.stop()
        await self.runner.stop()
        await asyncio.to_thread(self.projector.stop)
        self.journal.close()
        gc.unfreeze()


@contextmanager
def lasting() -> Iterator[None]:
    """What is made here stays until the run closes: to look through it for garbage would only hold trading up.

    What is left of the run before is looked for first, as nobody would find it later.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def hosts_of(plan: ServePlan, settings: Settings, registry: Registry) -> Hosts:
    """Where strategies run. A named run measures no time, and has them in this process."""
    from evenkeel.trading.live.hosting.inline import InlineHosts
    from evenkeel.trading.live.hosting.process import Bounds, ProcessHosts

    deadline = settings.strategy_deadline
    if plan.run is not None:
        return InlineHosts(registry)
    if settings.strategy_host == "inline":
        return InlineHosts(registry, monotonic=time.monotonic_ns, deadline=round(deadline * 1e9))
    bounds = Bounds(deadline, settings.strategy_start, settings.strategy_memory, settings.strategy_files)
    return ProcessHosts(registry, bounds)


def projector_of(plan: ServePlan, settings: Settings, database: Database, shard: str) -> Follower:
    """Who keeps the tables. A named run has its projector in this process, as it has its strategies."""
    from evenkeel.storage.projecting.process import ProjectorProcess
    from evenkeel.storage.projector import Projector

    if plan.run is not None or settings.projector == "inline":
        return Projector(database, shard)
    return ProjectorProcess(database, shard, log_level=settings.log_level, log_format=settings.log_format)
