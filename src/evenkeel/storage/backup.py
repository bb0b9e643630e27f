"""Backups of the SQLite files of a home, consistent even while it runs."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from evenkeel.domain.errors import EvenkeelError, InvalidInput, NotFound
from evenkeel.storage.database import Database


def stamp() -> str:
    """The time for a file's name, e.g. 20260412T153000123Z."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")[:-3] + "Z"


def copy_sqlite(source: Path, target: Path) -> Path:
    """Copies one SQLite file through SQLite, so that what is in its write-ahead log comes along.

    Raises EvenkeelError where either file cannot be used; no half copy stays.
    """
    part = target.with_suffix(".part")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as old,
            closing(sqlite3.connect(part)) as new,
        ):
            part.chmod(0o600)
            old.backup(new)
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise EvenkeelError(
            f"{source} could not be copied to {target}: {error}",
            hint="check the free space and the folder's permissions",
        ) from error
    return target


def back_up(database: Database, folder: Path | None = None) -> tuple[Path, ...]:
    """Copies what is built from the journal, then the journal, into a new folder, and returns the copies.

    In this order the copy of the journal is never the older one. `secrets.json` is not copied: keep it elsewhere.

    Raises InvalidInput on PostgreSQL, NotFound for an empty home.
    """
    if not database.is_sqlite:
        raise InvalidInput(
            f"{database.shown} is a PostgreSQL database", hint="use pg_dump, or your server's own backups, for it"
        )
    target = (folder or database.home / "backups") / f"evenkeel-{stamp()}"
    sources = [path for path in (database.file, database.journal_file) if path.exists()]
    if not sources:
        raise NotFound(f"there is nothing to back up in {database.home}", hint="name the home with --home")
    return tuple(copy_sqlite(path, target / path.name) for path in sources)
