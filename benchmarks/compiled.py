"""The compiled engine: one backtest, a hundred strategies, and how long the first one of all takes.

Each is measured for the template that comes along and for the same rule as a user's own strategy. What a run finds is
compared with plain Python first: equity to the cent, and the number of fills.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.machine import facts
from benchmarks.timing import timed
from benchmarks.workload import MONTH, SEED, Case, Found, agreed, check, cross, mixed, reference, save, walk

ROOT = Path(__file__).parent.parent
HELP = "from evenkeel.bootstrap import main; main()"
NAMES = "from evenkeel import Bars, backtest"


def backtest_100k(*, seed: int = SEED, bars: int = 100_000, repeat: int = 50) -> dict[str, Any]:
    """SMA(10)/SMA(50) on 100,000 one-minute bars."""
    return _one("backtest-100k", seed=seed, bars=bars, repeat=repeat, target_ms=(5.0, 10.0))


def backtest_1m(*, seed: int = SEED, bars: int = 1_000_000, repeat: int = 20) -> dict[str, Any]:
    """SMA(10)/SMA(50) on a million one-minute bars."""
    return _one("backtest-1m", seed=seed, bars=bars, repeat=repeat, target_ms=(25.0, 50.0))


def month(*, seed: int = SEED, bars: int = MONTH, repeat: int = 50) -> dict[str, Any]:
    """SMA(10)/SMA(50) on a month of one-minute bars."""
    return _one("month", seed=seed, bars=bars, repeat=repeat, target_ms=(100.0, 200.0))


def _one(name: str, *, seed: int, bars: int, repeat: int, target_ms: tuple[float, float]) -> dict[str, Any]:
    series, case = walk(bars, seed), cross()
    return _measured(name, [case], series, repeat=repeat, target_ms=target_ms) | {"seed": seed, "bars": bars}


def strategies_100(*, seed: int = SEED, bars: int = MONTH, strategies: int = 100, repeat: int = 10) -> dict[str, Any]:
    """A hundred strategies, crossovers, RSI and Donchian mixed, one backtest each on a month of one-minute bars."""
    series, cases = walk(bars, seed), mixed(strategies)
    found = _measured("strategies-100", cases, series, repeat=repeat, target_ms=(300.0, 600.0))
    return found | {"seed": seed, "bars": bars, "strategies": strategies}


def _measured(
    name: str, cases: list[Case], series: Any, *, repeat: int, target_ms: tuple[float, float]
) -> dict[str, Any]:
    """Both forms of every case checked, then timed; the first runs, which hold the look-ahead checks, are apart."""
    expected = [reference(case, series) for case in cases]
    found: dict[str, Any] = {"benchmark": name, "result": _said(expected)}
    for form, own, target in (("built_in", False, target_ms[0]), ("own", True, target_ms[1])):
        begun = time.perf_counter()
        results = [case.run(series, own=own) for case in cases]
        first = time.perf_counter() - begun
        for result, wanted in zip(results, expected, strict=True):
            agreed(result, wanted)
        del results, result
        taken = timed(lambda own=own: [case.run(series, own=own) for case in cases], repeat)  # type: ignore[misc]
        reached = {"target_ms": target, "reached": taken["min_ms"] <= target}
        found[form] = {"first_with_checks_ms": round(first * 1000, 1), **taken, **reached}
    return found | {"repeat": repeat, "machine": facts()}


def _said(expected: list[Found]) -> dict[str, Any]:
    fills = sum(one.fills for one in expected)
    if fills == 0:
        raise RuntimeError("not one order was filled, so there is nothing to compare")
    equity = sum(one.final_equity for one in expected)
    return {"final_equity": round(equity, 2), "fills": fills, "equal_to_plain_python": True}


def cold(*, seed: int = SEED, bars: int = 100_000, repeat: int = 3) -> dict[str, Any]:
    """What a new installation waits for: the import, the help, and a first backtest with nothing compiled yet."""
    series, case = walk(bars, seed), cross()
    expected = reference(case, series)
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        file = Path(folder) / "bars.npz"
        save(file, series)
        forms = {form: [_first(file, form, expected) for _ in range(repeat)] for form in ("built_in", "own")}
    figures = {
        "import": _least([_process("-c", "import evenkeel")[0] for _ in range(repeat)], 1.0),
        "import_backtest_and_bars": _least([_process("-c", NAMES)[0] for _ in range(repeat)], 1.0),
        "help": _least([_process("-c", HELP, "--help")[0] for _ in range(repeat)], 0.3),
    }
    figures |= {f"first_backtest_{form}": _least(taken, 5.0) for form, taken in forms.items()}
    return {"benchmark": "cold", "result": _said([expected]), **figures, "seed": seed, "bars": bars, "machine": facts()}


class Taken(NamedTuple):
    """Seconds of one process, on the clock and in processor time."""

    wall: float
    cpu: float


def _first(file: Path, form: str, expected: Found) -> Taken:
    """A fresh process from its import to the result, its cache of compiled code empty; `cpu` is the whole process's."""
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as cache:
        taken, said = _process("-m", "benchmarks.first", str(file), form, cache=cache)
        if not any(Path(cache).rglob("*.nbc")):
            raise RuntimeError(f"nothing was compiled into {cache}: it was not an empty cache that was measured")
    told = json.loads(said)
    check(Found(*told["found"]), expected, of=f"the first backtest ({form})")
    return Taken(told["import_s"] + told["run_s"], taken.cpu)


def _process(*arguments: str, cache: str | None = None) -> tuple[Taken, str]:
    """A whole Python process: what it took, and what it printed."""
    environment = os.environ | ({} if cache is None else {"NUMBA_CACHE_DIR": cache})
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), done.stdout


def _least(taken: list[Taken], target: float) -> dict[str, Any]:
    least = min(one.wall for one in taken)
    return {
        "min_s": round(least, 3),
        "median_s": round(median(one.wall for one in taken), 3),
        "cpu_min_s": round(min(one.cpu for one in taken), 3),
        "target_s": target,
        "reached": least <= target,
    }
