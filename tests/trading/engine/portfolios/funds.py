"""A world with two accounts, and portfolios in them."""

from decimal import Decimal
from typing import Any

from evenkeel.domain import commands as c
from evenkeel.domain.limits import NO_RULES, RuleSet
from evenkeel.domain.money import ZERO
from evenkeel.domain.portfolios import Place, Portfolio
from evenkeel.trading.engine.portfolios.standing import PortfolioState
from evenkeel.trading.engine.portfolios.worth import worth_of
from tests.trading.engine.world import ACME, BOLT, WHO, World

D = Decimal


def world() -> World:
    made = World(ACME, BOLT)
    made.account("A", "100000")
    made.account("B", "50000")
    made.price(ACME, 10.0)
    made.price(BOLT, 20.0)
    return made


def portfolio(name: str = "fund", *accounts: str, **more: Any) -> Portfolio:
    return Portfolio(name, "u", name, "USD", accounts or ("A",), **more)


def fund(
    made: World, name: str = "fund", *accounts: str, cash: Decimal = ZERO, rules: RuleSet = NO_RULES
) -> PortfolioState:
    this = portfolio(name, *accounts)
    made.step(c.CreatePortfolio(provenance=WHO, portfolio=this, rules=rules, cash=cash))
    return made.state.portfolios[name]


def transfer(source: Place, target: Place, amount: str) -> c.TransferCash:
    return c.TransferCash(provenance=WHO, source=source, target=target, amount=D(amount))


def adopt(
    portfolio_id: str = "fund", account_id: str = "A", book: str = "trend", *, release: bool = False
) -> c.AdoptBook:
    return c.AdoptBook(provenance=WHO, portfolio_id=portfolio_id, account_id=account_id, book=book, release=release)


def value(made: World, name: str = "fund") -> Decimal:
    return worth_of(made.state, made.state.portfolios[name]).value


def cash(made: World, name: str = "fund") -> Decimal:
    return worth_of(made.state, made.state.portfolios[name]).cash
