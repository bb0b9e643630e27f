"""What people sign in with, on both databases: each thing that works once is taken once; and the migration."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.desk import ports
from evenkeel.desk.ports import Identity, Link, RefreshToken, SecondFactor, Session, User
from evenkeel.domain.errors import Conflict, InvalidInput
from evenkeel.storage.database import Database
from evenkeel.storage.engines import WRITING, async_engine, sync_engine
from evenkeel.storage.repositories import StoredFactors, StoredIdentities, StoredLinks, StoredTokens, StoredUsers
from evenkeel.storage.schema import upgrade
from evenkeel.storage.tables.people import refresh_tokens
from evenkeel.storage.tables.people import users as users_table
from tests.storage.test_schema import VERSIONS

ANN = User("user-1", "Ann", "super-admin", "h1", True, 1, "Ann@example.com", "Ann Smith", ("192.0.2.0/24",))
BOB = User("user-2", "bob", "super-admin", "", True, 2)


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    upgrade(database)
    made = async_engine(database)
    for user in (ANN, BOB):
        await StoredUsers(made, User).add(user)
    yield made
    await made.dispose()


async def test_users_keep_all_that_is_known_of_them(engine: AsyncEngine) -> None:
    users: ports.Users = StoredUsers(engine, User)
    assert await users.by_id("user-1") == ANN
    assert await users.by_email("ANN@EXAMPLE.COM") == ANN
    assert await users.by_email("nobody@example.com") is None
    assert await users.everyone() == (ANN, BOB)
    with pytest.raises(Conflict, match="with the address"):
        await users.replace(msgspec.structs.replace(BOB, email="ann@example.com"))
    await users.replace(msgspec.structs.replace(ANN, email=None, networks=()))
    await users.replace(msgspec.structs.replace(BOB, email="ann@example.com"))


async def test_two_who_demote_each_other_do_not_both_go(engine: AsyncEngine) -> None:
    users = StoredUsers(engine, User)
    done = await asyncio.gather(
        *(
            users.replace(msgspec.structs.replace(one, role="viewer"), keeping="super-admin")
            for one in (ANN, BOB)
        ),
        return_exceptions=True,
    )  # fmt: skip
    assert sum(isinstance(one, Conflict) for one in done) == 1
    assert len(await users.by_role("super-admin")) == 1


async def test_an_inactive_super_admin_does_not_count(engine: AsyncEngine) -> None:
    users = StoredUsers(engine, User)
    await users.replace(msgspec.structs.replace(BOB, is_active=False), keeping="super-admin")
    with pytest.raises(Conflict, match="last active"):
        await users.replace(msgspec.structs.replace(ANN, is_active=False), keeping="super-admin")


async def test_what_no_database_holds_is_no_outage(engine: AsyncEngine) -> None:
    """PostgreSQL has no text with a NUL: asked for one, it is the question that is wrong."""
    users = StoredUsers(engine, User)
    if engine.dialect.name == "sqlite":
        assert await users.by_id("user\0") is None
        return
    with pytest.raises(InvalidInput, match="no row has such a value"):
        await users.by_id("user\0")


async def test_sessions_are_listed_by_their_last_token(engine: AsyncEngine) -> None:
    tokens: ports.RefreshTokens = StoredTokens(engine, RefreshToken, Session)
    first = RefreshToken("t1", "f1", ANN.id, 10, 100, 1000, user_agent="Firefox", address="192.0.2.1")
    await tokens.add(first)
    await tokens.replace("t1", msgspec.structs.replace(first, token_hash="t2", created_at=20, address="192.0.2.2"), 20)
    await tokens.add(msgspec.structs.replace(first, token_hash="u1", family_id="f2", created_at=30))
    await tokens.add(msgspec.structs.replace(first, token_hash="v1", family_id="f3", created_at=40))
    await tokens.revoke_family("f3", 41)
    second = Session("f2", ANN.id, 30, 30, 100, "Firefox", "192.0.2.1")
    renewed = Session("f1", ANN.id, 10, 20, 100, "Firefox", "192.0.2.2")
    assert await tokens.sessions_of(ANN.id, 50) == ([second, renewed], None)
    (found, cursor) = await tokens.sessions_of(ANN.id, 50, limit=1)
    assert (found, await tokens.sessions_of(ANN.id, 50, limit=1, cursor=cursor)) == ([second], ([renewed], None))
    with pytest.raises(InvalidInput):
        await tokens.sessions_of(ANN.id, 50, cursor="made up")
    assert await tokens.sessions_of(ANN.id, 50, only="f1") == ([renewed], None)
    for nothing in ("f3", "f4", "f1' or 'a' = 'a"):
        assert await tokens.sessions_of(ANN.id, 50, only=nothing) == ([], None)
    assert await tokens.sessions_of(BOB.id, 50, only="f1") == ([], None)
    assert await tokens.sessions_of(ANN.id, 100) == ([], None)
    await tokens.revoke_user(ANN.id, 51, but="f1")
    assert await tokens.sessions_of(ANN.id, 52) == ([renewed], None)


async def ended_by(tokens: ports.RefreshTokens, end: str) -> None:
    match end:
        case "the session":
            await tokens.revoke_family("f1", 30)
        case "all of theirs":
            await tokens.revoke_user(ANN.id, 30)
        case "those beyond":
            await tokens.revoke_beyond(ANN.id, 30, keep=1, first="f2")


@pytest.mark.parametrize("end", ["the session", "all of theirs", "those beyond"])
async def test_a_session_that_is_renewed_while_it_ends_has_ended(engine: AsyncEngine, end: str) -> None:
    """PostgreSQL's update waits for the renewal and does not see the token that it has added."""
    tokens: ports.RefreshTokens = StoredTokens(engine, RefreshToken, Session)
    first = RefreshToken("t1", "f1", ANN.id, 10, 100, 1000)
    await tokens.add(first)
    await tokens.add(msgspec.structs.replace(first, token_hash="u1", family_id="f2", created_at=15))
    renewed = msgspec.structs.replace(first, token_hash="t2", created_at=20)
    async with engine.execution_options(**WRITING).begin() as connection:
        marked = update(refresh_tokens).where(refresh_tokens.c.token_hash == "t1")
        await connection.execute(marked.values(used_at=20, replaced_by="t2"))
        row = {name: getattr(renewed, name) for name in RefreshToken.__struct_fields__}
        await connection.execute(insert(refresh_tokens).values(row))
        ending = asyncio.create_task(ended_by(tokens, end))
        await asyncio.sleep(0.2)
    await ending
    last = await tokens.by_hash("t2")
    assert last is not None
    if end == "those beyond":  # one of the two, whichever was seen last when it was asked
        assert len((await tokens.sessions_of(ANN.id, 40))[0]) == 1
    else:
        assert last.revoked_at == 30


