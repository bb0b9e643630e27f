"""The process that keeps tables: begun again when it dies, gone when it is told to or its owner is."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from evenkeel.domain.records import encode
from evenkeel.storage.database import Database
from evenkeel.storage.doctor import examine
from evenkeel.storage.ownership import Owner
from evenkeel.storage.projecting import process, wire
from evenkeel.storage.projecting.process import ProjectorProcess
from evenkeel.storage.projector import Projector
from evenkeel.storage.schema import upgrade
from tests.storage.stories import SHARD, Story, commit
from tests.storage.test_projector import eventually

OWNER = """
import sys, time
from pathlib import Path
from evenkeel.storage.database import Database
from evenkeel.storage.projecting.process import ProjectorProcess
one = ProjectorProcess(Database(Path(sys.argv[1]), sys.argv[2] or None), sys.argv[3])
one.start()
while not one.is_placed:
    time.sleep(0.01)
print(one.pid, flush=True)
time.sleep(60)
"""


BROKEN = """
import sys
from evenkeel.storage.projecting import __main__ as ours
def fail(_):
    raise RuntimeError("nobody foresaw this")
ours.Projector._follow = fail
ours.main(int(sys.argv[1]))
"""


@pytest.fixture
def projector(database: Database) -> Iterator[ProjectorProcess]:
    upgrade(database)
    made = ProjectorProcess(database, SHARD)
    yield made
    made.stop()


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_one_that_dies_is_begun_again(database: Database, projector: ProjectorProcess) -> None:
    """Its death is said, nobody waits for the dead, and its successor has what was committed meanwhile."""
    records = Story(3).tell(60).records
    with Owner(database) as owner, closing(owner.journal(SHARD)) as journal:
        projector.start()
        for seq, record in enumerate(records[:-1], 1):
            projector.committed(journal.append(encode((record,)), seq, seq), (record,))
        assert await projector.passed(len(records) - 1, within=30)
        first = projector.pid
        assert first is not None
        waiting = asyncio.create_task(projector.passed(len(records), within=60))
        await asyncio.sleep(0.01)
        os.kill(first, signal.SIGKILL)
        assert not await waiting, "there was nothing to wait for any more"
        assert projector.fault == "the process that keeps the tables: it ended with exit code -9"
        last = len(records)
        projector.committed(journal.append(encode((records[-1],)), last, last), (records[-1],))
        await asyncio.to_thread(eventually, lambda: projector.fault is None and projector.lag == 0)
        assert projector.pid != first
        await asyncio.to_thread(projector.stop)
    assert examine(database).lag == 0


def test_one_that_cannot_be_started_is_tried_again(
    database: Database, projector: ProjectorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Owner(database) as owner, closing(owner.journal(SHARD)) as journal:
        count = commit(journal, Story(4).tell(20).records)
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nowhere/python")
        projector.start()
        eventually(lambda: projector.fault is not None)
        assert "No such file" in str(projector.fault)
    eventually(lambda: projector.fault is None and projector.seq == count)


def test_where_the_tables_stand_is_known_before_it_has_come_up(
    database: Database, projector: ProjectorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Owner(database) as owner, closing(owner.journal(SHARD)) as journal:
        count = commit(journal, Story(10).tell(20).records)
    before = Projector(database, SHARD)
    assert before.catch_up() == count
    before.close()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    projector.follow(count)
    projector.start()
    eventually(lambda: projector.fault is not None)
    assert (projector.seq, projector.lag, projector.is_placed) == (count, 0, False)


def test_stopped_before_it_has_come_up_it_still_does_its_work(database: Database, projector: ProjectorProcess) -> None:
    with Owner(database) as owner, closing(owner.journal(SHARD)) as journal:
        projector.start()
        records = Story(5).tell(40).records
        for seq, record in enumerate(records, 1):
            projector.committed(journal.append(encode((record,)), seq, seq), (record,))
        projector.stop()
    assert projector.lag == 0
    assert not projector.follows
    assert examine(database).lag == 0


def test_ctrl_c_and_an_end_of_all_services_are_for_its_owner(database: Database, projector: ProjectorProcess) -> None:
    projector.start()
    with Owner(database) as owner, closing(owner.journal(SHARD)) as journal:
        count = commit(journal, Story(6).tell(20).records)
        eventually(lambda: projector.pid is not None and projector.is_placed)
        assert projector.pid is not None
        os.kill(projector.pid, signal.SIGINT)
        os.kill(projector.pid, signal.SIGTERM)
        projector.follow(count)
        eventually(lambda: projector.lag == 0)
        assert projector.fault is None


def test_one_that_hangs_is_ended(
    database: Database, projector: ProjectorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LEAVES_WITHIN", 0.1)
    with Owner(database) as owner, closing(owner.journal(SHARD)) as journal:
        commit(journal, Story(7).tell(20).records)
    projector.start()
    eventually(lambda: projector.pid is not None and projector.is_placed)
    pid = projector.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    projector.stop(0.1)
    assert time.monotonic() - began < 10
    assert not runs(pid)


def test_it_ends_with_its_owner(database: Database) -> None:
    """However that ends, and what it was writing is taken back."""
    upgrade(database)
    with Owner(database) as owner, closing(owner.journal(SHARD)) as journal:
        commit(journal, Story(8).tell(20).records)
    told = [str(database.home), database.url or "", SHARD]
    with subprocess.Popen([sys.executable, "-c", OWNER, *told], stdout=subprocess.PIPE) as owned:
        assert owned.stdout is not None
        pid = int(owned.stdout.readline())
        assert runs(pid)
        owned.kill()
    eventually(lambda: not runs(pid))


def test_a_projector_that_ends_unforeseen_ends_its_process(database: Database) -> None:
    """It would go on listening else, with nobody at work."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        number = theirs.fileno()
        with subprocess.Popen(
            [sys.executable, "-c", BROKEN, str(number)], pass_fds=(number,), stderr=subprocess.PIPE, text=True
        ) as broken:
            terms = wire.Terms(os.getpid(), str(database.home), database.url, SHARD, "info", "json")
            ours.sendall(wire.line(terms))
            _, said = broken.communicate(timeout=30)
    assert (broken.returncode, "nobody foresaw" in said) == (1, True)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_of_a_home_is_on_its_command_line(database: Database, projector: ProjectorProcess) -> None:
    """The database's address may have a password in it."""
    with Owner(database) as owner, closing(owner.journal(SHARD)) as journal:
        commit(journal, Story(9).tell(5).records)
    projector.start()
    eventually(lambda: projector.pid is not None)
    words = Path(f"/proc/{projector.pid}/cmdline").read_text(encoding="utf-8").split("\0")
    assert words[1:4] == ["-P", "-m", "evenkeel.storage.projecting"]
    assert words[4].isdigit()
    assert words[5:] == [""]
