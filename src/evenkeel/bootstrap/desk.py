"""A running desk: what lasts as long as the process, people, doors and metrics, around the run of one journal.

When the demo starts over, its run is set aside and another takes its place behind the same doors.
"""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog

from evenkeel import __version__
from evenkeel.bootstrap.access import access_of, trail_of, watch_log
from evenkeel.bootstrap.accounts import accounts_of
from evenkeel.bootstrap.backups import backups_of
from evenkeel.bootstrap.copying import copying_of
from evenkeel.bootstrap.people import household_of, keys_of
from evenkeel.bootstrap.process import brokers, live_brokers
from evenkeel.bootstrap.running import Run, hosts_of, lasting, projector_of
from evenkeel.bootstrap.vault import vaulting_of
from evenkeel.cli.client import socket_path
from evenkeel.cli.doors import ServePlan
from evenkeel.cli.greeting import greet

if TYPE_CHECKING:
    from fastapi import FastAPI
    from sqlalchemy.ext.asyncio import AsyncEngine

    from evenkeel.desk.audit import Trail
    from evenkeel.desk.household import Household
    from evenkeel.desk.markets import Market
    from evenkeel.desk.ports import User
    from evenkeel.domain.commands import AnyCommand
    from evenkeel.domain.events import Noticed
    from evenkeel.domain.ids import IdSource
    from evenkeel.domain.records import AnyRecord
    from evenkeel.server.jobs.queue import BacktestQueue
    from evenkeel.server.parts import AppParts
    from evenkeel.settings import Settings
    from evenkeel.storage.database import Database
    from evenkeel.storage.ownership import Owner
    from evenkeel.trading.engine.state import State
    from evenkeel.trading.strategies.registry import Registry

