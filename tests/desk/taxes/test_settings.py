"""Tax settings at hand: from a day on, in the place of later ones, kept over a start, and erased."""

from datetime import date
from decimal import Decimal

import pytest

from evenkeel.desk.accounts import AccountDirectory
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.taxes import BEGINNING, MOST_SETTINGS, LotMethod, TaxStatus, TaxTerms
from tests.desk.account_memory import MemoryDetails

TODAY = date(2025, 6, 1)
TERMS = TaxTerms(TaxStatus.TAXABLE, Decimal("0.3"), Decimal("0.15"))


async def set_on(directory: AccountDirectory, terms: TaxTerms, since: date | None = None) -> list[date]:
    return [one.since for one in await directory.set_taxes("a", "u", terms, since=since, today=TODAY)]


async def test_settings_hold_from_a_day_on() -> None:
    store = MemoryDetails()
    directory = AccountDirectory(store)
    assert directory.taxes("a") == ()
    assert await set_on(directory, TERMS) == [BEGINNING]
    lifo = TaxTerms(TERMS.status, TERMS.short, TERMS.long, method=LotMethod.LIFO)
    assert await set_on(directory, lifo) == [BEGINNING, TODAY]
    assert await set_on(directory, TaxTerms(TaxStatus.FREE), date(2025, 1, 1)) == [BEGINNING, date(2025, 1, 1)]
    assert await set_on(directory, lifo, date(2025, 3, 1)) == [BEGINNING, date(2025, 1, 1), date(2025, 3, 1)]
    again = AccountDirectory(store)
    await again.load()
    assert again.taxes("a") == directory.taxes("a")
    await directory.forget_taxes("a")
    assert (directory.taxes("a"), store.taxed["a"]) == ((), ())
    await set_on(directory, TERMS)
    await directory.erase(("a",))
    assert (directory.taxes("a"), store.taxed) == ((), {})


async def test_what_makes_no_sense_changes_nothing() -> None:
    directory = AccountDirectory(MemoryDetails())
    with pytest.raises(InvalidInput) as wrong:
        await set_on(directory, TaxTerms(short=Decimal(2)), date(2025, 6, 2))
    assert [one.field for one in wrong.value.errors] == ["short", "since"]
    assert directory.taxes("a") == ()
    for month in range(MOST_SETTINGS):
        await set_on(directory, TERMS, date(2000 + month // 12, 1 + month % 12, 1))
    with pytest.raises(InvalidInput, match="not valid"):
        await set_on(directory, TERMS, TODAY)
