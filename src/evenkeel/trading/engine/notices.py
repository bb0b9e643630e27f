"""What the runner reports of its own work: sends that did not happen, or may have; links; the feed's cursor."""

import msgspec

from evenkeel.domain import events as e
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.limits import Layer
from evenkeel.domain.orders import Order, OrderEvent, OrderState, transition
from evenkeel.domain.records import Check, CursorMoved, IntentRechecked, OrderMoved, ReadinessChanged
from evenkeel.domain.risk import Approved
from evenkeel.trading.brokers.ports import Ticket
from evenkeel.trading.engine import halts, held, reducing
from evenkeel.trading.engine.effects import SendOrder, WantReconcile
from evenkeel.trading.engine.orders import lane_of
from evenkeel.trading.engine.risk_views import risk_view
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.risk import assess
from evenkeel.trading.risk.metrics import Correlations

_RESOLVE = "if it has none, evenkeel order resolve"
_UNSENT = (OrderState.SUBMITTED, OrderState.CANCEL_PENDING)


def cursor_advanced(turn: Turn, event: e.CursorAdvanced) -> None:
    cursor = event.cursor if turn.state.cursor is None else max(event.cursor, turn.state.cursor)
    turn.emit(CursorMoved(at=turn.at, cursor=cursor, states=event.states, ended=event.ended, places=event.places))


def risk_inputs(turn: Turn, event: e.RiskInputs) -> None:
    """Takes new measurements in the place of the old ones: like marks, they are no record."""
    turn.state.correlations = Correlations(event)


def noticed(turn: Turn, event: e.Noticed) -> None:
    turn.alert(event.level, event.kind, event.message, account_id=event.account_id)


def overdue(turn: Turn, event: e.IntentOverdue) -> None:
    end_unsent(turn, event.order_id, "it could not be sent in time; nothing was sent")


def end_unsent(turn: Turn, order_id: str, reason: str, check: Check | None = None) -> None:
    """Ends an order that never left this process, by `check` if one stopped it; one held to close is held again."""
    order = turn.state.order(order_id)
    if order.state not in (*_UNSENT, OrderState.IN_DOUBT) or order.has_venue_event:
        return
    if order.kept is not None and held.take_back(turn, order, reason=reason):
        return
    after = transition(order.state, OrderEvent.UNSENT)
    turn.emit(
        OrderMoved(
            at=turn.at,
            order_id=order_id,
            event=OrderEvent.UNSENT,
            state=after,
            reason=reason,
            rule=check.rule if check else None,
            limit=check.limit if check else None,
            value=check.value if check else None,
            layer=check.layer if check else Layer.ACCOUNT,
            by_venue=False,
        )
    )
    about = {"account_id": order.spec.account_id, "order_id": order_id}
    if check is not None or not halts.is_over(turn.state, order.spec):  # a panic speaks of all of them at once
        turn.alert("warning", "order-unsent", f"{held.title(turn.state, order)} was not sent: {reason}", **about)


def delayed(turn: Turn, event: e.IntentDelayed) -> None:
    """Judges a waiting intent again: what it was approved on may no longer hold."""
    order = turn.state.order(event.order_id)
    if order.state is OrderState.CANCEL_PENDING:
        end_unsent(turn, order.id, "it was cancelled before it was sent")
    if order.state is not OrderState.SUBMITTED or order.has_venue_event:
        return
    account = turn.state.account(order.spec.account_id)
    left = reducing.to_send(turn.state, order)
    spec = msgspec.structs.replace(order.as_it_stands(), quantity=left)
    view = risk_view(turn.state, account, spec, left, without=(order.id,), source=order.source, at=turn.at)
    verdict = assess(view)
    approved = isinstance(verdict, Approved)
    checks = verdict.checks if isinstance(verdict, Approved) else (*verdict.passed, verdict.check)
    cut = left if approved and left < order.remaining else None
    if cut is not None:
        reducing.tell_less_goes_out(turn, order, cut)
    turn.emit(
        IntentRechecked(
            at=turn.at, order_id=order.id, approved=approved, checks=checks, waited=event.waited, quantity=cut
        )
    )
    if isinstance(verdict, Approved):
        ticket = Ticket(
            order_id=order.id,
            venue_client_id=order.venue_client_id,
            spec=spec,
            approval=verdict,
            at=turn.at,
            since=order.since,
        )
        turn.effects.append(SendOrder(ticket, order.send_by, lane_of(view, order.source)))
    else:
        end_unsent(turn, order.id, f"after waiting, {checks[-1].reason}", checks[-1])


