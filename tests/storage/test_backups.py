"""Backups: of one moment while orders run, read back, restored into a second home, kept by policy; both databases."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import text

from evenkeel.domain.audit import Entry, Head, check
from evenkeel.domain.errors import Conflict, EvenkeelError, InvalidInput, JournalCorrupt, NotFound, NotReady
from evenkeel.storage.backups.keeping import Policy, kept, prune
from evenkeel.storage.backups.making import backups_in, half_made, make, verify
from evenkeel.storage.backups.restoring import restore
from evenkeel.storage.database import Database
from evenkeel.storage.doctor import examine
from evenkeel.storage.engines import async_engine, sync_engine
from evenkeel.storage.ownership import Owner
from evenkeel.storage.repositories.audit import Anchor, StoredAudit, every_row
from evenkeel.storage.schema import upgrade
from tests.postgres import PostgresCluster
from tests.storage.stories import SHARD, Story, commit, projected
from tests.storage.test_durability import writer


def lived_in(database: Database, *, steps: int = 60) -> None:
    """A home with a journal, projections that have caught up, a person, a result and a strategy file."""
    projected(database, Story(7).tell(steps).records)
    for name, content in (("research/one.npz", b"curves"), ("strategies/mine.py", b"# a strategy\n")):
        path = database.home / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (database.home / "mode").write_text("up\n", encoding="utf-8")
    (database.home / "secrets.json").write_text("never copied", encoding="utf-8")


@pytest.fixture
def second(database: Database, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty home of the same kind of database."""
    if database.is_sqlite:
        yield Database(tmp_path / "second")
        return
    cluster: PostgresCluster = request.getfixturevalue("postgres_cluster")
    with cluster.database() as url:
        yield Database(tmp_path / "second", url)


def test_a_backup_comes_back_whole(database: Database, second: Database, tmp_path: Path) -> None:
    lived_in(database)
    before = examine(database)
    made = make(database, tmp_path / "copies", version="1", server_keys=("abcd",))
    assert verify(made.path) == made.manifest
    assert made.manifest.server_keys == ("abcd",)
    assert "never copied" not in "".join(str(path.read_bytes()) for path in made.path.rglob("*") if path.is_file())
    assert {path.stat().st_mode & 0o077 for path in made.path.rglob("*")} == {0}
    back = restore(made.path, second)
    assert back.report is not None
    assert (back.report.ok, back.report.records, back.report.orders) == (True, before.records, before.orders)
    assert back.report.lag == 0
    assert (second.home / "research" / "one.npz").read_bytes() == b"curves"
    assert (second.home / "strategies" / "mine.py").is_file()
    assert (second.home / "mode").read_text(encoding="utf-8") == "up\n"
    with Owner(second) as owner:
        epoch = owner.take(SHARD)
    assert epoch > 1


def test_the_tables_of_what_is_restored_are_level_with_its_journal(
    database: Database, second: Database, tmp_path: Path
) -> None:
    """Tables and journal are copied one after the other, and the tables are behind where much is going on."""
    with Owner(database) as owner:
        upgrade(database)
        journal = owner.journal(SHARD)
        commit(journal, Story(7).tell(60).records)
        journal.close()
    assert examine(database).lag > 0
    back = restore(make(database, tmp_path / "copies", version="1").path, second).report
    assert back is not None
    assert (back.ok, back.lag) == (True, 0)
    assert examine(second).lag == 0


def test_a_home_is_never_restored_over(database: Database, second: Database, tmp_path: Path) -> None:
    lived_in(database, steps=5)
    made = make(database, tmp_path / "copies", version="1")
    with pytest.raises(Conflict, match="is a home already"):
        restore(made.path, database)
    restore(made.path, second)
    with pytest.raises(Conflict):
        restore(made.path, Database(tmp_path / "third", second.url) if second.url else second)


def test_an_empty_home_has_nothing_to_back_up(database: Database) -> None:
    with pytest.raises(NotFound, match="nothing to back up"):
        make(database, version="1")
    assert list(database.home.glob("backups/*")) == []


