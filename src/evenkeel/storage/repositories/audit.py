"""The audit log as the database keeps it, and where it ends as a private file of the home keeps it (`audit-head`).

One writer at a time adds to the chain. The file is written after the rows are durable: it may lag behind them by what
was added in the last moment, and never lies ahead. So whoever adds a row first looks whether the log goes on from what
the file says. Where it does not, the break is written into both, stays there, and is told; the log goes on.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog
from msgspec import convert
from msgspec.structs import replace
from sqlalchemy import Engine, RowMapping, Select, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evenkeel.domain.audit import ACCEPTED, BROKEN, Break, Entry, Head, Kept, Row, broken, chained
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput, NotReady
from evenkeel.storage.engines import WRITING
from evenkeel.storage.filelock import held_async
from evenkeel.storage.repositories.paging import reading
from evenkeel.storage.secrets import write_private
from evenkeel.storage.tables.access import audit_log

log = structlog.get_logger(__name__)
HEAD = "audit-head"
_LOCK = 7221604253
_BATCH = 1_000
_LAST = select(audit_log.c.seq, audit_log.c.hash).order_by(audit_log.c.seq.desc()).limit(1)


class Anchor:
    """Where the log ends, in a file that only the home's owner may read: `NUMBER:HASH`, and each break on a line."""

    def __init__(self, home: Path) -> None:
        self.path, self.lock = home / HEAD, home / f".{HEAD}.lock"

    def read(self) -> Head | None:
        """None where there is none. Raises InvalidInput for a file that says something else."""
        kept = self.kept()
        if kept.strange:
            raise InvalidInput(f"{self.path} does not say where the log ends: {kept.strange}")
        return kept.head

    def kept(self) -> Kept:
        """All that the file holds; it raises nothing."""
        try:
            first, *rest = self.path.read_text(encoding="utf-8").splitlines() or [""]
        except FileNotFoundError:
            return Kept()
        except (OSError, UnicodeDecodeError) as error:
            return Kept(strange=f"unreadable ({getattr(error, 'strerror', None) or 'it is no text'})")
        breaks = tuple(one for one in map(_break, rest) if one is not None)
        try:
            return Kept(parsed(first.strip()), breaks=breaks)
        except InvalidInput:
            return Kept(strange=repr(first[:200]), breaks=breaks)

    def write(self, head: Head, breaks: Sequence[Break] = ()) -> None:
        """Raises InvalidInput where it cannot be written."""
        lines = [str(head).encode(), *map(msgspec.json.encode, breaks)]
        write_private(self.path, b"\n".join(lines) + b"\n", over=True)


def _break(line: str) -> Break | None:
    try:
        return msgspec.json.decode(line, type=Break)
    except msgspec.MsgspecError:
        return None


def parsed(text: str) -> Head:
    """A head as it is printed. Raises InvalidInput."""
    number, _, digest = text.partition(":")
    if not (number.isascii() and number.isdigit() and len(number) < 19 and len(digest) == 64):
        fault = FieldError("head", "NUMBER:HASH, as `evenkeel audit verify` prints it")
        raise InvalidInput(f"{text[:80]!r} does not say where a log ends", errors=(fault,))
    return Head(int(number), digest)


