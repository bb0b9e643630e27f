"""Checkpoints beside the commits: the log is copied without the writer's doing it, and stays bounded."""

import sqlite3
import time
from pathlib import Path

import pytest

from evenkeel.domain.records import AlertRaised, decode, encode
from evenkeel.storage.database import Database
from evenkeel.storage.journal import checkpoints, open_reader
from evenkeel.storage.ownership import Owner

SHARD = "user-1"


def body(seq: int, size: int) -> bytes:
    return encode((AlertRaised(at=seq, id=f"alert-{seq}", level="info", kind="test", message="x" * size),))


def test_a_long_log_is_copied_and_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 200_000)
    where = Database(tmp_path / "home")
    log = where.journal_file.with_name(where.journal_file.name + "-wal")
    with Owner(where) as owner:
        journal = owner.journal(SHARD)
        grown = []
        for seq in range(1, 61):
            journal.append(body(seq, 20_000), seq, seq)
            grown.append(log.stat().st_size)
            if seq % 15 == 0:
                journal._checkpoints._under_way.result(60)  # type: ignore[attr-defined]
        assert max(grown) < 800_000, "sixty batches of 20 kB: it has begun anew meanwhile"
        with open_reader(where, SHARD) as reader:
            assert [record.at for batch in reader.read() for record in decode(batch.body)] == list(range(1, 61))
        journal.close()
    assert not log.exists()


def test_a_journal_closes_while_a_checkpoint_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 1)
    monkeypatch.setattr(checkpoints, "_PAUSE", 30.0)
    monkeypatch.setattr(checkpoints, "_LONGEST", 60.0)
    where = Database(tmp_path / "home")
    with Owner(where) as owner:
        journal = owner.journal(SHARD)
        journal.append(body(1, 10), 1, 1)
        began = time.monotonic()
        journal.close()
        assert time.monotonic() - began < 10.0
        assert journal.last_seq() == 1, "and it opens again"
        journal.append(body(2, 10), 2, 2)
        journal.close()


def test_a_moved_home_gets_no_new_file(tmp_path: Path) -> None:
    where = tmp_path / "journal.db"
    checkpoints.Checkpoints(where)._run()
    assert not where.exists()


def test_a_commit_stands_where_no_thread_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 1)

    def refused(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with Owner(Database(tmp_path / "home")) as owner:
        journal = owner.journal(SHARD)
        monkeypatch.setattr("threading.Thread.start", refused)
        journal.append(body(1, 10), 1, 1)
        monkeypatch.undo()
        assert journal.last_seq() == 1
        journal.close()


def test_what_cannot_be_copied_is_told_and_harms_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 1)

    def refused(*_: object, **__: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")

    where = Database(tmp_path / "home")
    with Owner(where) as owner:
        journal = owner.journal(SHARD)
        monkeypatch.setattr("evenkeel.storage.journal.checkpoints.sqlite3.connect", refused)
        for seq in range(1, 4):
            journal.append(body(seq, 10), seq, seq)
            time.sleep(0.05)
        monkeypatch.undo()
        assert journal.last_seq() == 3
        journal.close()
