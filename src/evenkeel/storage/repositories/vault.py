"""The vault's rows: sealed envelopes and what opens them, never a secret. The structs are the desk's."""

from collections.abc import Collection, Iterable
from typing import Any, Generic, Protocol, TypeVar

from msgspec import convert
from sqlalchemy import ColumnElement, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evenkeel.domain.errors import Conflict
from evenkeel.storage.engines import WRITING
from evenkeel.storage.repositories.paging import reading
from evenkeel.storage.tables.vault import account_credentials, vault_wraps, vaults


class Row(Protocol):
    """A struct whose fields are the columns of its table."""

    @property
    def user_id(self) -> str: ...


V = TypeVar("V", bound=Row)
W = TypeVar("W", bound=Row)
C = TypeVar("C", bound=Row)


class StoredVault(Generic[V, W, C]):
    """Implements the desk's `VaultStore`. Raises NotReady where the database does not answer."""

    def __init__(self, engine: AsyncEngine, vault: type[V], wrap: type[W], credential: type[C]) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)
        self._vault, self._wrap, self._credential = vault, wrap, credential

    async def vault(self, user_id: str) -> V | None:
        found = await self._read(vaults, self._vault, vaults.c.user_id == user_id)
        return found[0] if found else None

    async def wraps(self, user_id: str) -> tuple[W, ...]:
        return await self._read(vault_wraps, self._wrap, vault_wraps.c.user_id == user_id)

    async def wraps_of_account(self, account_id: str) -> tuple[W, ...]:
        return await self._read(vault_wraps, self._wrap, vault_wraps.c.account_id == account_id)

    async def all_wraps(self) -> tuple[W, ...]:
        return await self._read(vault_wraps, self._wrap)

    async def credentials(self, account_id: str) -> tuple[C, ...]:
        """By name."""
        return await self._read(account_credentials, self._credential, account_credentials.c.account_id == account_id)

    async def credentials_of(self, user_id: str) -> tuple[C, ...]:
        return await self._read(account_credentials, self._credential, account_credentials.c.user_id == user_id)

    async def all_credentials(self) -> tuple[C, ...]:
        return await self._read(account_credentials, self._credential)

    async def create(self, vault: V, wraps: Iterable[W]) -> None:
        """Raises Conflict where this person has a vault."""
        async with reading(self._writing) as connection:
            try:
                await connection.execute(insert(vaults).values(_row(vaults, vault)))
            except IntegrityError as error:
                raise Conflict("there is a vault already") from error
            await _put(connection, vault_wraps, wraps)

    async def replace_wraps(
        self, user_id: str, gone: Collection[str], new: Iterable[W], *, secret: str | None = None
    ) -> None:
        """Some of a person's wraps in the place of others, and the kind of secret, in one transaction."""
        async with reading(self._writing) as connection:
            if secret is not None:
                await connection.execute(update(vaults).where(vaults.c.user_id == user_id).values(secret=secret))
            await _drop(connection, user_id, gone)
            await _put(connection, vault_wraps, new)

    async def rotate(self, vault: V, wraps: Iterable[W], credentials: Iterable[C]) -> None:
        """Everything of a person anew, in one transaction: whatever was sealed before is gone."""
        owned = vault.user_id
        async with reading(self._writing) as connection:
            await connection.execute(update(vaults).where(vaults.c.user_id == owned).values(_row(vaults, vault)))
            for table in (vault_wraps, account_credentials):
                await connection.execute(delete(table).where(table.c.user_id == owned))
            await _put(connection, vault_wraps, wraps)
            await _put(connection, account_credentials, credentials)

    async def keep(self, wraps: Iterable[W], credentials: Iterable[C]) -> None:
        """Credentials in the place of those of the same account and name, with wraps that are new."""
        async with reading(self._writing) as connection:
            await _put(connection, vault_wraps, wraps)
            for one in credentials:
                row = _row(account_credentials, one)
                await connection.execute(delete(account_credentials).where(_place(row["account_id"], row["name"])))
                await connection.execute(insert(account_credentials).values(row))

    async def remove(self, account_id: str) -> int:
        """Takes an account's credentials and what opens them away; how many there were."""
        of = account_credentials.c.account_id == account_id
        async with reading(self._writing) as connection:
            await connection.execute(delete(vault_wraps).where(vault_wraps.c.account_id == account_id))
            return (await connection.execute(delete(account_credentials).where(of))).rowcount

    async def forget(self, user_id: str) -> None:
        """Takes a person's vault away with all that is in it."""
        async with reading(self._writing) as connection:
            for table in (vault_wraps, account_credentials, vaults):
                await connection.execute(delete(table).where(table.c.user_id == user_id))

    async def _read(self, table: Table, make: type[Any], *where: ColumnElement[bool]) -> tuple[Any, ...]:
        query = select(table).where(*where).order_by(*table.primary_key.columns)
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(convert({str(name): value for name, value in row.items()}, make) for row in rows)


def _place(account_id: str, name: str) -> ColumnElement[bool]:
    return (account_credentials.c.account_id == account_id) & (account_credentials.c.name == name)


def _row(table: Table, one: object) -> dict[str, Any]:
    return {name: getattr(one, name) for name in table.columns.keys()}  # noqa: SIM118 - columns iterate as columns


async def _put(connection: AsyncConnection, table: Table, rows: Iterable[object]) -> None:
    values = [_row(table, one) for one in rows]
    if values:
        await connection.execute(insert(table), values)


async def _drop(connection: AsyncConnection, user_id: str, gone: Collection[str]) -> None:
    if gone:
        of = vault_wraps.c.user_id == user_id
        await connection.execute(delete(vault_wraps).where(of, vault_wraps.c.id.in_(gone)))
