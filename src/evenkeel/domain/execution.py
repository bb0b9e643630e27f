"""How the trades of a rebalance are carried out: as whole orders, or each as a sliced order over a while."""

from enum import StrEnum

from msgspec import Struct, field

from evenkeel.domain.clock import SECOND
from evenkeel.domain.composites import Fixed, Twap, Vwap
from evenkeel.domain.errors import FieldError

MOST_SLICES = 1_000


class ExecutionKind(StrEnum):
    """BASKET: whole orders; SLICES: equal parts, however long they take; TWAP: the same until an end, at which what is
    left is cancelled; VWAP: parts as large as what usually trades meanwhile."""

    BASKET = "basket"
    SLICES = "slices"
    TWAP = "twap"
    VWAP = "vwap"


class Execution(Struct, frozen=True, omit_defaults=True):
    """`count` slices, one `every` so often (ns). `profiles` have for an instrument what usually trades in each `every`
    from `since` (ns) on; where one does not reach, its slices are equal."""

    kind: ExecutionKind = ExecutionKind.BASKET
    count: int = 0
    every: int = 0
    since: int = 0
    profiles: dict[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def is_sliced(self) -> bool:
        return self.kind is not ExecutionKind.BASKET

    @property
    def pieces(self) -> int:
        """In how many orders a trade goes out."""
        return self.count if self.is_sliced else 1

    @property
    def duration(self) -> int:
        """How long (ns) one sliced order takes."""
        return self.count * self.every

    def pace(self, instrument_id: str, *, at: int) -> Fixed | Twap | Vwap:
        """The pace of a trade whose first slice is due at `at` (ns)."""
        if self.kind is ExecutionKind.SLICES:
            return Fixed(self.count, self.every)
        end, first = at + self.duration, max(0, at - self.since) // self.every
        profile = self.profiles.get(instrument_id, ())[first : first + self.count]
        if self.kind is ExecutionKind.TWAP or len(profile) < self.count or not sum(profile) > 0.0:
            return Twap(at, end, self.every)
        return Vwap(at, end, self.every, profile)


def execution_faults(this: Execution) -> list[FieldError]:
    """What makes no sense of it, by field."""
    if not this.is_sliced:
        return [FieldError("slices", "a basket goes out whole: leave it out")] if this.count or this.every else []
    found = []
    if not 2 <= this.count <= MOST_SLICES:
        found.append(FieldError("slices", f"2 to {MOST_SLICES}, not {this.count}"))
    if this.every < SECOND:
        found.append(FieldError("duration", "long enough for a second between two slices"))
    return found
