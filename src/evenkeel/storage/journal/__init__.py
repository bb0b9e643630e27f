"""The journal: the append-only log of committed batches, on SQLite or PostgreSQL through their plain drivers.

Nothing here imports SQLAlchemy: a home opens its journal before anything else, and quickly. Both journals keep two
tables of their own, `journal` and `leases`, with a schema version apart from the migrations of the projections.
"""

from evenkeel.domain.records import AnyRecord, decode
from evenkeel.storage.database import Database
from evenkeel.storage.journal.chain import JournalReader, StoredBatch
from evenkeel.trading.live.ports import Journal

__all__ = ["JournalReader", "StoredBatch", "latest", "open_journal", "open_reader", "shards_of"]


def open_journal(database: Database, shard: str, *, epoch: int) -> Journal:
    """The journal of a shard, to be appended to under a lease's epoch. Raises JournalError."""
    if database.is_sqlite:
        from evenkeel.storage.journal.sqlite import SqliteJournal

        return SqliteJournal(database.journal_file, shard, epoch=epoch)
    from evenkeel.storage.journal.postgres import PostgresJournal

    return PostgresJournal(database.dsn, shard, epoch=epoch)


def open_reader(database: Database, shard: str) -> JournalReader:
    """A read-only view of a shard's journal, on a running home as on one just killed. Raises NotFound, JournalError."""
    if database.is_sqlite:
        from evenkeel.storage.journal.sqlite import SqliteReader

        return SqliteReader(database.journal_file, shard)
    from evenkeel.storage.journal.postgres import PostgresReader

    return PostgresReader(database.dsn, shard)


def shards_of(database: Database) -> tuple[str, ...]:
    """The shards whose journals this database holds. Raises NotFound, JournalError."""
    with open_reader(database, "") as reader:
        return reader.shards()


def latest(database: Database, shard: str, count: int) -> tuple[tuple[int, AnyRecord], ...]:
    """The last `count` committed records with their sequences, oldest first. Raises NotFound, JournalError."""
    with open_reader(database, shard) as reader:
        after = max(0, reader.last_seq() - count)
        found = [pair for batch in reader.read(after) for pair in enumerate(decode(batch.body), batch.first_seq)]
    return tuple(found[-count:]) if count else ()
