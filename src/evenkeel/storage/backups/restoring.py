"""Restoring a backup into a second home, which has to be empty: nothing is ever restored over what is there.

What comes back is an older truth. The desk that starts on it reconciles every account before it takes new risk, and
sends none of the old intents again.
"""

import time
from pathlib import Path

from msgspec import Struct

from evenkeel.domain.errors import Conflict, EvenkeelError, InvalidInput
from evenkeel.storage import schema
from evenkeel.storage.backup import copy_files
from evenkeel.storage.backups import sqlite
from evenkeel.storage.backups.making import CARRIED, MODE, verify
from evenkeel.storage.backups.manifest import Manifest
from evenkeel.storage.database import Database
from evenkeel.storage.doctor import Report, examine
from evenkeel.storage.migrations import REVISIONS
from evenkeel.storage.ownership import Owner
from evenkeel.storage.secrets import SECRETS

_SQLITE = ("evenkeel.db", "journal.db")


class Restored(Struct, frozen=True, kw_only=True):
    """What was restored, what the doctor says of it, and how long it took (seconds)."""

    manifest: Manifest
    report: Report | None
    seconds: float


def restore(folder: Path, database: Database) -> Restored:
    """Restores a backup and proves it. Raises Conflict where the home or the database is not empty, InvalidInput for a
    backup that is not as it was written or is of the other kind of database, EvenkeelError where the doctor finds a
    difference.
    """
    started = time.monotonic()
    manifest = verify(folder)
    _check_kind(manifest, database)
    _check_schema(manifest)
    _check_empty(database)
    with Owner(database):
        if manifest.kind == "sqlite":
            sqlite.place([folder / name for name in _SQLITE if (folder / name).is_file()], database)
        else:
            _fill(folder, manifest, database)
        for name in CARRIED:
            copy_files(folder / name, database.home / name)
        if manifest.mode:
            (database.home / MODE).write_text(manifest.mode + "\n", encoding="utf-8")
        if manifest.schema is not None:
            schema.upgrade(database)
    report = examine(database) if manifest.shards else None
    if report is not None and not report.ok:
        raise EvenkeelError(f"{database.home} was restored, and is not sound: {report.differences[0]}")
    return Restored(manifest=manifest, report=report, seconds=time.monotonic() - started)


def _fill(folder: Path, manifest: Manifest, database: Database) -> None:
    from evenkeel.storage.backups import postgres

    schema.begin_at(database, manifest.schema or "head")
    postgres.load(database, folder, manifest.tables)


def _check_kind(manifest: Manifest, database: Database) -> None:
    wanted = "sqlite" if database.is_sqlite else "postgresql"
    if manifest.kind != wanted:
        raise InvalidInput(
            f"this is a backup of {manifest.kind}, and {database.shown} is {wanted}",
            hint="name an empty database of the same kind: --database-url postgresql://…, or none for SQLite",
        )


def _check_schema(manifest: Manifest) -> None:
    if manifest.schema is not None and manifest.schema not in REVISIONS:
        raise Conflict(
            f"the backup has schema {manifest.schema}, which this version does not know",
            hint=f"restore it with version {manifest.version}, which made it, or a newer one",
        )


def _check_empty(database: Database) -> None:
    taken = [name for name in (*_SQLITE, SECRETS, MODE) if (database.home / name).exists()]
    if taken:
        raise Conflict(
            f"{database.home} is a home already: it holds {', '.join(taken)}",
            hint="name a new folder with --home; a backup is never restored over a home",
        )
    if not database.is_sqlite:
        from evenkeel.storage.backups import postgres

        postgres.check_empty(database)
