"""What may not pass in silence, by the front door: a cut audit log, lost keys, a reset, a replay. The desk goes on.

One home lives through all of it, stopped and started again in between.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest

from evenkeel.desk.signing import NONCE, SIGNATURE, TIMESTAMP, Asking, public_part, signature
from tests.cli.desk import PASSWORD, evenkeel, until
from tests.cli.test_vault import Home

PHRASE = "words for the keys"
ACCOUNTS = "/api/v2/accounts"
NEW = "another pw-For-tests-2"


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with TemporaryDirectory(prefix="ek-") as folder:
        found = Home(Path(folder))
        with found.running():
            found.run("account", "open", "Main", "--cash", "1000")
        yield found


def alerts(home: Home, kind: str) -> list[str]:
    return [str(one["message"]) for one in home.events() if one["kind"] == kind]


def cut(home: Path, rows: int) -> None:
    with sqlite3.connect(home / "evenkeel.db") as connection:
        connection.execute("DROP TRIGGER IF EXISTS audit_log_no_delete")
        connection.execute("DELETE FROM audit_log WHERE seq > (SELECT max(seq) FROM audit_log) - ?", (rows,))


def test_a_log_that_was_cut_is_told_while_the_desk_goes_on(home: Home) -> None:
    assert "is whole" in home.run("audit", "verify")
    with home.running():
        cut(home.home, 2)
        home.run("account", "open", "Second", "--cash", "1")  # writes a row over the cut, as if nothing had happened
        until(lambda: alerts(home, "audit-broken"))
        home.run("account", "open", "Third", "--cash", "1")
        assert "no longer held its end" in home.run("audit", "verify", code=1)
        assert len(alerts(home, "audit-broken")) == 1
        (broken,) = home.ask("audit", "list", "--action", "audit.broken")["items"]
        assert "head" in broken["before"]
        assert any("audit log is broken" in one for one in home.ask("doctor")["concerns"])
        home.run("backup", "--to", home.folder / "cut")
    with home.running():
        until(lambda: len(alerts(home, "audit-broken")) == 2)  # told at each start, until it is accepted
    (made,) = (home.folder / "cut").iterdir()
    home.run("restore", made, home=home.folder / "copied")
    assert "no longer held its end" in home.run("audit", "verify", home=home.folder / "copied", code=1)
    assert "5 to 500" in home.run("audit", "accept", "x", code=1)
    assert "1 accepted" in home.run("audit", "accept", "cut by the tests")
    assert "no break" in home.run("audit", "accept", "cut by the tests", code=1)
    assert "Accepted (cut by the tests)" in home.run("audit", "verify")
    assert home.ask("doctor")["concerns"] == []
    (row,) = home.ask("audit", "list", "--action", "audit.accept")["items"]
    assert json.loads(row["after"]) == {"reason": "cut by the tests"}


def signed(key: dict[str, Any], *, ahead: int) -> dict[str, str]:
    """The headers of a request whose signer's clock is ahead."""
    asked = Asking("GET", ACCOUNTS, "")
    at, nonce = str(int(time.time()) + ahead), f"{time.time_ns():020}"
    made = signature(key["signing_secret"], asked, timestamp=at, nonce=nonce)
    return {"x-api-key": public_part(key["secret"]), TIMESTAMP: at, NONCE: nonce, SIGNATURE: made}


def send(home: Home, headers: dict[str, str]) -> int:
    return httpx.get(f"http://127.0.0.1:{home.port}{ACCOUNTS}", headers=headers).status_code


def test_a_signed_request_is_taken_once_across_a_quick_restart(home: Home) -> None:
    with home.running():
        key = home.ask("apikey", "create", "robot", "--scope", "manage", "--days", "2")
        time.sleep(1)  # no signature is taken in the second of a start
        first = signed(key, ahead=25)
        assert send(home, first) == 200
        assert send(home, first) == 401
    with home.running():
        assert send(home, first) == 401
        time.sleep(1)
        assert send(home, signed(key, ahead=26)) == 200


@contextmanager
def without_secrets(home: Home) -> Iterator[Path]:
    path = home.home / "secrets.json"
    aside = path.rename(home.folder / "aside")
    yield path
    path.unlink(missing_ok=True)
    aside.rename(path)


