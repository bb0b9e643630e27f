"""Ownership: one process owns a home, and under an epoch each shard it trades.

With SQLite the home's lock is enough, and the epoch counts its takings. With PostgreSQL the shard's lease decides as
well, since two homes on two machines may name one database.
"""

from collections.abc import Callable
from typing import Protocol, Self

from evenkeel.storage.database import Database
from evenkeel.storage.holder import this_process
from evenkeel.storage.homelock import HomeLock
from evenkeel.storage.journal import open_journal
from evenkeel.storage.journal.sqlite import take_lease
from evenkeel.trading.live.ports import Journal


class _Leases(Protocol):
    def take(self, shard: str) -> int: ...

    def release(self) -> None: ...


class Owner:
    """The owner of one home, from construction to `release`.

    Raises HomeInUse, naming the pid, when another process has it. `on_lost(shard, reason)` is called from another
    thread when a lease is lost; nothing more can then be committed for that shard.
    """

    def __init__(self, database: Database, *, on_lost: Callable[[str, str], None] | None = None) -> None:
        self.database = database
        self._lock = HomeLock(database.home)
        try:
            self._leases = _leases(database, on_lost)
        except BaseException:
            self._lock.release()
            raise

    def take(self, shard: str) -> int:
        """Takes a shard and returns its new epoch, stored durably. Raises HomeInUse or JournalError."""
        return self._leases.take(shard)

    def journal(self, shard: str) -> Journal:
        """Takes a shard and opens its journal under the new epoch. Raises HomeInUse or JournalError."""
        return open_journal(self.database, shard, epoch=self.take(shard))

    def release(self) -> None:
        self._leases.release()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


class _FileLeases:
    """Epochs in the journal file; the home's lock keeps other owners away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, shard: str) -> int:
        return take_lease(self._database.journal_file, shard, this_process().encode())

    def release(self) -> None:
        """The lock of the home is the lease."""


def _leases(database: Database, on_lost: Callable[[str, str], None] | None) -> _Leases:
    if database.is_sqlite:
        return _FileLeases(database)
    from evenkeel.storage.leases import PostgresLeases

    return PostgresLeases(database.dsn, on_lost=on_lost)
