"""Reads what is asked of composite orders: their terms from a body, made whole by the clock and stored bars.

The same body sent again finds what was worked out when it came first.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from msgspec import Raw, structs

from evenkeel.domain import composites as d
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.orders import OrderSpec, Trail
from evenkeel.server import composites as c
from evenkeel.server import requests, wire
from evenkeel.server.api.trading import find_book, order_spec
from evenkeel.server.order_terms import next_open, ranged, read_moment, read_trail
from evenkeel.server.pacing import Timed, laid
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant

if TYPE_CHECKING:
    from fastapi import Request

_PACED = ("parts", "slices", "twap", "vwap", "participation")


class Reader:
    """One body being read. `known` are the terms that it was made of when it came first, if it did."""

    def __init__(self, parts: AppParts, given: c.Guards, *, kind: str, known: d.Terms | None) -> None:
        self.parts = parts
        self.given = given
        self.kind = kind
        self.known = known
        self.fields = wire.Fields()

    def check_fields(self) -> None:
        """Faults for what its kind has not, and what it needs."""
        allowed = {*c.FIELDS_OF[self.kind]}
        for names in c.FIELDS_OF.values():
            for name in names:
                if name not in allowed and _is_given(getattr(self.given, name, None)):
                    self.fields.fault(name, f"a composite of kind {self.kind} has none")
                    allowed.add(name)

    async def trail(self, instrument: Instrument) -> Trail | None:
        """The trail of a stop, with the average range of now where it is made of that."""
        amount, percent = (
            self.fields.number(name, getattr(self.given, name)) for name in ("trail_amount", "trail_percent")
        )
        trail = read_trail(self.fields, amount=amount, percent=percent, ranges=self.given.trail_atr)
        if trail is None or trail.average_range is None or self.fields.faults:
            return trail
        before = getattr(self.known, "trail", None)
        if before is not None and before.average_range == trail.average_range:
            return cast("Trail", before)
        return await ranged(self.parts, instrument, trail, self.fields)

    async def pace(self, instrument: Instrument) -> d.Pace | None:
        """The pace of slices; None after a fault."""
        given, fields = self.given, self.fields
        match self.kind:
            case "parts":
                return d.Parts(fields.required("size", given.size))
            case "participation":
                most, end = fields.number("most", given.most), self._moment("end")
                return d.Participation(self._needed("share") or 1.0, most, end or 0)
            case "slices":
                every, count = self._needed("every") or 0, self._needed("count") or 0
                timed: Timed = d.Fixed(count, every * SECOND, given.randomise or 0.0)
            case "twap":
                timed = d.Twap(*self._times(), given.randomise or 0.0)
            case _:
                timed = d.Vwap(*self._times(), randomise=given.randomise or 0.0)
        before = getattr(self.known, "pace", None)
        return timed if fields.faults else await laid(self.parts, instrument, timed, before=before, fields=fields)

    def _needed(self, name: str) -> Any:
        value = getattr(self.given, name)
        if value is None:
            self.fields.fault(name, "is required")
        return value

    def _moment(self, name: str) -> int | None:
        text = getattr(self.given, name)
        return None if text is None else read_moment(name, text, fields=self.fields)

    def _times(self) -> tuple[int, int, int]:
        """(start, end, every) in ns; it begins now, or when it did, where no start is given."""
        start, end = self._moment("start"), self._moment("end")
        every = (self._needed("every") or 0) * SECOND
        if start is None:
            before = getattr(self.known, "pace", None)
            start = getattr(before, "start", None) or self.parts.runner.clock.now()
        if end is None and self.given.end is None:
            self.fields.fault("end", "is required")
        return start, end or 0, every


def _is_given(value: Any) -> bool:
    return value is not None and not (isinstance(value, Raw) and bytes(value) in (b"", b"null"))


async def read_new(
    request: "Request", seen: Tenant, *, parts: AppParts, given: c.NewComposite, name: str, received: int
) -> d.Terms:
    """The terms of a new composite. Raises InvalidInput with every fault."""
    names, state = parts.runner.state.composites.names, parts.runner.state
    before = state.composites.find(names.get((given.account_id, name), ""))
    reader = Reader(parts, given, kind=given.kind, known=None if before is None else before.asked)
    if not seen.owns(given.account_id):
        reader.fields.fault("account_id", f"there is no account {given.account_id!r} of yours")
    find_book(seen, given.book, reader.fields)
    reader.check_fields()
    least, most = c.ORDERS_OF.get(given.kind, (1, 1))
    if not least <= len(given.orders) <= most:
        reader.fields.fault(
            "orders", f"a composite of kind {given.kind} has {least if least == most else f'{least} to {most}'}"
        )
    specs = [
        _spec(request, seen, given=given, leg=leg, place=place, reader=reader, received=received, name=name)
        for place, leg in enumerate(given.orders)
    ]
    reader.fields.check("the order is not valid")
    specs = [await _later(parts, spec, leg=leg, reader=reader) for spec, leg in zip(specs, given.orders, strict=True)]
    terms = await _terms(reader, given, specs=specs)
    reader.fields.check("the order is not valid")
    assert terms is not None
    return terms


def _spec(
    request: "Request",
    seen: Tenant,
    *,
    given: c.NewComposite,
    leg: requests.LegTerms,
    place: int,
    reader: Reader,
    received: int,
    name: str,
) -> OrderSpec:
    own: Mapping[str, Any] = {one: getattr(leg, one) for one in leg.__struct_fields__}
    order = requests.OrderTerms(**own, book="manual", client_order_id=name)
    found = wire.Fields()
    spec = order_spec(request, seen, order, given.account_id, fields=found, received=received)
    for fault in found.faults:
        reader.fields.fault(f"orders.{place}.{fault.field}", fault.message)
    return structs.replace(spec, book=given.book)


async def _later(parts: AppParts, spec: OrderSpec, *, leg: requests.LegTerms, reader: Reader) -> OrderSpec:
    """An order with the next open where it is for after-market, and with its average range in price."""
    instrument = parts.runner.state.instruments[spec.instrument_id]
    known = () if reader.known is None else d.specs_of(reader.known)
    alike = [one for one in known if structs.replace(spec, not_before=one.not_before, trail=one.trail) == one]
    if alike and (leg.after_market or spec.trail is not None):
        return alike[0]
    if leg.after_market:
        spec = structs.replace(
            spec, not_before=await asyncio.to_thread(next_open, instrument, parts.runner.clock.now())
        )
    if spec.trail is not None and spec.trail.average_range is not None:
        spec = structs.replace(spec, trail=await ranged(parts, instrument, spec.trail, reader.fields))
    return spec


async def _terms(reader: Reader, given: c.NewComposite, *, specs: list[OrderSpec]) -> d.Terms | None:
    fields, first = reader.fields, specs[0]
    instrument = reader.parts.runner.state.instruments[first.instrument_id]
    match given.kind:
        case "bracket":
            stop, goal = fields.number("stop_loss", given.stop_loss), fields.number("take_profit", given.take_profit)
            return d.Bracket(first, stop, goal, await reader.trail(instrument))
        case "cover":
            return d.Cover(first, fields.number("stop_loss", given.stop_loss), await reader.trail(instrument))
        case "oco":
            return d.OneCancelsOther(first, specs[1])
        case "iceberg":
            return d.Iceberg(first, fields.required("displayed", given.displayed))
        case "legs":
            return d.Legs(tuple(specs), given.on_failure or d.OnFailure.STOP)
        case _:
            pace = await reader.pace(instrument)
            return None if pace is None else d.Slices(first, pace)


async def read_change(parts: AppParts, standing: d.Terms, *, given: c.CompositeChange) -> d.CompositeChange:
    """What is to be otherwise of a composite. Raises InvalidInput with every fault."""
    reader = Reader(parts, given, kind=c.kind_of(standing), known=None)
    reader.check_fields()
    fields, state = reader.fields, parts.runner.state
    prices = {
        name: fields.number(name, getattr(given, name))
        for name in ("stop_loss", "take_profit", "limit_price", "stop_price", "displayed")
    }
    instrument = state.instruments[d.specs_of(standing)[0].instrument_id]
    trail = await reader.trail(instrument)
    pace = None
    if reader.kind in _PACED and any(_is_given(getattr(given, name)) for name in c.FIELDS_OF[reader.kind]):
        pace = await reader.pace(instrument)
    fields.check("the change is not valid")
    change = d.CompositeChange(**prices, trail=trail, pace=pace)
    if change == d.CompositeChange():
        raise InvalidInput("there is nothing to change")
    return change
