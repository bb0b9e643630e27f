"""What survives: kills, full disks, failing disks and lost connections; and proof that commits reach the disk."""

import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from evenkeel.domain.errors import CommitFailed, CommitUnknown, EvenkeelError, JournalError
from evenkeel.domain.records import AlertRaised, decode, encode
from evenkeel.storage.backup import copy_files
from evenkeel.storage.database import Database
from evenkeel.storage.doctor import examine
from evenkeel.storage.journal import latest, open_reader
from evenkeel.storage.ownership import Owner
from tests.services import ROOT, unavailable

SHARD = "user-1"


def body(seq: int, size: int = 10) -> bytes:
    return encode((AlertRaised(at=seq, id=f"alert-{seq}", level="info", kind="test", message="x" * size),))


def writer(where: Database, batches: int = 0, *, wrapped: list[str] | None = None) -> subprocess.Popen[str]:
    command = [
        *(wrapped or []),
        sys.executable,
        "-m",
        "tests.storage.writer",
        str(where.home),
        where.url or "",
        str(batches),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_kills_lose_nothing_that_was_acknowledged(database: Database) -> None:
    """Killed at random moments of appending: a reader of the killed home finds every acknowledged batch, in order."""
    moments = random.Random(1)
    acknowledged = 0
    for _ in range(4):
        process = writer(database)
        assert process.stdout is not None
        wanted = moments.randrange(1, 60)
        for _ in range(wanted):
            acknowledged = int(process.stdout.readline())
        time.sleep(moments.random() * 0.01)
        process.send_signal(signal.SIGKILL)
        acknowledged = max([acknowledged, *(int(line) for line in process.stdout if line.endswith("\n"))])
        process.stdout.close()
        process.wait()
        with open_reader(database, SHARD) as reader:
            found = [record.at for batch in reader.read() for record in decode(batch.body)]
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= acknowledged
        assert examine(database).ok


@pytest.mark.slow
def test_reading_a_killed_home_changes_nothing(tmp_path: Path) -> None:
    where = Database(tmp_path / "home")
    process = writer(where)
    assert process.stdout is not None
    for _ in range(50):
        process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    before = {path.name: path.read_bytes() for path in where.home.iterdir() if "shm" not in path.name}
    assert examine(where).records >= 50
    assert {path.name: path.read_bytes() for path in where.home.iterdir() if "shm" not in path.name} == before


def test_a_full_disk_refuses_the_batch_and_says_so(tmp_path: Path) -> None:
    where = Database(tmp_path / "home")
    with Owner(where) as owner:
        journal = owner.journal(SHARD)
        journal.append(body(1), 1, 1)
        connection = journal._connection  # type: ignore[attr-defined]
        connection.execute("PRAGMA max_page_count = 12")
        with pytest.raises(CommitFailed, match="SQLITE_FULL") as refused:
            journal.append(body(2, 100_000), 2, 2)
        assert "make room" in (refused.value.hint or "")
        assert journal.last_seq() == 1
        connection.execute("PRAGMA max_page_count = 100000")
        journal.append(body(2, 100_000), 2, 2)
        assert journal.last_seq() == 2
        journal.close()
    assert examine(where).ok


FAILING = """
import resource, signal, sys
from pathlib import Path
from evenkeel.domain.errors import JournalError
from evenkeel.domain.records import AlertRaised, encode
from evenkeel.storage.database import Database
from evenkeel.storage.ownership import Owner

def body(seq, size):
    return encode((AlertRaised(at=seq, id=str(seq), level="info", kind="test", message="x" * size),))

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Owner(Database(Path(sys.argv[1]))) as owner:
    journal = owner.journal("user-1")
    journal.append(body(1, 10), 1, 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    try:
        journal.append(body(2, 400_000), 2, 2)
    except JournalError as error:
        print(type(error).__name__)
        print(error.hint)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(journal.last_seq())
    journal.append(body(2, 400_000), 2, 2)
    print(journal.last_seq())
"""


def test_a_write_error_while_committing_leaves_the_outcome_unknown(tmp_path: Path) -> None:
    """The kernel refuses a write (here by a limit on file size): read back, then tried again."""
    answer = subprocess.run(
        [sys.executable, "-c", FAILING, str(tmp_path / "home")], capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines() == [
        "CommitUnknown",
        "the disk reported an error: check it and the system log before going on",
        "1",
        "2",
    ]
    assert examine(Database(tmp_path / "home")).ok


def test_a_locked_file_refuses_the_batch_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.storage.journal.sqlite._WAIT", 0.1)
    where = Database(tmp_path / "home")
    with Owner(where) as owner:
        journal = owner.journal(SHARD)
        with closing(sqlite3.connect(where.journal_file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(CommitFailed, match="SQLITE_BUSY") as refused:
                journal.append(body(1), 1, 1)
            assert "another program" in (refused.value.hint or "")
            other.execute("ROLLBACK")
        journal.append(body(1), 1, 1)
        journal.close()


def test_what_is_not_a_journal_is_explained(tmp_path: Path) -> None:
    where = Database(tmp_path)
    where.journal_file.write_bytes(b"this is a text and not a database at all " * 100)
    with Owner(where) as owner, pytest.raises(JournalError, match="not a database") as refused:
        owner.journal(SHARD)
    assert "restore a backup" in (refused.value.hint or "")


def test_a_damaged_file_is_told_and_not_folded(tmp_path: Path) -> None:
    where = Database(tmp_path)
    with Owner(where) as owner:
        journal = owner.journal(SHARD)
        for seq in range(1, 200):
            journal.append(body(seq, 500), seq, seq)
        journal.close()
    data = bytearray(where.journal_file.read_bytes())
    data[4096 * 8 : 4096 * 20] = b"\xff" * (4096 * 12)
    where.journal_file.write_bytes(data)
    report = examine(where)
    assert not report.ok
    assert "does not fold beyond" in report.differences[0]


@pytest.mark.service
def test_a_connection_cut_before_an_append_is_found_out(postgres_url: str, tmp_path: Path) -> None:
    """The server ends the connection: the outcome counts as unknown, is read back, and the batch goes in once."""
    with Owner(Database(tmp_path, postgres_url)) as owner:
        journal = owner.journal(SHARD)
        journal.append(body(1), 1, 1)
        _cut(postgres_url)
        with pytest.raises(CommitUnknown, match="connection was lost"):
            journal.append(body(2), 2, 2)
        assert journal.last_seq() == 1
        journal.append(body(2), 2, 2)
        assert journal.last_seq() == 2
        assert [batch.last_seq for batch in journal.read()] == [1, 2]
        journal.close()


@pytest.mark.service
def test_a_connection_cut_during_an_append_writes_at_most_once(postgres_url: str, tmp_path: Path) -> None:
    with Owner(Database(tmp_path, postgres_url)) as owner:
        journal = owner.journal(SHARD)
        with psycopg.connect(postgres_url) as other:
            other.execute("LOCK TABLE journal IN EXCLUSIVE MODE")
            cutter = threading.Timer(0.3, _cut, [postgres_url])
            cutter.start()
            with pytest.raises(CommitUnknown):
                journal.append(body(1), 1, 1)
            cutter.join()
        assert journal.last_seq() == 0
        journal.append(body(1), 1, 1)
        journal.close()


@pytest.mark.service
def test_a_server_that_is_down_is_explained(tmp_path: Path, free_port: int) -> None:
    with pytest.raises(JournalError, match="cannot be reached") as refused:
        Owner(Database(tmp_path, f"postgresql://nobody@127.0.0.1:{free_port}/none"))
    assert "database URL" in (refused.value.hint or "")


@pytest.mark.service
def test_a_reader_of_a_read_only_transaction_is_refused(postgres_url: str, tmp_path: Path) -> None:
    with Owner(Database(tmp_path, postgres_url)) as owner:
        journal = owner.journal(SHARD)
        journal._connection.execute("SET default_transaction_read_only = on")  # type: ignore[attr-defined]
        with pytest.raises(CommitFailed, match="read-only") as refused:
            journal.append(body(1), 1, 1)
        assert "primary" in (refused.value.hint or "")
        journal.close()


def _cut(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'evenkeel journal'"
        )


def test_every_commit_is_synced_on_sqlite(tmp_path: Path) -> None:
    """Counted by the kernel: at least one fsync or fdatasync of the journal's log per committed batch."""
    if shutil.which("strace") is None:
        unavailable("strace is not installed (apt-get install strace)")
    trace = tmp_path / "trace"
    strace = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync", "-o", str(trace)]
    if subprocess.run([*strace, "true"], capture_output=True, check=False).returncode:
        unavailable("strace may not attach to processes here")
    process = writer(Database(tmp_path / "home"), 25, wrapped=strace)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    synced = re.findall(r"f(?:data)?sync\(\d+<[^>]*journal\.db-wal>\)\s+= 0", trace.read_text(encoding="utf-8"))
    assert len(output.splitlines()) == 25
    assert len(synced) >= 25


@pytest.mark.service
def test_every_commit_is_synced_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    """Counted by the server: its log was synced at least once per committed batch."""
    before = _wal_syncs(postgres_url)
    process = writer(Database(tmp_path, postgres_url), 40)
    output, _ = process.communicate(timeout=60)
    assert len(output.splitlines()) == 40
    deadline = time.monotonic() + 20
    while (counted := _wal_syncs(postgres_url) - before) < 40:
        assert time.monotonic() < deadline, f"{counted} syncs for 40 batches"
        time.sleep(0.1)


def _wal_syncs(url: str) -> int:
    with psycopg.connect(url) as connection:
        if connection.info.server_version < 180000:
            found = connection.execute("SELECT wal_sync FROM pg_stat_wal").fetchone()
        else:
            found = connection.execute("SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'").fetchone()
    assert found is not None
    return int(found[0])


def test_files_are_copied_whole_and_private(tmp_path: Path) -> None:
    results = tmp_path / "research"
    results.mkdir()
    (results / "one.npz").write_bytes(b"curves")
    (results / "two.part").write_bytes(b"half of")
    (results / "elsewhere.npz").symlink_to(tmp_path / "nothing")
    copies = copy_files(results, tmp_path / "copies")
    assert [path.name for path in copies] == ["one.npz"]
    assert copies[0].read_bytes() == b"curves"
    assert copies[0].stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "copies").iterdir()) == ["one.npz"]


def test_a_result_removed_meanwhile_is_no_fault_and_a_full_disk_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "research"
    source.mkdir()
    for name in ("one.npz", "two.npz"):
        (source / name).write_bytes(b"curves")

    def removed(path: Path, target: Path) -> None:
        path.unlink()
        raise FileNotFoundError(path)

    def full(path: Path, target: Path) -> None:
        target.write_bytes(b"cur")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(EvenkeelError, match=r"one\.npz could not be copied .*No space"):
        copy_files(source, tmp_path / "copies")
    assert list((tmp_path / "copies").iterdir()) == []
    monkeypatch.setattr("shutil.copyfile", removed)
    assert copy_files(source, tmp_path / "copies") == ()


def test_the_latest_records_are_read_from_the_end(database: Database) -> None:
    with Owner(database) as owner:
        journal = owner.journal(SHARD)
        for first in range(1, 31, 3):
            records = tuple(
                AlertRaised(at=at, id=f"alert-{at}", level="info", kind="test", message="")
                for at in range(first, first + 3)
            )
            journal.append(encode(records), first, first + 2)
        journal.close()
    assert [seq for seq, _ in latest(database, SHARD, 4)] == [27, 28, 29, 30]
    assert [record.at for _, record in latest(database, SHARD, 100)] == list(range(1, 31))
    assert latest(database, SHARD, 0) == ()
