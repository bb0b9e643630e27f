"""Orders for later: terms by which an order is held, follows the price or ends, read and made whole at the door.

What depends on the calendar or on stored bars is worked out here, once, and goes into the order with what it was made
of: the engine reads neither. The same request sent again finds the order that it made, with what was worked out then.
"""

import asyncio
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from evenkeel.domain.errors import NotFound
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import exact, mul
from evenkeel.domain.orders import AverageRange, OrderSpec, Trail, Trigger
from evenkeel.server import requests, wire
from evenkeel.server.bars import bars_as_known, moment_of, seen_until
from evenkeel.server.parts import AppParts

if TYPE_CHECKING:
    from evenkeel.market.bars import Bars

_HUNDREDTH = Decimal("0.01")
_BARS_OF_PERIOD = 20
_TRAILS = ("trail_amount", "trail_percent", "trail_atr")


def later_terms(given: requests.OrderTerms, fields: wire.Fields) -> dict[str, Any]:
    """The fields of an `OrderSpec` that say what it waits for, how its stop follows and when it ends."""
    numbers = given.trigger_price, given.trail_amount, given.trail_percent, given.trail_limit_offset
    if given.trail_atr is None and given.expires_at is None and not any(numbers):
        return {}
    trigger = fields.number("trigger_price", given.trigger_price)
    amount, percent = (fields.number(name, getattr(given, name)) for name in _TRAILS[:2])
    found: dict[str, Any] = {}
    if trigger is not None:
        found["trigger"] = Trigger(trigger)
    offset = fields.number("trail_limit_offset", given.trail_limit_offset, "not-negative")
    trail = read_trail(fields, amount=amount, percent=percent, ranges=given.trail_atr, offset=offset)
    if trail is not None:
        found["trail"] = trail
    if given.expires_at is not None:
        found["expires_at"] = read_moment("expires_at", given.expires_at, fields=fields) or 0
    return found


def read_trail(
    fields: wire.Fields,
    *,
    amount: Decimal | None,
    percent: Decimal | None,
    ranges: requests.TrailRange | None = None,
    offset: Decimal | None = None,
) -> Trail | None:
    """How far the stop stays behind, of which one thing says it, and the limit beyond it; an average range has no
    amount yet, and what changes only the limit has no distance."""
    given = [name for name, value in zip(_TRAILS, (amount, percent, ranges), strict=True) if value is not None]
    if len(given) > 1:
        fields.fault(given[-1], f"either this or {given[0]}")
    if ranges is not None:
        multiple = fields.required("trail_atr.multiple", ranges.multiple)
        return Trail(average_range=AverageRange(multiple, ranges.period, ranges.timeframe), limit_offset=offset)
    if percent is not None:
        return Trail(fraction=mul(percent, _HUNDREDTH), limit_offset=offset)
    return None if (amount, offset) == (None, None) else Trail(amount=amount, limit_offset=offset)


def read_moment(name: str, text: str, *, fields: wire.Fields) -> int | None:
    """A moment in ns, which must say its time zone; None after a fault."""
    moment = moment_of(name, text, fields)
    if moment is not None and (plain := datetime.fromisoformat(text)).tzinfo is None:
        whole = plain.isoformat()
        fields.fault(name, f"{text} says no time zone: write {whole}Z, or an offset such as {whole}+05:30")
        return None
    return moment


async def completed(parts: AppParts, spec: OrderSpec, fields: wire.Fields, *, after_market: bool) -> OrderSpec:
    """An order with its average range in price, and with the next open of its exchange where it is for after-market."""
    state = parts.runner.state
    if fields.faults or not (after_market or (spec.trail is not None and spec.trail.average_range is not None)):
        return spec
    before = state.client_ids.get((spec.account_id, spec.client_order_id))
    if before is not None:
        return _as_before(state.orders[before].spec, spec, after_market=after_market)
    instrument = state.instruments[spec.instrument_id]
    if after_market:
        opens = await asyncio.to_thread(next_open, instrument, parts.runner.clock.now())
        spec = msgspec.structs.replace(spec, not_before=opens)
    if spec.trail is not None and spec.trail.average_range is not None:
        spec = msgspec.structs.replace(spec, trail=await ranged(parts, instrument, spec.trail, fields))
    return spec


def _as_before(known: OrderSpec, spec: OrderSpec, *, after_market: bool) -> OrderSpec:
    """The order as it was made whole when it was asked for first, where the same is asked again."""
    if after_market and known.not_before:
        spec = msgspec.structs.replace(spec, not_before=known.not_before)
    if spec.trail is not None and known.trail is not None and spec.trail.average_range == known.trail.average_range:
        spec = msgspec.structs.replace(spec, trail=msgspec.structs.replace(spec.trail, amount=known.trail.amount))
    return spec


def next_open(instrument: Instrument, now: int) -> int:
    """The next moment (ns) at which a session of the instrument's exchange opens, after `now`."""
    from evenkeel.market.calendars import calendar

    sessions = calendar(instrument.calendar)
    day: date = sessions.local_date(now) - timedelta(days=1)
    session = sessions.next_session(day)
    while session.open <= now:
        session = sessions.next_session(session.date)
    return session.open


async def ranged(parts: AppParts, instrument: Instrument, trail: Trail, fields: wire.Fields) -> Trail:
    """A trail with the amount that its multiple of the average true range comes to, by the bars stored until now."""
    wanted, at = trail.average_range, seen_until(parts)
    assert wanted is not None
    try:
        bars = await asyncio.to_thread(bars_as_known, parts.bars, instrument, timeframe=wanted.timeframe, at=at)
    except NotFound:
        none = f"no {wanted.timeframe} bars of {instrument.symbol} are stored"
        fields.fault("trail_atr", f"{none}: import some, name a timeframe of which there are, or trail by an amount")
        return trail
    amount = _range_amount(bars.tail(_BARS_OF_PERIOD * wanted.period), wanted, instrument)
    if amount is None:
        held = f"{len(bars)} bars of {instrument.symbol} {wanted.timeframe} are stored"
        fields.fault("trail_atr", f"{held}, and a period of {wanted.period} needs {wanted.period + 1}")
        return trail
    return msgspec.structs.replace(trail, amount=amount)


def _range_amount(bars: "Bars", wanted: AverageRange, instrument: Instrument) -> Decimal | None:
    from evenkeel.quant.indicators.momentum import atr

    if len(bars) <= wanted.period:
        return None
    average = float(atr(bars.high, bars.low, bars.close, wanted.period)[-1])
    return max(instrument.tick_size, exact(average * float(wanted.multiple), instrument.tick_size))
