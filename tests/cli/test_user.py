"""`evenkeel user` with the server stopped, on the home's own database; with one running it is in test_commands."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from evenkeel.desk.passwords import Passwords
from evenkeel.desk.ports import RefreshToken, SecondFactor, Session, User
from evenkeel.desk.sealing import Key, KeyRing
from evenkeel.desk.users import People
from evenkeel.desk.vault.ports import SealedCredential, Secret, VaultRow, Wrap
from evenkeel.desk.vault.safe import made
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine
from evenkeel.storage.repositories import StoredFactors, StoredTokens, StoredUsers, StoredVault
from evenkeel.storage.schema import upgrade
from tests.cli.desk import invoke

PASSWORD = "a password of tests"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    where = Database(tmp_path)
    upgrade(where)

    async def begin() -> None:
        engine = async_engine(where)
        people = People(StoredUsers(engine, User), StoredTokens(engine, RefreshToken, Session), Passwords())
        await people.ensure_owner("owner", PASSWORD)
        ann = await people.create("ann", PASSWORD, email="ann@example.com")
        factors = StoredFactors(engine, SecondFactor)
        await factors.put(SecondFactor(ann.id, "sealed", 1, 1))
        token = RefreshToken("h", "f", ann.id, 1, 2**62, 2**62, user_agent="Firefox", address="192.0.2.1")
        await people.tokens.add(token)
        await engine.dispose()

    asyncio.run(begin())
    return tmp_path


def ask(home: Path, *arguments: object) -> Any:
    return json.loads(invoke("user", *arguments, "--json", "--home", home).stdout)


def test_people_are_listed_and_shown(home: Path) -> None:
    assert [(one["username"], one["role"]) for one in ask(home, "list")["items"]] == [
        ("owner", "super-admin"),
        ("ann", "trader"),
    ]
    shown = ask(home, "show", "ANN")
    assert (shown["email"], shown["sessions"][0]["agent"]) == ("ann@example.com", "Firefox")
    assert "192.0.2.1" in invoke("user", "show", "ann", "--home", home).stdout
    missing = invoke("user", "show", "nobody", "--home", home, code=1)
    assert "there is no user 'nobody'" in missing.stderr


def test_invitations_are_made_listed_and_taken_back(home: Path) -> None:
    made = ask(home, "invite", "viewer", "--email", "bob@example.com")
    assert made["link"]["address"].startswith("http://127.0.0.1:8000/welcome/#")
    printed = invoke("user", "invite", "trader", "--home", home).stdout
    assert "is not shown again" in printed
    listed = ask(home, "invitations")["items"]
    assert [one["role"] for one in listed] == ["trader", "viewer"]
    assert made["link"]["address"].partition("#")[2] not in json.dumps(listed)
    ask(home, "uninvite", listed[0]["id"])
    assert len(ask(home, "invitations")["items"]) == 1
    refused = invoke("user", "invite", "owner", "--home", home, code=1)
    assert "super-admin, admin, trader, viewer" in refused.stderr


def test_people_are_changed_and_the_last_super_admin_is_not(home: Path) -> None:
    assert ask(home, "role", "ann", "viewer")["role"] == "viewer"
    assert ask(home, "sessions", "ann")["items"] == []
    assert ask(home, "networks", "ann", "192.0.2.0/24", "2001:db8::/32")["networks"] == [
        "192.0.2.0/24",
        "2001:db8::/32",
    ]
    for shown in (invoke("user", "networks", "ann", "--home", home), invoke("user", "networks", "ann", "--home", home)):
        assert "from 192.0.2.0/24, 2001:db8::/32" in shown.stdout, "without networks it shows them, and changes nothing"
    assert "--any" in invoke("user", "networks", "ann", "192.0.2.0/24", "--any", "--home", home, code=2).stderr
    assert "from everywhere" in invoke("user", "networks", "ann", "--any", "--home", home).stdout
    assert ask(home, "networks", "ann")["networks"] == []
    assert "may not sign in" in invoke("user", "deactivate", "ann", "--home", home).stdout
    assert ask(home, "reactivate", "ann")["is_active"] is True
    for command in (("role", "owner", "trader"), ("deactivate", "owner")):
        assert "last active super-admin" in invoke("user", *command, "--home", home, code=1).stderr


def test_a_reset_a_password_a_device_and_sessions(home: Path) -> None:
    assert "/reset/#" in ask(home, "reset", "ann")["address"]
    assert "sessions" not in invoke("user", "sessions", "ann", "--end", "--home", home).stdout
    assert "without a second factor" in invoke("user", "two-factor-off", "ann", "--home", home).stdout
    assert "no second factor" in invoke("user", "two-factor-off", "ann", "--home", home, code=1).stderr
    weak = invoke("user", "password", "ann", "--password", "ann-ann-ann", "--home", home, code=1)
    assert "guesses" in weak.stderr
    assert "is set" in invoke("user", "password", "ann", "--password", "a new one of mine", "--home", home).stdout


def test_what_was_done_stands_in_the_audit_log(home: Path) -> None:
    ask(home, "role", "ann", "viewer")
    listed = json.loads(invoke("audit", "list", "--json", "--home", home).stdout)["items"]
    assert [one["action"] for one in listed][-1] == "user.change"
    assert (listed[-1]["actor"], listed[-1]["actor_name"]) == ("home", "")


def test_moments_say_that_they_are_utc(home: Path) -> None:
    for arguments in (
        ("user", "show", "ann"),
        ("user", "sessions", "ann"),
        ("user", "invite", "viewer"),
        ("user", "invitations"),
    ):
        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\dZ", invoke(*arguments, "--home", home).stdout), arguments
    assert re.search(r"\d\d:\d\d:\d\dZ", invoke("audit", "list", "--home", home).stdout)


def test_a_password_set_by_hand_leaves_no_vault_to_the_old_one(home: Path) -> None:
    found, ring = ask(home, "show", "ann"), KeyRing([Key(bytes(32))])
    assert not (home / "secrets.json").exists()  # nothing here needs a key, so none is made

    async def opens(*, make: bool) -> bool:
        engine = async_engine(Database(home))
        try:
            vault = made(StoredVault(engine, VaultRow, Wrap, SealedCredential), ring).vault
            if make:
                await vault.create(found["id"], PASSWORD, kind=Secret.PASSWORD)
            return (await vault.standing(found["id"])).opens
        finally:
            await engine.dispose()

    assert asyncio.run(opens(make=True))
    invoke("user", "password", "ann", "--password", "a new one of mine", "--home", home)
    assert not asyncio.run(opens(make=False))
