"""People's watchlists, each query bound to its person; a list is one row, so that every change of it is whole."""

import unicodedata

from msgspec import convert, to_builtins
from sqlalchemy import ColumnElement, RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.domain.errors import Conflict
from evenkeel.domain.watchlists import Watched, Watchlist
from evenkeel.storage.engines import WRITING
from evenkeel.storage.repositories.paging import reading
from evenkeel.storage.tables.portfolios import watchlists as table


class StoredWatchlists:
    """Raises NotReady where the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)

    async def all(self, user_id: str) -> tuple[Watchlist, ...]:
        """A person's lists, by name."""
        query = select(table).where(table.c.user_id == user_id).order_by(table.c.name_key)
        async with reading(self._engine) as connection:
            return tuple(map(_read, (await connection.execute(query)).mappings().all()))

    async def find(self, user_id: str, list_id: str) -> Watchlist | None:
        async with reading(self._engine) as connection:
            row = (await connection.execute(select(table).where(_of(user_id, list_id)))).mappings().first()
        return _read(row) if row is not None else None

    async def add(self, one: Watchlist) -> None:
        """Raises Conflict for a name that is taken."""
        async with reading(self._writing) as connection:
            try:
                await connection.execute(insert(table).values(_row(one) | {"created_at": one.created_at}))
            except IntegrityError as error:
                raise _taken(one.name) from error

    async def replace(self, one: Watchlist, *, known: Watchlist) -> None:
        """Writes a list over what was read of it. Raises Conflict where another request has changed it meanwhile, or
        the name is taken."""
        unchanged = table.c.updated_at == known.updated_at
        query = update(table).where(_of(one.user_id, one.id), unchanged).values(_row(one))
        async with reading(self._writing) as connection:
            try:
                done = await connection.execute(query)
            except IntegrityError as error:
                raise _taken(one.name) from error
        if not done.rowcount:
            raise Conflict(f"{one.name} was changed by another request at this moment", hint="Try again.")

    async def remove(self, user_id: str, list_id: str) -> bool:
        """Whether there was one."""
        async with reading(self._writing) as connection:
            return bool((await connection.execute(delete(table).where(_of(user_id, list_id)))).rowcount)


def _taken(name: str) -> Conflict:
    return Conflict(f"there is already a watchlist {name!r}", hint="Choose another name.")


def _of(user_id: str, list_id: str) -> ColumnElement[bool]:
    return (table.c.user_id == user_id) & (table.c.id == list_id)


def _row(one: Watchlist) -> dict[str, object]:
    return {
        "id": one.id,
        "user_id": one.user_id,
        "name": one.name,
        "name_key": unicodedata.normalize("NFKC", one.name).casefold(),
        "entries": to_builtins(one.entries),
        "updated_at": one.updated_at,
    }


def _read(row: RowMapping) -> Watchlist:
    entries = convert(row["entries"], tuple[Watched, ...])
    return Watchlist(row["id"], row["user_id"], row["name"], entries, row["created_at"], row["updated_at"])
