"""`evenkeel.AccountManager`'s portfolio half: made, paid, moved between and added up from Python."""

from decimal import Decimal
from pathlib import Path

import pytest

import evenkeel as ek
from evenkeel.desk.portfolios.manager import PortfolioManager
from evenkeel.domain.errors import Conflict, InvalidInput, NotFound
from evenkeel.storage.database import Database
from evenkeel.storage.doctor import examine
from tests.trading.engine.portfolios.funds import fund, world
from tests.trading.engine.world import ACME

PASSWORD = "correct horse battery staple"
D = Decimal


def test_portfolios_are_made_and_stay(tmp_path: Path) -> None:
    with ek.AccountManager(tmp_path) as manager:
        manager.create_user("anna", PASSWORD)
        manager.create_account("anna", "Main", initial_balance=1000)
        manager.create_account("anna", "Abroad", initial_balance=500, currency="EUR")
        growth = manager.create_portfolio(
            "Main", "Growth", strategy="what rises", max_position_size="0.2", initial_cash="600.50"
        )
        assert (growth["total_value"], growth["max_position_size"], growth["risk_tolerance"]) == (
            D("600.50"), D("0.2"), D("0.5"),
        )  # fmt: skip
        manager.create_portfolio("Main", "Income")
        manager.create_portfolio("Abroad", "Euro", initial_cash=500)
        manager.transfer_cash("Main", "100.25", source="Growth", target="Income", note="to begin with")
        paid = manager.record_transaction("Income", "dividend", "0.75", note="by hand")
        assert (paid["cash_value"], paid["positions_value"], paid["num_positions"]) == (D("101.00"), D(0), 0)
        manager.transfer_cash("Main", "1.00", source="Income", target="manual")
        assert manager.get_portfolio_positions("Growth") == []
    with ek.AccountManager(tmp_path) as manager:
        assert [one["portfolio_name"] for one in manager.get_account_portfolios("Main")] == ["Growth", "Income"]
        assert [one["portfolio_name"] for one in manager.get_user_portfolios("anna")] == ["Growth", "Income", "Euro"]
        assert manager.aggregate_portfolios(["Growth", "Income"]) == {
            "currency": "USD", "total_value": D("600.25"), "num_portfolios": 2, "total_positions": 0, "left_out": [],
        }  # fmt: skip
        assert manager.aggregate_portfolios(["Growth", "Growth"])["num_portfolios"] == 1, "none counts twice"
        whole = manager.aggregate_user_portfolios("anna", currency="USD")
        assert (whole["total_value"], whole["num_portfolios"], whole["left_out"]) == (D("600.25"), 2, ["EUR"])
    assert examine(Database(tmp_path)).ok


def test_what_cannot_be_says_why(tmp_path: Path) -> None:
    with ek.AccountManager(tmp_path) as manager:
        manager.create_user("anna", PASSWORD)
        manager.create_account("anna", "Main", initial_balance=1000)
        with pytest.raises(InvalidInput) as refused:
            manager.create_portfolio("Main", "X", initial_cash=0.1, max_position_size="much")
        assert {fault.field for fault in refused.value.errors} == {"initial_cash", "max_position_size"}
        with pytest.raises(NotFound, match="no account 'Nowhere'"):
            manager.create_portfolio("Nowhere", "X")
        manager.create_portfolio("Main", "Growth", initial_cash=10)
        with pytest.raises(InvalidInput) as refused:
            manager.record_transaction("Growth", "buy", 5)
        assert "are orders" in refused.value.errors[0].message
        with pytest.raises(InvalidInput, match="not that much cash"):
            manager.record_transaction("Growth", "withdrawal", 11)
        with pytest.raises(NotFound, match="no portfolio 'None'"):
            manager.get_portfolio_positions("None")


def test_a_name_that_two_people_use_is_nobodys(tmp_path: Path) -> None:
    with ek.AccountManager(tmp_path) as manager:
        for person in ("anna", "bert"):
            manager.create_user(person, PASSWORD)
            manager.create_account(person, f"Of {person}", initial_balance=100)
            manager.create_portfolio(f"Of {person}", "Growth")
        with pytest.raises(Conflict, match="2 people have a portfolio 'Growth'"):
            manager.record_transaction("Growth", "deposit", 5)
        (berts,) = manager.get_user_portfolios("bert")
        assert manager.record_transaction(berts["id"], "deposit", 5)["total_value"] == D(5)


def test_positions_have_their_weights() -> None:
    made = world()
    fund(made, cash=D(1000))
    made.holding("20", "10", book="fund")
    made.price(ACME, 15.0)
    manager = PortfolioManager(made.engine, None)  # type: ignore[arg-type]
    (row,) = manager.positions("fund")
    assert (row["symbol"], row["quantity"], row["avg_cost"], row["asset_class"]) == ("ACME", D(20), D(10), "EQUITY")
    assert (row["current_price"], row["market_value"], row["unrealized_pnl"]) == (D(15), D(300), D(100))
    assert row["weight"] == D("0.27272727")
