"""`evenkeel webhook` against a running demo: made, told what to paste, sent to, looked into, changed and forgotten."""

import json

import httpx

from tests.cli.desk import Desk


def test_a_webhook_is_made_sent_to_rotated_and_forgotten(desk: Desk) -> None:
    made = desk.ask("webhook", "add", "Crossing", "Starter", "--allow", "AAPL", "--symbol", "NASDAQ:AAPL=AAPL")
    assert made["webhook"]["symbols"] == {"NASDAQ:AAPL": "AAPL"}
    text = json.loads(desk.run("webhook", "payload", "Crossing", "--action", "buy").stdout)
    assert text["account_id"] == made["webhook"]["account_id"]
    body = text | {"symbol": "NASDAQ:AAPL", "timestamp": None}
    with httpx.Client(base_url=f"http://127.0.0.1:{desk.port}") as http:
        answer = http.post(made["path"], json=body)
        assert answer.status_code == 200, answer.text
        assert http.post(made["path"], json=body).content == answer.content
        assert http.post(made["path"], json=body | {"symbol": "IBM"}).status_code == 422
        new = desk.ask("webhook", "rotate", "Crossing")
        assert http.post(made["path"], json=body).status_code == 404
        assert http.post(new["path"], json=body).content == answer.content
    rows = desk.items("webhook", "deliveries", "Crossing")
    assert [one["decision"] for one in rows] == ["repeated", "declined", "repeated", answer.json()["decision"]]
    assert [one["id"] for one in desk.items("webhook", "deliveries", "Crossing", "--decision", "declined")] == [
        rows[1]["id"]
    ]
    shown = desk.run("webhook", "deliveries", "Crossing").stdout
    assert "symbol: 'IBM' is none of the symbols" in shown
    listed = desk.run("webhook", "list").stdout + desk.run("webhook", "show", "Crossing").stdout
    assert "Starter" in listed
    assert new["token"] not in listed + shown
    assert desk.ask("webhook", "remove", "Crossing") == {"removed": made["webhook"]["id"]}
    assert "There is no webhook" in desk.run("webhook", "list").stdout


def test_what_may_be_said_again_is_replaced_and_emptied(desk: Desk) -> None:
    desk.ask("webhook", "add", "Edited", "Starter", "--allow", "AAPL", "--quantity", "5", "--from", "tradingview")
    found = desk.ask("webhook", "edit", "Edited", "--allow", "", "--quantity", "none", "--any-order", "--off")
    assert (found["allowed"], found["quantity"], found["in_order"], found["enabled"]) == ([], None, False, False)
    assert len(found["networks"]) == 4
    found = desk.ask("webhook", "edit", "Edited", "--name", "Renamed", "--from", "", "--symbol", "X=IBM", "--on")
    assert (found["name"], found["networks"], found["symbols"]) == ("Renamed", [], {"X": "IBM"})
    assert "is forgotten" in desk.run("webhook", "remove", "Renamed").stdout


def test_what_is_wrong_is_said_in_the_options_own_names(desk: Desk) -> None:
    assert "--from" in desk.refused("webhook", "add", "x", "Starter", "--from", "nowhere")
    assert "--symbol" in desk.refused("webhook", "add", "x", "Starter", "--symbol", "AAPL")
    assert "--allow" in desk.refused("webhook", "add", "x", "Starter", "--allow", "NONE")
    assert "--window" in desk.refused("webhook", "add", "x", "Starter", "--window", "1")
    assert "there is no webhook 'x'" in desk.refused("webhook", "show", "x")
