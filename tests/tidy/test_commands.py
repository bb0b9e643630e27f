"""Every `evenkeel …` command that a page, the web desk or a message names exists, with the options it is named with."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from evenkeel.cli.main import app
from tests.services import ROOT
from tests.tidy.sources import files, text
from tests.tidy.sources import where as located

ROOMS = ("docs", "src", "web", "examples", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
NAMED = re.compile(r"""(?<![\w./:@-])(?<!b")evenkeel((?: +[a-z][a-z-]*)+)([^`\n"“”|;>]*)""")
SHORT = re.compile(r"`([a-z]+) +([a-z][a-z-]*)[^`\n]*`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
PYTHON = ("import", "as")


def mentions() -> Iterator[tuple[str, str, str]]:
    """(where, what follows `evenkeel` in small words, the rest of the line)."""
    for path in files(".md", ".ts", ".tsx", ".py"):
        if path.relative_to(ROOT).parts[0] in ROOMS:
            for found in NAMED.finditer(text(path)):
                if found[1].split()[0] not in PYTHON:
                    yield place(path, found.start()), found[1], found[2]


def place(path: Path, at: int) -> str:
    return located(path, text(path).count("\n", 0, at) + 1)


@pytest.fixture(scope="module")
def root() -> Any:
    found = typer.main.get_command(app)
    assert isinstance(found, TyperGroup)
    return found


def reached(root: Any, words: list[str]) -> tuple[Any, str]:
    """The command that the words lead to, and the word that names none; words after a command are its arguments."""
    at = root
    for word in words:
        if not hasattr(at, "commands"):
            break
        if word not in at.commands:
            return at, word
        at = at.get_command(None, word)
    return at, ""


def test_what_is_named_exists(root: Any) -> None:
    found = [(where, words) for where, words, _ in mentions() if reached(root, words.split())[1]]
    assert found == []
    assert len(list(mentions())) > 300, "the pattern finds them no more"


def test_options_are_those_of_the_command(root: Any) -> None:
    wrong = []
    for where, words, rest in mentions():
        command = reached(root, words.split())[0]
        known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
        wrong += [(where, words, one) for one in OPTION.findall(rest) if one not in known]
    assert wrong == []


def test_commands_named_for_short_exist(root: Any) -> None:
    """Such as `account activate`, between backticks and without the program's name."""
    wrong = []
    for path in files(".md", ".ts", ".tsx", ".py"):
        if path.relative_to(ROOT).parts[0] not in ROOMS:
            continue
        for found in SHORT.finditer(text(path)):
            group = root.get_command(None, found[1])
            if isinstance(group, TyperGroup) and found[2] not in group.commands:
                wrong.append((place(path, found.start()), found[0]))
    assert wrong == []
