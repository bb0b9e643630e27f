"""Every benchmark runs at a tiny size, checks its result, and prints figures that can be read."""

import json
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.__main__ import BENCHMARKS
from tests.services import ROOT

TINY = {
    "orders": ("--seconds", "1", "--case", "basket", "--database", "sqlite"),
    "posts": ("--connections", "4", "--orders", "40", "--seconds", "10"),
    "latency": ("--orders", "5", "--seconds", "10"),
    "webhooks": ("--orders", "10", "--database", "sqlite"),
    "restart": ("--orders", "200"),
    "panic": ("--accounts", "2", "--orders", "12", "--positions", "1"),
    "copy": ("--followers", "5", "--rounds", "4"),
    "engine": ("--orders", "300", "--instruments", "3", "--working", "50"),
    "journal": ("--seconds", "0.1"),
    "queries": ("--users", "2", "--positions", "10", "--instruments", "60", "--calls", "3", "--database", "sqlite"),
    "simulator": ("--seeds", "5"),
    "replay": ("--seconds", "5"),
    "strategy-hosts": ("--deployments", "5", "--bars", "60"),
    "startup": ("--times", "1"),
    "import": ("--rows", "2000"),
    "backtest-100k": ("--bars", "3000", "--repeat", "2"),
    "backtest-1m": ("--bars", "5000", "--repeat", "2"),
    "month": ("--bars", "2000", "--repeat", "2"),
    "strategies-100": ("--bars", "2000", "--strategies", "6", "--repeat", "1"),
    "event-backtest": ("--bars", "3000", "--repeat", "1"),
    "event-month": ("--bars", "3000", "--strategies", "6", "--repeat", "1"),
    "event-idle": ("--bars", "3000", "--repeat", "1"),
    "event-quotes": ("--quotes", "2000", "--repeat", "1"),
    "cold": ("--bars", "2000", "--repeat", "1"),
    "optimizers": ("--sizes", "6,20", "--seconds", "0.05"),
    "peers": ("--bars", "2000", "--repeat", "1", "--rounds", "1"),
    "sweep": ("--bars", "2000", "--repeat", "1"),
}
QUICK = ("engine", "journal", "queries", "simulator", "import", "posts", "backtest-100k", "strategies-100")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100, check=False)


def figures(name: str) -> dict[str, Any]:
    done = run(name, *TINY[name])
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["result"]
    assert found["machine"]["cores"] >= 1
    return found


def test_every_benchmark_has_a_tiny_size() -> None:
    assert TINY.keys() == BENCHMARKS.keys()


@pytest.mark.parametrize("name", QUICK)
def test_quick_ones(name: str) -> None:
    figures(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TINY if name not in QUICK])
def test_the_others(name: str) -> None:
    figures(name)


@pytest.mark.parametrize("arguments", [("no-such",), ("--seconds", "1"), ("engine", "journal", "--seconds", "1")])
def test_what_cannot_be_run_is_said(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m benchmarks")
