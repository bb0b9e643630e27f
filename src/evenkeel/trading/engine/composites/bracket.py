"""Brackets and covers: an entry, and exits for what it has filled. A cover without a stop is closed at the market.

A trailing stop rests at the venue like any other, and is moved behind a slice to its distance from the best price that
the slice has shown, never back; so it is still there when the engine is not.
"""

from decimal import Decimal
from math import isfinite

import msgspec

from evenkeel.domain import composites as d
from evenkeel.domain.composites import Bracket, CompositeState, Cover
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.money import exact, ratio, sub
from evenkeel.domain.orders import OrderKind, OrderSpec, TimeInForce, Trail
from evenkeel.trading.engine.composites import children, exits
from evenkeel.trading.engine.composites.exits import Exit
from evenkeel.trading.engine.composites.standing import Composite
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.trailing import trail_level
from evenkeel.trading.engine.turn import Turn


def go_on(turn: Turn, one: Composite, *, terms: Bracket | Cover) -> None:
    """Places what is missing, changes what is wrong, and ends it once nothing is held and nothing works."""
    if d.ENTRY not in one.legs:
        if not children.may_enter(turn.state, one):
            return
        children.place(turn, one, leg=d.ENTRY, spec=terms.entry)
    _keep_entry(turn, one, terms=terms)
    if isinstance(terms, Cover) and one.state is CompositeState.ACTIVE:
        _insist(turn, one)
    if one.state is CompositeState.CLOSING:
        _close(turn, one)
    elif not exits.take_back(turn, one):
        exits.arrange(turn, one, wanted=exits_of(turn.state, one, terms=terms))
    else:
        children.cancel(turn, one, d.STOP, d.TARGET)
    _conclude(turn, one)


def _keep_entry(turn: Turn, one: Composite, *, terms: Bracket | Cover) -> None:
    """Brings the entry to the price that its terms name now."""
    entry = children.resting(turn.state, one, leg=d.ENTRY)
    if entry is not None and entry.limit_price != terms.entry.limit_price:
        children.reprice(
            turn,
            one,
            order=entry,
            quantity=entry.remaining,
            limit_price=terms.entry.limit_price,
            stop_price=entry.stop_price,
            stands=msgspec.structs.replace(terms, entry=children.as_priced(terms.entry, entry)),
        )


def exits_of(state: State, one: Composite, *, terms: Bracket | Cover) -> tuple[Exit, ...]:
    """Its stop and its target, as terms would have them."""
    entry, level = terms.entry, _level(state, one, terms=terms)
    resting = children.resting(state, one, leg=d.STOP)
    if resting is not None and terms.trail is not None and level is not None and resting.stop_price is not None:
        level = _nearer(entry.side.sign, level, other=resting.stop_price)
    plain = children.at_market(entry, entry.quantity)
    stop = msgspec.structs.replace(plain, kind=OrderKind.STOP, stop_price=level, time_in_force=TimeInForce.GTC)
    goal = msgspec.structs.replace(
        plain, kind=OrderKind.LIMIT, limit_price=terms.take_profit, time_in_force=TimeInForce.GTC
    )
    return (
        Exit(d.STOP, None if level is None else stop),
        Exit(d.TARGET, None if terms.take_profit is None else goal),
    )


def _level(state: State, one: Composite, *, terms: Bracket | Cover) -> Decimal | None:
    """Where the stop begins."""
    if terms.stop_loss is not None or terms.trail is None:
        return terms.stop_loss
    entered = [state.orders[order_id] for order_id in one.legs.get(d.ENTRY, ())]
    average = next((order.average_price for order in entered if order.filled), None)
    if average is None:
        return None
    instrument = state.instruments[terms.entry.instrument_id]
    return _behind(terms, terms.trail, best=float(ratio(average, instrument.multiplier)), tick=instrument.tick_size)


def _behind(terms: Bracket | Cover, trail: Trail, *, best: float, tick: Decimal) -> Decimal:
    """The stop that a trail keeps behind a price."""
    level = trail_level(terms.entry.side.sign, best, trail=trail, tick=float(tick))
    return max(tick, exact(level, tick))


def _nearer(sign: int, one: Decimal, *, other: Decimal) -> Decimal:
    """The stop nearer to the market of two, of a long (1) or a short (-1)."""
    return max(one, other) if sign > 0 else min(one, other)


def trail(turn: Turn, one: Composite, *, terms: Bracket | Cover, market: MarketSlice) -> None:
    """Moves the stop behind the best price of a slice, where that is nearer to the market than where it rests."""
    stop = children.resting(turn.state, one, leg=d.STOP)
    if terms.trail is None or stop is None or stop.stop_price is None or stop.triggered:
        return
    sign = terms.entry.side.sign
    best = _best(market, terms.entry.instrument_id, sign=sign, since=stop.since or stop.created_at)
    if best is None:
        return
    tick = turn.state.instruments[terms.entry.instrument_id].tick_size
    level = _nearer(sign, _behind(terms, terms.trail, best=best, tick=tick), other=stop.stop_price)
    if level != stop.stop_price:
        children.adjust(turn, one, order=stop, quantity=stop.remaining, limit_price=None, stop_price=level)


