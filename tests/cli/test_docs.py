"""Pages show commands as they are: every one is told, and `console demo` examples run against a demo as printed."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.desk import EVENKEEL, Desk, clean_environment, invoke, running_demo, until
from tests.cli.test_main import commands
from tests.services import ROOT
from tests.tidy.documents import blocks, console_steps, missing_lines, pages
from tests.tidy.sources import text

PAGE = ROOT / "docs" / "cli.md"
FRESH = {"getting-started.md", "operations.md", "portfolios.md", "positions.md"}


def test_the_page_tells_every_command() -> None:
    told = set(re.findall(r"^\| `evenkeel ([a-z]+(?: [a-z-]+){0,2})", text(PAGE), re.MULTILINE))
    assert told == {" ".join(path) for path in commands()}


def test_the_page_marks_what_needs_a_running_desk() -> None:
    marked = dict(re.findall(r"^\| `evenkeel ([a-z]+(?: [a-z-]+){0,2})[^`]*`( \*)? \|", text(PAGE), re.MULTILINE))
    files = {"demo", "up", "doctor", "panic", "resume", "restore", "strategy templates", "strategy check", "vault keys"}
    files |= {"portfolio optimize", "portfolio frontier", "portfolio backtest"}
    nouns = ("audit", "backtest", "backup", "data", "db", "user")
    alone = {name for name in marked if name in files or name.split()[0] in nouns}
    assert {name for name, star in marked.items() if not star} == alone - {"user purge"}


def demo_pages() -> list[Path]:
    """Those that share a demo stand side by side."""
    found = [page for page in pages() if any(block.mode == "demo" for block in blocks(page))]
    return sorted(found, key=lambda page: (demo_of(page), page))


def demo_of(page: Path) -> str:
    """Pages of one folder are read with one demo, whatever others have done there before; a few show a fresh one."""
    return page.name if page.name in FRESH else page.parent.name


@pytest.fixture(scope="module")
def reader() -> Iterator[Desk]:
    """A demo whose strategies have traded: a new one for each value of its parameter."""
    with running_demo("--speed", "8") as desk:
        until(
            lambda: desk.items("order", "list", "--status", "REFUSED") and desk.items("account", "positions", "Family")
        )
        yield desk


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reader", "page"),
    [pytest.param(demo_of(page), page, id=str(page.relative_to(ROOT))) for page in demo_pages()],
    indirect=["reader"],
    scope="module",
)
def test_examples_run_against_a_demo_as_printed(
    reader: Desk, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    surroundings = {**clean_environment(tmp_path), "EVENKEEL_HOME": str(reader.home), "COLUMNS": "200"}
    for block in blocks(page):
        if block.mode == "demo":
            for command, expected in console_steps(block.body):
                printed = typed(command, surroundings)
                assert missing_lines(expected, printed) == [], f"{block.where}\n{command}\nprinted:\n{printed}"


def typed(command: str, surroundings: dict[str, str]) -> str:
    """Both outputs of a command that a reader types, which must succeed. One of ours alone runs in this process, which
    saves most of its time; what needs a shell gets one."""
    if command.startswith("evenkeel ") and not re.search(r"[|&;<>$`]", command):
        return invoke(*shlex.split(command.replace("\\\n", ""))[1:], env=surroundings).output
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        env={**surroundings, "PATH": f"{EVENKEEL.parent}:{surroundings['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\nexit {done.returncode}\n{done.stdout}"
    return done.stdout
