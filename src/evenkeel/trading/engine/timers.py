"""Moments at which the engine has something to do though nothing has happened: an order expires, a slice is to go out.

The fold sets and drops them, so that a restart knows them; what is due is done by a handler that records what it did,
and thereby moves or drops the moment. A key is a kind, for which `HANDLERS` has the handler, and an id.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evenkeel.trading.engine.turn import Turn

NEVER = 2**63 - 1
Key = tuple[str, str]

HANDLERS: dict[str, Callable[["Turn", str], None]] = {}
"""By kind: does what is due for an id, and records something by which the fold moves or drops the moment."""


class Timers(dict[Key, int]):
    """The moment (ns) of each key; `next` is the earliest."""

    def __init__(self) -> None:
        super().__init__()
        self._heap: list[tuple[int, Key]] = []
        self.next = NEVER

    def set(self, kind: str, name: str, at: int) -> None:
        """Sets or moves a moment."""
        key = kind, name
        self[key] = at
        heappush(self._heap, (at, key))
        self.next = self._first()

    def drop(self, kind: str, name: str) -> None:
        """Forgets a moment; one that is not there is no fault."""
        if self.pop((kind, name), None) is not None:
            self.next = self._first()

    def due(self, at: int) -> list[Key]:
        """The keys whose moment has come by `at`, earliest first."""
        return sorted((key for key, moment in self.items() if moment <= at), key=lambda key: (self[key], key))

    def _first(self) -> int:
        heap = self._heap
        while heap and self.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else NEVER


def run(turn: "Turn") -> None:
    """Does all that is due by now, each once: what it sets for the same moment comes with the next event."""
    timers = turn.state.timers
    if turn.at < timers.next:
        return
    for key in timers.due(turn.at):
        moment = timers.get(key)
        if moment is not None and moment <= turn.at:
            HANDLERS[key[0]](turn, key[1])
            if timers.get(key) == moment:
                raise AssertionError(f"what was due of {key} was done, and is due still")
