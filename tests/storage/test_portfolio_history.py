"""The history of portfolios on both databases: days and transactions, page by page; and watchlists."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.domain.errors import Conflict, InvalidInput
from evenkeel.domain.portfolios import Span, Wanted
from evenkeel.domain.watchlists import Watched, Watchlist
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine
from evenkeel.storage.repositories import PortfolioHistory, StoredWatchlists
from tests.storage.stories import SHARD, projected
from tests.storage.test_portfolios import lived
from tests.trading.engine.world import ACME, BOLT, at

D = Decimal


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    projected(database, lived().records)
    made = async_engine(database)
    yield made
    await made.dispose()


@pytest.fixture
def history(engine: AsyncEngine) -> PortfolioHistory:
    return PortfolioHistory(engine, SHARD)


async def test_days_page_by_page(history: PortfolioHistory) -> None:
    days, after = await history.days("growth", limit=3)
    rest, end = await history.days("growth", limit=3, cursor=after)
    assert [day.total_value for day in (*days, *rest)] == [
        D(n) for n in ("10061.75", "10111.75", "10011.75", "10011.75")
    ]
    assert end is None
    assert (await history.days("nothing", limit=3)) == ([], None)
    assert (await PortfolioHistory(history._engine, "other").days("growth", limit=3)) == ([], None)
    with pytest.raises(InvalidInput):
        await history.days("growth", limit=3, cursor="nonsense!")


async def test_its_books_while_they_were_its_own(history: PortfolioHistory) -> None:
    spans = sorted(await history.spans("growth"), key=lambda span: (span.account_id, span.book or ""))
    assert [(one.account_id, one.book, one.until is None) for one in spans] == [
        ("A", "growth", True), ("A", "trend", False), ("B", "growth", True),
    ]  # fmt: skip


async def test_transactions_of_a_portfolio_add_up_to_its_cash(history: PortfolioHistory) -> None:
    spans = await history.spans("growth")
    rows, after = await history.transactions(spans, Wanted(), limit=100)
    assert after is None
    kinds = [row.type for row in rows]
    assert kinds == ["split", "dividend", "transfer", "transfer", "buy", "fee", "buy", "transfer"]
    own = sum((row.amount for row in rows if row.amount is not None and row.book == "growth"), D(0))
    assert own == D("9011.75")
    bought = rows[6]
    assert (bought.instrument_id, bought.quantity, bought.price, bought.amount) == (ACME.id, D(100), D(10), D(-1000))
    assert (rows[0].component, rows[0].quantity, rows[0].amount) == ("2:1", D(200), None)


async def test_pages_lose_nothing_and_repeat_nothing(history: PortfolioHistory) -> None:
    spans = [*await history.spans("growth"), Span("B", "manual")]
    whole, _ = await history.transactions(spans, Wanted(), limit=100)
    for limit in (1, 2, 3, 7):
        found, cursor = await history.transactions(spans, Wanted(), limit=limit)
        while cursor is not None:
            rows, cursor = await history.transactions(spans, Wanted(), limit=limit, cursor=cursor)
            found += rows
        assert [row.id for row in found] == [row.id for row in whole]
    assert [(row.seq, row.line) for row in whole] == sorted(((row.seq, row.line) for row in whole), reverse=True)


FILTERS = [
    (Wanted(type="buy"), ["buy", "buy"]),
    (Wanted(type="sell"), ["sell"]),
    (Wanted(type="fee"), ["fee"]),
    (Wanted(type="split"), ["split"]),
    (Wanted(type="deposit"), ["deposit"]),
    (Wanted(instrument_id=ACME.id), ["split", "sell", "buy", "fee", "buy"]),
    (Wanted(instrument_id=BOLT.id), []),
    (Wanted(type="buy", instrument_id=BOLT.id), []),
    (Wanted(start=at(1)), ["split"]),
    (Wanted(type="split", end=at(1)), []),
]


async def test_filters(history: PortfolioHistory) -> None:
    for wanted, expected in FILTERS:
        rows, _ = await history.transactions([Span("A")], wanted, limit=100)
        assert [row.type for row in rows] == expected, wanted


async def test_watchlists_are_kept_and_nobody_sees_anothers(engine: AsyncEngine) -> None:
    stored = StoredWatchlists(engine)
    mine = Watchlist("one", "ann", "Mine", (Watched("i", "cheap"), Watched("j")), 1, 1)
    await stored.add(mine)
    await stored.add(replace(mine, id="two", user_id="bob"))
    assert await stored.find("ann", "one") == mine
    assert await stored.find("bob", "one") is None
    assert [one.id for one in await stored.all("bob")] == ["two"]
    with pytest.raises(Conflict, match="already a watchlist 'mINE'"):
        await stored.add(replace(mine, id="three", name="mINE"))
    later = mine.moved("j", 0, at=2)
    await stored.replace(later, known=mine)
    assert await stored.find("ann", "one") == later
    with pytest.raises(Conflict, match="changed by another request"):
        await stored.replace(mine.without("i", at=3), known=mine)
    await stored.add(replace(mine, id="three", name="Other"))
    with pytest.raises(Conflict, match="already a watchlist"):
        await stored.replace(replace(later, name="OTHER", updated_at=4), known=later)
    assert await stored.remove("bob", "one") is False
    assert await stored.remove("ann", "one") is True
    assert await stored.find("ann", "one") is None
