"""The history of portfolios, newest first: their days, and transactions over the ledger, fills and splits by book."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, RowMapping, Select, and_, literal, select
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.domain.portfolios import Span, Wanted
from evenkeel.storage.repositories.paging import Keys, page, reading, written
from evenkeel.storage.tables.accounts import ledger_entries as ledger
from evenkeel.storage.tables.portfolios import portfolio_books, portfolio_performance
from evenkeel.storage.tables.portfolios import position_splits as splits
from evenkeel.storage.tables.trading import fills

TRADE, SPLIT = "trade", "split"
SIDES = {"buy": "BUY", "sell": "SELL"}


class PortfolioDay(Struct, frozen=True):
    """A portfolio at the end of one of its days."""

    id: str
    portfolio_id: str
    date: date
    at: int
    total_value: Decimal
    cash_value: Decimal
    positions_value: Decimal
    contributed: Decimal
    daily_return: float
    cumulative_return: float
    volatility: float | None
    sharpe_ratio: float | None
    sortino: float | None
    drawdown: float
    max_drawdown: float
    trades: int
    wins: int
    win_rate: float | None
    num_positions: int


class Transaction(Struct, frozen=True):
    """A line of the ledger, with what was traded, or what a split left of a position, which moves no cash."""

    id: str
    seq: int
    line: int
    at: int
    value_date: date
    type: str
    component: str
    account_id: str
    book: str
    instrument_id: str | None
    quantity: Decimal | None
    price: Decimal | None
    amount: Decimal | None
    currency: str
    order_id: str | None
    fill_id: str | None


class PortfolioHistory:
    """All queries are of this one shard. Raises NotReady without a database."""

    def __init__(self, engine: AsyncEngine, shard: str) -> None:
        self._engine = engine
        self._shard = shard

    async def days(
        self, portfolio_id: str, *, limit: int, cursor: str | None = None
    ) -> tuple[list[PortfolioDay], str | None]:
        """A portfolio's days, and the next cursor."""
        table = portfolio_performance
        query = select(table).where(table.c.shard == self._shard, table.c.portfolio_id == portfolio_id)
        async with reading(self._engine) as connection:
            rows, after = await page(connection, query, (table.c.at, table.c.id), limit=limit, cursor=cursor)
        names = PortfolioDay.__struct_fields__
        return [PortfolioDay(**{name: row[name] for name in names}) for row in rows], after

    async def spans(self, portfolio_id: str) -> list[Span]:
        """The books that a portfolio has, or had, each while it was its own."""
        table = portfolio_books
        query = select(table).where(table.c.shard == self._shard, table.c.portfolio_id == portfolio_id)
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [Span(row["account_id"], row["book"], row["since_seq"], row["until_seq"]) for row in rows]

    async def transactions(
        self, spans: Sequence[Span], wanted: Wanted, *, limit: int, cursor: str | None = None
    ) -> tuple[list[Transaction], str | None]:
        """Those of several spans together, and the next cursor. Raises InvalidInput for a cursor of another list."""
        found: list[Transaction] = []
        more = False
        async with reading(self._engine) as connection:
            for span in spans:
                for query, keys in self._queries(span, wanted):
                    rows, after = await page(connection, query, keys, limit=limit, cursor=cursor)
                    found += [_transaction(row) for row in rows]
                    more = more or after is not None
        found.sort(key=lambda one: (one.seq, one.line), reverse=True)
        if len(found) <= limit and not more:
            return found, None
        last = found[:limit][-1]
        return found[:limit], written(last.seq, last.line)

    def _queries(self, span: Span, wanted: Wanted) -> list[tuple[Select[Any], Keys]]:
        queries: list[tuple[Select[Any], Keys]] = [(self._of_ledger(span, wanted), (ledger.c.seq, ledger.c.line))]
        if wanted.type in (None, SPLIT):
            queries.append((self._of_splits(span, wanted), (splits.c.seq, splits.c.line)))
        return queries

    def _of_ledger(self, span: Span, wanted: Wanted) -> Select[Any]:
        joined = ledger.outerjoin(fills, and_(fills.c.shard == ledger.c.shard, fills.c.id == ledger.c.fill_id))
        query = select(
            *(ledger.c[name] for name in _SAME),
            ledger.c.kind,
            ledger.c.component,
            ledger.c.amount,
            ledger.c.order_id,
            ledger.c.fill_id,
            fills.c.side,
            fills.c.instrument_id,
            fills.c.quantity,
            fills.c.price,
        ).select_from(joined)
        query = query.where(*self._within(ledger, span, wanted))
        if wanted.instrument_id is not None:
            query = query.where(fills.c.instrument_id == wanted.instrument_id)
        if wanted.type in SIDES:
            return query.where(ledger.c.kind == TRADE, fills.c.side == SIDES[wanted.type])
        if wanted.type == SPLIT:
            return query.where(ledger.c.kind == TRADE, ledger.c.fill_id.is_(None))
        return query if wanted.type is None else query.where(ledger.c.kind == wanted.type)

    def _of_splits(self, span: Span, wanted: Wanted) -> Select[Any]:
        query = select(
            *(splits.c[name] for name in _SAME),
            splits.c.instrument_id,
            splits.c.numerator,
            splits.c.denominator,
            splits.c.quantity,
            literal(SPLIT).label("kind"),
        ).where(*self._within(splits, span, wanted))
        return query if wanted.instrument_id is None else query.where(splits.c.instrument_id == wanted.instrument_id)

    def _within(self, table: Any, span: Span, wanted: Wanted) -> list[ColumnElement[bool]]:
        terms = [table.c.shard == self._shard, table.c.account_id == span.account_id, table.c.seq >= span.since]
        if span.book is not None:
            terms.append(table.c.book == span.book)
        if span.until is not None:
            terms.append(table.c.seq < span.until)
        if wanted.start is not None:
            terms.append(table.c.at >= wanted.start)
        if wanted.end is not None:
            terms.append(table.c.at < wanted.end)
        return terms


_SAME = ("id", "seq", "line", "at", "value_date", "account_id", "book", "currency")


def _transaction(row: RowMapping) -> Transaction:
    same = {name: row[name] for name in _SAME}
    if row["kind"] == SPLIT:
        ratio = f"{row['numerator']:f}:{row['denominator']:f}"
        return Transaction(
            **same,
            type=SPLIT,
            component=ratio,
            instrument_id=row["instrument_id"],
            quantity=row["quantity"],
            price=None,
            amount=None,
            order_id=None,
            fill_id=None,
        )
    traded = row["kind"] == TRADE
    return Transaction(
        **same,
        type=(row["side"] or SPLIT).lower() if traded else row["kind"],
        component=row["component"],
        instrument_id=row["instrument_id"],
        quantity=row["quantity"] if traded else None,
        price=row["price"] if traded else None,
        amount=row["amount"],
        order_id=row["order_id"],
        fill_id=row["fill_id"],
    )
