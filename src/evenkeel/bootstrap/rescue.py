"""A panic, or its end, on a home where no desk runs: takes the home, sees it through, and gives the home up."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING

import structlog

from evenkeel import __version__
from evenkeel.bootstrap.process import brokers, loop_factory, lost
from evenkeel.cli.doors import PanicPlan, PanicReport
from evenkeel.domain.errors import EvenkeelError, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evenkeel.domain.marketdata import MarketSlice
    from evenkeel.storage.ownership import Owner
    from evenkeel.trading.engine.state import State
    from evenkeel.trading.live.rescue import Rescued

log = structlog.get_logger(__name__)


def panic(plan: PanicPlan) -> PanicReport:
    """Halts a scope of a home on which nothing runs, or lets it trade again: takes the home, recovers, reconciles with
    the brokers, sees it through as far as it goes, and gives the home up. Raises EvenkeelError.
    """
    from evenkeel.cli.place import the_database
    from evenkeel.storage.journal import shards_of
    from evenkeel.storage.ownership import Owner
    from evenkeel.telemetry.logs import configure

    configure(level="warning", style="auto")
    where = the_database(plan.home)
    with Owner(where, on_lost=lost) as owner, asyncio.Runner(loop_factory=loop_factory()) as loop:
        reports = [loop.run(_rescue(plan, owner, shard)) for shard in shards_of(where)]
    found = [report for report in reports if report is not None]
    if not found:
        raise NotFound(f"there is no {plan.scope} {plan.name!r} in {plan.home}")
    return PanicReport(
        found[0].name,
        done=all(report.done for report in found),
        rests=all(report.done or report.rests for report in found),
        left=tuple(line for report in found for line in report.left),
    )


def missed_of(home: Path, state: State, *, at: int) -> Sequence[MarketSlice]:
    """The splits and dividends in the home's bars that went ex while nothing ran, as the desk's own start finds them;
    bars that cannot be read hold no panic up."""
    from evenkeel.market.stores.parquet import ParquetStore
    from evenkeel.trading.live.missed import missed_actions

    folder = home / "data"
    if not folder.exists():
        return ()
    try:
        return missed_actions(state, ParquetStore(folder, cache=home / "cache"), at=at)
    except (EvenkeelError, OSError, ValueError):
        log.exception("splits missed while nothing ran could not be read, and are not applied")
        return ()


async def _rescue(plan: PanicPlan, owner: Owner, shard: str) -> Rescued | None:
    """Carries the plan out in one shard; None where its scope is not there.

    Where a feed has driven engine time, that stands still meanwhile: it is not for us to move the market on.
    """
    from evenkeel.domain.clock import SECOND
    from evenkeel.domain.commands import Panic, Resume
    from evenkeel.domain.ids import Random
    from evenkeel.domain.provenance import Provenance, Source
    from evenkeel.trading.live.rescue import carry_out, scope_of
    from evenkeel.trading.live.runner import Clock, Runner

    journal, clock = owner.journal(shard), Clock()
    try:
        runner = Runner(
            journal, lambda state: brokers(state, None, plan.broker_socket), ids=lambda _: Random(), clock=clock
        )
        clock.is_replay = runner.state.cursor is not None
        scope = scope_of(runner.state, plan.scope, plan.name, shard)
        if scope is None:
            return None
        provenance = Provenance("command line", Source.USER, received=time.time_ns())
        command: Panic | Resume = Resume(provenance=provenance, scope=scope, abandon=plan.abandon)
        if not plan.resume:
            command = Panic(
                provenance=provenance,
                scope=scope,
                keep_positions=plan.keep_positions,
                cooldown=plan.cooldown * SECOND,
                reason=plan.reason,
            )
        run = runner.state.run or uuid.uuid4().hex
        missed = () if clock.is_replay else missed_of(plan.home, runner.state, at=clock.now())
        return await carry_out(runner, command, run=run, version=__version__, wait=plan.wait, missed=missed)
    finally:
        journal.close()
