"""Held orders: what sets them off, what they wait for then, and how they end. None of it needs a venue.

A quote sets off at once what it reaches, at its last trade or else its middle. A bar is looked at when it lies behind,
so that what venues have filled in it is known: its extremes count for orders that were there when it opened, its close
for all. Whatever lies beyond the level counts, however far. What is set off passes risk again, and is refused where it
no longer may be sent; but an order that closes a position goes out for as much as is left to close, waits where its
account cannot be traded, and is taken back here where it could not be sent. Once its position is gone, so is the order.
"""

from collections.abc import Iterable
from decimal import Decimal
from math import isfinite
from typing import NamedTuple

import msgspec

from evenkeel.domain import records as r
from evenkeel.domain.accounts import SEND_BY, Readiness
from evenkeel.domain.clock import SECOND
from evenkeel.domain.events import SliceDone
from evenkeel.domain.held_records import OrderKept, OrderReleased
from evenkeel.domain.marketdata import Bar, Quote
from evenkeel.domain.money import ZERO, neg, rounded, sub
from evenkeel.domain.orders import FOLLOWS, Kept, Order, OrderEvent, OrderSpec, OrderState, Side, transition
from evenkeel.domain.positions import key_of
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.risk import Approved
from evenkeel.trading.brokers.ports import Ticket
from evenkeel.trading.engine import amending, concerned, covering, keeping, market, orders, rejects, risk_views
from evenkeel.trading.engine.effects import Lane, SendOrder
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.timers import HANDLERS
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.risk import assess

TRY_AGAIN = 5 * SECOND
ENGINE = Provenance("engine", Source.SYSTEM)
GONE = "the position that it was to close is gone"
OVER = "the time it was good for is over"
_RESTING = (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)


class Shown(NamedTuple):
    """Prices of one instrument: of a bar from `opens` to `at`, or of a moment (ns)."""

    opens: int
    at: int
    low: float
    high: float
    last: float


def quotes_seen(turn: Turn, quotes: Iterable[Quote]) -> None:
    """Sets off what quotes reach, and has stops follow them."""
    for quote in quotes:
        price = quote.last if isfinite(quote.last) else quote.bid + (quote.ask - quote.bid) / 2
        if quote.instrument_id in turn.state.watched and isfinite(price):
            _meet(turn, quote.instrument_id, shown=Shown(quote.ts, quote.ts, price, price, price))


def bars_done(turn: Turn, event: SliceDone) -> None:
    """Behind a slice: sets off what its bars have reached, and has stops follow them, the shortest bars first."""
    for bar in event.market.bars:
        if bar.instrument_id in turn.state.watched and isfinite(bar.close):
            _meet(turn, bar.instrument_id, shown=_shown(bar))


def _shown(bar: Bar) -> Shown:
    low = bar.low if isfinite(bar.low) else bar.close
    high = bar.high if isfinite(bar.high) else bar.close
    return Shown(bar.ts, bar.close_ts, low, high, bar.close)


def _meet(turn: Turn, name: str, *, shown: Shown) -> None:
    for order in tuple(turn.state.watched[name].values()):
        kept = order.kept
        if kept is None or kept.reached or not order.is_open or shown.at <= kept.since:
            continue
        whole = shown.opens >= kept.since
        if kept.day and whole:
            kept = keeping.met(turn.state.accounts[order.spec.account_id], kept, at=shown.opens)
            turn.emit(OrderKept(at=turn.at, order_id=order.id, kept=kept))
        low, high = (shown.low, shown.high) if whole else (shown.last, shown.last)
        if order.state is OrderState.HELD and _is_reached(kept, low=low, high=high):
            set_off(turn, order)
        elif kept.trail is not None:
            _follow_price(turn, order, best=high if order.spec.side is Side.SELL else low, last=shown.last)


def _is_reached(kept: Kept, *, low: float, high: float) -> bool:
    if kept.level is None:
        return False
    return high >= float(kept.level) if kept.rises else low <= float(kept.level)


def _follow_price(turn: Turn, order: Order, *, best: float, last: float) -> None:
    """Moves the stop behind a better price. At a venue it is amended; here, a close beyond it sets it off."""
    assert order.kept is not None
    kept = keeping.trailed(turn.state, order.spec, order.kept, price=best)
    if kept is order.kept:
        return
    turn.emit(OrderKept(at=turn.at, order_id=order.id, kept=kept))
    if order.state is not OrderState.HELD:
        amend_stop(turn, order)
    elif order.kind is FOLLOWS[order.spec.kind]:
        release(turn, order)
    elif _is_reached(kept, low=last, high=last):
        set_off(turn, order)


