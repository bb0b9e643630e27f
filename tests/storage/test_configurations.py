"""Configurations on both databases: versions are kept, the same is not saved twice, nobody sees another's."""

from collections.abc import AsyncIterator
from decimal import Decimal

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.desk.ports import User
from evenkeel.domain.configurations import Configuration, ConfiguredMember, Range, Saved
from evenkeel.domain.errors import Conflict
from evenkeel.domain.sizing import Cash, Kelly
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine
from evenkeel.storage.repositories import StoredConfigurations, StoredUsers
from evenkeel.storage.schema import upgrade

FIRST = Configuration(
    "sma-crossover",
    {"fast": 5, "slow": 20, "allow_short": False},
    {"fast": Range(2, 10, 2)},
    size=Cash(Decimal("0.10")),
)
SECOND = msgspec.structs.replace(FIRST, size=Kelly(0.25), description="half as brave")
JOINED = Configuration(
    "ensemble",
    {"members": "rsi*2"},
    members=(ConfiguredMember("rsi", {"period": 14, "oversold": 30.5}, 2.0, "my-rsi@1"),),
)


@pytest.fixture
async def stored(database: Database) -> AsyncIterator[StoredConfigurations]:
    upgrade(database)
    engine: AsyncEngine = async_engine(database)
    users = StoredUsers(engine, User)
    for name in ("ann", "bob"):
        await users.add(User(id=name, username=name, role="trader", password_hash="h", created_at=1))
    yield StoredConfigurations(engine)
    await engine.dispose()


async def save(stored: StoredConfigurations, name: str, configuration: Configuration, **more: object) -> Saved:
    given = {"user": "ann", "code": "1", "at": 10} | more
    return await stored.save(
        str(given["user"]),
        name,
        configuration=configuration,
        template_version=str(given["code"]),
        at=int(str(given["at"])),
    )


async def test_every_version_stays_as_it_was_saved(stored: StoredConfigurations) -> None:
    one = await save(stored, "trend", FIRST)
    two = await save(stored, "trend", SECOND, at=11)
    assert (one.reference, two.reference) == ("trend@1", "trend@2")
    assert await stored.find("ann", "trend", 1) == one == Saved("ann", "trend", 1, "1", FIRST, 10)
    assert await stored.find("ann", "trend") == two
    assert await stored.find("ann", "trend", 3) is None
    assert await stored.find("ann", "other") is None
    joined = await save(stored, "both", JOINED)
    assert await stored.find("ann", "both") == joined


async def test_what_is_the_same_is_not_saved_again(stored: StoredConfigurations) -> None:
    one = await save(stored, "trend", FIRST)
    assert await save(stored, "trend", FIRST, at=99) == one
    assert (await save(stored, "trend", FIRST, code="2")).version == 2, "the code has changed"
    assert (await save(stored, "trend", SECOND, code="2")).version == 3
    assert (await save(stored, "trend", FIRST, code="2")).version == 4


async def test_lists_show_the_newest_of_each_and_versions_come_in_pages(stored: StoredConfigurations) -> None:
    for place in range(5):
        await save(stored, "trend", msgspec.structs.replace(FIRST, description=str(place)))
    await save(stored, "another", FIRST)
    assert [one.reference for one in await stored.newest("ann")] == ["another@1", "trend@5"]
    found, cursor = await stored.versions("ann", "trend", limit=3)
    rest, end = await stored.versions("ann", "trend", limit=3, cursor=cursor)
    assert [one.version for one in (*found, *rest)] == [5, 4, 3, 2, 1]
    assert end is None


async def test_what_is_archived_is_found_and_not_listed_or_saved(stored: StoredConfigurations) -> None:
    await save(stored, "trend", FIRST)
    await save(stored, "trend", SECOND)
    assert await stored.archive("ann", "trend", 50)
    assert await stored.newest("ann") == ()
    for version in (1, 2):
        found = await stored.find("ann", "trend", version)
        assert found is not None
        assert found.archived_at == 50
    with pytest.raises(Conflict, match="archived"):
        await save(stored, "trend", FIRST)
    assert await stored.archive("ann", "trend", None)
    assert (await save(stored, "trend", FIRST)).version == 3
    assert not await stored.archive("ann", "nothing", 1)


async def test_nobody_sees_anothers(stored: StoredConfigurations) -> None:
    await save(stored, "trend", FIRST)
    assert await stored.find("bob", "trend") is None
    assert await stored.newest("bob") == ()
    assert await stored.versions("bob", "trend", limit=5) == ([], None)
    assert not await stored.archive("bob", "trend", 1)
    assert (await save(stored, "trend", SECOND, user="bob")).version == 1
