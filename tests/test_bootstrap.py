"""Before a desk opens: a home keeps to its mode, and a start that fails leaves nobody with an unknown password."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

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
def running(home: Path) -> Iterator[None]:
    """An `evenkeel up` on this home, ended as by Ctrl-C."""
    port, log = pick_port(), home.with_name("log")
    with log.open("w", encoding="utf-8") as written:
        process = subprocess.Popen(
            [str(EVENKEEL), "up", "--home", str(home), "--port", str(port)],
            env=clean_environment(home.parent), stdin=subprocess.DEVNULL, stdout=written, stderr=written,
        )  # fmt: skip
        try:
            wait_until_ready(process, port, log)
            yield
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
