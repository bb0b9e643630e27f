"""What venues say of orders. An event outside the table books what happened, marks an anomaly and tells a person."""

from decimal import Decimal

import msgspec

from evenkeel.domain import events as e
from evenkeel.domain.accounts import UNASSIGNED
from evenkeel.domain.clock import iso
from evenkeel.domain.errors import InexactMoney
from evenkeel.domain.fills import Charge, Fill
from evenkeel.domain.money import add, is_bookable, neg
from evenkeel.domain.orders import (
    Order,
    OrderEvent,
    OrderKind,
    OrderSpec,
    OrderState,
    TimeInForce,
    venue_transition,
)
from evenkeel.domain.records import FillBooked, OrderAdopted, OrderMoved
from evenkeel.trading.engine import held, keeping, market, notices, rejects
from evenkeel.trading.engine.effects import WantReconcile
from evenkeel.trading.engine.entries import ledger_entries
from evenkeel.trading.engine.state import EXTERNAL
from evenkeel.trading.engine.turn import Turn


def find(turn: Turn, event: e.VenueEvent) -> Order | None:
    """The order an event speaks of: by our id, else by the venue's, and never by likeness.

    An event under a client id that is not ours is another's, though the venue may have given its id before.
    """
    state = turn.state
    ours = state.venue_client_ids.get(event.venue_client_id or "")
    if ours is not None:
        if state.twins:
            twin, whose = state.twins.get((event.account_id, event.venue_order_id or ""), ("", ""))
            ours = twin if whose == ours else ours
        named = state.orders[ours]
        return named if named.spec.account_id == event.account_id else None
    theirs = state.venue_order_ids.get((event.account_id, event.venue_order_id or ""))
    order = state.orders.get(theirs or "")
    if order is None or order.spec.account_id != event.account_id:
        return None
    is_other = event.venue_client_id is not None and order.source != EXTERNAL
    return None if is_other else order


def accepted(turn: Turn, event: e.VenueAccepted) -> None:
    _move(turn, event, OrderEvent.ACCEPT)


def rejected(turn: Turn, event: e.VenueRejected) -> None:
    order = find(turn, event)
    before = order.state if order is not None else None
    _move(turn, event, OrderEvent.REJECT, reason=event.reason)
    if order is not None and order.state is not before:
        about = {"account_id": event.account_id, "order_id": order.id}
        message = f"{held.title(turn.state, order)} was rejected by the broker: {event.reason}"
        turn.alert("warning", "order-rejected", message, **about)
        rejects.look(turn, turn.state.accounts[event.account_id], order.spec.book)


def cancelled(turn: Turn, event: e.VenueCancelled) -> None:
    """The end of an order, which is that of its time where the engine counts it."""
    order = find(turn, event)
    is_over = order is not None and keeping.is_over(order, turn.at)
    _move(turn, event, OrderEvent.EXPIRE if is_over else OrderEvent.CANCEL, reason=event.reason)


def expired(turn: Turn, event: e.VenueExpired) -> None:
    _move(turn, event, OrderEvent.EXPIRE, reason=event.reason)


def triggered(turn: Turn, event: e.VenueTriggered) -> None:
    _move(turn, event, OrderEvent.ACCEPT, triggered=True)


def cancel_refused(turn: Turn, event: e.VenueCancelRefused) -> None:
    order = find(turn, event)
    if order is not None and notices.is_unseen(order):
        notices.doubt_cancel(turn, order, event.reason)
        return
    partial = order is not None and order.filled > 0
    kind = OrderEvent.CANCEL_REFUSED_PARTIAL if partial else OrderEvent.CANCEL_REFUSED
    _move(turn, event, kind, reason=event.reason)


def _move(
    turn: Turn, event: e.VenueEvent, kind: OrderEvent, *, reason: str | None = None, triggered: bool = False
) -> None:
    order = find(turn, event)
    if order is None:
        _unknown(turn, event, kind)
        return
    before, after = order.state, venue_transition(order.state, kind)
    is_news = triggered and not order.triggered
    if _says_nothing_new(turn, order, event, kind=kind, after=after) and not is_news:
        return
    has_other_id = _is_other_id(turn, order, event)
    turn.emit(
        OrderMoved(
            at=turn.at,
            order_id=order.id,
            event=kind,
            state=after,
            reason=reason,
            venue_order_id=event.venue_order_id,
            venue_at=event.at,
            bar=event.bar,
            triggered=triggered,
        )
    )
    _settle(turn, order, before, has_other_id=has_other_id, why=f"{kind} came while the order was {before}")


