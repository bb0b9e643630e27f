"""A sweep of a thousand pairs of averages on one core, for the template that comes along and for a user's own strategy.

A few of its rows are compared with plain Python first: equity to the cent, and the number of fills.
"""

import time
from typing import Any

import evenkeel as ek
from benchmarks.machine import facts
from benchmarks.own import OwnCross
from benchmarks.timing import timed
from benchmarks.workload import SEED, Found, check, cross, reference, terms, walk
from evenkeel.research.search.sweep import sweep as run_grid

FAST, SLOW = range(5, 25), range(30, 230, 4)
CHECKED = ((5, 30), (5, 226), (9, 46), (14, 130), (24, 30), (24, 226))
TARGET_MS = {"built_in": 500.0, "own": 750.0}


def sweep(*, seed: int = SEED, bars: int = 100_000, repeat: int = 7) -> dict[str, Any]:
    """Fast 5 to 24 by slow 30 to 226 in steps of 4, a thousand backtests on one-minute bars, by one process."""
    series = walk(bars, seed)
    expected = {pair: reference(cross(*pair), series) for pair in CHECKED}
    forms: dict[str, tuple[Any, dict[str, Any]]] = {
        "built_in": (cross().built_in, {"fast": FAST, "slow": SLOW}),
        "own": (OwnCross, {"short": FAST, "long": SLOW}),
    }
    found: dict[str, Any] = {"benchmark": "sweep", "result": {"pairs": len(FAST) * len(SLOW)}}
    for form, (strategy, grid) in forms.items():
        found[form] = _measured(form, strategy, series, grid=grid, expected=expected, repeat=repeat)
    fills = sum(one.fills for one in expected.values())
    if fills == 0:
        raise RuntimeError("not one order was filled, so there is nothing to compare")
    found["result"] |= {"checked": len(expected), "fills_of_these": fills, "equal_to_plain_python": True}
    return found | {"seed": seed, "bars": bars, "repeat": repeat, "machine": facts()}


def _measured(
    form: str,
    strategy: Any,
    series: ek.Bars,
    *,
    grid: dict[str, Any],
    expected: dict[tuple[int, int], Found],
    repeat: int,
) -> dict[str, Any]:
    """The first sweep, which holds the look-ahead checks, is apart."""
    begun = time.perf_counter()
    table = run_grid(strategy, series, grid=grid, **terms())
    first = time.perf_counter() - begun
    names = list(grid)
    rows = {tuple(row[name] for name in names): row for row in table.to_dicts()}
    for pair, wanted in expected.items():
        row = rows[pair]
        check(Found(row["final_equity"], row["fills"]), wanted, of=f"the sweep of {form} at {pair}")
    taken = timed(lambda: run_grid(strategy, series, grid=grid, **terms()), repeat)
    target = TARGET_MS[form]
    return {
        "first_with_checks_ms": round(first * 1000, 1),
        **taken,
        "target_ms": target,
        "reached": taken["min_ms"] <= target,
    }
