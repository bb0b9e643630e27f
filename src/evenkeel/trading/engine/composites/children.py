"""What every kind of composite does with its children: places, changes and cancels them, pauses, stops and ends."""

from decimal import Decimal

import msgspec

from evenkeel.domain import composites as d
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.clock import SECOND
from evenkeel.domain.composite_records import CompositeEnded, CompositeMoved
from evenkeel.domain.composites import CORRECTION, CompositeState
from evenkeel.domain.money import ZERO, add, plain, sub
from evenkeel.domain.orders import Order, OrderKind, OrderSpec, OrderState, TimeInForce
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.risk import Approved, Refused, Verdict
from evenkeel.trading.engine import amending, halts, orders
from evenkeel.trading.engine.composites.standing import Composite
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn

RETRY = 30 * SECOND
MOST_FAILURES = 3
_RESTING = (OrderState.HELD, OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)


def provenance(one: Composite) -> Provenance:
    """Children come from whom the composite came from, because of it."""
    return msgspec.structs.replace(one.provenance, cause_id=one.id, parent_id=one.id)


def place(turn: Turn, one: Composite, *, leg: str, spec: OrderSpec, since: int = 0) -> bool:
    """Places the next child of a leg, under an id of which there is only one; whether risk let it through.

    That the children of a leg are never for more than was asked for is made sure here, whatever the composite.
    """
    whole = _whole_of(one, leg)
    if whole is not None and spec.quantity > rest_of(one, whole, turn.state, leg):
        raise AssertionError(f"orders of {one.id}, {leg}, would be for more than {whole}")
    number = len(one.legs.get(leg, ())) + 1
    child = msgspec.structs.replace(spec, client_order_id=f"{one.id}:{leg}:{number}", parent=one.id, leg=leg)
    account = turn.state.accounts[one.account_id]
    return isinstance(orders.place(turn, account, child, provenance(one), since=since), Approved)


def _whole_of(one: Composite, leg: str) -> Decimal | None:
    """How much the children of a leg that enters may fill together; None for one that closes what others filled."""
    specs = d.specs_of(one.terms)
    if leg in (d.ENTRY, d.SLICE):
        return specs[0].quantity
    if leg in d.EITHER:
        return specs[d.EITHER.index(leg)].quantity
    name, _, number = leg.partition("-")
    return specs[int(number) - 1].quantity if name == "leg" else None


def at_market(spec: OrderSpec, quantity: Decimal) -> OrderSpec:
    """A market order that takes `quantity` of `spec` back."""
    return msgspec.structs.replace(
        spec,
        side=spec.side.other,
        quantity=quantity,
        kind=OrderKind.MARKET,
        limit_price=None,
        stop_price=None,
        time_in_force=TimeInForce.DAY,
        link="",
        trigger=None,
        trail=None,
        expires_at=0,
        not_before=0,
        reduce_only=None,
    )


def of_leg(state: State, one: Composite, *legs: str) -> list[Order]:
    """The working children of these legs, of all without any."""
    found = (state.orders[order_id] for order_id in one.working)
    return [order for order in found if not legs or order.spec.leg in legs]


def resting(state: State, one: Composite, *, leg: str) -> Order | None:
    """The child of a leg that works and is not on its way out."""
    found = [order for order in of_leg(state, one, leg) if order.state is not OrderState.CANCEL_PENDING]
    return found[0] if found else None


def on_the_way(state: State, one: Composite, *legs: str) -> Decimal:
    """How much the working children of these legs may still fill."""
    whole = ZERO
    for order in of_leg(state, one, *legs):
        whole = add(whole, order.remaining)
    return whole


def cancel(turn: Turn, one: Composite, *legs: str) -> None:
    """Asks, once each, for the working children of these legs to be cancelled; without any, for all but corrections."""
    for order in of_leg(turn.state, one, *legs):
        if not legs and order.spec.leg == CORRECTION:
            continue
        if order.state is not OrderState.CANCEL_PENDING and order.id not in one.asked_for:
            orders.request_cancel(turn, order, provenance(one))


