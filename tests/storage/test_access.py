"""Keys, shares and the audit log on both databases: what is kept comes back, and the log takes nothing but new rows."""

import asyncio
import random
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.desk.keys import ApiKey
from evenkeel.desk.permissions import Permission
from evenkeel.desk.shares import Share
from evenkeel.domain.audit import Break, Entry, Head, check
from evenkeel.domain.errors import Conflict, InvalidInput, NotReady
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine, sync_engine
from evenkeel.storage.filelock import held
from evenkeel.storage.repositories import Anchor, StoredAudit, StoredKeys, StoredShares
from evenkeel.storage.repositories.audit import every_row, parsed, standing
from evenkeel.storage.schema import upgrade

KEY = ApiKey(
    "k1", "ann", "robot", "evk_1", "hash", Permission.TRADE, 1, 9, ("a", "b"), ("192.0.2.0/24",), True
)  # fmt: skip
SHARE = Share("s1", "a", "ann", "bob", Permission.READ, 1)
ENTRY = Entry(at=1, actor="ann", action="key.create", subject="k1", after='{"name":"robot"}')


@dataclass
class World:
    database: Database
    engine: AsyncEngine


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    from evenkeel.storage.tables.people import users

    upgrade(database)
    engine = async_engine(database)
    async with engine.begin() as connection:
        for name in ("ann", "bob"):
            row = {"id": name, "username": name, "username_key": name, "role": "trader", "password_hash": "h"}
            await connection.execute(users.insert().values(row | {"is_active": True, "created_at": 1}))
    yield World(database, engine)
    await engine.dispose()


async def test_a_key_comes_back_as_it_was(world: World) -> None:
    stored = StoredKeys(world.engine, ApiKey)
    await stored.add(KEY)
    assert await stored.by_prefix("evk_1") == await stored.by_id("k1") == KEY
    assert await stored.of_user("ann") == (KEY,)
    assert (await stored.of_user("bob"), await stored.by_prefix("evk_2"), await stored.by_id("k2")) == ((), None, None)
    await stored.used([("k1", 5, "192.0.2.7")])
    await stored.end("k1", expires_at=4, revoked_at=3)
    found = await stored.by_id("k1")
    assert found is not None
    assert (found.last_used_at, found.last_address, found.expires_at, found.revoked_at) == (5, "192.0.2.7", 4, 3)
    assert isinstance(found.scope, Permission)


async def test_shares_come_back_until_they_end(world: World) -> None:
    stored = StoredShares(world.engine, Share)
    await stored.put(SHARE)
    changed = Share("s1", "a", "ann", "bob", Permission.TRADE, 2)
    await stored.put(changed)
    assert await stored.all() == (changed,)
    await stored.end("s1", 3)
    assert await stored.all() == ()


def whole(world: World) -> list[str | Head]:
    engine = sync_engine(world.database, "read")
    try:
        return list(check(every_row(engine), Anchor(world.database.home).read()))
    finally:
        engine.dispose()


async def test_the_log_is_one_chain_whoever_writes(world: World) -> None:
    logs = [StoredAudit(world.engine, Anchor(world.database.home)) for _ in range(3)]
    await asyncio.gather(*(log.append((ENTRY, ENTRY)) for log in logs for _ in range(5)))
    engine = sync_engine(world.database, "read")
    rows = list(every_row(engine))
    engine.dispose()
    assert [row.seq for row in rows] == list(range(1, 31))
    assert [one for one in check(rows, None) if not isinstance(one, Head)] == []


async def test_the_end_is_kept_apart_in_a_private_file(world: World) -> None:
    anchor = Anchor(world.database.home)
    assert anchor.read() is None
    log = StoredAudit(world.engine, anchor)
    await log.append((ENTRY,))
    await log.append((ENTRY,))
    assert stat.S_IMODE(anchor.path.stat().st_mode) == 0o600
    assert whole(world) == [anchor.read()]
    anchor.path.write_text("nonsense")
    with pytest.raises(InvalidInput):
        anchor.read()
    assert parsed(f"2:{'a' * 64}") == Head(2, "a" * 64)


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET actor = 'eve'", "DELETE FROM audit_log"])
async def test_the_database_itself_refuses_to_change_a_row(world: World, statement: str) -> None:
    await StoredAudit(world.engine).append((ENTRY,))
    with pytest.raises(DBAPIError, match="append-only"):
        async with world.engine.begin() as connection:
            await connection.execute(text(statement))
    assert [type(one) for one in whole(world)] == [Head]