def test_no_key_is_made_where_the_old_one_is_needed(home: Home) -> None:
    """API keys sign under the server's key; the file that holds it is lost."""
    rows = home.ask("vault", "keys")["items"]
    assert [(one["needed_by"], one["seals"], one["here"]) for one in rows] == [("signing of API keys", True, True)]
    key = rows[0]["key"]
    backup = home.ask("backup", "--with-keys", "--to", home.folder / "kept", EVENKEEL_KEYS_PASSPHRASE=PHRASE)["path"]
    with without_secrets(home) as path:
        refused = home.run("up", "--port", "0", "--no-open", code=1)
        assert f"{key} (signing of API keys)" in refused
        assert "vault keys --from" in refused
        listed = home.ask("vault", "keys")["items"]
        assert [(one["key"], one["here"]) for one in listed] == [(key, False)]
        assert "MISSING" in home.run("vault", "keys")
        assert any(key in one for one in home.ask("doctor")["concerns"])
        for command in (("user", "list"), ("backup", "list"), ("audit", "list"), ("backup", "--to", home.folder / "x")):
            home.run(*command)
        assert "no server key to take along" in home.run(
            "backup", "--with-keys", code=1, EVENKEEL_KEYS_PASSPHRASE=PHRASE
        )
        assert "holds no secrets.json" in home.run("vault", "rotate", "--server", code=1)
        assert not path.exists(), "only reading made it"
        said = home.run("vault", "keys", "--from", backup, code=1, EVENKEEL_KEYS_PASSPHRASE="not these words")
        assert "does not open" in said
        home.run("vault", "keys", "--from", backup, EVENKEEL_KEYS_PASSPHRASE=PHRASE)
        assert [(one["key"], one["here"]) for one in home.ask("vault", "keys")["items"]] == [(key, True)]


def test_the_old_key_is_given_up_by_a_persons_word_and_what_hung_on_it_is_named(home: Home) -> None:
    old = home.ask("vault", "keys")["items"][0]["key"]
    assert "there is a server key" in home.run("vault", "keys", "--new", code=1)
    with without_secrets(home):
        home.run("vault", "keys", "--new")
        new, missing = home.ask("vault", "keys")["items"]
        assert (new["needed_by"], missing["key"], missing["here"]) == ("", old, False)
        with home.running():
            until(lambda: any(f"{old} (signing of API keys)" in one for one in alerts(home, "server-key-missing")))
            made = home.ask("apikey", "rotate", "robot")
            until(lambda: send(home, signed(made, ahead=0)) == 200, seconds=60.0)  # past the times signed for before
        assert [one["key"] for one in home.ask("vault", "keys")["items"]] == [new["key"]]
    with home.running():
        until(lambda: any(f"{new['key']} (signing" in one for one in alerts(home, "server-key-missing")))
        home.run("apikey", "revoke", "robot")


def test_a_password_that_is_reset_elsewhere_locks_the_open_vault(home: Home) -> None:
    with home.running():
        home.run("vault", "create", EVENKEEL_VAULT_SECRET=PASSWORD)
        assert home.ask("vault", "status")["unlocked"]
        home.run("user", "password", "owner", "--password", NEW)
        until(lambda: not home.ask("vault", "status")["unlocked"])
        assert "opens the vault no more" in home.run("vault", "unlock", code=1, EVENKEEL_VAULT_SECRET=NEW)
        home.run("vault", "forget", "--yes")
        home.run("user", "password", "owner", "--password", PASSWORD)


def test_what_a_deactivated_owner_has_lent_is_of_no_use(home: Home) -> None:
    with home.running():
        link = home.ask("user", "invite", "super-admin")["link"]["address"]
        given = {"token": link.partition("#")[2], "username": "bob", "password": NEW}
        with httpx.Client(base_url=f"http://127.0.0.1:{home.port}/api/v2") as bob:
            signed_in = bob.post("/auth/accept", json=given)
            assert signed_in.status_code < 300, signed_in.text
            bob.headers["authorization"] = f"Bearer {signed_in.json()['access_token']}"
            home.run("share", "add", "Main", "bob")

            def seen() -> list[str]:
                return [one["name"] for one in bob.get("/accounts").json()["items"]]

            assert seen() == ["Main"]
            owner = next(one["id"] for one in bob.get("/users").json()["items"] if one["username"] == "owner")
            for action, then in (("deactivate", []), ("reactivate", ["Main"])):
                answer = bob.post(f"/users/{owner}/{action}")
                assert answer.status_code == 200, answer.text
                assert seen() == then


def test_a_second_factor_taken_away_from_a_stopped_home_is_in_the_log_as_it_was_done(home: Home) -> None:
    def rows() -> list[dict[str, Any]]:
        return list(home.ask("audit", "list", "--action", "two-factor.taken-away")["items"])

    assert "no second factor" in home.run("user", "two-factor-off", "bob", code=1)
    assert rows() == [], "nothing was taken away"
    with sqlite3.connect(home.home / "evenkeel.db") as connection:
        (bob,) = connection.execute("SELECT id FROM users WHERE username = 'bob'").fetchone()
        columns = "(user_id, sealed, created_at, confirmed_at, last_step)"
        connection.execute(f"INSERT INTO second_factors {columns} VALUES (?, '1.0.x', 1, 1, 0)", (bob,))
    home.run("user", "two-factor-off", "bob")
    assert [(one["subject"], one["actor"], one["address"], one["agent"]) for one in rows()] == [
        (bob, "home", "local", "the home's files")
    ]
    home.run("user", "sessions", "bob", "--end")
    assert home.ask("audit", "list", "--action", "sessions.end")["items"][0]["subject"] == bob
    assert "is whole" in evenkeel("audit", "verify", "--home", home.home, env=home.env).stdout