log = structlog.get_logger(__name__)


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
        self.user, password, self.household = await self._people()
        self.run = self._open_run(market)
        self.parts = self._parts()
        self.app = self._app()
        await self.run.start(self._first_commands(self.run))
        await watch_log(self.access.trail, self._tell)
        await self._keep_watch()
        await self._open_doors()
        self._greet(password, self.household.auth.link_for(self.user) if self.plan.mode == "demo" else None)

    async def _keep_watch(self) -> None:
        """Over the vault, and that a backup is made every day; the demo's home is for trying, and has neither."""
        if self.plan.mode == "demo":
            return
        self._stack.push_async_callback(self.vaulting.stop)
        await self.vaulting.start(self.run.runner)
        self._stack.push_async_callback(self.parts.backups.stop)
        self.parts.backups.start()

    @property
    def _live_names(self) -> tuple[str, ...]:
        return () if self.plan.mode == "demo" else self.settings.live_brokers

    @property
    def _address(self) -> str:
        host, port = self.listener.getsockname()[:2]
        return f"http://{host if ':' not in host else f'[{host}]'}:{port}"

    def _greet(self, password: str | None, token: str | None) -> None:
        greet(
            self._address,
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
        # Beside the loop: a request that is writing needs it to come to its end, and holds the database until then.
        await asyncio.to_thread(set_aside, self.where, self.shard)
        self.run = self._open_run(_market(self.plan, self.settings))
        parts = self._parts()
        for name in ("runner", "feed", "history", "bars", "past", "volatility"):
            setattr(self.parts, name, getattr(parts, name))
        await rebind(self.app)
        self._watch_market()
        await self.run.start(self._first_commands(self.run))

    async def _people(self) -> tuple[User, str | None, Household]:
        from evenkeel.domain.ids import derived
        from evenkeel.storage.engines import async_engine
        from evenkeel.storage.remains import check_journal_is_here, owner_of_journal
        from evenkeel.storage.repositories import StoredTemplates
        from evenkeel.storage.secrets import FirstPassword

        engine = async_engine(self.where)
        self._stack.push_async_callback(engine.dispose)
        trail = trail_of(engine, self.where.home)
        self.keys = keys_of(self.where, self.settings)
        household = household_of(engine, self.keys, settings=self.settings, audit=trail)
        self._vaults(engine, household)  # first: a password that the start sets is one that opens a vault
        people = household.people
        name = "demo" if self.plan.mode == "demo" else "owner"
        # In a named run the owner's id is part of what repeats.
        user_id = derived(f"run:{self.plan.run}") if self.plan.run is not None else owner_of_journal(self.where)
        first = FirstPassword(self.where.home)
        user, password = await people.ensure_owner(name, self.plan.password, user_id=user_id, first=first)
        self.shard = (await people.founder() or user).id
        if self.plan.mode != "demo":  # which sets its journal aside to start over
            check_journal_is_here(self.where, self.shard)
        self._engine = engine
        await StoredTemplates(engine).remember(self.registry.infos(), self.started_at)
        household.here = self._address
        household.auth.on_login = lambda one: first.forget() if one.id == user.id else None
        await self._around(household, trail)
        return user, password, household

    def _vaults(self, engine: AsyncEngine, household: Household) -> None:
        self.vaulting = vaulting_of(engine, self.keys, days=self.settings.credential_days)
        household.watch_passwords([self.vaulting.safe.vault])

    async def _around(self, household: Household, trail: Trail) -> None:
        """What hangs on people: their keys, what is shared with them, their webhooks, their accounts."""
        from evenkeel.desk.webhooks import Webhooks
        from evenkeel.storage.repositories import StoredWebhooks

        engine, users = self._engine, household.people.users
        self.access = await access_of(
            engine,
            users,
            home=self.where.home,
            trail=trail,
            server_keys=self.keys.server,
            admits=household.auth.admission.policy.admits,
        )
        self.webhooks = Webhooks(StoredWebhooks(engine), users)
        household.people.on_ended += [self.access.keys.forget, self.webhooks.forget, self.vaulting.sessions_ended]
        household.people.on_changed.append(self.access.shares.person_changed)
        self.accounts = await accounts_of(engine, self.shard, users=users)

    def _open_run(self, market: Market) -> Run:
        from evenkeel.trading.live.feed import FeedControl
        from evenkeel.trading.live.runner import Clock, Runner
        from evenkeel.trading.live.strategies import StrategyDesk

        feed = market.feed
        journal = self.owner.journal(self.shard)
        with lasting():
            runner = Runner(
                journal,
                lambda state: {
                    **brokers(state, feed, self.plan.broker_socket, self.settings.broker_options()),
                    **live_brokers(self._live_names, self.vaulting.safe.credentials, egress=self.accounts.directory),
                },
                ids=self._ids,
                clock=Clock(replay=feed is not None),
                deterministic=self.plan.run is not None,
                on_stage=self.metrics.observe_stage,
            )
        strategies = None
        if feed is not None:
            runner.clock.at = max(runner.clock.at, feed.start)
            strategies = StrategyDesk(
                hosts_of(self.plan, self.settings, self.registry),
                feed,
                runner,
                on_exchange=self.metrics.observe_exchange,
            )
            runner.subscribe(strategies)
        projector = projector_of(self.plan, self.settings, self.where, self.shard)
        runner.subscribe(projector)
        copying = copying_of(runner)
        kind = "replay" if self.plan.mode == "demo" else self.settings.feed
        control = FeedControl(runner, feed, strategies, kind=kind, speed=self.settings.speed)
        control.recall()
        runner.vigil.silence.watch(control, self.settings.feed_silence)
        if self.plan.mode == "demo":
            control.on_restart = self.starting_over.set
            control.loop = self.plan.loop
        return Run(journal, runner, control, projector, market.bars, market.instruments, copying, self.plan.run)

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

    def _parts(self) -> AppParts:
        from evenkeel.server.parts import AppParts, Identity
        from evenkeel.server.parts import Doors as DoorSettings
        from evenkeel.storage.repositories import (
            History,
            PortfolioHistory,
            StoredConfigurations,
            StoredOrderTemplates,
            StoredWatchlists,
        )

        run = self.run
        return AppParts(
            backtests=self._backtests(),
            runner=run.runner,
            feed=run.control,
            history=History(self._engine, self.shard, run.projector),
            bars=run.bars,
            templates=lambda: self.registry,
            configurations=StoredConfigurations(self._engine),
            order_templates=StoredOrderTemplates(self._engine),
            auth=self.household.auth,
            household=self.household,
            metrics=self.metrics,
            identity=Identity(self.shard, "Evenkeel", __version__, self.plan.mode, self.started_at),
            past=self._past,
            volatility=run.copying.volatilities,
            keys=self.access.keys,
            shares=self.access.shares,
            trail=self.access.trail,
            directory=self.accounts.directory,
            totals=self.accounts.totals,
            portfolios=PortfolioHistory(self._engine, self.shard),
            watchlists=StoredWatchlists(self._engine),
            webhooks=self.webhooks,
            purging=self.accounts.purging,
            doors=DoorSettings(
                hosts=self.settings.hosts,
                proxies=self.settings.proxies,
                docs=self.settings.docs,
                secure_cookie=(self.settings.public_url or "").startswith("https:"),
            ),
            limits=self.settings.limits(),
            safe=self.vaulting.safe,
            backups=backups_of(
                self.where, self.settings, self.keys.fingerprints, self._tell, scheduled=self.plan.mode != "demo"
            ),
        )

    def _tell(self, event: Noticed) -> None:
        """Tells people through the present run, which is another after starting over."""
        self.run.runner.post(event)

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

        return list(latest(self.where, self.shard, count))

    def _app(self) -> FastAPI:
        from evenkeel.server.app import create_app

        app = create_app(self.parts)
        self._watch_market(app)
        return app

    def _watch_market(self, app: FastAPI | None = None) -> None:
        from evenkeel.desk.portfolios.scheduling import Scheduler
        from evenkeel.desk.risk.watch import RiskWatch
        from evenkeel.trading.live.feed import one_after_the_other

        doors, control = (app or self.app).state, self.run.control
        self.run.copying.volatilities.daily = doors.closes
        control.watchers += [doors.hub.market_moved, doors.closes.market_moved]
        runner, watch = self.run.runner, RiskWatch(self.run.runner, doors.closes)
        seen = self.metrics.observe_optimization
        self.run.scheduler = scheduler = Scheduler(runner, doors.closes, self.run.bars, on_optimized=seen)
        runner.subscribe(scheduler)
        if control.source is None:
            runner.subscribe(watch)
        else:
            control.before = one_after_the_other(watch.prepare, scheduler.prepare)

    async def _open_doors(self) -> None:
        """Serves HTTP on the home's private socket, for the command line, and then on the listener: who has seen that
        the desk is ready finds both."""
        from evenkeel.server.app import local_app
        from evenkeel.server.listen import listening

        path = socket_path(self.where.home)
        await self._stack.enter_async_context(self.app.router.lifespan_context(self.app))
        await self._stack.enter_async_context(listening(local_app(self.app), path=path))
        await self._stack.enter_async_context(listening(self.app, sockets=[self.listener]))


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
