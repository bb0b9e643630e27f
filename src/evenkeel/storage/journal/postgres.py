"""The journal in PostgreSQL: synchronous_commit=on, one statement and one round trip per batch.

That statement locks the lease row against a taker (FOR KEY SHARE, which a heartbeat does not wait for), checks its
epoch and the end of the journal, and inserts. A connection lost while it runs leaves the outcome unknown; one found
lost before leaves nothing written.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self, cast

import msgspec
import psycopg
from psycopg import errors
from psycopg.conninfo import make_conninfo

from evenkeel.domain.errors import CommitFailed, CommitUnknown, JournalError, NotFound
from evenkeel.domain.records import Batch
from evenkeel.storage.journal.chain import (
    COLUMNS,
    PAGE,
    SCHEMA,
    Head,
    StoredBatch,
    end_of,
    misplaced,
    sealed,
    stale,
    start,
    verified,
    written_by,
)

Connection = psycopg.Connection[tuple[Any, ...]]

_TABLES = """
SELECT pg_advisory_xact_lock(7221604251);
CREATE TABLE IF NOT EXISTS journal_schema (version integer NOT NULL);
CREATE TABLE IF NOT EXISTS leases (
  shard text PRIMARY KEY, epoch bigint NOT NULL, holder text NOT NULL, token text NOT NULL,
  taken_at timestamptz NOT NULL, expires_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS journal (
  shard text NOT NULL, first_seq bigint NOT NULL, last_seq bigint NOT NULL CHECK (last_seq >= first_seq),
  epoch bigint NOT NULL, prev_hash bytea NOT NULL, hash bytea NOT NULL, body bytea NOT NULL,
  schema integer NOT NULL, committed_at bigint NOT NULL, PRIMARY KEY (shard, first_seq)
);
CREATE TABLE IF NOT EXISTS writers (
  shard text PRIMARY KEY, epoch bigint NOT NULL, settings text NOT NULL, opened_at timestamptz NOT NULL
);
INSERT INTO journal_schema SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM journal_schema);
"""
_INSERT = f"""
WITH lease AS MATERIALIZED (SELECT epoch FROM leases WHERE shard = %(shard)s FOR KEY SHARE),
     ending AS (SELECT last_seq, hash FROM journal WHERE shard = %(shard)s ORDER BY first_seq DESC LIMIT 1)
INSERT INTO journal ({COLUMNS})
SELECT %(shard)s, %(epoch)s, %(first)s, %(last)s, %(prev)s, %(body)s, %(hash)s, %(schema)s, %(at)s
FROM lease LEFT JOIN ending ON true
WHERE lease.epoch = %(epoch)s
  AND coalesce(ending.last_seq, 0) + 1 = %(first)s AND coalesce(ending.hash, %(genesis)s) = %(prev)s
RETURNING first_seq
"""  # noqa: S608
_LAST = f"SELECT {COLUMNS} FROM journal WHERE shard = %s ORDER BY first_seq DESC LIMIT 1"  # noqa: S608
_ENDING = f"SELECT {COLUMNS} FROM journal WHERE shard = %s AND first_seq <= %s ORDER BY first_seq DESC LIMIT 1"  # noqa: S608
_NEXT = f"SELECT {COLUMNS} FROM journal WHERE shard = %s AND first_seq > %s ORDER BY first_seq LIMIT {PAGE}"  # noqa: S608
_LEASE = "SELECT epoch FROM leases WHERE shard = %s"
_OPENED = """
INSERT INTO writers (shard, epoch, settings, opened_at) VALUES (%s, %s, %s, clock_timestamp())
ON CONFLICT (shard) DO UPDATE SET epoch = excluded.epoch, settings = excluded.settings, opened_at = excluded.opened_at
"""
_WRITER = "SELECT epoch, settings FROM writers WHERE shard = %s"
_LIMITS = {
    "connect_timeout": 10,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_SETTINGS = ("synchronous_commit", "fsync", "full_page_writes", "wal_sync_method", "server_version")


def connect(dsn: str, purpose: str) -> Connection:
    """A connection that notices a dead server within seconds. Raises JournalError."""
    try:
        return psycopg.connect(make_conninfo(dsn, application_name=f"evenkeel {purpose}", **_LIMITS), autocommit=True)
    except psycopg.Error as error:
        raise JournalError(
            f"PostgreSQL cannot be reached: {_first_line(error)}",
            hint="check that the server runs and that the database URL names the right host, user and database",
        ) from error


def ensure_tables(connection: Connection) -> None:
    """Creates the journal's two tables where they are missing. Raises JournalError on a newer format."""
    with connection.transaction():
        connection.execute(_TABLES)
    found = connection.execute("SELECT max(version) FROM journal_schema").fetchone()
    version = int(found[0]) if found else 0
    if version > SCHEMA:
        raise JournalError(
            f"this database has journal format {version}; this version knows up to {SCHEMA}",
            hint="open it with the version that wrote it, or a newer one",
        )