@pytest.mark.parametrize("victim", ["journal", "manifest", "missing", "stray"])
def test_what_is_not_as_it_was_written_is_refused(
    database: Database, second: Database, tmp_path: Path, victim: str
) -> None:
    lived_in(database, steps=10)
    made = make(database, tmp_path / "copies", version="1")
    journal = next(path for path in made.path.rglob("journal*") if path.is_file())
    manifest = made.path / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    if victim == "journal":
        journal.write_bytes(journal.read_bytes()[:-1] + b"?")
    elif victim == "missing":
        journal.unlink()
    elif victim == "stray":
        told["files"][0]["path"] = "../outside"
        manifest.write_text(json.dumps(told), encoding="utf-8")
    else:
        told["shards"][SHARD]["last_seq"] += 1
        manifest.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises((InvalidInput, JournalCorrupt)):
        restore(made.path, second)
    assert not (second.home / "journal.db").exists()


def test_a_backup_of_another_kind_or_time_says_so(tmp_path: Path) -> None:
    home = Database(tmp_path / "home")
    lived_in(home, steps=5)
    made = make(home, version="1")
    with pytest.raises(InvalidInput, match="a backup of sqlite"):
        restore(made.path, Database(tmp_path / "other", "postgresql://nobody@127.0.0.1:1/none"))
    manifest = made.path / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    cases = (({"schema": "9999"}, "schema 9999"), ({"format": 99}, "format 99"), ({"made_at": "x"}, "read"))
    for change, said in cases:
        manifest.write_text(json.dumps(told | change), encoding="utf-8")
        with pytest.raises((Conflict, InvalidInput), match=said):
            restore(made.path, Database(tmp_path / "second"))
    with pytest.raises(NotFound, match="is no backup"):
        restore(tmp_path, Database(tmp_path / "second"))


def test_backups_made_while_a_writer_runs_are_of_one_moment(tmp_path: Path) -> None:
    """Tables are never ahead of the journal, and every copy passes the doctor, however the writer goes on."""
    where = Database(tmp_path / "home")
    with Owner(where):
        upgrade(where)
    process = writer(where)
    assert process.stdout is not None
    process.stdout.readline()
    ends = []
    for _ in range(6):
        made = make(where, tmp_path / "copies", version="1")
        ends.append(made.manifest.records)
        assert examine(Database(made.path)).ok
        time.sleep(0.05)
    process.kill()
    process.stdout.close()
    process.wait()
    assert ends == sorted(ends)
    assert ends[-1] > ends[0]
    assert len(backups_in(tmp_path / "copies")) == 6


def test_a_disk_that_is_full_leaves_no_half_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Database(tmp_path / "home")
    lived_in(home, steps=5)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "manifest.json")

    monkeypatch.setattr("evenkeel.storage.backups.making.write", full)
    with pytest.raises(EvenkeelError, match="No space left"):
        make(home, tmp_path / "copies", version="1")
    assert list((tmp_path / "copies").iterdir()) == []


def test_pruning_removes_what_the_policy_does_not_keep(tmp_path: Path) -> None:
    home = Database(tmp_path / "home")
    lived_in(home, steps=5)
    first = make(home, version="1").path
    again = [first]
    for day in range(1, 5):
        copy = first.with_name(f"evenkeel-{day}")
        shutil.copytree(first, copy)
        told = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
        told["made_at"] -= day * 86_400 * 10**9
        (copy / "manifest.json").write_text(json.dumps(told), encoding="utf-8")
        again.append(copy)
    stranger = first.parent / "evenkeel-notes.txt"
    stranger.write_text("mine", encoding="utf-8")
    gone = prune(first.parent, Policy(daily=2, weekly=0, monthly=0))
    assert sorted(gone) == sorted(again[2:])
    assert set(first.parent.iterdir()) == {again[0], again[1], stranger}


BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
MOMENTS = st.lists(st.integers(0, 2_500 * 24 * 60).map(lambda minutes: BEGINNING + timedelta(minutes=minutes)))


