"""Details, groups and kept totals on both databases, and a purge that leaves nothing personal behind."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.desk.consolidated import read
from evenkeel.domain.account_details import AccountDetails, AccountGroup
from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.money import ZERO, sub, total
from evenkeel.domain.taxes import BEGINNING, LotMethod, TaxSetting, TaxStatus, TaxTerms
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine, sync_engine
from evenkeel.storage.repositories.accounts import StoredAccountDetails
from evenkeel.storage.repositories.purging import StoredPersonalData
from evenkeel.storage.repositories.totals import StoredTotals
from evenkeel.storage.schema import upgrade
from evenkeel.storage.tables import METADATA, PROJECTED
from evenkeel.storage.tables.people import users
from evenkeel.storage.tables.personal import ERASED, KEPT
from tests.storage.stories import SHARD
from tests.storage.test_projector import projected, told

DETAILS = AccountDetails("account-a", SHARD, "U1", ("pension", "long"), "of Anna", "127.0.0.1")
GROUP = AccountGroup("g1", SHARD, "Family", ("account-a", "account-b"))


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    upgrade(database)
    made = async_engine(database)
    yield made
    await made.dispose()


async def test_details_groups_and_currencies_come_back_as_they_were_kept(engine: AsyncEngine) -> None:
    stored = StoredAccountDetails(engine)
    await stored.describe(DETAILS, at=1)
    await stored.describe(DETAILS, at=2)
    await stored.save_group(GROUP, name_key="family", at=1)
    await stored.save_group(AccountGroup("g2", SHARD, "Alone"), name_key="alone", at=1)
    await stored.set_currency(SHARD, "EUR", at=1)
    await stored.set_currency(SHARD, "CHF", at=2)
    details, groups, currencies = await stored.load()
    assert details == (DETAILS,)
    assert groups == (AccountGroup("g2", SHARD, "Alone"), GROUP)
    assert currencies == {SHARD: "CHF"}


async def test_tax_settings_come_back_digit_for_digit(engine: AsyncEngine) -> None:
    stored = StoredAccountDetails(engine)
    terms = TaxTerms(TaxStatus.TAXABLE, Decimal("0.30"), Decimal("0.000001"), 400, LotMethod.MIN_TAX)
    first = TaxSetting("account-a", SHARD, BEGINNING, terms)
    later = TaxSetting("account-a", SHARD, date(2024, 2, 29), TaxTerms(TaxStatus.FREE))
    other = TaxSetting("account-b", SHARD, BEGINNING, TaxTerms())
    await stored.save_taxes("account-a", (first,), at=1)
    await stored.save_taxes("account-a", (first, later), at=2)
    await stored.save_taxes("account-b", (other,), at=3)
    assert await stored.taxes() == (first, later, other)
    await stored.erase(("account-a",))
    assert await stored.taxes() == (other,)
    await stored.save_taxes("account-b", (), at=4)
    assert await stored.taxes() == ()


async def test_a_groups_name_is_its_users_alone(engine: AsyncEngine) -> None:
    stored = StoredAccountDetails(engine)
    await stored.save_group(GROUP, name_key="family", at=1)
    with pytest.raises(InvalidInput, match="taken"):
        await stored.save_group(AccountGroup("g2", SHARD, "FAMILY"), name_key="family", at=1)
    await stored.save_group(AccountGroup("g3", "user-2", "Family"), name_key="family", at=1)
    await stored.erase(("account-a",))
    await stored.remove_groups(("g3",))
    assert (await stored.load())[1] == (AccountGroup("g1", SHARD, "Family", ("account-b",)),)


async def test_kept_totals_are_what_their_parts_add_up_to(database: Database) -> None:
    story = told(database, seed=9, steps=400)
    assert projected(database).differences == []
    engine = async_engine(database)
    stored = StoredTotals(engine, SHARD)
    totals, instruments = await stored.platform()
    await engine.dispose()
    each = [read(story.state, one).figures for one in story.state.accounts.values()]
    (whole,) = totals
    assert (whole.accounts, whole.positions) == (len(each), sum(one.positions for one in each))
    assert whole.cash == total([one.cash for one in each])
    assert whole.contributed == total([one.contributed for one in each])
    assert sub(whole.realised, whole.charges) == total([one.realised for one in each])
    for instrument in instruments:
        mine = [held.net.get(instrument.instrument_id, ZERO) for held in story.state.accounts.values()]
        assert instrument.long_quantity == sum((one for one in mine if one > 0), Decimal(0))
        assert instrument.short_quantity == -sum((one for one in mine if one < 0), Decimal(0))
        assert instrument.positions == sum(1 for one in mine if one)


def test_every_table_of_peoples_says_whether_a_purge_takes_it() -> None:
    people = {
        table
        for table in METADATA.sorted_tables
        if table not in PROJECTED and "user_id" in table.columns and table is not users
    }
    assert people == {*ERASED, *KEPT}


async def test_a_purge_leaves_a_row_that_names_nobody(engine: AsyncEngine, database: Database) -> None:
    row = {"id": SHARD, "username": "anna", "username_key": "anna", "email": "anna@example.org",
           "full_name": "Anna Example", "role": "trader", "password_hash": "$argon2id$x", "is_active": True,
           "created_at": 1}  # fmt: skip
    with sync_engine(database, "migrate").begin() as connection:
        connection.execute(insert(users), [row])
    stored = StoredAccountDetails(engine)
    await stored.describe(DETAILS, at=1)
    await stored.save_group(GROUP, name_key="family", at=1)
    await stored.set_currency(SHARD, "EUR", at=1)
    await stored.save_taxes("account-a", (TaxSetting("account-a", SHARD, BEGINNING, TaxTerms()),), at=1)
    purge = StoredPersonalData(engine)
    assert await purge.erase_user(SHARD, "erased-1") == 4
    assert await stored.load() == ((), (), {})
    assert await stored.taxes() == ()
    with sync_engine(database, "read").connect() as connection:
        left = connection.execute(select(users)).mappings().one()
    assert "anna" not in str(dict(left)).casefold()
    assert (left["username"], left["password_hash"], left["is_active"]) == ("erased-1", "", False)
    with pytest.raises(NotFound):
        await purge.erase_user("nobody", "erased-2")