class PostgresJournal:
    """Implements `trading.live.ports.Journal`; every method is called from one thread at a time."""

    def __init__(self, dsn: str, shard: str, *, epoch: int, wall: Callable[[], int] = time.time_ns) -> None:
        self._dsn = dsn
        self._shard = shard
        self._epoch = epoch
        self._wall = wall
        self._connection: Connection | None = None
        self._head = Head()
        try:
            ensure_tables(self._open())
            self.last_seq()
            self._say_how()
        except BaseException:
            self.close()
            raise

    @property
    def shard(self) -> str:
        return self._shard

    @property
    def epoch(self) -> int:
        return self._epoch

    def read(self, after_seq: int = 0) -> Iterator[Batch]:
        """Committed batches after `after_seq`, chain verified. Raises JournalCorrupt."""
        return _stream(self._open(), self._shard, after_seq)

    def append(self, body: bytes, first_seq: int, last_seq: int) -> Batch:
        """Commits one batch durably. Raises CommitFailed, CommitUnknown or StaleEpoch."""
        batch = sealed(Batch(self._shard, self._epoch, first_seq, last_seq, self._head.hash, body), self._wall())
        connection = self._ready()
        try:
            inserted = connection.execute(_INSERT, _values(batch)).fetchone()
        except errors.UniqueViolation as error:
            raise misplaced(batch, self._head) from error
        except psycopg.Error as error:
            raise self._mapped(error) from error
        if inserted is None:
            raise self._refusal(connection, batch)
        self._head = end_of(batch)
        return batch

    def last_seq(self) -> int:
        """The last committed sequence, read back from the server, on a new connection where the old one is lost."""
        self._head = end_of(self._query(_LAST, (self._shard,)))
        return self._head.last_seq

    def durability(self) -> dict[str, str]:
        return settings(self._open())

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _say_how(self) -> None:
        """Leaves this connection's settings, as read back, for those who ask without owning it."""
        with _told("cannot be written"):
            found = msgspec.json.encode(self.durability()).decode()
            self._open().execute(_OPENED, (self._shard, self._epoch, found))

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            connection = connect(self._dsn, "journal")
            connection.execute("SET synchronous_commit = on")
            connection.execute("SET statement_timeout = '15s'")
            if (found := settings(connection)["synchronous_commit"]) != "on":
                connection.close()
                raise JournalError(f"the server keeps synchronous_commit at {found!r}; the journal needs 'on'")
            self._connection = connection
        return self._connection

    def _ready(self) -> Connection:
        try:
            return self._open()
        except (JournalError, psycopg.Error) as error:
            raise CommitFailed(
                f"nothing was written: {_first_line(error)}", hint=getattr(error, "hint", None)
            ) from error

    def _query(self, query: str, values: tuple[object, ...]) -> StoredBatch | None:
        try:
            with _told("cannot be read back"):
                return _one(self._open(), query, values)
        except JournalError:
            self.close()
            raise

    def _mapped(self, error: psycopg.Error) -> JournalError:
        text = _first_line(error)
        if self._connection is not None and self._connection.closed:
            self.close()
            return CommitUnknown(f"the connection was lost while a batch was being committed: {text}")
        return CommitFailed(f"PostgreSQL took nothing: {text}", hint=_hint(error))

    def _refusal(self, connection: Connection, batch: Batch) -> JournalError:
        try:
            lease = connection.execute(_LEASE, (self._shard,)).fetchone()
            end = end_of(_one(connection, _LAST, (self._shard,)))
        except psycopg.Error as error:
            return CommitFailed(f"nothing was written, and the reason cannot be read: {_first_line(error)}")
        if lease is None or lease[0] != self._epoch:
            return stale(self._shard, self._epoch, int(lease[0]) if lease else 0)
        return misplaced(batch, end)


