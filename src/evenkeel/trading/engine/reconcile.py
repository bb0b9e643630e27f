"""Reconcile: what the broker's own book shows is brought into ours, by id, by recorded events, and repeatably.

Executions first, so that fills missed while away are booked to their orders; then working orders; then orders
of ours the broker does not list, each by what its lookup proved; last the positions, whose remaining difference
goes to the book `unassigned` with an alert. An incomplete snapshot proves nothing.
"""

from collections import defaultdict
from decimal import Decimal
from itertools import islice

import msgspec

from evenkeel.domain import events as e
from evenkeel.domain.accounts import UNASSIGNED, Readiness
from evenkeel.domain.fills import Fill
from evenkeel.domain.money import ZERO, add, neg, rounded, sub, total
from evenkeel.domain.orders import Order, OrderEvent, OrderSpec, OrderState, Product
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.records import AccountReconciled, OrderMoved, PositionCorrected, ReadinessChanged
from evenkeel.trading.engine import notices, venue, watching
from evenkeel.trading.engine.effects import WantReconcile
from evenkeel.trading.engine.orders import send_cancel
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn

_Held = tuple[str, Product]
_LATEST = 64


def snapshot(turn: Turn, event: e.BrokerSnapshot) -> None:
    """Takes one account's snapshot; complete, it makes the account READY.

    What is odd about it is said, but asks for no further reconcile: the broker would only show the same again.
    """
    account = turn.state.account(event.account_id)
    if not event.complete:
        _failed(turn, account, event.reason or "the broker did not answer")
        return
    if _is_outdated(turn, event):
        turn.effects.append(WantReconcile(event.account_id, "a fill came while the snapshot was taken", again=True))
        return
    for order in event.orders:
        _adopt_unknown(turn, order)
    _adopt_twins(turn, event)
    for execution in event.executions:
        venue.filled(turn, execution)
    for order in event.orders:
        _working_there(turn, order)
    for lookup in event.lookups:
        _looked_up(turn, lookup)
    differences = _positions(turn, event)
    turn.effects = [effect for effect in turn.effects if not isinstance(effect, WantReconcile)]
    is_routine = event.routine and account.readiness is Readiness.READY
    turn.emit(AccountReconciled(at=turn.at, account_id=event.account_id, differences=differences, routine=is_routine))
    if turn.state.resting:
        watching.keep_shut(turn, account)


def _failed(turn: Turn, account: AccountState, why: str) -> None:
    """Says why an account that is not ready stays so."""
    account_id = account.account.id
    if account.readiness is Readiness.NOT_READY:
        reason = f"not reconciled: {why}"
        turn.emit(ReadinessChanged(at=turn.at, account_id=account_id, readiness=Readiness.NOT_READY, reason=reason))
    message = f"{account.account.name} could not be reconciled: {why}"
    turn.alert("critical", "reconcile-failed", message, account_id=account_id)


def _is_outdated(turn: Turn, event: e.BrokerSnapshot) -> bool:
    """True when it does not hold a fill that was booked since it was begun, or is so new that it may not show yet."""
    if event.booked is None:
        return False
    state = turn.state
    theirs = {execution.execution_id for execution in event.executions}
    since = turn.at - _settle_time(state, event.account_id)
    booked_since = len(state.fills) - event.booked
    latest = islice(reversed(state.fills.items()), max(booked_since, _LATEST))
    return any(
        account_id == event.account_id
        and fill.reverses is None
        and execution_id not in theirs
        and (number < booked_since or since < fill.executed_at <= turn.at)
        and (account_id, f"bust:{execution_id}") not in state.fills
        for number, ((account_id, execution_id), fill) in enumerate(latest)
    )


def _settle_time(state: State, account_id: str) -> int:
    """How long (ns) what has happened at the account's broker may be missing from what it shows."""
    profile = state.profiles.get(state.accounts[account_id].account.broker)
    return 0 if profile is None else profile.settle_time


def _adopt_unknown(turn: Turn, theirs: e.BrokerOrder) -> None:
    """An order placed elsewhere comes first, at its full size, so that its executions find it."""
    if venue.find(turn, _accepted(turn, theirs)) is None and _is_listed(turn, theirs, "works an order"):
        venue.adopt(turn, _spec(theirs), theirs.venue_order_id, state=OrderState.ACCEPTED)