def uncertain(turn: Turn, event: e.SendUncertain) -> None:
    """The send may have arrived: the order is in doubt until the venue is asked."""
    order = turn.state.order(event.order_id)
    if not order.is_working or order.has_venue_event or order.state is OrderState.IN_DOUBT:
        return
    put_in_doubt(turn, order.id, event.reason)
    turn.effects.append(WantReconcile(order.spec.account_id, f"the outcome of order {order.id} is unknown"))


def put_in_doubt(turn: Turn, order_id: str, reason: str) -> None:
    order = turn.state.order(order_id)
    after = transition(order.state, OrderEvent.DOUBT)
    turn.emit(
        OrderMoved(at=turn.at, order_id=order_id, event=OrderEvent.DOUBT, state=after, reason=reason, by_venue=False)
    )
    about = {"account_id": order.spec.account_id, "order_id": order_id}
    doubt = f"{held.title(turn.state, order)}: it is not known whether the broker has it: {reason}"
    what_next = f"It is looked up. Where that does not settle it, look at the broker's screen; {_RESOLVE} {order_id}"
    turn.alert("critical", "order-in-doubt", f"{doubt}. {what_next}", **about)


def is_unseen(order: Order) -> bool:
    """True for a working order of which the venue has not said a word."""
    return order.is_working and not order.has_venue_event


def doubt_cancel(turn: Turn, order: Order, reason: str) -> None:
    """A cancel that failed says nothing of an order the venue never mentioned: whether it is there is asked.

    Of one that is in doubt already it is asked again later, and later each time, whoever keeps cancelling it.
    """
    about, is_known = f"a cancel of unknown order {order.id} failed", order.state is OrderState.IN_DOUBT
    if not is_known:
        put_in_doubt(turn, order.id, f"its cancel failed: {reason}")
    turn.effects.append(WantReconcile(order.spec.account_id, about, again=is_known))


def failed(turn: Turn, event: e.SendFailed) -> None:
    """A request definitely did not arrive: an order ends unsent, a cancel or change is taken back."""
    order = turn.state.order(event.order_id)
    if event.what == "place":
        end_unsent(turn, order.id, event.reason)
        return
    about = {"account_id": order.spec.account_id, "order_id": order.id}
    if event.what == "cancel" and is_unseen(order):
        doubt_cancel(turn, order, event.reason)
    elif event.what == "cancel" and order.state is OrderState.CANCEL_PENDING:
        kind = OrderEvent.CANCEL_REFUSED_PARTIAL if order.filled else OrderEvent.CANCEL_REFUSED
        after = transition(order.state, kind)
        turn.emit(
            OrderMoved(at=turn.at, order_id=order.id, event=kind, state=after, reason=event.reason, by_venue=False)
        )
    if event.what.startswith("modify"):
        reducing.change_failed(turn, order)
    # A panic asks again, and says once what it cannot do.
    if event.what == "modify" or not halts.is_over(turn.state, order.spec):
        asked = "change" if event.what.startswith("modify") else "cancel"
        message = f"{held.title(turn.state, order)}: its {asked} came to nothing: {event.reason}"
        turn.alert("warning", f"{event.what}-failed", message, **about)


def link(turn: Turn, event: e.BrokerLink) -> None:
    """A change of the link closes the gate; a new link asks for the reconcile that opens it."""
    account = turn.state.account(event.account_id)
    was_ready = account.readiness is Readiness.READY
    reason = event.reason or "the connection to the broker is lost"
    if event.connected:
        reason = "connected, and not reconciled yet"
        if account.never_live:
            return
        if account.account.broker not in turn.state.resting:
            turn.effects.append(WantReconcile(event.account_id, "connected"))
    if was_ready:
        turn.emit(
            ReadinessChanged(at=turn.at, account_id=event.account_id, readiness=Readiness.NOT_READY, reason=reason)
        )
    if was_ready and not event.connected:
        turn.alert("critical", "broker-disconnected", f"{account.account.name}: {reason}", account_id=event.account_id)