def amend_stop(turn: Turn, order: Order) -> None:
    """Asks the venue for the stop that follows the price. One it has not acknowledged yet is moved when it is."""
    kept = order.kept
    if kept is None or order.state not in _RESTING or order.triggered or kept.level in (None, order.stop_price):
        return
    wanted = covering.wanted_of(turn.state, order)
    amending.request_amendment(turn, order, msgspec.structs.replace(order.as_it_stands(), quantity=wanted), ENGINE)


def set_off(turn: Turn, order: Order) -> None:
    """Its price has been reached: it goes out, or waits for what keeps it from it."""
    release(turn, order, triggered=True)


def release(turn: Turn, order: Order, *, triggered: bool = False, since: int = 0) -> None:
    """Judges a held order anew, for what is left to do of it, and lets it out; the market counts from `since`, or now.

    An order for later meets the bar that opens at its moment, though that is known only as the bar closes.
    """
    account, kept = turn.state.accounts[order.spec.account_id], order.kept
    assert kept is not None
    market.keep_day(turn, account)
    quantity = order.remaining
    if kept.closes:
        quantity, held_back = _closable(turn.state, order)
        if held_back == GONE:
            orders.request_cancel(turn, order, ENGINE, reason=GONE)
            return
        if held_back:
            _wait(turn, order, why=held_back)
            return
    _let_out(turn, order, quantity=quantity, triggered=triggered, since=since or turn.at)


def _closable(state: State, order: Order) -> tuple[Decimal, str]:
    """How much an order may close now, and why nothing, where that is so; of linked exits one fills for all."""
    spec, sign, account = order.spec, order.spec.side.sign, state.accounts[order.spec.account_id]
    in_book, in_account = (
        neg(quantity) if sign > 0 else quantity
        for quantity in (state.position(key_of(spec)).quantity, account.net.get(spec.instrument_id, ZERO))
    )
    if in_book <= 0:
        return ZERO, GONE
    if account.readiness is Readiness.NOT_READY:
        return ZERO, f"the account is {account.readiness}: {account.readiness_reason or 'it has not been reconciled'}"
    view = risk_views.risk_view(state, account, order.as_it_stands(), order.remaining, source=order.source)
    under_way = view.working_buys if sign > 0 else view.working_sells
    left = sub(min(in_book, in_account) if in_account > 0 else in_book, under_way)
    if order.kept is not None and order.kept.reduces:
        left = min(left, covering.to_reduce(state, spec, covered=True))
    quantity = rounded(max(ZERO, min(order.remaining, left)), view.instrument.lot_size, "ROUND_DOWN")
    return (quantity, "") if quantity else (ZERO, "all of the position is being closed, or was closed at the broker")


def _wait(turn: Turn, order: Order, *, why: str) -> None:
    """Says once that an order's price has been reached and it cannot go out; it does as soon as it can, and for that
    its time is not over."""
    kept = order.kept
    assert kept is not None
    if not kept.reached:
        message = f"{title(turn.state, order)} is set off and waits: {why}"
        turn.alert("critical", "order-waits", message, **_about(order))
    if not kept.reached or kept.again:
        now = msgspec.structs.replace(kept, reached=True, again=0, until=0, day=False)
        turn.emit(OrderKept(at=turn.at, order_id=order.id, kept=now))


def _let_out(turn: Turn, order: Order, *, quantity: Decimal, triggered: bool, since: int) -> None:
    kept, account = order.kept, turn.state.accounts[order.spec.account_id]
    assert kept is not None
    spec = msgspec.structs.replace(order.as_it_stands(), quantity=quantity)
    if kept.trail is not None:
        stop = kept.level if spec.stop_price is not None else None
        spec = msgspec.structs.replace(spec, limit_price=keeping.limit_of(order.spec, kept), stop_price=stop)
    view = risk_views.risk_view(turn.state, account, spec, quantity, source=order.source, at=turn.at)
    verdict, is_first = assess(view), not order.send_by and not kept.reached
    turn.emit(
        OrderReleased(
            at=turn.at,
            order_id=order.id,
            venue_client_id=order.venue_client_id if is_first else turn.new_venue_id("order"),
            session_date=account.day,
            approved=isinstance(verdict, Approved),
            checks=verdict.checks if isinstance(verdict, Approved) else (*verdict.passed, verdict.check),
            quantity=quantity,
            kept=keeping.gone_out(order, since),
            since=since,
            send_by=turn.send_by(SEND_BY),
            triggered=triggered or kept.reached,
        )
    )
    if isinstance(verdict, Approved):
        _send(turn, order, spec, approval=verdict, lane=orders.lane_of(view, order.source))
    else:
        message = f"{title(turn.state, order)} was set off and is refused: {verdict.check.reason}"
        turn.alert("critical", "order-refused", message, **_about(order))
        rejects.look(turn, account, order.spec.book)


