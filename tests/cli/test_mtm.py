"""`evenkeel mtm`: rules are set, shown and taken away; what is wrong with them is said in its options' words."""

from tests.cli.desk import Desk


def test_rules_are_set_shown_and_taken_away(desk: Desk) -> None:
    """The demo's desk; every amount is one that its prices do not reach."""
    options = ("--stop-loss", "90%", "--lock-in", "800000:700000", "--trail", "500000", "--trail-from", "600000")
    times = ("--no-entries-after", "15:00", "--end-of-day", "15", "--product", "NRML", "--carry", "winners")
    told = desk.ask("mtm", "set", "--account", "Family", *options, *times, "--not-over", "fri", "--cooldown", "5")
    assert (told["name"], told["state"]) == ("account Family", "armed")
    rules = told["rules"]
    assert (rules["stop_loss"], rules["cooldown"], rules["not_over"]) == ("90%", 5, [5])
    assert rules["lock_in"] == [{"reached": "800000", "floor": "700000"}]
    assert rules["trail"] == {"distance": "500000", "activates_at": "600000"}
    assert (rules["products"], rules["carry"], rules["end_of_day"]) == (["NRML"], "winners", 15)
    narrow = desk.run("mtm", "set", "--account", "Family", "--symbol", "AAPL", "--target", "900000", "--basis", "entry")
    assert narrow.stdout.startswith("AAPL in account Family: armed")
    assert "target at 900000" in narrow.stdout
    assert {one["name"] for one in desk.items("mtm", "show")} >= {"account Family", "AAPL in account Family"}
    shown = desk.run("mtm", "show").stdout
    assert "stop-loss at -" in shown
    assert (
        "  trail 500000 below the best, from 600000 on\n  lock-in at 700000, from 800000 on\n  then: it is c" in shown
    )
    assert "no rule has stopped" in desk.refused("mtm", "re-arm", "--account", "Family")
    for level in (("--account", "Family"), ("--account", "Family", "--symbol", "AAPL")):
        assert desk.run("mtm", "clear", *level).stdout == "The level has no rules.\n"


def test_what_is_wrong_is_said_with_its_option(desk: Desk) -> None:
    assert "--stop-loss" in desk.refused("mtm", "set", "--account", "Family", "--stop-loss", "0.001")
    said = desk.refused("mtm", "set", "--account", "Family", "--stop-loss=-5", "--square-off-at", "25:00")
    assert "--stop-loss: must be an amount such as 500" in said
    assert "regex" not in said
    late = desk.refused("mtm", "set", "--account", "Family", "--square-off-at", "25:00")
    assert "--square-off-at: must be a time of the exchange such as 15:15" in late
    steps = ("--lock-in", "100:50", "--lock-in", "200:300")
    assert "--lock-in: less than what was reached" in desk.refused("mtm", "set", "--account", "Family", *steps)
    assert "--trail" in desk.refused("mtm", "set", "--account", "Family", "--trail", "x")
    assert "no account 'Nobody'" in desk.refused("mtm", "set", "--account", "Nobody", "--stop-loss", "5")
    assert "--trail-from" in desk.refused("mtm", "set", "--user", "--trail-from", "5", code=2)
    assert "REACHED:FLOOR" in desk.refused("mtm", "set", "--user", "--lock-in", "5", code=2)
    assert "at least one rule" in desk.refused("mtm", "set", "--user", "--carry", "all", code=2)
    assert "none of mon" in desk.refused("mtm", "set", "--user", "--not-over", "someday", code=2)
    assert "--account" in desk.refused("mtm", "clear", code=2)