def _says_nothing_new(turn: Turn, order: Order, event: e.VenueEvent, *, kind: OrderEvent, after: OrderState) -> bool:
    if after is OrderState.ANOMALY and kind is not OrderEvent.ACCEPT:
        return False
    return after is order.state and _knows_id(turn, order, event) and order.has_venue_event


def _knows_id(turn: Turn, order: Order, event: e.VenueEvent) -> bool:
    """True when the order has the venue's id for it already, shared with another order or not."""
    key = event.account_id, event.venue_order_id or ""
    return event.venue_order_id in (None, order.venue_order_id) or turn.state.venue_order_ids.get(key) == order.id


def _is_other_id(turn: Turn, order: Order, event: e.VenueEvent) -> bool:
    """True when the venue gives one order a second name: it may hold two orders for our one."""
    return order.venue_order_id is not None and not _knows_id(turn, order, event)


def _settle(turn: Turn, order: Order, before: OrderState, *, has_other_id: bool, why: str) -> None:
    """Says what is odd about an event that has been recorded."""
    if has_other_id:
        anomaly(turn, order, f"the broker gives it a second id beside {order.venue_order_id}")
    if order.state is OrderState.ANOMALY and before is not OrderState.ANOMALY:
        anomaly(turn, order, why)


def amended(turn: Turn, event: e.VenueAmended) -> None:
    """Takes the terms the venue states. What has filled already may end the order, or contradict its end."""
    order = find(turn, event)
    if order is None:
        _unknown(turn, event, OrderEvent.AMEND)
        return
    limit_price = order.limit_price if event.limit_price is None else event.limit_price
    stop_price = order.stop_price if event.stop_price is None else event.stop_price
    before, after = order.state, venue_transition(order.state, OrderEvent.AMEND)
    if after is OrderState.FILLED and event.quantity > order.filled:
        after = OrderState.ANOMALY
    elif after is not OrderState.ANOMALY and order.filled >= event.quantity:
        after = OrderState.FILLED
    terms = (event.quantity, limit_price, stop_price)
    is_known = terms == (order.quantity, order.limit_price, order.stop_price)
    if is_known and _says_nothing_new(turn, order, event, kind=OrderEvent.AMEND, after=after):
        return
    has_other_id = _is_other_id(turn, order, event)
    turn.emit(
        OrderMoved(
            at=turn.at,
            order_id=order.id,
            event=OrderEvent.AMEND,
            state=after,
            venue_order_id=event.venue_order_id,
            venue_at=event.at,
            bar=event.bar,
            quantity=event.quantity,
            limit_price=limit_price,
            stop_price=stop_price,
        )
    )
    _settle(turn, order, before, has_other_id=has_other_id, why=f"an amendment came while it was {before}")


