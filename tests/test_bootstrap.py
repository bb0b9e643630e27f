"""Before a desk opens: a home keeps to its mode, and a start that fails leaves nobody with an unknown password."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from evenkeel.bootstrap import serve
from evenkeel.cli.doors import ServePlan
from evenkeel.domain.errors import Conflict, NotFound
from tests.cli.desk import EVENKEEL, clean_environment, evenkeel, wait_until_ready
from tests.services import pick_port


@pytest.fixture
def home() -> Iterator[Path]:
    """With a path short enough for a socket."""
    with TemporaryDirectory(prefix="ek-") as folder:
        yield Path(folder) / "home"


@contextmanager
def running(home: Path) -> Iterator[Path]:
    """An `evenkeel up` on this home, ended as by Ctrl-C; the file has what it said."""
    port, log = pick_port(), home.with_name("log")
    with log.open("w", encoding="utf-8") as written:
        process = subprocess.Popen(
            [str(EVENKEEL), "up", "--home", str(home), "--port", str(port)],
            env=clean_environment(home.parent), stdin=subprocess.DEVNULL, stdout=written, stderr=written,
        )  # fmt: skip
        try:
            wait_until_ready(process, port, log)
            yield log
        finally:
            process.terminate()
            process.wait(30)


def test_a_home_belongs_to_the_demo_or_to_trading_for_good(tmp_path: Path) -> None:
    (tmp_path / "mode").write_text("up\n", encoding="utf-8")
    with pytest.raises(Conflict, match="is a home of `evenkeel up`, not of `evenkeel demo`"):
        serve(ServePlan(mode="demo", home=tmp_path, port=0))


def test_a_start_without_a_market_makes_no_user(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from evenkeel.bootstrap import serve; from evenkeel.cli.doors import ServePlan;"
        f"serve(ServePlan(mode='up', home=Path({str(tmp_path)!r}), port=0, feed='replay'))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert NotFound.__name__ in done.stderr
    assert "there are no bars in this home to replay" in done.stderr
    listed = subprocess.run(
        [sys.executable, "-c", "from evenkeel.bootstrap import main; main()", "user", "list", "--home", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "owner" not in listed.stdout.replace("username", "")


def shown_password(log: Path) -> str | None:
    """The password that a start has shown, with which its owner can sign in."""
    said = re.search(r"at (http://\S+)\n  sign in as  owner  with  (\S+)", wait_for(log, "state is in"))
    assert said is not None
    url, word = said.groups()
    body = {"username": "owner", "password": word}
    if word == "your":
        return None
    assert httpx.post(f"{url}/api/v2/auth/login", json=body, trust_env=False, timeout=30).status_code == 200
    return word


def wait_for(log: Path, text: str) -> str:
    deadline = time.monotonic() + 30
    while text not in (said := log.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    return said


def test_a_password_that_a_killed_start_never_showed_is_shown_by_the_next(home: Path) -> None:
    script = (
        "import os; from pathlib import Path; from evenkeel.bootstrap import desk, serve;"
        "from evenkeel.cli.doors import ServePlan;"
        "desk.greet = lambda *_, **__: os._exit(9);"
        f"serve(ServePlan(mode='up', home=Path({str(home)!r}), port=0))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, timeout=60).returncode == 9
    kept = home / "first-password"
    assert kept.stat().st_mode & 0o777 == 0o600
    with running(home) as log:
        assert f"with  {kept.read_text().strip()} " in wait_for(log, "state is in")
    with running(home) as log:
        assert shown_password(log) is not None
        assert not kept.exists(), "it has been used"
    with running(home) as log:
        assert shown_password(log) is None


def test_an_owner_made_anew_finds_the_journal_of_before(home: Path) -> None:
    with running(home):
        evenkeel("account", "open", "Main", "--cash", "1000", "--home", home)
    for file in home.glob("evenkeel.db*"):
        file.unlink()
    with running(home):
        accounts = json.loads(evenkeel("account", "list", "--json", "--home", home).stdout)
    assert [account["name"] for account in accounts["items"]] == ["Main"]
    assert json.loads(evenkeel("doctor", "--json", "--home", home).stdout)["ok"]


@pytest.mark.parametrize("lose", [Path.unlink, lambda file: file.write_bytes(b"")], ids=["gone", "empty"])
def test_a_journal_that_was_seen_does_not_begin_again(home: Path, lose: Callable[[Path], object]) -> None:
    with running(home):
        evenkeel("account", "open", "Main", "--cash", "1000", "--home", home)
    kept = {file: file.read_bytes() for file in home.glob("journal.db*")}
    for file in kept:
        lose(file)
    for _ in range(2):
        refused = evenkeel("up", "--port", "0", "--home", home, code=1)
        assert "the journal of this home is gone" in refused.stderr
    for file in home.glob("journal.db*"):
        file.unlink()
    for file, content in kept.items():
        file.write_bytes(content)
    with running(home):
        assert "Main" in evenkeel("account", "list", "--home", home).stdout


def test_a_start_killed_before_it_wrote_anything_can_be_made_again(home: Path) -> None:
    home.mkdir()
    for name in ("mode", "journal.db", "evenkeel.db"):
        (home / name).touch()
    with running(home):
        assert "No accounts yet" in evenkeel("account", "list", "--home", home).stdout
