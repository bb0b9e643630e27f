"""Changing an open order: judged as it would then stand, recorded, and only then asked of the venue, if one has it."""

from decimal import Decimal

import msgspec

from evenkeel.domain.commands import ModifyOrder
from evenkeel.domain.errors import ChangeRefused, Conflict, FieldError, InvalidInput
from evenkeel.domain.held_records import OrderKept
from evenkeel.domain.money import ZERO, sub
from evenkeel.domain.orders import NEEDS, Kept, Order, OrderEvent, OrderSpec, OrderState, TimeInForce, Trail, Trigger
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.records import AmendRequested, OrderMoved
from evenkeel.domain.risk import Approved, Refused, Verdict
from evenkeel.trading.brokers.ports import Amendment
from evenkeel.trading.engine import covering, keeping
from evenkeel.trading.engine.effects import Outcome, SendAmendment
from evenkeel.trading.engine.orders import check_spec
from evenkeel.trading.engine.risk_views import risk_view
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.trailing import trail_faults
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.risk import assess

_TERMS = ("trigger_price", "trail", "expires_at")
_CHANGEABLE = (OrderState.HELD, OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)


def modify(turn: Turn, command: ModifyOrder) -> Outcome:
    """Changes a held order, or asks the venue to change a working one, after risk has judged it as it would then stand.

    Raises Conflict when the order cannot be changed or risk refuses the change; the order itself stays as it is.
    """
    order = turn.state.order(command.order_id)
    _check_changeable(order)
    alter(
        turn,
        order,
        command.provenance,
        quantity=command.quantity,
        limit_price=command.limit_price,
        stop_price=command.stop_price,
        kept=new_terms(
            turn, order, trigger_price=command.trigger_price, trail=command.trail, expires_at=command.expires_at
        ),
    )
    return Outcome(order.id, created=False)


def _check_changeable(order: Order) -> None:
    if order.state not in _CHANGEABLE:
        raise Conflict(f"the order is {order.state} and cannot be changed")


def new_terms(
    turn: Turn, order: Order, *, trigger_price: Decimal | None, trail: Trail | None, expires_at: int | None
) -> Kept | None:
    """What is to be kept of an order from now on, if that is to change. Raises InvalidInput for what it has not got."""
    kept, wanted = order.kept, (trigger_price, trail, expires_at)
    if wanted == (None, None, None):
        return None
    found = [
        FieldError(name, f"this {order.spec.kind} order has none here that could be changed")
        for name, value, is_there in zip(_TERMS, wanted, _has(order), strict=True)
        if value is not None and not is_there
    ]
    if kept is not None and not found:
        if trigger_price is not None:
            kept = _with_trigger(turn, order, kept, price=trigger_price, found=found)
        if trail is not None:
            kept = _with_trail(turn, order, kept, trail=trail, found=found)
        if expires_at is not None:
            if expires_at <= max(turn.at, kept.begins):
                found.append(FieldError("expires_at", "a moment that is still to come, after the order begins"))
            kept = msgspec.structs.replace(kept, until=expires_at)
    if found:
        raise InvalidInput("the change is not valid", errors=tuple(found))
    return kept


def _has(order: Order) -> tuple[bool, bool, bool]:
    """Which of `_TERMS` the engine keeps of an order, so that they can be changed."""
    kept, asked = order.kept, order.spec
    if kept is None:
        return False, False, False
    waits = asked.trigger is not None and order.state is OrderState.HELD
    return waits, kept.trail is not None, keeping.ends_here(order)


def _with_trigger(turn: Turn, order: Order, kept: Kept, *, price: Decimal, found: list[FieldError]) -> Kept:
    wanted = msgspec.structs.replace(order.spec, trigger=Trigger(price), expires_at=0)
    found += [fault for fault in keeping.faults(turn.state, wanted) if fault.field == "trigger_price"]
    return msgspec.structs.replace(kept, level=price, rises=keeping.rises(turn.state, wanted), since=turn.at)


def _with_trail(turn: Turn, order: Order, kept: Kept, *, trail: Trail, found: list[FieldError]) -> Kept:
    """The stop lies behind the best price so far by the new distance, nearer or farther than before."""
    trail = _whole_trail(kept, trail)
    faults = trail_faults(turn.state, order.spec, trail=trail)
    found += faults
    kept = msgspec.structs.replace(kept, trail=trail, level=None)
    return keeping.trailed(turn.state, order.spec, kept, price=kept.best) if kept.best and not faults else kept


