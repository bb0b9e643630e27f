"""A whole desk for the tests of this room: a real runner on a journal in memory, two users, the real application."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI
from msgspec import Struct

from evenkeel.desk.accounts import AccountDirectory
from evenkeel.desk.audit import Trail
from evenkeel.desk.auth import Auth
from evenkeel.desk.backups import Backups
from evenkeel.desk.copytrading.copier import Copier
from evenkeel.desk.household import House, Household
from evenkeel.desk.keys import Keys
from evenkeel.desk.passwords import Passwords
from evenkeel.desk.ports import User
from evenkeel.desk.providers import Client
from evenkeel.desk.purging import Purging
from evenkeel.desk.sealing import Key, KeyRing
from evenkeel.desk.shares import Shares
from evenkeel.desk.users import People
from evenkeel.desk.vault.safe import Safe
from evenkeel.desk.webhooks import Webhooks
from evenkeel.domain import commands as c
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Account, AccountType, Limits
from evenkeel.domain.copy_records import CopyTaken
from evenkeel.domain.events import SliceDone, SliceMet
from evenkeel.domain.marketdata import MarketSlice, Split
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.records import AnyRecord
from evenkeel.domain.strategies import Action, Allocation, Deployment, Signal
from evenkeel.market.bars import Bars
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.server.app import create_app
from evenkeel.server.jobs.queue import BacktestQueue
from evenkeel.server.parts import AppParts, Doors, Identity
from evenkeel.storage.repositories.history import CopyLine, OrderLine
from evenkeel.telemetry.metrics import Metrics
from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.runner import Runner
from tests.desk.access import MemoryAudit, MemoryKeys, MemoryShares
from tests.desk.account_memory import MemoryDetails, MemoryPersonalData, StateTotals
from tests.desk.memory import MemoryUsers, memory_stores
from tests.desk.paging import page
from tests.desk.webhook_memory import MemoryWebhooks
from tests.server import backtests, configurations, order_templates, portfolios
from tests.server.order_journal import order_lines
from tests.server.safekeeping import MemoryShelf, new_safe, watching, with_acme
from tests.trading.live.desk import BY, DAY, START, STOCK, MemoryJournal, bar, make_runner, market

PASSWORD = "correct horse battery"
LIMITS = Limits(max_position_share=Decimal("0.5"), daily_loss=None)
DEPLOYMENT = "0190d000-0000-7000-8000-000000000001"
OWN_ACCOUNT = "0190a000-0000-7000-8000-000000000001"
OTHER_ACCOUNT = "0190a000-0000-7000-8000-000000000002"
SECRET = b"a secret of tests, thirty-two bytes or more"


class Row(Struct):
    """One row of a history, as the projections would give it."""

    id: str
    at: int
    account_id: str = ""
    equity: Decimal = Decimal(0)
    cash: Decimal = Decimal(0)
    session_date: date = date.min
    contributed: Decimal | None = None
    growth: float | None = None
    value_date: date = date.min
    kind: str = ""
    component: str = ""
    amount: Decimal = Decimal(0)
    currency: str = ""
    book: str = ""
    order_id: str | None = None
    deployment_id: str = ""
    instrument_id: str = ""
    target: float | None = None
    action: str = ""
    confidence: float = 0.0
    details: dict[str, float | str] = {}


class JournalHistory:
    """History read straight from the journal: what the projections hold once they have caught up."""

    def __init__(self, journal: MemoryJournal) -> None:
        self.journal = journal
        self.stuck: str | None = None

    async def equity(
        self, account_ids: Collection[str], *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[Row], str | None]:
        rows = [
            Row(one.id, one.at, one.account_id, one.equity, one.cash, one.session_date, one.contributed, one.growth)
            for one in self.journal.records()
            if isinstance(one, r.DayClosed) and one.account_id in account_ids
        ]
        return page(rows[::-1], limit, cursor)

    async def ledger(
        self, account_id: str, *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[Row], str | None]:
        rows = [
            Row(
                f"{place}-{line}",
                record.at,
                value_date=entry.value_date,
                kind=entry.kind,
                component=entry.component,
                amount=entry.amount,
                currency=entry.currency,
                book=entry.book,
                order_id=entry.order_id,
            )
            for place, record in enumerate(self.journal.records())
            if isinstance(record, r.CashBooked | r.FillBooked)
            for line, entry in enumerate(record.entries)
            if entry.account_id == account_id
        ]
        return page(rows[::-1], limit, cursor)

    async def signals(
        self,
        deployment_id: str,
        *,
        action: str | None = None,
        instrument_id: str | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[Sequence[Row], str | None]:
        rows = [
            Row(
                one.id,
                one.at,
                deployment_id=one.deployment_id,
                instrument_id=one.instrument_id,
                target=one.target,
                action=one.action,
                confidence=one.confidence,
                details=one.details,
            )
            for one in self.journal.records()
            if isinstance(one, r.SignalRecorded)
            and one.deployment_id == deployment_id
            and action in (None, one.action)
            and instrument_id in (None, one.instrument_id)
            and (start is None or one.at >= start)
            and (end is None or one.at < end)
        ]
        return page(rows[::-1], limit, cursor)

    async def copies(
        self, link_id: str, *, skipped: bool = False, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[CopyLine], str | None]:
        rows = [
            CopyLine(
                id=f"{seq}",
                at=one.at,
                kind=one.kind,
                instrument_id=one.instrument_id,
                held=one.held,
                wanted=one.wanted,
                carry=one.carry,
                quantity=one.quantity,
                master_order_id=one.master_order_id or None,
                order_ids=one.orders,
                skipped=one.skipped or None,
            )
            for seq, one in enumerate(self.journal.records(), 1)
            if isinstance(one, CopyTaken) and one.link_id == link_id and (one.skipped or not skipped)
        ]
        return page(rows[::-1], limit, cursor)

    async def order_lines(
        self, order_id: str, *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[OrderLine], str | None]:
        return page(list(order_lines(self.journal.records(), order_id)), limit, cursor)

    async def lag(self) -> int:
        return 0

    def fault(self) -> str | None:
        return self.stuck

    async def passed(self, seq: int, *, within: float) -> bool:
        return True


@dataclass
class World:
    """Everything a test may want to reach."""

    app: FastAPI
    parts: AppParts
    runner: Runner
    journal: MemoryJournal
    history: JournalHistory
    people: People
    auth: Auth
    owner: User
    other: User
    backtests: backtests.MemoryBacktests
    research: Path
    day: int = 0

    def client(self, **more: Any) -> httpx.AsyncClient:
        """A client that is nobody yet."""
        transport = httpx.ASGITransport(app=self.app, client=("127.0.0.1", 50_000), raise_app_exceptions=True)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", **more)

    async def token(self, user: User) -> str:
        return (await self.auth.login(user.username, PASSWORD)).access_token

    async def signed_in(self, user: User | None = None) -> httpx.AsyncClient:
        """A client with the access token of the owner, or of another user."""
        token = await self.token(user or self.owner)
        return self.client(headers={"authorization": f"Bearer {token}"})

    async def next_bar(self, price: float = 10.0) -> None:
        """The market moves on by one day; what rests at the simulated venue may fill."""
        self.day += 1
        await self.show(market(self.day, price))

    async def show(self, slice_: MarketSlice) -> None:
        await self.runner.quiet()
        self.runner.clock.at = max(self.runner.clock.at, slice_.at)
        await self.runner.post_all([slice_])
        venues = FeedControl(self.runner, None, None).venues
        for venue in venues:
            await venue.observe(slice_)
        await self.runner.quiet()
        if self.runner.state.minds_bars:
            await self.runner.post_all([SliceMet(slice_)])
            for venue in venues:
                await venue.finish(slice_)
            await self.runner.quiet()
            await self.runner.post_all([SliceDone(slice_)])
            await self.runner.quiet()
        self.app.state.hub.market_moved(slice_)


def stored_bars() -> Bars:
    return Bars.from_bars("1d", [bar(day, 10.0 + day % 7) for day in range(-30, 1)])


def _keys(users: MemoryUsers) -> Keys:
    keys = Keys(MemoryKeys(), users, (SECRET[:32],))
    keys.signatures._first -= 1  # a desk takes no signature in the second in which it starts
    return keys


@asynccontextmanager
async def world(
    *,
    static: Path | None = None,
    hosts: tuple[str, ...] = (),
    mode: str = "demo",
    clients: tuple[Client, ...] = (),
    safe: Safe | None = None,
) -> AsyncIterator[World]:
    """A started desk: one instrument at 10, an account of the owner's and one of another user's, one strategy, and a
    backtest of the owner's that is done."""
    journal, safe = MemoryJournal(), safe or new_safe()
    runner = make_runner(journal, with_acme(safe))
    runner.subscribe(Copier(runner, volatility=lambda name, window: None))
    users, trail = MemoryUsers(), Trail(MemoryAudit())
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    asked = House(SECRET, KeyRing([Key(b"k" * 32)]), clients=clients)
    household = Household(memory_stores(users), asked, passwords=passwords, audit=trail)
    people, auth = watching(household, safe).people, household.auth
    owner, _ = await people.ensure_owner("demo", PASSWORD)
    other = await people.create("somebody", PASSWORD)
    await _open_desk(runner, owner, other)
    history = JournalHistory(journal)
    split = Split(STOCK.id, date(2005, 8, 20), Decimal(2), Decimal(1))
    bars = MemoryStore([STOCK], [stored_bars()], splits=[split])
    directory = AccountDirectory(MemoryDetails())
    stored, folder = backtests.MemoryBacktests(), TemporaryDirectory(prefix="ek-")
    research = Path(folder.name) / "research"
    await stored.add(backtests.done(owner.id, bars, research))
    parts = AppParts(
        runner=runner,
        feed=FeedControl(runner, None, None),
        history=history,
        bars=bars,
        templates=backtests.templates,
        configurations=await configurations.made(owner),
        order_templates=await order_templates.made(owner),
        backtests=BacktestQueue(stored, research, bars=lambda: bars, templates=backtests.templates),
        auth=auth,
        household=household,
        metrics=Metrics("0"),
        identity=Identity("home", "Evenkeel", "0", mode, START),
        past=lambda count: _past(journal, count),
        keys=_keys(users),
        shares=Shares(MemoryShares(), users),
        trail=trail,
        directory=directory,
        totals=StateTotals(lambda: runner.state),
        portfolios=portfolios.JournalPortfolios(journal),
        watchlists=portfolios.MemoryWatchlists(),
        webhooks=Webhooks(MemoryWebhooks(), users),
        purging=Purging(MemoryPersonalData(users), directory, users),
        safe=safe,
        backups=Backups(MemoryShelf(), runner.post, at=None),
        doors=Doors(static=static or Path("/nowhere"), hosts=hosts),
    )
    app = create_app(parts)
    with folder:
        async with app.router.lifespan_context(app):
            yield World(app, parts, runner, journal, history, people, auth, owner, other, stored, research)
    await runner.stop()


