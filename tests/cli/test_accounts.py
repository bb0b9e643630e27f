"""`evenkeel account`, beside trading, and `evenkeel fx`, against a running demo; `evenkeel db downgrade` on a home."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from evenkeel.storage.database import Database
from evenkeel.storage.migrations import HEAD, REVISIONS
from evenkeel.storage.schema import upgrade
from tests.cli.desk import Desk, invoke, until


@pytest.fixture
def account(desk: Desk, request: pytest.FixtureRequest) -> str:
    """The name of an account of this test alone, which no strategy trades."""
    name = f"A{abs(hash(request.node.nodeid)) % 10**8}"
    desk.ask("account", "open", name, "--cash", "50000", "--type", "margin")
    desk.run("account", "limits", name, "--max-position-share", "off")
    return name


def names(desk: Desk, *more: str) -> list[str]:
    return [one["name"] for one in desk.items("account", "list", *more)]


def test_how_fast_it_sends_is_set_in_full(desk: Desk, account: str) -> None:
    limits = ("account", "limits", account)
    sending = desk.ask(*limits, "--rate", "8", "--burst", "4", "--reserved", "0", "--queue", "10")["rate"]
    assert sending == {"per_second": 8.0, "burst": 4, "reserved": 0, "queue": 10}
    assert desk.ask(*limits, "--rate", "8")["rate"] == {"per_second": 8.0, "burst": 8, "reserved": 2, "queue": 14}
    assert "--queue" in desk.refused(*limits, "--rate", "8", "--queue", "-1")
    for name in ("--burst", "--reserved", "--queue"):
        assert name in desk.refused(*limits, name, "3", code=2)
        assert name in desk.refused(*limits, "--rate", "off", name, "3", code=2)


def test_labels_and_details_are_kept_and_found(desk: Desk, account: str) -> None:
    assert desk.run("account", "label", account).stdout == "No labels.\n"
    assert desk.ask("account", "label", account, "pension", "long") == ["pension", "long"]
    assert desk.run("account", "label", account, "--remove", "long").stdout == "pension\n"
    assert names(desk, "--label", "pension") == [account]
    found = desk.ask("account", "details", account, "--number", "U1", "--notes", "mine", "--egress", "127.0.0.1")
    assert (found["number"], found["notes"], found["egress"]) == ("U1", "mine", "127.0.0.1")
    shown = desk.run("account", "show", account).stdout
    assert "U1" in shown
    assert "pension" in shown
    assert desk.ask("account", "show", account)["details"]["number"] == "U1"
    assert desk.ask("account", "details", account, "--number", "")["number"] == ""
    assert "--egress: 203.0.113.7 is not an address of this machine" in desk.refused(
        "account", "details", account, "--egress", "203.0.113.7"
    )


def test_groups_are_made_shown_changed_and_deleted(desk: Desk, account: str) -> None:
    group = f"G{account}"
    assert "no group of accounts" in desk.refused("account", "group", group)
    said = desk.run("account", "group", group, "--add", account).stdout
    assert account in said
    assert "equity 50000.00 USD" in said
    assert group in desk.run("account", "groups").stdout
    assert names(desk, "--group", group) == [account]
    assert desk.run("account", "positions", "--group", group).stdout.startswith("No open positions.")
    assert desk.items("order", "cancel", "--all", "--group", group) == []
    assert desk.ask("position", "flatten", "--group", group, "--yes")["orders"] == []
    assert desk.ask("position", "pnl", "--by", "group", "--group", group)["items"] == []
    changed = desk.ask("account", "group", group, "--remove", account, "--name", f"{group}b")
    assert (changed["name"], changed["account_ids"]) == (f"{group}b", [])
    assert "its accounts stay" in desk.run("account", "group", f"{group}b", "--delete").stdout
    assert f"{group}b" not in [one["name"] for one in desk.items("account", "groups")]


def test_a_group_is_halted_and_resumed(desk: Desk, account: str) -> None:
    desk.run("account", "group", f"P{account}", "--add", account)
    assert account in desk.run("account", "panic-group", f"P{account}", "--reason", "drill").stdout
    until(lambda: desk.ask("account", "group", f"P{account}")["health"][0]["halted"] == "account")
    assert "cool-down" in desk.refused("account", "panic-group", f"P{account}", "--resume")


def test_a_summary_and_all_accounts_as_one(desk: Desk, account: str) -> None:
    found = desk.ask("account", "summary")
    assert account in [one["name"] for one in found["accounts"]]
    said = desk.run("account", "summary", "--currency", "usd").stdout
    assert "total USD" in said
    whole = desk.ask("account", "consolidated")
    assert whole["total"]["currency"] == "USD"
    assert desk.run("account", "consolidated").stdout.count("total USD") == 1
    platform = desk.ask("account", "platform")
    assert platform["users"] == 1
    told = desk.run("account", "platform").stdout
    assert "people 1, accounts in use " in told
    assert "unrealised" in told
    assert "day P&L" not in told
    assert "--currency: no currency is called" in desk.refused("account", "summary", "--currency", "zzz")


def test_rates_are_given_imported_and_used(desk: Desk, account: str, tmp_path: Path) -> None:
    day = date.fromisoformat(desk.ask("account", "show", account)["session_date"])
    assert "1 EUR is 1.25 USD" in desk.run("fx", "set", "eur", "usd", "1.25", "--date", day).stdout
    assert "EUR" in desk.run("fx", "list").stdout
    desk.ask("account", "open", f"{account}e", "--cash", "1000", "--currency", "EUR")
    found = desk.ask("account", "summary", "--currency", "USD")
    assert [one["rate"] for one in found["rates"] if one["currency"] == "EUR"] == ["1.25"]
    file = tmp_path / "rates.csv"
    file.write_text(
        f"date,base,quote,rate\n{day},eur,usd,1.26\n{day - timedelta(days=1)},GBP,USD,1.5\n", encoding="utf-8"
    )
    assert "2 rates taken" in desk.run("fx", "import", file).stdout
    assert {one["base"]: one["rate"] for one in desk.items("fx", "list")} == {"EUR": "1.26", "GBP": "1.5"}
    assert "EUR: 1.26 of" in desk.run("account", "summary").stdout
    file.write_text("date,base,quote,rate\nyesterday,EUR,USD,1\n", encoding="utf-8")
    assert "line 2: 'yesterday' is no day" in desk.refused("fx", "import", file)
    file.write_text("day,base\n", encoding="utf-8")
    assert "missing: date, quote, rate" in desk.refused("fx", "import", file)
    clock = desk.ask("status")["clock"][:10]
    assert desk.run("fx", "set", "eur", "usd", "1.27").stdout.startswith(f"1 EUR is 1.27 USD on {clock[:4]}")
    assert "BASE: no currency is called XXX" in desk.refused("fx", "set", "XXX", "USD", "1", "--date", day)


def test_an_account_goes_out_of_use_comes_back_and_is_erased(desk: Desk, account: str) -> None:
    assert "is out of use since" in desk.run("account", "deactivate", account, "--reason", "moved").stdout
    assert account in names(desk, "--inactive")
    assert account not in names(desk, "--active")
    assert "OUT OF USE" in desk.run("account", "list").stdout
    refused = desk.refused("order", "place", account, "buy", "1", "MSFT")
    assert "out of use" in refused
    assert desk.run("account", "activate", account).stdout == f"{account} is in use\n"
    assert "is in use" in desk.run("account", "rename", account, f"{account}x").stdout
    assert "is in use" in desk.refused("account", "purge", f"{account}x"), "and no name is asked for"
    desk.run("account", "deactivate", f"{account}x")
    assert "Give it with --type-name" in desk.refused("account", "purge", f"{account}x")
    assert f"--type-name: type '{account}x'" in desk.refused("account", "purge", f"{account}x", "--type-name", account)
    assert f"{account}x" in names(desk)
    asked = invoke("account", "purge", f"{account}x", "--home", desk.home, input=f"{account}x\n")
    assert f"All that is personal of {account}x is erased" in asked.stderr
    assert "called erased-" in asked.stdout
    assert f"{account}x" not in names(desk)
    assert "names no user" not in desk.refused("user", "purge", "nobody-here", "--type-name", "x")


def test_positions_are_closed_with_their_account(desk: Desk, account: str) -> None:
    desk.run("order", "place", account, "buy", "2", "MSFT")
    until(lambda: desk.items("account", "positions", account))
    assert "holds 2 MSFT" in desk.refused("account", "deactivate", account)
    desk.run("account", "deactivate", account, "--positions", "close")
    until(lambda: not desk.items("account", "positions", account))


def test_a_schema_goes_down_and_up(tmp_path: Path) -> None:
    where = Database(tmp_path)
    upgrade(where)
    older = REVISIONS[-3]
    done = invoke("db", "downgrade", older, "--home", tmp_path, "--yes", "--json")
    found = json.loads(done.stdout)
    assert (found["before"], found["schema"]) == (HEAD, older)
    assert Path(found["backup"]).exists()
    assert "is lost" in done.stderr
    assert "Go on?" in invoke("db", "downgrade", "0001", "--home", tmp_path, code=1, input="n\n").output
    wrong = invoke("db", "downgrade", "0099", "--home", tmp_path, "--yes", code=1)
    assert "cannot be taken back to '0099'" in wrong.stderr
    assert f"brought from schema {older} to {HEAD}" in invoke("db", "upgrade", "--home", tmp_path).stdout
