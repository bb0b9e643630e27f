"""Baskets, changes and cancels of many orders, positions, templates at the command line, against a running demo."""

import json
from pathlib import Path

import pytest

from evenkeel.cli.basket_rows import COLUMNS
from evenkeel.server.requests import NewOrder
from tests.cli.desk import Desk, invoke, until


@pytest.fixture
def account(desk: Desk, request: pytest.FixtureRequest) -> str:
    """The name of an account of this test alone, which no strategy trades."""
    name = f"M{abs(hash(request.node.nodeid)) % 10**8}"
    desk.ask("account", "open", name, "--cash", "50000", "--type", "margin")
    desk.run("account", "limits", name, "--max-position-share", "off", "--allow-short")
    return name


def resting(desk: Desk, account: str, *more: str) -> str:
    placed = desk.ask("order", "place", account, "buy", "2", "MSFT", "--limit", "5", "--tif", "gtc", *more)
    until(lambda: desk.ask("order", "show", placed["id"])["state"] == "ACCEPTED")
    found: str = placed["id"]
    return found


def held(desk: Desk, account: str) -> list[str]:
    return [one["quantity"] for one in desk.items("account", "positions", account)]


def test_a_basket_of_a_csv_file_is_placed_once(desk: Desk, account: str, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(
        "account,symbol,side,quantity,limit_price,time_in_force\n"
        f"{account},MSFT,buy,2,5.00,gtc\n{account},ibm,Buy,1,6,GTC\n\n",
        encoding="utf-8",
    )
    said = desk.run("order", "basket", file, "--id", f"{account}-1").stdout
    assert said.count("SUBMITTED") == 2
    again = desk.ask("order", "basket", file, "--id", f"{account}-1")
    assert [one["created"] for one in again["orders"]] == [False, False]
    assert len(desk.items("order", "list", "--account", account)) == 2
    until(lambda: {o["state"] for o in desk.items("order", "list", "--account", account)} == {"ACCEPTED"})
    assert len(desk.items("order", "cancel", "--all", "--account", account, "--symbol", "IBM")) == 1
    assert len(desk.items("order", "cancel", "--all", "--account", account, "--side", "buy")) >= 1


def test_all_or_none_of_a_json_file(desk: Desk, account: str, tmp_path: Path) -> None:
    file = tmp_path / "orders.json"
    orders = [
        {"account": account, "symbol": "MSFT", "side": "BUY", "quantity": 1, "limit_price": 5.00},
        {"account": account, "symbol": "MSFT", "side": "BUY", "quantity": 100000, "limit_price": 5, "book": "manual"},
    ]
    file.write_text(json.dumps({"orders": orders}), encoding="utf-8")
    result = desk.run("order", "basket", file, "--all-or-none", code=1)
    assert "2 of 2 orders are refused" in result.stderr
    assert result.stdout.count("REFUSED") == 2
    assert "basket" in result.stdout


def test_a_basket_holds_every_kind_of_order(desk: Desk, account: str, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    order = f"{account},MSFT,buy,1"
    file.write_text(
        "account,symbol,side,quantity,kind,limit_price,stop_price,trigger_price,trail_percent,expires_at,after_market\n"
        f"{order},,,,2,,2099-12-31T21:00:00Z,\n{order},SL-M,,900,,,2099-12-31T21:00:00Z,\n"
        f"{order},sl,901,900,,,,yes\n{order},,,,,10,,no\n",
        encoding="utf-8",
    )
    desk.run("order", "basket", file)
    found = desk.items("order", "list", "--account", account)
    kinds = {(one["kind"], one["time_in_force"]) for one in found}
    assert kinds == {("MARKET", "GTD"), ("STOP", "GTD"), ("STOP_LIMIT", "DAY"), ("TRAILING_STOP", "DAY")}
    assert [one["kind"] for one in found if one["not_before"]] == ["STOP_LIMIT"]
    file = tmp_path / "orders.json"
    trail = {"multiple": 3, "period": 20}
    rows: list[dict[str, object]] = [
        {"trail_atr": trail, "trail_limit_offset": 1},
        {"trail_atr": "2atr"},
        {"trigger_price": 2},
    ]
    same: dict[str, object] = {
        "account": account,
        "symbol": "MSFT",
        "side": "buy",
        "quantity": 1,
        "time_in_force": "gtc",
    }
    file.write_text(json.dumps([same | row for row in rows]), encoding="utf-8")
    desk.run("order", "basket", file)
    kinds = {(one["kind"], one["time_in_force"]) for one in desk.items("order", "list", "--account", account)} - kinds
    assert kinds == {("TRAILING_STOP_LIMIT", "GTC"), ("TRAILING_STOP", "GTC"), ("MARKET", "GTC")}
    desk.run("order", "cancel", "--all", "--account", account)


def test_a_basket_names_all_that_an_order_has() -> None:
    assert {*COLUMNS} - {"account"} == {*NewOrder.__struct_fields__} - {"account_id"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "account,symbol,side,quantity,kind\nA,MSFT,buy,1,MOON\n", "order 1: 'MOON' is not one of"),
        ("a.csv", "account,symbol,side,quantity,after_market\nA,MSFT,buy,1,later\n", "is neither true nor false"),
        ("a.csv", "account,symbol,side,quantity,reduce_only\nA,MSFT,buy,1,2\n", "reduce_only: '2' is neither true nor"),
        ("a.csv", "account,symbol,side,quantity,trail_atr\nA,MSFT,buy,1,2%\n", "is not such as 3atr:14:1d"),
        ("a.csv", "symbol,side\nMSFT,buy\n", "order 1: needs account, quantity"),
        ("a.csv", "account,symbol,side,quantity,price\nA,MSFT,buy,1,5\n", "price: is not one of account"),
        ("a.csv", "", "holds no orders"),
        ("a.json", "{", "is not JSON"),
        ("a.json", "[1]", "is neither a list of orders"),
        ("a.csv", "account,symbol,side,quantity\nNobody,MSFT,buy,1\n", "there is no account 'Nobody'"),
        ("a.csv", "account,symbol,side,quantity\nFamily,NONE,buy,1\n", "orders.0.symbol"),
    ],
)
def test_a_file_that_is_no_basket_says_what_is_wrong(
    desk: Desk, tmp_path: Path, name: str, text: str, said: str
) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    assert said in desk.refused("order", "basket", file)
    assert "No such file" in desk.refused("order", "basket", tmp_path / "none.csv")


