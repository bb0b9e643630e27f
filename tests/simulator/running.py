"""Running many seeds, one after the other, and adding up what they came to."""

import gc
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from tests.simulator.faults import Fault
from tests.simulator.world import Failed, Outcomes, World

FORGET_EVERY = 25


def _drop(_logger: object, _method: str, _event: structlog.types.EventDict) -> structlog.types.EventDict:
    raise structlog.DropEvent


@contextmanager
def quietly() -> Iterator[None]:
    """Without the desk's log, since the story tells it; and without looking for garbage in the middle of a seed."""
    before = structlog.get_config()
    structlog.configure(processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger(50))
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        structlog.configure(**before)


def run(seed: int, *, without: Iterable[Fault] = (), copies: bool | None = None) -> Outcomes:
    """One seed; `copies` as of `World`. Raises Failed."""
    return World(seed, without=without, copies=copies).run()


def many(seeds: Iterable[int], *, without: Iterable[Fault] = (), copies: bool | None = None) -> dict[str, Any]:
    """Seeds, records, orders, fills, copies, processes, faults by kind, seeds a second, and the failures with their
    words."""
    totals, faults = Counter[str](), Counter[str]()
    failures: list[dict[str, object]] = []
    begun = time.perf_counter()
    with quietly():
        for seed in seeds:
            totals["seeds"] += 1
            try:
                done = run(seed, without=without, copies=copies)
            except Failed as failed:
                failures.append({"seed": seed, "words": str(failed).splitlines()[0]})
                continue
            totals.update(
                records=done.records, orders=done.orders, fills=done.fills, copies=done.copies, processes=done.lives
            )
            totals["virtual_seconds"] += round(done.seconds)
            faults.update(done.faults)
            if totals["seeds"] % FORGET_EVERY == 0:
                gc.collect()
    seconds = time.perf_counter() - begun
    return {
        **totals,
        "faults": dict(sorted(faults.items())),
        "seconds": round(seconds, 2),
        "seeds_per_second": round(totals["seeds"] / seconds, 1),
        "failures": failures,
    }
