"""Reduce-only orders at their venue: cut when less is left to close than they are over, cancelled when nothing is.

Held ones are looked after where they are held. A cut that the venue has been asked for is not asked again before the
account has been compared, nor is a cancel that it has refused. What fills before either is answered is booked as it is.
"""

from decimal import Decimal

import msgspec

from evenkeel.domain import records as r
from evenkeel.domain.held_records import OrderKept
from evenkeel.domain.money import ZERO, add, plain
from evenkeel.domain.orders import Order, OrderEvent, OrderState
from evenkeel.domain.risk import Refused
from evenkeel.trading.engine import amending, concerned, covering, held, orders
from evenkeel.trading.engine.effects import WantReconcile
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn

_RESTING = (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)
_NOT_CANCELLED = (OrderEvent.CANCEL_REFUSED, OrderEvent.CANCEL_REFUSED_PARTIAL)


def follow(turn: Turn) -> None:
    """Brings reduce-only orders that the turn's records concern down to what is left to close."""
    found = concerned.by(turn)
    moved = [record for record in turn.records if isinstance(record, r.OrderMoved)]
    refused = {record.order_id for record in moved if record.event in _NOT_CANCELLED}
    for order in tuple(found.of(turn.state.reducing)):
        if order.id in refused:
            _look_again(turn, order, "a reduce-only order could not be cancelled")
        else:
            _bring_down(turn, order, is_compared=order.spec.account_id in found.accounts)


def change_failed(turn: Turn, order: Order) -> None:
    """A change has not been made: it is waited for no more, and an order still over too much is cut after a look."""
    kept = order.kept
    if kept is None or not order.is_working:
        return
    if kept.asked is not None:
        turn.emit(OrderKept(at=turn.at, order_id=order.id, kept=msgspec.structs.replace(kept, asked=None)))
    if kept.reduces and covering.left_of(turn.state, order) < order.remaining:
        _look_again(turn, order, "a reduce-only order could not be cut")


def _look_again(turn: Turn, order: Order, why: str) -> None:
    turn.effects.append(WantReconcile(order.spec.account_id, why, again=True))


def to_send(state: State, order: Order) -> Decimal:
    """How much is to go out of an order that has waited for that: of a reduce-only one, what is left to close."""
    reduces = order.kept is not None and order.kept.reduces
    return (covering.left_of(state, order) if reduces else ZERO) or order.remaining


def tell_less_goes_out(turn: Turn, order: Order, left: Decimal) -> None:
    _tell(turn, order, f"{held.title(turn.state, order)} goes out for the {plain(left)} that are left to close")


def _bring_down(turn: Turn, order: Order, *, is_compared: bool) -> None:
    left = covering.left_of(turn.state, order)
    if left <= 0 and order.state in (*_RESTING, OrderState.SUBMITTED):
        title = held.title(turn.state, order)
        orders.request_cancel(turn, order, held.ENGINE, reason=held.GONE)
        _tell(turn, order, f"{title} is being cancelled: {held.GONE}")
    elif 0 < left < order.remaining and order.state in _RESTING:
        _cut(turn, order, left, is_compared=is_compared)


def _cut(turn: Turn, order: Order, left: Decimal, *, is_compared: bool) -> None:
    assert order.kept is not None
    whole = add(order.filled, left)
    if order.kept.asked is not None and order.kept.asked <= whole and not is_compared:
        return
    title, wanted = held.title(turn.state, order), msgspec.structs.replace(order.as_it_stands(), quantity=whole)
    verdict = amending.request_amendment(turn, order, wanted, held.ENGINE)
    if isinstance(verdict, Refused):
        message = f"{title} is over more than the {plain(left)} left to close and cannot be cut: {verdict.check.reason}"
        turn.alert("critical", "order-not-cut", message, account_id=order.spec.account_id, order_id=order.id)
    else:
        _tell(turn, order, f"{title} is being cut to the {plain(left)} that are left to close")


def _tell(turn: Turn, order: Order, message: str) -> None:
    turn.alert("info", "order-reduced", message, account_id=order.spec.account_id, order_id=order.id)
