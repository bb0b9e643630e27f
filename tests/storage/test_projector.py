"""Projections agree with the fold, however the journal was cut into groups, and survive restarts and old copies."""

import asyncio
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import Column, Table, delete, select, update

from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.records import OrderMoved, encode
from evenkeel.storage import following, projections
from evenkeel.storage import projector as projector_module
from evenkeel.storage.database import Database
from evenkeel.storage.doctor import Report, examine
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.following import Follower
from evenkeel.storage.journal import StoredBatch
from evenkeel.storage.ownership import Owner
from evenkeel.storage.projecting.process import ProjectorProcess
from evenkeel.storage.projector import Projector
from evenkeel.storage.schema import upgrade
from evenkeel.storage.tables import PROJECTED
from evenkeel.storage.tables.accounts import balances, ledger_entries
from evenkeel.storage.tables.system import alerts, projection_cursors
from evenkeel.storage.tables.trading import orders, positions
from tests.storage.stories import SHARD, Story, commit


@pytest.fixture(params=[Projector, ProjectorProcess], ids=["thread", "process"])
def follower(request: pytest.FixtureRequest, database: Database) -> Iterator[Follower]:
    """A projector that may be started, wherever it works."""
    made: Follower = request.param(database, SHARD)
    yield made
    made.stop()


def everything(database: Database) -> dict[str, list[tuple[object, ...]]]:
    engine = sync_engine(database, "read")
    with engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(*_but_committed(table)))), key=repr)
            for table in PROJECTED
        }


def _but_committed(table: Table) -> list[Column]:
    return [column for column in table.columns if column.name != "committed_at"]


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in 30 seconds"
        time.sleep(0.01)


def told(database: Database, seed: int, steps: int) -> Story:
    story = Story(seed).tell(steps)
    with Owner(database) as owner:
        upgrade(database)
        journal = owner.journal(SHARD)
        commit(journal, story.records, seed)
        journal.close()
    return story


def projected(database: Database) -> Report:
    projector = Projector(database, SHARD)
    projector.catch_up()
    projector.close()
    return examine(database)


def test_a_whole_story_agrees_with_its_fold(database: Database) -> None:
    story = told(database, seed=7, steps=1_500)
    report = projected(database)
    assert report.differences == []
    assert report.ok
    assert (report.orders, report.fills) == (len(story.state.orders), len(story.state.fills))
    assert report.orders > 100
    assert report.fills > 100
    assert report.lag == 0
    assert report.records == len(story.records)


@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), steps=st.integers(0, 150), cuts=st.lists(st.integers(1, 60), max_size=6))
def test_rebuilding_gives_the_same_rows_as_following(seed: int, steps: int, cuts: list[int]) -> None:
    """Following in small groups, with a new projector for each, ends where one rebuild in one group ends."""
    story = Story(seed).tell(steps)
    with TemporaryDirectory() as folder:
        database = Database(Path(folder))
        with Owner(database) as owner:
            upgrade(database)
            journal = owner.journal(SHARD)
            rest = story.records
            for cut in cuts:
                commit(journal, rest[:cut], seed)
                rest = rest[cut:]
                projected(database)
            commit(journal, rest, seed)
            journal.close()
        report = projected(database)
        assert report.differences == []
        followed = everything(database)
        projector = Projector(database, SHARD)
        projector.rebuild()
        projector.close()
        assert everything(database) == followed


def test_groups_end_between_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector_module, "GROUP", 1)
    told(database, seed=3, steps=200)
    projector = Projector(database, SHARD)
    steps = 0
    while projector.advance():
        steps += 1
        assert examine(database).differences == []
    projector.close()
    assert steps > 5


def test_what_lies_ahead_is_read_once_and_again_after_a_group_that_failed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector_module, "GROUP", 1)
    told(database, seed=5, steps=300)
    projector = Projector(database, SHARD)
    reader, begun = projector._open(), list[int]()
    read = reader.read

    def counted(after_seq: int = 0) -> Iterator[StoredBatch]:
        begun.append(after_seq)
        return read(after_seq)

    monkeypatch.setattr(reader, "read", counted)
    for _ in range(3):
        assert projector.advance()
    assert begun == [0]
    with monkeypatch.context() as broken:
        broken.setattr(projector, "_move_cursor", Mock(side_effect=EvenkeelError("the disk is full")))
        with pytest.raises(EvenkeelError, match="the disk is full"):
            projector.advance()
    reached = projector.seq
    projector.catch_up()
    assert begun == [0, reached]
    projector.close()
    assert examine(database).ok


