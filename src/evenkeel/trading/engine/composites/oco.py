"""Either-ors: two orders of which one is to fill. Two that close what is held are exits, as those of a bracket are.

Two that open are both counted by risk, since both may fill. What one fills the other gives up or, where they are for
different things, the first fill of one cancels the other.
"""

from decimal import Decimal

import msgspec

from evenkeel.domain import composites as d
from evenkeel.domain.composites import CompositeState, OneCancelsOther
from evenkeel.domain.money import sub
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState
from evenkeel.trading.engine.composites import children, exits
from evenkeel.trading.engine.composites.exits import Exit
from evenkeel.trading.engine.composites.standing import Composite
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn

_NEVER = (OrderState.REFUSED, OrderState.REJECTED, OrderState.EXPIRED_UNSENT)


def go_on(turn: Turn, one: Composite, *, terms: OneCancelsOther) -> None:
    """Places what is missing, has one give up what the other fills, and ends it once nothing works."""
    if one.closes:
        _guard(turn, one, terms=terms)
    elif _has_placed(turn, one, terms=terms):
        if terms.shares:
            _share(turn, one, terms=terms)
        else:
            _exclude(turn, one, terms=terms)
    else:
        return
    if not one.working and one.legs:
        _conclude(turn, one, terms=terms)


def _guard(turn: Turn, one: Composite, *, terms: OneCancelsOther) -> None:
    if exits.take_back(turn, one):
        children.cancel(turn, one, *d.EXITS)
        return
    pair = zip(d.EXITS, (terms.first, terms.second), strict=True)
    exits.arrange(turn, one, wanted=tuple(Exit(leg, spec) for leg, spec in pair))


def _has_placed(turn: Turn, one: Composite, *, terms: OneCancelsOther) -> bool:
    """Sees to it that both orders have been placed, as far as they could be; False where they are to wait."""
    if len(one.legs) < len(d.EITHER):
        if not children.may_enter(turn.state, one):
            return bool(one.legs)
        is_one_thing = terms.first.instrument_id == terms.second.instrument_id
        for leg, spec in zip(d.EITHER, (terms.first, terms.second), strict=True):
            if leg not in one.legs and not _has_failed(turn.state, one):
                children.place(
                    turn, one, leg=leg, spec=msgspec.structs.replace(spec, link=one.id if is_one_thing else "")
                )
    if _has_failed(turn.state, one):
        children.cancel(turn, one, *d.EITHER)
    return True


def _has_failed(state: State, one: Composite) -> bool:
    """Whether one of two never came to the venue, so that the other would be something else than was asked for."""
    last = [state.orders[one.legs[leg][-1]] for leg in d.EITHER if leg in one.legs]
    return any(order.state in _NEVER and not order.filled for order in last)


def _share(turn: Turn, one: Composite, *, terms: OneCancelsOther) -> None:
    filled = one.filled_of(*d.EITHER)
    left = sub(terms.first.quantity, filled)
    take_back(turn, one, terms=terms)
    if left <= 0:
        children.cancel(turn, one, *d.EITHER)
    else:
        _adjust(turn, one, terms=terms, left=left)


def _adjust(turn: Turn, one: Composite, *, terms: OneCancelsOther, left: Decimal | None = None) -> None:
    """Brings both orders to the prices that the terms name now, and to what is `left` of the quantity they share."""
    for leg, name in zip(d.EITHER, ("first", "second"), strict=True):
        order, spec = children.resting(turn.state, one, leg=leg), getattr(terms, name)
        if order is None:
            continue
        children.reprice(
            turn,
            one,
            order=order,
            quantity=order.remaining if left is None else left,
            limit_price=spec.limit_price,
            stop_price=spec.stop_price,
            stands=msgspec.structs.replace(terms, **{name: children.as_priced(spec, order)}),
        )
        if one.terms != terms:
            return


def take_back(turn: Turn, one: Composite, *, terms: OneCancelsOther) -> None:
    """Corrects what both have filled beyond the one quantity."""
    if one.closes:
        exits.take_back(turn, one)
    elif terms.shares and _excess(one, terms) > 0:
        exits.correct(turn, one, excess=_excess(one, terms), spec=terms.first)


def _excess(one: Composite, terms: OneCancelsOther) -> Decimal:
    """What both have filled beyond the one quantity, less what has been taken back."""
    return sub(sub(one.filled_of(*d.EITHER), terms.first.quantity), one.filled_of(d.CORRECTION))


def _exclude(turn: Turn, one: Composite, *, terms: OneCancelsOther) -> None:
    filled = [leg for leg in d.EITHER if one.filled_of(leg) > 0]
    if len(filled) == 1:
        children.cancel(turn, one, *[leg for leg in d.EITHER if leg not in filled])
    _adjust(turn, one, terms=terms)


def _conclude(turn: Turn, one: Composite, *, terms: OneCancelsOther) -> None:
    if one.closes:
        _conclude_exits(turn, one)
        return
    done = [leg for leg in d.EITHER if one.filled_of(leg) > 0]
    if terms.shares and _excess(one, terms) > 0:
        return
    if len(done) == len(d.EITHER) and not terms.shares:
        children.alert(
            turn,
            one,
            level="critical",
            kind="over-filled",
            message="filled on both sides, as its two orders filled at once",
        )
    if done:
        children.end(turn, one, ending=CompositeState.DONE)
    else:
        _end_unfilled(turn, one, legs=d.EITHER)


def _conclude_exits(turn: Turn, one: Composite) -> None:
    held = exits.held_of(one)
    if held < 0:
        return
    is_there = exits.room(turn.state, one, covered=False) > 0
    if held > 0 and is_there and any(leg not in one.denied and leg not in one.by_hand for leg in d.EXITS):
        return
    if held > 0 and is_there:
        _end_unfilled(turn, one, legs=d.EXITS)
    else:
        children.end(
            turn,
            one,
            ending=CompositeState.DONE,
            reason="what it was to close was closed by others" if held > 0 else None,
        )


def _end_unfilled(turn: Turn, one: Composite, *, legs: tuple[str, str]) -> None:
    """Ends it as the more telling of its two orders ended."""
    ends = {children.end_of(turn.state, one, leg=leg) for leg in legs if leg in one.legs}
    for ending in (CompositeState.FAILED, CompositeState.EXPIRED):
        if ending in ends:
            children.end(turn, one, ending=ending, reason=children.why(turn.state, one))
            return
    children.end(turn, one, ending=CompositeState.CANCELLED)


def to_come(state: State, one: Composite, *, terms: OneCancelsOther) -> list[OrderSpec]:
    """Of two that open, those not placed yet."""
    pair = zip(d.EITHER, (terms.first, terms.second), strict=True)
    return [] if one.closes else [spec for leg, spec in pair if leg not in one.legs]


def changed(terms: OneCancelsOther, change: d.CompositeChange) -> OneCancelsOther:
    """The terms with what is to be otherwise: the price of its limit order, and of its stop order."""
    return OneCancelsOther(_changed(terms.first, change), _changed(terms.second, change))


def _changed(spec: OrderSpec, change: d.CompositeChange) -> OrderSpec:
    if spec.kind is OrderKind.LIMIT and change.limit_price is not None:
        return msgspec.structs.replace(spec, limit_price=change.limit_price)
    if spec.kind is OrderKind.STOP and change.stop_price is not None:
        return msgspec.structs.replace(spec, stop_price=change.stop_price)
    return spec
