"""The journal on both databases: order, durability, fencing, and what a reader sees."""

import sqlite3
import threading
from contextlib import closing

import psycopg
import pytest

from evenkeel.domain.errors import CommitFailed, JournalCorrupt, JournalError, NotFound, StaleEpoch
from evenkeel.domain.records import GENESIS, AlertRaised, chain_hash, decode, encode
from evenkeel.storage.database import Database
from evenkeel.storage.journal import open_journal, open_reader
from evenkeel.storage.ownership import Owner
from evenkeel.trading.live.ports import Journal

SHARD = "user-1"


def body(first: int, last: int) -> bytes:
    return encode(
        tuple(
            AlertRaised(at=seq, id=f"alert-{seq}", level="info", kind="test", message=f"number {seq}")
            for seq in range(first, last + 1)
        )
    )


def grow(journal: Journal, *sizes: int) -> int:
    seq = journal.last_seq()
    for size in sizes:
        journal.append(body(seq + 1, seq + size), seq + 1, seq + size)
        seq += size
    return seq


def alter(database: Database, statement: str) -> None:
    """Changes rows behind the journal's back."""
    if database.is_sqlite:
        with closing(sqlite3.connect(database.journal_file)) as connection, connection:
            connection.execute(statement)
    else:
        with psycopg.connect(database.dsn) as server:
            server.execute(statement)


def test_batches_come_back_in_order_and_chained(database: Database) -> None:
    with Owner(database) as owner:
        journal = owner.journal(SHARD)
        assert journal.last_seq() == 0
        assert grow(journal, 3, 1, 5) == 9
        batches = list(journal.read())
        journal.close()
    assert [(b.first_seq, b.last_seq) for b in batches] == [(1, 3), (4, 4), (5, 9)]
    assert batches[0].prev_hash == GENESIS
    assert [b.prev_hash for b in batches[1:]] == [chain_hash(b) for b in batches[:-1]]
    assert [r.at for b in batches for r in decode(b.body)] == list(range(1, 10))


def test_reading_goes_on_after_a_sequence_and_keeps_whole_batches(database: Database) -> None:
    with Owner(database) as owner:
        journal = owner.journal(SHARD)
        grow(journal, 3, 1, 5)
        assert [b.first_seq for b in journal.read(3)] == [4, 5]
        assert [b.first_seq for b in journal.read(6)] == [5]
        assert list(journal.read(9)) == []
        with pytest.raises(JournalCorrupt, match="ends at sequence 9, before 10"):
            list(journal.read(10))
        journal.close()


def test_long_journals_are_read_page_by_page(database: Database) -> None:
    with Owner(database) as owner:
        journal = owner.journal(SHARD)
        grow(journal, *[1] * 600)
        with open_reader(database, SHARD) as reader:
            assert sum(1 for _ in reader.read()) == 600
            assert reader.last_seq() == 600
        journal.close()


def test_a_gap_or_a_repetition_is_refused_and_nothing_is_written(database: Database) -> None:
    with Owner(database) as owner:
        journal = owner.journal(SHARD)
        grow(journal, 2)
        for first in (1, 2, 4):
            with pytest.raises(CommitFailed, match="ends at sequence 2"):
                journal.append(body(first, first), first, first)
        assert grow(journal, 1) == 3
        journal.close()


def test_an_older_epoch_cannot_append(database: Database) -> None:
    with Owner(database) as owner:
        old = owner.journal(SHARD)
        grow(old, 2)
        new = owner.journal(SHARD)
        assert new.epoch == old.epoch + 1
        with pytest.raises(StaleEpoch, match="nothing was written"):
            old.append(body(3, 3), 3, 3)
        assert grow(new, 1) == 3
        with pytest.raises(StaleEpoch):
            old.append(body(4, 4), 4, 4)
        assert new.last_seq() == 3
        old.close()
        new.close()


