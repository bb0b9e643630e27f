"""What makes sense as a composite. Of the orders in it everything is asked that is asked of any order."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from msgspec import structs

from evenkeel.domain import composites as d
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import is_bookable, is_multiple
from evenkeel.domain.orders import OrderKind, OrderSpec, TimeInForce
from evenkeel.trading.engine.composites import pacing
from evenkeel.trading.engine.orders import check_spec
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.trailing import trail_faults

MOST_LEGS = 20
MOST_PARTS = 100
_PASSING = (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.BAR)


def check(state: State, terms: d.Terms) -> None:
    """Raises InvalidInput, listing every field that makes no sense."""
    specs = d.specs_of(terms)
    for spec in specs:
        check_spec(state, spec)
    faults = [*_common(specs), *_faults(state, terms)]
    if faults:
        raise InvalidInput("the order is not valid", errors=tuple(faults))


def lead_of(terms: d.Terms) -> OrderSpec:
    """The first of its orders. Raises InvalidInput where there is none."""
    specs = d.specs_of(terms)
    if not specs:
        raise InvalidInput("the order is not complete", errors=(FieldError("orders", f"2 to {MOST_LEGS} legs"),))
    return specs[0]


def _common(specs: tuple[OrderSpec, ...]) -> Iterator[FieldError]:
    if any((spec.account_id, spec.book) != (specs[0].account_id, specs[0].book) for spec in specs):
        yield FieldError("account_id", "all of its orders are of one account and book")
    if any(spec.link or spec.parent or spec.leg for spec in specs):
        yield FieldError("link", "its orders belong to nothing else")


def _faults(state: State, terms: d.Terms) -> Iterator[FieldError]:
    instrument = state.instruments[d.specs_of(terms)[0].instrument_id]
    match terms:
        case d.Bracket() | d.Cover():
            yield from _bracket_faults(state, terms, instrument=instrument)
        case d.OneCancelsOther():
            for name, spec in (("first", terms.first), ("second", terms.second)):
                is_resting = spec.kind is not OrderKind.MARKET or spec.trigger is not None
                if not is_resting or spec.time_in_force in _PASSING:
                    yield FieldError(name, "an order that rests: a limit, a stop or one with a trigger")
            yield from _crossed(terms)
        case d.Iceberg():
            yield from _at_once(terms.order)
            if terms.order.kind is not OrderKind.LIMIT or terms.order.time_in_force in _PASSING:
                yield FieldError("kind", "an iceberg is a LIMIT order, DAY or GTC")
            yield from _lots("displayed", terms.displayed, instrument=instrument)
            if terms.displayed >= terms.order.quantity:
                yield FieldError("displayed", f"less than the whole quantity of {terms.order.quantity}")
        case d.Slices():
            yield from _at_once(terms.order)
            if terms.order.kind not in (OrderKind.MARKET, OrderKind.LIMIT):
                yield FieldError("kind", "slices are MARKET or LIMIT orders")
            yield from _pace_faults(terms.pace, terms.order.quantity, instrument=instrument)
        case d.Legs():
            if not 2 <= len(terms.orders) <= MOST_LEGS:
                yield FieldError("orders", f"2 to {MOST_LEGS} legs")


def _crossed(terms: d.OneCancelsOther) -> Iterator[FieldError]:
    """A limit and a stop of which one executes at once wherever the market is, as when their prices are swapped."""
    first, second = terms.first, terms.second
    is_held = any(spec.trigger is not None or spec.not_before for spec in (first, second))
    if is_held or (first.instrument_id, first.side) != (second.instrument_id, second.side):
        return
    for limit, stop in ((first, second), (second, first)):
        if limit.kind is OrderKind.LIMIT and limit.limit_price and stop.kind is not limit.kind and stop.stop_price:
            below, above = ("below", "above") if limit.side.sign > 0 else ("above", "below")
            if (stop.stop_price - limit.limit_price) * limit.side.sign <= 0:
                message = f"{below} the stop of {stop.stop_price}, which is {above} the market while both rest"
                yield FieldError("limit_price", message)


def _at_once(spec: OrderSpec) -> Iterator[FieldError]:
    for name, waits in (("trigger_price", spec.trigger is not None), ("after_market", spec.not_before > 0)):
        if waits:
            yield FieldError(name, "its orders go out as they are placed, and wait for nothing")


def _lots(name: str, quantity: Decimal, *, instrument: Instrument) -> Iterator[FieldError]:
    if not is_bookable(quantity) or quantity <= 0 or not is_multiple(quantity, instrument.lot_size):
        yield FieldError(name, f"a positive multiple of the lot size {instrument.lot_size}")


def _ticks(name: str, price: Decimal | None, *, instrument: Instrument) -> Iterator[FieldError]:
    if price is None:
        return
    if not is_bookable(price) or price <= 0 or not is_multiple(price, instrument.tick_size):
        yield FieldError(name, f"a positive multiple of the tick size {instrument.tick_size}")


def _bracket_faults(state: State, terms: d.Bracket | d.Cover, *, instrument: Instrument) -> Iterator[FieldError]:
    entry, sign = terms.entry, terms.entry.side.sign
    stop, goal = terms.stop_loss, terms.take_profit
    if isinstance(terms, d.Cover) and stop is None and terms.trail is None:
        yield FieldError("stop_loss", "a cover order needs one, or a trail")
    elif stop is None and goal is None and terms.trail is None:
        yield FieldError("stop_loss", "a bracket needs a stop_loss, a take_profit or a trail")
    yield from _ticks("stop_loss", stop, instrument=instrument)
    yield from _ticks("take_profit", goal, instrument=instrument)
    if terms.trail is not None:
        exits = structs.replace(entry, side=entry.side.other, kind=OrderKind.TRAILING_STOP)
        yield from trail_faults(state, exits, trail=terms.trail)
    below, above = ("below", "above") if sign > 0 else ("above", "below")
    at = entry.limit_price or entry.stop_price
    if stop is not None and at is not None and (at - stop) * sign <= 0:
        yield FieldError("stop_loss", f"{below} the entry's price of {at}")
    if goal is not None and at is not None and (goal - at) * sign <= 0:
        yield FieldError("take_profit", f"{above} the entry's price of {at}")
    if stop is not None and goal is not None and (goal - stop) * sign <= 0:
        yield FieldError("take_profit", f"{above} the stop_loss of {stop}")
    yield from _other_exits(state, entry)


def _other_exits(state: State, spec: OrderSpec) -> Iterator[FieldError]:
    """Positions that rules guard already: two sets of exits for one position would close it twice."""
    held = state.deployments.get(spec.book)
    if held is not None and held.deployment.protection is not None:
        yield FieldError("book", f"{held.deployment.name} has exits of its own for all that it holds")
    if state.accounts[spec.account_id].limits.maintenance is not None:
        yield FieldError("account_id", "its maintenance limit keeps a stop for all that it holds")


def _pace_faults(pace: d.Pace, quantity: Decimal, *, instrument: Instrument) -> Iterator[FieldError]:
    match pace:
        case d.Parts():
            yield from _lots("size", pace.size, instrument=instrument)
            if pace.size > 0 and quantity > pace.size * MOST_PARTS:
                yield FieldError("size", f"large enough for at most {MOST_PARTS} parts")
        case d.Participation():
            if not 0.0 < pace.share <= 1.0:
                yield FieldError("share", "a share of the volume above 0, to 1")
            if pace.most is not None:
                yield from _lots("most", pace.most, instrument=instrument)
        case _:
            yield from _moment_faults(pace)


def _moment_faults(pace: d.Fixed | d.Twap | d.Vwap) -> Iterator[FieldError]:
    if pace.every < SECOND:
        yield FieldError("every", "at least a second")
        return
    if not isinstance(pace, d.Fixed) and pace.end <= pace.start:
        yield FieldError("end", "after the start")
        return
    count = pacing.count_of(pace)
    if not 2 <= count <= pacing.MOST_SLICES:
        yield FieldError("every", f"2 to {pacing.MOST_SLICES} slices, not {count}")
    if not 0.0 <= pace.randomise <= 0.9:
        yield FieldError("randomise", "a fraction from 0 to 0.9")
    if pace.spans and not _are_in_sequence(pace.spans, count=count):
        yield FieldError("spans", f"{count} stretches of time, one a slice, in sequence")
    if isinstance(pace, d.Vwap):
        is_sound = all(0.0 <= weight < 1e18 for weight in pace.profile) and sum(pace.profile) > 0.0
        if len(pace.profile) != count or not is_sound:
            yield FieldError("profile", f"{count} weights of 0 or more, one a slice, not all of them 0")


def _are_in_sequence(spans: d.Spans, *, count: int) -> bool:
    moments = [moment for span in spans for moment in span]
    return len(spans) == count and all(one <= other for one, other in pairwise(moments))