def adjust(
    turn: Turn,
    one: Composite,
    *,
    order: Order,
    quantity: Decimal,
    limit_price: Decimal | None,
    stop_price: Decimal | None,
    since: int = 0,
) -> Verdict | None:
    """Asks for `quantity` more units and these prices; what is not acknowledged yet is asked once it is.

    A verdict where something was to change, None where nothing was.
    """
    if order.state not in _RESTING:
        return None
    spec = changed(order, quantity=quantity, limit_price=limit_price, stop_price=stop_price)
    wanted = (spec.quantity, spec.limit_price, spec.stop_price)
    if wanted == (order.quantity, order.limit_price, order.stop_price):
        return None
    if one.changing.get(order.id) == wanted:
        return None
    return amending.request_amendment(turn, order, spec, provenance(one), since=since)


def changed(order: Order, *, quantity: Decimal, limit_price: Decimal | None, stop_price: Decimal | None) -> OrderSpec:
    """An order for `quantity` more units, at these prices; a stop that was reached, or that follows, stays."""
    follows = order.kept is not None and order.kept.trail is not None
    return msgspec.structs.replace(
        order.spec,
        quantity=add(order.filled, quantity),
        limit_price=limit_price,
        stop_price=order.stop_price if order.triggered or follows else stop_price,
    )


def reprice(
    turn: Turn,
    one: Composite,
    *,
    order: Order,
    quantity: Decimal,
    limit_price: Decimal | None,
    stop_price: Decimal | None,
    stands: d.Terms,
) -> None:
    """As `adjust`. Where risk refuses by now what it let through when that was asked for, the terms become `stands`,
    which are those with what the order has, so that no change comes into force by itself later."""
    verdict = adjust(turn, one, order=order, quantity=quantity, limit_price=limit_price, stop_price=stop_price)
    if not isinstance(verdict, Refused):
        return
    if stands != one.terms:
        turn.emit(
            CompositeMoved(
                at=turn.at,
                id=one.id,
                state=one.state,
                step=one.step,
                wake=one.wake,
                ending=one.ending,
                reason=one.reason,
                terms=stands,
                unmoved=(order.id,),
            )
        )
    prices = " and ".join(plain(price) for price in (order.limit_price, order.stop_price) if price is not None)
    message = f"is not changed, and keeps its price of {prices}: {verdict.check.reason}"
    alert(turn, one, level="warning", kind="change-refused", message=message)


def as_priced(spec: OrderSpec, order: Order) -> OrderSpec:
    """The terms of an order with the prices that it has now, where they name any."""
    return msgspec.structs.replace(
        spec,
        limit_price=spec.limit_price and (order.limit_price or spec.limit_price),
        stop_price=spec.stop_price and (order.stop_price or spec.stop_price),
    )


def may_enter(state: State, one: Composite, *, spec: OrderSpec | None = None) -> bool:
    """Whether its account may be sent orders that raise risk, and a price is known, unlike right after a start."""
    wanted = spec or one.lead
    account = state.accounts[one.account_id]
    is_ready = account.readiness is Readiness.READY and not account.is_idle
    is_priced = wanted.instrument_id in state.marks
    return is_ready and is_priced and not (state.halts and halts.is_over(state, wanted))


def move(
    turn: Turn,
    one: Composite,
    *,
    state: CompositeState,
    reason: str | None = None,
    step: int | None = None,
    wake: int | None = None,
    ending: CompositeState = CompositeState.CANCELLED,
) -> None:
    """Records that it goes on otherwise; `step` and `wake` stay as they are where they are not given."""
    turn.emit(
        CompositeMoved(
            at=turn.at,
            id=one.id,
            state=state,
            step=one.step if step is None else step,
            wake=one.wake if wake is None else wake,
            ending=ending,
            reason=reason,
        )
    )


