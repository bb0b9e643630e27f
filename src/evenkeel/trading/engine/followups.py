"""Follow-ups in the engine: closing, reversing and replacing wait for cancels, so that nothing is done twice.

What waits is a record; what is done when the wait is over follows from the orders and positions there are by then.
An order whose cancel the venue refuses, or does not answer in time, goes on counting as one that may fill.
"""

from decimal import Decimal

from evenkeel.domain import records as r
from evenkeel.domain.clock import SECOND
from evenkeel.domain.followups import FollowUpDone, FollowUpKind, FollowUpSet
from evenkeel.domain.money import plain
from evenkeel.domain.orders import Order, OrderKind, OrderSpec, OrderState, TimeInForce
from evenkeel.domain.positions import PositionKey, key_of
from evenkeel.domain.provenance import Provenance
from evenkeel.trading.engine import closing, covering, timers
from evenkeel.trading.engine.effects import Part
from evenkeel.trading.engine.orders import request_cancel
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.engine.waiting import TIMER

PATIENCE = 5 * SECOND
_UNCLEAR = (OrderState.CANCEL_PENDING, OrderState.IN_DOUBT)


def pending(state: State, key: PositionKey) -> bool:
    """Whether something is waiting to be done with a position as a whole."""
    return any(one.key == key and one.kind is not FollowUpKind.REPLACE for one in state.follow_ups.values())


def after_cancels(turn: Turn, wanted: FollowUpSet) -> tuple[Part, ...]:
    """Does `wanted` once the orders it awaits are gone: at once where none of them works any more.

    Those not yet being cancelled are asked to be; the answer is what has been placed, if that could be done at once.
    """
    for order_id in wanted.awaits:
        order = turn.state.orders[order_id]
        if order.is_open and order.state is not OrderState.CANCEL_PENDING:
            request_cancel(turn, order, wanted.provenance)
    if _is_clear(turn.state, wanted):
        return _carry_out(turn, wanted)
    turn.emit(wanted)
    return ()


def follow(turn: Turn) -> None:
    """Carries out the follow-ups whose wait the turn's records have ended."""
    moved = {
        record.fill.order_id if isinstance(record, r.FillBooked) else record.order_id
        for record in turn.records
        if isinstance(record, r.OrderMoved | r.FillBooked)
    }
    for one in tuple(turn.state.follow_ups.values()):
        if not moved.isdisjoint(one.awaits) and _is_clear(turn.state, one):
            _end(turn, one)


def due(turn: Turn, name: str) -> None:
    """Waits no longer: what can be done without the missing answers is done."""
    _end(turn, turn.state.follow_ups[name])


timers.HANDLERS[TIMER] = due


def _is_clear(state: State, one: FollowUpSet) -> bool:
    return not any(state.orders[order_id].state in _UNCLEAR for order_id in one.awaits)


def _end(turn: Turn, one: FollowUpSet) -> None:
    left = [turn.state.orders[order_id] for order_id in one.awaits if turn.state.orders[order_id].is_working]
    parts = _carry_out(turn, one)
    reason = _why_less(turn, one, left=left)
    turn.emit(FollowUpDone(at=turn.at, id=one.id, reason=reason))
    if reason:
        turn.alert("warning", "follow-up-incomplete", reason, account_id=one.key.account_id)
    for part in parts:
        order = turn.state.orders[part.order_id]
        if order.state is OrderState.REFUSED:
            what = f"The order that was to {_said(turn.state, one)} was refused: {order.reason}"
            turn.alert("warning", "follow-up-refused", what, account_id=one.key.account_id, order_id=order.id)


def _carry_out(turn: Turn, one: FollowUpSet) -> tuple[Part, ...]:
    account = turn.state.accounts[one.key.account_id]
    match one.kind:
        case FollowUpKind.CLOSE:
            return closing.close_one(
                turn, account, key=one.key, quantity=one.quantity, name=one.client_order_id, provenance=one.provenance
            )
        case FollowUpKind.REVERSE:
            return closing.reverse_one(turn, account, key=one.key, name=one.client_order_id, provenance=one.provenance)
        case FollowUpKind.REPLACE:
            return _replace(turn, one, order=turn.state.orders[one.awaits[0]])


def _replace(turn: Turn, one: FollowUpSet, *, order: Order) -> tuple[Part, ...]:
    """A market order for what has not filled of an order that works no more, and only then; in place of one that is
    reduce-only, for what nothing else closes, and reduce-only."""
    if order.is_open or order.state in (OrderState.FILLED, OrderState.ANOMALY):
        return ()
    reduces = order.kept is not None and order.kept.reduces
    quantity = covering.left_of(turn.state, order, covered=True) if reduces else order.remaining
    if not quantity:
        return ()
    spec = OrderSpec(
        account_id=order.spec.account_id,
        book=order.spec.book,
        instrument_id=order.spec.instrument_id,
        side=order.spec.side,
        quantity=quantity,
        kind=OrderKind.MARKET,
        client_order_id=one.client_order_id,
        time_in_force=TimeInForce.DAY,
        product=order.spec.product,
        reduce_only=reduces or None,
    )
    return (closing.placed(turn, spec, provenance=one.provenance),)


def _why_less(turn: Turn, one: FollowUpSet, *, left: list[Order]) -> str:
    """What could not be done because orders could not be cancelled; empty where all was done."""
    still = [order for order in left if order.is_working and key_of(order.spec) == one.key]
    if not still:
        return ""
    waits = ", ".join(f"order {order.id} over {plain(order.remaining)} is {order.state}" for order in still)
    return f"Could not {_said(turn.state, one)} in full: {waits}"


def _said(state: State, one: FollowUpSet) -> str:
    symbol = state.instruments[one.key.instrument_id].symbol
    if one.kind is FollowUpKind.REPLACE:
        return f"trade {symbol} at the market in place of order {one.awaits[0]}"
    return f"{one.kind} the position in {symbol}"


def new(
    turn: Turn,
    kind: FollowUpKind,
    *,
    key: PositionKey,
    awaits: list[Order],
    name: str,
    provenance: Provenance,
    quantity: Decimal | None = None,
) -> FollowUpSet:
    """A follow-up as it would be recorded now; `name` is the client id of its first order."""
    return FollowUpSet(
        at=turn.at,
        id=turn.new_id("follow-up"),
        kind=kind,
        key=key,
        awaits=tuple(order.id for order in awaits),
        until=turn.at + PATIENCE,
        client_order_id=name,
        provenance=provenance,
        quantity=quantity,
    )
