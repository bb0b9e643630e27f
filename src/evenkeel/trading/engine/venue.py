"""What venues say of orders. An event outside the table books what happened, marks an anomaly and tells a person."""

from decimal import Decimal

from evenkeel.domain import events as e
from evenkeel.domain.accounts import UNASSIGNED, LedgerEntry, LedgerKind
from evenkeel.domain.clock import iso
from evenkeel.domain.fills import Charge, Fill
from evenkeel.domain.money import add, neg
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
from evenkeel.trading.engine.effects import WantReconcile
from evenkeel.trading.engine.turn import Turn


def find(turn: Turn, event: e.VenueEvent) -> Order | None:
    """The order an event speaks of: by our id, else by the venue's, and never by likeness."""
    state = turn.state
    order_id = state.venue_client_ids.get(event.venue_client_id or "")
    if order_id is None and event.venue_order_id is not None:
        order_id = state.venue_order_ids.get((event.account_id, event.venue_order_id))
    order = state.orders.get(order_id or "")
    return order if order is not None and order.spec.account_id == event.account_id else None


def accepted(turn: Turn, event: e.VenueAccepted) -> None:
    _move(turn, event, OrderEvent.ACCEPT)


def rejected(turn: Turn, event: e.VenueRejected) -> None:
    _move(turn, event, OrderEvent.REJECT, reason=event.reason)
    order = find(turn, event)
    if order is not None:
        about = {"account_id": event.account_id, "order_id": order.id}
        turn.alert("warning", "order-rejected", f"The broker rejected an order: {event.reason}", **about)


def cancelled(turn: Turn, event: e.VenueCancelled) -> None:
    _move(turn, event, OrderEvent.CANCEL, reason=event.reason)


def expired(turn: Turn, event: e.VenueExpired) -> None:
    _move(turn, event, OrderEvent.EXPIRE, reason=event.reason)


def triggered(turn: Turn, event: e.VenueTriggered) -> None:
    _move(turn, event, OrderEvent.ACCEPT, triggered=True)


def cancel_refused(turn: Turn, event: e.VenueCancelRefused) -> None:
    order = find(turn, event)
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
    after = venue_transition(order.state, kind)
    if _says_nothing_new(order, event, after) and not triggered:
        return
    before = order.state
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
    if after is OrderState.ANOMALY and before is not OrderState.ANOMALY:
        anomaly(turn, order, f"{kind} came while the order was {before}")


def _says_nothing_new(order: Order, event: e.VenueEvent, after: OrderState) -> bool:
    known_id = event.venue_order_id is None or event.venue_order_id == order.venue_order_id
    return after is order.state and known_id and order.has_venue_event


def amended(turn: Turn, event: e.VenueAmended) -> None:
    order = find(turn, event)
    if order is None:
        _unknown(turn, event, OrderEvent.AMEND)
        return
    after = venue_transition(order.state, OrderEvent.AMEND)
    turn.emit(
        OrderMoved(
            at=turn.at,
            order_id=order.id,
            event=OrderEvent.AMEND,
            state=after,
            venue_order_id=event.venue_order_id,
            venue_at=event.at,
            quantity=event.quantity,
            limit_price=event.limit_price,
            stop_price=event.stop_price,
        )
    )
    if after is OrderState.ANOMALY:
        anomaly(turn, order, "an amendment came after the order had ended")


def filled(turn: Turn, event: e.VenueFilled) -> None:
    """Books an execution once, whatever state the order is in."""
    if (event.account_id, event.execution_id) in turn.state.fills:
        return
    order = find(turn, event) or adopt_execution(turn, event)
    so_far = add(order.filled, event.quantity)
    overfilled = so_far > order.quantity
    kind = OrderEvent.FILL if so_far >= order.quantity else OrderEvent.PARTIAL_FILL
    before = order.state
    after = OrderState.ANOMALY if overfilled else venue_transition(before, kind)
    fill = _fill(turn, order, event)
    turn.emit(
        FillBooked(
            at=turn.at,
            fill=fill,
            state=after,
            entries=ledger_entries(turn, fill),
            bar=event.bar,
            venue_order_id=event.venue_order_id,
        )
    )
    if after is OrderState.ANOMALY and before is not OrderState.ANOMALY:
        why = f"{so_far} filled of {order.quantity} asked" if overfilled else f"a fill came while it was {before}"
        anomaly(turn, order, why)
    elif before in (OrderState.CANCELLED, OrderState.EXPIRED):
        message = f"{event.quantity} filled at {event.price} after the order was {before}"
        turn.alert("warning", "late-fill", message, account_id=event.account_id, order_id=order.id)


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


def ledger_entries(turn: Turn, fill: Fill) -> tuple[LedgerEntry, ...]:
    """The cash a fill moves: the trade itself, then each charge (a reversed fill carries negative charges)."""
    value = turn.state.notional(fill.instrument_id, fill.quantity, fill.price)

    def entry(kind: LedgerKind, amount: Decimal, component: str = "") -> LedgerEntry:
        return LedgerEntry(
            account_id=fill.account_id,
            book=fill.book,
            currency=fill.currency,
            kind=kind,
            amount=amount,
            value_date=fill.session_date,
            component=component,
            order_id=fill.order_id,
        )

    trade = entry(LedgerKind.TRADE, neg(value) if fill.side.sign > 0 else value)
    costs = tuple(
        entry(LedgerKind(charge.kind), neg(charge.amount), charge.component) for charge in fill.charges if charge.amount
    )
    return (trade, *costs)


def busted(turn: Turn, event: e.VenueBusted) -> None:
    """Reverses an execution by a fill of the other side; a bust of what was never booked is only reported."""
    fill = turn.state.fills.get((event.account_id, event.execution_id))
    reversal = f"bust:{event.execution_id}"
    if fill is None:
        turn.alert(
            "warning",
            "unknown-bust",
            f"The broker took back an unknown execution {event.execution_id}: {event.reason}",
            account_id=event.account_id,
        )
        return
    if (event.account_id, reversal) in turn.state.fills:
        return
    order = turn.state.orders[fill.order_id]
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
    turn.emit(FillBooked(at=turn.at, fill=undo, state=after, entries=ledger_entries(turn, undo)))
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


def adopt(turn: Turn, spec: OrderSpec, venue_order_id: str, *, state: OrderState) -> Order:
    """Takes an order placed elsewhere into the book `unassigned`, and says so."""
    order_id = turn.new_id("order")
    turn.emit(
        OrderAdopted(
            at=turn.at,
            order_id=order_id,
            spec=spec,
            venue_client_id=turn.new_venue_id("adopted"),
            venue_order_id=venue_order_id,
            session_date=turn.state.accounts[spec.account_id].day,
            state=state,
        )
    )
    symbol = turn.state.instruments[spec.instrument_id].symbol
    message = f"Found an order placed outside Evenkeel: {spec.side} {spec.quantity} {symbol}"
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
    turn.alert(
        "warning",
        "unknown-order",
        f"The broker reported {kind}{when} for an order {name} that is not ours",
        account_id=event.account_id,
    )
    turn.effects.append(WantReconcile(event.account_id, f"unknown order {name}"))
