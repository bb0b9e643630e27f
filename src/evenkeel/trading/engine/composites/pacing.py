"""When the slices of an order are due, and how large each is: as its share of what is left then.

So what a slice could not fill, or missed while nothing ran, is spread over those that follow; the last takes the rest.
"""

from decimal import Decimal
from hashlib import blake2b

from evenkeel.domain.composites import Fixed, Pace, Participation, Parts, Slot, Spans, Twap, Vwap
from evenkeel.domain.money import ZERO, portion

MOST_SLICES = 1000


def count_of(pace: Pace) -> int:
    """How many slices a pace has; 0 for one that has no moments."""
    match pace:
        case Fixed():
            return pace.count
        case Twap(spans=spans) | Vwap(spans=spans) if spans:
            return len(spans)
        case Twap() | Vwap():
            return max(0, -(-(pace.end - pace.start) // pace.every)) if pace.every > 0 else 0
        case _:
            return 0


def slots_of(pace: Pace, at: int, *, seed: str) -> tuple[Slot, ...]:
    """The slices from `at` (ns) on. `seed` decides what is random about them, always alike."""
    if isinstance(pace, Parts | Participation):
        return ()
    weights = pace.profile if isinstance(pace, Vwap) else (1.0,) * count_of(pace)
    slots = []
    for number, (weight, (begins, until)) in enumerate(zip(weights, _spans_of(pace, at), strict=True)):
        later, more = _drawn(seed, f"{number}:moment"), _drawn(seed, f"{number}:size")
        moment = begins + int(pace.randomise * later * (until - begins))
        slots.append(Slot(moment, weight * (1.0 + pace.randomise * (2.0 * more - 1.0))))
    return tuple(slots)


def _spans_of(pace: Fixed | Twap | Vwap, at: int) -> Spans:
    """Where each slice lies: at the hours that its exchange keeps, or one after the other where it keeps none."""
    if pace.spans:
        return pace.spans
    start = at if isinstance(pace, Fixed) else pace.start
    moments = [start + number * pace.every for number in range(count_of(pace))]
    return tuple((moment, moment + pace.every) for moment in moments)


def _drawn(seed: str, name: str) -> float:
    """A number from 0 to 1 that a seed and a name always give."""
    digest = blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def end_of(pace: Pace) -> int:
    """The moment (ns) from which what is left is cancelled; 0 for none. A bar that closes at the end still counts."""
    return pace.end + 1 if isinstance(pace, Twap | Vwap | Participation) and pace.end else 0


def share_of(rest: Decimal, slots: tuple[Slot, ...], *, number: int, lot: Decimal) -> Decimal:
    """How much of `rest` the slot of that number takes, in whole lots: its weight among those not behind it."""
    left = sum(slot.weight for slot in slots[number:])
    if number == len(slots) - 1 or left <= 0.0:
        return rest
    part = portion(rest, Decimal(repr(slots[number].weight)), of=Decimal(repr(left)), step=lot)
    return min(rest, max(ZERO, part))
