"""The same replay, run twice by the command line in two fresh homes, gives the same journal.

Compared are the records. Where one batch ends and the next begins, the hashes that follow from it, and when a batch
was committed are outside the comparison; a named run writes no wall clock into its records.
"""

import asyncio
from itertools import islice
from pathlib import Path

import pytest

from evenkeel.domain.clock import from_ns
from evenkeel.domain.records import AnyRecord, RunStarted, decode
from evenkeel.market.sample import sample_market
from evenkeel.storage.database import Database
from evenkeel.storage.journal import open_reader, shards_of
from tests.chaos.processes import Desk, short_folder, until
from tests.chaos.trader import Client

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(600)]


async def replayed(folder: Path, *arguments: str) -> list[AnyRecord]:
    """Replays to the end, flat out, and returns what was recorded."""
    desk = Desk(folder, ["demo", "--speed", "0", *arguments])
    try:
        await desk.start()
        client = Client(desk.url, desk.username)
        await client.sign_in()

        async def has_ended() -> bool:
            return bool((await client.get("/system/status"))["feed"]["state"] == "ended")

        await until(has_ended, "the replay has ended", 300)
        await client.close()
        report = await desk.doctor()
        assert report["ok"], report["differences"]
        assert await asyncio.to_thread(desk.child.terminate) == 0
    finally:
        desk.kill()
    return recorded(desk.home)


def recorded(home: Path) -> list[AnyRecord]:
    where = Database(home)
    (shard,) = shards_of(where)
    with open_reader(where, shard) as reader:
        return [record for batch in reader.read() for record in decode(batch.body)]


def sample_files(folder: Path, days: int) -> list[str]:
    """The first days of the sample market as files, and the options that replay them."""
    instruments, bars, _splits = sample_market()
    options = []
    for one in instruments:
        found = bars[one.id]
        columns = (found.close_ts, found.open, found.high, found.low, found.close, found.volume)
        rows = islice(zip(*columns, strict=True), days)
        lines = [f"{from_ns(int(at)).date()},{','.join(f'{value:.10g}' for value in rest)}" for at, *rest in rows]
        file = folder / f"{one.symbol}.csv"
        file.write_text("\n".join(["date,open,high,low,close,volume", *lines]))
        options += ["--data", str(file)]
    return options


async def test_the_same_replay_gives_the_same_journal(pytestconfig: pytest.Config) -> None:
    """Four strategies in three accounts, twice: over eight years in `make chaos`, over months in `make test`."""
    with short_folder() as one, short_folder() as other:
        files = [] if pytestconfig.getoption("--full-chaos") else sample_files(one, 180)
        first = await replayed(one, "--run", "twice", *files)
        second = await replayed(other, "--run", "twice", *files)
    assert len(first) > 500
    for number, (here, there) in enumerate(zip(first, second, strict=False), start=1):
        assert here == there, f"record {number} differs"
    assert len(first) == len(second)


async def test_another_run_has_other_ids_and_the_same_course() -> None:
    """What differs between runs is who and which, not what: the same orders at the same moments."""
    with short_folder() as one, short_folder() as other:
        files = sample_files(one, 180)
        first, second = await replayed(one, "--run", "first", *files), await replayed(other, *files)
    named = [record.run for record in (first[0], second[0]) if isinstance(record, RunStarted)]
    assert named[0] == "first"
    assert named[1] != "first"
    courses = [[(type(record).__name__, record.at) for record in run if is_trading(record)] for run in (first, second)]
    assert courses[0] == courses[1]


def is_trading(record: AnyRecord) -> bool:
    return type(record).__name__ in ("OrderDecided", "FillBooked", "SignalRecorded", "DayClosed")