@given(MOMENTS, st.integers(1, 8), st.integers(0, 5), st.integers(0, 5))
def test_what_is_kept(times: list[datetime], daily: int, weekly: int, monthly: int) -> None:
    policy = Policy(daily, weekly, monthly)
    keep = kept(times, policy)
    assert keep <= set(times)
    assert not times or max(times) in keep
    assert len(keep) <= max(1, daily + weekly + monthly)
    assert kept(tuple(keep), policy) == keep
    for at in {one.date() for one in times}:
        newest = max(one for one in times if one.date() == at)
        later = {one.date() for one in times if one.date() > at}
        assert len(later) >= daily or newest in keep


def test_a_year_of_daily_backups_thins_out() -> None:
    times = [datetime(2025, 1, 1, 3, 30, tzinfo=UTC) + timedelta(days=day) for day in range(365)]
    left: list[datetime] = []
    for at in times:
        left = sorted(kept([*left, at], Policy()))
    ages = [(times[-1] - at).days for at in left]
    assert 18 <= len(left) <= 23
    assert ages[-7:] == [6, 5, 4, 3, 2, 1, 0]
    assert max(ages) > 320


ENTRY = Entry(at=1, actor="ann", action="key.create")


async def _logged(database: Database, count: int) -> None:
    engine = async_engine(database)
    log = StoredAudit(engine, Anchor(database.home))
    for number in range(count):
        await log.append((replace(ENTRY, subject=str(number)),))
    await engine.dispose()


def _faults(database: Database) -> list[str]:
    """As `evenkeel audit verify` finds them."""
    engine = sync_engine(database, "read")
    kept = Anchor(database.home).kept()
    found = [str(one) for one in check(every_row(engine), kept.head) if not isinstance(one, Head)]
    engine.dispose()
    return found + [str(one) for one in kept.open]


async def test_the_end_of_the_audit_log_travels(database: Database, second: Database, tmp_path: Path) -> None:
    lived_in(database, steps=5)
    await _logged(database, 3)
    behind = Anchor(database.home).path.read_bytes()
    await _logged(database, 1)
    Anchor(database.home).path.write_bytes(behind)  # as a process leaves it that is killed in between
    made = make(database, tmp_path / "copies", version="1")
    assert made.manifest.audit is not None
    assert made.manifest.audit.head.startswith("4:")
    restore(made.path, second)
    assert str(Anchor(second.home).read()) == made.manifest.audit.head
    assert _faults(second) == []
    await _logged(second, 2)
    assert _faults(second) == []
    manifest = made.path / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["audit"]["head"] = f"4:{'0' * 64}"
    manifest.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(InvalidInput, match="the audit log does not end with"):
        verify(made.path)


@pytest.mark.parametrize("how", ["cut", "gone", "known"])
async def test_a_log_that_is_broken_is_not_whole_for_having_been_copied(
    database: Database, second: Database, tmp_path: Path, how: str
) -> None:
    lived_in(database, steps=5)
    await _logged(database, 4)
    if how == "gone":
        Anchor(database.home).path.unlink()
    else:
        _past_the_triggers(database, "DELETE FROM audit_log WHERE seq > 2")
    if how == "known":
        await _logged(database, 4)
    made = make(database, tmp_path / "copies", version="1")
    restore(made.path, second)
    assert len(_faults(second)) == 1
    await _logged(second, 1)
    assert len(_faults(second)) == 1


def _past_the_triggers(database: Database, statement: str) -> None:
    engine = sync_engine(database, "migrate")
    with engine.begin() as connection:
        if database.is_sqlite:
            connection.execute(text("DROP TRIGGER audit_log_no_delete"))
        else:
            connection.execute(text("ALTER TABLE audit_log DISABLE TRIGGER ALL"))
        connection.execute(text(statement))
    engine.dispose()


def test_a_backup_of_before_there_was_a_log_has_no_end_of_it(tmp_path: Path) -> None:
    home = Database(tmp_path / "home")
    lived_in(home, steps=5)
    home.file.unlink()
    made = make(home, version="1")
    assert made.manifest.audit is None


