"""Exits of composites: linked orders for what was entered and not left yet, and never for more than the book holds.

Several composites of one position have their exits in the order in which they began: an older one is covered first.
What an order at the market is about to close needs no exit. Where more has been left than was entered, as two exits
filled at once, the difference is taken back by an order of its own.
"""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from evenkeel.domain import composites as d
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.money import ZERO, add, neg, plain, sub
from evenkeel.domain.orders import Order, OrderSpec, OrderState
from evenkeel.domain.positions import PositionKey, key_of
from evenkeel.domain.records import FillBooked
from evenkeel.domain.risk import Refused
from evenkeel.trading.engine import covering, keeping, protection
from evenkeel.trading.engine.composites import children
from evenkeel.trading.engine.composites.standing import Composite
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn

_AS_BEFORE = 1


class Exit(NamedTuple):
    """One exit, as it should be for its whole quantity; None where there is to be none."""

    leg: str
    spec: OrderSpec | None


def held_of(one: Composite) -> Decimal:
    """What was entered and not left yet; below zero where more was left than entered."""
    if one.closes:
        return sub(add(one.lead.quantity, one.filled_of(d.CORRECTION)), one.filled_of(*d.EXITS))
    entered = one.filled_of(d.ENTRY, d.CORRECTION)
    return sub(entered, one.filled_of(d.STOP, d.TARGET, d.CLOSE))


def _side(one: Composite) -> int:
    """1 where exits sell, -1 where they buy."""
    sign = one.lead.side.sign
    return -sign if one.closes else sign


def room(state: State, one: Composite, *, covered: bool = True) -> Decimal:
    """How much of what the book holds is there for its exits; `covered` leaves out what is closed at the market."""
    return free(state, key_of(one.lead), side=_side(one), before=one.id, covered=covered)


def free(state: State, key: PositionKey, *, side: int, before: str = "", covered: bool = True) -> Decimal:
    """What a book holds, long (`side` 1) or short (-1), that no composite which began before that one has exits for."""
    position, account = state.position(key), state.accounts[key.account_id]
    if not position.quantity or (position.quantity > 0) is not (side > 0):
        return ZERO
    left = position.quantity.copy_abs()
    if covered:
        left = covering.uncovered(account, position, without=state.composites)
    for other_id in state.composites.guards.get(key, ()):
        if other_id == before:
            break
        other = state.composites[other_id]
        if _side(other) == side:
            left = sub(left, max(ZERO, held_of(other)))
    return max(ZERO, left)


def arrange(turn: Turn, one: Composite, *, wanted: tuple[Exit, ...]) -> None:
    """Makes the exits what they should be. What a fill has just entered is covered from the moment of that fill."""
    gone, left = _let_go(turn, one)
    quantity = max(ZERO, min(left, room(turn.state, one))) if left > 0 else ZERO
    since = _entered(turn, one)
    for leg, spec in wanted:
        if leg in gone:
            continue
        if spec is None or not quantity:
            children.cancel(turn, one, leg)
            continue
        order = children.resting(turn.state, one, leg=leg)
        if order is not None:
            _adjust(turn, one, order=order, spec=spec, quantity=quantity, since=since or _AS_BEFORE)
        elif _may_place(turn.state, one, leg=leg):
            _place(turn, one, leg=leg, spec=msgspec.structs.replace(spec, quantity=quantity, link=one.id), since=since)


def _let_go(turn: Turn, one: Composite) -> tuple[list[str], Decimal]:
    """The legs whose exit was held here and has been set off, and what is left for the others.

    Where one bar sets off two of them, the second is cancelled as far as the first is for all of it.
    """
    gone, left = list[str](), held_of(one)
    for order in children.of_leg(turn.state, one):
        if not order.spec.is_exit or not keeping.is_out(order) or order.state is OrderState.CANCEL_PENDING:
            continue
        if left > 0:
            gone.append(order.spec.leg)
        if 0 < left < order.remaining:
            _adjust(turn, one, order=order, spec=order.as_it_stands(), quantity=left, since=_AS_BEFORE)
        left = max(ZERO, sub(left, order.remaining))
    return gone, left


def _adjust(turn: Turn, one: Composite, *, order: Order, spec: OrderSpec, quantity: Decimal, since: int) -> None:
    verdict = children.adjust(
        turn,
        one,
        order=order,
        quantity=quantity,
        limit_price=spec.limit_price,
        stop_price=spec.stop_price,
        since=since,
    )
    if isinstance(verdict, Refused):
        message = f"keeps its exit: {verdict.check.reason}"
        children.alert(turn, one, level="critical", kind="exit-refused", message=message)


def linked(spec: OrderSpec, link: str, *, leg: str) -> OrderSpec:
    """An order as an exit."""
    return msgspec.structs.replace(spec, link=link, leg=leg)


def _may_place(state: State, one: Composite, *, leg: str) -> bool:
    is_ready = state.accounts[one.account_id].readiness is not Readiness.NOT_READY
    return is_ready and leg not in one.denied and leg not in one.by_hand and not children.of_leg(state, one, leg)


def _place(turn: Turn, one: Composite, *, leg: str, spec: OrderSpec, since: int) -> None:
    if not children.place(turn, one, leg=leg, spec=spec, since=since):
        reason = turn.state.orders[one.legs[leg][-1]].reason
        children.alert(
            turn, one, level="critical", kind="exit-refused", message=f"has no {leg}, which was refused: {reason}"
        )


def _entered(turn: Turn, one: Composite) -> int:
    """The moment of the entry's last fill in this turn; 0 where there is none."""
    for record in reversed(turn.records):
        if isinstance(record, FillBooked):
            spec = turn.state.orders[record.fill.order_id].spec
            if (spec.parent, spec.leg) == (one.id, d.ENTRY):
                return protection.moment_of(record)
    return 0


def correct(turn: Turn, one: Composite, *, excess: Decimal, spec: OrderSpec) -> None:
    """Takes back by `spec`, at the market, what has filled beyond what was wanted."""
    due = sub(excess, children.on_the_way(turn.state, one, d.CORRECTION))
    if due <= 0 or one.failures >= children.MOST_FAILURES:
        return
    message = f"filled {plain(excess)} too much, as two of its orders filled at once; the difference is taken back"
    children.alert(turn, one, level="critical", kind="over-filled", message=message)
    children.place(turn, one, leg=d.CORRECTION, spec=children.at_market(spec, due))


def take_back(turn: Turn, one: Composite) -> bool:
    """Corrects exits that have left more than was entered; whether there is anything to correct."""
    excess = neg(held_of(one))
    if excess > 0:
        lead = one.lead
        exiting = lead if one.closes else msgspec.structs.replace(lead, side=lead.side.other)
        correct(turn, one, excess=excess, spec=exiting)
    return excess > 0
