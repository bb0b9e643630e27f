"""How long a person waits: for `evenkeel --help`, and for the demonstration, cold and warm."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.desk import Desk, doctor
from benchmarks.machine import facts, spread

RUN = "from evenkeel.bootstrap import main; main()"


def _help(times: int) -> dict[str, Any]:
    cpu, wall = [], []
    for _ in range(times):
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run([sys.executable, "-c", RUN, "--help"], capture_output=True, text=True, check=True)
        wall.append(time.perf_counter() - begun)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if "demo" not in done.stdout:
            raise RuntimeError("the help does not speak of the demo")
    return {"cpu_s": spread(cpu), "seconds": spread(wall)}


def _demo(home: Path) -> dict[str, float]:
    with Desk(home, "--no-open", mode="demo", log_level="warning") as desk:
        cpu = sum(desk.cpu().values())
    return {
        "door_s": round(desk.door_seconds, 2),
        "ready_s": round(desk.ready_seconds, 2),
        "cpu_s": round(cpu, 2),
    }


def startup(*, times: int = 7) -> dict[str, Any]:
    """Help `times` over; the demo on an empty home without bytecode (cold), then on the same home again (warm)."""
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        home = Path(folder) / "home"
        empty = Path(folder) / "bytecode"
        os.environ["PYTHONPYCACHEPREFIX"] = str(empty)
        try:
            cold = _demo(home)
        finally:
            del os.environ["PYTHONPYCACHEPREFIX"]
        warm = sorted((_demo(home) for _ in range(3)), key=lambda one: one["ready_s"])
        report = doctor(home)
        return {
            "benchmark": "startup",
            "result": {"doctor_ok": report["ok"], "orders": report["orders"]},
            "help": _help(times),
            "demo_cold_empty_home_no_bytecode": cold,
            "demo_warm_median_of_three": warm[1],
            "machine": facts(Path(folder)),
        }
