"""SQLite's part of a backup: both files as they were at one moment, whatever is written meanwhile.

A read transaction is opened on the tables, then on the journal, and both files are copied from inside it: SQLite's
write-ahead log keeps what those transactions see. So the tables are never ahead of the journal that they are made
from, and nobody is in the journal who is not in the tables.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from evenkeel.domain.errors import NotFound
from evenkeel.storage.backup import not_copied
from evenkeel.storage.database import Database, reader_of

_PIN = "SELECT count(*) FROM sqlite_master"
_PAGES = 4096


def copy(database: Database, folder: Path) -> tuple[Path, ...]:
    """Copies the home's files into a folder. Raises NotFound for an empty home, EvenkeelError where it cannot."""
    sources = sources_of(database)
    with ExitStack() as stack:
        pinned = [_pinned(source, stack, folder) for source in sources]
        return tuple(_copied(*one, folder) for one in zip(sources, pinned, strict=True))


def sources_of(database: Database) -> list[Path]:
    """The files of a home that a backup copies. Raises NotFound where there are none."""
    sources = [path for path in (database.file, database.journal_file) if path.exists()]
    if not sources:
        raise NotFound(f"there is nothing to back up in {database.home}", hint="name the home with --home")
    return sources


def place(files: Sequence[Path], database: Database) -> None:
    """Puts the files of a backup into an empty home."""
    from evenkeel.storage.backup import copy_sqlite

    for path in files:
        copy_sqlite(path, database.home / path.name)


def _pinned(source: Path, stack: ExitStack, folder: Path) -> sqlite3.Connection:
    try:
        connection = stack.enter_context(closing(reader_of(source, isolation_level=None, check_same_thread=False)))
        connection.execute("BEGIN")
        connection.execute(_PIN).fetchone()
    except sqlite3.Error as error:
        raise not_copied(source, folder / source.name, error) from error
    return connection


def _copied(source: Path, pinned: sqlite3.Connection, folder: Path) -> Path:
    target = folder / source.name
    try:
        with closing(sqlite3.connect(target)) as new:
            target.chmod(0o600)
            pinned.backup(new, pages=_PAGES)
            # A file of its own, with no log beside it: nothing has to come along with it.
            new.execute("PRAGMA journal_mode=DELETE")
    except (OSError, sqlite3.Error) as error:
        raise not_copied(source, target, error) from error
    return target
