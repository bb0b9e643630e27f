"""How long something takes, run again and again: its least and its median, on the clock and in processor time.

The least is what the work costs; the median also has what else the machine did. Standard library only, since it runs
in the environments of other programs, too.
"""

import time
from collections.abc import Callable
from statistics import median


def timed(run: Callable[[], object], times: int) -> dict[str, float]:
    """Milliseconds of `times` runs: min_ms and median_ms on the clock, cpu_min_ms and cpu_median_ms of this process."""
    wall, cpu = [], []
    for _ in range(times):
        begun, worked = time.perf_counter(), time.process_time()
        run()
        wall.append((time.perf_counter() - begun) * 1000)
        cpu.append((time.process_time() - worked) * 1000)
    return {
        "min_ms": round(min(wall), 3),
        "median_ms": round(median(wall), 3),
        "cpu_min_ms": round(min(cpu), 3),
        "cpu_median_ms": round(median(cpu), 3),
    }
