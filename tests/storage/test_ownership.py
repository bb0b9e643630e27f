"""Ownership: one owner of a home, one owner of a shard, and what becomes of an owner that was killed."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from evenkeel.domain.errors import HomeInUse, InvalidInput, StaleEpoch
from evenkeel.domain.records import AlertRaised, encode
from evenkeel.storage.database import Database, database
from evenkeel.storage.holder import Holder, decode_holder, this_process
from evenkeel.storage.homelock import HomeLock, is_running, owner
from evenkeel.storage.leases import PostgresLeases
from evenkeel.storage.ownership import Owner

SHARD = "user-1"
OTHER = """
import sys, time
from pathlib import Path
from evenkeel.storage.database import Database
from evenkeel.storage.ownership import Owner
holder = Owner(Database(Path(sys.argv[1]), sys.argv[2] or None))
print(holder.take("user-1"), flush=True)
time.sleep(60)
"""


def other_owner(where: Database) -> subprocess.Popen[str]:
    """Another process that owns the home and the shard, until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(where.home), where.url or ""], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip().isdigit()
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_second_owner_is_refused_and_told_the_pid(database: Database) -> None:
    process = other_owner(database)
    try:
        with pytest.raises(HomeInUse, match=f"process {process.pid}") as refused:
            Owner(database)
        assert str(process.pid) in (refused.value.hint or "")
        assert is_running(database.home)
        holder = owner(database.home)
        assert holder is not None
        assert holder.pid == process.pid
    finally:
        kill(process)


def test_a_killed_owner_leaves_the_home_free_at_once(database: Database) -> None:
    kill(other_owner(database))
    assert not is_running(database.home)
    with Owner(database) as mine:
        assert mine.take(SHARD) == 2


def test_one_process_cannot_own_a_home_twice(tmp_path: Path) -> None:
    with HomeLock(tmp_path):
        with pytest.raises(HomeInUse, match=str(os.getpid())):
            HomeLock(tmp_path)
        assert is_running(tmp_path)
    assert not is_running(tmp_path)
    HomeLock(tmp_path).release()


def test_a_forked_child_does_not_keep_the_home(tmp_path: Path) -> None:
    lock = HomeLock(tmp_path)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=time.sleep, args=(30,))
    child.start()
    try:
        lock.release()
        HomeLock(tmp_path).release()
    finally:
        child.kill()
        child.join()


def test_asking_does_not_keep_an_owner_out(tmp_path: Path) -> None:
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            is_running(tmp_path)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(20):
            HomeLock(tmp_path).release()
    finally:
        stop.set()
        thread.join()


def test_a_home_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InvalidInput, match="cannot be used") as refused:
        Owner(Database(tmp_path / "file" / "home"))
    assert "--home" in (refused.value.hint or "")


def test_a_holder_is_gone_only_when_that_is_certain() -> None:
    mine = this_process()
    assert not mine.is_gone
    assert decode_holder(mine.encode()) == mine
    assert Holder(mine.pid, mine.host, mine.machine, "1").is_gone
    assert not Holder(mine.pid, "elsewhere", "another machine", "1").is_gone
    assert not Holder(mine.pid, mine.host).is_gone
    assert decode_holder("not a holder") is None


@pytest.mark.service
class TestLeases:
    """Two homes on two machines may name one PostgreSQL: there, the lease decides."""

    def test_a_live_lease_is_respected(self, postgres_url: str) -> None:
        one, two = PostgresLeases(postgres_url), PostgresLeases(postgres_url)
        assert one.take(SHARD) == 1
        with pytest.raises(HomeInUse, match=f"process {os.getpid()}"):
            two.take(SHARD)
        one.release()
        assert two.take(SHARD) == 2
        two.release()

    def test_renewal_keeps_a_lease_beyond_its_time(self, postgres_url: str) -> None:
        one, two = PostgresLeases(postgres_url, ttl=1.0), PostgresLeases(postgres_url)
        one.take(SHARD)
        time.sleep(2.5)
        with pytest.raises(HomeInUse):
            two.take(SHARD)
        one.release()
        two.release()

    def test_a_lease_that_ran_out_is_taken_and_its_holder_told(self, postgres_url: str) -> None:
        lost: list[tuple[str, str]] = []
        one = PostgresLeases(postgres_url, ttl=1.0, on_lost=lambda shard, why: lost.append((shard, why)))
        two = PostgresLeases(postgres_url)
        one.take(SHARD)
        with psycopg.connect(postgres_url) as connection:
            connection.execute("UPDATE leases SET expires_at = '-infinity'")
        assert two.take(SHARD) == 2
        _until(lambda: bool(lost))
        assert lost[0][0] == SHARD
        assert "another owner has taken it" in lost[0][1]
        one.release()
        two.release()

    def test_an_unreachable_server_loses_the_lease(self, postgres_url: str) -> None:
        lost: list[str] = []
        leases = PostgresLeases(postgres_url, ttl=1.0, on_lost=lambda shard, why: lost.append(why))
        leases.take(SHARD)
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("ALTER TABLE leases RENAME TO elsewhere")
        _until(lambda: bool(lost))
        assert "could not be renewed in time" in lost[0]
        leases.release()

    def test_the_journal_of_a_lost_lease_is_closed(self, postgres_url: str, tmp_path: Path) -> None:
        body = encode((AlertRaised(at=1, id="a", level="info", kind="test", message="x"),))
        with Owner(Database(tmp_path / "one", postgres_url)) as one:
            old = one.journal(SHARD)
            with psycopg.connect(postgres_url) as connection:
                connection.execute("UPDATE leases SET expires_at = '-infinity'")
            with Owner(Database(tmp_path / "two", postgres_url)) as two:
                new = two.journal(SHARD)
                with pytest.raises(StaleEpoch):
                    old.append(body, 1, 1)
                new.append(body, 1, 1)
                new.close()
            old.close()

    def test_a_taker_waits_for_the_append_under_way(self, postgres_url: str) -> None:
        """An append that has passed its check of the epoch commits before the next owner reads the end."""
        leases = PostgresLeases(postgres_url)
        leases.take(SHARD)
        taken = threading.Event()
        with psycopg.connect(postgres_url) as connection:
            connection.execute("SELECT epoch FROM leases WHERE shard = %s FOR KEY SHARE", (SHARD,))

            def take() -> None:
                leases.take(SHARD)
                taken.set()

            thread = threading.Thread(target=take)
            thread.start()
            assert not taken.wait(0.5)
            connection.commit()
        assert taken.wait(10)
        thread.join()
        leases.release()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in 20 seconds"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "url", ["mysql://host/name", "sqlite:///file.db", "host:5432", "postgresql://host:port/name", "postgresql://h:0/n"]
)
def test_a_url_that_is_not_postgresql_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        database(tmp_path, url)
    assert "postgresql://" in (refused.value.hint or "")


def test_a_url_is_shown_without_its_password(tmp_path: Path) -> None:
    where = database(tmp_path, "postgresql+asyncpg://me:secret@db.example:6543/name?sslmode=verify-full")
    assert where.shown == "postgresql://db.example:6543/name"
    assert where.dsn == "postgresql://me:secret@db.example:6543/name?sslmode=verify-full"
    assert database(tmp_path, "").is_sqlite