def test_a_killed_backup_is_swept_by_the_next_and_a_running_one_is_not(tmp_path: Path) -> None:
    home = Database(tmp_path / "home")
    lived_in(home, steps=5)
    folder = tmp_path / "copies"
    with under_way_in_another_process(folder / "evenkeel-1") as alive:
        dead = folder / ".evenkeel-2.part"
        (dead / "tables").mkdir(parents=True)
        (folder / ".evenkeel-3.lock").touch()
        stranger = folder / ".mine.part"
        stranger.mkdir()
        assert half_made(folder) == (dead,)
        made = make(home, folder, version="1")
        assert half_made(folder) == ()
        assert set(folder.iterdir()) == {made.path, alive, alive.with_suffix(".lock"), stranger}
    assert half_made(folder) == (alive,)
    again = make(home, folder, version="1")
    assert set(folder.iterdir()) == {made.path, again.path, stranger}


@contextmanager
def under_way_in_another_process(target: Path) -> Iterator[Path]:
    """A folder that another process makes, until it is killed."""
    target.parent.mkdir(exist_ok=True)
    code = (
        "import pathlib, sys, time; from evenkeel.storage.backups.parts import under_way\n"
        "with under_way(pathlib.Path(sys.argv[1])) as part: print(part, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Path(process.stdout.readline().strip())
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


FAULTS = {
    "a disk that fills up": ("evenkeel.storage.backups.restoring.settle", OSError(28, "No space left on device", "x")),
    "a doctor who says no": ("evenkeel.storage.backups.restoring.examine", EvenkeelError("not sound")),
    "a schema that fails": ("evenkeel.storage.schema.upgrade", EvenkeelError("no migration")),
    "a hand on the keyboard": ("evenkeel.storage.backups.restoring.examine", KeyboardInterrupt()),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_restore_that_fails_leaves_nothing_and_works_afterwards(
    database: Database, second: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    lived_in(database, steps=5)
    made = make(database, tmp_path / "copies", version="1")
    where, error = FAULTS[fault]

    def fails(*_: object) -> None:
        raise error

    before = set(tmp_path.iterdir())
    monkeypatch.setattr(where, fails)
    with pytest.raises((EvenkeelError, KeyboardInterrupt)):
        restore(made.path, second)
    assert set(tmp_path.iterdir()) == before
    monkeypatch.undo()
    assert restore(made.path, second).report is not None
    assert (second.home / "mode").is_file()


def test_two_restores_into_one_home_do_not_mix(database: Database, second: Database, tmp_path: Path) -> None:
    lived_in(database, steps=5)
    made = make(database, tmp_path / "copies", version="1")
    with under_way_in_another_process(second.home), pytest.raises(NotReady, match="another process holds"):
        restore(made.path, second)
    restore(made.path, second)
    assert sorted(path.name for path in second.home.parent.glob(".*")) == []


@pytest.mark.parametrize("there", ["evenkeel.toml", "data", "secrets.json"])
def test_a_home_is_restored_into_an_empty_folder_or_none(tmp_path: Path, there: str) -> None:
    home, second = Database(tmp_path / "home"), Database(tmp_path / "second")
    lived_in(home, steps=5)
    made = make(home, version="1")
    second.home.mkdir()
    (second.home / there).touch()
    with pytest.raises(Conflict, match=f"holds something else: {there}"):
        restore(made.path, second)
    (second.home / there).unlink()
    report = restore(made.path, second).report
    assert report is not None
    assert (report.database, report.durability["file"]) == (str(second.file), str(second.journal_file))
    assert examine(second).durability["file"] == str(second.journal_file)


@pytest.mark.service
def test_two_restores_into_one_database_do_not_mix(postgres_url: str, tmp_path: Path) -> None:
    from evenkeel.storage.backups import postgres

    second = Database(tmp_path / "second", postgres_url)
    with postgres.emptied(second), pytest.raises(Conflict, match="another restore fills"), postgres.emptied(second):
        pytest.fail("both fill it")
    with postgres.emptied(second):
        upgrade(second)
    with pytest.raises(Conflict, match="is not empty") as refused, postgres.emptied(second):
        pytest.fail("it is not empty")
    assert refused.value.hint is not None
    assert "a restore was killed in" in refused.value.hint
