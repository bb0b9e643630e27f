"""The history of one shard, read from its projections, newest first: days, ledger, signals, orders, fills, alerts; and
what became of one order, oldest first.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol, TypeVar

from msgspec import Struct, convert
from sqlalchemy import RowMapping, Select, Table, select
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.domain.fills import Charge, Fill
from evenkeel.domain.orders import (
    Kept,
    Order,
    OrderKind,
    OrderSpec,
    OrderState,
    Product,
    Side,
    TimeInForce,
    Trail,
    Trigger,
)
from evenkeel.domain.record import Check
from evenkeel.storage.repositories.paging import Keys, page, reading
from evenkeel.storage.tables.accounts import ledger_entries, performance_history
from evenkeel.storage.tables.copying import copies
from evenkeel.storage.tables.strategies import strategy_signals
from evenkeel.storage.tables.system import alerts
from evenkeel.storage.tables.trading import fills, order_events, orders

L = TypeVar("L", bound=Struct)
Page = tuple[Sequence[RowMapping], str | None]


class Progress(Protocol):
    """How far the projections have come; the projector says it."""

    @property
    def lag(self) -> int: ...

    @property
    def fault(self) -> str | None: ...

    async def passed(self, seq: int, *, within: float) -> bool: ...


class EquityPoint(Struct, frozen=True):
    """An account at the end of one of its days."""

    id: str
    account_id: str
    at: int
    equity: Decimal
    cash: Decimal
    session_date: date
    contributed: Decimal
    daily_return: float
    cumulative_return: float
    drawdown: float

    @property
    def growth(self) -> float:
        """What 1 put in at the start has become, time-weighted."""
        return 1.0 + self.cumulative_return


class LedgerLine(Struct, frozen=True):
    """One entry of the cash ledger; `seq` and `line` are its place in the journal."""

    id: str
    at: int
    value_date: date
    kind: str
    component: str
    amount: Decimal
    currency: str
    book: str
    order_id: str | None
    account_id: str
    fill_id: str | None
    seq: int
    line: int


class SignalLine(Struct, frozen=True):
    """One signal of a deployment."""

    id: str
    at: int
    deployment_id: str
    instrument_id: str
    target: float | None
    action: str
    confidence: float
    details: Mapping[str, float | str]


class AlertLine(Struct, frozen=True):
    """Something a person should see."""

    id: str
    at: int
    level: str
    kind: str
    message: str
    account_id: str | None
    order_id: str | None
    deployment_id: str | None


class CopyLine(Struct, frozen=True):
    """What a copy link made of one event of its master; `held` and `quantity` are signed."""

    id: str
    at: int
    kind: str
    instrument_id: str
    held: Decimal
    wanted: Decimal
    carry: Decimal
    quantity: Decimal
    master_order_id: str | None
    order_ids: Sequence[str]
    skipped: str | None


class OrderLine(Struct, frozen=True):
    """What happened to an order, with the checks that were made then. `waited` is how long (ns) it had waited before
    it was checked anew."""

    id: str
    at: int
    venue_at: int | None
    event: str
    state: str
    actor: str | None
    source: str | None
    reason: str | None
    rule: str | None
    limit: str | None
    value: str | None
    layer: str | None
    quantity: Decimal | None
    price: Decimal | None
    fill_id: str | None
    waited: int | None
    checks: Sequence[Check]


class History:
    """All queries are of this one shard. Each returns its rows and the next cursor; NotReady without a database."""

    def __init__(self, engine: AsyncEngine, shard: str, progress: Progress) -> None:
        self._engine = engine
        self._shard = shard
        self._progress = progress

    async def equity(
        self, account_ids: Collection[str], *, limit: int, cursor: str | None = None
    ) -> tuple[list[EquityPoint], str | None]:
        table = performance_history
        query = self._of(table).where(table.c.account_id.in_(sorted(account_ids)))
        rows, after = await self._page(query, (table.c.at, table.c.id), limit=limit, cursor=cursor)
        return [_equity(row) for row in rows], after

    async def ledger(
        self, account_id: str, *, limit: int, cursor: str | None = None
    ) -> tuple[list[LedgerLine], str | None]:
        table = ledger_entries
        query = self._of(table).where(table.c.account_id == account_id)
        rows, after = await self._page(query, (table.c.seq, table.c.line), limit=limit, cursor=cursor)
        return [_line(LedgerLine, row) for row in rows], after

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
    ) -> tuple[list[SignalLine], str | None]:
        """Those from `start` on and before `end` (ns)."""
        table = strategy_signals
        query = self._of(table).where(table.c.deployment_id == deployment_id)
        if action is not None:
            query = query.where(table.c.action == action)
        if instrument_id is not None:
            query = query.where(table.c.instrument_id == instrument_id)
        if start is not None:
            query = query.where(table.c.at >= start)
        if end is not None:
            query = query.where(table.c.at < end)
        rows, after = await self._page(query, (table.c.at, table.c.id), limit=limit, cursor=cursor)
        return [_line(SignalLine, row) for row in rows], after

    async def copies(
        self, link_id: str, *, skipped: bool = False, limit: int, cursor: str | None = None
    ) -> tuple[list[CopyLine], str | None]:
        """With `skipped`, only what was not copied in full."""
        query = self._of(copies).where(copies.c.link_id == link_id)
        if skipped:
            query = query.where(copies.c.skipped.is_not(None))
        rows, after = await self._page(query, (copies.c.at, copies.c.seq), limit=limit, cursor=cursor)
        return [_copy(row) for row in rows], after

    async def orders(
        self, account_ids: Collection[str], *, status: str | None = None, limit: int, cursor: str | None = None
    ) -> tuple[list[Order], str | None]:
        """`status` is "open", "closed" or one state."""
        table = orders
        query = self._of(table).where(table.c.account_id.in_(sorted(account_ids)))
        if status in ("open", "closed"):
            query = query.where(table.c.is_open == (status == "open"))
        elif status is not None:
            query = query.where(table.c.state == status)
        rows, after = await self._page(query, (table.c.created_at, table.c.id), limit=limit, cursor=cursor)
        return [_order(row) for row in rows], after

    async def fills(
        self, account_ids: Collection[str], *, limit: int, cursor: str | None = None
    ) -> tuple[list[Fill], str | None]:
        table = fills
        query = self._of(table).where(table.c.account_id.in_(sorted(account_ids)))
        rows, after = await self._page(query, (table.c.executed_at, table.c.id), limit=limit, cursor=cursor)
        return [_fill(row) for row in rows], after

    async def order_lines(
        self, order_id: str, *, limit: int, cursor: str | None = None
    ) -> tuple[list[OrderLine], str | None]:
        """What has happened to an order, oldest first."""
        table = order_events
        query, keys = self._of(table).where(table.c.order_id == order_id), (table.c.seq, table.c.order_id)
        async with reading(self._engine) as connection:
            rows, after = await page(connection, query, keys, limit=limit, cursor=cursor, oldest_first=True)
        return [_order_line(row) for row in rows], after

    async def alerts(self, *, limit: int, cursor: str | None = None) -> tuple[list[AlertLine], str | None]:
        keys = (alerts.c.at, alerts.c.id)
        rows, after = await self._page(self._of(alerts), keys, limit=limit, cursor=cursor)
        return [_line(AlertLine, row) for row in rows], after

    async def lag(self) -> int:
        """How many committed records the projections have not seen yet."""
        return self._progress.lag

    def fault(self) -> str | None:
        """Why the projections are stuck; None when they are not."""
        return self._progress.fault

    async def passed(self, seq: int, *, within: float) -> bool:
        """Whether the projections hold that committed record, if need be after at most `within` seconds."""
        return await self._progress.passed(seq, within=within)

    def _of(self, table: Table) -> Select[tuple[object, ...]]:
        return select(table).where(table.c.shard == self._shard)

    async def _page(self, query: Select[tuple[object, ...]], keys: Keys, *, limit: int, cursor: str | None) -> Page:
        async with reading(self._engine) as connection:
            return await page(connection, query, keys, limit=limit, cursor=cursor)


def _line(kind: type[L], row: RowMapping) -> L:
    return kind(**{name: row[name] for name in kind.__struct_fields__})


def _equity(row: RowMapping) -> EquityPoint:
    return EquityPoint(
        id=row["id"],
        account_id=row["account_id"],
        at=row["at"],
        equity=row["total_value"],
        cash=row["cash_value"],
        session_date=row["date"],
        contributed=row["contributed"],
        daily_return=row["daily_return"],
        cumulative_return=row["cumulative_return"],
        drawdown=row["drawdown"],
    )


def _order(row: RowMapping) -> Order:
    spec = OrderSpec(
        account_id=row["account_id"],
        book=row["book"],
        instrument_id=row["instrument_id"],
        side=Side(row["side"]),
        quantity=row["asked_quantity"],
        kind=OrderKind(row["kind"]),
        client_order_id=row["client_order_id"],
        limit_price=row["asked_limit_price"],
        stop_price=row["asked_stop_price"],
        time_in_force=TimeInForce(row["time_in_force"]),
        product=Product(row["product"]),
        link=row["link"],
        trigger=None if row["trigger_price"] is None else Trigger(row["trigger_price"]),
        trail=row["trail"] and convert(row["trail"], Trail),
        expires_at=row["expires_at"],
        not_before=row["not_before"],
    )
    same = (name for name in Order.__struct_fields__ if name not in ("spec", "state", "kept"))
    kept = row["kept"] and convert(row["kept"], Kept)
    return Order(spec=spec, state=OrderState(row["state"]), kept=kept, **{name: row[name] for name in same})


def _order_line(row: RowMapping) -> OrderLine:
    details = row["details"]
    own = ("id", "source", "fill_id", "waited", "checks")
    same = (name for name in OrderLine.__struct_fields__ if name not in own)
    return OrderLine(
        id=str(row["seq"]),
        source=details.get("source"),
        fill_id=details.get("fill_id"),
        waited=details.get("waited"),
        checks=convert(details.get("checks", ()), tuple[Check, ...]),
        **{name: row[name] for name in same},
    )


def _fill(row: RowMapping) -> Fill:
    same = (name for name in Fill.__struct_fields__ if name not in ("side", "charges"))
    charges = tuple(convert(row["charges"], list[Charge]))
    return Fill(side=Side(row["side"]), charges=charges, **{name: row[name] for name in same})


def _copy(row: RowMapping) -> CopyLine:
    same = (name for name in CopyLine.__struct_fields__ if name != "id")
    return CopyLine(id=str(row["seq"]), **{name: row[name] for name in same})
