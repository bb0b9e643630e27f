"""Worlds with lots: books that are followed, settings, and a portfolio in a taxed, a deferred and a free account."""

import asyncio
from datetime import date
from decimal import Decimal

from evenkeel.desk.taxes.books import LotBooks, Settings
from evenkeel.domain.limits import RuleSet
from evenkeel.domain.lots import Lots
from evenkeel.domain.money import ONE
from evenkeel.domain.portfolios import Place
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.taxes import BEGINNING, LotMethod, TaxSetting, TaxStatus, TaxTerms
from tests.trading.engine.portfolios.funds import fund, transfer
from tests.trading.engine.world import ACME, BOLT, World

D = Decimal


def followed(world: World) -> LotBooks:
    books = LotBooks()
    asyncio.run(books.follow(world.state))
    return books


def terms(
    method: LotMethod = LotMethod.FIFO, *, short: str = "0.3", long: str = "0.1", status: TaxStatus = TaxStatus.TAXABLE
) -> TaxTerms:
    if status is not TaxStatus.TAXABLE:
        return TaxTerms(status, method=method)
    return TaxTerms(status, D(short), D(long), 365, method)


def always(given: TaxTerms, account_id: str = "A", since: date = BEGINNING) -> Settings:
    return (TaxSetting(account_id, "u", since, given),)


def lots_in(
    world: World, books: LotBooks, *, account_id: str = "A", book: str = "manual", settings: Settings = ()
) -> Lots:
    return books.lots(world.state, PositionKey(account_id, book, ACME.id), settings)


def three() -> World:
    """A is taxed, B deferred, C free; the fund has 10000 in each, and ACME at 10, BOLT at 20."""
    made = World(ACME, BOLT)
    for name in "ABC":
        made.account(name, "100000")
    made.price(ACME, 10.0)
    made.price(BOLT, 20.0)
    fund(made, "fund", "A", "B", "C", cash=D(10000), rules=RuleSet(max_gross_leverage=ONE))
    for name in "BC":
        made.step(transfer(Place(name), Place(name, "fund"), "10000"))
    return made


TAXES = {
    "A": always(terms(LotMethod.MIN_TAX)),
    "B": always(terms(status=TaxStatus.DEFERRED), "B"),
    "C": always(terms(status=TaxStatus.FREE), "C"),
}
