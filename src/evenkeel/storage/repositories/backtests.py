"""Backtests and what came of them. What people ask is bound to their user; the queue looks at all of them."""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import RowMapping, delete, insert, null, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.domain.errors import NotFound
from evenkeel.domain.strategies import Scalar
from evenkeel.storage.engines import WRITING
from evenkeel.storage.repositories.paging import page, reading
from evenkeel.storage.tables.research import backtest_results as table


class BacktestLike(Protocol):
    """What is stored of a backtest."""

    @property
    def id(self) -> str: ...

    @property
    def user_id(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def created_at(self) -> int: ...

    @property
    def started_at(self) -> int | None: ...

    @property
    def finished_at(self) -> int | None: ...

    @property
    def state(self) -> str: ...

    @property
    def strategy(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def parameters(self) -> Mapping[str, Scalar]: ...

    @property
    def request(self) -> Mapping[str, Any]: ...

    @property
    def fingerprint(self) -> str | None: ...

    @property
    def summary(self) -> Mapping[str, Any] | None: ...

    @property
    def final_equity(self) -> Decimal | None: ...

    @property
    def total_return(self) -> float | None: ...

    @property
    def sharpe(self) -> float | None: ...

    @property
    def max_drawdown(self) -> float | None: ...

    @property
    def error(self) -> str | None: ...


B = TypeVar("B", bound=BacktestLike)
_NAMES = tuple(column.name for column in table.columns)
_LINE = tuple(name for name in _NAMES if name != "summary")
_UNFINISHED = ("queued", "running")


class StoredBacktests(Generic[B]):
    """One row a backtest, of which `make` makes a `B`. Raises NotReady where the database does not answer."""

    def __init__(self, engine: AsyncEngine, make: Callable[..., B]) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)
        self._make = make

    async def add(self, backtest: B) -> None:
        async with reading(self._writing) as connection:
            await connection.execute(insert(table).values(_row(backtest)))

    async def replace(self, backtest: B) -> None:
        """Writes a backtest over the one of the same id and user. Raises NotFound."""
        same = (table.c.id == backtest.id, table.c.user_id == backtest.user_id)
        async with reading(self._writing) as connection:
            done = await connection.execute(update(table).where(*same).values(_row(backtest)))
        if not done.rowcount:
            raise NotFound(f"there is no backtest {backtest.id!r}")

    async def remove(self, user_id: str, backtest_id: str) -> bool:
        """Whether there was one to remove."""
        mine = (table.c.user_id == user_id, table.c.id == backtest_id)
        async with reading(self._writing) as connection:
            done = await connection.execute(delete(table).where(*mine))
        return bool(done.rowcount)

    async def some(self, user_id: str, ids: Collection[str]) -> dict[str, B]:
        """The user's backtests with these ids, by id; those that are not there are left out."""
        query = select(table).where(table.c.user_id == user_id, table.c.id.in_(sorted(ids)))
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).mappings().all()
        return {row["id"]: self._read(row) for row in rows}

    async def page(
        self,
        user_id: str,
        *,
        kind: str | None = None,
        strategy: str | None = None,
        state: str | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[list[B], str | None]:
        """The user's backtests, newest first and without their summaries, and the next cursor."""
        query = select(*(table.c[name] for name in _LINE)).where(table.c.user_id == user_id)
        for column, wanted in ((table.c.kind, kind), (table.c.strategy, strategy), (table.c.state, state)):
            if wanted is not None:
                query = query.where(column == wanted)
        keys = (table.c.created_at, table.c.id)
        async with reading(self._engine) as connection:
            rows, after = await page(connection, query, keys, limit=limit, cursor=cursor)
        return [self._read(row) for row in rows], after

    async def unfinished(self) -> tuple[B, ...]:
        """What waits or runs, of all users, oldest first."""
        query = select(table).where(table.c.state.in_(_UNFINISHED)).order_by(table.c.created_at, table.c.id)
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(self._read(row) for row in rows)

    async def finished_ids(self) -> frozenset[str]:
        """The ids of all results that came about, of all users."""
        return await self._ids("done")

    async def failed_ids(self) -> frozenset[str]:
        """The ids of all that have failed, of all users."""
        return await self._ids("failed")

    async def _ids(self, state: str) -> frozenset[str]:
        query = select(table.c.id).where(table.c.state == state)
        async with reading(self._engine) as connection:
            return frozenset((await connection.execute(query)).scalars())

    def _read(self, row: RowMapping) -> B:
        return self._make(**{"summary": None, **row})


def _row(backtest: BacktestLike) -> dict[str, Any]:
    row = {name: getattr(backtest, name) for name in _NAMES}
    return row | {"summary": null() if backtest.summary is None else backtest.summary}
