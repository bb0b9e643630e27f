"""A running desk: `Desk` holds what lasts as long as the process, people, doors and metrics; `Run` what hangs on one
journal: the runner, its brokers, strategies, feed and projections. When the demo starts over, its run is set aside and
another takes its place behind the same doors.
"""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from evenkeel import __version__
from evenkeel.bootstrap.process import brokers
from evenkeel.cli.client import socket_path
from evenkeel.cli.doors import ServePlan
from evenkeel.cli.greeting import greet
from evenkeel.domain.errors import EvenkeelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI

    from evenkeel.desk.markets import Market
    from evenkeel.desk.ports import User
    from evenkeel.domain.commands import AnyCommand
    from evenkeel.domain.ids import IdSource
    from evenkeel.domain.instruments import Instrument
    from evenkeel.domain.records import AnyRecord
    from evenkeel.market.ports import BarStore
    from evenkeel.server.jobs.queue import BacktestQueue
    from evenkeel.server.parts import AppParts
    from evenkeel.settings import Settings
    from evenkeel.storage.database import Database
    from evenkeel.storage.ownership import Owner
    from evenkeel.storage.projector import Projector
    from evenkeel.trading.engine.state import State
    from evenkeel.trading.live.feed import FeedControl
    from evenkeel.trading.live.hosting.ports import Hosts
    from evenkeel.trading.live.ports import Journal
    from evenkeel.trading.live.runner import Runner
    from evenkeel.trading.strategies.registry import Registry

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Run:
    """What hangs on one journal."""

    journal: Journal
    runner: Runner
    control: FeedControl
    projector: Projector
    bars: BarStore
    instruments: Sequence[Instrument]
    name: str | None = None

    async def start(self, commands: Sequence[AnyCommand]) -> None:
        """Takes over trading; `commands` set up what is not there yet, in one batch: all of it or nothing."""
        run = self.name or self.runner.state.run or uuid.uuid4().hex
        await self.runner.start(run=run, version=__version__)
        self.projector.start()
        faults = [answer for answer in await self.runner.post_all(commands) if isinstance(answer, EvenkeelError)]
        if faults:
            raise faults[0]
        self.control.launch()

    async def close(self) -> None:
        await self.control.stop()
        await self.runner.stop()
        await asyncio.to_thread(self.projector.stop)
        self.journal.close()


