"""Optimisers: six tasks at four sizes, beside PyPortfolioOpt and skfolio on the same returns, values checked first.

`python benchmarks/optimizers.py --json` prints a list with a row for each task and size; `--install` brings the peers
into a throwaway environment, `--environment FOLDER` keeps it. Every program runs in a process of its own, on one core
and one thread. The returns are made: a market, betas of 0.5 to 1.5, and what each asset has of its own.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # beside this file, copy.py would stand for Python's own

from benchmarks.machine import facts
from benchmarks.peers.compare import ONE_THREAD, ROOT, environment_of

PINS = ("PyPortfolioOpt==1.6.0", "skfolio==1.12.2")
SIZES = (20, 100, 500, 1000)
DAYS = 1000
TARGETS: dict[str, tuple[float, ...]] = {
    "min-variance": (0.2, 0.5, 20, 60),
    "max-sharpe": (0.2, 1, 20, 70),
    "frontier": (0.2, 1, 10, 60),
    "cvar": (25, 100, 600, 1500),
    "risk-parity": (0.1, 0.5, 2, 20),
    "hrp": (1, 5, 15, 60),
}
EXACT = ("min-variance", "max-sharpe", "frontier", "cvar")
_NEAR = 1e-8


def saved(file: Path, size: int, seed: int) -> None:
    """The last thousand returns of `size` assets, and mean and covariance of twice as many days as assets or more."""
    random = np.random.default_rng(seed)
    days = max(DAYS, 2 * size)
    market = random.normal(0.0003, 0.01, size=(days, 1))
    own = random.normal(0.0, 1.0, size=(days, size)) * random.uniform(0.01, 0.03, size=size)
    returns = market * random.uniform(0.5, 1.5, size=size) + own + random.normal(0.0002, 0.0003, size=size)
    np.savez(file, returns=returns[-DAYS:], mean=returns.mean(axis=0), covariance=np.cov(returns.T))


def run(program: str, python: str, file: Path, *, seconds: float) -> dict[str, Any]:
    """What a program's own process reports."""
    pinned = ["taskset", "-c", str(max(os.sched_getaffinity(0)))] if shutil.which("taskset") else []
    command = [*pinned, python, "-m", "benchmarks.peers.run_optimizers", program, str(file), str(seconds)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{program} failed:\n{done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def rows(size: int, sides: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a task; raises where a program reached a better value than ours, which then is not exact."""
    ours, found = sides["evenkeel"], []
    for task, figures in ours["tasks"].items():
        if "failed" in figures:
            raise RuntimeError(f"{task} of {size} assets: {figures['failed']}")
        peers = {
            name: said["tasks"][task] for name, said in sides.items() if name != "evenkeel" and task in said["tasks"]
        }
        for name, theirs in peers.items():
            better = figures["value"] - theirs.get("value", np.inf)
            if task in EXACT and better > _NEAR * abs(figures["value"]):
                raise RuntimeError(
                    f"{task} of {size} assets: {name} reached {theirs['value']}, ours {figures['value']}"
                )
        if task == "risk-parity" and figures["value"] > _NEAR:
            raise RuntimeError(f"risk parity of {size} assets: parts differ by {figures['value']} of their mean")
        target = TARGETS[task][SIZES.index(size)] if size in SIZES else None
        found.append({
            "task": task, "assets": size, "value": figures["value"], "cpu_ms": figures["cpu_min_ms"],
            "cpu_median_ms": figures["cpu_median_ms"], "target_ms": target,
            "reached": None if target is None else figures["cpu_min_ms"] <= target,
            "peers": {name: _beside(figures, theirs, sides[name]["version"]) for name, theirs in peers.items()},
        })  # fmt: skip
    return found


def _beside(ours: dict[str, Any], theirs: dict[str, Any], version: str) -> dict[str, Any]:
    if "failed" in theirs:
        return {"version": version, **theirs}
    return {
        "version": version,
        "cpu_ms": theirs["cpu_min_ms"],
        "value": theirs["value"],
        "times_ours": round(theirs["cpu_min_ms"] / max(ours["cpu_min_ms"], 1e-3), 1),
    }


def optimizers(
    *,
    install: bool = False,
    environment: str | None = None,
    sizes: str = ",".join(map(str, SIZES)),
    seconds: float = 2.0,
    seed: int = 1,
) -> dict[str, Any]:
    """Six tasks at each of `sizes`; with --install beside the peers. `seconds` is how long a task is run again."""
    table: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="evenkeel-optimizers-") as folder:
        peers = environment_of(Path(environment or f"{folder}/environment"), PINS) if install or environment else None
        for size in map(int, sizes.split(",")):
            file = Path(folder) / f"{size}.npz"
            saved(file, size, seed)
            sides = {"evenkeel": run("evenkeel", sys.executable, file, seconds=seconds)}
            for name in ("pypfopt", "skfolio") if peers else ():
                sides[name] = run(name, str(peers), file, seconds=seconds)
            table += rows(size, sides)
    reached = [one["reached"] for one in table if one["reached"] is not None]
    return {
        "benchmark": "optimizers",
        "result": {"rows": len(table), "values_checked": True, "reached": sum(reached), "of": len(reached)},
        "table": table,
        "seed": seed,
        "machine": facts(),
    }


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the list as JSON, else a line for each row")
    parser.add_argument("--install", action="store_true", help="bring the peers into a throwaway environment")
    parser.add_argument("--environment", help="a folder in which their environment is kept")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="how many assets, with commas between")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each task is run again (2)")
    parser.add_argument("--seed", type=int, default=1)
    given = vars(parser.parse_args(arguments))
    as_json = given.pop("json")
    table = optimizers(**given)["table"]
    if as_json:
        print(json.dumps(table, indent=2))
        return 0
    for one in table:
        print("  ".join(f"{name} {value}" for name, value in one.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
