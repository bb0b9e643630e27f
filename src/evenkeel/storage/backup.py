"""Backups of a home, consistent even while it runs: its SQLite files, and the files that their rows speak of."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from evenkeel.domain.errors import EvenkeelError, InvalidInput, NotFound
from evenkeel.storage.database import Database

RESEARCH = "research"
_UNFINISHED = ".part"


def stamp() -> str:
    """The time for a file's name, e.g. 20260412T153000123Z."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")[:-3] + "Z"


def copy_sqlite(source: Path, target: Path) -> Path:
    """Copies one SQLite file through SQLite, so that what is in its write-ahead log comes along.

    Raises EvenkeelError where either file cannot be used; no half copy stays.
    """
    part = target.with_suffix(_UNFINISHED)
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
        raise _not_copied(source, target, error) from error
    return target


def copy_results(source: Path, target: Path) -> tuple[Path, ...]:
    """Copies the results of backtests: whole files that never change, and may be removed meanwhile.

    Raises EvenkeelError where one cannot be copied; no half copy stays.
    """
    copies = []
    for path in sorted(source.rglob("*")):
        if path.suffix == _UNFINISHED or path.is_symlink() or not path.is_file():
            continue
        copy = target / path.relative_to(source)
        part = copy.with_name(copy.name + _UNFINISHED)
        try:
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(path, part)
            part.chmod(0o600)
            part.replace(copy)
        except OSError as error:
            part.unlink(missing_ok=True)
            if not path.exists():
                continue
            raise _not_copied(path, copy, error) from error
        copies.append(copy)
    return tuple(copies)


def _not_copied(source: Path, target: Path, error: Exception) -> EvenkeelError:
    return EvenkeelError(
        f"{source} could not be copied to {target}: {error}", hint="check the free space and the folder's permissions"
    )


def back_up(database: Database, folder: Path | None = None) -> tuple[Path, ...]:
    """Copies tables, then the journal, then results of backtests into a new folder, and returns the copies.

    In this order the copy of the journal is never older than what is built from it, and every result that the tables
    speak of is there. `secrets.json` is not copied: keep it elsewhere.

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
    copies = tuple(copy_sqlite(path, target / path.name) for path in sources)
    return copies + copy_results(database.home / RESEARCH, target / RESEARCH)
