"""Every fault and every invariant of the table of hazards is named by a test, or said to have nothing to test yet.

A test names one in its docstring: `F6`, `I3`. What the numbers stand for is written here in short, so that the table
need not be at hand.
"""

import ast
import re
from functools import cache

import pytest

from tests.services import ROOT
from tests.tidy.sources import files, functions, tree

FAULTS = {
    1: "a time-out after the broker has taken the order",
    2: "killed between an answer and its commit",
    3: "a retry races a late answer",
    4: "a double click, a reload, two tabs",
    5: "the same key with other parameters",
    6: "an execution told twice",
    7: "messages out of order",
    8: "a fill during or after a cancel",
    9: "a partial fill, and a stop for the whole",
    10: "disconnected with orders working, and fills meanwhile",
    11: "connected, and no question is answered",
    12: "ids that are given again",
    13: "a change that becomes a second order",
    14: "a broker's planned restart",
    15: "a feed that falls silent",
    16: "a picture that failed, or is empty",
    17: "a trade by hand at the broker",
    18: "a reconcile that never ends",
    19: "a journal that is locked or full",
    20: "two processes and one account",
    21: "a stop removed for an exit that is refused",
    22: "groups of orders handled side by side",
    23: "one order for many accounts, some of which fail",
    24: "paper and live mixed up",
    25: "clocks: skewed, changed, half days",
    26: "a split with orders working",
    27: "numbers that cannot be",
    28: "a runaway",
    29: "too many requests",
    30: "a webhook repeated, late, out of order",
    31: "a webhook that is answered too slowly",
    32: "an old backup restored",
    33: "an upgrade half way",
}
INVARIANTS = range(1, 13)
NAME = re.compile(r"\b([FI]\d{1,2})\b")


@cache
def named() -> dict[str, list[str]]:
    """The tests that name a fault or an invariant in their docstrings, or whose module's docstring does."""
    found: dict[str, list[str]] = {}
    for path in files(".py", under=ROOT / "tests"):
        if not path.name.startswith("test_") or path.parent.name == "tidy":
            continue
        whole = ast.get_docstring(tree(path)) or ""
        places = [(path.name, whole)]
        places += [(one.name, ast.get_docstring(one) or "") for one in functions(path) if one.name.startswith("test_")]
        for place, words in places:
            for name in NAME.findall(words):
                found.setdefault(name, []).append(f"{path.relative_to(ROOT)}::{place}")
    return found


@pytest.mark.parametrize("number", FAULTS)
def test_every_fault_is_named_by_a_test(number: int) -> None:
    assert named().get(f"F{number}"), f"no test names F{number}: {FAULTS[number]}"


@pytest.mark.parametrize("number", INVARIANTS)
def test_every_invariant_is_named_by_a_test(number: int) -> None:
    assert named().get(f"I{number}"), f"no test names I{number}"