def _whole_trail(kept: Kept, trail: Trail) -> Trail:
    """A change of a trail with what it does not change: the distance of the stop, or that of the limit beyond it."""
    known = kept.trail or trail
    if trail.amount is None and trail.fraction is None:
        return msgspec.structs.replace(known, limit_offset=trail.limit_offset)
    offset = known.limit_offset if trail.limit_offset is None else trail.limit_offset
    return msgspec.structs.replace(trail, limit_offset=offset)


def alter(
    turn: Turn,
    order: Order,
    provenance: Provenance,
    *,
    quantity: Decimal | None = None,
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
    kept: Kept | None = None,
) -> None:
    """As `modify`, and raises as it does; None keeps what stands."""
    if order.spec.parent in turn.state.composites:
        raise Conflict("the order is part of a composite order", hint="Change that; it places and prices its orders.")
    _check_changeable(order)
    prices = zip(NEEDS[order.spec.kind], (order.limit_price, order.stop_price), strict=True)
    limit, stop = (price if needs else None for needs, price in prices)
    spec = msgspec.structs.replace(
        order.spec,
        quantity=quantity if quantity is not None else covering.wanted_of(turn.state, order),
        limit_price=limit_price if limit_price is not None else limit,
        stop_price=stop_price if stop_price is not None else stop,
    )
    check_spec(turn.state, _as_kept(spec, kept or order.kept))
    left = sub(spec.quantity, order.filled)
    if left <= 0:
        raise InvalidInput(
            "the order has already filled more",
            errors=(FieldError("quantity", f"more than the {order.filled} already filled"),),
        )
    is_same = quantity in (None, order.quantity) and (spec.limit_price, spec.stop_price) == (limit, stop)
    if kept is not None and is_same and (order.state is OrderState.HELD or _stands(order, kept)):
        verdict = judge(turn, order, spec, provenance, kept=kept)
        if isinstance(verdict, Approved):
            turn.emit(OrderKept(at=turn.at, order_id=order.id, kept=kept, provenance=provenance))
    else:
        verdict = request_amendment(turn, order, spec, provenance, kept=kept)
    if isinstance(verdict, Refused):
        raise refusal(verdict)


def refusal(verdict: Refused) -> ChangeRefused:
    """What is raised where risk refuses a change."""
    check = verdict.check
    said = f"the change is refused: {check.reason}"
    return ChangeRefused(said, rule=check.rule, layer=check.layer, limit=check.limit, value=check.value)


def _stands(order: Order, kept: Kept) -> bool:
    """Whether a venue has an order's prices where they are to be."""
    return kept.level in (None, order.stop_price) and keeping.limit_of(order.spec, kept) in (None, order.limit_price)


def _as_kept(spec: OrderSpec, kept: Kept | None) -> OrderSpec:
    """An order as it was asked, with what has become of its terms since, so that they are not judged anew; those that
    its venue sees to are as they were asked."""
    if kept is None:
        return spec
    trigger = spec.trigger and Trigger(kept.level or spec.trigger.price, kept.rises)
    until = (kept.until or spec.expires_at) if spec.time_in_force is TimeInForce.GTD else 0
    trail = spec.trail and (kept.trail or spec.trail)
    return msgspec.structs.replace(spec, trigger=trigger, trail=trail, expires_at=until)


def _eases(order: Order, spec: OrderSpec, kept: Kept | None, *, most: Decimal) -> bool:
    """Whether a change only takes away from what works already, of which `most` is left: less of it, or for less long,
    at the same prices, or of what only closes."""
    left = sub(spec.quantity, order.filled)
    if left <= most and (_only_closes(spec) or _waits_to_close(order)):
        return True
    is_at_same = (spec.limit_price, spec.stop_price) == (order.limit_price, order.stop_price)
    if not is_at_same or kept not in (None, order.kept):
        return is_at_same and left <= most and _ends_sooner(order, kept)
    return left < most


def _most(state: State, order: Order) -> Decimal:
    """How much of an order may be left by a change that adds nothing: a reduce-only one may be about to be cut."""
    left = covering.left_of(state, order) if covering.is_cut(order) and not order.spec.is_exit else ZERO
    return left if left > 0 else order.remaining


def _ends_sooner(order: Order, kept: Kept | None) -> bool:
    """Whether all that is kept otherwise is an earlier end."""
    now = order.kept
    if now is None or kept is None:
        return False
    return 0 < kept.until < now.until and kept == msgspec.structs.replace(now, until=kept.until)