def filled(turn: Turn, event: e.VenueFilled) -> None:
    """Books an execution once, whatever state the order is in. What cannot be booked is said, not dropped."""
    known = turn.state.fills.get((event.account_id, event.execution_id))
    value = _value(turn, event) if known is None else _contradiction(known, event)
    if isinstance(value, str):
        _complain(turn, event, "fill-not-booked", f"Execution {event.execution_id} was not booked: {value}")
    if not isinstance(value, Decimal):
        return
    market.keep_day(turn, turn.state.accounts[event.account_id])
    order = find(turn, event) or adopt_execution(turn, event)
    so_far = add(order.filled, event.quantity)
    has_grown = order.source == EXTERNAL and so_far > order.quantity
    if has_grown:
        _grow(turn, order, so_far)
    kind = OrderEvent.FILL if so_far >= order.quantity else OrderEvent.PARTIAL_FILL
    before = order.state
    after = before if has_grown and before is OrderState.FILLED else venue_transition(before, kind)
    why = f"a fill came while it was {before}"
    if so_far > order.quantity:
        after, why = OrderState.ANOMALY, f"{so_far} filled of {order.quantity} asked"
    elif (event.instrument_id, event.side) != (order.spec.instrument_id, order.spec.side):
        after, why = OrderState.ANOMALY, "a fill is of another side or instrument"
    has_other_id = _is_other_id(turn, order, event)
    fill = _fill(turn, order, event)
    entries = ledger_entries(fill, value)
    turn.emit(
        FillBooked(
            at=turn.at, fill=fill, state=after, entries=entries, bar=event.bar, venue_order_id=event.venue_order_id
        )
    )
    _settle(turn, order, before, has_other_id=has_other_id, why=why)
    if before in (OrderState.CANCELLED, OrderState.EXPIRED):
        message = f"{event.quantity} filled at {event.price} after the order was {before}"
        turn.alert("warning", "late-fill", message, account_id=event.account_id, order_id=order.id)


def _value(turn: Turn, event: e.VenueFilled) -> Decimal | str:
    """What an execution is worth, or why it cannot be booked: the accounts would not stay exact, or it is nowhere at
    home."""
    state = turn.state
    if event.account_id not in state.accounts:
        return f"there is no account {event.account_id!r}"
    if event.instrument_id not in state.instruments:
        return f"its instrument {event.instrument_id!r} is not listed"
    figures = (event.quantity, event.price, *[charge.amount for charge in event.charges])
    if not all(map(is_bookable, figures)) or event.quantity <= 0:
        return f"{event.quantity} at {event.price} cannot be booked"
    try:
        value = state.notional(event.instrument_id, event.quantity, event.price)
    except InexactMoney as error:
        return error.message
    return value if is_bookable(value) else f"its value {value} cannot be booked"


def _contradiction(known: Fill, event: e.VenueFilled) -> str | None:
    same = (known.instrument_id, known.side, known.quantity, known.price)
    if same == (event.instrument_id, event.side, event.quantity, event.price):
        return None
    return f"its id already names {known.side} {known.quantity} at {known.price}"


def _complain(turn: Turn, event: e.VenueEvent, kind: str, message: str) -> None:
    """Tells a person of an event that found no place in the books, and has the account compared."""
    is_ours = event.account_id in turn.state.accounts
    level = "critical" if kind == "fill-not-booked" else "warning"
    turn.alert(level, kind, message, account_id=event.account_id if is_ours else None)
    if is_ours:
        turn.effects.append(WantReconcile(event.account_id, message))


def _grow(turn: Turn, order: Order, quantity: Decimal) -> None:
    """An order placed elsewhere is as large as what is known to have filled of it."""
    after = venue_transition(order.state, OrderEvent.AMEND)
    turn.emit(
        OrderMoved(
            at=turn.at,
            order_id=order.id,
            event=OrderEvent.AMEND,
            state=after,
            quantity=quantity,
            limit_price=order.limit_price,
            stop_price=order.stop_price,
        )
    )


def _fill(turn: Turn, order: Order, event: e.VenueFilled) -> Fill:
    account = turn.state.accounts[event.account_id]
    return Fill(
        id=turn.new_id("fill"),
        order_id=order.id,
        account_id=event.account_id,
        book=order.spec.book,
        instrument_id=event.instrument_id,
        side=event.side,
        quantity=event.quantity,
        price=event.price,
        currency=turn.state.instruments[event.instrument_id].currency,
        executed_at=event.at,
        session_date=account.day,
        venue_execution_id=event.execution_id,
        charges=event.charges,
    )


