"""Sliced orders: many small orders in place of a large one, all at once, by the clock, or as the market trades."""

from decimal import ROUND_DOWN, Decimal

import msgspec

from evenkeel.domain import composites as d
from evenkeel.domain.clock import SECOND
from evenkeel.domain.composites import CompositeState, Participation, Parts, Slices
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.money import ZERO, exact, sub
from evenkeel.domain.orders import OrderSpec
from evenkeel.trading.engine import orders
from evenkeel.trading.engine.composites import children, pacing
from evenkeel.trading.engine.composites.standing import Composite
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn

BY_HAND = "one of its orders was cancelled by hand"


def go_on(turn: Turn, one: Composite, *, terms: Slices) -> None:
    """Places what is due by now, and ends it when all has filled, nothing more is due, or its time is over."""
    if not _has_kept_price(turn, one, terms=terms):
        return
    end = pacing.end_of(terms.pace)
    rest = children.rest_of(one, terms.order.quantity, turn.state, d.SLICE)
    if d.SLICE in one.by_hand:
        children.stop(turn, one, ending=CompositeState.CANCELLED, reason=BY_HAND)
    elif not rest and not one.working:
        children.end(turn, one, ending=CompositeState.DONE)
    elif end and turn.at >= end:
        children.stop(turn, one, ending=CompositeState.EXPIRED, reason="its time is over")
    elif isinstance(terms.pace, Parts):
        _send_parts(turn, one, terms=terms, rest=rest)
    elif one.failures >= children.MOST_FAILURES:
        children.has_paused(turn, one)
    elif one.slots:
        _send_due(turn, one, terms=terms, rest=rest)


def _has_kept_price(turn: Turn, one: Composite, *, terms: Slices) -> bool:
    """Brings the slices that work to the price that the terms name now. False where risk has had that taken back."""
    limit = terms.order.limit_price
    for order in children.of_leg(turn.state, one, d.SLICE):
        if order.limit_price != limit and order.id not in one.unmoved:
            children.reprice(
                turn,
                one,
                order=order,
                quantity=order.remaining,
                limit_price=limit,
                stop_price=terms.order.stop_price,
                stands=msgspec.structs.replace(terms, order=children.as_priced(terms.order, order)),
            )
            if one.terms != terms:
                return False
    return True


def _send_parts(turn: Turn, one: Composite, *, terms: Slices, rest: Decimal) -> None:
    """Sends what is neither filled nor at work, in parts, while they can go out in time. What has expired is not sent
    again."""
    assert isinstance(terms.pace, Parts)
    rest = sub(rest, one.lost.get(d.SLICE, ZERO))
    if rest <= 0:
        if not one.working:
            children.end(turn, one, ending=CompositeState.EXPIRED, reason=children.why(turn.state, one))
        return
    while rest > 0 and not _has_paused(turn, one) and children.may_enter(turn.state, one):
        part = min(rest, terms.pace.size)
        if _waits_for_room(turn, one, spec=msgspec.structs.replace(terms.order, quantity=part)):
            return
        if _send(turn, one, terms=terms, part=part):
            rest = sub(rest, part)


def _has_paused(turn: Turn, one: Composite) -> bool:
    """As of all children; but what works already is left at work when it gives up, until that has ended."""
    if one.failures >= children.MOST_FAILURES and one.working:
        if one.state is not CompositeState.PAUSED or one.wake:
            children.rest(turn, one)
        return True
    if one.state is CompositeState.PAUSED and not one.wake:
        children.move(turn, one, state=CompositeState.ACTIVE)
    return children.has_paused(turn, one)


def _waits_for_room(turn: Turn, one: Composite, *, spec: OrderSpec) -> bool:
    """Whether the next part could not be sent in time: it follows once orders have gone out, its own or others'.

    The longer it has waited, the more seldom it looks again.
    """
    account = turn.state.accounts[one.account_id]
    wait = orders.until_sent(turn.state, account, spec)
    if not wait or not account.working.unheard:
        return False
    if one.wake <= turn.at:
        waited = min(children.RETRY, turn.at - _placed_last(turn.state, one))
        children.move(turn, one, state=CompositeState.ACTIVE, wake=turn.at + max(SECOND, round(wait * SECOND), waited))
    return True