def judge(turn: Turn, order: Order, spec: OrderSpec, provenance: Provenance, *, kept: Kept | None = None) -> Verdict:
    """What risk says of an order as it would stand with the quantity and prices of `spec`, and `kept` of it."""
    account, left = turn.state.account(spec.account_id), sub(spec.quantity, order.filled)
    now, source = kept or order.kept, provenance.source
    spec = _where_it_is(order, spec, now)
    held = _held_with(spec, now) if now is not None and order.state is OrderState.HELD else None
    view = risk_view(turn.state, account, spec, left, without=(order.id,), kept=held, source=source, at=turn.at)
    return assess(msgspec.structs.replace(view, eases=_eases(order, spec, kept, most=_most(turn.state, order))))


def _held_with(spec: OrderSpec, kept: Kept) -> Kept:
    """What is kept of a held order, with the stop that is to set it off from now on."""
    if spec.stop_price is None or kept.level is None:
        return kept
    return msgspec.structs.replace(kept, level=spec.stop_price)


def _waits_to_close(order: Order) -> bool:
    """Whether an order is held that goes out for no more than there is to close then, reduce-only or not."""
    return order.state is OrderState.HELD and order.kept is not None and order.kept.closes


def _only_closes(spec: OrderSpec) -> bool:
    return spec.is_exit or spec.reduce_only is True


def request_amendment(
    turn: Turn,
    order: Order,
    spec: OrderSpec,
    provenance: Provenance,
    *,
    since: int = 0,
    kept: Kept | None = None,
) -> Verdict:
    """Judges an order as it would stand with the quantity and prices of `spec`; approved, the change is recorded.

    What a venue has is asked of it; what is held here is changed with that. `kept` is to be kept of it from then on.
    """
    now, is_held = kept or order.kept, order.state is OrderState.HELD
    spec = _where_it_is(order, spec, now)
    verdict = judge(turn, order, spec, provenance, kept=kept)
    if isinstance(verdict, Refused):
        return verdict
    if kept is not None and not is_held:
        turn.emit(OrderKept(at=turn.at, order_id=order.id, kept=kept, provenance=provenance))
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
    if is_held and now is not None:
        _change_held(turn, order, spec, provenance, now=now)
    else:
        _ask(turn, order, spec, verdict, since=since)
    return verdict


def _where_it_is(order: Order, spec: OrderSpec, kept: Kept | None) -> OrderSpec:
    """The terms of `spec` in the kind in which the venue has the order, if one has it; a stop that follows stays where
    it is put, and what is reduce-only stays so."""
    if kept is not None and kept.reduces:
        spec = msgspec.structs.replace(spec, reduce_only=True)
    if kept is None or order.state is OrderState.HELD:
        return spec
    stop_price = spec.stop_price if kept.trail is None else kept.level
    there = order.as_it_stands()
    return msgspec.structs.replace(
        there,
        quantity=spec.quantity,
        limit_price=keeping.limit_of(spec, kept),
        stop_price=stop_price if NEEDS[there.kind][1] else None,
    )


def _change_held(turn: Turn, order: Order, spec: OrderSpec, provenance: Provenance, *, now: Kept) -> None:
    is_no_more = _waits_to_close(order) and spec.quantity <= order.quantity
    is_closing = now.reduces or is_no_more or keeping.closes(turn.state, turn.state.account(spec.account_id), spec)
    now = msgspec.structs.replace(_held_with(spec, now), closes=is_closing)
    turn.emit(
        OrderMoved(
            at=turn.at,
            order_id=order.id,
            event=OrderEvent.AMEND,
            state=OrderState.HELD,
            by_venue=False,
            quantity=spec.quantity,
            limit_price=keeping.limit_of(spec, now),
            stop_price=now.level if now.trail is not None else spec.stop_price,
            provenance=provenance,
        )
    )
    if now != order.kept:
        turn.emit(OrderKept(at=turn.at, order_id=order.id, kept=now, provenance=provenance))


def _ask(turn: Turn, order: Order, spec: OrderSpec, approval: Approved, *, since: int) -> None:
    amendment = Amendment(
        account_id=spec.account_id,
        venue_client_id=order.venue_client_id,
        venue_order_id=order.venue_order_id,
        spec=spec,
        approval=approval,
        at=turn.at,
        since=since,
    )
    turn.effects.append(SendAmendment(order.id, amendment))
