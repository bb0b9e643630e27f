"""The home's secrets: made once, private, complete or not there."""

import threading
from pathlib import Path

import msgspec
import pytest

from evenkeel.domain.errors import Forbidden, InvalidInput, NotFound
from evenkeel.storage.secrets import (
    FirstPassword,
    Secrets,
    add_server_key,
    adopt_secrets,
    ensure_secrets,
    read_secrets,
)


def test_secrets_are_made_once_and_kept_private(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = ensure_secrets(home)
    assert len(made.token_secret) == 32
    assert ensure_secrets(home) == made
    assert (home / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in home.iterdir()) == [".secrets.json.lock", "secrets.json"]
    assert made.token_key not in repr(made)


def test_two_starts_at_once_agree(tmp_path: Path) -> None:
    found: list[Secrets] = []
    threads = [threading.Thread(target=lambda: found.append(ensure_secrets(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({one.token_key for one in found}) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    ensure_secrets(tmp_path)
    (tmp_path / "secrets.json").chmod(mode)
    with pytest.raises(Forbidden, match=f"{mode:04o}") as refused:
        ensure_secrets(tmp_path)
    assert "chmod 600" in (refused.value.hint or "")


@pytest.mark.parametrize("content", ["", "{}", '{"token_key": "short"}', '{"token_key": "' + "z" * 64 + '"}', "[1]"])
def test_a_damaged_file_is_explained(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(InvalidInput, match="64 hex digits"):
        ensure_secrets(tmp_path)


def test_a_home_that_cannot_hold_them_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InvalidInput, match="cannot be written"):
        ensure_secrets(tmp_path / "file" / "home")


def test_the_first_password_is_private_and_gone_when_it_is_forgotten(tmp_path: Path) -> None:
    first = FirstPassword(tmp_path)
    assert first.read() is None
    for password in ("made-by-a-start-that-failed", "made-by-the-next"):
        first.keep(password)
    assert first.read() == "made-by-the-next"
    assert first.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["first-password"]
    for _ in range(2):
        first.forget()
    assert first.read() is None
    first.path.write_bytes(b"\xff\xfe")
    assert first.read() is None
    with pytest.raises(InvalidInput, match="cannot be written"):
        FirstPassword(Path("/proc/nowhere")).keep("x")


def test_reading_makes_nothing(tmp_path: Path) -> None:
    assert read_secrets(tmp_path / "home") is None
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotFound, match=r"holds no secrets\.json"):
        add_server_key(tmp_path)
    assert read_secrets(tmp_path) is None


def test_changes_at_once_lose_no_key(tmp_path: Path) -> None:
    first = ensure_secrets(tmp_path).server_keys
    threads = [threading.Thread(target=add_server_key, args=(tmp_path,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read_secrets(tmp_path)
    assert found is not None
    assert len(set(found.server_keys)) == 9
    assert found.server_keys[-1:] == first


def test_keys_of_another_home_are_taken_in_after_those_that_are_here(tmp_path: Path) -> None:
    given = Secrets("ab" * 32, ("cd" * 32, "ef" * 32))
    data = msgspec.json.encode(given)
    assert adopt_secrets(tmp_path / "empty", data) == given
    own = ensure_secrets(tmp_path / "own")
    for _ in range(2):
        found = adopt_secrets(tmp_path / "own", data)
        assert (found.token_key, found.server_keys) == (own.token_key, (*own.server_keys, *given.server_keys))
    with pytest.raises(InvalidInput, match="not the secrets of a home"):
        adopt_secrets(tmp_path / "own", b"{}")
