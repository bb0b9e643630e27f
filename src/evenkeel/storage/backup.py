"""Copies of files: of a SQLite file that may be in use, and of files that never change, whole or not at all."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from evenkeel.domain.errors import EvenkeelError
from evenkeel.storage.database import reader_of

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
        with closing(reader_of(source)) as old, closing(sqlite3.connect(part)) as new:
            part.chmod(0o600)
            old.backup(new)
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise not_copied(source, target, error) from error
    return target


def copy_files(source: Path, target: Path) -> tuple[Path, ...]:
    """Copies a folder of files that never change, such as results of backtests, and may be removed meanwhile.

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
            raise not_copied(path, copy, error) from error
        copies.append(copy)
    return tuple(copies)


def not_copied(source: Path, target: Path, error: Exception) -> EvenkeelError:
    """The error that says which copy failed, and what to look at."""
    return EvenkeelError(
        f"{source} could not be copied to {target}: {error}", hint="check the free space and the folder's permissions"
    )
