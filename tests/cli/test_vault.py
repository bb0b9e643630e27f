"""The vault, the live switch and backups by the front door: a desk with an installed adapter, killed and restored.

Canary secrets are planted, everything is made to fail, and then every file and every answer is searched for them.
"""

import base64
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import pytest

from tests.cli.desk import EVENKEEL, PASSWORD, clean_environment, evenkeel, until, wait_until_ready
from tests.services import pick_port

KEY, SECRET = "CANARY-key-8f31c2", "CANARY secret/+7d: ü"
CREDENTIALS = {"api_key": KEY, "api_secret": SECRET}
PHRASE = "CANARY words for the keys"
ACCOUNT = "Real"


class Home:
    """A home, its desk when it runs, and everything that was ever answered."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.log = folder, folder / "home", folder / "log"
        self.fault, self.said, self.port = folder / "fault", "", 0
        site = folder / "site"
        info = site / "acme_adapter-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-adapter\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text("[evenkeel.brokers]\nacme = acme_adapter:factory\n", encoding="utf-8")
        shutil.copy(Path(__file__).parent / "acme_adapter.py", site)
        self.env = clean_environment(folder) | {
            "PYTHONPATH": str(site),
            "EVENKEEL_LIVE_BROKERS": "acme",
            "ACME_FAULT": str(self.fault),
        }

    @contextmanager
    def running(self, *, stop: int = signal.SIGINT, ready: bool = True) -> Iterator[None]:
        port = self.port = pick_port()
        command = [EVENKEEL, "up", "--home", self.home, "--port", port, "--no-open", "--password", PASSWORD]
        with self.log.open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [str(one) for one in command], env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            try:
                if ready:
                    wait_until_ready(process, port, self.log)
                else:  # an account that this server should open, and cannot, keeps it from being ready
                    until((self.home / "evenkeel.sock").exists)
                yield
            finally:
                process.send_signal(stop)
                process.wait(30)

    def run(self, *arguments: object, code: int = 0, home: Path | None = None, **env: str) -> str:
        done = evenkeel(*arguments, "--home", home or self.home, code=code, env=self.env | env)
        self.said += done.stdout + done.stderr
        return done.stdout + done.stderr

    def ask(self, *arguments: object, home: Path | None = None, **env: str) -> Any:
        done = evenkeel(*arguments, "--json", "--home", home or self.home, env=self.env | env)
        self.said += done.stdout + done.stderr
        return json.loads(done.stdout)

    def events(self) -> list[dict[str, Any]]:
        return list(self.ask("events", "--limit", "200")["items"])

    def account(self) -> dict[str, Any]:
        return dict(self.ask("account", "show", ACCOUNT))


@pytest.fixture(scope="module")
def lived() -> Iterator[tuple[Home, list[str], dict[str, Any]]]:
    """A home that has been through everything, with the recovery codes it gave and what was seen on the way."""
    with TemporaryDirectory(prefix="ek-") as folder:
        home, seen = Home(Path(folder)), dict[str, Any]()
        with home.running(stop=signal.SIGKILL):
            codes = _set_up(home, seen)
        with home.running():
            _locked(home, seen)
            _fails(home, seen)
            _backed_up(home, seen)
        yield home, codes, seen


def _set_up(home: Home, seen: dict[str, Any]) -> list[str]:
    secret = {"EVENKEEL_VAULT_SECRET": PASSWORD}
    assert "not the password" in home.run("vault", "create", code=1, EVENKEEL_VAULT_SECRET="CANARY-guess")
    codes = json.loads(evenkeel("vault", "create", "--json", "--home", home.home, env=home.env | secret).stdout)[
        "codes"
    ]
    for broker, said in (("simulated", "cannot trade live"), ("nowhere", "cannot trade live")):
        assert said in home.run(
            "account", "live", "open", ACCOUNT, "--broker", broker, "--number", "X1", "--cash", "1000", code=1
        )
    home.run("account", "live", "open", ACCOUNT, "--broker", "acme", "--number", "X1", "--cash", "1000")
    assert "lacks credentials" in home.run(
        "account", "live", "on", ACCOUNT, "--custody", "attended", "--type-name", ACCOUNT, code=1
    )
    wrong = json.dumps({"api_key": "CANARY!", "api_secret": SECRET, "pin": SECRET})
    seen["refused"] = home.run("account", "credentials", "set", ACCOUNT, code=1, EVENKEEL_CREDENTIALS=wrong)
    given = json.dumps(CREDENTIALS)
    home.run("account", "credentials", "set", ACCOUNT, EVENKEEL_CREDENTIALS=given)
    seen["fields"] = home.ask("account", "credentials", "show", ACCOUNT)["fields"]
    assert "type the account's name" in home.run(
        "account", "live", "on", ACCOUNT, "--custody", "attended", "--type-name", "real", code=1
    )
    home.run("account", "live", "on", ACCOUNT, "--custody", "attended", "--type-name", ACCOUNT)
    until(lambda: home.account()["readiness"] == "READY")
    return list(codes)


def _locked(home: Home, seen: dict[str, Any]) -> None:
    until(lambda: any(one["kind"] == "vault-locked" for one in home.events()))
    seen["locked"] = home.account()
    seen["status"] = home.ask("vault", "status")
    assert "stays locked" in home.run("vault", "unlock", code=1, EVENKEEL_VAULT_SECRET="CANARY-guess")
    home.run("vault", "unlock", EVENKEEL_VAULT_SECRET=PASSWORD)
    until(lambda: home.account()["readiness"] == "READY")


def _fails(home: Home, seen: dict[str, Any]) -> None:
    """Every way in which an adapter can fail, each with the credentials in its words."""
    for how in ("definite", "strange"):
        before = len(_failed(home))
        home.fault.write_text(how, encoding="utf-8")
        home.run("account", "live", "off", ACCOUNT)
        home.run("account", "live", "on", ACCOUNT, "--custody", "unattended", "--type-name", ACCOUNT)
        until(lambda known=before: len(_failed(home)) > known)
        home.fault.unlink()
        signed_in = _signed_in(home)
        until(lambda known=signed_in: _signed_in(home) > known)
    seen["failed"] = _failed(home)
    home.run("vault", "rotate", code=1, EVENKEEL_VAULT_SECRET="CANARY-guess")


def _failed(home: Home) -> list[dict[str, Any]]:
    return [one for one in home.events() if one["kind"] == "reconcile-failed"]


def _signed_in(home: Home) -> int:
    """How often the adapter has asked for the credentials so far."""
    return home.log.read_text(encoding="utf-8").count("signing in with")


def _backed_up(home: Home, seen: dict[str, Any]) -> None:
    seen["backup"] = home.ask("backup", "--with-keys", EVENKEEL_KEYS_PASSPHRASE=PHRASE)
    seen["plain"] = home.ask("backup", "--to", home.folder / "copies")
    seen["listed"] = home.ask("backup", "list")["items"]
    home.said += evenkeel("backup", "check", seen["backup"]["path"], env=home.env).stdout


def test_an_attended_account_is_locked_after_a_restart_and_says_so_at_once(
    lived: tuple[Home, list[str], dict[str, Any]],
) -> None:
    seen = lived[2]
    assert (seen["locked"]["live"], seen["locked"]["readiness"]) == (True, "NOT_READY")
    accounts = seen["status"]["accounts"]
    assert [(one["name"], one["custody"], one["locked"]) for one in accounts] == [(ACCOUNT, "attended", True)]


def test_secrets_are_nowhere(lived: tuple[Home, list[str], dict[str, Any]]) -> None:
    """Logs, tracebacks, database, journal, answers, alerts, backups: none holds a canary, in any of its forms."""
    home, codes, seen = lived
    log = home.log.read_text(encoding="utf-8")
    assert "signing in with [hidden]" in log
    assert "AdapterFailed" in log
    assert len(seen["failed"]) >= 2
    secrets = [KEY, SECRET, PASSWORD, PHRASE, "CANARY", *codes, *(code.replace("-", "") for code in codes)]
    server_key = json.loads((home.home / "secrets.json").read_text(encoding="utf-8"))["server_keys"][0]
    forms = {form for secret in (*secrets, server_key) for form in _forms(secret)}
    places = {"answers": home.said.encode(), "seen": json.dumps(seen).encode()}
    for path in [home.log, *home.home.rglob("*"), *(home.folder / "copies").rglob("*")]:
        if path.is_file() and path.name != "secrets.json":
            places[str(path)] = path.read_bytes()
    assert any("journal.db" in place for place in places)
    found = [(place, form) for place, data in places.items() for form in forms if form.encode() in data]
    assert found == []


def _forms(secret: str) -> set[str]:
    data = secret.encode()
    return {
        secret, quote(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1], data.hex(),
        base64.b64encode(data).decode().rstrip("="), base64.urlsafe_b64encode(data).decode().rstrip("="),
    }  # fmt: skip


def test_what_may_be_shown_is(lived: tuple[Home, list[str], dict[str, Any]]) -> None:
    seen = lived[2]
    assert [(one["name"], bool(one["saved_at"])) for one in seen["fields"]] == [("api_key", True), ("api_secret", True)]
    assert "values.api_key" in seen["refused"]
    assert "values.pin" in seen["refused"]


def test_a_backup_says_which_key_it_needs(lived: tuple[Home, list[str], dict[str, Any]]) -> None:
    home, _, seen = lived
    keys = [one["key"] for one in home.ask("vault", "keys")["items"]]
    assert seen["plain"]["server_keys"] == seen["backup"]["server_keys"] == keys
    assert (seen["plain"]["has_keys"], seen["backup"]["has_keys"]) == (False, True)
    assert [one["name"] for one in seen["listed"]] == [seen["backup"]["name"]]


def test_a_restored_home_is_sound_and_opens_with_its_keys(lived: tuple[Home, list[str], dict[str, Any]]) -> None:
    """With the keys that came along the unattended account connects; without them only a recovery code opens it."""
    home, codes, seen = lived
    before = len(home.log.read_text(encoding="utf-8"))
    with_keys, without = home.folder / "second", home.folder / "third"
    back = home.ask("restore", seen["backup"]["path"], home=with_keys, EVENKEEL_KEYS_PASSPHRASE=PHRASE)
    assert (back["doctor"]["ok"], back["keys_restored"], back["open_keys_with"]) == (True, True, None)
    assert home.ask("audit", "verify", home=with_keys)["faults"] == []
    home.ask("restore", seen["plain"]["path"], home=without)
    assert "is a home already" in home.run("restore", seen["plain"]["path"], home=without, code=1)
    assert home.ask("doctor", home=without)["ok"]
    original, home.home = home.home, with_keys
    try:
        with home.running():
            until(lambda: home.account()["readiness"] == "READY")
        home.home = without
        assert "has no server key" in home.run("up", "--port", "0", "--no-open", code=1)
        home.run("vault", "keys", "--new")
        with home.running(ready=False):
            until(lambda: home.account()["readiness_reason"] is not None)
            assert any(one["kind"] == "server-key-missing" for one in home.events())
            assert "which is not here" in home.run("vault", "unlock", code=1, EVENKEEL_VAULT_SECRET=PASSWORD)
            home.run("vault", "unlock", "--code", EVENKEEL_VAULT_CODE=codes[0], EVENKEEL_VAULT_SECRET=PASSWORD)
            until(lambda: home.account()["readiness"] == "READY")
    finally:
        home.home = original
    assert KEY not in home.log.read_text(encoding="utf-8")[before:]


def test_the_servers_key_is_replaced_and_the_old_one_dropped(lived: tuple[Home, list[str], dict[str, Any]]) -> None:
    home = lived[0]
    old = home.ask("vault", "keys")["items"][0]["key"]
    new = home.ask("vault", "rotate", "--server")["key"]
    assert "cannot be dropped" in home.run("vault", "keys", "--drop", old, code=1)
    with home.running():
        home.run("vault", "unlock", EVENKEEL_VAULT_SECRET=PASSWORD)
        until(lambda: home.account()["readiness"] == "READY")
        rows = {one["key"]: one["needed_by"] for one in home.ask("vault", "keys")["items"]}
    assert rows == {new: "vault", old: ""}
    home.run("vault", "keys", "--drop", old)
    assert [one["key"] for one in home.ask("vault", "keys")["items"]] == [new]
    with home.running():
        home.run("vault", "unlock", EVENKEEL_VAULT_SECRET=PASSWORD)
        home.run("vault", "codes")
        home.run("vault", "lock")
        home.run("vault", "forget", "--yes")