def _best(market: MarketSlice, instrument_id: str, *, sign: int, since: int) -> float | None:
    """The best price for a long (1) or a short (-1) of what has been shown since."""
    bars = [bar for bar in market.bars if bar.instrument_id == instrument_id and bar.ts >= since]
    quotes = [one for one in market.quotes if one.instrument_id == instrument_id and one.ts >= since]
    prices = [bar.high if sign > 0 else bar.low for bar in bars]
    prices += [one.last if isfinite(one.last) else one.bid + (one.ask - one.bid) / 2 for one in quotes]
    seen = [price for price in prices if isfinite(price)]
    if not seen:
        return None
    return max(seen) if sign > 0 else min(seen)


def _insist(turn: Turn, one: Composite) -> None:
    """A cover whose stop cannot rest, or was cancelled by hand, is closed."""
    is_bare = d.STOP in one.denied or (d.STOP in one.by_hand and not children.of_leg(turn.state, one, d.STOP))
    if is_bare and exits.held_of(one) > 0:
        reason = f"its stop cannot rest: {children.why(turn.state, one)}"
        children.move(turn, one, state=CompositeState.CLOSING, reason=reason)
        children.alert(
            turn, one, level="critical", kind="cover-closed", message=f"is closed at the market, as {reason}"
        )


def _close(turn: Turn, one: Composite) -> None:
    """Closes what is held at the market, once entry and exits work no more."""
    children.cancel(turn, one, d.ENTRY, d.STOP, d.TARGET)
    if exits.take_back(turn, one) or children.of_leg(turn.state, one, d.ENTRY, d.STOP, d.TARGET):
        return
    due = min(exits.held_of(one), exits.room(turn.state, one))
    due = sub(due, children.on_the_way(turn.state, one, d.CLOSE))
    if due <= 0 or children.of_leg(turn.state, one, d.CLOSE) or one.failures >= children.MOST_FAILURES:
        return
    if not children.place(turn, one, leg=d.CLOSE, spec=children.at_market(one.lead, due)):
        reason = children.why(turn.state, one)
        children.alert(turn, one, level="critical", kind="close-refused", message=f"could not be closed: {reason}")


def _conclude(turn: Turn, one: Composite) -> None:
    """Ends it where nothing works and there is nothing to guard: all is closed, or its exits were given up by hand."""
    if one.working or d.ENTRY not in one.legs:
        return
    held = exits.held_of(one)
    if held < 0:
        return
    if held > 0 and exits.room(turn.state, one, covered=False) > 0:
        legs = _legs(one)
        if one.state is CompositeState.CLOSING or not legs or any(leg not in one.by_hand for leg in legs):
            return
        children.end(
            turn, one, ending=CompositeState.CANCELLED, reason="its exits were cancelled by hand; what is held stays"
        )
    elif one.filled_of(d.ENTRY) > 0:
        elsewhere = "what it held was closed by other orders" if held > 0 else None
        children.end(turn, one, ending=CompositeState.DONE, reason=elsewhere)
    else:
        ending = children.end_of(turn.state, one, leg=d.ENTRY)
        children.end(
            turn,
            one,
            ending=ending,
            reason=None if ending is CompositeState.CANCELLED else children.why(turn.state, one),
        )


def _legs(one: Composite) -> list[str]:
    """The exits that its terms call for."""
    terms = one.terms
    assert isinstance(terms, Bracket | Cover)
    has_stop = terms.stop_loss is not None or terms.trail is not None
    return [d.STOP] * has_stop + [d.TARGET] * (terms.take_profit is not None)


def cancel(turn: Turn, one: Composite, *, close: bool) -> str | None:
    """Cancels an entry, or closes all of it. Why there is nothing to cancel, or None."""
    if close and (exits.held_of(one) > 0 or d.ENTRY in one.legs):
        children.move(turn, one, state=CompositeState.CLOSING, reason="it is closed on request")
        return None
    if d.ENTRY not in one.legs:
        children.stop(turn, one, ending=CompositeState.CANCELLED, reason="it was cancelled")
        return None
    if not children.of_leg(turn.state, one, d.ENTRY):
        return "its entry is done and its exits stay"
    children.cancel(turn, one, d.ENTRY)
    return None


def to_come(state: State, one: Composite, *, terms: Bracket | Cover) -> list[OrderSpec]:
    """Its entry, until that has been placed."""
    return [] if d.ENTRY in one.legs else [terms.entry]


def changed(terms: Bracket | Cover, change: d.CompositeChange) -> Bracket | Cover:
    """The terms with what is to be otherwise."""
    given = {name: getattr(change, name) for name in ("stop_loss", "take_profit", "trail")}
    given = {name: value for name, value in given.items() if value is not None}
    if change.limit_price is not None:
        given["entry"] = msgspec.structs.replace(terms.entry, limit_price=change.limit_price)
    return msgspec.structs.replace(terms, **given)
