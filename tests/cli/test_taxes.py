"""`evenkeel account tax`, `portfolio lots` and `gains` against a running demo; what a preview says of tax."""

import csv
from decimal import Decimal
from io import StringIO
from typing import Any

from evenkeel.cli.taxes import print_tax
from tests.cli.desk import Desk


def test_how_gains_are_taxed_is_said_and_shown(desk: Desk) -> None:
    desk.run("account", "open", "Taxed", "--cash", "20000")
    assert "Nothing is said" in desk.run("account", "tax", "Taxed").stdout
    options = ("--status", "taxable", "--short", "0.30", "--long", "0.15", "--method", "min-tax")
    assert "its beginning" in desk.run("account", "tax", "Taxed", *options).stdout
    later = desk.ask("account", "tax", "Taxed", "--method", "lifo")
    assert [one["method"] for one in later["settings"]] == ["min-tax", "lifo"]
    assert (later["now"]["short"], later["now"]["long"]) == ("0.30", "0.15"), "what is not given stays"
    assert "from its beginning: taxable" in desk.run("account", "tax", "Taxed").stdout
    free = desk.ask("account", "tax", "Taxed", "--status", "tax-free", "--from", "2000-01-01")
    assert (free["now"]["status"], free["now"]["short"]) == ("tax-free", "0")
    assert "--status" in desk.refused("account", "tax", "Taxed", "--short", "0.1")
    assert "--from" in desk.refused("account", "tax", "Taxed", "--from", "2999-01-01")
    assert "--forget" in desk.refused("account", "tax", "Taxed", "--forget", "--days", "3", code=2)
    assert "Nothing is said" in desk.run("account", "tax", "Taxed", "--forget").stdout
    assert "say them too" in desk.refused("account", "tax", "Taxed", "--from", "2001-01-01", code=2)
    first = desk.run("account", "tax", "Taxed", "--short", "0.3", "--from", "2001-01-01").stdout
    assert "Nothing is said of the time before 2001-01-01" in first


def test_lots_gains_and_the_preview(desk: Desk) -> None:
    for name in ("Here", "There"):
        desk.run("account", "open", name, "--cash", "20000")
        desk.run("account", "limits", name, "--max-position-share", "off")
    desk.run("account", "tax", "Here", "--short", "0.3", "--method", "min-tax")
    desk.run("account", "tax", "There", "--status", "tax-deferred")
    desk.run("portfolio", "create", "Both", "--account", "Here", "--account", "There", "--cash", "10000")
    desk.run("portfolio", "transfer", "10000", "--from", "There:manual", "--to", "There:Both")
    desk.run("portfolio", "rebalance", "Both", "--weight", "AAPL=0.6", "--id", "first", "--wait", "60")
    lots = desk.items("portfolio", "lots", "Both")
    assert [one["symbol"] for one in lots] == ["AAPL", "AAPL"]
    assert "Here" in desk.run("portfolio", "lots", "Both").stdout
    assert "leave one of the two out" in desk.refused("portfolio", "lots", "Both", "--csv", "--json")
    rows = list(csv.DictReader(StringIO(desk.run("portfolio", "lots", "Both", "--csv").stdout)))
    assert [row["quantity"] for row in rows] == [one["quantity"] for one in lots]

    weight = ("--weight", "AAPL=0.2", "--across")
    shown = desk.run("portfolio", "rebalance", "Both", *weight, "--yield", "AAPL=2%", "--preview").stdout
    assert "short-term gain" in shown
    assert "All accounts together" in shown
    desk.run("portfolio", "rebalance", "Both", *weight, "--id", "second", "--wait", "60")
    report = desk.ask("portfolio", "gains", "Both")
    (whole,) = report["totals"]
    assert sum(Decimal(one["gain"]) for one in report["items"]) == Decimal(whole["gain"]) == Decimal(whole["short"])
    of = ("--year", report["year"])  # the demo's goes by
    told = desk.run("portfolio", "gains", "Both", *of).stdout
    assert "no" in told
    assert "tax advice" in told
    rows = list(csv.DictReader(StringIO(desk.run("portfolio", "gains", "Both", *of, "--csv").stdout)))
    assert [row["gain"] for row in rows] == [one["gain"] for one in report["items"]]
    assert "Nothing was sold in 1999" in desk.run("portfolio", "gains", "Both", "--year", "1999").stdout
    assert desk.run("portfolio", "lots", "--symbol", "AAPL", "--account", "There", "--method", "lifo").stdout
    assert "goes with across" in desk.refused(
        "portfolio", "rebalance", "Both", "--weight", "AAPL=1", "--yield", "AAPL=1"
    )


def test_a_wash_sale_is_a_warning() -> None:
    """Which the demo's prices may not make."""
    from contextlib import redirect_stdout

    bought = [{"quantity": "3", "account_id": "b", "planned": True, "date": "2024-01-09"}]
    wash: dict[str, Any] = {"symbol": "AAPL", "loss": "10", "account_id": "a", "date": "2024-01-02", "at_risk": "5"}
    wash["lots"] = [{}, {}]
    tax = {"trades": [], "untold": ["a"], "wash_days": 30, "wash_sales": [wash | {"purchases": bought}]}
    with redirect_stdout(StringIO()) as told:
        print_tax({"a": "Main", "b": "Pension"}, tax, currency="USD")
    assert "No tax is worked out of Main" in told.getvalue()
    assert (
        "a loss of 10 USD over 2 lots in Main on 2024-01-02, and within 30 days bought 3 in Pension by this"
        in told.getvalue()
    )
    assert "A warning, no tax advice." in told.getvalue()