class PostgresReader:
    """A read-only connection to one shard's journal."""

    def __init__(self, dsn: str, shard: str) -> None:
        self._shard = shard
        self._connection = connect(dsn, "reader")
        with _told():
            self._connection.execute("SET default_transaction_read_only = on")
            found = self._connection.execute("SELECT to_regclass('writers') IS NOT NULL").fetchone()
        if found is None or not found[0]:
            self._connection.close()
            raise NotFound("this database holds no journal", hint="check the database URL, or run `evenkeel up`")

    @property
    def shard(self) -> str:
        return self._shard

    def shards(self) -> tuple[str, ...]:
        """Every shard that this database holds."""
        with _told():
            return tuple(found[0] for found in self._connection.execute("SELECT shard FROM leases ORDER BY shard"))

    def read(self, after_seq: int = 0) -> Iterator[StoredBatch]:
        return _stream(self._connection, self._shard, after_seq)

    def last_seq(self) -> int:
        with _told():
            return end_of(_one(self._connection, _LAST, (self._shard,))).last_seq

    def epoch(self) -> int:
        with _told():
            found = self._connection.execute(_LEASE, (self._shard,)).fetchone()
        return int(found[0]) if found else 0

    def durability(self) -> dict[str, str]:
        """The settings of the last writer's connection, as it read them back itself, and the epoch it did so under."""
        with _told():
            found = self._connection.execute(_WRITER, (self._shard,)).fetchone()
            return written_by((found[0], found[1])) if found else settings(self._connection)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def settings(connection: Connection) -> dict[str, str]:
    """What makes a commit durable, as the live connection has it."""
    found = connection.execute("SELECT " + ", ".join(f"current_setting('{name}')" for name in _SETTINGS)).fetchone()
    values = dict(zip(_SETTINGS, cast("tuple[str, ...]", found), strict=True))
    return {"database": "postgresql", "version": values.pop("server_version"), **values}


def _values(batch: StoredBatch) -> dict[str, object]:
    return {
        "shard": batch.shard,
        "epoch": batch.epoch,
        "first": batch.first_seq,
        "last": batch.last_seq,
        "prev": batch.prev_hash,
        "body": batch.body,
        "hash": batch.hash,
        "schema": batch.schema,
        "at": batch.committed_at,
        "genesis": Head().hash,
    }


def _stream(connection: Connection, shard: str, after_seq: int) -> Iterator[StoredBatch]:
    with _told():
        before = _one(connection, _ENDING, (shard, after_seq)) if after_seq else None
        head = start(before, shard, after_seq)
        yield from verified(_pages(connection, shard, head.last_seq), head)


def _pages(connection: Connection, shard: str, after: int) -> Iterator[StoredBatch]:
    while rows := connection.execute(_NEXT, (shard, after), binary=True).fetchall():
        for found in rows:
            batch = StoredBatch(*found)
            after = batch.first_seq
            yield batch


def _one(connection: Connection, query: str, values: tuple[object, ...]) -> StoredBatch | None:
    found = connection.execute(query, values, binary=True).fetchone()
    return StoredBatch(*found) if found else None


@contextmanager
def _told(what: str = "cannot be read") -> Iterator[None]:
    """Turns the driver's errors into JournalError."""
    try:
        yield
    except psycopg.Error as error:
        raise JournalError(f"the journal {what}: {_first_line(error)}", hint=_hint(error)) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _hint(error: psycopg.Error) -> str:
    if isinstance(error, errors.DiskFull):
        return "the server's disk is full: make room; trading stops until the journal can be written"
    if isinstance(error, errors.QueryCanceled):
        return "the server did not answer in time: check its load and what blocks it"
    if isinstance(error, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction):
        return "the user of the database URL must be able to write: check its rights, and that this is the primary"
    return "check the server's log"
