"""What people may be let in by besides their password: links handed out, second factors, identities elsewhere.

The structs that are read and written are the desk's; bootstrap hands them in. Whatever works once is taken by one
statement that says how many rows it changed.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.domain.errors import Conflict
from evenkeel.storage.engines import WRITING
from evenkeel.storage.repositories.paging import reading
from evenkeel.storage.tables.people import identities, person_links, recovery_codes, second_factors

T = TypeVar("T", bound=Struct)


class _Stored(Generic[T]):
    def __init__(self, engine: AsyncEngine, make: Callable[..., T]) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)
        self._make = make


class StoredLinks(_Stored[T]):
    """Implements the desk's `Links`; only hashes of tokens come here."""

    async def add(self, link: T) -> None:
        async with reading(self._writing) as connection:
            await connection.execute(insert(person_links).values(asdict(link)))

    async def by_hash(self, token_hash: str) -> T | None:
        found = await self._found(person_links.c.token_hash == token_hash)
        return found[0] if found else None

    async def open(self, kind: str, at: int) -> tuple[T, ...]:
        return await self._found((person_links.c.kind == kind) & _usable(at))

    async def spend(self, link_id: str, at: int) -> bool:
        return await self._mark((person_links.c.id == link_id) & _usable(at), used_at=at)

    async def revoke(self, link_id: str, at: int) -> bool:
        return await self._mark((person_links.c.id == link_id) & _usable(at), revoked_at=at)

    async def revoke_resets(self, user_id: str, at: int) -> None:
        await self._mark((person_links.c.user_id == user_id) & _usable(at), revoked_at=at)

    async def _mark(self, where: ColumnElement[bool], **values: int) -> bool:
        async with reading(self._writing) as connection:
            return bool((await connection.execute(update(person_links).where(where).values(values))).rowcount)

    async def _found(self, where: ColumnElement[bool]) -> tuple[T, ...]:
        newest = (person_links.c.created_at.desc(), person_links.c.id.desc())
        async with reading(self._engine) as connection:
            rows = (await connection.execute(select(person_links).where(where).order_by(*newest))).mappings().all()
        return tuple(self._make(**row) for row in rows)


def _usable(at: int) -> ColumnElement[bool]:
    return person_links.c.used_at.is_(None) & person_links.c.revoked_at.is_(None) & (person_links.c.expires_at > at)


class StoredFactors(_Stored[T]):
    """Implements the desk's `SecondFactors`: sealed secrets, and hashes of recovery codes."""

    async def of(self, user_id: str) -> T | None:
        async with reading(self._engine) as connection:
            query = select(second_factors).where(second_factors.c.user_id == user_id)
            row = (await connection.execute(query)).mappings().first()
        return self._make(**row) if row is not None else None

    async def put(self, factor: T) -> None:
        row = asdict(factor)
        begun = (second_factors.c.user_id == row["user_id"]) & second_factors.c.confirmed_at.is_(None)
        async with reading(self._writing) as connection:
            await connection.execute(delete(second_factors).where(begun))
            try:
                await connection.execute(insert(second_factors).values(row))
            except IntegrityError as error:
                raise Conflict("two factors are on already, or another request has just begun them") from error

    async def confirm(self, user_id: str, *, at: int, step: int) -> bool:
        unconfirmed = (second_factors.c.user_id == user_id) & second_factors.c.confirmed_at.is_(None)
        return await self._mark(unconfirmed, confirmed_at=at, last_step=step)

    async def take_step(self, user_id: str, step: int) -> bool:
        return await self._mark(
            (second_factors.c.user_id == user_id) & (second_factors.c.last_step < step), last_step=step
        )

    async def reseal(self, user_id: str, sealed: str) -> None:
        await self._mark(second_factors.c.user_id == user_id, sealed=sealed)

    async def set_codes(self, user_id: str, hashes: tuple[str, ...]) -> None:
        async with reading(self._writing) as connection:
            await connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
            rows = [{"user_id": user_id, "code_hash": one} for one in hashes]
            await connection.execute(insert(recovery_codes), rows)

    async def take_code(self, user_id: str, code_hash: str) -> bool:
        held = (recovery_codes.c.user_id == user_id) & (recovery_codes.c.code_hash == code_hash)
        async with reading(self._writing) as connection:
            return bool((await connection.execute(delete(recovery_codes).where(held))).rowcount)

    async def codes_left(self, user_id: str) -> int:
        query = select(func.count()).select_from(recovery_codes).where(recovery_codes.c.user_id == user_id)
        async with reading(self._engine) as connection:
            return int((await connection.execute(query)).scalar_one())

    async def remove(self, user_id: str) -> bool:
        async with reading(self._writing) as connection:
            await connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
            gone = await connection.execute(delete(second_factors).where(second_factors.c.user_id == user_id))
        return bool(gone.rowcount)

    async def _mark(self, where: ColumnElement[bool], **values: int | str) -> bool:
        async with reading(self._writing) as connection:
            return bool((await connection.execute(update(second_factors).where(where).values(values))).rowcount)


class StoredIdentities(_Stored[T]):
    """Implements the desk's `Identities`."""

    async def find(self, issuer: str, subject: str) -> T | None:
        found = await self._found((identities.c.issuer == issuer) & (identities.c.subject == subject))
        return found[0] if found else None

    async def of(self, user_id: str) -> tuple[T, ...]:
        return await self._found(identities.c.user_id == user_id)

    async def add(self, identity: T) -> None:
        async with reading(self._writing) as connection:
            try:
                await connection.execute(insert(identities).values(asdict(identity)))
            except IntegrityError as error:
                raise Conflict("this sign-in is linked already", hint="Unlink the other one first.") from error

    async def remove(self, user_id: str, issuer: str) -> bool:
        held = (identities.c.user_id == user_id) & (identities.c.issuer == issuer)
        async with reading(self._writing) as connection:
            return bool((await connection.execute(delete(identities).where(held))).rowcount)

    async def _found(self, where: ColumnElement[bool]) -> tuple[T, ...]:
        query = select(identities).where(where).order_by(identities.c.issuer)
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(self._make(**row) for row in rows)