def _adopt_twins(turn: Turn, event: e.BrokerSnapshot) -> None:
    """Where the broker lists two orders for one of ours, such as after a change that was lost on the way, the one whose
    id we know is ours, and the other an order of its own: both can fill, and both can be cancelled."""
    by_order: dict[str, list[e.BrokerOrder]] = defaultdict(list)
    for theirs in event.orders:
        ours = venue.find(turn, _accepted(turn, theirs))
        if ours is not None and theirs.venue_client_id == ours.venue_client_id:
            by_order[ours.id].append(theirs)
    for order_id, found in by_order.items():
        order = turn.state.orders[order_id]
        names = [one.venue_order_id for one in found]
        first = order.venue_order_id if order.venue_order_id in names else names[0]
        for theirs in found:
            if theirs.venue_order_id != first:
                spec = msgspec.structs.replace(_spec(theirs), book=order.spec.book, product=order.spec.product)
                venue.adopt(turn, spec, theirs.venue_order_id, state=OrderState.ACCEPTED, twin_of=order_id)


def _is_listed(turn: Turn, theirs: e.BrokerOrder | e.BrokerPosition, what: str) -> bool:
    if theirs.instrument_id in turn.state.instruments:
        return True
    message = f"The broker {what} in {theirs.instrument_id!r}, which is not listed here"
    turn.alert("critical", "unlisted-instrument", message, account_id=theirs.account_id)
    return False


def _accepted(turn: Turn, theirs: e.BrokerOrder) -> e.VenueAccepted:
    return e.VenueAccepted(
        account_id=theirs.account_id,
        venue_client_id=theirs.venue_client_id,
        venue_order_id=theirs.venue_order_id,
        at=turn.at,
    )


def _working_there(turn: Turn, theirs: e.BrokerOrder) -> None:
    """Takes the broker's word that an order works, and on what terms: an amendment's answer may have been lost."""
    accepted = _accepted(turn, theirs)
    ours = venue.find(turn, accepted)
    if ours is None:
        return
    venue.accepted(turn, accepted)
    if ours.is_working:
        venue.amended(
            turn,
            e.VenueAmended(
                account_id=theirs.account_id,
                venue_client_id=theirs.venue_client_id,
                venue_order_id=theirs.venue_order_id,
                at=turn.at,
                quantity=theirs.quantity,
                limit_price=theirs.limit_price,
                stop_price=theirs.stop_price,
            ),
        )
    if ours.state is OrderState.CANCEL_PENDING:
        # The cancel may have died with the process that recorded it; to ask twice does no harm.
        send_cancel(turn, ours)


def _spec(theirs: e.BrokerOrder) -> OrderSpec:
    return OrderSpec(
        account_id=theirs.account_id,
        book=UNASSIGNED,
        instrument_id=theirs.instrument_id,
        side=theirs.side,
        quantity=theirs.quantity,
        kind=theirs.kind,
        client_order_id=f"external:{theirs.venue_order_id}"[:64],
        limit_price=theirs.limit_price,
        stop_price=theirs.stop_price,
        time_in_force=theirs.time_in_force,
        product=theirs.product,
    )


def _looked_up(turn: Turn, lookup: e.Lookup) -> None:
    order = turn.state.orders.get(lookup.order_id)
    if order is None or not order.is_working:
        return
    if lookup.found is not None and venue.find(turn, _accepted(turn, lookup.found)) is not order:
        lookup = msgspec.structs.replace(lookup, found=None, conclusive=False)  # it is the other of two
    if lookup.found is None:
        if lookup.conclusive and not order.has_venue_event:
            notices.end_unsent(turn, order.id, "the broker never received it")
        elif order.state is not OrderState.IN_DOUBT:
            notices.put_in_doubt(turn, order.id, "the broker does not list it")
        return
    _follow(turn, order, lookup.found)


def _follow(turn: Turn, order: Order, theirs: e.BrokerOrder) -> None:
    """Moves our order to where the broker's book says it is; its fills have been booked before."""
    account_id, ours, venue_id = theirs.account_id, theirs.venue_client_id, theirs.venue_order_id
    if theirs.state is OrderState.REJECTED:
        why = "rejected by the broker"
        event = e.VenueRejected(
            account_id=account_id, venue_client_id=ours, venue_order_id=venue_id, at=turn.at, reason=why
        )
        venue.rejected(turn, event)
    elif theirs.state is OrderState.CANCELLED:
        venue.cancelled(
            turn, e.VenueCancelled(account_id=account_id, venue_client_id=ours, venue_order_id=venue_id, at=turn.at)
        )
    elif theirs.state is OrderState.EXPIRED:
        venue.expired(
            turn, e.VenueExpired(account_id=account_id, venue_client_id=ours, venue_order_id=venue_id, at=turn.at)
        )
    elif theirs.state is OrderState.FILLED:
        _miss_executions(turn, order, theirs)
    else:
        _working_there(turn, theirs)


