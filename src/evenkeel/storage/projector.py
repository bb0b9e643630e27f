"""The projector: reads the journal behind the runner and keeps the projections, each group in one transaction.

It always reads from the journal, in its own thread on its own connections, so a restart, a slow disk or a pause only
makes it late. The stored cursor names the hash of the batch it stands on: where the journal does not agree (an older
copy was restored), or the projections are another version's, they are made again from the first record.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import structlog
from sqlalchemy import Connection, Engine, delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from evenkeel.domain.errors import EvenkeelError, JournalCorrupt, NotFound
from evenkeel.domain.records import decode
from evenkeel.storage import projections
from evenkeel.storage.database import Database
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.following import Follower
from evenkeel.storage.journal import JournalReader, StoredBatch, open_reader
from evenkeel.storage.projections import Place
from evenkeel.storage.tables import PROJECTED
from evenkeel.storage.tables.system import projection_cursors as cursors

log = structlog.get_logger(__name__)
NAME = "all"
GROUP = 4_000
PAUSE = 0.05
LONGEST_WAIT = 5.0
CROWD, MOST_LATE = 200, 400_000
BREAK, LONGEST_BREAK = 3.0, 1.0


class Cursor(NamedTuple):
    """Where the stored projections stand: a sequence, the hash of the batch that ends there, and their version."""

    seq: int
    batch_hash: bytes
    version: int


class Projector(Follower):
    """Keeps one shard's projections: `start` it as a subscriber of the runner, or call `catch_up` or `rebuild`.

    `on_change` is called, in its thread, whenever `seq`, `is_placed` or `fault` has changed. It `gives_way` to whoever
    commits in the same process.
    """

    def __init__(
        self,
        database: Database,
        shard: str,
        on_change: Callable[[], None] | None = None,
        *,
        gives_way: bool = True,
    ) -> None:
        super().__init__(shard)
        self._database = database
        self._engine: Engine = sync_engine(database, "project")
        self._unit = projections.unit_of(shard)
        self._reader: JournalReader | None = None
        self._ahead: Iterator[StoredBatch] | None = None
        self._on_change = on_change or (lambda: None)
        self._gives_way = gives_way
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def follows(self) -> bool:
        return self._thread is not None

    def follow(self, seq: int) -> None:
        self._target = seq
        self._wake.set()

    def hasten(self) -> None:
        self._hurry.set()

    def start(self) -> None:
        """Begins to catch up and to follow, in a thread."""
        self._thread = threading.Thread(target=self._follow, name="evenkeel-projector", daemon=True)
        self._thread.start()
        self._wake.set()

    def stop(self, timeout: float = 10.0) -> None:
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)
            self._done.give_up()
            if self._thread.is_alive():
                self._left_behind()
                return
            self._thread = None
        self.close()

    def close(self) -> None:
        self._shut()
        self._engine.dispose()

    def _shut(self) -> None:
        self._ahead = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def catch_up(self) -> int:
        """Projects all that the journal holds now, and returns the sequence reached. Raises EvenkeelError."""
        while self.advance():
            pass
        return self.seq

    def rebuild(self) -> int:
        """Empties the projections of this shard and makes them again from the first record."""
        self.empty()
        return self.catch_up()

    def empty(self) -> None:
        """Forgets all that is projected of this shard; what the journal holds is then projected again."""
        with self._engine.begin() as connection:
            for table in (*PROJECTED, cursors):
                connection.execute(delete(table).where(table.c.shard == self.shard))
        self._ahead = None
        self._unit.clear()
        self._done.reach(0)
        self._placed()

    def advance(self) -> bool:
        """Projects the next group of batches in one transaction; False when there is none. Raises EvenkeelError."""
        reader = self._open()
        if not self.is_placed:
            self._begin(reader)
        group = self._next_group(reader)
        if not group:
            self._target = max(self._target, self.seq)
            return False
        self._target = max(self._target, group[-1].last_seq)
        try:
            with self._engine.begin() as connection:
                self._write(connection, group)
        except BaseException:
            self._ahead = None
            self._unit.clear()
            raise
        self._done.reach(group[-1].last_seq)
        self._on_change()
        return True

    def _next_group(self, reader: JournalReader) -> list[StoredBatch]:
        """Whole batches of together about GROUP records; what was read beyond them is kept for the next time."""
        if self._ahead is None:
            self._ahead = reader.read(self.seq)
        group, count = list[StoredBatch](), 0
        ahead, self._ahead = self._ahead, None
        for batch in ahead:
            group.append(batch)
            count += batch.last_seq - batch.first_seq + 1
            if count >= GROUP:
                self._ahead = ahead
                break
        return group

    def _open(self) -> JournalReader:
        if self._reader is None:
            self._reader = open_reader(self._database, self.shard)
        return self._reader

    def _begin(self, reader: JournalReader) -> None:
        """Goes on from the stored cursor, or from the first record where the journal does not agree with it."""
        self._ahead = None
        with self._engine.connect() as connection:
            stored = stored_cursor(connection, self.shard)
        if stored is not None and (stored.version != projections.VERSION or not agrees(reader, stored)):
            log.warning("projections are made again from the journal", shard=self.shard, cursor=stored.seq)
            self.empty()
        else:
            self._done.reach(stored.seq if stored is not None else 0)
            self._placed()

    def _placed(self) -> None:
        self.is_placed = True
        self._on_change()

    def _write(self, connection: Connection, group: list[StoredBatch]) -> None:
        unit = self._unit
        unit.connection = connection
        for batch in group:
            for seq, record in enumerate(decode(batch.body), batch.first_seq):
                projections.project(unit, Place(seq, batch.committed_at), record)
        unit.flush(projections.is_closed)
        self._move_cursor(connection, group[-1])
        unit.connection = None

    def _move_cursor(self, connection: Connection, batch: StoredBatch) -> None:
        where = (cursors.c.shard == self.shard, cursors.c.name == NAME, cursors.c.seq == self.seq)
        moved = connection.execute(
            update(cursors).where(*where).values(seq=batch.last_seq, batch_hash=batch.hash, version=projections.VERSION)
        )
        if moved.rowcount == 1:
            return
        if self.seq:
            raise EvenkeelError(
                f"the projections of {self.shard} were moved from {self.seq} by another process",
                hint="let only one process own this home",
            )
        connection.execute(
            cursors.insert().values(
                shard=self.shard,
                name=NAME,
                seq=batch.last_seq,
                batch_hash=batch.hash,
                version=projections.VERSION,
            )
        )

    def _follow(self) -> None:
        failures = 0
        while not (self._stopping.is_set() and (self.lag == 0 or failures)):
            self._wake.wait(timeout=None if not failures else min(LONGEST_WAIT, 0.1 * 2 ** min(failures, 10)))
            self._wake.clear()
            try:
                self._keep_up()
                failures = 0
                self._recovered()
            except NotFound:
                failures = 0
            except Exception as error:  # noqa: BLE001 - whatever it is, projections are late and say so
                failures += 1
                self._stumbled(error)
            self._hurry.wait(0 if self._stopping.is_set() else PAUSE)
            self._hurry.clear()

    def _keep_up(self) -> None:
        """As `catch_up`; where it gives way, most of the time is left to whoever commits while many records arrive."""
        while True:
            target, began = self._target, time.perf_counter()
            if not self.advance():
                return
            if self._gives_way and self._target - target >= CROWD and self.lag < MOST_LATE:
                self._stopping.wait(min(LONGEST_BREAK, BREAK * (time.perf_counter() - began)))

    def _recovered(self) -> None:
        if self.fault is not None:
            self.fault = None
            self._on_change()

    def _stumbled(self, error: Exception) -> None:
        self.fault = (str(error) or type(error).__name__).splitlines()[0]
        traced = None if isinstance(error, EvenkeelError | SQLAlchemyError | sqlite3.Error | OSError) else error
        log.error("projections are late", shard=self.shard, seq=self.seq, error=self.fault, exc_info=traced)
        self.is_placed = False
        self._done.give_up()
        self._on_change()
        self._shut()


def catch_up(database: Database, shard: str) -> int:
    """Brings tables that nobody keeps at present level with the journal; where that is. Raises EvenkeelError."""
    projector = Projector(database, shard)
    try:
        return projector.catch_up()
    finally:
        projector.close()


def stored_cursor(connection: Connection, shard: str) -> Cursor | None:
    """How far the projections of a shard have come; None before the first batch."""
    query = select(cursors.c.seq, cursors.c.batch_hash, cursors.c.version)
    found = connection.execute(query.where(cursors.c.shard == shard, cursors.c.name == NAME)).first()
    return Cursor(*found) if found is not None else None


def agrees(reader: JournalReader, stored: Cursor) -> bool:
    """Whether the journal has, where the cursor stands, the end of the very batch it names."""
    try:
        batch = next(reader.read(stored.seq - 1), None)
    except JournalCorrupt:
        return False
    return batch is not None and (batch.last_seq, batch.hash) == (stored.seq, stored.batch_hash)
