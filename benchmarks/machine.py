"""What the figures were taken on: processor, Python, load, and what the disk takes to make a write durable."""

import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SYNCS = 200


def spread(values: list[float], *, scale: float = 1.0, digits: int = 3) -> dict[str, float]:
    """p50, p95, p99 and the largest of `values`, each times `scale`."""
    ranked = sorted(values)

    def at(share: float) -> float:
        return round(ranked[min(len(ranked) - 1, int(share * len(ranked)))] * scale, digits)

    return {"p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": round(ranked[-1] * scale, digits)}


def fdatasync(folder: Path, count: int = SYNCS) -> dict[str, float]:
    """Milliseconds to append 4 KiB to a file in `folder` and make it durable."""
    block, taken = os.urandom(4096), []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(count):
            os.write(file.fileno(), block)
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    return spread(taken, scale=1000)


def python_loop() -> float:
    """CPU milliseconds of a fixed loop, median of five: how fast this machine is at the moment."""
    taken = []
    for _ in range(5):
        begun = time.process_time()
        total = 0
        for number in range(500_000):
            total += number & 7
        taken.append((time.process_time() - begun) * 1000)
    return round(sorted(taken)[2], 1)


def facts(folder: Path | None = None) -> dict[str, Any]:
    """The machine as it is now; `folder` lies on the disk that the benchmark writes to, None where it writes none."""
    found: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python_loop_ms": python_loop(),
        "load_1m": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }
    if folder is not None:
        found["fdatasync_ms"] = fdatasync(folder)
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