def stop(turn: Turn, one: Composite, *, ending: CompositeState, reason: str) -> None:
    """Has what still works cancelled, and it end once nothing does."""
    if one.working:
        move(turn, one, state=CompositeState.STOPPING, reason=reason, wake=0, ending=ending)
        cancel(turn, one)
    else:
        end(turn, one, ending=ending, reason=reason)


def end(turn: Turn, one: Composite, *, ending: CompositeState, reason: str | None = None) -> None:
    """Records that nothing of it works any more."""
    turn.emit(CompositeEnded(at=turn.at, id=one.id, state=ending, reason=reason))
    if ending is CompositeState.FAILED:
        alert(turn, one, level="critical", kind="composite-failed", message=f"has failed: {reason}")


def has_paused(turn: Turn, one: Composite) -> bool:
    """After a child that came to nothing: waits a while, and gives up after some in a row. Whether it does either."""
    if one.failures >= MOST_FAILURES:
        stop(turn, one, ending=CompositeState.FAILED, reason=_in_a_row(turn.state, one))
        return True
    if one.failures > one.step:
        reason = why(turn.state, one)
        move(turn, one, state=CompositeState.PAUSED, reason=reason, step=one.failures, wake=turn.at + RETRY)
        alert(
            turn,
            one,
            level="warning",
            kind="composite-paused",
            message=f"tries again in {RETRY // SECOND} seconds: {reason}",
        )
    return one.state is CompositeState.PAUSED


def rest(turn: Turn, one: Composite) -> None:
    """Places no more after too many failures in a row, and leaves what works at work. A fill starts the count anew."""
    reason = _in_a_row(turn.state, one)
    move(turn, one, state=CompositeState.PAUSED, reason=reason, step=one.failures, wake=0)
    message = f"places no more before something of it fills, and leaves what works at work: {reason}"
    alert(turn, one, level="critical", kind="composite-paused", message=message)


def _in_a_row(state: State, one: Composite) -> str:
    return f"{one.failures} times in a row orders came to nothing: {why(state, one)}"


def why(state: State, one: Composite) -> str:
    """What became of the last child that did not fill."""
    known = [state.orders[order_id] for order_ids in one.legs.values() for order_id in order_ids]
    lost = [order for order in known if not order.is_open and order.state is not OrderState.FILLED]
    if not lost:
        return "nothing was left that could be placed"
    last = max(lost, key=lambda order: order.updated_at)
    return f"an order was {last.state}" + (f": {last.reason}" if last.reason else "")


def end_of(state: State, one: Composite, *, leg: str) -> CompositeState:
    """How a composite ends whose leg has filled nothing."""
    if leg not in one.legs:
        return CompositeState.CANCELLED
    match state.orders[one.legs[leg][-1]].state:
        case OrderState.CANCELLED:
            return CompositeState.CANCELLED
        case OrderState.EXPIRED:
            return CompositeState.EXPIRED
        case _:
            return CompositeState.FAILED


def alert(turn: Turn, one: Composite, *, level: str, kind: str, message: str) -> None:
    turn.alert(level, kind, f"{title(turn.state, one)} {message}", account_id=one.account_id)


def title(state: State, one: Composite) -> str:
    """A composite in words."""
    lead = one.lead
    symbol = state.instruments[lead.instrument_id].symbol
    name = str(one.terms.__struct_config__.tag)
    return f"The {name} order to {lead.side.lower()} {plain(lead.quantity)} {symbol}"


def rest_of(one: Composite, quantity: Decimal, state: State, *legs: str) -> Decimal:
    """What of `quantity` these legs have neither filled nor on its way; never below zero."""
    return max(ZERO, sub(quantity, add(one.filled_of(*legs), on_the_way(state, one, *legs))))


def left_of(state: State, one: Composite, order: OrderSpec) -> list[OrderSpec]:
    """What of a sliced order has no slice yet, as one order; nothing where all of it has."""
    rest = rest_of(one, order.quantity, state, d.SLICE)
    return [msgspec.structs.replace(order, quantity=rest)] if rest else []
