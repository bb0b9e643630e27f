"""`evenkeel backup` and `restore` without a server: keys that come along, what fails or is killed, and what is left."""

import asyncio
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from evenkeel.domain.audit import Entry
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine
from evenkeel.storage.repositories import Anchor, StoredAudit
from evenkeel.storage.schema import upgrade
from evenkeel.storage.secrets import ensure_secrets, read_secrets
from tests.cli.desk import EVENKEEL, clean_environment, invoke

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
    own = ensure_secrets(home)
    if named:
        monkeypatch.setenv("EVENKEEL_SERVER_KEY", ",".join(named))
    invoke("backup", "--with-keys", "--to", tmp_path / "copies", "--home", home)
    monkeypatch.delenv("EVENKEEL_SERVER_KEY", raising=False)
    (made,) = (tmp_path / "copies").iterdir()
    invoke("restore", made, "--home", second)
    found = ensure_secrets(second)
    assert (found.token_key, found.server_keys) == (own.token_key, named or own.server_keys)


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A backup with keys of a home that has an audit log and results of backtests."""
    home = Database(tmp_path / "home")
    (home.home / "research").mkdir(parents=True)
    upgrade(home)
    ensure_secrets(home.home)
    for number in range(200):
        (home.home / "research" / f"{number}.npz").write_bytes(b"x" * 10_000)

    async def log() -> None:
        engine = async_engine(home)
        await StoredAudit(engine, Anchor(home.home)).append((Entry(at=1, actor="ann", action="x"),) * 3)
        await engine.dispose()

    asyncio.run(log())
    invoke("backup", "--with-keys", "--to", tmp_path / "copies", "--home", home.home)
    (made,) = (tmp_path / "copies").iterdir()
    return made


def test_a_restored_home_knows_where_its_audit_log_ends(backup: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    assert "Its keys came along." in invoke("restore", backup, "--home", second).stdout
    assert "is whole: 3 rows" in invoke("audit", "verify", "--home", second).stdout


def test_a_wrong_passphrase_or_a_bad_file_leaves_nothing(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, before = tmp_path / "second", set(tmp_path.iterdir())
    monkeypatch.setenv("EVENKEEL_KEYS_PASSPHRASE", "not the words of it")
    assert "does not open the keys" in invoke("restore", backup, "--home", second, code=1).stderr
    monkeypatch.setenv("EVENKEEL_KEYS_PASSPHRASE", PHRASE)
    for name in ("keys.sealed", "evenkeel.db", "research/7.npz"):
        path = backup / name
        good = path.read_bytes()
        path.write_bytes(good[:-1])
        assert "is not as it was written" in invoke("restore", backup, "--home", second, code=1).stderr
        path.write_bytes(good)
    assert set(tmp_path.iterdir()) == before
    invoke("restore", backup, "--home", second)


def test_keys_that_were_not_opened_are_named_with_the_command_that_opens_them(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENKEEL_KEYS_PASSPHRASE", "")
    second = tmp_path / "second"
    said = invoke("restore", backup, "--home", second).stdout
    command = f"evenkeel vault keys --from {backup} --home {second}"
    assert "They were NOT opened" in said
    assert command in said
    assert read_secrets(second) is None
    assert "no passphrase" in invoke(*command.split()[1:], code=1).stderr
    monkeypatch.setenv("EVENKEEL_KEYS_PASSPHRASE", PHRASE)
    invoke(*command.split()[1:])
    assert read_secrets(second) == read_secrets(tmp_path / "home")
    third = tmp_path / "third"
    monkeypatch.setenv("EVENKEEL_KEYS_PASSPHRASE", "")
    assert json.loads(invoke("restore", backup, "--home", third, "--json").stdout)["open_keys_with"].endswith("third")


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.1])
def test_a_restore_that_is_killed_leaves_no_home_and_the_next_one_clears_up(
    backup: Path, tmp_path: Path, delay: float
) -> None:
    second, part = tmp_path / "second", tmp_path / ".second.part"
    env = clean_environment(tmp_path) | {"EVENKEEL_KEYS_PASSPHRASE": PHRASE}
    process = subprocess.Popen(
        [str(EVENKEEL), "restore", str(backup), "--home", str(second)],
        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while process.poll() is None and not part.exists():
        time.sleep(0.001)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if not second.exists():
        assert part.exists()
        invoke("restore", backup, "--home", second)
    assert not part.exists()
    assert len(list((second / "research").iterdir())) == 200
    assert "is whole: 3 rows" in invoke("audit", "verify", "--home", second).stdout
    assert read_secrets(second) == read_secrets(tmp_path / "home")
