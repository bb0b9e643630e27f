"""Users and their sessions. The structs that are read and written are the desk's; bootstrap hands them in."""

import unicodedata
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import ColumnElement, Engine, RowMapping, case, delete, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evenkeel.domain.errors import Conflict, NotFound
from evenkeel.storage.engines import WRITING
from evenkeel.storage.repositories.paging import page, reading
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

    @property
    def email(self) -> str | None: ...

    @property
    def full_name(self) -> str | None: ...

    @property
    def networks(self) -> tuple[str, ...]: ...


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
S = TypeVar("S")
_USER = ("id", "username", "role", "password_hash", "is_active", "created_at", "email", "full_name", "networks")
_AT_ONCE = 1_000
_SEEN = (refresh_tokens.c.created_at, refresh_tokens.c.family_id)
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

    async def by_email(self, email: str) -> U | None:
        found = await self._found(users.c.email_key == name_key(email))
        return found[0] if found else None

    async def by_role(self, role: str) -> tuple[U, ...]:
        """The users of a role, oldest first."""
        return await self._found(users.c.role == role)

    async def everyone(self) -> tuple[U, ...]:
        """All users, oldest first."""
        return await self._found(true())

    async def add(self, user: U) -> None:
        """Raises Conflict when the id, the name or the address is taken."""
        async with reading(self._writing) as connection:
            try:
                await connection.execute(insert(users).values(_user_row(user)))
            except IntegrityError as error:
                raise _taken(user, error) from error

    async def replace(self, user: U, *, keeping: str | None = None) -> None:
        """Writes a user over the one of the same id. Raises NotFound, or Conflict when the new name is taken, and
        where nobody else of the role `keeping` would be left active."""
        async with reading(self._writing) as connection:
            if keeping is not None:
                await _check_others(connection, user.id, role=keeping)
            try:
                done = await connection.execute(update(users).where(users.c.id == user.id).values(_user_row(user)))
            except IntegrityError as error:
                raise _taken(user, error) from error
        if not done.rowcount:
            raise NotFound(f"there is no user {user.username!r}")

    async def put_hash(self, user_id: str, password_hash: str) -> None:
        async with reading(self._writing) as connection:
            await connection.execute(update(users).where(users.c.id == user_id).values(password_hash=password_hash))

    async def _found(self, where: ColumnElement[bool]) -> tuple[U, ...]:
        columns = [users.c[name] for name in (*_USER, "last_login")]
        query = select(*columns).where(where).order_by(users.c.created_at, users.c.id)
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(self._make(**{**row, "networks": tuple(row["networks"] or ())}) for row in rows)


def names_of(engine: Engine) -> dict[str, str]:
    """Everybody's user name by id."""
    with engine.connect() as connection:
        return {one.id: one.username for one in connection.execute(select(users.c.id, users.c.username))}


async def _check_others(connection: AsyncConnection, user_id: str, *, role: str) -> None:
    """The rows are locked where the database has row locks, so that two changes at once do not both see the other."""
    active = (users.c.role == role) & users.c.is_active
    query = select(users.c.id).where(active).order_by(users.c.id).with_for_update()
    held = (await connection.execute(query)).scalars().all()
    if not set(held) - {user_id}:
        raise Conflict(f"this is the last active {role}", hint=f"Make somebody else {role} first.")


