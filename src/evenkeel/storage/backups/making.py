"""Making a backup: a folder that gets its name once it is whole and has been read back; and looking at one again."""

import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from evenkeel.domain.errors import EvenkeelError, InvalidInput
from evenkeel.storage import schema
from evenkeel.storage.backup import RESEARCH, copy_files, stamp
from evenkeel.storage.backups import sqlite
from evenkeel.storage.backups.log import end_of_log, seen_before
from evenkeel.storage.backups.manifest import (
    KEYS,
    Backup,
    Manifest,
    ShardEnd,
    TableEntry,
    check_files,
    entry,
    read,
    write,
)
from evenkeel.storage.backups.parts import leftovers, settle, sweep, under_way, written
from evenkeel.storage.database import Database
from evenkeel.storage.repositories.audit import Anchor

PREFIX = "evenkeel-"
FOLDER = "backups"
MODE = "mode"
CARRIED = (RESEARCH, "strategies")
"""Folders of a home that come along: results of backtests, and strategy files."""


def make(
    database: Database,
    folder: Path | None = None,
    *,
    version: str,
    server_keys: tuple[str, ...] = (),
    sealed_keys: bytes | None = None,
) -> Backup:
    """Backs a home up into a new folder inside `folder` (default: `backups` in the home), and reads it back.

    `version` is this program's, `server_keys` are the fingerprints of the keys it needs, and `sealed_keys` is what lets
    it be opened without them.
    Raises NotFound for an empty home, EvenkeelError where it cannot be written, or is not right when it is read back;
    no half backup stays.
    """
    check_something(database)
    place = (folder or database.home / FOLDER).absolute()
    target = place / f"{PREFIX}{stamp()}"
    with written(target):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(place, f"{PREFIX}*")
        with under_way(target) as part:
            manifest = _filled(database, part, version=version, server_keys=server_keys, sealed_keys=sealed_keys)
            write(part, manifest)
            verify(part)
            settle(part)
            part.rename(target)
    return Backup(target, manifest)


def half_made(folder: Path) -> tuple[Path, ...]:
    """What backups that were killed have left in a folder; the next one removes it."""
    return leftovers(folder, f"{PREFIX}*")


def check_something(database: Database) -> None:
    """Before anything is written where there is nothing. Raises NotFound for an empty home."""
    if database.is_sqlite:
        sqlite.sources_of(database)


def verify(folder: Path) -> Manifest:
    """Reads a backup back: every file's hash, the hash chain of every journal, and on SQLite what the doctor says.

    Raises InvalidInput, JournalCorrupt or EvenkeelError with the first fault.
    """
    manifest = read(folder)
    check_files(folder, manifest)
    found = _ends_of(folder, manifest)
    if found != manifest.shards:
        raise InvalidInput(
            f"{folder}: the journal ends at {_said(found)}, and the manifest says {_said(manifest.shards)}"
        )
    if manifest.audit is not None and str(end_of_log(folder, manifest.tables)[0]) != manifest.audit.head:
        raise InvalidInput(f"{folder}: the audit log does not end with {manifest.audit.head}, as the manifest says")
    if manifest.kind == "sqlite" and manifest.shards:
        _examine(folder)
    return manifest


def backups_in(folder: Path) -> tuple[Backup, ...]:
    """The backups in a folder, newest first; what cannot be read as one is left out."""
    found = []
    for path in sorted(folder.glob(f"{PREFIX}*"), reverse=True):
        try:
            found.append(Backup(path, read(path)))
        except EvenkeelError:
            continue
    return tuple(found)


def _filled(
    database: Database, part: Path, *, version: str, server_keys: tuple[str, ...], sealed_keys: bytes | None
) -> Manifest:
    made_at, kept = time.time_ns(), Anchor(database.home).kept()
    tables: tuple[TableEntry, ...] = ()
    if database.is_sqlite:
        paths = list(sqlite.copy(database, part))
        shards = _shards(Database(part))
        stored = schema.current(Database(part))
    else:
        from evenkeel.storage.backups import postgres

        stored = schema.current(database)
        tables, dumped = postgres.dump(database, part)
        paths, shards = list(dumped), postgres.ends(part, tables)
    paths += _carried(database, part, sealed_keys)
    mode = database.home / MODE
    return Manifest(
        made_at=made_at,
        version=version,
        kind="sqlite" if database.is_sqlite else "postgresql",
        mode=mode.read_text(encoding="utf-8").strip() if mode.is_file() else "",
        schema=stored,
        shards=shards,
        server_keys=server_keys,
        has_keys=sealed_keys is not None,
        audit=seen_before(kept, part, tables, at=made_at),
        tables=tables,
        files=tuple(entry(part, path) for path in paths),
    )


def _carried(database: Database, part: Path, sealed_keys: bytes | None) -> list[Path]:
    """What comes along beside the database."""
    paths = [path for name in CARRIED for path in copy_files(database.home / name, part / name)]
    if sealed_keys is not None:
        keys = part / KEYS
        keys.write_bytes(sealed_keys)
        keys.chmod(0o600)
        paths.append(keys)
    return paths


def _ends_of(folder: Path, manifest: Manifest) -> dict[str, ShardEnd]:
    if manifest.kind == "sqlite":
        return _shards(Database(folder))
    from evenkeel.storage.backups import postgres

    return postgres.ends(folder, manifest.tables)


def _shards(database: Database) -> dict[str, ShardEnd]:
    """Where each journal ends, walked along its hash chain from the beginning. Raises JournalCorrupt."""
    from evenkeel.storage.journal import open_reader, shards_of

    if not database.journal_file.exists():
        return {}
    ends = {}
    for shard in shards_of(database):
        with closing(open_reader(database, shard)) as reader:
            last = None
            for batch in reader.read():
                last = batch
            if last is not None:
                ends[shard] = ShardEnd(last.last_seq, last.hash.hex())
    return ends


def _examine(folder: Path) -> None:
    from evenkeel.storage.doctor import examine

    report = examine(Database(folder))
    if not report.ok:
        raise EvenkeelError(
            f"{folder} was copied whole, and is not sound: {report.differences[0]}",
            hint="run `evenkeel doctor` on the home itself: it says the same where the fault lies there",
        )


def _said(shards: Mapping[str, ShardEnd]) -> str:
    return ", ".join(f"{one.last_seq} ({one.hash[:12]})" for one in shards.values()) or "nothing"