async def test_sessions_beyond_a_number_end_with_those_seen_longest_ago(engine: AsyncEngine) -> None:
    tokens: ports.RefreshTokens = StoredTokens(engine, RefreshToken, Session)
    for number in range(6):
        await tokens.add(RefreshToken(f"t{number}", f"f{number}", ANN.id, 10 + number, 100, 1000))
    await tokens.add(RefreshToken("b", "fb", BOB.id, 1, 100, 1000))
    renewed = RefreshToken("t0-2", "f0", ANN.id, 30, 100, 1000)
    await tokens.replace("t0", renewed, 30)
    assert await tokens.revoke_beyond(ANN.id, 40, keep=6, first="f5") == []
    assert await tokens.revoke_beyond(ANN.id, 40, keep=3, first="f5") == ["f3", "f2", "f1"]
    assert [one.id for one in (await tokens.sessions_of(ANN.id, 40))[0]] == ["f0", "f5", "f4"]
    assert not await tokens.family_is_live("f1")
    assert await tokens.family_is_live("fb"), "of somebody else"
    assert (await tokens.sessions_of(ANN.id, 40))[0][0].since == 10
    assert await tokens.revoke_beyond(ANN.id, 40, keep=1, first="f4") == ["f0", "f5"], "whatever the clock was"
    assert await tokens.revoke_beyond(ANN.id, 40, keep=1, first="f0") == [], "which has ended"
    assert [one.id for one in (await tokens.sessions_of(ANN.id, 40))[0]] == ["f4"]


async def test_of_two_sign_ins_at_once_one_goes_on(engine: AsyncEngine) -> None:
    tokens: ports.RefreshTokens = StoredTokens(engine, RefreshToken, Session)
    for at in range(10, 30):
        families = [f"a{at}", f"b{at}"]
        for family in families:
            await tokens.add(RefreshToken(f"t-{family}", family, ANN.id, at, 100, 1000))
        both = [tokens.revoke_beyond(ANN.id, at, keep=1, first=family) for family in families]
        await asyncio.gather(*both)
        found, _ = await tokens.sessions_of(ANN.id, at)
        assert [one.id in families for one in found] == [True]


