"""`evenkeel portfolio rebalance` and `rebalances` against a running demo."""

from decimal import Decimal

from evenkeel.cli.client import Client
from tests.cli.desk import Desk


def test_a_preview_and_what_it_becomes(desk: Desk) -> None:
    desk.run("account", "open", "Even", "--cash", "20000")
    desk.run("portfolio", "create", "Even", "--account", "Even", "--cash", "10000")
    all_of_it = desk.ask("portfolio", "rebalance", "Even", "--weight", "AAPL=1", "--preview")
    assert "max-position-share" in all_of_it["refusals"][0]["reason"]
    assert "would be refused by" in desk.run("portfolio", "rebalance", "Even", "--weight", "AAPL=1", "--preview").stdout
    desk.run("account", "limits", "Even", "--max-position-share", "off")
    weights = ("--weight", "AAPL=30%", "--weight", "IBM=0.3")
    shown = desk.run("portfolio", "rebalance", "Even", *weights, "--preview").stdout
    assert "Nothing has been traded." in shown
    plan = desk.ask("portfolio", "rebalance", "Even", *weights, "--buffer", "10%", "--preview")
    (part,) = plan["accounts"]
    assert {trade["symbol"] for trade in part["trades"]} == {"AAPL", "IBM"}
    assert Decimal(part["cash_after"]) >= 1000
    assert "has not been rebalanced yet" in desk.run("portfolio", "rebalances", "Even").stdout
    sent = desk.ask("portfolio", "rebalance", "Even", *weights, "--id", "october", "--wait", "20")
    assert sent["state"] in ("DONE", "RUNNING"), sent["reasons"]
    assert desk.ask("portfolio", "rebalance", "Even", *weights, "--id", "october")["id"] == sent["id"]
    client = Client(desk.home)
    (even,) = [one for one in client.get("/portfolio")["items"] if one["name"] == "Even"]
    targets = [{"symbol": name, "weight": 0.30} for name in ("IBM", "AAPL")]
    body = {"targets": targets, "client_rebalance_id": "october"}
    assert client.call("POST", f"/portfolio/{even['id']}/rebalance", body)["id"] == sent["id"], "by whichever door"
    (row,) = desk.items("portfolio", "rebalances", "Even")
    assert (row["client_rebalance_id"], len(row["orders"])) == ("october", 2)
    assert "october" in desk.run("portfolio", "rebalances", "Even").stdout
    again = desk.run("portfolio", "rebalance", "Even", *weights, "--id", "october")
    assert "Rebalance october" in again.stdout


def test_an_objective_over_the_desks_own_bars(desk: Desk) -> None:
    desk.run("account", "open", "Wise", "--cash", "20000")
    desk.run("portfolio", "create", "Wise", "--account", "Wise", "--cash", "10000")
    options = ("--objective", "min-variance", "--symbol", "AAPL", "--symbol", "IBM", "--constraint", "AAPL <= 0.4")
    plan = desk.ask("portfolio", "rebalance", "Wise", *options, "--days", "250", "--preview")
    targets = {one["symbol"]: Decimal(one["target"]) for one in plan["weights"]}
    assert targets["AAPL"] <= Decimal("0.4")
    assert abs(sum(targets.values(), Decimal(0)) - 1) < Decimal("0.00001")
    assert plan["volatility_after"] is not None
    pair = ("portfolio", "rebalance", "Wise", "--symbol", "AAPL", "--symbol", "IBM", "--preview")
    aimed = desk.ask(*pair, "--objective", "target-risk", "--param", "target=0.4", "--bounds", "0.1:0.9")
    assert all(Decimal(one["target"]) >= Decimal("0.09") for one in aimed["weights"])
    bold = desk.ask(*pair, "--risk-tolerance", "1", "--covariance", "ledoit-wolf", "--mean", "ewma")
    assert max(Decimal(one["target"]) for one in bold["weights"]) > Decimal("0.99")
    tracks = desk.ask(*pair, "--objective", "tracking-error", "--benchmark", "AAPL=60%", "--benchmark", "IBM=0.4")
    assert {one["symbol"]: round(Decimal(one["target"]), 3) for one in tracks["weights"]} == {
        "AAPL": Decimal("0.6"), "IBM": Decimal("0.4"),
    }  # fmt: skip
    own = desk.ask("portfolio", "rebalance", "Wise", "--symbol", "AAPL", "--symbol", "IBM", "--preview")
    assert {one["symbol"] for one in own["weights"]} == {"AAPL", "IBM"}, "by its own tolerance of risk"


def test_what_is_wrong_is_said(desk: Desk) -> None:
    desk.run("account", "open", "Odd", "--cash", "2000")
    desk.run("portfolio", "create", "Odd", "--account", "Odd", "--cash", "100")
    assert "SYMBOL=SHARE" in desk.refused("portfolio", "rebalance", "Odd", "--weight", "AAPL", code=2)
    assert "--symbol" in desk.refused("portfolio", "rebalance", "Odd", "--objective", "hrp", "--preview")
    assert "--weight" in desk.refused("portfolio", "rebalance", "Odd", "--preview")
    wish = ("portfolio", "rebalance", "Odd", "--symbol", "AAPL", "--preview", "--objective")
    assert "--param target: target-return needs it" in desk.refused(*wish, "target-return")
    assert "--param: expected a finite number" in desk.refused(*wish, "target-return", "--param", "target=abc")
    assert "--benchmark: tracking-error needs it" in desk.refused(*wish, "tracking-error")
    assert "in conflict are: AAPL >= 2" in desk.refused(*wish, "hrp", "--constraint", "AAPL >= 2")
    assert "leave --objective out" in desk.refused(*wish, "hrp", "--risk-tolerance", "0.5")
    assert "--risk-free" in desk.refused(*wish, "hrp", "--risk-free", "nan", code=2)
    assert "--bounds: a portfolio that is traded" in desk.refused(*wish, "hrp", "--bounds", "0:inf")
    by_hand = ("portfolio", "rebalance", "Odd", "--weight", "AAPL=0.7", "--preview")
    assert "leave --weight out" in desk.refused(*by_hand, "--days", "100", code=2)
    assert "goes with --execution" in desk.refused(*by_hand, "--duration", "60", code=2)
    assert "'AAPL=x'" in desk.refused("portfolio", "rebalance", "Odd", "--weight", "AAPL=x", code=2)
    assert "--wash-days: is where --preview" in desk.refused(*by_hand[:-1], "--wash-days", "5")
    for option in (("--id", "x"), ("--retry",), ("--wait", "1")):
        assert f"{option[0]}: is of a rebalance that trades" in desk.refused(*by_hand, *option)
    assert "--retry: goes on with a rebalance that is named" in desk.refused(*by_hand[:-1], "--retry")
    assert "--wait: expected seconds" in desk.refused(*by_hand[:-1], "--wait", "-1")
    assert "goes with --execution" in desk.refused(*by_hand, "--execution", "basket", "--slices", "4", code=2)
    desk.refused("portfolio", "rebalances", "Odd", "--limit", "501", code=2)
    assert "more than 1" in desk.refused("portfolio", "rebalance", "Odd", "--weight", "AAPL=0.7", "--weight", "IBM=0.7")
