"""`evenkeel risk metrics` against a running demo: text, JSON, scopes, and faults told by the options as typed."""

from tests.cli.desk import Desk, until


def test_metrics_as_text_and_as_json(desk: Desk) -> None:
    until(lambda: desk.items("account", "positions", "Family"))
    text = desk.run("risk", "metrics", "--benchmark", "IBM").stdout
    for said in ("gross exposure", "effective positions", "beta to IBM", "historical", "monte-carlo"):
        assert said in text
    found = desk.ask("risk", "metrics", "--account", "Family", "--method", "normal", "--confidence", "0.975")
    assert (found["scope"], found["name"]) == ("account", "Family")
    (book,) = found["books"]
    (tail,) = book["tails"]
    assert (tail["method"], tail["confidence"], tail["horizon"]) == ("normal", 0.975, 1)
    assert abs(sum(float(part["var"]) for part in tail["parts"]) - float(tail["var"])) < 0.05


def test_a_strategy_and_the_platform(desk: Desk) -> None:
    assert desk.ask("risk", "metrics", "--strategy", "Trend")["scope"] == "strategy"
    whole = desk.ask("risk", "metrics", "--all")
    assert len(whole["books"][0]["accounts"]) == 3
    assert "platform" in desk.run("risk", "metrics", "--all").stdout


def test_what_is_wrong_is_said(desk: Desk) -> None:
    assert "--confidence: must be 1 to 4 shares" in desk.refused("risk", "metrics", "--confidence", "95")
    assert "--horizon" in desk.refused("risk", "metrics", "--horizon", "0")
    assert "--benchmark: there is no instrument 'NONE'" in desk.refused("risk", "metrics", "--benchmark", "NONE")
    assert "there is no account 'Nobody'" in desk.refused("risk", "metrics", "--account", "Nobody")
    assert "at most" in desk.refused("risk", "metrics", "--account", "Family", "--all", code=2)
