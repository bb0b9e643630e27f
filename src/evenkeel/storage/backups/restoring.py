"""Restoring a backup into a second home, which has to be empty: nothing is ever restored over what is there.

What comes back is an older truth. The desk that starts on it reconciles every account before it takes new risk, and
sends none of the old intents again.
"""

import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import msgspec
from msgspec import Struct

from evenkeel.domain.errors import Conflict, EvenkeelError, InvalidInput
from evenkeel.storage import schema
from evenkeel.storage.backup import copy_files
from evenkeel.storage.backups import sqlite
from evenkeel.storage.backups.making import CARRIED, MODE, verify
from evenkeel.storage.backups.manifest import Manifest
from evenkeel.storage.backups.parts import settle, under_way, written
from evenkeel.storage.database import Database
from evenkeel.storage.doctor import Report, examine
from evenkeel.storage.migrations import REVISIONS
from evenkeel.storage.projector import catch_up
from evenkeel.storage.repositories.audit import Anchor, parsed
from evenkeel.storage.secrets import adopt_secrets

_SQLITE = ("evenkeel.db", "journal.db")


class Restored(Struct, frozen=True, kw_only=True):
    """What was restored, what the doctor says of it, and how long it took (seconds)."""

    manifest: Manifest
    report: Report | None
    seconds: float


def restore(folder: Path, database: Database, *, secrets: bytes | None = None) -> Restored:
    """Restores a backup and proves it; `secrets` are the keys that came along, opened. The home gets its name once all
    of it is there and found sound.

    Raises Conflict where the home or the database is not empty, InvalidInput for a backup that is not as it was written
    or is of the other kind of database, NotReady while another restore makes the same home, EvenkeelError where it
    cannot be written or the doctor finds a difference. Nothing is left then.
    """
    started = time.monotonic()
    manifest = verify(folder)
    _check_kind(manifest, database)
    _check_schema(manifest)
    target = database.home.absolute()
    target = target.resolve() if target.is_symlink() else target
    _check_new(target)
    with written(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with under_way(target) as part, _database(database):
            report = _built(folder, manifest, msgspec.structs.replace(database, home=part), secrets=secrets)
            settle(part)
            _check_new(target)
            part.rename(target)
    if report is not None:
        report.database = database.shown
        report.durability |= {"file": str(target / _SQLITE[1])} if database.is_sqlite else {}
    return Restored(manifest=manifest, report=report, seconds=time.monotonic() - started)


def _database(database: Database) -> AbstractContextManager[None]:
    """Around what is made of a database of its own."""
    if database.is_sqlite:
        return nullcontext()
    from evenkeel.storage.backups import postgres

    return postgres.emptied(database)


def _built(folder: Path, manifest: Manifest, made: Database, *, secrets: bytes | None) -> Report | None:
    """Makes the home where it does not have its name yet, and has the doctor look at it."""
    home = made.home
    for name in CARRIED:
        copy_files(folder / name, home / name)
    if manifest.mode:
        (home / MODE).write_text(manifest.mode + "\n", encoding="utf-8")
    if secrets is not None:
        adopt_secrets(home, secrets)
    if manifest.audit is not None:
        Anchor(home).write(parsed(manifest.audit.head), manifest.audit.breaks)
    if manifest.kind == "sqlite":
        sqlite.place([folder / name for name in _SQLITE if (folder / name).is_file()], made)
    else:
        _fill(folder, manifest, made)
    if manifest.schema is not None:
        schema.upgrade(made)
    for shard in manifest.shards:
        catch_up(made, shard)  # the tables had been copied already while the journal still got records
    report = examine(made) if manifest.shards else None
    if report is not None and not report.ok:
        raise EvenkeelError(f"what {folder} makes is not sound: {report.differences[0]}", hint="take another backup")
    return report


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


def _check_new(home: Path) -> None:
    found = sorted(path.name for path in home.iterdir()) if home.is_dir() else []
    if found:
        raise Conflict(
            f"{home} is a home already, or holds something else: {', '.join(found[:5])}",
            hint="name a new folder with --home; a backup is never restored over what is there",
        )
    if home.is_mount():
        raise Conflict(f"{home} is where a disk is mounted", hint="name a new folder inside it with --home")