def _miss_executions(turn: Turn, order: Order, theirs: e.BrokerOrder) -> None:
    """The broker is done with an order whose executions it no longer shows: the position says what they were."""
    why = f"the broker has filled {theirs.filled}, and shows executions of {order.filled}"
    turn.emit(
        OrderMoved(
            at=turn.at,
            order_id=order.id,
            event=OrderEvent.FILL,
            state=OrderState.ANOMALY,
            reason=why,
            venue_order_id=theirs.venue_order_id,
        )
    )
    turn.alert("critical", "executions-missing", why, account_id=order.spec.account_id, order_id=order.id)


def _positions(turn: Turn, event: e.BrokerSnapshot) -> int:
    """Books what differs from the broker's positions, per instrument and product; returns how many did."""
    ours: dict[_Held, Decimal] = defaultdict(lambda: ZERO)
    theirs: dict[_Held, Decimal] = defaultdict(lambda: ZERO)
    for position in turn.state.account(event.account_id).positions.values():
        key: _Held = (position.key.instrument_id, position.key.product)
        ours[key] = add(ours[key], position.quantity)
    unlisted = 0
    for held in event.positions:
        key = (held.instrument_id, held.product)
        if _is_listed(turn, held, f"holds {held.quantity}"):
            theirs[key] = add(theirs[key], held.quantity)
        else:
            unlisted += 1
    paid = {(held.instrument_id, held.product): held.average_price for held in event.positions}
    differing = sorted(key for key in ours.keys() | theirs.keys() if ours[key] != theirs[key])
    for key in differing:
        difference = sub(theirs[key], ours[key])
        if _taken_back(turn, event, key=key, difference=difference):
            continue
        _correct(turn, event.account_id, key, difference=difference, expected=theirs[key], paid=paid.get(key))
    return len(differing) + unlisted


def _taken_back(turn: Turn, event: e.BrokerSnapshot, *, key: _Held, difference: Decimal) -> bool:
    """Whether the difference is what executions made that the broker lists no more: it has taken them back unheard."""
    listed = {execution.execution_id for execution in event.executions}
    state, gone = turn.state, list[Fill]()
    if not listed:
        return False  # who shows no executions at all says nothing of one
    for (account_id, execution_id), fill in state.fills.items():
        if account_id != event.account_id or execution_id in listed or fill.reverses is not None:
            continue
        held_as = (fill.instrument_id, state.orders[fill.order_id].spec.product)
        is_undone = (account_id, f"bust:{execution_id}") in state.fills
        if held_as == key and fill.executed_at >= event.since and not is_undone:
            gone.append(fill)
    if not gone or total([neg(fill.signed) for fill in gone]) != difference:
        return False
    for fill in gone:
        reason = "it is no longer among the executions"
        bust = e.VenueBusted(account_id=event.account_id, execution_id=fill.venue_execution_id, reason=reason)
        venue.busted(turn, bust)
    return True


def _correct(
    turn: Turn, account_id: str, key: _Held, *, difference: Decimal, expected: Decimal, paid: Decimal | None
) -> None:
    """`paid` is the broker's average price, which values the difference where no market price has been seen."""
    instrument_id, product = key
    position_key = PositionKey(account_id, UNASSIGNED, instrument_id, product)
    price = turn.state.price_of(turn.state.position(position_key))
    if not price and paid is not None:
        price = rounded(paid, turn.state.instruments[instrument_id].tick_size)
    symbol = turn.state.instruments[instrument_id].symbol
    reason = f"the broker holds {expected} {symbol}, {difference:+f} against our books"
    turn.emit(
        PositionCorrected(
            at=turn.at,
            id=turn.new_id("correction"),
            key=position_key,
            quantity=difference,
            price=price,
            reason=reason,
        )
    )
    message = f"Position booked to unassigned: {reason}"
    turn.alert("critical", "position-difference", message, account_id=account_id)
