"""Webhooks and the log of their deliveries on both databases."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.desk.ports import User
from evenkeel.domain.errors import Conflict, InvalidInput
from evenkeel.domain.orders import Product
from evenkeel.domain.webhooks import Decision, Delivery, Webhook, WebhookTerms
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine
from evenkeel.storage.repositories import StoredUsers, StoredWebhooks
from evenkeel.storage.repositories.purging import StoredPersonalData
from evenkeel.storage.schema import upgrade

TERMS = WebhookTerms(
    book="b",
    product=Product.MIS,
    networks=("192.0.2.0/24",),
    quantity=Decimal("0.10"),
    symbols={"NASDAQ:STK": "i"},
    allowed=("i",),
    in_order=False,
)


def hook(name: str = "Crossing", **changes: object) -> Webhook:
    made = Webhook(
        id=f"id-{name}",
        user_id="ann",
        account_id="A",
        name=name,
        token_hash=f"hash-{name}",
        enabled=True,
        terms=TERMS,
        created_at=1,
        updated_at=1,
        rotated_at=1,
    )
    return replace(made, **changes)


def delivery(number: int, **changes: object) -> Delivery:
    made = Delivery(
        id=f"d{number}",
        webhook_id="id-Crossing",
        user_id="ann",
        received_at=number,
        address="192.0.2.7",
        body="{}",
        body_hash="h",
        key="k",
        instrument_id="i",
        sent_at=number * 10,
        decision=Decision.ORDERED,
    )
    return replace(made, **changes)


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    upgrade(database)
    made = async_engine(database)
    for name in ("ann", "bob"):
        await StoredUsers(made, User).add(User(name, name, "trader", "x"))
    yield made
    await made.dispose()


async def test_they_are_kept_as_they_are_and_nobody_sees_anothers(engine: AsyncEngine) -> None:
    stored = StoredWebhooks(engine)
    await stored.add(hook())
    await stored.add(hook("Another", terms=WebhookTerms()))
    await stored.add(hook(user_id="bob", id="bobs", token_hash="bobs"))
    with pytest.raises(Conflict, match="already a webhook 'cROSSING'"):
        await stored.add(hook("cROSSING"))
    assert [one.name for one in await stored.all("ann")] == ["Another", "Crossing"]
    assert await stored.find("ann", "id-Crossing") == hook()
    assert await stored.by_hash("hash-Crossing") == hook()
    assert await stored.find("bob", "id-Crossing") is None
    changed = hook(name="Other", enabled=False, updated_at=2)
    changed = replace(changed, id="id-Crossing", token_hash="new")
    await stored.replace(changed, known=hook())
    assert await stored.by_hash("hash-Crossing") is None
    with pytest.raises(Conflict, match="changed by another request"):
        await stored.replace(changed, known=hook())
    with pytest.raises(Conflict, match="already a webhook 'Another'"):
        await stored.replace(replace(changed, name="Another", updated_at=3), known=changed)
    assert not await stored.remove("bob", "id-Crossing")
    await stored.log(delivery(1))
    assert await stored.remove("ann", "id-Crossing")
    assert not await stored.remove("ann", "id-Crossing")


async def test_the_log_knows_what_was_taken(engine: AsyncEngine) -> None:
    stored = StoredWebhooks(engine)
    await stored.add(hook())
    for one in (
        delivery(1),
        delivery(2, decision=Decision.REPEATED),
        delivery(3, decision=Decision.DECLINED, sent_at=990),
        delivery(4, key="other", sent_at=None),
        delivery(5, decision=Decision.RECEIVED),
    ):
        await stored.log(one)
    assert await stored.prior("id-Crossing", "k", since=0, until=9) == delivery(5, decision=Decision.RECEIVED)
    assert await stored.prior("id-Crossing", "k", since=0, until=4) == delivery(1)
    assert await stored.prior("id-Crossing", "k", since=6, until=9) is None
    assert await stored.latest("id-Crossing", "i") == 50
    assert await stored.latest("id-Crossing", "none") is None
    done = delivery(5, decision=Decision.FAILED, order_id="o", reason="why", answer="{}", client_order_id="n")
    await stored.settle(done)
    assert await stored.prior("id-Crossing", "k", since=0, until=9) == delivery(1)
    page, after = await stored.deliveries("id-Crossing", limit=2)
    assert [one.id for one in page] == ["d5", "d4"]
    assert page[0] == done
    rest, end = await stored.deliveries("id-Crossing", limit=5, cursor=after)
    assert ([one.id for one in rest], end) == (["d3", "d2", "d1"], None)
    only, _ = await stored.deliveries("id-Crossing", decisions=["declined"], limit=5)
    assert [one.id for one in only] == ["d3"]
    with pytest.raises(InvalidInput):
        await stored.deliveries("id-Crossing", limit=5, cursor="none")
    assert await stored.prune(4, untaken=9) == 3
    assert (await stored.deliveries("id-Crossing", limit=5))[0] == page


async def test_of_what_came_to_nothing_only_the_newest_is_kept(engine: AsyncEngine) -> None:
    stored = StoredWebhooks(engine)
    await stored.add(hook())
    await stored.add(hook("Second"))
    for number in range(1, 9):
        await stored.log(delivery(number, decision=Decision.ORDERED if number % 2 else Decision.DECLINED))
        await stored.log(delivery(number, id=f"s{number}", webhook_id="id-Second", decision=Decision.REPEATED))
    assert await stored.prune(0, untaken=3) == 6
    assert await stored.prune(0, untaken=3) == 0
    first, _ = await stored.deliveries("id-Crossing", limit=9)
    assert [one.id for one in first] == ["d8", "d7", "d6", "d5", "d4", "d3", "d1"]
    second, _ = await stored.deliveries("id-Second", limit=9)
    assert [one.id for one in second] == ["s8", "s7", "s6"]


async def test_a_purge_takes_them_with_their_person(engine: AsyncEngine) -> None:
    stored = StoredWebhooks(engine)
    await stored.add(hook())
    await stored.log(delivery(1))
    assert await StoredPersonalData(engine).erase_user("ann", "gone") == 2
    assert await stored.by_hash("hash-Crossing") is None
