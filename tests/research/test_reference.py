"""Results equal plain Python to the cent, whoever wrote the strategy, and no code asks what a strategy is called."""

import ast
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evenkeel as ek
from benchmarks.own import OwnByBar
from benchmarks.workload import Case, agreed, cross, load, mixed, reference, save, terms, walk
from evenkeel.research.backtest.finding import known
from tests.tidy.sources import SRC, tree

ROOMS = ("research", "quant", "trading")
REGISTRY = SRC / "trading/strategies/registry.py"  # finds templates by their names, and may look at them
CASES = [*mixed(12), cross(2, 3), cross(49, 200)]


def said(case: Case) -> str:
    return f"{case.built_in}-{'-'.join(str(value) for value in case.params.values())}"


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("case", CASES, ids=said)
def test_both_forms_find_what_plain_python_finds(case: Case, seed: int) -> None:
    bars = walk(3_000, seed)
    expected = reference(case, bars)
    assert expected.fills > 0
    agreed(case.run(bars), expected)
    agreed(case.run(bars, own=True), expected)


@given(seed=st.integers(0, 2**32), count=st.integers(1, 400), fast=st.integers(1, 20), more=st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_crossovers_of_all_lengths(seed: int, count: int, fast: int, more: int) -> None:
    bars, case = walk(count, seed), cross(fast, fast + more)
    expected = reference(case, bars)
    agreed(ek.backtest(case.built_in, bars, params=case.params, check=False, **terms()), expected)
    agreed(ek.backtest(case.own, bars, params=case.own_params, check=False, **terms()), expected)


@pytest.mark.parametrize("seed", [4, 5])
def test_the_event_driven_engine_finds_the_same(seed: int) -> None:
    bars = walk(5_000, seed)
    expected = reference(cross(), bars)
    agreed(ek.backtest(OwnByBar, bars, **terms() | {"engine": "event"}), expected)
    agreed(ek.backtest("sma-cross", bars, **terms() | {"engine": "event"}), expected)


def test_more_fills_than_there_was_room_for() -> None:
    bars, case = walk(20_000), cross(1, 2)
    expected = reference(case, bars)
    assert expected.fills > 1_024 + len(bars) // 4
    agreed(case.run(bars), expected)


def test_the_bars_are_those_that_the_figures_speak_of() -> None:
    bars = walk(10_000, 5)
    assert (bars.open[1:] != bars.close[:-1]).all()
    assert all((values == np.rint(values)).all() for values in (bars.open, bars.high, bars.low, bars.close))
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert bars.timeframe == "1m"
    assert not walk(10_000, 6).equals(bars)
    assert walk(10_000, 5).equals(bars)


def test_bars_come_back_from_their_file(tmp_path: Path) -> None:
    save(tmp_path / "bars.npz", walk(100))
    assert load(tmp_path / "bars.npz").equals(walk(100))


@cache
def names() -> set[str]:
    """What the strategies that come along are called."""
    return {word for info in known().infos() for word in (info.name, *info.aliases)}


def asks_for_a_built_in(test: ast.AST) -> bool:
    """Whether a comparison has the name of a template in it."""
    return any(isinstance(part, ast.Constant) and part.value in names() for part in ast.walk(test))


def asks_for_a_strategy(test: ast.AST) -> bool:
    """Whether a comparison looks at the name of a strategy or of its class."""
    owners = [
        ast.unparse(part.value).lower()
        for part in ast.walk(test)
        if isinstance(part, ast.Attribute) and part.attr in ("name", "aliases", "__name__", "__qualname__")
    ]
    looks = any(word in owner for owner in owners for word in ("strategy", "template", "found", "type("))
    return looks or asks_for_a_built_in(test)


def comparisons(module: ast.Module) -> list[ast.AST]:
    found: list[ast.AST] = []
    for node in ast.walk(module):
        if isinstance(node, ast.Compare):
            found.append(node)
        elif isinstance(node, ast.Match):
            found += [case.pattern for case in node.cases]
            found.append(node.subject)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".startswith", ".endswith", ".match")):
            found.append(node)
    return found


def test_no_code_branches_on_the_name_of_a_strategy() -> None:
    seen = [
        f"{path.relative_to(SRC)}: {ast.unparse(test)}"
        for room in ROOMS
        for path in sorted((SRC / room).rglob("*.py"))
        for test in comparisons(tree(path))
        if (asks_for_a_built_in(test) if path == REGISTRY else asks_for_a_strategy(test))
    ]
    assert seen == []


@pytest.mark.parametrize(
    "code",
    [
        "if strategy.name == 'x': fast()",
        "chosen = fast if self.strategy.name in known else slow",
        "if name == 'sma-crossover': fast()",
        "if word in ('sma-cross', 'rsi'): fast()",
        "match name:\n    case 'rsi':\n        fast()",
        "if type(strategy).__name__ == 'Rsi': fast()",
        "if name.startswith('sma-crossover'): fast()",
    ],
)
def test_the_check_sees_what_it_looks_for(code: str) -> None:
    assert [test for test in comparisons(ast.parse(code)) if asks_for_a_strategy(test)]
