"""kill -9 keeps the page cache, so that commits reach the disk is shown apart: by settings read back, and by counting.

The kernel counts (strace) on SQLite, and the server itself on PostgreSQL, while a whole desk trades under load. On
SQLite the kernel is also made to kill the process in the call that syncs the journal.
"""

import asyncio
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.chaos.processes import EVENKEEL, Desk, short_folder, surroundings, until
from tests.chaos.timeline import Timeline
from tests.chaos.world import SIMULATED, World, world
from tests.plan import ChaosPlan
from tests.services import unavailable

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(600)]
SYNCED = re.compile(r"f(?:data)?sync\(\d+<[^>]*journal\.db-wal>\)\s+= 0")
ORDERS = 60


def strace(*options: str) -> list[str]:
    """The command that traces the syncs of what follows it, as whose child it stands aside (-D)."""
    if shutil.which("strace") is None:
        unavailable("strace is not installed (apt-get install strace)")
    command = ["strace", "-D", "-f", "-y", "-e", "trace=fsync,fdatasync", *options]
    if subprocess.run([*command, "-o", "/dev/null", "true"], capture_output=True, check=False).returncode:
        unavailable("strace may not attach to processes here")
    return command


async def traded(made: World, orders: int) -> None:
    before = len(made.trader.acknowledged())
    made.trader.start()
    await until(lambda: len(made.trader.acknowledged()) >= before + orders, f"{orders} orders are acknowledged", 120)
    await made.trader.stop()


def batches(home: Path) -> int:
    with closing(sqlite3.connect(f"file:{home / 'journal.db'}?mode=ro", uri=True)) as journal:
        return int(journal.execute("SELECT count(*) FROM journal").fetchone()[0])


async def test_every_batch_of_a_trading_desk_is_synced_on_sqlite(chaos_plan: ChaosPlan) -> None:
    """At least one fsync or fdatasync of the journal's log for each committed batch."""
    with short_folder() as folder:
        seed, trace = chaos_plan.random("sync"), folder / "trace"
        async with world(folder, seed, Timeline(chaos_plan.seed), arguments=SIMULATED) as made:
            made.kill("to start it traced")
            before = batches(made.desk.home)
            made.desk.spawn(*strace("-o", str(trace)))
            await made.desk.ready()
            await traded(made, ORDERS)
            await made.client.feed("pause")
            report = await made.desk.doctor()
            assert report["durability"]["journal_mode"] == "wal"
            assert report["durability"]["synchronous"].startswith("FULL")
            assert await asyncio.to_thread(made.desk.child.terminate) == 0
            committed = batches(made.desk.home) - before
            synced = len(SYNCED.findall(trace.read_text(encoding="utf-8", errors="replace")))
            assert committed >= ORDERS / 10
            assert synced >= committed, f"{synced} syncs for {committed} batches"


async def test_killed_by_the_kernel_while_it_syncs_the_journal(chaos_plan: ChaosPlan) -> None:
    """In the middle of a commit: whether the batch is there is found out, and either way the books agree."""
    with short_folder() as folder:
        seed = chaos_plan.random("killed in sync")
        async with world(folder, seed, Timeline(chaos_plan.seed), arguments=SIMULATED) as made:
            for number in range(8 if chaos_plan.is_full else 1):
                made.kill("to start it traced")
                which = seed.randrange(30, 120)
                inject = f"inject=fdatasync:signal=SIGKILL:when={which}"
                made.desk.spawn(*strace("-o", "/dev/null", "-e", inject))
                await made.desk.ready()
                made.trader.start()
                await until(lambda: not made.desk.child.is_alive, f"it is killed in sync {which}", 120)
                made.timeline.note(f"{number}: killed by the kernel in sync {which}")
                await made.settle()
                await made.restart()
                await made.check()


@pytest.mark.service
async def test_every_batch_of_a_trading_desk_is_synced_on_postgresql(chaos_plan: ChaosPlan, postgres_url: str) -> None:
    """The server's own count of syncs of its log, after and before, is at least the count of batches."""
    with short_folder() as folder:
        seed = chaos_plan.random("sync of the server")
        timeline = Timeline(chaos_plan.seed)
        async with world(folder, seed, timeline, arguments=SIMULATED, database_url=postgres_url) as made:
            batches_before, syncs_before = _counted(postgres_url)
            await traded(made, ORDERS)
            await made.client.feed("pause")
            report = await made.desk.doctor()
            assert report["durability"]["fsync"] == "on"
            assert report["durability"]["full_page_writes"] == "on"
            assert report["durability"]["synchronous_commit"].startswith("on")
            committed = _counted(postgres_url)[0] - batches_before

            def all_synced() -> bool:
                return _counted(postgres_url)[1] - syncs_before >= committed

            assert committed >= ORDERS / 10
            await until(all_synced, f"{committed} syncs are counted")


def _counted(url: str) -> tuple[int, int]:
    """(batches, syncs of the log); the server tells its counts up to some seconds late."""
    with psycopg.connect(url) as connection:
        if connection.info.server_version < 180000:
            syncs = "SELECT wal_sync FROM pg_stat_wal"
        else:
            syncs = "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'"
        counts = [connection.execute(query).fetchone() for query in ("SELECT count(*) FROM journal", syncs)]
    return tuple(int(found[0]) if found else 0 for found in counts)  # type: ignore[return-value]


@pytest.mark.service
async def test_a_second_owner_of_a_database_is_refused_and_told_the_pid(
    chaos_plan: ChaosPlan, postgres_url: str
) -> None:
    """Another home that names the same database finds the lease taken; the first goes on undisturbed."""
    with short_folder() as folder:
        first = Desk(folder, SIMULATED, database_url=postgres_url)
        try:
            await first.start()
            command = [EVENKEEL, "up", "--home", str(folder / "other"), "--port", "0"]
            environment = surroundings(EVENKEEL_DATABASE_URL=postgres_url)
            second = subprocess.run(  # noqa: ASYNC221 - nothing else is to happen meanwhile
                command, capture_output=True, text=True, env=environment, timeout=60, check=False
            )
            assert second.returncode == 1
            assert f"process {first.child.pid}" in second.stderr
            assert "Traceback" not in second.stderr + second.stdout
            assert (await first.doctor())["ok"]
            assert first.child.terminate() == 0
        finally:
            first.kill()
