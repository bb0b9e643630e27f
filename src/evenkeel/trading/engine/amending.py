"""Changing a working order: judged as it would then stand, recorded, and only then asked of the venue."""

import msgspec

from evenkeel.domain.commands import ModifyOrder
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput
from evenkeel.domain.money import sub
from evenkeel.domain.orders import Order, OrderSpec, OrderState
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.records import AmendRequested
from evenkeel.domain.risk import Refused, Verdict
from evenkeel.trading.brokers.ports import Amendment
from evenkeel.trading.engine.effects import Outcome, SendAmendment
from evenkeel.trading.engine.orders import check_spec, risk_view
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.risk import assess


def modify(turn: Turn, command: ModifyOrder) -> Outcome:
    """Asks the venue to change a working order, after risk has judged the order as it would then stand.

    Raises Conflict when the order no longer works or risk refuses the change; the order itself stays as it is.
    """
    order = turn.state.order(command.order_id)
    if order.state not in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED):
        raise Conflict(f"the order is {order.state} and cannot be changed")
    spec = msgspec.structs.replace(
        order.spec,
        quantity=command.quantity if command.quantity is not None else order.quantity,
        limit_price=command.limit_price if command.limit_price is not None else order.limit_price,
        stop_price=command.stop_price if command.stop_price is not None else order.stop_price,
    )
    check_spec(turn.state, spec)
    left = sub(spec.quantity, order.filled)
    if left <= 0:
        raise InvalidInput(
            "the order has already filled more",
            errors=(FieldError("quantity", f"more than the {order.filled} already filled"),),
        )
    verdict = request_amendment(turn, order, spec, command.provenance)
    if isinstance(verdict, Refused):
        raise Conflict(f"the change is refused: {verdict.check.reason}")
    return Outcome(order.id, created=False)


def request_amendment(turn: Turn, order: Order, spec: OrderSpec, provenance: Provenance, *, since: int = 0) -> Verdict:
    """Judges an order as it would stand with the terms of `spec`; approved, the change is recorded and let out."""
    account, left = turn.state.account(spec.account_id), sub(spec.quantity, order.filled)
    verdict = assess(risk_view(turn.state, account, spec, left, without=order.id, source=provenance.source))
    if isinstance(verdict, Refused):
        return verdict
    turn.emit(
        AmendRequested(
            at=turn.at,
            order_id=order.id,
            quantity=spec.quantity,
            limit_price=spec.limit_price,
            stop_price=spec.stop_price,
            checks=verdict.checks,
            provenance=provenance,
            since=since,
        )
    )
    amendment = Amendment(
        account_id=spec.account_id,
        venue_client_id=order.venue_client_id,
        venue_order_id=order.venue_order_id,
        spec=spec,
        approval=verdict,
        at=turn.at,
        since=since,
    )
    turn.effects.append(SendAmendment(order.id, amendment))
    return verdict
