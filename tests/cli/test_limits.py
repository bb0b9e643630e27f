"""`evenkeel risk limits`, `check` and `lift` against a running demo: seen, set, asked, and faults told as typed."""

from tests.cli.desk import Desk


def test_limits_are_set_seen_and_turned_off(desk: Desk) -> None:
    desk.run("risk", "limits", "--scope", "instrument:IBM", "--set", "max_position=500", "--set", "max-losses=3",
             "--set", "loss_pause=60")  # fmt: skip
    (layer,) = desk.ask("risk", "limits", "--scope", "instrument:IBM")["items"]
    assert {one["rule"]: one["limit"] for one in layer["rules"]} == {
        "max_position": "500", "max_losses": "3", "loss_pause": "60",
    }  # fmt: skip
    text = desk.run("risk", "limits").stdout
    for said in ("instrument IBM", "account Starter", "max_position_share", "left"):
        assert said in text
    off = ["--off", "max_position", "--off", "max_losses", "--off", "loss_pause"]
    assert "No limits." in desk.run("risk", "limits", "--scope", "instrument:IBM", *off).stdout


def test_a_share_may_be_written_in_per_cent(desk: Desk) -> None:
    (layer,) = desk.ask("risk", "limits", "--scope", "user", "--set", "price_collar=7.5%")["items"]
    assert {one["rule"]: one["limit"] for one in layer["rules"]} == {"price_collar": "0.075"}
    desk.run("risk", "limits", "--scope", "user", "--off", "price_collar")
    assert desk.ask("account", "limits", "Starter", "--daily-loss", "2%")["daily_loss"] == "0.02"


def test_hours_are_typed_as_they_are_read(desk: Desk) -> None:
    hours = "windows=09:45-15:45 America/New_York 1-5;18:00-20:00 UTC"
    text = desk.run("risk", "limits", "--scope", "user", "--set", hours, "--set", "exchange_hours=yes").stdout
    assert "09:45–15:45 America/New_York; 18:00–20:00 UTC" in text
    desk.run("risk", "limits", "--scope", "user", "--off", "windows", "--off", "exchange_hours")


def test_asking_whether_an_order_would_pass(desk: Desk) -> None:
    found = desk.ask("risk", "check", "Starter", "buy", "1", "IBM", "--limit", "1")
    assert found["passes"] is True
    assert {"cash", "max-position-share"} <= {one["rule"] for one in found["checks"]}
    refused = desk.refused("risk", "check", "Starter", "sell", "1000", "IBM", "--book", "manual")
    assert "it would be refused by short-selling" in refused
    kept = desk.items("order", "list", "--account", "Starter", "--limit", "1000")
    assert not [order for order in kept if order["book"] == "manual"], "asking places nothing"


def test_what_is_wrong_is_said(desk: Desk) -> None:
    of_user = ("risk", "limits", "--scope", "user", "--set")
    assert "there is no rule 'nonsense'" in desk.refused(*of_user, "nonsense=1", code=2)
    assert "is not NAME=VALUE" in desk.refused(*of_user, "max_position", code=2)
    assert "is not a whole number" in desk.refused(*of_user, "max_open_orders=1.5", code=2)
    assert "START-END ZONE" in desk.refused(*of_user, "windows=nine to five", code=2)
    assert "--set drawdown_halt: a fraction above 0 and below 1" in desk.refused(*of_user, "drawdown_halt=2")
    assert "--set daily_loss: a fraction of 0 to 1: 2 % is 0.02" in desk.refused(*of_user, "daily_loss=2")
    assert "--set daily_loss: 'two' is not a number" in desk.refused(*of_user, "daily_loss=two", code=2)
    assert "say whose limits" in desk.refused("risk", "limits", "--set", "max_position=1", code=2)
    assert "is none of instrument" in desk.refused("risk", "limits", "--scope", "moon", code=2)
    assert "there is no account 'Nobody'" in desk.refused("risk", "lift", "account:Nobody")
    assert "nothing has halted entries here" in desk.refused("risk", "lift", "account:Starter")
    assert "--scope" in desk.refused("risk", "limits", "--scope", "instrument:NONE", "--set", "max_position=1")
