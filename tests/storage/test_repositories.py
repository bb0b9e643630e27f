"""Repositories on both databases: what the desk and the server read and write through them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.desk import ports
from evenkeel.desk.ports import RefreshToken, Session, User
from evenkeel.domain import records as r
from evenkeel.domain.errors import Conflict, InvalidInput, NotFound, NotReady
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine
from evenkeel.storage.ownership import Owner
from evenkeel.storage.projector import Projector
from evenkeel.storage.repositories import History, StoredTemplates, StoredTokens, StoredUsers
from evenkeel.storage.schema import upgrade
from evenkeel.storage.tables.people import refresh_tokens
from evenkeel.storage.tables.strategies import strategy_templates
from tests.storage.stories import SHARD, Story, commit

ANN = User(id="user-1", username="Ann", role="super-admin", password_hash="h1", created_at=1)
BOB = User(id="user-2", username="bob", role="trader", password_hash="h2", created_at=2)


class Progress:
    """A projector that has caught up."""

    lag = 0
    fault = None

    async def passed(self, seq: int, *, within: float) -> bool:
        return True


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    upgrade(database)
    made = async_engine(database)
    yield made
    await made.dispose()


@dataclass
class Told:
    story: Story
    history: History


@pytest.fixture
async def told(database: Database, engine: AsyncEngine) -> Told:
    story = Story(17).tell(700)
    with Owner(database) as owner:
        for shard, other in ((SHARD, story), ("user-2", Story(18).tell(60))):
            journal = owner.journal(shard)
            commit(journal, other.records)
            journal.close()
            projector = Projector(database, shard)
            projector.catch_up()
            projector.close()
    return Told(story, History(engine, SHARD, Progress()))


def token(name: str, family: str = "f1", **fields: object) -> RefreshToken:
    made = RefreshToken(
        token_hash=name, family_id=family, user_id=ANN.id, created_at=10, expires_at=100, family_expires_at=1000
    )
    return msgspec.structs.replace(made, **fields)


async def test_users_are_found_by_name_in_any_case(engine: AsyncEngine) -> None:
    users: ports.Users = StoredUsers(engine, User)
    await users.add(ANN)
    await users.add(BOB)
    assert await users.by_name("ANN") == ANN
    assert await users.by_name("ａｎｎ") == ANN
    assert await users.by_id("user-2") == BOB
    assert await users.by_role("super-admin") == (ANN,)
    assert await users.by_name("carol") is None


async def test_a_name_is_given_once(engine: AsyncEngine) -> None:
    users = StoredUsers(engine, User)
    await users.add(ANN)
    with pytest.raises(Conflict, match="already a user 'ANN'"):
        await users.add(msgspec.structs.replace(BOB, username="ANN"))
    await users.add(BOB)
    with pytest.raises(Conflict):
        await users.replace(msgspec.structs.replace(BOB, username="ann"))
    await users.replace(msgspec.structs.replace(BOB, password_hash="h3", is_active=False))
    found = await users.by_id(BOB.id)
    assert found is not None
    assert (found.password_hash, found.is_active) == ("h3", False)
    with pytest.raises(NotFound):
        await users.replace(msgspec.structs.replace(BOB, id="nobody", username="nobody"))


async def test_a_refresh_token_is_replaced_once(engine: AsyncEngine) -> None:
    await StoredUsers(engine, User).add(ANN)
    tokens: ports.RefreshTokens = StoredTokens(engine, RefreshToken, Session)
    await tokens.add(token("t1", user_agent="Firefox"))
    assert await tokens.replace("t1", token("t2"), 20)
    assert not await tokens.replace("t1", token("t3"), 21)
    assert await tokens.by_hash("t3") is None
    used = await tokens.by_hash("t1")
    assert used is not None
    assert (used.used_at, used.replaced_by, used.user_agent) == (20, "t2", "Firefox")
    assert await tokens.by_hash("t2") == token("t2")


async def test_ending_a_family_ends_all_of_it(engine: AsyncEngine) -> None:
    await StoredUsers(engine, User).add(ANN)
    tokens = StoredTokens(engine, RefreshToken, Session)
    await tokens.add(token("t1"))
    await tokens.replace("t1", token("t2"), 20)
    await tokens.add(token("u1", "f2"))
    assert await tokens.family_is_live("f1")
    await tokens.revoke_family("f1", 30)
    assert not await tokens.family_is_live("f1")
    assert not await tokens.replace("t2", token("t3"), 31)
    assert await tokens.family_is_live("f2")
    await tokens.revoke_user(ANN.id, 40)
    assert not await tokens.family_is_live("f2")
    assert not await tokens.family_is_live("unknown")
    revoked = await tokens.by_hash("t2")
    assert revoked is not None
    assert revoked.revoked_at == 30


async def test_ended_families_are_swept_out_by_the_next_sign_in(engine: AsyncEngine) -> None:
    await StoredUsers(engine, User).add(ANN)
    tokens = StoredTokens(engine, RefreshToken, Session)
    await tokens.add(token("old", "f1", family_expires_at=50))
    await tokens.add(token("new", "f2", created_at=60))
    async with engine.connect() as connection:
        found = (await connection.execute(select(refresh_tokens.c.token_hash))).scalars().all()
    assert list(found) == ["new"]


async def test_the_history_comes_in_pages_newest_first(told: Told) -> None:
    state = told.story.state
    cursor, found = None, []
    while True:
        orders, cursor = await told.history.orders(state.accounts, limit=17, cursor=cursor)
        found += orders
        if cursor is None:
            break
    due = sorted(state.orders.values(), key=lambda order: (order.created_at, order.id), reverse=True)
    assert found == due


async def test_orders_are_filtered(told: Told) -> None:
    state = told.story.state
    working = {order.id for order in state.orders.values() if order.is_open}
    open_, _ = await told.history.orders(state.accounts, status="open", limit=500)
    closed, _ = await told.history.orders(state.accounts, status="closed", limit=500)
    refused, _ = await told.history.orders(state.accounts, status="REFUSED", limit=500)
    one, _ = await told.history.orders(["account-a"], limit=500)
    assert {order.id for order in open_} == working
    assert {order.id for order in closed} == state.orders.keys() - working
    assert {order.state for order in refused} == {"REFUSED"}
    assert {order.spec.account_id for order in one} == {"account-a"}


async def test_fills_ledger_signals_days_and_alerts_are_there(told: Told) -> None:
    state, history = told.story.state, told.history
    counts = {name: sum(type(one).__name__ == name for one in told.story.records) for name in _COUNTED}
    fills, _ = await history.fills(state.accounts, limit=1000)
    assert {fill.id: fill for fill in fills} == {fill.id: fill for fill in state.fills.values()}
    signals, _ = await history.signals("deployment-1", limit=1000)
    alerts, _ = await history.alerts(limit=1000)
    days, _ = await history.equity(state.accounts, limit=1000)
    assert (len(signals), len(alerts), len(days)) == tuple(counts.values())
    assert [day.at for day in days] == sorted((day.at for day in days), reverse=True)
    ledger, cursor = await history.ledger("account-a", limit=1000)
    assert cursor is None
    assert sum(line.amount for line in ledger) == state.accounts["account-a"].cash_in("USD")
    assert [(line.seq, line.line) for line in ledger] == sorted(((one.seq, one.line) for one in ledger), reverse=True)
    assert await history.lag() == 0
    assert history.fault() is None


async def test_an_orders_history_is_told_from_its_decision_on(told: Told) -> None:
    state, history = told.story.state, told.history
    records = [one for one in told.story.records if isinstance(one, r.OrderDecided)]
    for record in records:
        lines, cursor = await history.order_lines(record.order_id, limit=1000)
        assert cursor is None
        decided, last = lines[0], lines[-1]
        assert (decided.event, decided.at, decided.checks) == ("DECIDED", record.at, record.checks)
        assert (decided.actor, decided.source) == (record.provenance.actor, record.provenance.source)
        assert last.state == state.orders[record.order_id].state
        seqs = [int(line.id) for line in lines]
        assert seqs == sorted(seqs)
        fills = [one.id for one in state.fills.values() if one.order_id == record.order_id]
        assert sorted(line.fill_id for line in lines if line.fill_id is not None) == sorted(fills)
    longest = max(state.orders, key=lambda one: state.orders[one].updated_at - state.orders[one].created_at)
    whole, _ = await history.order_lines(longest, limit=1000)
    found, cursor = await history.order_lines(longest, limit=1)
    while cursor is not None:
        more, cursor = await history.order_lines(longest, limit=1, cursor=cursor)
        found += more
    assert found == whole
    assert len(whole) > 1


_COUNTED = ("SignalRecorded", "AlertRaised", "DayClosed")


async def test_a_page_is_not_shifted_by_what_is_added(told: Told) -> None:
    first, cursor = await told.history.ledger("account-b", limit=3)
    again, _ = await told.history.ledger("account-b", limit=6)
    second, _ = await told.history.ledger("account-b", limit=3, cursor=cursor)
    assert [one.id for one in first + second] == [one.id for one in again]


async def test_another_shard_sees_nothing_of_this_one(told: Told, engine: AsyncEngine) -> None:
    """Both stories use the same ids on purpose: only the shard keeps them apart."""
    other = History(engine, "user-2", Progress())
    orders, _ = await other.orders(["account-a", "account-b"], limit=1000)
    mine, _ = await told.history.orders(["account-a", "account-b"], limit=1000)
    assert len(orders) < len(mine)
    nobody = History(engine, "user-3", Progress())
    assert await nobody.alerts(limit=10) == ([], None)
    assert await nobody.ledger("account-a", limit=10) == ([], None)


@pytest.mark.parametrize(
    "cursor", ["x", "!!!", "AAAA", "MTIz", "MXx4eHg", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5fDE", "ä", "fA"]
)
async def test_a_cursor_from_elsewhere_is_refused(engine: AsyncEngine, cursor: str) -> None:
    history = History(engine, SHARD, Progress())
    with pytest.raises(InvalidInput) as refused:
        await history.ledger("account-a", limit=5, cursor=cursor)
    assert [fault.field for fault in refused.value.errors] == ["cursor"]


async def test_a_database_without_tables_is_explained(database: Database) -> None:
    engine = async_engine(database)
    with pytest.raises(NotReady, match="does not answer"):
        await StoredUsers(engine, User).by_id("x")
    await engine.dispose()


@dataclass
class Parameter:
    name: str = "fast"
    type: str = "int"
    default: int = 10
    minimum: float | None = 1
    maximum: float | None = None
    description: str = "bars of the fast average"


@dataclass
class Template:
    name: str
    version: str
    title: str = "SMA crossover"
    description: str = ""
    parameters: tuple[Parameter, ...] = (Parameter(),)


async def test_templates_are_remembered_by_version(engine: AsyncEngine) -> None:
    stored = StoredTemplates(engine)
    await stored.remember([Template("sma", "1"), Template("rsi", "1")], at=1)
    await stored.remember([Template("sma", "2"), Template("rsi", "1", title="RSI")], at=2)
    await stored.remember([], at=3)
    async with engine.connect() as connection:
        rows = (await connection.execute(select(strategy_templates))).mappings().all()
    assert {(row["name"], row["version"], row["title"]) for row in rows} == {
        ("sma", "1", "SMA crossover"),
        ("sma", "2", "SMA crossover"),
        ("rsi", "1", "RSI"),
    }
    assert rows[0]["parameters"][0]["default"] == 10
