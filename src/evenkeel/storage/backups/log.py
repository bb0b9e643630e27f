"""Where the audit log ends in a backup: read from the copy, and compared with what the home kept of it. A log that was
cut off does not become whole by being copied.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from evenkeel.domain.audit import Head, Kept, broken
from evenkeel.storage.backups.manifest import AuditEnd, TableEntry
from evenkeel.storage.database import Database, reader_of

TABLE = "audit_log"
_THERE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
_LAST = "SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1"
_HASH = "SELECT hash FROM audit_log WHERE seq = ?"


def seen_before(kept: Kept, folder: Path, tables: Sequence[TableEntry], *, at: int) -> AuditEnd | None:
    """What a backup says of its audit log. `kept` is what the home kept of the log, read before it was copied; `at`
    (ns) when. None where there is no log yet."""
    if not _has_log(folder, tables):
        return None
    last, there = end_of_log(folder, tables, kept.head.seq if kept.head is not None else 0)
    found = broken(kept, last, there, at=at)
    return AuditEnd(str(last), kept.breaks if found is None else (*kept.breaks, found))


def end_of_log(folder: Path, tables: Sequence[TableEntry], seq: int = 0) -> tuple[Head, str | None]:
    """Where the log of a backup ends, and the hash of the row with this number."""
    if not _has_log(folder, tables):
        return Head(), None
    if tables:
        return _of_table(folder, next(one for one in tables if one.name == TABLE), seq)
    with closing(_opened(folder)) as connection:
        last = connection.execute(_LAST).fetchone()
        there = connection.execute(_HASH, (seq,)).fetchone()
    return Head(*last) if last is not None else Head(), there[0] if there is not None else None


def _of_table(folder: Path, table: TableEntry, seq: int) -> tuple[Head, str | None]:
    from evenkeel.storage.backups import postgres

    last, there = Head(), None
    for number, found in postgres.columns_of(folder, table, ("seq", "hash")):
        row = Head(int(number), found)
        last = max(last, row, key=lambda one: one.seq)
        there = row.hash if row.seq == seq else there
    return last, there


def _has_log(folder: Path, tables: Sequence[TableEntry]) -> bool:
    if tables:
        return any(one.name == TABLE for one in tables)
    if not Database(folder).file.exists():
        return False
    with closing(_opened(folder)) as connection:
        return connection.execute(_THERE, (TABLE,)).fetchone() is not None


def _opened(folder: Path) -> sqlite3.Connection:
    return reader_of(Database(folder).file)
