"""Checkpoints of a SQLite journal beside its commits: nobody waits while its log is copied into the file.

By itself SQLite would do so within the commit that makes the log long, which then takes many times as long as others.
Another connection does it here, once nothing is committed for a moment, or soon. What is copied is synced in the log
before; where it cannot be copied it stays there, and is copied later, at the latest by the writer.
"""

import sqlite3
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import structlog

log = structlog.get_logger(__name__)
EVERY = 4 * 2**20
MOST_PAGES = 16_384
"""How long the log may become before the writer copies it after all, as under a load that never pauses: 64 MB."""
_PAUSE = 0.02
_LONGEST = 0.5
_PASSES = 8
_ROW = 4_096


class Checkpoints:
    """Tell it what has been `written`, and `close` it before the writer's connection."""

    def __init__(self, path: Path) -> None:
        self._uri = f"{path.absolute().as_uri()}?mode=rw"  # makes no new file where the home has been moved away
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._under_way: Future[None] | None = None
        self._closed = Event()
        self._size = 0
        self._last = 0.0

    def written(self, size: int) -> None:
        """So many bytes have been committed; after `EVERY` of them a checkpoint is due."""
        self._last = time.monotonic()
        self._size += size + _ROW
        if self._size >= EVERY and (self._under_way is None or self._under_way.done()):
            self._size = 0
            try:
                self._under_way = self._worker.submit(self._run)
            except RuntimeError as error:  # no thread can be started: the batch is committed all the same
                self._warn(error)

    def close(self) -> None:
        """Returns once nothing is under way."""
        self._closed.set()
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _run(self) -> None:
        since = time.monotonic()
        while (now := time.monotonic()) < min(self._last + _PAUSE, since + _LONGEST):
            if self._closed.wait(min(self._last + _PAUSE, since + _LONGEST) - now):
                return
        try:
            with closing(sqlite3.connect(self._uri, uri=True, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("PRAGMA fullfsync=ON")
                for _ in range(_PASSES):
                    _, length, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    if copied == length:  # the log begins anew with the next commit
                        return
        except sqlite3.Error as error:
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        log.warning("the journal's log was not copied into its file yet", file=self._uri, error=str(error))
