"""How long a bar lasts: 1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w, 1mo and what lies between."""

import re
from functools import lru_cache

from msgspec import Struct

from evenkeel.domain.errors import InvalidInput

UNITS = {"s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000, "d": 86_400_000_000_000}
UNITS["w"] = 7 * UNITS["d"]
UNITS["mo"] = 30 * UNITS["d"]
COMMON = ("1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w")

_WORDS = {
    "s": "s", "sec": "s", "second": "s", "m": "m", "min": "m", "minute": "m", "h": "h", "hour": "h", "hourly": "h",
    "d": "d", "day": "d", "daily": "d", "w": "w", "week": "w", "weekly": "w", "mo": "mo", "mon": "mo", "month": "mo",
    "monthly": "mo",
}  # fmt: skip
_PATTERN = re.compile(r"(\d*)\s*([a-z]+?)s?")


class Timeframe(Struct, frozen=True):
    """`count` units; `name` is the canonical text, such as 15m. `ns` is exact for s, m and h, nominal above."""

    name: str
    count: int
    unit: str

    @property
    def ns(self) -> int:
        return self.count * UNITS[self.unit]

    @property
    def intraday(self) -> bool:
        return self.unit in ("s", "m", "h")


@lru_cache(maxsize=256)
def timeframe(text: str) -> Timeframe:
    """The timeframe named by `text` (1h, 60m, hourly, D …). Raises InvalidInput."""
    match = _PATTERN.fullmatch(text.strip().lower() if text.strip() != "M" else "mo")
    unit = _WORDS.get(match[2]) if match else None
    count = int(match[1] or 1) if match else 0
    if match is None or unit is None or count < 1:
        raise InvalidInput(f"{text!r} is not a timeframe", hint=f"Use one of {', '.join(COMMON)}, or the like.")
    frame = _canonical(count, unit)
    if not frame.intraday and frame.count != 1:
        raise InvalidInput(f"{text!r} is not supported: above hours, bars last 1d, 1w or 1mo")
    if frame.intraday and frame.ns >= UNITS["d"]:
        raise InvalidInput(f"{text!r} does not fit in a day; use 1d")
    return frame


def ratio_of(higher: str, lower: str) -> int:
    """How many bars of `lower` one of `higher` has at most. Raises InvalidInput where it is no higher timeframe."""
    small, large = timeframe(lower), timeframe(higher)
    longest = 31 * UNITS["d"] if large.unit == "mo" else large.ns
    if large.ns <= small.ns:
        raise InvalidInput(
            f"{large.name} is no higher timeframe than {small.name}", hint=f"Choose one above {small.name}."
        )
    return -(-longest // small.ns)


def _canonical(count: int, unit: str) -> Timeframe:
    for small, large, size in (("s", "m", 60), ("m", "h", 60)):
        if unit == small and count % size == 0:
            count, unit = count // size, large
    if unit == "h" and count == 24:
        count, unit = 1, "d"
    return Timeframe(f"{count}{unit}", count, unit)