def test_a_projector_follows_a_running_journal(database: Database, follower: Follower) -> None:
    story = Story(11).tell(300)
    with Owner(database) as owner:
        upgrade(database)
        journal = owner.journal(SHARD)
        follower.start()
        for seq, record in enumerate(story.records, 1):
            batch = journal.append(encode((record,)), seq, seq)
            follower.committed(batch, (record,))
            if seq % 50 == 0:
                assert examine(database).differences == []
        eventually(lambda: follower.lag == 0)
        follower.stop()
        journal.close()
    assert follower.fault is None
    assert examine(database).differences == []


def test_an_older_journal_makes_the_projections_anew(database: Database) -> None:
    """A restored copy of the journal is shorter, or other, than what the projections were made from."""
    told(database, seed=5, steps=120)
    projected(database)
    shorter = Database(database.home.parent / "other", database.url)
    if database.is_sqlite:
        told(shorter, seed=6, steps=60)
        shorter.journal_file.replace(database.journal_file)
    else:
        engine = sync_engine(database, "migrate")
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM journal WHERE first_seq > 60")
    report = examine(database)
    assert any("older copy" in text for text in report.differences)
    assert projected(database).differences == []


def test_another_version_of_the_projections_is_made_anew(database: Database) -> None:
    told(database, seed=5, steps=60)
    projected(database)
    engine = sync_engine(database, "migrate")
    with engine.begin() as connection:
        connection.execute(update(projection_cursors).values(version=0))
        connection.execute(delete(alerts))
    assert not examine(database).ok
    assert projected(database).differences == []


def test_two_projectors_of_one_shard_do_not_mix(database: Database) -> None:
    story = Story(9).tell(100)
    with Owner(database) as owner:
        upgrade(database)
        journal = owner.journal(SHARD)
        commit(journal, story.records[:50])
        one, two = Projector(database, SHARD), Projector(database, SHARD)
        one.catch_up()
        two.catch_up()
        commit(journal, story.records[50:])
        one.catch_up()
        with pytest.raises(Exception, match=r"another process|UNIQUE|unique"):
            two.catch_up()
        one.close()
        two.close()
        journal.close()
    assert examine(database).differences == []


@pytest.mark.parametrize(
    ("table", "values", "words"),
    [
        (orders, {"filled": Decimal(3)}, "filled is 3"),
        (orders, {"state": "FILLED"}, "state is FILLED"),
        (positions, {"quantity": Decimal(12345)}, "quantity is 12345"),
        (balances, {"amount": Decimal(1)}, "amount is 1"),
        (ledger_entries, {"amount": Decimal(1)}, "add up to"),
    ],
)
def test_an_altered_row_is_named(database: Database, table: Table, values: dict[str, object], words: str) -> None:
    told(database, seed=21, steps=150)
    assert projected(database).ok
    engine = sync_engine(database, "migrate")
    with engine.begin() as connection:
        connection.execute(update(table).values(**values))
    report = examine(database)
    assert not report.ok
    assert any(words in text and table.name in text for text in report.differences)


@pytest.mark.parametrize("table", [orders, ledger_entries, alerts])
def test_a_missing_row_is_named(database: Database, table: Table) -> None:
    told(database, seed=22, steps=150)
    projected(database)
    engine = sync_engine(database, "migrate")
    with engine.begin() as connection:
        connection.execute(delete(table))
    assert any(table.name in text for text in examine(database).differences)


def test_lag_is_no_difference(database: Database) -> None:
    story = Story(4).tell(100)
    with Owner(database) as owner:
        upgrade(database)
        journal = owner.journal(SHARD)
        commit(journal, story.records[:60])
        projected(database)
        commit(journal, story.records[60:])
        journal.close()
    report = examine(database)
    assert report.ok
    assert report.lag == len(story.records) - 60