def test_orders_are_changed(desk: Desk, account: str) -> None:
    first, second = resting(desk, account), resting(desk, account)
    said = desk.run("order", "modify", first, "--quantity", "3", "--limit", "5.50").stdout
    assert said.endswith(f"{first}  asked for quantity 3, limit 5.50\n")
    until(lambda: desk.ask("order", "show", first)["limit_price"] == "5.50")
    desk.run("order", "modify", first, "--double")
    until(lambda: desk.ask("order", "show", first)["quantity"] == "6")
    assert len(desk.items("order", "modify", first, second, "--ticks", "1")) == 2
    until(lambda: desk.ask("order", "show", second)["limit_price"] == "5.01")
    changed = desk.items("order", "modify", "--all", "--account", account, "--percent", "-10")
    assert {one["id"] for one in changed} == {first, second}
    until(lambda: desk.ask("order", "show", second)["limit_price"] == "4.51")
    assert "1 of 2 orders cannot be changed: nothing" in desk.refused(
        "order", "modify", first, "nothing", "--ticks", "1"
    )
    assert "\n  says nothing to change" in desk.refused("order", "modify", first)
    assert "--quantity" in desk.refused("order", "modify", first, "--quantity", "0")
    assert "there is no order 'nothing'" in desk.refused("order", "modify", "nothing", "--ticks", "1")
    desk.run("order", "modify", first, "--market")
    until(lambda: held(desk, account) == ["6"])
    assert desk.ask("order", "show", first)["state"] == "CANCELLED"
    desk.run("order", "cancel", second)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("order", "modify", "--ticks", "1"), "name orders, or --all of them"),
        (("order", "modify", "x", "--all", "--ticks", "1"), "name orders, or --all of them"),
        (("order", "modify", "x", "--symbol", "MSFT"), "goes with --all"),
        (("order", "modify", "x", "--double", "--halve"), "give one of them"),
        (("order", "cancel", "x", "--side", "buy"), "goes with --all"),
        (("position", "flatten", "--yes"), "say what to close"),
        (("position", "flatten", "--all", "--symbol", "MSFT", "--yes"), "say what to close"),
    ],
)
def test_what_contradicts_itself_is_wrong_usage(arguments: tuple[str, ...], said: str) -> None:
    assert said in invoke(*arguments, code=2).stderr