class StoredAudit:
    """Implements the desk's `AuditRows`, and gives pages, newest first. `on_break` is told once of each break that this
    process, or another since then, has found."""

    def __init__(self, engine: AsyncEngine, anchor: Anchor | None = None) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)
        self._anchor = anchor
        self._order = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self._known: set[tuple[str, str]] = set()
        self.on_break: Callable[[Break], None] = lambda found: None

    async def append(self, entries: tuple[Entry, ...]) -> None:
        """Adds rows to the chain, all or none. Raises NotReady."""
        await self._seen_through(self._append(entries))

    async def accept(self, entry: Entry, reason: str) -> tuple[Break, ...]:
        """Has a person's reason stand beside every break, and in the log: they are faults no more, and stay. Raises
        Conflict where there is none, NotReady."""
        found = await self.breaks()
        if not found:
            raise Conflict("the audit log has no break that could be accepted")
        before, after = (
            msgspec.json.encode(one).decode() for one in ({"breaks": [str(x) for x in found]}, {"reason": reason})
        )
        entry = replace(entry, action=ACCEPTED, subject=HEAD, before=before, after=after)
        await self._seen_through(self._append((entry,), accepting=reason))
        return found

    async def breaks(self) -> tuple[Break, ...]:
        """Those that nobody has accepted, with the one that the next row would find; at a start, or before a look.

        Raises NotReady."""
        if self._anchor is None:
            return ()
        async with held_async(self._anchor.lock):
            kept = self._anchor.kept()
            async with reading(self._engine) as connection:
                found = await _broken(connection, kept, await _end(connection))
        return kept.open if found is None else (*kept.open, found)

    async def _seen_through(self, work: Any) -> None:
        """Whoever asked may go away; what is begun is not left half done with its lock given up."""
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._done)
        await asyncio.shield(task)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # told to whoever has waited, or to nobody

    async def _append(self, entries: tuple[Entry, ...], *, accepting: str = "") -> None:
        async with self._order:
            if self._anchor is None:
                await self._add(entries)
                return
            async with held_async(self._anchor.lock):
                found = await self._anchored(self._anchor, entries, accepting=accepting)
        self.tell(found)

    def tell(self, found: Sequence[Break]) -> None:
        """Tells of those of these breaks that were not told yet."""
        for one in found:
            if (one.kept, one.found) not in self._known:
                self._known.add((one.kept, one.found))
                log.critical("the audit log is broken", found=str(one))
                self.on_break(one)

    async def _add(self, entries: tuple[Entry, ...]) -> None:
        async with reading(self._writing) as connection:
            await _insert(connection, entries, await _head(connection))

    async def _anchored(self, anchor: Anchor, entries: tuple[Entry, ...], *, accepting: str) -> Sequence[Break]:
        """Adds rows, and says where the log ends from now on; the breaks that nobody has accepted."""
        kept = await asyncio.to_thread(anchor.kept)
        try:
            async with reading(self._writing) as connection:
                head = await _head(connection)
                found = await _broken(connection, kept, head)
                if found is not None:
                    entries = (_told(found, entries[0].at), *entries)
                elif kept.head is None:  # so that a start that is killed now is not taken for a break by the next
                    await asyncio.to_thread(anchor.write, head, kept.breaks)
                head = await _insert(connection, entries, head)
            breaks = kept.breaks if found is None else (*kept.breaks, found)
            if accepting:
                breaks = tuple(one if one.accepted else replace(one, accepted=accepting) for one in breaks)
            await asyncio.to_thread(anchor.write, head, breaks)
        except InvalidInput as error:  # of the file, not of what is asked
            raise NotReady(error.message, hint=error.hint) from error
        return [one for one in breaks if not one.accepted]

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
    return await _end(connection)


async def _end(connection: AsyncConnection) -> Head:
    found = (await connection.execute(_LAST)).first()
    return Head(found[0], found[1]) if found is not None else Head()


async def _broken(connection: AsyncConnection, kept: Kept, last: Head) -> Break | None:
    there = (await connection.execute(_hash_of(kept))).scalar() if kept.head is not None else None
    return broken(kept, last, there, at=time.time_ns())


async def _insert(connection: AsyncConnection, entries: Sequence[Entry], head: Head) -> Head:
    rows = []
    for entry in entries:
        rows.append(chained(entry, head))
        head = Head(rows[-1].seq, rows[-1].hash)
    await connection.execute(insert(audit_log), [_values(row) for row in rows])
    return head


def _told(found: Break, at: int) -> Entry:
    """The row that says so in the log itself."""
    kept, end = (msgspec.json.encode({"head": one}).decode() for one in (found.kept, found.found))
    return Entry(at=at, actor="home", action=BROKEN, subject=HEAD, before=kept, after=end)


def standing(engine: Engine, anchor: Anchor) -> tuple[Break, ...]:
    """As `StoredAudit.breaks`, for one thread that may not write."""
    kept = anchor.kept()
    with engine.connect() as connection:
        there = connection.execute(_hash_of(kept)).scalar() if kept.head is not None else None
        last = connection.execute(_LAST).first()
    head = Head(last[0], last[1]) if last is not None else Head()
    found = broken(kept, head, there, at=time.time_ns())
    return kept.open if found is None else (*kept.open, found)


def _hash_of(kept: Kept) -> Select[Any]:
    return select(audit_log.c.hash).where(audit_log.c.seq == (kept.head.seq if kept.head is not None else 0))


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
