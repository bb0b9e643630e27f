"""The audit log as the database keeps it, and where it ends as a private file of the home keeps it (`audit-head`).

One writer at a time adds to the chain. The file is written after the rows are durable: it may lag behind them by what
was added in the last moment, and never lies ahead.
"""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import convert
from sqlalchemy import Engine, RowMapping, Select, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evenkeel.domain.audit import Entry, Head, Row, chained
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.storage.engines import WRITING
from evenkeel.storage.repositories.paging import reading
from evenkeel.storage.secrets import write_private
from evenkeel.storage.tables.access import audit_log

_LOCK = 7221604253
_BATCH = 1_000


class Anchor:
    """Where the log ends, in a file that only the home's owner may read: `NUMBER:HASH`."""

    def __init__(self, home: Path) -> None:
        self.path = home / "audit-head"

    def read(self) -> Head | None:
        """None where there is none. Raises InvalidInput for a file that says something else."""
        try:
            return parsed(self.path.read_text(encoding="utf-8").strip())
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(
                f"{self.path} cannot be read: {error}", hint="check its owner and permissions"
            ) from error

    def write(self, head: Head) -> None:
        write_private(self.path, f"{head}\n".encode(), over=True)


def parsed(text: str) -> Head:
    """A head as it is printed. Raises InvalidInput."""
    number, _, digest = text.partition(":")
    if not (number.isascii() and number.isdigit() and len(number) < 19 and len(digest) == 64):
        fault = FieldError("head", "NUMBER:HASH, as `evenkeel audit verify` prints it")
        raise InvalidInput(f"{text[:80]!r} does not say where a log ends", errors=(fault,))
    return Head(int(number), digest)


class StoredAudit:
    """Implements the desk's `AuditRows`, and gives pages, newest first."""

    def __init__(self, engine: AsyncEngine, anchor: Anchor | None = None) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)
        self._anchor = anchor
        self._order = asyncio.Lock()

    async def append(self, entries: tuple[Entry, ...]) -> None:
        """Adds rows to the chain, all or none. Raises NotReady."""
        async with self._order:
            async with reading(self._writing) as connection:
                head = await _head(connection)
                rows = []
                for entry in entries:
                    rows.append(chained(entry, head))
                    head = Head(rows[-1].seq, rows[-1].hash)
                await connection.execute(insert(audit_log), [_values(row) for row in rows])
            if self._anchor is not None:
                await asyncio.to_thread(self._anchor.write, head)

    async def page(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[Sequence[Row], str | None]:
        """Rows that fit, from `start` on and before `end` (ns). Raises InvalidInput for a cursor it did not give."""
        query = select(audit_log).order_by(audit_log.c.seq.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(audit_log.c.seq < _number(cursor))
        for column, wanted in (
            (audit_log.c.actor, actor),
            (audit_log.c.action, action),
            (audit_log.c.subject, subject),
        ):
            query = query if wanted is None else query.where(column == wanted)
        query = query if start is None else query.where(audit_log.c.at >= start)
        query = query if end is None else query.where(audit_log.c.at < end)
        async with reading(self._engine) as connection:
            rows = [_read(row) for row in (await connection.execute(query)).mappings().all()]
        return rows[:limit], str(rows[limit - 1].seq) if len(rows) > limit else None


async def _head(connection: AsyncConnection) -> Head:
    """The end of the chain, with every other writer waiting."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    last = select(audit_log.c.seq, audit_log.c.hash).order_by(audit_log.c.seq.desc()).limit(1)
    found = (await connection.execute(last)).first()
    return Head(found[0], found[1]) if found is not None else Head()


def every_row(engine: Engine) -> Iterator[Row]:
    """The whole log by number, a batch at a time, in one snapshot."""
    with engine.connect() as connection:
        after = -(2**63)
        while True:
            rows = connection.execute(_batch(after)).mappings().all()
            yield from map(_read, rows)
            if len(rows) < _BATCH:
                return
            after = rows[-1]["seq"]


def _batch(after: int) -> Select[Any]:
    return select(audit_log).where(audit_log.c.seq > after).order_by(audit_log.c.seq).limit(_BATCH)


def _values(row: Row) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in audit_log.columns}


def _read(row: RowMapping) -> Row:
    return convert({name: row[name] for name in Row.__struct_fields__}, Row)


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        fault = FieldError("cursor", "is not a next_cursor of this list; leave it out to start with the newest")
        raise InvalidInput("the cursor cannot be used", errors=(fault,))
    return int(cursor)