def test_positions_are_brought_where_they_are_wanted(desk: Desk, account: str) -> None:
    desk.run("position", "target", account, "MSFT", "6")
    until(lambda: held(desk, account) == ["6"])
    assert desk.run("position", "target", account, "msft", "6").stdout == "Nothing to do.\n"
    assert "--limt" in desk.refused("position", "target", account, "IBM", "5", "--limt", "3", code=2)
    desk.run("position", "close", account, "MSFT", "--share", "50%")
    until(lambda: held(desk, account) == ["3"])
    desk.run("position", "reverse", account, "MSFT")
    until(lambda: held(desk, account) == ["-3"])
    assert desk.run("position", "target", account, "MSFT", "-3").stdout == "Nothing to do.\n"
    rows = desk.ask("position", "pnl", "--account", account, "--cost", "fifo")
    shown = desk.ask("account", "show", account)
    assert float(rows["totals"][0]["total"]) == pytest.approx(float(shown["equity"]) - 50_000, abs=500)
    assert "realised" in desk.run("position", "pnl", "--by", "strategy", "--account", account).stdout
    desk.run("position", "close", account, "MSFT", "--quantity", "1", "--book", "manual")
    until(lambda: held(desk, account) == ["-2"])
    entry = resting(desk, account)
    said = desk.run("position", "flatten", "--account", account, "--yes").stdout
    assert "1 working orders are being cancelled" in said
    until(lambda: held(desk, account) == [])
    assert desk.ask("order", "show", entry)["state"] == "CANCELLED"
    assert desk.run("position", "close", account, "MSFT").stdout == "Nothing to do.\n"
    assert "nothing to reverse" in desk.refused("position", "reverse", account, "MSFT")
    assert "--share" in desk.refused("position", "close", account, "MSFT", "--share", "150%")
    assert "--by" in desk.refused("position", "pnl", "--by", "month")


def test_composites_that_are_stopped_are_told(desk: Desk, account: str) -> None:
    iceberg = ("order", "iceberg", account, "buy", "10", "MSFT", "--limit", "1", "--displayed", "5", "--tif", "GTC")
    one = desk.ask(*iceberg)["id"]
    said = desk.run("position", "flatten", "--account", account, "--yes").stdout
    assert f"1 composite orders are stopped: {one}" in said
    until(lambda: desk.ask("composite", "show", one)["state"] == "CANCELLED")
    other = desk.ask(*iceberg)["id"]
    assert desk.ask("order", "cancel", "--all", "--account", account)["stopped"] == [other]


def test_a_template_is_saved_used_and_forgotten(desk: Desk, account: str) -> None:
    name = f"t-{account.lower()}"
    saved = desk.run(
        "order", "template", "save", name, "--size", "risk:1%", "--stop-loss", "4%", "--take-profit", "80t",
        "--side", "buy", "--description", "Swing",
    )  # fmt: skip
    assert "BUY risk-per-trade 0.01 any symbol MARKET stop loss 4% take profit 80t" in saved.stdout
    assert name in desk.run("order", "template", "list").stdout
    assert desk.ask("order", "template", "show", name)["stop_loss"]["percent"] == "4"
    dry = desk.ask("order", "template", "use", name, account, "--symbol", "MSFT", "--dry-run")
    assert dry["order"] is None
    assert dry["stop_loss"] < dry["last_price"]
    desk.run("order", "template", "save", name, "--size", "2", "--limit=-50%", "--symbol", "MSFT", "--side", "buy")
    placed = desk.ask("order", "template", "use", name, account, "--client-order-id", f"{account}-t")
    assert placed["order"]["kind"] == "LIMIT"
    again = desk.run("order", "template", "use", name, account, "--client-order-id", f"{account}-t").stdout
    assert placed["order"]["id"] in again
    assert "--symbol" in desk.refused("order", "template", "use", name, account, "--symbol", "NONE")
    assert "--limit" in desk.refused("order", "template", "save", name, "--size", "2", "--limit", "5")
    assert desk.run("order", "template", "remove", name).stdout == f"Forgot {name}.\n"
    assert "no order template" in desk.refused("order", "template", "show", name)
    desk.run("order", "cancel", "--all", "--account", account)
