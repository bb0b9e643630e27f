"""What a split makes of composites: their terms in new shares, and what their legs have filled and lost."""

from decimal import ROUND_DOWN, Decimal

import msgspec

from evenkeel.domain import composites as d
from evenkeel.domain.composite_records import SplitComposite
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Split
from evenkeel.domain.money import ZERO, mul, ratio, rounded
from evenkeel.domain.orders import OrderSpec, Side, Trail, Trigger
from evenkeel.trading.brokers.splits import SplitTerms, split_order
from evenkeel.trading.engine.composites.standing import Composite
from evenkeel.trading.engine.state import State


def after_split(state: State, split: Split) -> tuple[SplitComposite, ...]:
    """The live composites of an instrument in new shares."""
    changed = []
    for one in state.composites.values():
        specs = d.specs_of(one.terms)
        if any(spec.instrument_id == split.instrument_id for spec in specs):
            filled = {
                leg: _legs_part(state, one, leg=leg, quantity=done, split=split) for leg, done in one.filled.items()
            }
            lost = {leg: _legs_part(state, one, leg=leg, quantity=gone, split=split) for leg, gone in one.lost.items()}
            changed.append(SplitComposite(one.id, _split(state, one.terms, split=split), filled, lost))
    return tuple(changed)


def _legs_part(state: State, one: Composite, *, leg: str, quantity: Decimal, split: Split) -> Decimal:
    instrument_id = state.orders[one.legs[leg][0]].spec.instrument_id
    if instrument_id != split.instrument_id:
        return quantity
    return _scaled(quantity, split, lot=state.instruments[instrument_id].lot_size)


def _scaled(quantity: Decimal, split: Split, *, lot: Decimal) -> Decimal:
    return rounded(ratio(mul(quantity, split.numerator), split.denominator), lot, ROUND_DOWN)


def _split(state: State, terms: d.Terms, *, split: Split) -> d.Terms:
    instrument = state.instruments[split.instrument_id]

    def order(spec: OrderSpec) -> OrderSpec:
        return _order(spec, split, instrument=instrument) if spec.instrument_id == instrument.id else spec

    def part(quantity: Decimal) -> Decimal:
        return max(instrument.lot_size, _scaled(quantity, split, lot=instrument.lot_size))

    match terms:
        case d.Bracket() | d.Cover():
            return _split_bracket(terms, order(terms.entry), split=split, instrument=instrument)
        case d.OneCancelsOther():
            return d.OneCancelsOther(order(terms.first), order(terms.second))
        case d.Iceberg():
            return d.Iceberg(order(terms.order), part(terms.displayed))
        case d.Slices(pace=d.Parts() as pace):
            return d.Slices(order(terms.order), d.Parts(part(pace.size)))
        case d.Slices(pace=d.Participation() as pace) if pace.most is not None:
            return d.Slices(order(terms.order), msgspec.structs.replace(pace, most=part(pace.most)))
        case d.Slices():
            return d.Slices(order(terms.order), terms.pace)
        case d.Legs():
            return d.Legs(tuple(order(spec) for spec in terms.orders), terms.on_failure)


def _order(spec: OrderSpec, split: Split, *, instrument: Instrument) -> OrderSpec:
    now = SplitTerms(spec.quantity, ZERO, spec.limit_price, spec.stop_price)
    after = split_order(now, split, side=spec.side, instrument=instrument)
    trigger = spec.trigger
    return msgspec.structs.replace(
        spec,
        quantity=after.quantity,
        limit_price=after.limit_price,
        stop_price=after.stop_price,
        trigger=trigger and Trigger(_price(trigger.price, split, instrument=instrument), trigger.rises),
        trail=spec.trail and _trail(spec.trail, split, instrument=instrument),
    )


def _split_bracket(
    terms: d.Bracket | d.Cover, entry: OrderSpec, *, split: Split, instrument: Instrument
) -> d.Bracket | d.Cover:
    """Exits are rounded as their orders are at the venue."""
    side = Side(terms.entry.side.other)
    stop = split_order(SplitTerms(ZERO, ZERO, None, terms.stop_loss), split, side=side, instrument=instrument)
    trail = None if terms.trail is None else _trail(terms.trail, split, instrument=instrument)
    if isinstance(terms, d.Cover):
        return d.Cover(entry, stop.stop_price, trail)
    goal = split_order(SplitTerms(ZERO, ZERO, terms.take_profit, None), split, side=side, instrument=instrument)
    return d.Bracket(entry, stop.stop_price, goal.limit_price, trail)


def _trail(trail: Trail, split: Split, *, instrument: Instrument) -> Trail:
    if trail.amount is None:
        return trail
    return msgspec.structs.replace(trail, amount=_price(trail.amount, split, instrument=instrument))


def _price(price: Decimal, split: Split, *, instrument: Instrument) -> Decimal:
    """A price to the nearest tick."""
    tick = instrument.tick_size
    return max(tick, rounded(ratio(mul(price, split.denominator), split.numerator), tick))
