"""Making, changing and archiving portfolios, adopting books, and moving cash between books."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.accounts import AccountMode, LedgerKind
from evenkeel.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from evenkeel.domain.limits import RuleSet
from evenkeel.domain.portfolios import BookMoved, CashTransferred, Place, PortfolioChange, PortfolioChanged
from tests.trading.engine.portfolios.funds import adopt, cash, fund, portfolio, transfer, value, world
from tests.trading.engine.world import ACME, WHO, World, assert_sound

D = Decimal


def faults(made: World, command: c.AnyCommand) -> list[tuple[str, str]]:
    error = made.declined(command)
    assert isinstance(error, InvalidInput)
    return [(fault.field, fault.message) for fault in error.errors]


def create(made: World, name: str = "fund", *accounts: str, money: str = "0") -> c.CreatePortfolio:
    return c.CreatePortfolio(provenance=WHO, portfolio=portfolio(name, *accounts), rules=RuleSet(), cash=D(money))


def test_a_portfolio_gets_its_money_from_the_account_and_has_it_apart() -> None:
    made = world()
    held = fund(made, cash=D("2500.50"))
    assert (value(made), cash(made)) == (D("2500.50"), D("2500.50"))
    assert made.state.accounts["A"].cash == {"USD": D(100000)}
    assert made.state.accounts["A"].contributed == D(100000)
    assert held.contributed == {"A": D("2500.50")}
    (record,) = made.of(CashTransferred)
    assert [(line.book, line.kind, line.amount) for line in record.entries] == [
        ("manual", LedgerKind.TRANSFER, D("-2500.50")),
        ("fund", LedgerKind.TRANSFER, D("2500.50")),
    ]
    assert (record.equity, record.values) == ({}, {"fund": D(0)})
    assert_sound(made)


def test_its_limits_become_a_layer() -> None:
    made = world()
    fund(made, rules=RuleSet(max_position_share=D("0.2")))
    assert made.state.layers["portfolio:fund"].rules.max_position_share == D("0.2")


@pytest.mark.parametrize(
    ("this", "field"),
    [
        (portfolio("manual"), "name"),
        (portfolio("x", "A", "A"), "accounts"),
        (portfolio("x", "A", "nobody"), "accounts.1"),
        (portfolio("x", risk_tolerance=D("1.5")), "risk_tolerance"),
        (portfolio("x", risk_tolerance=D("NaN")), "risk_tolerance"),
    ],
)
def test_what_makes_no_portfolio(this: object, field: str) -> None:
    made = world()
    command = c.CreatePortfolio(provenance=WHO, portfolio=this, rules=RuleSet(max_position_share=D(-1)))  # type: ignore[arg-type]
    assert [name for name, _ in faults(made, command)] == [field, "rules.max_position_share"]


def test_a_name_is_taken_once_a_person() -> None:
    made = world()
    fund(made, "Growth")
    assert made.declined(create(made, "Growth")).message == "portfolio Growth exists already"
    assert faults(made, create(made, "gROWTH")) == [("name", "another portfolio is called 'Growth', in whatever case")]


def test_an_account_of_another_currency_is_refused() -> None:
    made = world()
    this = replace(portfolio("euro"), currency="EUR")
    command = c.CreatePortfolio(provenance=WHO, portfolio=this, rules=RuleSet())
    assert faults(made, command) == [("accounts.0", "A is kept in USD, the portfolio in EUR")]


def test_money_that_is_not_there_makes_no_portfolio() -> None:
    made = world()
    assert faults(made, create(made, money="100000.01")) == [
        ("cash", "the account beside its portfolios has 100000.00 USD in cash")
    ]
    assert faults(made, create(made, money="-5"))[0][0] == "cash"
    assert faults(made, create(made, money="0.001"))[0][0] == "cash"


def test_a_change_keeps_what_it_does_not_name_and_adds_accounts() -> None:
    made = world()
    fund(made)
    change = PortfolioChange(name="Growth", account_ids=("B",))
    made.step(c.ChangePortfolio(provenance=WHO, portfolio_id="fund", change=change))
    this = made.state.portfolios["fund"].portfolio
    assert (this.name, this.account_ids, this.risk_tolerance) == ("Growth", ("A", "B"), D("0.5"))
    assert made.state.owners == {("A", "fund"): "fund", ("B", "fund"): "fund"}
    made.step(c.ChangePortfolio(provenance=WHO, portfolio_id="fund", change=PortfolioChange(account_ids=("A",))))
    assert len(made.of(PortfolioChanged)) == 2
    wrong = PortfolioChange(risk_tolerance=D(2))
    assert faults(made, c.ChangePortfolio(provenance=WHO, portfolio_id="fund", change=wrong))[0][0] == "risk_tolerance"
    nothing = c.ChangePortfolio(provenance=WHO, portfolio_id="none", change=PortfolioChange())
    assert isinstance(made.declined(nothing), NotFound)


def test_only_what_is_empty_is_archived_and_it_can_come_back() -> None:
    made = world()
    fund(made, cash=D(500))
    made.deploy(("A", "0.1"))
    made.step(adopt())
    made.holding("10", book="fund")
    made.resting(quantity="5", book="fund")
    archive = c.ArchivePortfolio(provenance=WHO, portfolio_id="fund")
    error = made.declined(archive)
    assert isinstance(error, Conflict)
    assert error.message == "fund still has 1 positions, 1 working orders, 1 adopted books, 400 USD in cash"
    made.step(adopt(release=True))
    for order in list(made.state.accounts["A"].working.values()):
        made.cancel(order)
        made.step(made.said(e.VenueCancelled, order))
    made.holding("-10", book="fund")
    made.step(transfer(Place("A", "fund"), Place("A"), "500"))
    made.step(archive)
    assert made.state.portfolios["fund"].portfolio.archived
    with pytest.raises(InvalidInput) as refused:
        made.submit(book="fund")
    assert refused.value.errors[0].message == "portfolio fund is archived; restore it first"
    assert faults(made, transfer(Place("A"), Place("A", "fund"), "5"))[0][0] == "target.book"
    made.step(c.ArchivePortfolio(provenance=WHO, portfolio_id="fund", restore=True))
    made.submit(book="fund")
    assert_sound(made)


def test_a_book_belongs_to_one_portfolio_at_a_time() -> None:
    made = world()
    made.deploy(("A", "0.1"))
    fund(made, "one", cash=D(1000))
    fund(made, "two")
    made.step(adopt("one"))
    error = made.declined(adopt("two"))
    assert error.message == "the book of trend here belongs to portfolio one"
    assert made.declined(adopt("two", release=True)).message == "two has not adopted this book"
    assert made.declined(adopt("one", book="one", release=True)).message == "one has not adopted this book"
    made.step(adopt("one", release=True))
    made.step(adopt("two"))
    assert made.state.owners["A", "trend"] == "two"
    assert faults(made, adopt("one", "B"))[0] == (
        "account_id",
        "one does not trade this account; add the account to it first",
    )
    assert isinstance(made.declined(adopt("one", book="nothing")), NotFound)


def test_an_adopted_book_brings_what_it_is_worth_and_no_return() -> None:
    made = world()
    made.deploy(("A", "0.1"))
    held = fund(made, cash=D(1000))
    made.holding("100", "10", book="trend")
    made.price(ACME, 12.0)
    made.step(adopt())
    (record,) = made.of(BookMoved)
    assert (record.worth, record.value) == (D(200), D(1000))
    assert value(made) == D(1200)
    assert held.growth.at(value(made)) == 1.0
    made.price(ACME, 15.0)
    assert held.growth.at(value(made)) == pytest.approx(1500 / 1200)
    made.step(adopt(release=True))
    assert (value(made), held.growth.at(value(made))) == (D(1000), pytest.approx(1500 / 1200))
    assert held.contributed == {"A": D(700)}
    assert_sound(made)


def test_a_transfer_between_accounts_is_a_payment_for_both() -> None:
    made = world()
    fund(made, "fund", "A", "B", cash=D(1000))
    made.step(transfer(Place("A", "fund"), Place("B"), "400"))
    here, there = made.state.accounts["A"], made.state.accounts["B"]
    assert (here.cash_in("USD"), there.cash_in("USD")) == (D(99600), D(50400))
    assert (here.contributed, there.contributed) == (D(99600), D(50400))
    assert here.growth.at(made.state.equity(here)) == there.growth.at(made.state.equity(there)) == 1.0
    (_, record) = made.of(CashTransferred)
    assert sum(line.amount for line in record.entries) == 0
    assert record.equity == {"A": D(100000), "B": D(50000)}
    made.step(transfer(Place("A", "fund"), Place("B", "fund"), "100"))
    assert made.state.portfolios["fund"].growth.at(value(made)) == 1.0
    assert made.state.portfolios["fund"].contributed == {"A": D(500), "B": D(100)}
    assert_sound(made)


@pytest.mark.parametrize(
    ("source", "target", "amount", "field"),
    [
        (Place("A", "fund"), Place("A"), "1000.01", "amount"),
        (Place("A", "fund"), Place("A"), "0", "amount"),
        (Place("A", "fund"), Place("A"), "0.001", "amount"),
        (Place("A", "fund"), Place("A", "fund"), "1", "target"),
        (Place("A", "nothing"), Place("A"), "1", "source.book"),
        (Place("A"), Place("B", "fund"), "1", "target.book"),
        (Place("A"), Place("B"), "99000.01", "amount"),
    ],
)
def test_transfers_that_cannot_be(source: Place, target: Place, amount: str, field: str) -> None:
    made = world()
    fund(made, cash=D(1000))
    assert faults(made, transfer(source, target, amount))[0][0] == field


def test_what_belongs_to_portfolios_is_not_withdrawn_beside_them() -> None:
    made = world()
    fund(made, cash=D(90000))
    out = c.MoveCash(provenance=WHO, account_id="A", amount=D(-10001), kind=LedgerKind.WITHDRAWAL)
    assert faults(made, out) == [("amount", "the account beside its portfolios has 10000.00 USD in cash")]
    own = c.MoveCash(provenance=WHO, account_id="A", amount=D(-90000), kind=LedgerKind.WITHDRAWAL, book="fund")
    made.step(own)
    assert value(made) == 0
    assert faults(made, own)[0][0] == "amount"


def test_what_is_booked_in_its_book_is_its_own() -> None:
    made = world()
    held = fund(made, cash=D(1000))
    for kind, amount in ((LedgerKind.DEPOSIT, "500"), (LedgerKind.DIVIDEND, "15"), (LedgerKind.FEE, "-5")):
        made.step(c.MoveCash(provenance=WHO, account_id="A", amount=D(amount), kind=kind, book="fund"))
    assert value(made) == D(1510)
    assert held.contributed == {"A": D(1500)}
    assert held.growth.at(value(made)) == pytest.approx(1510 / 1500)
    nowhere = c.MoveCash(provenance=WHO, account_id="B", amount=D(1), book="fund")
    assert faults(made, nowhere)[0][0] == "book"
    assert_sound(made)


def test_paper_money_does_not_become_real() -> None:
    made = world()
    held = made.state.accounts["B"]
    held.account = replace(held.account, mode=AccountMode.LIVE)
    assert isinstance(made.declined(transfer(Place("A"), Place("B"), "1")), Forbidden)
