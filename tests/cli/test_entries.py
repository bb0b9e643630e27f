"""Limits to enter by and exits to guard with, given to a strategy at the command line, against a running demo."""

from tests.cli.desk import Desk


def test_a_strategy_is_deployed_with_an_entry_and_exits_and_its_entry_is_changed(desk: Desk) -> None:
    made = desk.ask(
        "strategy", "deploy", "Guarded", "--template", "sma-crossover", "--symbol", "IBM", "--account", "Family=0.01",
        "--entry", "0.2%", "--stop-loss", "5%", "--take-profit", "1.5", "--disabled",
    )  # fmt: skip
    assert made["entry"] == {"offset": 0.002}
    assert made["protection"] == {"stop_loss": 0.05, "take_profit": 1.5, "trailing_stop": None}
    changed = desk.ask("strategy", "change", "Guarded", "--entry", "1%")
    assert (changed["entry"], changed["protection"]) == ({"offset": 0.01}, made["protection"])
    assert desk.ask("strategy", "change", "Guarded", "--entry", "none")["entry"] is None
    assert "--entry" in desk.refused("strategy", "change", "Guarded", "--entry", "100%")
    assert "give something to change" in desk.refused("strategy", "change", "Guarded")
    desk.run("strategy", "remove", "Guarded")
