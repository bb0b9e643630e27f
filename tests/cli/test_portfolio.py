"""`evenkeel portfolio` and `evenkeel watchlist` against a running demo."""

from decimal import Decimal

from tests.cli.desk import Desk


def test_a_portfolio_from_its_making_to_its_end(desk: Desk) -> None:
    assert "No portfolios yet" in desk.run("portfolio", "list").stdout
    made = desk.ask("portfolio", "create", "Growth", "--account", "Starter", "--cash", "100", "--max-position", "0.5",
                    "--strategy", "what rises")  # fmt: skip
    assert (made["name"], made["value"], made["max_position"]) == ("Growth", "100", "0.5")
    assert "Growth" in desk.run("portfolio", "list", "--account", "Starter").stdout
    changed = desk.ask("portfolio", "change", "Growth", "--name", "Income", "--max-position", "off")
    assert (changed["name"], changed["max_position"]) == ("Income", None)
    desk.run("portfolio", "create", "Other", "--account", "Starter")
    desk.run("portfolio", "transfer", "40.50", "--from", "Income", "--to", "Other", "--note", "a part")
    assert Decimal(desk.ask("portfolio", "show", "Other")["value"]) == Decimal("40.50")
    desk.run("portfolio", "record", "Other", "dividend", "1.25")
    rows = desk.items("portfolio", "transactions", "Other")
    assert [(row["type"], row["amount"]) for row in rows] == [("dividend", "1.25"), ("transfer", "40.50")]
    assert "a part" in desk.run("portfolio", "transactions", "Other").stdout
    assert desk.items("portfolio", "transactions", "--account", "Starter", "--type", "transfer")
    desk.run("portfolio", "transfer", "41.75", "--from", "Other", "--to", "manual")
    assert "Other is archived." in desk.run("portfolio", "archive", "Other").stdout
    assert "Other is in use again." in desk.run("portfolio", "archive", "Other", "--undo").stdout
    assert "Income still has" in desk.refused("portfolio", "archive", "Income")


def test_orders_and_strategies_belong_to_it(desk: Desk) -> None:
    desk.run("portfolio", "create", "Named", "--account", "Starter", "--cash", "200")
    placed = desk.run("order", "place", "Starter", "buy", "1", "IBM", "--limit", "1", "--book", "Named")
    assert "IBM" in placed.stdout
    found = desk.items("order", "list", "--account", "Starter", "--limit", "1000")
    assert desk.ask("portfolio", "show", "Named")["id"] in {one["book"] for one in found}
    limits = desk.ask("risk", "limits", "--scope", "portfolio:Named")["items"]
    assert [rule["rule"] for rule in limits[0]["rules"]] == ["max_gross_leverage"]
    account = desk.ask("portfolio", "show", "Named")["accounts"][0]
    strategy = next(
        one["name"]
        for one in desk.items("strategy", "list")
        if account in {part["account_id"] for part in one["accounts"]}
    )
    adopted = desk.ask("portfolio", "adopt", "Named", strategy)
    assert [book["strategy"] for book in adopted["books"]] == [None, strategy]
    assert desk.run("portfolio", "positions", "Named").exit_code == 0
    released = desk.ask("portfolio", "adopt", "Named", strategy, "--release")
    assert len(released["books"]) == 1
    for name in ("performance", "trades"):
        assert desk.run("portfolio", name, "Named").exit_code == 0
    assert "days in common" in desk.run("portfolio", "correlations").stdout


def test_what_is_wrong_is_said(desk: Desk) -> None:
    assert "there is no portfolio 'None'" in desk.refused("portfolio", "show", "None")
    assert "--cash" in desk.refused("portfolio", "create", "X", "--account", "Starter", "--cash", "1e12")
    assert "say in which account" in desk.refused(
        "portfolio", "transfer", "1", "--from", "manual", "--to", "manual", code=2
    )
    assert "there is no strategy or portfolio" in desk.refused(
        "order", "place", "Starter", "buy", "1", "IBM", "--book", "Nothing"
    )


def test_a_watchlist_from_its_making_to_its_end(desk: Desk) -> None:
    assert "No watchlists yet" in desk.run("watchlist", "list").stdout
    desk.run("watchlist", "create", "Mine", "IBM")
    symbols = [one["symbol"] for one in desk.items("market", "symbols") if one["symbol"] != "IBM"]
    desk.run("watchlist", "add", "Mine", symbols[0], "--note", "cheap")
    moved = desk.ask("watchlist", "move", "Mine", symbols[0], "1")
    assert [one["symbol"] for one in moved["entries"]] == [symbols[0], "IBM"]
    noted = desk.ask("watchlist", "note", "Mine", "ibm", "dear")
    assert [one["note"] for one in noted["entries"]] == ["cheap", "dear"]
    assert "dear" in desk.run("watchlist", "show", "Mine").stdout
    desk.run("watchlist", "rename", "Mine", "Tech")
    assert [one["symbol"] for one in desk.ask("watchlist", "remove", "Tech", "IBM")["entries"]] == [symbols[0]]
    assert "Tech does not have IBM" in desk.refused("watchlist", "remove", "Tech", "IBM")
    assert "Tech is forgotten." in desk.run("watchlist", "remove", "Tech").stdout