def test_shards_are_apart(database: Database) -> None:
    with Owner(database) as owner:
        one, two = owner.journal("one"), owner.journal("two")
        grow(one, 2, 2)
        grow(two, 1)
        assert (one.last_seq(), two.last_seq()) == (4, 1)
        assert len(list(two.read())) == 1
        one.close()
        two.close()


def test_the_epoch_grows_with_every_taking(database: Database) -> None:
    epochs = []
    for _ in range(3):
        with Owner(database) as owner:
            epochs.append(owner.take(SHARD))
    assert epochs == [1, 2, 3]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE journal SET body = prev_hash WHERE first_seq = 3", "has been altered"),
        ("UPDATE journal SET body = prev_hash WHERE first_seq = 5", "has been altered"),
        ("UPDATE journal SET last_seq = 5 WHERE first_seq = 3", "altered|missing"),
        ("DELETE FROM journal WHERE first_seq = 3", "missing or repeated"),
        ("DELETE FROM journal WHERE first_seq = 1", "missing or repeated"),
        ("UPDATE journal SET prev_hash = hash WHERE first_seq = 3", "hash of the batch before"),
        ("UPDATE journal SET schema = 99 WHERE first_seq = 3", "format 99"),
    ],
)
def test_a_broken_chain_is_found(database: Database, statement: str, message: str) -> None:
    with Owner(database) as owner:
        journal = owner.journal(SHARD)
        grow(journal, 2, 2, 2)
        alter(database, statement)
        with pytest.raises(JournalCorrupt, match=message):
            list(journal.read())
        journal.close()


def test_the_time_of_commit_and_the_format_are_stored(database: Database) -> None:
    with Owner(database) as owner:
        journal = owner.journal(SHARD)
        grow(journal, 1)
        journal.close()
        with open_reader(database, SHARD) as reader:
            (batch,) = reader.read()
            assert reader.epoch() == 1
    assert batch.committed_at > 1_700_000_000 * 10**9
    assert batch.schema == 1


def test_durability_is_read_back(database: Database) -> None:
    with Owner(database) as owner:
        journal = owner.journal(SHARD)
        found = journal.durability()
        journal.close()
    with open_reader(database, SHARD) as reader:
        assert reader.durability() == found | {"read_back_in_epoch": "1"}
    if database.is_sqlite:
        assert (found["journal_mode"], found["synchronous"]) == ("wal", "FULL")
    else:
        assert found["synchronous_commit"] == "on"
        assert {"fsync", "full_page_writes", "wal_sync_method"} <= found.keys()


def test_a_reader_follows_a_writer(database: Database) -> None:
    """A reader in another thread sees a growing prefix without gaps, and never blocks the writer."""
    seen: list[int] = []
    done = threading.Event()

    def follow() -> None:
        with open_reader(database, SHARD) as reader:
            while not done.is_set() or reader.last_seq() > (seen[-1] if seen else 0):
                seen.extend(b.last_seq for b in reader.read(seen[-1] if seen else 0))

    with Owner(database) as owner:
        journal = owner.journal(SHARD)
        thread = threading.Thread(target=follow)
        thread.start()
        grow(journal, *[2] * 150)
        done.set()
        thread.join()
        journal.close()
    assert seen == list(range(2, 301, 2))


def test_a_reader_writes_nothing(database: Database) -> None:
    with Owner(database) as owner:
        owner.journal(SHARD).close()
    with open_reader(database, SHARD) as reader:
        connection = reader._connection  # type: ignore[attr-defined]
        with pytest.raises((sqlite3.OperationalError, psycopg.Error), match=r"read-?only"):
            connection.execute("DELETE FROM journal")


def test_there_is_no_journal_to_read_in_a_new_home(database: Database) -> None:
    with pytest.raises(NotFound):
        open_reader(database, SHARD)


def test_a_newer_format_is_refused(database: Database) -> None:
    with Owner(database) as owner:
        owner.journal(SHARD).close()
        alter(database, "PRAGMA user_version = 9" if database.is_sqlite else "UPDATE journal_schema SET version = 9")
        with pytest.raises(JournalError, match="format 9"):
            open_journal(database, SHARD, epoch=1)
