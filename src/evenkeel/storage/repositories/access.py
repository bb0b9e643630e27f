"""API keys and shared accounts as the database keeps them. Of a key only its hash comes here."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from msgspec import Struct, convert
from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.storage.engines import WRITING
from evenkeel.storage.repositories.paging import reading
from evenkeel.storage.tables.access import account_shares, api_keys

K = TypeVar("K", bound=Struct)
_SHARE = ("id", "account_id", "owner_id", "user_id", "permission", "created_at")


class StoredKeys(Generic[K]):
    """Implements the desk's `ApiKeys`. Raises NotReady where the database does not answer."""

    def __init__(self, engine: AsyncEngine, make: type[K]) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)
        self._make = make

    async def add(self, key: K) -> None:
        row = {column.name: getattr(key, column.name) for column in api_keys.columns}
        async with reading(self._writing) as connection:
            await connection.execute(insert(api_keys).values(row))

    async def by_prefix(self, prefix: str) -> K | None:
        found = await self._found(api_keys.c.prefix == prefix)
        return found[0] if found else None

    async def by_id(self, key_id: str) -> K | None:
        found = await self._found(api_keys.c.id == key_id)
        return found[0] if found else None

    async def of_user(self, user_id: str) -> tuple[K, ...]:
        """The newest first."""
        return await self._found(api_keys.c.user_id == user_id)

    async def end(self, key_id: str, *, expires_at: int, revoked_at: int | None) -> None:
        async with reading(self._writing) as connection:
            values = {"expires_at": expires_at, "revoked_at": revoked_at}
            await connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(values))

    async def used(self, uses: Iterable[tuple[str, int, str]]) -> None:
        async with reading(self._writing) as connection:
            for key_id, at, address in uses:
                values = {"last_used_at": at, "last_address": address}
                await connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(values))

    async def _found(self, where: Any) -> tuple[K, ...]:
        query = select(api_keys).where(where).order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(_read(row, self._make) for row in rows)


class StoredShares(Generic[K]):
    """Implements the desk's `StoredShares`; a share that has ended stays, with when it did."""

    def __init__(self, engine: AsyncEngine, make: type[K]) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)
        self._make = make

    async def all(self) -> tuple[K, ...]:
        live = account_shares.c.ended_at.is_(None)
        columns = [account_shares.c[name] for name in _SHARE]
        query = select(*columns).where(live).order_by(account_shares.c.created_at, account_shares.c.id)
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(_read(row, self._make) for row in rows)

    async def put(self, share: K) -> None:
        row = {name: getattr(share, name) for name in _SHARE}
        async with reading(self._writing) as connection:
            done = await connection.execute(
                update(account_shares).where(account_shares.c.id == row["id"]).values(row | {"ended_at": None})
            )
            if not done.rowcount:
                await connection.execute(insert(account_shares).values(row))

    async def end(self, share_id: str, at: int) -> None:
        async with reading(self._writing) as connection:
            ended = update(account_shares).where(account_shares.c.id == share_id).values(ended_at=at)
            await connection.execute(ended)


def _read(row: RowMapping, make: type[K]) -> K:
    return convert({name: row[name] for name in make.__struct_fields__}, make)