def busted(turn: Turn, event: e.VenueBusted) -> None:
    """Reverses an execution by a fill of the other side; a bust of what was never booked is only reported."""
    fill = turn.state.fills.get((event.account_id, event.execution_id))
    reversal = f"bust:{event.execution_id}"
    if fill is None:
        message = f"The broker took back an unknown execution {event.execution_id}: {event.reason}"
        _complain(turn, event, "unknown-bust", message)
        return
    if (event.account_id, reversal) in turn.state.fills:
        return
    market.keep_day(turn, turn.state.accounts[fill.account_id])
    order = turn.state.orders[fill.order_id]
    before = order.state
    undo = Fill(
        id=turn.new_id("fill"),
        order_id=fill.order_id,
        account_id=fill.account_id,
        book=fill.book,
        instrument_id=fill.instrument_id,
        side=type(fill.side).SELL if fill.side.sign > 0 else type(fill.side).BUY,
        quantity=fill.quantity,
        price=fill.price,
        currency=fill.currency,
        executed_at=event.at,
        session_date=turn.state.accounts[fill.account_id].day,
        venue_execution_id=reversal,
        charges=tuple(Charge(c.component, neg(c.amount), c.kind) for c in fill.charges),
        reverses=fill.id,
    )
    after = venue_transition(order.state, OrderEvent.BUST)
    value = turn.state.notional(undo.instrument_id, undo.quantity, undo.price)
    turn.emit(FillBooked(at=turn.at, fill=undo, state=after, entries=ledger_entries(undo, value), bar=event.bar))
    _settle(turn, order, before, has_other_id=False, why=f"a fill was taken back while it was {before}")
    message = f"The broker took back {fill.quantity} at {fill.price}: {event.reason}"
    turn.alert("critical", "fill-busted", message, account_id=fill.account_id, order_id=fill.order_id)


def adopt_execution(turn: Turn, event: e.VenueFilled) -> Order:
    """An order of somebody else's making, known so far only by this execution."""
    venue_order_id = event.venue_order_id or f"unknown-{event.execution_id}"
    spec = OrderSpec(
        account_id=event.account_id,
        book=UNASSIGNED,
        instrument_id=event.instrument_id,
        side=event.side,
        quantity=event.quantity,
        kind=OrderKind.MARKET,
        client_order_id=f"external:{venue_order_id}"[:64],
        time_in_force=TimeInForce.DAY,
    )
    return adopt(turn, spec, venue_order_id, state=OrderState.ACCEPTED)


def adopt(turn: Turn, spec: OrderSpec, venue_order_id: str, *, state: OrderState, twin_of: str = "") -> Order:
    """Takes an order placed elsewhere into the book `unassigned`, and says so; or one made beside one of ours."""
    order_id = turn.new_id("order")
    if (spec.account_id, spec.client_order_id) in turn.state.client_ids:
        spec = msgspec.structs.replace(spec, client_order_id=f"external:{order_id}")
    turn.emit(
        OrderAdopted(
            at=turn.at,
            order_id=order_id,
            spec=spec,
            venue_client_id=turn.new_venue_id("adopted"),
            venue_order_id=venue_order_id,
            session_date=turn.state.accounts[spec.account_id].day,
            state=state,
            twin_of=twin_of,
        )
    )
    what = f"{spec.side} {spec.quantity} {turn.state.instruments[spec.instrument_id].symbol}"
    if twin_of:
        message = (
            f"The broker has two orders for one of ours, and both may fill: {what} beside order {twin_of}. Cancel the "
            "one that you do not want"
        )
        turn.alert("critical", "second-order", message, account_id=spec.account_id, order_id=order_id)
    else:
        message = f"Found an order placed outside Evenkeel: {what}"
        turn.alert("warning", "external-order", message, account_id=spec.account_id, order_id=order_id)
    return turn.state.orders[order_id]


def anomaly(turn: Turn, order: Order, why: str) -> None:
    """Tells a person, and asks for the account to be reconciled."""
    turn.alert(
        "critical",
        "order-anomaly",
        f"The broker's account of an order does not fit ours: {why}",
        account_id=order.spec.account_id,
        order_id=order.id,
    )
    turn.effects.append(WantReconcile(order.spec.account_id, f"anomaly of order {order.id}"))


def _unknown(turn: Turn, event: e.VenueEvent, kind: OrderEvent) -> None:
    name = event.venue_order_id or event.venue_client_id or "without an id"
    when = f" at {iso(event.at)}" if event.at else ""
    _complain(turn, event, "unknown-order", f"The broker reported {kind}{when} for an order {name} that is not ours")