def test_a_home_without_projections_is_all_lag(database: Database) -> None:
    with Owner(database) as owner:
        journal = owner.journal(SHARD)
        count = commit(journal, Story(1).tell(20).records)
        journal.close()
    report = examine(database)
    assert report.ok
    assert report.lag == count
    assert report.schema is None


def test_a_record_that_does_not_fold_is_told(database: Database) -> None:
    story = Story(1).tell(30)
    moved = next(record for record in Story(2).tell(100).records if isinstance(record, OrderMoved))
    with Owner(database) as owner:
        journal = owner.journal(SHARD)
        count = commit(journal, story.records)
        journal.append(encode((replace(moved, order_id="nobody"),)), count + 1, count + 1)
        journal.close()
    report = examine(database)
    assert not report.ok
    assert any(f"does not fold beyond sequence {count}" in text and "nobody" in text for text in report.differences)


def test_the_projector_says_why_it_is_stuck(database: Database, follower: Follower) -> None:
    """Without its tables it reports a fault, keeps trying, and goes on once they are there."""
    with Owner(database) as owner:
        journal = owner.journal(SHARD)
        commit(journal, Story(1).tell(20).records)
        journal.close()
        follower.start()
        eventually(lambda: follower.fault is not None)
        upgrade(database)
        eventually(lambda: follower.fault is None)
        follower.stop()
    assert follower.fault is None
    assert examine(database).differences == []


async def test_whoever_waits_for_a_record_finds_it_projected(database: Database, follower: Follower) -> None:
    story = Story(12).tell(200)
    with Owner(database) as owner:
        upgrade(database)
        journal = owner.journal(SHARD)
        follower.start()
        for seq, record in enumerate(story.records, 1):
            follower.committed(journal.append(encode((record,)), seq, seq), (record,))
            if seq % 40 == 0:
                assert await follower.passed(seq, within=30.0)
                assert follower.seq >= seq
        last = len(story.records)
        assert await follower.passed(last, within=30.0)
        assert not await follower.passed(last + 1, within=0.05), "which nobody has committed"
        await asyncio.to_thread(follower.stop)
        journal.close()
    assert examine(database).lag == 0


async def test_nobody_waits_where_nothing_projects(database: Database, follower: Follower) -> None:
    """Neither for a projector that was not started, nor for one that is stuck, nor for one that stops meanwhile."""
    with Owner(database) as owner:
        journal = owner.journal(SHARD)
        count = commit(journal, Story(1).tell(20).records)
        journal.close()
        async with asyncio.timeout(20):
            assert not await follower.passed(count, within=60.0)
            follower.start()
            assert not await follower.passed(count, within=60.0), "its tables are not there"
            assert follower.fault is not None
            upgrade(database)
            await asyncio.to_thread(eventually, lambda: follower.fault is None)
            waiting = asyncio.create_task(follower.passed(count + 1, within=60.0))
            await asyncio.sleep(0.01)
            await asyncio.to_thread(follower.stop)
            assert not await waiting
            assert await follower.passed(count, within=60.0)


async def test_nobody_waits_for_what_takes_longer_than_a_moment(
    database: Database, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "FAR", 10)
    with Owner(database) as owner:
        upgrade(database)
        journal = owner.journal(SHARD)
        count = commit(journal, Story(1).tell(5).records)
        journal.close()
        follower.start()
        async with asyncio.timeout(20):
            assert await follower.passed(count, within=60.0), "however far it is before it is known how far"
            assert not await follower.passed(count + 11, within=60.0)
            assert not await follower.passed(count + 10, within=0.02)
        await asyncio.to_thread(follower.stop)


def _bug(*_: object) -> None:
    raise KeyError("a bug")


def test_a_fault_that_nobody_expected_is_told_as_well(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(database)
    with Owner(database) as owner:
        journal = owner.journal(SHARD)
        commit(journal, Story(1).tell(20).records)
        journal.close()
        projector = Projector(database, SHARD)
        with monkeypatch.context() as broken:
            broken.setattr(projections, "project", _bug)
            projector.start()
            eventually(lambda: projector.fault is not None)
        eventually(lambda: projector.fault is None)
        projector.stop()
    assert examine(database).lag == 0
