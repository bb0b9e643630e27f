"""Icebergs: one limit order of which only a part is shown; the next part follows once this one has filled."""

import msgspec

from evenkeel.domain import composites as d
from evenkeel.domain.composites import CompositeState, Iceberg
from evenkeel.domain.orders import OrderSpec
from evenkeel.trading.engine.composites import children
from evenkeel.trading.engine.composites.standing import Composite
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn


def go_on(turn: Turn, one: Composite, *, terms: Iceberg) -> None:
    """Shows the next part where none is, and ends it when all has filled, or a part will not be replaced."""
    order = children.resting(turn.state, one, leg=d.SLICE)
    if order is not None and order.limit_price != terms.order.limit_price:
        children.reprice(
            turn,
            one,
            order=order,
            quantity=order.remaining,
            limit_price=terms.order.limit_price,
            stop_price=None,
            stands=msgspec.structs.replace(terms, order=children.as_priced(terms.order, order)),
        )
    if one.working:
        return
    rest = children.rest_of(one, terms.order.quantity, turn.state, d.SLICE)
    if not rest:
        children.end(turn, one, ending=CompositeState.DONE)
    elif d.SLICE in one.by_hand:
        children.end(turn, one, ending=CompositeState.CANCELLED, reason="one of its orders was cancelled by hand")
    elif one.lost.get(d.SLICE):
        children.end(turn, one, ending=CompositeState.EXPIRED, reason=children.why(turn.state, one))
    elif not children.has_paused(turn, one) and children.may_enter(turn.state, one):
        part = msgspec.structs.replace(terms.order, quantity=min(rest, terms.displayed))
        if not children.place(turn, one, leg=d.SLICE, spec=part):
            children.has_paused(turn, one)


def to_come(state: State, one: Composite, *, terms: Iceberg) -> list[OrderSpec]:
    """What has neither filled nor is shown."""
    return children.left_of(state, one, terms.order)


def changed(terms: Iceberg, change: d.CompositeChange) -> Iceberg:
    """The terms with another price, or another part shown from the next one on."""
    order = terms.order
    if change.limit_price is not None:
        order = msgspec.structs.replace(order, limit_price=change.limit_price)
    return Iceberg(order, terms.displayed if change.displayed is None else change.displayed)