def _past(journal: MemoryJournal, count: int) -> Sequence[tuple[int, AnyRecord]]:
    return list(enumerate(journal.records(), 1))[-count:]


async def _open_desk(runner: Runner, owner: User, other: User) -> None:
    await runner.start(run="test", version="0")
    await runner.submit(c.ListInstrument(provenance=BY, instrument=STOCK))
    for account_id, user, name in ((OWN_ACCOUNT, owner, "Main"), (OTHER_ACCOUNT, other, "Theirs")):
        account = Account(account_id, user.id, name, "simulated", "USD", limits=LIMITS, type=AccountType.MARGIN)
        await runner.submit(c.OpenAccount(provenance=BY, account=account, initial_cash=Decimal(100_000)))
    deployment = Deployment(
        id=DEPLOYMENT,
        name="Crossing",
        template="sma-crossover",
        version="1",
        parameters={"fast": 5, "slow": 20},
        instrument_ids=(STOCK.id,),
        accounts=(Allocation(OWN_ACCOUNT, Decimal("0.2")),),
    )
    await runner.submit(c.Deploy(provenance=BY, deployment=deployment))
    await runner.post_all([MarketSlice(START, (bar(0),))])
    await runner.quiet()


def signal(at: int, target: float) -> c.TakeSignal:
    taken = Signal(DEPLOYMENT, STOCK.id, at, target, 0.8, {"fast": 11.0})
    return c.TakeSignal(provenance=BY, signal=taken)


def decided(desk: World, order_id: str) -> Provenance:
    """Who gave an order, as the journal has it."""
    records = (one for one in desk.journal.records() if isinstance(one, r.OrderDecided))
    return next(one.provenance for one in records if one.order_id == order_id)


def order(client_order_id: str | None = None, **changes: Any) -> dict[str, Any]:
    """The body of a market order for 10, changed as told; None removes a field."""
    body: dict[str, Any] = {
        "account_id": OWN_ACCOUNT,
        "symbol": "STK",
        "side": "BUY",
        "quantity": "10",
        "kind": "MARKET",
    }
    if client_order_id is not None:
        body["client_order_id"] = client_order_id
    body |= changes
    return {name: value for name, value in body.items() if value is not None}


__all__ = ["DAY", "START", "STOCK", "Action", "World", "order", "signal", "world"]
