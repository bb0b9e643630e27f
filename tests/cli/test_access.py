"""`evenkeel apikey`, `share` and `audit` against a running demo, and the audit log of one that has stopped."""

import json
import re
import sqlite3
import stat
from pathlib import Path

import httpx

from tests.cli.desk import Desk, invoke


def test_a_key_is_made_used_rotated_and_revoked(desk: Desk) -> None:
    made = desk.ask("apikey", "create", "robot", "--scope", "trade", "--account", "Starter", "--days", "7")
    assert made["key"]["scope"] == "trade"
    with httpx.Client(base_url=f"http://127.0.0.1:{desk.port}/api/v2") as http:
        found = http.get("/accounts", headers={"X-API-Key": made["secret"]}).json()["items"]
        assert [one["name"] for one in found] == ["Starter"]
        new = desk.ask("apikey", "rotate", "robot")
        assert http.get("/accounts", headers={"X-API-Key": made["secret"]}).status_code == 401
        assert http.get("/accounts", headers={"X-API-Key": new["secret"]}).status_code == 200
        text = desk.run("apikey", "list").stdout
        assert new["key"]["prefix"] in text
        assert new["secret"] not in text
        assert desk.ask("apikey", "revoke", "robot")["state"] == "revoked"
        assert http.get("/accounts", headers={"X-API-Key": new["secret"]}).status_code == 401


def test_what_is_wrong_is_said_in_the_options_own_names(desk: Desk) -> None:
    assert "--scope" in desk.refused("apikey", "create", "x", "--scope", "self")
    assert "--from" in desk.refused("apikey", "create", "x", "--scope", "read", "--from", "nowhere")
    assert "there is no key 'nothing'" in desk.refused("apikey", "revoke", "nothing")
    assert "there is no user 'nobody'" in desk.refused("share", "add", "Starter", "nobody")
    assert "is not lent to 'nobody'" in desk.refused("share", "remove", "Starter", "nobody")
    assert "No account is shared. Lend one: evenkeel share add" in desk.run("share", "list").stdout


def test_the_log_is_listed_whole_and_exported(desk: Desk, tmp_path: Path) -> None:
    made = desk.ask("apikey", "create", "audited", "--scope", "read")
    rows = desk.items("audit", "list", "--action", "key.create")
    assert rows[-1]["subject"] == made["key"]["id"]
    assert (rows[-1]["door"], rows[-1]["outcome"]) == ("home", "201")
    assert rows[-1]["actor_name"] == "demo"
    assert rows == desk.items("audit", "list", "--action", "key.create", "--actor", "demo")
    assert rows == desk.items("audit", "list", "--action", "key.create", "--actor", rows[-1]["actor"])
    assert "No row of the audit log fits." in desk.run("audit", "list", "--actor", "nobody-here").stdout
    assert re.search(r"\d\d:\d\d:\d\dZ +demo ", desk.run("audit", "list", "--limit", "1").stdout)
    found = desk.ask("audit", "verify")
    assert found["faults"] == []
    assert desk.ask("audit", "verify", "--head", found["head"])["faults"] == []
    number = found["head"].partition(":")[0]
    assert "is not the one" in desk.refused("audit", "verify", "--head", f"{number}:{'0' * 64}")
    assert "NUMBER:HASH" in desk.refused("audit", "verify", "--head", "x")
    out = tmp_path / "audit.jsonl"
    desk.run("audit", "export", str(out))
    kept = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["seq"] for row in kept] == list(range(1, len(kept) + 1))
    assert made["secret"] not in out.read_text(encoding="utf-8")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "is there already" in desk.refused("audit", "export", str(out))
    again = desk.ask("audit", "export", str(tmp_path / "again.jsonl"))
    assert again["rows"] >= len(kept)


def test_a_log_that_was_cut_or_whose_end_is_gone_is_not_whole(desk: Desk, tmp_path: Path) -> None:
    """On a copy of the home, which nothing runs on."""
    desk.ask("apikey", "create", "last", "--scope", "read")
    copy = tmp_path / "stopped"
    copy.mkdir()
    with sqlite3.connect(desk.home / "evenkeel.db") as source, sqlite3.connect(copy / "evenkeel.db") as target:
        source.backup(target)
    (copy / "audit-head").write_bytes((desk.home / "audit-head").read_bytes())
    assert "is whole" in invoke("audit", "verify", "--home", copy).stdout
    with sqlite3.connect(copy / "evenkeel.db") as connection:
        connection.execute("DROP TRIGGER audit_log_no_delete")
        connection.execute("DELETE FROM audit_log WHERE seq = (SELECT max(seq) FROM audit_log)")
    assert "its end was cut off" in invoke("audit", "verify", "--home", copy, code=1).stderr
    (copy / "audit-head").unlink()
    assert "audit-head is missing" in invoke("audit", "verify", "--home", copy, code=1).stderr
