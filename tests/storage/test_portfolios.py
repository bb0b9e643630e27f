"""Portfolios as rows: what each is, its books by date, its days, and the views that people query."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import LedgerKind
from evenkeel.domain.fills import Charge
from evenkeel.domain.limits import RuleSet
from evenkeel.domain.orders import Side
from evenkeel.domain.portfolios import Place, PortfolioChange
from evenkeel.storage.database import Database
from evenkeel.storage.doctor import examine
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.tables.people import users
from evenkeel.storage.tables.portfolios import book_balances, portfolio_books, portfolio_performance, portfolios
from tests.storage.stories import projected
from tests.trading.engine.portfolios.funds import adopt, fund, transfer, world
from tests.trading.engine.world import ACME, WHO, World, split_slice

D = Decimal
PERSON = {
    "id": "u", "username": "anna", "username_key": "anna", "role": "owner", "password_hash": "x", "is_active": True,
    "created_at": 1,
}  # fmt: skip


def lived() -> World:
    """A portfolio that buys, adopts and releases a strategy's book, is paid, transfers, and sees a split."""
    made = world()
    made.deploy(("A", "0.5"))
    fund(made, "growth", "A", "B", cash=D("10000.50"), rules=RuleSet(max_position_share=D("0.9")))
    fund(made, "income", "A")
    bought = made.resting(Side.BUY, "100", book="growth")
    made.fill(bought, "100", "10", charges=(Charge("commission", D("1.25")),))
    made.step(adopt("growth"))
    made.holding("20", "10", book="trend")
    made.step(adopt("growth", release=True))
    made.holding("-20", "11", book="trend")
    made.step(transfer(Place("A", "growth"), Place("B", "growth"), "250"))
    made.step(c.MoveCash(provenance=WHO, account_id="A", amount=D("12.5"), kind=LedgerKind.DIVIDEND, book="growth"))
    made.step(split_slice(1, "2:1"))
    for day, price in enumerate((5.0, 5.5, 5.25, 5.25), 1):
        made.price(ACME, price, day)
    change = PortfolioChange(strategy="what rises", risk_tolerance=D("0.25"))
    made.step(c.ChangePortfolio(provenance=WHO, portfolio_id="growth", change=change))
    made.step(c.ArchivePortfolio(provenance=WHO, portfolio_id="income"))
    return made


@pytest.fixture
def read(database: Database) -> Callable[[str], list[dict[str, Any]]]:
    """Rows of a query over the projections of that life."""
    made = lived()
    projected(database, made.records)
    assert examine(database).differences == []
    engine = sync_engine(database, "migrate")
    with engine.begin() as connection:
        connection.execute(insert(users), [PERSON])

    def rows(query: Any) -> list[dict[str, Any]]:
        with engine.connect() as connection:
            return _rows(connection, query)

    return rows


def _rows(connection: Connection, query: Any) -> list[dict[str, Any]]:
    asked = text(query) if isinstance(query, str) else query
    return [dict(row) for row in connection.execute(asked).mappings()]


Read = Callable[[Any], list[dict[str, Any]]]


def test_what_each_is(read: Read) -> None:
    growth, income = read(select(portfolios).order_by(portfolios.c.id))
    assert (growth["portfolio_name"], growth["strategy"], growth["is_active"]) == ("growth", "what rises", True)
    assert (growth["account_ids"], growth["currency"]) == (["A", "B"], "USD")
    assert (growth["risk_tolerance"], growth["max_position_size"]) == (D("0.25"), D("0.9"))
    assert (income["is_active"], income["max_position_size"], income["risk_tolerance"]) == (False, None, D("0.5"))


def test_its_books_are_dated(read: Read) -> None:
    found = read(select(portfolio_books).order_by(portfolio_books.c.book, portfolio_books.c.account_id))
    assert [(row["account_id"], row["book"], row["until_seq"] is None) for row in found] == [
        ("A", "growth", True),
        ("B", "growth", True),
        ("A", "income", True),
        ("A", "trend", False),
    ]
    assert found[-1]["since_seq"] < found[-1]["until_seq"]


