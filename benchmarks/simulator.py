"""The simulator's seeds: the whole trading core through every kind of fault, in virtual time."""

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.machine import facts
from tests.simulator.running import many


def simulator(*, seeds: int = 10_000, first: int = 100_000) -> dict[str, Any]:
    """How many seeds, from which on. A seed that fails is named with the invariant it breaks."""
    done = many(range(first, first + seeds))
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        return {
            "benchmark": "simulator",
            "what": f"{seeds} seeds of a desk, a venue, a trader and faults, each in virtual time until all is at rest",
            "result": done,
            "machine": facts(Path(folder)),
        }
