"""Lays the slices of an order into the hours of its exchange, and finds what usually trades in each.

The engine reads neither calendars nor stored bars: what they say is worked out here, once, and stays in the pace.
"""

import asyncio
from collections.abc import Sequence
from itertools import islice

from msgspec.structs import replace

from evenkeel.domain import clock
from evenkeel.domain import composites as d
from evenkeel.domain.instruments import AROUND_THE_CLOCK, Instrument
from evenkeel.server import wire
from evenkeel.server.bars import seen_until
from evenkeel.server.order_terms import next_open
from evenkeel.server.parts import AppParts
from evenkeel.trading.engine.composites import pacing

Timed = d.Fixed | d.Twap | d.Vwap


async def laid(
    parts: AppParts, instrument: Instrument, pace: Timed, *, before: d.Pace | None, fields: wire.Fields
) -> Timed:
    """The pace with its slices while the exchange is open, and a vwap's with what usually trades then.

    `before` is what the same request found when it came first.
    """
    if isinstance(before, Timed) and _as_asked(before) == pace:
        return before
    if not isinstance(pace, d.Fixed) and pace.end <= pace.start:
        return pace
    numbers: Sequence[int] | None = None
    if instrument.calendar != AROUND_THE_CLOCK:
        numbers, spans = await asyncio.to_thread(_open_spans, instrument, pace, parts.runner.clock.now())
        if not spans or len(spans) > pacing.MOST_SLICES:
            _say_why(fields, instrument, pace, is_closed=not spans)
            return pace
        pace = replace(pace, spans=spans)
    if not isinstance(pace, d.Vwap) or not 2 <= pacing.count_of(pace) <= pacing.MOST_SLICES:
        return pace
    profile = await asyncio.to_thread(_profile, parts, instrument, pace=pace, numbers=numbers)
    if not sum(profile):
        symbol = instrument.symbol
        fields.fault("kind", f"no intraday bars of {symbol} with volume at these times are stored; use twap")
    return replace(pace, profile=profile)


def _as_asked(pace: Timed) -> Timed:
    """A pace without what was worked out for it."""
    return replace(pace, spans=(), profile=()) if isinstance(pace, d.Vwap) else replace(pace, spans=())


def _open_spans(instrument: Instrument, pace: Timed, now: int) -> tuple[list[int], d.Spans]:
    """Which stretches its exchange is open in, and when; one more than may be, where there are too many."""
    from evenkeel.market.calendars import calendar
    from evenkeel.market.hours import open_stretches

    start, end = (now, None) if isinstance(pace, d.Fixed) else (pace.start, pace.end)
    most = pace.count if isinstance(pace, d.Fixed) else pacing.MOST_SLICES + 1
    found = list(islice(open_stretches(calendar(instrument.calendar), start=start, every=pace.every, end=end), most))
    return [one.number for one in found], tuple((one.start, one.end) for one in found)


def _say_why(fields: wire.Fields, instrument: Instrument, pace: Timed, *, is_closed: bool) -> None:
    if not is_closed or isinstance(pace, d.Fixed):
        fields.fault("every", f"so long that there are at most {pacing.MOST_SLICES} slices")
        return
    opens = clock.iso(next_open(instrument, pace.start))
    closed = f"the exchange of {instrument.symbol} is closed from {clock.iso(pace.start)} until then"
    fields.fault("end", f"{closed}, and opens next at {opens}")


def _profile(
    parts: AppParts, instrument: Instrument, *, pace: d.Vwap, numbers: Sequence[int] | None
) -> tuple[float, ...]:
    """How the volume lies over the slices. Not for the event loop."""
    from evenkeel.market.profiles import usual_volume

    return usual_volume(
        parts.bars,
        instrument,
        start=pace.start,
        end=pace.end,
        every=pace.every,
        at=seen_until(parts),
        numbers=numbers,
    )
