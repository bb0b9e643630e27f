"""A study is of its strategy's code, helpers and constants included: other code is another study."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evenkeel as ek
from evenkeel.quant.indicators import Floats
from evenkeel.research.backtest.finding import find
from evenkeel.research.search.source import source_of
from evenkeel.research.search.study import OtherStudy
from evenkeel.trading.strategies import Params

FILE = """
from functools import cache, wraps

import evenkeel as ek
import numpy as np
from evenkeel.trading.strategies import whole

EDGE = 0.0
SCALE = 1.0
UNUSED = 1
SEEN = {}  # filled as it runs
KNOWN = {"IBM", "AAPL", "MSFT", "GOOG"}


def least(change):
    return change > EDGE


def twice(inner):
    @wraps(inner)
    def outer(change):
        return np.minimum(2.0 * inner(change), 1.0)
    return outer


WAYS = {"least": least}


def risen(close, bars):
    return above(np.append(np.full(bars, np.nan), np.diff(close, bars)[: len(close) - bars]))


@cache
def full(known):
    return 1.0 if "IBM" in KNOWN else 0.5


@twice
def above(change):
    SEEN[len(change)] = change
    return np.where(WAYS["least"](change), full(True), 0.0)


class Mine(ek.SignalStrategy):
    name = "mine"
    parameters = (whole("bars", 1, 1, 1),)
    scale = SCALE

    def warmup(self, params):
        return 1

    def signals(self, bars, params):
        return self.scale * risen(bars.close, 1)
"""
SAID = """
import sys

from evenkeel.research.backtest.finding import find
from evenkeel.research.search.source import source_of

print(source_of(find(sys.argv[1])))
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("EDGE = 0.0", "EDGE = 0.5"),
        ("SCALE = 1.0", "SCALE = 0.5"),
        ("change > EDGE", "change < EDGE"),
        ("0.5\n", "0.25\n"),
        ("2.0 * inner", "3.0 * inner"),
        ('"MSFT", ', ""),
    ],
)
def test_a_study_of_a_changed_helper_is_refused(tmp_path: Path, old: str, new: str) -> None:
    file, bars = tmp_path / "mine.py", ek.sample_bars("IBM").rows(0, 100)
    file.write_text(FILE)
    ek.sweep(str(file), bars, grid={"bars": [1]}, study=tmp_path / "one.jsonl")
    file.write_text(FILE.replace("UNUSED = 1", "UNUSED = 2"))
    ek.sweep(str(file), bars, grid={"bars": [1]}, study=tmp_path / "one.jsonl")
    file.write_text(FILE.replace(old, new))
    with pytest.raises(OtherStudy, match="code") as refused:
        ek.sweep(str(file), bars, grid={"bars": [1]}, study=tmp_path / "one.jsonl")
    assert "functions, classes and values that it names" in (refused.value.hint or "")


def test_every_process_finds_the_same_text(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(FILE)
    told = {
        subprocess.run(
            [sys.executable, "-c", SAID, str(file)],
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2, 3)
    }
    mine = find(str(file))
    ek.backtest(mine, ek.sample_bars("IBM").rows(0, 100))
    assert len(told) == 1
    assert source_of(mine) == next(iter(told)).rstrip("\n")  # also of what has run, with its memory filled
    assert " at 0x" not in told.pop()


LATE = """
import evenkeel as ek
import numpy as np


class Late(ek.SignalStrategy):
    name = "late"

    def warmup(self, params):
        return 0

    def signals(self, bars, params):
        from helpers_of_late import size
        return np.full(len(bars), size())
"""


def test_what_is_imported_as_it_runs_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    file, helpers, further = (tmp_path / f"{name}.py" for name in ("late", "helpers_of_late", "further_of_late"))
    file.write_text(LATE)
    further.write_text("ONE = 1.0\n")
    helpers.write_text("def size():\n    import further_of_late\n    return further_of_late.ONE\n")
    before, again = source_of(find(str(file))), source_of(find(str(file)))
    assert before == again
    assert "import numpy" not in before, "what a file says at its top is told by the names that are used"
    further.write_text("ONE = 0.5\n")
    changed = source_of(find(str(file)))
    assert changed != before
    helpers.write_text("def size():\n    return 1.0\n")
    assert source_of(find(str(file))) not in (before, changed)
    (tmp_path / "beside.py").write_text("UNUSED = 1\n")
    assert "UNUSED" not in source_of(find(str(file)))


def test_what_holds_itself_comes_to_an_end() -> None:
    held: list[Any] = [np.arange(3.0), {"a", "b"}]
    held.append(held)
    mine = find("sma-crossover")
    mine.held = held  # type: ignore[union-attr]
    before = source_of(mine)
    assert before == source_of(mine)
    held[0] = np.arange(4.0)
    assert before != source_of(mine)


def test_what_is_not_reached_and_libraries_are_left_out() -> None:
    class Plain(ek.SignalStrategy):
        name = "plain"

        def warmup(self, params: Params) -> int:
            return 0

        def signals(self, bars: ek.Bars, params: Params) -> Floats:
            return np.zeros(len(bars))

    found = source_of(Plain())
    assert "np.zeros" in found
    assert "def zeros" not in found
    assert "class SignalStrategy" not in found
    assert len(found) < 1_000
