"""Pages show commands as they are: every one is told, and `console demo` examples run against a demo as printed."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.desk import EVENKEEL, Desk, clean_environment, running_demo, until
from tests.cli.test_main import commands
from tests.services import ROOT
from tests.tidy.documents import blocks, console_steps, missing_lines, pages
from tests.tidy.sources import text

PAGE = ROOT / "docs" / "cli.md"
OF_A_YEAR = ("tax-lots.md",)
"""Pages that speak of the present year, and would find nothing in it where their examples ran over New Year."""


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
    return [page for page in pages() if any(block.mode == "demo" for block in blocks(page))]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a demo that holds something, and has refused something."""
    home = tmp_path_factory.mktemp("begun") / "home"
    with running_demo("--speed", "20", keep=home) as desk:
        until(
            lambda: desk.items("order", "list", "--status", "REFUSED") and desk.items("account", "positions", "Family")
        )
    return home


@pytest.mark.slow
@pytest.mark.parametrize("page", demo_pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_run_against_a_demo_as_printed(page: Path, tmp_path: Path, begun: Path) -> None:
    with running_demo("--speed", "20", begun=begun) as desk:
        if page.name in OF_A_YEAR:
            until(lambda: month(desk) <= "03")
            desk.run("feed", "speed", 4)
        run = in_folder(tmp_path, desk.home)
        for block in blocks(page):
            if block.mode == "demo":
                for command, expected in console_steps(block.body):
                    printed = run(command)
                    assert missing_lines(expected, printed) == [], f"{block.where}\n{command}\nprinted:\n{printed}"


def month(desk: Desk) -> str:
    """The month in which the demo's market stands."""
    return str(desk.ask("feed", "show")["cursor"])[5:7]


def in_folder(folder: Path, home: Path) -> Callable[[str], str]:
    """Runs a shell command as a reader would, with the demo's home named; both of its outputs in one."""
    found = clean_environment(folder)
    environment = {**found, "PATH": f"{EVENKEEL.parent}:{found['PATH']}", "EVENKEEL_HOME": str(home), "COLUMNS": "200"}

    def run(command: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\nexit {done.returncode}\n{done.stdout}"
        return done.stdout

    return run
