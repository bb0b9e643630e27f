"""`evenkeel portfolio schedule` against a running demo."""

from tests.cli.desk import Desk

WEIGHTS = ("--weight", "AAPL=30%", "--weight", "IBM=0.3")
SCHEDULE = ("portfolio", "schedule")


def test_set_seen_approved_and_cleared(desk: Desk) -> None:
    desk.run("account", "open", "Timed", "--cash", "20000")
    desk.run("account", "limits", "Timed", "--max-position-share", "off")
    desk.run("portfolio", "create", "Timed", "--account", "Timed", "--cash", "10000")
    assert "has no schedule" in desk.refused(*SCHEDULE, "show", "Timed")
    assert "not been due yet" in desk.run(*SCHEDULE, "runs", "Timed").stdout
    found = desk.ask(*SCHEDULE, "set", "Timed", "--every", "monthly", "--last", *WEIGHTS, "--band", "5%")
    assert (found["cadence"], found["mode"], found["band"], found["last"]) == ("monthly", "propose", "0.05", True)
    shown = desk.run(*SCHEDULE, "show", "Timed").stdout
    assert "AAPL 0.3, IBM 0.3" in shown
    wish = ("--symbol", "AAPL", "--symbol", "IBM", "--execution", "twap", "--duration", "3600", "--slices", "6")
    changed = desk.run(*SCHEDULE, "set", "Timed", "--every", "band", "--relative-band", "0.1", *wish).stdout
    assert "risk tolerance of the portfolio" in changed
    assert "twap" in changed
    assert "nothing of this portfolio waits" in desk.refused(*SCHEDULE, "approve", "Timed", code=2)
    assert "there is no run 'nosuch'" in desk.refused(*SCHEDULE, "approve", "Timed", "nosuch")
    assert desk.ask(*SCHEDULE, "clear", "Timed") == {"cleared": True}
    assert "has no schedule" in desk.refused(*SCHEDULE, "show", "Timed")


def test_the_options_at_fault_are_named(desk: Desk) -> None:
    desk.run("account", "open", "Wrong", "--cash", "2000")
    desk.run("portfolio", "create", "Wrong", "--account", "Wrong", "--cash", "100")
    assert "--band" in desk.refused(*SCHEDULE, "set", "Wrong", "--every", "band", *WEIGHTS)
    assert "--weight" in desk.refused(*SCHEDULE, "set", "Wrong", "--every", "daily")
    daily = (*SCHEDULE, "set", "Wrong", "--every", "daily")
    both = desk.refused(*daily, *WEIGHTS, "--before-close", "5", "--after-open", "5")
    assert "--before-close: goes in the place of" in both
    assert "--check-every" in desk.refused(*daily, *WEIGHTS, "--check-every", "5")
    assert "--expires" in desk.refused(*daily, *WEIGHTS, "--expires", "5", "--mode", "trade")
    assert "--last" in desk.refused(*SCHEDULE, "set", "Wrong", "--every", "band", "--band", "5%", "--last", *WEIGHTS)
    assert "leave --weight out" in desk.refused(*daily, *WEIGHTS, "--days", "100", code=2)
    wish = (*daily, "--symbol", "AAPL", "--objective")
    assert "AAPL >= 2" in desk.refused(*wish, "hrp", "--constraint", "AAPL >= 2")
    assert "--bounds" in desk.refused(*wish, "hrp", "--bounds", "0:0.5")
    assert "--param target" in desk.refused(*wish, "target-risk")
    late = desk.ask(*wish, "target-risk", "--param", "target=0.5", "--after-open", "400")
    assert (late["optimise"]["target"], late["next"][-4:]) == (0.5, ":00Z")
    said = desk.refused(*SCHEDULE, "set", "Wrong", "--every", "daily", *WEIGHTS, "--execution", "vwap")
    assert "--slices" in said
    assert "--duration" in said
