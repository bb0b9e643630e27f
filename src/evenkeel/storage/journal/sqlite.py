"""The journal in a SQLite file of its own: write-ahead log, synchronous=FULL, one connection on one writer thread.

An append is one transaction that checks the lease's epoch and the end of the journal, inserts and commits. A failure
before COMMIT is definite; an input/output error during COMMIT is not, and closes the connection: after a failed sync
what the kernel still holds proves nothing, so the next call reads the file anew.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec

from evenkeel.domain.errors import CommitFailed, CommitUnknown, JournalCorrupt, JournalError, NotFound
from evenkeel.domain.records import Batch
from evenkeel.storage.database import reader_of
from evenkeel.storage.journal.chain import (
    COLUMNS,
    PAGE,
    SCHEMA,
    Head,
    StoredBatch,
    end_of,
    misplaced,
    row,
    sealed,
    stale,
    start,
    verified,
    written_by,
)
from evenkeel.storage.journal.checkpoints import MOST_PAGES, Checkpoints

_TABLES = """
CREATE TABLE IF NOT EXISTS leases (
  shard TEXT PRIMARY KEY, epoch INTEGER NOT NULL, holder TEXT NOT NULL, taken_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS journal (
  shard TEXT NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL CHECK (last_seq >= first_seq),
  epoch INTEGER NOT NULL, prev_hash BLOB NOT NULL, hash BLOB NOT NULL, body BLOB NOT NULL,
  schema INTEGER NOT NULL, committed_at INTEGER NOT NULL, PRIMARY KEY (shard, first_seq)
) STRICT;
CREATE TABLE IF NOT EXISTS writers (
  shard TEXT PRIMARY KEY, epoch INTEGER NOT NULL, settings TEXT NOT NULL, opened_at INTEGER NOT NULL
) STRICT;
"""
_INSERT = f"INSERT INTO journal ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_LAST = f"SELECT {COLUMNS} FROM journal WHERE shard = ? ORDER BY first_seq DESC LIMIT 1"  # noqa: S608
_ENDING = f"SELECT {COLUMNS} FROM journal WHERE shard = ? AND first_seq <= ? ORDER BY first_seq DESC LIMIT 1"  # noqa: S608
_NEXT = f"SELECT {COLUMNS} FROM journal WHERE shard = ? AND first_seq > ? ORDER BY first_seq LIMIT {PAGE}"  # noqa: S608
_LEASE = "SELECT epoch FROM leases WHERE shard = ?"
_OPENED = "INSERT OR REPLACE INTO writers (shard, epoch, settings, opened_at) VALUES (?, ?, ?, ?)"
_WRITER = "SELECT epoch, settings FROM writers WHERE shard = ?"
_TAKE = """
INSERT INTO leases (shard, epoch, holder, taken_at) VALUES (?, 1, ?, ?)
ON CONFLICT (shard) DO UPDATE SET epoch = epoch + 1, holder = excluded.holder, taken_at = excluded.taken_at
RETURNING epoch
"""
_SYNCHRONOUS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}
_WAIT = 5.0


def take_lease(path: Path, shard: str, holder: str) -> int:
    """Raises the shard's epoch durably and returns it; the caller holds the home's lock. Raises JournalError."""
    with _told(path, "cannot be opened for writing"), closing(_connect(path)) as connection:
        return int(connection.execute(_TAKE, (shard, holder, time.time_ns())).fetchone()[0])


class SqliteJournal:
    """Implements `trading.live.ports.Journal`; every method is called from one thread at a time."""

    def __init__(self, path: Path, shard: str, *, epoch: int, wall: Callable[[], int] = time.time_ns) -> None:
        self._path = path
        self._shard = shard
        self._epoch = epoch
        self._wall = wall
        self._connection: sqlite3.Connection | None = None
        self._checkpoints: Checkpoints | None = None
        self._head = Head()
        self.last_seq()
        self._say_how()

    @property
    def shard(self) -> str:
        return self._shard

    @property
    def epoch(self) -> int:
        return self._epoch

    def read(self, after_seq: int = 0) -> Iterator[Batch]:
        """Committed batches after `after_seq`, chain verified. Raises JournalCorrupt."""
        return _stream(self._open(), self._path, self._shard, after_seq)

    def append(self, body: bytes, first_seq: int, last_seq: int) -> Batch:
        """Commits one batch durably. Raises CommitFailed, CommitUnknown or StaleEpoch."""
        batch = sealed(Batch(self._shard, self._epoch, first_seq, last_seq, self._head.hash, body), self._wall())
        connection = self._ready()
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._check(connection, batch)
            connection.execute(_INSERT, row(batch))
        except sqlite3.Error as error:
            self._roll_back(connection)
            raise CommitFailed(_explained(self._path, error, "took nothing"), hint=_hint(error)) from error
        except JournalError:
            self._roll_back(connection)
            raise
        self._commit(connection)
        self._head = end_of(batch)
        if self._checkpoints is not None:
            self._checkpoints.written(len(body))
        return batch

    def last_seq(self) -> int:
        """The last committed sequence, read back from the file."""
        try:
            self._head = end_of(_one(self._open(), _LAST, (self._shard,)))
        except sqlite3.Error as error:
            self.close()
            raise JournalError(_explained(self._path, error, "cannot be read"), hint=_hint(error)) from error
        return self._head.last_seq

    def durability(self) -> dict[str, str]:
        return _settings(self._open(), self._path)

    def close(self) -> None:
        checkpoints, self._checkpoints = self._checkpoints, None
        if checkpoints is not None:
            checkpoints.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _say_how(self) -> None:
        """Leaves this connection's settings, as read back, for those who ask without owning it."""
        with _told(self._path, "cannot be written"):
            found = msgspec.json.encode(self.durability()).decode()
            self._open().execute(_OPENED, (self._shard, self._epoch, found, self._wall()))

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            with _told(self._path, "cannot be opened"):
                self._connection = _connect(self._path)
                self._checkpoints = Checkpoints(self._path)
        return self._connection

    def _ready(self) -> sqlite3.Connection:
        try:
            return self._open()
        except JournalError as error:
            raise CommitFailed(error.message, hint=error.hint) from error

    def _check(self, connection: sqlite3.Connection, batch: Batch) -> None:
        lease = connection.execute(_LEASE, (self._shard,)).fetchone()
        if lease is None or lease[0] != self._epoch:
            raise stale(self._shard, self._epoch, lease[0] if lease else 0)
        stored = end_of(_one(connection, _LAST, (self._shard,)))
        if (stored.last_seq + 1, stored.hash) != (batch.first_seq, batch.prev_hash):
            raise misplaced(batch, stored)

    def _commit(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if _primary(error) == sqlite3.SQLITE_IOERR:
                self.close()
                raise CommitUnknown(
                    _explained(self._path, error, "may or may not hold the batch"), hint=_hint(error)
                ) from error
            self._roll_back(connection)
            raise CommitFailed(_explained(self._path, error, "took nothing"), hint=_hint(error)) from error

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            self.close()


class SqliteReader:
    """A read-only connection: it never writes, checkpoints or waits for the writer."""

    def __init__(self, path: Path, shard: str) -> None:
        if not path.exists():
            raise NotFound(
                f"there is no journal at {path}", hint="name the home with --home, or start one with `evenkeel up`"
            )
        self._path = path
        self._shard = shard
        with _told(path):
            self._connection = _connect(path, read_only=True)

    @property
    def shard(self) -> str:
        return self._shard

    def shards(self) -> tuple[str, ...]:
        """Every shard that this file holds: none where its first start was killed before it had tables."""
        with _told(self._path):
            if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'leases'").fetchone():
                return ()
            return tuple(found[0] for found in self._connection.execute("SELECT shard FROM leases ORDER BY shard"))

    def read(self, after_seq: int = 0) -> Iterator[StoredBatch]:
        return _stream(self._connection, self._path, self._shard, after_seq)

    def last_seq(self) -> int:
        with _told(self._path):
            return end_of(_one(self._connection, _LAST, (self._shard,))).last_seq

    def epoch(self) -> int:
        with _told(self._path):
            found = self._connection.execute(_LEASE, (self._shard,)).fetchone()
        return int(found[0]) if found else 0

    def durability(self) -> dict[str, str]:
        """The settings of the last writer's connection, as it read them back itself, and the epoch it did so under; of
        a file that was brought here since then, those of this connection."""
        with _told(self._path):
            found = self._connection.execute(_WRITER, (self._shard,)).fetchone()
            told = written_by(found) if found else {}
            return told if told.get("file") == str(self._path) else _settings(self._connection, self._path)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    options: dict[str, Any] = {"timeout": _WAIT, "isolation_level": None, "check_same_thread": False}
    whole = f"{path.absolute().as_uri()}?mode=rwc"
    connection = reader_of(path, **options) if read_only else sqlite3.connect(whole, uri=True, **options)
    try:
        _prepare(connection, path, read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, read_only: bool) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA:
        raise JournalError(
            f"{path} has journal format {version}; this version knows up to {SCHEMA}",
            hint="open this home with the version that wrote it, or a newer one",
        )
    if read_only:
        return
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA fullfsync=ON")
    connection.execute("PRAGMA journal_size_limit=67108864")
    connection.execute(f"PRAGMA wal_autocheckpoint={MOST_PAGES}")
    if version < SCHEMA:
        path.chmod(0o600)
    connection.executescript(_TABLES + f"PRAGMA user_version = {SCHEMA};")
    settings = _settings(connection, path)
    if settings["journal_mode"] != "wal" or settings["synchronous"] != "FULL":
        raise JournalError(
            f"{path} would not be durable: journal_mode={settings['journal_mode']}, "
            f"synchronous={settings['synchronous']}, expected wal and FULL",
            hint="move the home to a local disk; network folders cannot hold it",
        )


def _settings(connection: sqlite3.Connection, path: Path) -> dict[str, str]:
    names = ("journal_mode", "synchronous", "fullfsync", "checkpoint_fullfsync", "wal_autocheckpoint", "locking_mode")
    values = {name: str(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in names}
    values["synchronous"] = _SYNCHRONOUS[int(values["synchronous"])]
    return {"database": "sqlite", "version": sqlite3.sqlite_version, "file": str(path), **values}


def _stream(connection: sqlite3.Connection, path: Path, shard: str, after_seq: int) -> Iterator[StoredBatch]:
    with _told(path):
        before = _one(connection, _ENDING, (shard, after_seq)) if after_seq else None
        head = start(before, shard, after_seq)
        yield from verified(_pages(connection, shard, head.last_seq), head)


def _pages(connection: sqlite3.Connection, shard: str, after: int) -> Iterator[StoredBatch]:
    """Short reads, so that a slow consumer never holds back the writer's checkpoints."""
    while rows := connection.execute(_NEXT, (shard, after)).fetchall():
        for found in rows:
            batch = StoredBatch(*found)
            after = batch.first_seq
            yield batch


def _one(connection: sqlite3.Connection, query: str, values: tuple[object, ...]) -> StoredBatch | None:
    found = connection.execute(query, values).fetchone()
    return StoredBatch(*found) if found else None


@contextmanager
def _told(path: Path, what: str = "cannot be read") -> Iterator[None]:
    """Turns the driver's errors into JournalCorrupt for a damaged file, else JournalError."""
    try:
        yield
    except sqlite3.Error as error:
        damaged = _primary(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        kind = JournalCorrupt if damaged else JournalError
        raise kind(_explained(path, error, what), hint=_hint(error)) from error


def _primary(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _explained(path: Path, error: sqlite3.Error, what: str) -> str:
    return f"the journal {path} {what}: {error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"


def _hint(error: sqlite3.Error) -> str:
    return {
        sqlite3.SQLITE_FULL: "the disk is full: make room; trading stops until the journal can be written",
        sqlite3.SQLITE_BUSY: "another program holds the file open for writing: close it (a database browser?)",
        sqlite3.SQLITE_LOCKED: "another program holds the file locked: close it",
        sqlite3.SQLITE_IOERR: "the disk reported an error: check it and the system log before going on",
        sqlite3.SQLITE_READONLY: "the file or its folder cannot be written: check owner and permissions",
        sqlite3.SQLITE_CANTOPEN: "the folder cannot be opened or written: check that it exists, and its owner",
        sqlite3.SQLITE_CORRUPT: "the file is damaged: run `evenkeel doctor`, and restore a backup if it agrees",
        sqlite3.SQLITE_NOTADB: "this is not a database: check --home, and restore a backup if it is the right one",
    }.get(_primary(error), "run `evenkeel doctor` on this home")
