"""The same crossover on the same bars by ours and by the peers, in turn, in processes of their own on one core."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.machine import facts
from benchmarks.peers.recorded import RECORDED
from benchmarks.workload import SEED, Found, check, cross, reference, save, walk

ROOT = Path(__file__).parent.parent.parent
PINS = ("vectorbt[rust]==1.2.0", "backtesting==0.6.6", "numpy==2.4.6", "pandas==3.1.1", "numba==0.68.1")
ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
OURS = "evenkeel"


class Side(NamedTuple):
    """A program, the way it is run, and which of our own it is set against."""

    program: str
    form: str = ""
    against: str = ""

    @property
    def name(self) -> str:
        return f"{self.program} {self.form}".strip()


MINE = (Side(OURS, "built_in"), Side(OURS, "own"), Side(OURS, "by_bar"))
PEERS = (
    Side("vectorbt", "rust", "evenkeel built_in"),
    Side("vectorbt", "numba", "evenkeel built_in"),
    Side("backtesting", "", "evenkeel by_bar"),
)


def peers(
    *,
    install: bool = False,
    environment: str | None = None,
    seed: int = SEED,
    bars: int = 100_000,
    repeat: int = 10,
    rounds: int = 3,
) -> dict[str, Any]:
    """The crossover by every side, in turn, `rounds` times; without --install, ours alone against what is recorded.

    --install makes a virtual environment in a folder that is thrown away after; --environment FOLDER keeps it there,
    and takes it as it is where it exists.
    """
    series = walk(bars, seed)
    expected = reference(cross(), series)
    with tempfile.TemporaryDirectory(prefix="evenkeel-peers-") as folder:
        file = Path(folder) / "bars.npz"
        save(file, series)
        python = environment_of(Path(environment or f"{folder}/environment"), PINS) if install or environment else None
        taken: dict[Side, list[dict[str, Any]]] = {side: [] for side in (*MINE, *(PEERS if python else ()))}
        for _ in range(rounds):
            for side, runs in taken.items():
                runs.append(run(side, python, file, repeat=repeat))
                check(Found(runs[-1]["final_equity"], runs[-1]["fills"]), expected, of=side.name)
    return {
        "benchmark": "peers",
        "result": {"final_equity": round(expected.final_equity, 2), "fills": expected.fills, "all_sides_equal": True},
        "recorded_and_equal": agreeing(seed, bars, expected),
        "sides": {side.name: figures(runs) for side, runs in taken.items()},
        "times_ours": ratios(taken),
        "installed": list(PINS) if python else "no peers: --install brings them",
        "seed": seed,
        "bars": bars,
        "repeat": repeat,
        "rounds": rounds,
        "machine": facts(),
    }


def environment_of(folder: Path, pins: Sequence[str]) -> Path:
    """The Python of a virtual environment that has `pins`, made where it is not there yet."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        made = shutil.which("python3") or sys.executable
        subprocess.run([made, "-m", "venv", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *pins], check=True, stdout=sys.stderr)
    return python


def run(side: Side, python: Path | None, file: Path, *, repeat: int) -> dict[str, Any]:
    """What a side's own process reports, pinned to one core where the system can."""
    pinned = ["taskset", "-c", str(max(os.sched_getaffinity(0)))] if shutil.which("taskset") else []
    interpreter = sys.executable if side.program == OURS or python is None else str(python)
    module = f"benchmarks.peers.run_{side.program}"
    command = [*pinned, interpreter, "-m", module, str(file), str(repeat), *([side.form] if side.form else [])]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{side.name} failed:\n{done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def figures(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of all rounds the least and the median; `very_first_s` is the first run of the first round, which may compile."""
    said = {name: runs[0][name] for name in ("version", "final_equity", "fills")}
    least = {name: min(one[name] for one in runs) for name in ("import_s", "first_s", "min_ms", "cpu_min_ms")}
    middle = {name: round(median(one[name] for one in runs), 3) for name in ("median_ms", "cpu_median_ms")}
    return said | {"very_first_s": runs[0]["first_s"]} | least | middle


def ratios(taken: dict[Side, list[dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """How many times our time a peer takes: of the least and the median, and the lowest and highest round's medians."""
    by_name = {side.name: runs for side, runs in taken.items()}
    found = {}
    for side, theirs in taken.items():
        if not side.against:
            continue
        ours = by_name[side.against]
        rounds = [one["cpu_median_ms"] / other["cpu_median_ms"] for one, other in zip(theirs, ours, strict=True)]
        one, other = figures(theirs), figures(ours)
        found[f"{side.name} / {side.against}"] = {
            **{name: round(one[name] / other[name], 2) for name in ("min_ms", "median_ms", "cpu_min_ms")},
            "cpu_median_ms_lowest_round": round(min(rounds), 2),
            "cpu_median_ms_highest_round": round(max(rounds), 2),
        }
    return found


def agreeing(seed: int, bars: int, expected: Found) -> list[str]:
    """The recorded answers for these bars, each compared with ours. Raises RuntimeError where one differs."""
    known = [one for one in RECORDED if (one.seed, one.bars) == (seed, bars)]
    for one in known:
        check(expected, Found(one.final_equity, one.fills), of=f"ours, against {one.peer} {one.version}")
    return [f"{one.peer} {one.version} on {one.date}" for one in known]