def test_cash_by_book_is_kept(read: Read) -> None:
    found = {(row["account_id"], row["book"]): row for row in read(select(book_balances))}
    assert found["A", "growth"]["amount"] == D("10000.50") - D("1001.25") - 250 + D("12.5")
    assert found["A", "growth"]["contributed"] == D("9750.50")
    assert found["B", "growth"]["amount"] == D(250)
    assert found["A", "manual"]["amount"] == D("89999.50")
    assert found["A", "trend"]["amount"] == D(20)


def test_its_days(read: Read) -> None:
    found = read(select(portfolio_performance).where(portfolio_performance.c.portfolio_id == "growth"))
    found.sort(key=lambda row: row["at"])
    values = [row["total_value"] for row in found]
    assert values == [D("9011.75") + 200 * D(price) for price in ("5.00", "5.00", "5.50", "5.25")]
    assert [row["positions_value"] for row in found][-1] == D("1050.00")
    last = found[-1]
    assert last["daily_return"] == pytest.approx(float(values[-1] / values[-2]) - 1)
    assert last["cumulative_return"] == pytest.approx(float(values[-1] / D("10000.50")) - 1)
    assert (last["num_positions"], last["holdings"], last["win_rate"]) == (1, {ACME.id: "1050.00"}, None)
    assert last["max_drawdown"] == pytest.approx(max(row["drawdown"] for row in found))
    assert last["sharpe_ratio"] is not None


def test_the_summary_of_portfolios(read: Read) -> None:
    (growth, income) = read("SELECT * FROM portfolio_summary ORDER BY portfolio_id")
    assert (growth["username"], growth["num_accounts"], growth["num_positions"]) == ("anna", 2, 1)
    assert growth["cash_approx"] == pytest.approx(9011.75)
    assert growth["positions_cost_approx"] == pytest.approx(1000)
    assert growth["total_value_approx"] == pytest.approx(10061.75)
    assert (growth["max_position_size_approx"], growth["risk_tolerance_approx"]) == (0.9, 0.25)
    assert (income["num_accounts"], income["num_positions"], income["cash_approx"]) == (1, 0, 0)


def test_the_summary_of_people(read: Read) -> None:
    (row,) = read("SELECT * FROM user_account_summary")
    assert (row["username"], row["currency"], row["num_accounts"], row["num_portfolios"]) == ("anna", "USD", 2, 1)
    assert row["total_balance_approx"] == pytest.approx(150000 - 1001.25 + 12.5 + 20)


def test_transactions_say_whose_they_were(read: Read) -> None:
    found = read("SELECT * FROM transactions ORDER BY seq, line")
    assert found[-1]["type"] == "split"
    mine = [row for row in found if row["portfolio_id"] == "growth"]
    assert [(row["type"], row["amount"] is not None) for row in mine] == [
        ("transfer", True),
        ("buy", True),
        ("fee", True),
        ("buy", True),
        ("transfer", True),
        ("transfer", True),
        ("dividend", True),
        ("split", False),
    ]
    (buy, _, adopted) = mine[1:4]
    assert (buy["symbol"], buy["quantity_approx"], buy["price_approx"]) == ("ACME", 100, 10)
    assert (adopted["book"], adopted["portfolio_name"]) == ("trend", "growth")
    assert (mine[-1]["component"], mine[-1]["quantity_approx"]) == ("2:1", 200)
    sold = [row for row in found if row["type"] == "sell"]
    assert [(row["book"], row["portfolio_id"]) for row in sold] == [("trend", None)]
    assert len(read("SELECT * FROM recent_transactions")) == len(found)


def test_metrics_by_day(read: Read) -> None:
    found = read("SELECT * FROM portfolio_metrics WHERE portfolio_id = 'growth' ORDER BY date")
    assert [row["daily_pl_approx"] for row in found] == pytest.approx([11.25, 0, 100, -50])
    assert found[-1]["drawdown_pct"] == pytest.approx(100 * 50 / 10111.75)