def _placed_last(state: State, one: Composite) -> int:
    placed = one.legs.get(d.SLICE)
    return state.orders[placed[-1]].created_at if placed else one.created_at


def _send_due(turn: Turn, one: Composite, *, terms: Slices, rest: Decimal) -> None:
    """Sends the slice whose moment has come; of several, as after a restart, the last. Then waits for the next."""
    number = one.step - 1
    while number + 1 < len(one.slots) and one.slots[number + 1].at <= turn.at:
        number += 1
    if number >= one.step:
        following = number + 1
        if following == len(one.slots) and rest > 0 and not children.may_enter(turn.state, one):
            _wait(turn, one, terms=terms)
            return
        wake = one.slots[following].at if following < len(one.slots) else pacing.end_of(terms.pace)
        children.move(turn, one, state=CompositeState.ACTIVE, step=following, wake=wake)
        lot = turn.state.instruments[terms.order.instrument_id].lot_size
        part = pacing.share_of(rest, one.slots, number=number, lot=lot)
        if part > 0 and children.may_enter(turn.state, one):
            _send(turn, one, terms=terms, part=part)
    if one.step >= len(one.slots) and not one.working:
        left = children.rest_of(one, terms.order.quantity, turn.state, d.SLICE)
        ending = CompositeState.FAILED if one.failures else CompositeState.EXPIRED
        if left:
            children.end(turn, one, ending=ending, reason=children.why(turn.state, one))
        else:
            children.end(turn, one, ending=CompositeState.DONE)


def _wait(turn: Turn, one: Composite, *, terms: Slices) -> None:
    """There is none to come that could make up for the last slice: it waits for its account, and for a price."""
    if one.wake <= turn.at:
        again, end = turn.at + children.RETRY, pacing.end_of(terms.pace)
        children.move(turn, one, state=CompositeState.ACTIVE, wake=min(again, end) if end else again)


def _send(turn: Turn, one: Composite, *, terms: Slices, part: Decimal) -> bool:
    """Places one slice."""
    if children.place(turn, one, leg=d.SLICE, spec=msgspec.structs.replace(terms.order, quantity=part)):
        return True
    if not isinstance(terms.pace, Parts):
        reason = children.why(turn.state, one)
        children.alert(
            turn, one, level="warning", kind="slice-refused", message=f"goes on with its next slice: {reason}"
        )
    return False


def take_part(turn: Turn, one: Composite, *, terms: Slices, market: MarketSlice) -> None:
    """After bars of its instrument: what its share of their volume is, less what is still on its way."""
    pace = terms.pace
    if not isinstance(pace, Participation) or not children.may_enter(turn.state, one):
        return
    name = terms.order.instrument_id
    volume = sum(bar.volume for bar in market.bars if bar.instrument_id == name and bar.ts >= one.created_at)
    if not volume > 0.0:
        return
    lot = turn.state.instruments[name].lot_size
    part = exact(volume * pace.share, lot, ROUND_DOWN)
    part = min(part, pace.most or part, children.rest_of(one, terms.order.quantity, turn.state, d.SLICE))
    part = sub(part, children.on_the_way(turn.state, one, d.SLICE))
    if part > 0:
        _send(turn, one, terms=terms, part=part)


def to_come(state: State, one: Composite, *, terms: Slices) -> list[OrderSpec]:
    """What has neither filled nor is on its way."""
    return children.left_of(state, one, terms.order)


def changed(terms: Slices, change: d.CompositeChange) -> Slices:
    """The terms with another price, or another pace for what is left."""
    order = terms.order
    if change.limit_price is not None:
        order = msgspec.structs.replace(order, limit_price=change.limit_price)
    return Slices(order, terms.pace if change.pace is None else change.pace)
