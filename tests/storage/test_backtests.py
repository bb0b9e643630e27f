"""Backtests on both databases: every row bound to its user, every figure back as it was written."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.desk.backtests import Asked, Backtest, BacktestStore
from evenkeel.desk.ports import User
from evenkeel.domain.errors import InvalidInput, NotFound, NotReady
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine
from evenkeel.storage.repositories import StoredBacktests, StoredUsers
from evenkeel.storage.schema import upgrade

ANN, BOB = "user-1", "user-2"
ASKED = Asked(
    symbols=("AAPL", "MSFT"),
    instrument_ids=("a", "m"),
    timeframe="1d",
    until=2**62,
    start=-(2**63) + 1,
    cash=Decimal("100000.10"),
    fees_bps=Decimal("0.5"),
)
SUMMARY = {"engine": "compiled", "metrics": {"sharpe": 0.1 + 0.2, "cagr": None}, "warnings": ["–"], "fills": 3}


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    upgrade(database)
    made = async_engine(database)
    users = StoredUsers(made, User)
    for name in (ANN, BOB):
        await users.add(User(id=name, username=name, role="trader", password_hash="h", created_at=1))
    yield made
    await made.dispose()


@pytest.fixture
def stored(engine: AsyncEngine) -> StoredBacktests[Backtest]:
    found: BacktestStore = StoredBacktests(engine, Backtest)
    assert isinstance(found, StoredBacktests)
    return found


def waiting(name: str, user_id: str = ANN, **changes: Any) -> Backtest:
    made = Backtest(
        id=name,
        user_id=user_id,
        created_at=1_800_000_000_000_000_000,
        strategy="sma-crossover",
        version="1",
        parameters={"fast": 5, "share": 0.25, "short": True, "side": "long"},
        request=ASKED.stored(),
    )
    return msgspec.structs.replace(made, **changes)


async def test_a_backtest_comes_back_as_it_was_written(stored: StoredBacktests[Backtest]) -> None:
    first = waiting("b1")
    await stored.add(first)
    assert (await stored.some(ANN, ["b1", "b2"])) == {"b1": first}
    assert (await stored.some(ANN, ["b1"]))["b1"].asked == ASKED
    done = msgspec.structs.replace(
        first,
        state="done",
        started_at=5,
        finished_at=6,
        fingerprint="0123456789abcdef",
        summary=SUMMARY,
        final_equity=Decimal("123456789.00000001"),
        total_return=1 / 3,
        sharpe=-0.1,
        max_drawdown=None,
    )
    await stored.replace(done)
    assert (await stored.some(ANN, ["b1"]))["b1"] == done
    rows, _ = await stored.page(ANN, limit=10)
    assert rows == [msgspec.structs.replace(done, summary=None)], "lists leave the summary out"
    failed = msgspec.structs.replace(first, state="failed", error="it is said why: –")
    await stored.replace(failed)
    assert (await stored.some(ANN, ["b1"]))["b1"] == failed


async def test_what_is_absent_is_null_in_the_table(engine: AsyncEngine, stored: StoredBacktests[Backtest]) -> None:
    await stored.add(waiting("b1"))
    query = text("SELECT count(*) FROM backtest_results WHERE summary IS NULL AND final_equity IS NULL")
    async with engine.connect() as connection:
        assert (await connection.execute(query)).scalar_one() == 1


async def test_nobody_reaches_the_rows_of_another(stored: StoredBacktests[Backtest]) -> None:
    await stored.add(waiting("b1"))
    assert await stored.some(BOB, ["b1"]) == {}
    assert await stored.page(BOB, limit=10) == ([], None)
    assert not await stored.remove(BOB, "b1")
    with pytest.raises(NotFound):
        await stored.replace(waiting("b1", BOB, state="done"))
    assert (await stored.some(ANN, ["b1"]))["b1"].state == "queued"
    assert await stored.remove(ANN, "b1")
    assert not await stored.remove(ANN, "b1")


async def test_pages_are_newest_first_and_filtered(stored: StoredBacktests[Backtest]) -> None:
    for number in range(7):
        state, strategy, kind = ("done", "rsi", "sweep") if number % 2 else ("queued", "sma-crossover", "backtest")
        made = waiting(f"b{number}", created_at=1000 + number // 2, state=state, strategy=strategy, kind=kind)
        await stored.add(made)
    await stored.add(waiting("other", BOB))
    seen: list[str] = []
    cursor: str | None = None
    while True:
        rows, cursor = await stored.page(ANN, limit=2, cursor=cursor)
        seen += [row.id for row in rows]
        if len(seen) == 2:
            await stored.add(waiting("newer", created_at=5000))  # shifts no page
        if cursor is None:
            break
    assert seen == [f"b{number}" for number in (6, 5, 4, 3, 2, 1, 0)]
    every = ({"state": "done"}, {"strategy": "rsi"}, {"kind": "sweep"}, {"state": "done", "strategy": "rsi"})
    for filters in every:
        rows, _ = await stored.page(ANN, limit=10, **filters)
        assert [row.id for row in rows] == ["b5", "b3", "b1"]
    assert await stored.page(ANN, strategy="rsi", state="queued", limit=10) == ([], None)
    with pytest.raises(InvalidInput):
        await stored.page(ANN, limit=2, cursor="nothing")


async def test_the_queue_finds_what_was_left_of_all_users(stored: StoredBacktests[Backtest]) -> None:
    await stored.add(waiting("late", created_at=30))
    await stored.add(waiting("early", BOB, created_at=10))
    await stored.add(waiting("ran", created_at=20, state="running"))
    for state in ("done", "failed", "cancelled"):
        await stored.add(waiting(state, state=state))
    assert [one.id for one in await stored.unfinished()] == ["early", "ran", "late"]
    assert await stored.finished_ids() == {"done"}
    assert await stored.failed_ids() == {"failed"}


async def test_a_database_without_tables_is_explained(database: Database) -> None:
    empty = async_engine(database)
    with pytest.raises(NotReady, match="does not answer"):
        await StoredBacktests(empty, Backtest).unfinished()
    await empty.dispose()