def _send(turn: Turn, order: Order, spec: OrderSpec, *, approval: Approved, lane: Lane) -> None:
    ticket = Ticket(
        order_id=order.id,
        venue_client_id=order.venue_client_id,
        spec=spec,
        approval=approval,
        at=turn.at,
        since=order.since,
    )
    turn.effects.append(SendOrder(ticket, order.send_by, lane))


def take_back(turn: Turn, order: Order, *, reason: str) -> bool:
    """Holds an order that closes a position again, of which nothing has left; whether it is one."""
    kept = order.kept
    if kept is None or not kept.closes or order.state not in (OrderState.SUBMITTED, OrderState.IN_DOUBT):
        return False
    again = msgspec.structs.replace(kept, reached=True, again=turn.at + TRY_AGAIN, until=0, day=False)
    after = transition(order.state, OrderEvent.HOLD)
    turn.emit(
        r.OrderMoved(at=turn.at, order_id=order.id, event=OrderEvent.HOLD, state=after, reason=reason, by_venue=False)
    )
    turn.emit(OrderKept(at=turn.at, order_id=order.id, kept=again))
    message = f"{title(turn.state, order)} could not be sent, and is tried again: {reason}"
    turn.alert("critical", "order-waits", message, **_about(order))
    return True


def follow(turn: Turn) -> None:
    """Goes on with what the turn's records concern: positions that are gone, what has waited, stops to be moved."""
    for record in turn.records:
        if isinstance(record, r.OrderMoved) and record.event is OrderEvent.ACCEPT:
            amend_stop(turn, turn.state.orders[record.order_id])
    found = concerned.by(turn)
    for order in tuple(found.of(turn.state.watched)):
        _go_on(turn, order, is_compared=order.spec.account_id in found.accounts)


def _go_on(turn: Turn, order: Order, *, is_compared: bool) -> None:
    kept = order.kept
    if kept is None or order.state is not OrderState.HELD:
        if is_compared:
            amend_stop(turn, order)
        return
    if kept.closes and turn.state.position(key_of(order.spec)).quantity * order.spec.side.sign >= 0:
        orders.request_cancel(turn, order, ENGINE, reason=GONE)
    elif kept.reached and (is_compared or not kept.again):
        release(turn, order)


def after_splits(turn: Turn) -> None:
    """Ends held orders of which a split has left less than a lot."""
    for record in tuple(turn.records):
        for change in record.orders if isinstance(record, r.SplitApplied) else ():
            order = turn.state.orders[change.order_id]
            if order.state is OrderState.HELD and not order.quantity:
                orders.request_cancel(turn, order, ENGINE, reason="the split left less than one lot of it")


def due(turn: Turn, order_id: str) -> None:
    """What a moment brings: an order for later begins, one that was taken back is tried again, another is over."""
    order = turn.state.orders[order_id]
    kept = order.kept
    assert kept is not None
    if keeping.is_over(order, turn.at):
        _end(turn, order)
    elif kept.again and kept.again <= turn.at:
        release(turn, order)
    else:
        _begin(turn, order)


def _begin(turn: Turn, order: Order) -> None:
    account = turn.state.accounts[order.spec.account_id]
    market.keep_day(turn, account)
    kept, began = keeping.begun(turn.state, order), order.kept
    assert began is not None
    turn.emit(OrderKept(at=turn.at, order_id=order.id, kept=kept))
    if not keeping.is_held(order.spec, kept):
        release(turn, order, since=began.begins)


def _end(turn: Turn, order: Order) -> None:
    """Ends an order whose time is over."""
    if order.state is not OrderState.HELD:
        orders.request_cancel(turn, order, ENGINE, reason=OVER)
    else:
        after = transition(order.state, OrderEvent.EXPIRE)
        turn.emit(
            r.OrderMoved(
                at=turn.at, order_id=order.id, event=OrderEvent.EXPIRE, state=after, reason=OVER, by_venue=False
            )
        )


def title(state: State, order: Order) -> str:
    """An order as alerts call it: its account, and what of it is left."""
    account, symbol = state.accounts[order.spec.account_id].account, state.instruments[order.spec.instrument_id].symbol
    return f"{account.name}: {order.spec.side} {order.remaining} {symbol} {order.spec.kind}"


def _about(order: Order) -> dict[str, str | None]:
    return {"account_id": order.spec.account_id, "order_id": order.id}


HANDLERS[keeping.KIND] = due
