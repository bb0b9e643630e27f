"""Users and their refresh tokens. The structs that are read and written are the desk's; bootstrap hands them in."""

import unicodedata
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.domain.errors import Conflict, NotFound
from evenkeel.storage.engines import WRITING
from evenkeel.storage.repositories.paging import reading
from evenkeel.storage.tables.people import refresh_tokens, users


class UserLike(Protocol):
    """What is stored of a user."""

    @property
    def id(self) -> str: ...

    @property
    def username(self) -> str: ...

    @property
    def role(self) -> str: ...

    @property
    def password_hash(self) -> str: ...

    @property
    def is_active(self) -> bool: ...

    @property
    def created_at(self) -> int: ...


class TokenLike(Protocol):
    """What is stored of a refresh token."""

    @property
    def token_hash(self) -> str: ...

    @property
    def family_id(self) -> str: ...

    @property
    def user_id(self) -> str: ...

    @property
    def created_at(self) -> int: ...

    @property
    def expires_at(self) -> int: ...

    @property
    def family_expires_at(self) -> int: ...

    @property
    def used_at(self) -> int | None: ...

    @property
    def replaced_by(self) -> str | None: ...

    @property
    def revoked_at(self) -> int | None: ...

    @property
    def user_agent(self) -> str: ...

    @property
    def address(self) -> str: ...


U = TypeVar("U", bound=UserLike)
K = TypeVar("K", bound=TokenLike)
_USER = ("id", "username", "role", "password_hash", "is_active", "created_at")
_TOKEN = (
    "token_hash",
    "family_id",
    "user_id",
    "created_at",
    "expires_at",
    "family_expires_at",
    "used_at",
    "replaced_by",
    "revoked_at",
    "user_agent",
    "address",
)


class StoredUsers(Generic[U]):
    """Implements the desk's `Users`; names are unique in any case and any Unicode form."""

    def __init__(self, engine: AsyncEngine, make: Callable[..., U]) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)
        self._make = make

    async def by_id(self, user_id: str) -> U | None:
        found = await self._found(users.c.id == user_id)
        return found[0] if found else None

    async def by_name(self, username: str) -> U | None:
        found = await self._found(users.c.username_key == name_key(username))
        return found[0] if found else None

    async def by_role(self, role: str) -> tuple[U, ...]:
        """The users of a role, oldest first."""
        return await self._found(users.c.role == role)

    async def add(self, user: U) -> None:
        """Raises Conflict when the id or the name is taken."""
        row = {name: getattr(user, name) for name in _USER}
        async with reading(self._writing) as connection:
            try:
                await connection.execute(insert(users).values(row | {"username_key": name_key(user.username)}))
            except IntegrityError as error:
                raise Conflict(f"there is already a user {user.username!r}") from error

    async def replace(self, user: U) -> None:
        """Writes a user over the one of the same id. Raises NotFound, or Conflict when the new name is taken."""
        row = {name: getattr(user, name) for name in _USER} | {"username_key": name_key(user.username)}
        async with reading(self._writing) as connection:
            try:
                done = await connection.execute(update(users).where(users.c.id == user.id).values(row))
            except IntegrityError as error:
                raise Conflict(f"there is already a user {user.username!r}") from error
        if not done.rowcount:
            raise NotFound(f"there is no user {user.username!r}")

    async def _found(self, where: ColumnElement[bool]) -> tuple[U, ...]:
        query = select(*(users.c[name] for name in _USER)).where(where).order_by(users.c.created_at, users.c.id)
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(self._make(**row) for row in rows)


class StoredTokens(Generic[K]):
    """Implements the desk's `RefreshTokens`; only hashes come here. Families that have ended are swept out."""

    def __init__(self, engine: AsyncEngine, make: Callable[..., K]) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)
        self._make = make

    async def by_hash(self, token_hash: str) -> K | None:
        query = select(refresh_tokens).where(refresh_tokens.c.token_hash == token_hash)
        async with reading(self._engine) as connection:
            row = (await connection.execute(query)).mappings().first()
        return self._read(row) if row is not None else None

    async def add(self, token: K) -> None:
        """Begins a family, which is a sign-in, and notes it as the user's last."""
        async with reading(self._writing) as connection:
            ended = refresh_tokens.c.family_expires_at < token.created_at
            await connection.execute(delete(refresh_tokens).where(ended))
            await connection.execute(insert(refresh_tokens).values(_row(token)))
            await connection.execute(
                update(users).where(users.c.id == token.user_id).values(last_login=token.created_at)
            )

    async def replace(self, token_hash: str, successor: K, at: int) -> bool:
        """Marks a token used and adds its successor; False, and nothing done, if it was used or revoked."""
        unused = (
            refresh_tokens.c.token_hash == token_hash,
            refresh_tokens.c.used_at.is_(None),
            refresh_tokens.c.revoked_at.is_(None),
        )
        async with reading(self._writing) as connection:
            marked = await connection.execute(
                update(refresh_tokens).where(*unused).values(used_at=at, replaced_by=successor.token_hash)
            )
            if marked.rowcount != 1:
                return False
            await connection.execute(insert(refresh_tokens).values(_row(successor)))
        return True

    async def family_is_live(self, family_id: str) -> bool:
        query = select(func.count(), func.count(refresh_tokens.c.revoked_at))
        async with reading(self._engine) as connection:
            held, revoked = (await connection.execute(query.where(refresh_tokens.c.family_id == family_id))).one()
        return bool(held) and not revoked

    async def revoke_family(self, family_id: str, at: int) -> None:
        await self._revoke(refresh_tokens.c.family_id == family_id, at)

    async def revoke_user(self, user_id: str, at: int) -> None:
        await self._revoke(refresh_tokens.c.user_id == user_id, at)

    async def _revoke(self, where: ColumnElement[bool], at: int) -> None:
        live = refresh_tokens.c.revoked_at.is_(None)
        async with reading(self._writing) as connection:
            await connection.execute(update(refresh_tokens).where(where, live).values(revoked_at=at))

    def _read(self, row: RowMapping) -> K:
        fields: dict[str, Any] = {name: row[name] for name in _TOKEN}
        return self._make(**fields | {"user_agent": row["user_agent"] or "", "address": row["address"] or ""})


def name_key(username: str) -> str:
    """What two spellings of one name have in common."""
    return unicodedata.normalize("NFKC", username).casefold()


def _row(token: TokenLike) -> dict[str, Any]:
    return {name: getattr(token, name) for name in _TOKEN}