_TURNED = "UPDATE audit_log SET seq = CASE seq WHEN 2 THEN -3 WHEN 3 THEN -2 END WHERE seq IN (2, 3)"
FORGERIES = {
    "altered": ("UPDATE audit_log SET actor = 'eve' WHERE seq = 2", "row 2 was altered"),
    "removed": ("DELETE FROM audit_log WHERE seq = 2", "row 2 is missing"),
    "cut off": ("DELETE FROM audit_log WHERE seq > 3", "the log ends with row 3, and had 5 rows: its end was cut off"),
    "put elsewhere": (
        f"{_TURNED}; UPDATE audit_log SET seq = -seq WHERE seq < 0",
        "row 2 does not follow the row before it",
    ),
    "emptied": ("DELETE FROM audit_log", "the log ends with row 0, and had 5 rows: its end was cut off"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_whoever_gets_past_that_is_found_out(world: World, forgery: str) -> None:
    statements, said = FORGERIES[forgery]
    log = StoredAudit(world.engine, Anchor(world.database.home))
    for _ in range(5):
        await log.append((ENTRY,))
    await _past_the_triggers(world, statements.split("; "))
    assert said in whole(world)


async def _past_the_triggers(world: World, statements: list[str]) -> None:
    is_sqlite = world.engine.dialect.name == "sqlite"
    async with world.engine.begin() as connection:
        if is_sqlite:
            await connection.execute(text("DROP TRIGGER audit_log_no_update"))
            await connection.execute(text("DROP TRIGGER audit_log_no_delete"))
        else:
            await connection.execute(text("ALTER TABLE audit_log DISABLE TRIGGER ALL"))
        for statement in statements:
            await connection.execute(text(statement))


async def test_pages_are_newest_first_and_filtered(world: World) -> None:
    log = StoredAudit(world.engine)
    for number in range(1, 7):
        who = "ann" if number % 2 else "bob"
        await log.append((Entry(at=number * 10, actor=who, action="x", subject=f"s{number}"),))
    first, cursor = await log.page(limit=4)
    assert [row.seq for row in first] == [6, 5, 4, 3]
    rest, end = await log.page(limit=4, cursor=cursor)
    assert ([row.seq for row in rest], end) == ([2, 1], None)
    found, _ = await log.page(limit=9, actor="ann", start=20, end=50)
    assert [row.seq for row in found] == [3]
    assert [row.seq for row in (await log.page(limit=9, subject="s4", action="x"))[0]] == [4]
    with pytest.raises(InvalidInput):
        await log.page(limit=1, cursor="x")


async def _cut(world: World, keep: int) -> None:
    await _past_the_triggers(world, [f"DELETE FROM audit_log WHERE seq > {keep}"])


@pytest.mark.parametrize("keep", [3, 0])
async def test_rows_added_after_a_cut_do_not_hide_it(world: World, keep: int) -> None:
    """However long the log grows on: the break is in the log, in the file, told once, and a fault until accepted."""
    anchor = Anchor(world.database.home)
    log, told = StoredAudit(world.engine, anchor), list[Break]()
    for _ in range(5):
        await log.append((ENTRY,))
    was = anchor.read()
    await _cut(world, keep)
    log.on_break = told.append
    assert [one.kept for one in await log.breaks()] == [str(was)]
    for _ in range(4):
        await log.append((ENTRY,))
    assert [type(one) for one in whole(world)] == [Head]  # the chain itself is whole again, and has as many rows
    assert [(one.kept, one.found.partition(":")[0]) for one in told] == [(str(was), str(keep))]
    assert await StoredAudit(world.engine, anchor).breaks() == tuple(told)
    rows = [row for row in (await log.page(limit=99))[0] if row.action == "audit.broken"]
    assert [str(was) in row.before for row in rows] == [True]
    assert [row.seq for row in rows] == [keep + 1]
    engine = sync_engine(world.database, "read")
    assert standing(engine, anchor) == tuple(told)
    engine.dispose()
    await log.accept(replace(ENTRY, actor="home"), "put back by hand")
    assert await log.breaks() == ()
    assert [one.accepted for one in anchor.kept().breaks] == ["put back by hand"]
    with pytest.raises(Conflict):
        await log.accept(ENTRY, "nothing to accept")


async def test_an_end_made_anew_and_an_end_that_is_gone_are_noticed(world: World) -> None:
    anchor = Anchor(world.database.home)
    log = StoredAudit(world.engine, anchor)
    for _ in range(3):
        await log.append((ENTRY,))
    await _cut(world, 1)
    forged = replace(ENTRY, actor="eve")
    await StoredAudit(world.engine).append((forged, forged, forged))  # by somebody who has the database alone
    await log.append((ENTRY,))
    assert len(await log.breaks()) == 1
    anchor.path.unlink()
    await log.append((ENTRY,))
    anchor.path.write_text("nonsense\n", encoding="utf-8")
    await log.append((ENTRY,))
    found = await log.breaks()
    assert [one.kept.partition(":")[0] for one in found] == ["'nonsense'"]
    rows = [row.action for row in (await log.page(limit=99))[0]]
    assert rows.count("audit.broken") == 3


async def test_a_process_that_dies_between_its_rows_and_the_file_is_no_break(world: World) -> None:
    """The file is one or more rows behind then, or holds a log without rows where the first was on its way."""
    anchor = Anchor(world.database.home)
    with pytest.MonkeyPatch.context() as patch:
        log = StoredAudit(world.engine, anchor)
        await log.append((ENTRY,))
        behind = anchor.path.read_bytes()
        await log.append((ENTRY, ENTRY))
        anchor.path.write_bytes(behind)
        patch.setattr(log, "on_break", lambda found: pytest.fail(str(found)))
        await log.append((ENTRY,))
        assert await log.breaks() == ()
        anchor.write(Head())
        await log.append((ENTRY,))
    assert whole(world)[-1] == anchor.read()


async def test_a_file_that_cannot_be_written_stops_what_is_administrative(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise InvalidInput("audit-head cannot be written: No space left on device")

    log = StoredAudit(world.engine, Anchor(world.database.home))
    monkeypatch.setattr("evenkeel.storage.repositories.audit.write_private", full)
    with pytest.raises(NotReady, match="No space left"):
        await log.append((ENTRY,))
    monkeypatch.undo()
    await log.append((ENTRY,))
    assert await log.breaks() == ()


async def test_whoever_asks_may_go_away(world: World) -> None:
    anchor = Anchor(world.database.home)
    log = StoredAudit(world.engine, anchor)
    for delay in (0.0, 0.001, 0.003):
        asked = asyncio.create_task(log.append((ENTRY,)))
        await asyncio.sleep(delay)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
    await log.append((ENTRY,))
    assert whole(world) == [anchor.read()]


def test_one_at_a_time_holds_a_lock_in_a_file(tmp_path: Path) -> None:
    lock, found = tmp_path / "lock", pytest.raises(NotReady, match="another process holds")
    with held(lock), found, held(lock, patience=0.05):
        pytest.fail("held twice")
    with held(lock):
        assert lock.is_file()
    with pytest.raises(NotReady, match="cannot be opened"), held(tmp_path / "no" / "lock"):
        pytest.fail("there is no such folder")


async def test_a_break_that_another_process_has_found_is_told_here_with_the_next_row(world: World) -> None:
    anchor = Anchor(world.database.home)
    here, elsewhere = StoredAudit(world.engine, anchor), StoredAudit(world.engine, anchor)
    for _ in range(3):
        await here.append((ENTRY,))
    await _cut(world, 1)
    await elsewhere.append((ENTRY,))
    told = list[Break]()
    here.on_break = told.append
    for _ in range(2):
        await here.append((ENTRY,))
    assert told == list(await here.breaks())
    assert len(told) == 1


WRITER = """
import asyncio, sys
from pathlib import Path
from evenkeel.domain.audit import Entry
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine
from evenkeel.storage.repositories import Anchor, StoredAudit

async def write():
    home = Path(sys.argv[1])
    log = StoredAudit(async_engine(Database(home, sys.argv[2] or None)), Anchor(home))
    while True:
        await log.append((Entry(at=1, actor="ann", action="x"),) * 3)
        print("row", flush=True)

asyncio.run(write())
"""


def test_killed_at_any_moment_and_two_at_once_it_is_whole(database: Database, request: pytest.FixtureRequest) -> None:
    upgrade(database)
    rand = random.Random(request.config.getoption("--seed"))
    anchor, engine = Anchor(database.home), sync_engine(database, "read")
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, str(database.home), database.url or ""]
        writers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        time.sleep(rand.uniform(0, 0.3))
        for writer in writers:
            writer.kill()
        for writer in writers:
            writer.communicate()
        assert standing(engine, anchor) == ()
        assert [one for one in check(every_row(engine), anchor.read()) if not isinstance(one, Head)] == []
    engine.dispose()
