"""Few assets, none of them small: an exact search over which are held, by an objective's answers in smaller rooms.

A node fixes some assets as held and some as left out and forgets the rest of the rule; its answer is at least as good
as any below it. Nodes are opened best first, so the first whose answer keeps to the rule is the best there is (branch
and bound; Land and Doig 1960).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.portfolio.room import Room

MOST_NODES = 20_000
_HELD = 1e-7
Held = frozenset[int]


def best(room: Room, answer: Callable[[Room], Floats], cost: Callable[[Floats], float]) -> Floats:
    """The weights (n,) of least `cost` that keep to the room and its rule of few assets.

    `answer` gives the weights of least cost in any room without such a rule. Raises InvalidInput where none keep to it,
    and where `MOST_NODES` answers do not prove which are best.
    """
    search = _Search(room, answer, cost)
    search.open(frozenset(np.flatnonzero(room.lower > 0.0).tolist()), frozenset())
    while search.nodes:
        _, _, weights, held, out = heapq.heappop(search.nodes)
        place = _undecided(room, weights, held)
        if place is None:
            return np.where(np.abs(weights) > _HELD, weights, 0.0) if room.max_assets is not None else weights
        search.open(held, out | {place})
        search.open(held | {place}, out, known=weights)
    raise InvalidInput(
        f"no portfolio keeps to all constraints with {room.few_in_words()}: allow more assets, or smaller weights"
    )


def _undecided(room: Room, weights: Floats, held: Held) -> int | None:
    """The asset by which these weights break the rule the most, None where they keep to it."""
    size = np.abs(weights)
    free = np.array([place not in held for place in range(room.size)])
    if room.max_assets is not None and int((size > _HELD).sum()) > room.max_assets:
        return int(np.argmax(np.where(free, size, -1.0)))
    small = free & (size > _HELD) & (size < room.min_weight - _HELD)
    return int(np.argmax(np.where(small, size, -1.0))) if small.any() else None


@dataclass
class _Search:
    room: Room
    answer: Callable[[Room], Floats]
    cost: Callable[[Floats], float]

    def __post_init__(self) -> None:
        self.nodes: list[tuple[float, int, Floats, Held, Held]] = []
        self.count = 0

    def open(self, held: Held, out: Held, known: Floats | None = None) -> None:
        """Adds a node where it has room; `known` is the answer of the node it comes from, which had more room."""
        most = self.room.max_assets
        if most is not None and len(held) > most:
            return
        full = most is not None and len(held) == most
        weights = known
        if known is None or full or self.room.min_weight > 0.0:
            try:
                weights = self.answer(self._room(held, out, full=full))
            except InvalidInput:
                return
        assert weights is not None
        self.count += 1
        if self.count > MOST_NODES:
            raise InvalidInput(
                f"{MOST_NODES:,} portfolios do not prove which is best with {self.room.few_in_words()}: "
                "leave out assets, or allow more"
            )
        heapq.heappush(self.nodes, (self.cost(weights), self.count, weights, held, out))

    def _room(self, held: Held, out: Held, *, full: bool) -> Room:
        lower, upper = np.minimum(self.room.lower, 0.0), self.room.upper.copy()
        must = sorted(held)
        lower[must] = np.maximum(self.room.lower[must], self.room.min_weight or self.room.lower[must])
        gone = sorted(set(range(self.room.size)) - held) if full else sorted(out)
        lower[gone] = upper[gone] = 0.0
        if np.any(lower > upper) or lower.sum() > self.room.total or upper.sum() < self.room.total:
            raise InvalidInput("the bounds leave nothing")
        return replace(self.room, lower=lower, upper=upper, max_assets=None, min_weight=0.0)