class StoredTokens(Generic[K, S]):
    """Implements the desk's `RefreshTokens`; only hashes come here. Families that have ended are swept out."""

    def __init__(self, engine: AsyncEngine, make: Callable[..., K], session: Callable[..., S]) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)
        self._make, self._make_session = make, session

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

    async def sessions_of(
        self, user_id: str, at: int, *, only: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[S], str | None]:
        """The user's sessions that go on, or of them `only` one, the one seen last first, and the next cursor; agent
        and address are those of its last token. The tokens used before it, of which there may be thousands, are not
        read."""
        query = select(refresh_tokens).where(_goes_on(user_id, at))
        if only is not None:
            query = query.where(refresh_tokens.c.family_id == only)
        async with reading(self._engine) as connection:
            last, after = await page(connection, query, _SEEN, limit=limit, cursor=cursor)
            began = await _beginnings(connection, [row["family_id"] for row in last])
        return [self._session(row, began[row["family_id"]]) for row in last], after

    async def revoke_family(self, family_id: str, at: int) -> None:
        await self._revoke(refresh_tokens.c.family_id == family_id, at)

    async def revoke_beyond(self, user_id: str, at: int, *, keep: int, first: str) -> list[str]:
        """Ends the user's sessions but for `keep` of them, `first` before all and then those that were seen last, and
        says which they were. One such call for a user waits for another: else two sign-ins could end each other."""
        families = refresh_tokens.c.family_id
        live = select(families).where(_goes_on(user_id, at))
        beyond = live.order_by(case((families == first, 0), else_=1), *(column.desc() for column in _SEEN)).offset(keep)
        async with reading(self._writing) as connection:
            await connection.execute(select(users.c.id).where(users.c.id == user_id).with_for_update(key_share=True))
            ended = list((await connection.execute(beyond)).scalars())
            for start in range(0, len(ended), _AT_ONCE):
                await _revoked(connection, families.in_(ended[start : start + _AT_ONCE]), at)
        return ended

    async def revoke_user(self, user_id: str, at: int, *, but: str | None = None) -> None:
        others = refresh_tokens.c.family_id != but if but is not None else true()
        await self._revoke((refresh_tokens.c.user_id == user_id) & others, at)

    async def _revoke(self, where: ColumnElement[bool], at: int) -> None:
        async with reading(self._writing) as connection:
            await _revoked(connection, where, at)

    def _session(self, last: RowMapping, since: int) -> S:
        return self._make_session(
            id=last["family_id"],
            user_id=last["user_id"],
            since=since,
            seen=last["created_at"],
            expires_at=min(last["expires_at"], last["family_expires_at"]),
            user_agent=last["user_agent"] or "",
            address=last["address"] or "",
        )

    def _read(self, row: RowMapping) -> K:
        fields: dict[str, Any] = {name: row[name] for name in _TOKEN}
        return self._make(**fields | {"user_agent": row["user_agent"] or "", "address": row["address"] or ""})


def name_key(username: str) -> str:
    """What two spellings of one name have in common."""
    return unicodedata.normalize("NFKC", username).casefold()


def _user_row(user: UserLike) -> dict[str, Any]:
    row = {name: getattr(user, name) for name in _USER} | {"networks": list(user.networks) or None}
    email = name_key(user.email) if user.email else None
    return row | {"username_key": name_key(user.username), "email_key": email}


def _taken(user: UserLike, error: IntegrityError) -> Conflict:
    if "email_key" in str(error.orig):
        return Conflict(f"there is already a user with the address {user.email!r}")
    return Conflict(f"there is already a user {user.username!r}")


def _goes_on(user_id: str, at: int) -> ColumnElement[bool]:
    """The last token of each of a user's sessions that go on: each use of a token but the last one has replaced it."""
    held = refresh_tokens.c
    unspent = held.used_at.is_(None) & held.revoked_at.is_(None)
    return (held.user_id == user_id) & unspent & (held.expires_at > at) & (held.family_expires_at > at)


async def _beginnings(connection: AsyncConnection, families: list[str]) -> dict[str, int]:
    held = refresh_tokens.c
    query = select(held.family_id, func.min(held.created_at)).where(held.family_id.in_(families))
    return {row[0]: row[1] for row in await connection.execute(query.group_by(held.family_id))}


async def _revoked(connection: AsyncConnection, where: ColumnElement[bool], at: int) -> None:
    """Again until there is none left: one statement does not see the token of a renewal that it has waited for."""
    left = update(refresh_tokens).where(where, refresh_tokens.c.revoked_at.is_(None)).values(revoked_at=at)
    while (await connection.execute(left)).rowcount:
        pass


def _row(token: TokenLike) -> dict[str, Any]:
    return {name: getattr(token, name) for name in _TOKEN}
