"""What each side prints of its runs, so that all are measured alike. Standard library only."""

import json
import time
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.timing import timed


class Rule(NamedTuple):
    """The crossover and its terms, as every side is told them."""

    fast: int = 10
    slow: int = 50
    cash: float = 1_000_000.0
    fee: float = 0.0005
    units: int = 1


def report(version: str, run: Callable[[], tuple[float, int]], *, imported: float, repeat: int) -> None:
    """Runs once, then `repeat` times; `run` answers final equity and the number of fills."""
    begun = time.perf_counter()
    equity, fills = run()
    first = time.perf_counter() - begun
    said = {"version": version, "final_equity": float(equity), "fills": int(fills)}
    print(json.dumps({**said, "import_s": round(imported, 3), "first_s": round(first, 3), **timed(run, repeat)}))
