"""Keys, shares and the audit log on both databases: what is kept comes back, and the log takes nothing but new rows."""

import asyncio
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.desk.keys import ApiKey
from evenkeel.desk.permissions import Permission
from evenkeel.desk.shares import Share
from evenkeel.domain.audit import Entry, Head, check
from evenkeel.domain.errors import InvalidInput
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine, sync_engine
from evenkeel.storage.repositories import Anchor, StoredAudit, StoredKeys, StoredShares
from evenkeel.storage.repositories.audit import every_row, parsed
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
