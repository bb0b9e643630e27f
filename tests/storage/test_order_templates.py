"""Order templates on both databases: saved anew under the same name, kept exactly, nobody sees another's."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.desk.ports import User
from evenkeel.domain.order_templates import Offset, OrderTemplate, RiskPerTrade
from evenkeel.domain.orders import OrderKind, Product, Side, TimeInForce
from evenkeel.domain.sizing import Cash, Kelly
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine
from evenkeel.storage.repositories import StoredOrderTemplates, StoredUsers
from evenkeel.storage.schema import upgrade

PLAIN = OrderTemplate(OrderKind.MARKET, Cash(Decimal("0.10")))
RICH = OrderTemplate(
    OrderKind.STOP_LIMIT,
    RiskPerTrade(Decimal("0.0100")),
    symbol="STK",
    venue="XNAS",
    side=Side.SELL,
    limit=Offset(ticks=-3),
    stop=Offset(percent=Decimal("-1.50")),
    stop_loss=Offset(percent=Decimal(2)),
    take_profit=Offset(ticks=40),
    time_in_force=TimeInForce.GTC,
    product=Product.MIS,
    description="Breakdowns",
)


@pytest.fixture
async def stored(database: Database) -> AsyncIterator[StoredOrderTemplates]:
    upgrade(database)
    engine: AsyncEngine = async_engine(database)
    users = StoredUsers(engine, User)
    for name in ("ann", "bob"):
        await users.add(User(id=name, username=name, role="trader", password_hash="h", created_at=1))
    yield StoredOrderTemplates(engine)
    await engine.dispose()


@pytest.mark.parametrize("template", [PLAIN, RICH, OrderTemplate(OrderKind.MARKET, Kelly(0.25, most=0.5))])
async def test_what_was_saved_comes_back_digit_for_digit(stored: StoredOrderTemplates, template: OrderTemplate) -> None:
    saved = await stored.save("ann", "mine", template, at=5)
    assert (saved.created_at, saved.updated_at) == (5, 5)
    assert await stored.find("ann", "mine") == saved
    assert str(saved.template) == str(template)


async def test_a_name_stands_for_the_last_that_was_saved(stored: StoredOrderTemplates) -> None:
    await stored.save("ann", "mine", PLAIN, at=5)
    assert (await stored.save("ann", "mine", PLAIN, at=6)).updated_at == 5
    after = await stored.save("ann", "mine", RICH, at=7)
    assert (after.created_at, after.updated_at, after.template) == (5, 7, RICH)
    assert await stored.find("ann", "mine") == after


async def test_each_user_has_their_own(stored: StoredOrderTemplates) -> None:
    await stored.save("ann", "b", PLAIN, at=5)
    await stored.save("ann", "a", RICH, at=5)
    await stored.save("bob", "a", PLAIN, at=5)
    assert [one.name for one in await stored.all("ann")] == ["a", "b"]
    assert await stored.find("bob", "b") is None
    assert not await stored.remove("bob", "b")
    assert await stored.remove("ann", "a")
    assert await stored.find("ann", "a") is None
    assert [one.name for one in await stored.all("bob")] == ["a"]
