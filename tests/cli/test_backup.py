"""`evenkeel backup --with-keys` without a server: what it takes along, and that an empty home stays empty."""

from pathlib import Path

import pytest

from evenkeel.storage.database import Database
from evenkeel.storage.schema import upgrade
from evenkeel.storage.secrets import load_secrets
from tests.cli.desk import invoke

PHRASE = "a passphrase of tests"


@pytest.fixture(autouse=True)
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENKEEL_KEYS_PASSPHRASE", PHRASE)


def test_an_empty_home_stays_empty(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert "nothing to back up" in invoke("backup", "--with-keys", "--home", home, code=1).stderr
    assert not home.exists()


@pytest.mark.parametrize("named", [(), ("ab" * 32, "cd" * 32)])
def test_the_keys_in_force_come_along_wherever_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: tuple[str, ...]
) -> None:
    home, second = tmp_path / "home", tmp_path / "second"
    home.mkdir()
    upgrade(Database(home))
    own = load_secrets(home)
    if named:
        monkeypatch.setenv("EVENKEEL_SERVER_KEY", ",".join(named))
    invoke("backup", "--with-keys", "--to", tmp_path / "copies", "--home", home)
    monkeypatch.delenv("EVENKEEL_SERVER_KEY", raising=False)
    (made,) = (tmp_path / "copies").iterdir()
    invoke("restore", made, "--home", second)
    found = load_secrets(second)
    assert (found.token_key, found.server_keys) == (own.token_key, named or own.server_keys)
