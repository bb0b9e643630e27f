"""Seeded misfortune: what happens to a request, and in which shape its events arrive."""

from enum import StrEnum
from random import Random

from evenkeel.domain.events import AnyVenueEvent
from evenkeel.trading.brokers.simulated.wire import Faults


class Fate(StrEnum):
    """What becomes of one request: as it should, never taken, or taken and its answer lost, late or cut off."""

    FINE = "fine"
    LOST_REQUEST = "lost request"
    LOST_REPLY = "lost reply"
    LATE_REPLY = "late reply"
    CUT_REPLY = "cut reply"


class Misfortune:
    """Draws from one generator, so that the same seed and requests meet the same faults."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._random = Random(faults.seed)  # noqa: S311 - it must be repeatable, not secret

    def fate(self, kind: str) -> Fate:
        faults = self.faults
        if kind not in faults.on:
            return Fate.FINE
        chances = (
            (Fate.LOST_REQUEST, faults.lost_request),
            (Fate.LOST_REPLY, faults.lost_reply),
            (Fate.LATE_REPLY, faults.late_reply),
            (Fate.CUT_REPLY, faults.cut_reply),
        )
        drawn = self._random.random()
        for fate, chance in chances:
            if drawn < chance:
                return fate
            drawn -= chance
        return Fate.FINE

    def arrivals(self, events: list[AnyVenueEvent]) -> tuple[list[AnyVenueEvent], list[AnyVenueEvent]]:
        """(told at once, told `delay` later): some lost, some twice, some late, perhaps out of order."""
        faults, chance = self.faults, self._random.random
        now: list[AnyVenueEvent] = []
        later: list[AnyVenueEvent] = []
        for event in events:
            if chance() < faults.lost_events:
                continue
            target = later if chance() < faults.late_events else now
            target.extend([event, event] if chance() < faults.duplicate_events else [event])
        if chance() < faults.shuffled_events:
            self._random.shuffle(now)
        return now, later