class Desk:
    """What lasts as long as the process: people, doors, metrics, and the present run."""

    def __init__(self, plan: ServePlan, settings: Settings, owner: Owner, listener: socket.socket) -> None:
        self.plan, self.settings, self.owner, self.listener = plan, settings, owner, listener
        self.where: Database = owner.database
        self.stopping = asyncio.Event()
        self.starting_over = asyncio.Event()
        self.started_at = time.time_ns()
        self._stack = AsyncExitStack()
        self._registry: Registry | None = None
        self._queue: BacktestQueue | None = None

    async def open(self) -> None:
        """Recovers, opens the doors, and says where they are."""
        from evenkeel.telemetry.metrics import Metrics

        self.metrics = Metrics(__version__)
        market = _market(self.plan, self.settings)
        self.user, password, auth = await self._people()
        self.run = self._open_run(market)
        self.parts = self._parts(auth)
        self.app = self._app()
        await self.run.start(self._first_commands(self.run))
        await self._open_doors()
        self._greet(password, auth.link_for(self.user) if self.plan.mode == "demo" else None)

    def _greet(self, password: str | None, token: str | None) -> None:
        host, port = self.listener.getsockname()[:2]
        greet(
            f"http://{host if ':' not in host else f'[{host}]'}:{port}",
            self.where.home,
            self.user.username,
            password=password if self.plan.password is None else None,
            token=token,
            browse=self.plan.open_browser,
        )

    async def close(self) -> None:
        await self._stack.aclose()
        if hasattr(self, "run"):
            await self.run.close()

    async def until_stopped(self) -> None:
        """Serves; each wish to start over puts a new run in the place of the old one."""
        while True:
            waits = [asyncio.create_task(event.wait()) for event in (self.stopping, self.starting_over)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            if self.stopping.is_set():
                return
            self.starting_over.clear()
            await self._start_over()

    async def _start_over(self) -> None:
        from evenkeel.server.app import rebind
        from evenkeel.storage.runs import set_aside

        await self.run.close()
        set_aside(self.where, self.user.id)
        self.run = self._open_run(_market(self.plan, self.settings))
        parts = self._parts(self.parts.auth)
        for name in ("runner", "feed", "history", "bars", "past"):
            setattr(self.parts, name, getattr(parts, name))
        await rebind(self.app)
        self._watch_market()
        await self.run.start(self._first_commands(self.run))

    async def _people(self) -> tuple[User, str | None, Any]:
        from evenkeel.desk.auth import Auth
        from evenkeel.desk.passwords import Passwords
        from evenkeel.desk.ports import RefreshToken, User
        from evenkeel.desk.users import People
        from evenkeel.domain.ids import derived
        from evenkeel.storage.engines import async_engine
        from evenkeel.storage.remains import check_journal_is_here, owner_of_journal
        from evenkeel.storage.repositories import StoredTemplates, StoredTokens, StoredUsers
        from evenkeel.storage.secrets import FirstPassword, load_secrets

        engine = async_engine(self.where)
        self._stack.push_async_callback(engine.dispose)
        users, tokens, passwords = StoredUsers(engine, User), StoredTokens(engine, RefreshToken), Passwords()
        name = "demo" if self.plan.mode == "demo" else "owner"
        # In a named run the owner's id is part of what repeats.
        user_id = derived(f"run:{self.plan.run}") if self.plan.run is not None else owner_of_journal(self.where)
        people = People(users, tokens, passwords)
        first = FirstPassword(self.where.home)
        user, password = await people.ensure_owner(name, self.plan.password, user_id=user_id, first=first)
        if self.plan.mode != "demo":  # which sets its journal aside to start over
            check_journal_is_here(self.where, user.id)
        given = self.settings.jwt_secret_key
        key = given.get_secret_value().encode() if given is not None else load_secrets(self.where.home).token_secret
        self._engine = engine
        await StoredTemplates(engine).remember(self.registry.infos(), self.started_at)
        auth = Auth(users, tokens, passwords, key, on_login=lambda one: first.forget() if one.id == user.id else None)
        return user, password, auth

    def _open_run(self, market: Market) -> Run:
        from evenkeel.storage.projector import Projector
        from evenkeel.trading.live.feed import FeedControl
        from evenkeel.trading.live.runner import Clock, Runner
        from evenkeel.trading.live.strategies import StrategyDesk

        feed = market.feed
        journal = self.owner.journal(self.user.id)
        runner = Runner(
            journal,
            lambda state: brokers(state, feed, self.plan.broker_socket),
            ids=self._ids,
            clock=Clock(replay=feed is not None),
            deterministic=self.plan.run is not None,
            on_stage=self.metrics.observe_stage,
        )
        strategies = None
        if feed is not None:
            runner.clock.at = max(runner.clock.at, feed.start)
            strategies = StrategyDesk(self._hosts(), feed, runner, on_exchange=self.metrics.observe_exchange)
            runner.subscribe(strategies)
        projector = Projector(self.where, self.user.id)
        runner.subscribe(projector)
        kind = "replay" if self.plan.mode == "demo" else self.settings.feed
        control = FeedControl(runner, feed, strategies, kind=kind, speed=self.settings.speed)
        control.recall()
        if self.plan.mode == "demo":
            control.on_restart = self.starting_over.set
            control.loop = self.plan.loop
        return Run(journal, runner, control, projector, market.bars, market.instruments, self.plan.run)

    def _hosts(self) -> Hosts:
        """Where strategies run. A named run measures no time, and has them in this process."""
        from evenkeel.trading.live.hosting.inline import InlineHosts
        from evenkeel.trading.live.hosting.process import Bounds, ProcessHosts

        settings, deadline = self.settings, self.settings.strategy_deadline
        if self.plan.run is not None:
            return InlineHosts(self.registry)
        if settings.strategy_host == "inline":
            return InlineHosts(self.registry, monotonic=time.monotonic_ns, deadline=round(deadline * 1e9))
        bounds = Bounds(deadline, settings.strategy_start, settings.strategy_memory, settings.strategy_files)
        return ProcessHosts(self.registry, bounds)

    @property
    def registry(self) -> Registry:
        """The templates of this process: built-in ones, those of installed packages, and the files of the home."""
        if self._registry is None:
            from evenkeel.trading.strategies.registry import FOLDER, Registry

            self._registry = Registry()
            for fault in self._registry.load_entry_points():
                log.warning("a strategy package could not be loaded", reason=fault)
            for fault in self._registry.load_folder(self.where.home / FOLDER):
                log.warning("a strategy file could not be loaded", reason=fault)
        return self._registry

    def _ids(self, state: State) -> IdSource:
        from evenkeel.domain.ids import Hashed, Random

        return Hashed(self.plan.run) if self.plan.run is not None else Random()

    def _first_commands(self, run: Run) -> list[AnyCommand]:
        from evenkeel.desk.demo import first_commands
        from evenkeel.domain.commands import ListInstrument
        from evenkeel.domain.provenance import Provenance, Source

        state = run.runner.state
        instruments = run.instruments
        if self.plan.mode == "demo" and not state.accounts:
            versions = {info.name: info.version for info in self.registry.infos()}
            return first_commands(self.user.id, instruments, versions, timeframe=run.control.timeframe)
        provenance = Provenance(actor=self.user.id, source=Source.SYSTEM)
        return [
            ListInstrument(provenance=provenance, instrument=one)
            for one in instruments
            if state.instruments.get(one.id) != one
        ]

    def _parts(self, auth: Any) -> AppParts:
        from evenkeel.server.parts import AppParts, Identity
        from evenkeel.server.parts import Doors as DoorSettings
        from evenkeel.storage.repositories import History, StoredConfigurations, StoredOrderTemplates

        run = self.run
        return AppParts(
            backtests=self._backtests(),
            runner=run.runner,
            feed=run.control,
            history=History(self._engine, self.user.id, run.projector),
            bars=run.bars,
            templates=lambda: self.registry,
            configurations=StoredConfigurations(self._engine),
            order_templates=StoredOrderTemplates(self._engine),
            auth=auth,
            metrics=self.metrics,
            identity=Identity(self.user.id, "Evenkeel", __version__, self.plan.mode, self.started_at),
            past=self._past,
            doors=DoorSettings(hosts=self.settings.hosts, docs=self.settings.docs),
            limits=self.settings.limits(),
        )

    def _backtests(self) -> BacktestQueue:
        """The queue, which goes on when the demo starts over."""
        from evenkeel.desk.backtests import Backtest
        from evenkeel.server.jobs.queue import BacktestQueue
        from evenkeel.storage.backup import RESEARCH
        from evenkeel.storage.repositories import StoredBacktests

        if self._queue is None:
            stored, folder = StoredBacktests(self._engine, Backtest), self.where.home / RESEARCH
            self._queue = BacktestQueue(stored, folder, bars=lambda: self.run.bars, templates=lambda: self.registry)
        return self._queue

    def _past(self, count: int) -> list[tuple[int, AnyRecord]]:
        """The last `count` committed records with their sequence numbers."""
        from evenkeel.storage.journal import latest

        return list(latest(self.where, self.user.id, count))

    def _app(self) -> FastAPI:
        from evenkeel.server.app import create_app

        app = create_app(self.parts)
        self._watch_market(app)
        return app

    def _watch_market(self, app: FastAPI | None = None) -> None:
        from evenkeel.desk.risk.watch import RiskWatch

        doors, control = (app or self.app).state, self.run.control
        control.watchers += [doors.hub.market_moved, doors.closes.market_moved]
        watch = RiskWatch(self.run.runner, doors.closes)
        if control.source is None:
            self.run.runner.subscribe(watch)
        else:
            control.before = watch.prepare

    async def _open_doors(self) -> None:
        """Serves HTTP on the listener and, for the command line, on the home's private socket."""
        from evenkeel.server.app import local_app
        from evenkeel.server.listen import listening

        path = socket_path(self.where.home)
        await self._stack.enter_async_context(listening(self.app, sockets=[self.listener], lifespan=True))
        await self._stack.enter_async_context(listening(local_app(self.app), path=path))


def _market(plan: ServePlan, settings: Settings) -> Market:
    from evenkeel.desk import markets

    folder, cache = plan.home / "data", plan.home / "cache"
    if plan.mode != "demo":
        return markets.own(
            folder,
            cache,
            kind=settings.feed,
            symbols=plan.symbols,
            timeframe=plan.timeframe,
            start=plan.start,
            seed=plan.seed,
        )
    if plan.data:
        return markets.of_files(plan.data, folder, cache)
    return (markets.again_of_files(folder, cache) if folder.exists() else None) or markets.sample(cache)
