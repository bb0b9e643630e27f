"""`evenkeel.AccountManager`: people and accounts made from Python are those that the desk, the doctor and SQL see."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import evenkeel as ek
from evenkeel.domain.errors import Conflict, HomeInUse, InvalidInput, NotFound
from evenkeel.storage.database import Database
from evenkeel.storage.doctor import examine

PASSWORD = "correct horse battery staple"


def test_people_and_accounts_are_made_and_stay(tmp_path: Path) -> None:
    with ek.AccountManager(tmp_path) as manager:
        anna = manager.create_user("anna", PASSWORD, email="anna@example.org", full_name="Anna Example")
        assert (anna["username"], anna["role"], anna["is_active"]) == ("anna", "trader", True)
        main = manager.create_account("anna", "Main", initial_balance="1000.50", account_number="U1")
        margin = manager.create_account(
            anna["id"], "Margin", account_type="margin", initial_balance=200, currency="EUR"
        )
        assert (main["account_number"], main["current_balance"], main["is_paper"]) == ("U1", Decimal("1000.50"), True)
        assert margin["account_type"] == "margin"
        paid = manager.move_cash("Main", Decimal("99.50"), kind="withdrawal")
        assert (paid["current_balance"], paid["initial_balance"]) == (Decimal("901.00"), Decimal("901.00"))
    with ek.AccountManager(tmp_path) as manager:
        names = [one["account_name"] for one in manager.get_user_accounts("anna")]
        assert names == ["Main", "Margin"]
        whole = manager.consolidated("anna")
        assert (whole["total_value"], whole["currency"], whole["left_out"]) == (Decimal("901.00"), "USD", ["EUR"])
        assert (whole["num_accounts"], whole["total_positions"], whole["positions"]) == (1, 0, [])
    assert examine(Database(tmp_path)).ok
    with closing(sqlite3.connect(tmp_path / "evenkeel.db")) as connection:
        rows = connection.execute(
            "SELECT username, currency, num_accounts FROM user_account_summary ORDER BY 2"
        ).fetchall()
    assert rows == [("anna", "EUR", 1), ("anna", "USD", 1)]


def test_what_cannot_be_made_says_why_and_changes_nothing(tmp_path: Path) -> None:
    with ek.AccountManager(tmp_path) as manager:
        manager.create_user("anna", PASSWORD)
        with pytest.raises(Conflict):
            manager.create_user("Anna", PASSWORD)
        with pytest.raises(NotFound, match="no user 'bert'"):
            manager.create_account("bert", "Main")
        wrong: dict[str, Any] = {"account_type": "savings", "currency": "XXX", "initial_balance": 0.1}
        with pytest.raises(InvalidInput) as refused:
            manager.create_account("anna", "Main", **wrong)
        assert {fault.field for fault in refused.value.errors} == {"account_type", "currency", "initial_balance"}
        manager.create_account("anna", "Main", initial_balance=10)
        with pytest.raises(InvalidInput) as refused:
            manager.move_cash("Main", "-5", kind="gift")
        assert {fault.field for fault in refused.value.errors} == {"amount", "kind"}
        with pytest.raises(InvalidInput, match="not that much cash"):
            manager.move_cash("Main", 11, kind="withdrawal")
        with pytest.raises(NotFound):
            manager.move_cash("Savings", 1)
        assert len(manager.get_user_accounts("anna")) == 1


def test_two_people_may_call_an_account_the_same(tmp_path: Path) -> None:
    with ek.AccountManager(tmp_path) as manager:
        for name in ("anna", "bert"):
            manager.create_user(name, PASSWORD)
        _, made = (manager.create_account(name, "Main", initial_balance=10) for name in ("anna", "bert"))
        with pytest.raises(InvalidInput, match="several people") as refused:
            manager.move_cash("Main", 1)
        assert made["id"] in str(refused.value.hint)
        assert manager.move_cash(made["id"], 1)["current_balance"] == Decimal("11.00")
        with pytest.raises(InvalidInput) as refused:
            manager.create_account("anna", "main")
        assert "another account of yours" in refused.value.errors[0].message


def test_a_home_has_one_owner_at_a_time(tmp_path: Path) -> None:
    with ek.AccountManager(tmp_path), pytest.raises(HomeInUse):
        ek.AccountManager(tmp_path)
    ek.AccountManager(tmp_path).close()
