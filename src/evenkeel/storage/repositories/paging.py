"""Pages of a history, newest or oldest first, by keyset: a cursor names the last row seen, so that rows added
meanwhile never shift a page. Cursors are opaque text; one that was not made here raises InvalidInput."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Column, RowMapping, Select, tuple_
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evenkeel.domain.errors import FieldError, InvalidInput, NotReady

Keys = tuple[Column[Any], Column[Any]]
_LARGEST = 2**63
_DATA_FAULT = "22"  # the class of PostgreSQL's states for what a column cannot hold


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection in a transaction. Raises NotReady where the database does not answer, and InvalidInput for a value
    that it cannot hold, such as a text with a NUL in PostgreSQL."""
    try:
        async with engine.begin() as connection:
            yield connection
    except (SQLAlchemyError, OSError) as error:
        cause = (str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__])[0]
        if str(getattr(getattr(error, "orig", None), "sqlstate", "")).startswith(_DATA_FAULT):
            raise InvalidInput(f"no row has such a value: {cause}") from error
        raise NotReady(
            f"the database does not answer: {cause}",
            hint="see the log; live trading and its state are not affected",
        ) from error


async def page(
    connection: AsyncConnection,
    query: Select[Any],
    keys: Keys,
    *,
    limit: int,
    cursor: str | None,
    oldest_first: bool = False,
) -> tuple[Sequence[RowMapping], str | None]:
    """At most `limit` rows after `cursor`, newest or `oldest_first`, and the cursor of the next page."""
    if cursor is not None:
        seen = tuple_(*_read(cursor, keys))
        query = query.where(tuple_(*keys) > seen if oldest_first else tuple_(*keys) < seen)
    query = query.order_by(*(key.asc() if oldest_first else key.desc() for key in keys)).limit(limit + 1)
    rows = (await connection.execute(query)).mappings().all()
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], written(last[keys[0].name], last[keys[1].name])


def written(major: int, minor: int | str) -> str:
    """The cursor that names a row."""
    return urlsafe_b64encode(f"{major}|{minor}".encode()).rstrip(b"=").decode()


def _read(cursor: str, keys: Keys) -> tuple[int, int | str]:
    try:
        return _parsed(cursor, keys[1].type.python_type)
    except ValueError as error:
        fault = FieldError("cursor", "is not a next_cursor of this list; leave it out to start with the newest")
        raise InvalidInput("the cursor cannot be used", errors=(fault,)) from error


def _parsed(cursor: str, kind: type) -> tuple[int, int | str]:
    text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    major, minor = text.split("|", 1)
    if kind is int:
        return _whole(major), _whole(minor)
    if not minor.isprintable():
        raise ValueError(f"{minor!r} is not an id")
    return _whole(major), minor


def _whole(text: str) -> int:
    number = int(text)
    if not -_LARGEST <= number < _LARGEST:
        raise ValueError(f"{text} is out of range")
    return number