async def test_a_link_is_spent_once_and_not_when_it_is_old_or_taken_back(engine: AsyncEngine) -> None:
    links: ports.Links = StoredLinks(engine, Link)
    invited = Link("l1", "invitation", "h1", "user-1", 10, 100, role="trader", email="x@example.com")
    await links.add(invited)
    await links.add(Link("l2", "reset", "h2", "user-1", 11, 100, user_id="user-2"))
    await links.add(Link("l3", "invitation", "h3", "user-1", 12, 100, role="viewer"))
    assert await links.by_hash("h1") == invited
    assert await links.by_hash("h9") is None
    assert [one.id for one in await links.open("invitation", 50)] == ["l3", "l1"]
    assert sorted(await asyncio.gather(*(links.spend("l1", 50 + number) for number in range(4)))) == [False] * 3 + [
        True
    ]
    assert await links.revoke("l3", 51)
    assert not await links.revoke("l3", 52)
    assert not await links.spend("l3", 52)
    assert not await links.spend("l2", 100)
    await links.revoke_resets("user-2", 60)
    assert not await links.spend("l2", 61)
    assert await links.open("invitation", 50) == ()


async def test_a_step_and_a_recovery_code_are_taken_once(engine: AsyncEngine) -> None:
    factors: ports.SecondFactors = StoredFactors(engine, SecondFactor)
    await factors.put(SecondFactor(ANN.id, "sealed", 5))
    assert await factors.confirm(ANN.id, at=6, step=1000)
    assert not await factors.confirm(ANN.id, at=7, step=1001)
    assert not await factors.take_step(ANN.id, 1000)
    assert sorted(await asyncio.gather(*(factors.take_step(ANN.id, 1001) for _ in range(4)))) == [False] * 3 + [True]
    await factors.set_codes(ANN.id, ("c1", "c2"))
    assert not await factors.take_code(BOB.id, "c1")
    assert sorted(await asyncio.gather(*(factors.take_code(ANN.id, "c1") for _ in range(4)))) == [False] * 3 + [True]
    assert await factors.codes_left(ANN.id) == 1
    await factors.reseal(ANN.id, "sealed anew")
    assert await factors.of(ANN.id) == SecondFactor(ANN.id, "sealed anew", 5, 6, 1001)
    with pytest.raises(Conflict):
        await factors.put(SecondFactor(ANN.id, "another", 8))
    assert (await factors.codes_left(ANN.id), await factors.of(ANN.id) is not None) == (1, True)
    assert await factors.remove(ANN.id)
    assert await factors.codes_left(ANN.id) == 0
    for sealed in ("another", "a third"):
        await factors.put(SecondFactor(ANN.id, sealed, 8))
    assert await factors.of(ANN.id) == SecondFactor(ANN.id, "a third", 8)
    assert await factors.remove(ANN.id)
    assert not await factors.remove(ANN.id)
    assert await factors.of(ANN.id) is None


async def test_an_identity_is_one_persons(engine: AsyncEngine) -> None:
    identities: ports.Identities = StoredIdentities(engine, Identity)
    mine = Identity("https://issuer.example", "s1", ANN.id, "ann@example.com", 5)
    await identities.add(mine)
    for other in (
        msgspec.structs.replace(mine, user_id=BOB.id),
        msgspec.structs.replace(mine, subject="s2"),
    ):
        with pytest.raises(Conflict):
            await identities.add(other)
    assert await identities.find(mine.issuer, "s1") == mine
    assert await identities.of(ANN.id) == (mine,)
    assert await identities.remove(ANN.id, mine.issuer)
    assert not await identities.remove(ANN.id, mine.issuer)


def _moved(database: Database, revision: str, way: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(VERSIONS))
    config.set_main_option("path_separator", "os")
    with sync_engine(database, "migrate").begin() as connection:
        config.attributes["connection"] = connection
        getattr(command, way)(config, revision)


def test_an_owner_becomes_a_super_admin_and_back_again(database: Database) -> None:
    _moved(database, "0016", "upgrade")
    engine = sync_engine(database, "migrate")
    with engine.begin() as connection:
        for number, role in enumerate(("owner", "trader")):
            connection.execute(
                text(
                    "INSERT INTO users (id, username, username_key, role, password_hash, is_active, created_at) "
                    "VALUES (:id, :id, :id, :role, 'h', :on, :at)"
                ),
                {"id": f"u{number}", "role": role, "on": True, "at": number},
            )
    _moved(database, "0017", "upgrade")
    with engine.begin() as connection:
        found = connection.execute(select(users_table.c.id, users_table.c.role).order_by("id")).all()
        assert found == [("u0", "super-admin"), ("u1", "trader")]
        connection.execute(text("UPDATE users SET role = 'viewer', networks = '[]' WHERE id = 'u1'"))
        connection.execute(text("INSERT INTO recovery_codes (user_id, code_hash) VALUES ('u1', 'h')"))
    _moved(database, "0016", "downgrade")
    with engine.connect() as connection:
        left = connection.execute(text("SELECT id, role, is_active FROM users ORDER BY id")).all()
        assert [(one, role, bool(on)) for one, role, on in left] == [("u0", "owner", True), ("u1", "trader", False)]
    _moved(database, "0017", "upgrade")
