"""Commands about orders: submit, modify, cancel. Each is judged, recorded, and only then turned into an effect."""

from evenkeel.domain.accounts import SEND_BY
from evenkeel.domain.clock import SECOND
from evenkeel.domain.commands import CancelOrder, ResolveOrder, SubmitOrder
from evenkeel.domain.errors import Conflict, FieldError, IdempotencyConflict, InvalidInput, MoneyError
from evenkeel.domain.money import is_bookable
from evenkeel.domain.orders import NEEDS, Order, OrderEvent, OrderSpec, OrderState, transition
from evenkeel.domain.provenance import Arrival, Provenance, Source
from evenkeel.domain.records import Check, OrderDecided, OrderMoved
from evenkeel.domain.risk import Approved, Refused, Verdict
from evenkeel.trading.brokers.ports import Cancellation, Ticket
from evenkeel.trading.engine import halts, keeping, market, rejects
from evenkeel.trading.engine.effects import Lane, Outcome, SendCancel, SendOrder, WantReconcile
from evenkeel.trading.engine.portfolios import places
from evenkeel.trading.engine.risk_views import risk_view
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.risk import RiskView, assess
from evenkeel.trading.risk.view import STRATEGY_RUNNING

MOST_DIGITS, MARKET_DIGITS = 30, 12
PANIC_SEND_BY = 60 * SECOND


def submit(turn: Turn, command: SubmitOrder) -> Outcome:
    """Takes an order, or recalls the one this client id already named."""
    spec = command.spec
    account = turn.state.account(spec.account_id)
    known = turn.state.client_ids.get((spec.account_id, spec.client_order_id))
    if known is not None:
        return _recall(turn.state, known, spec)
    if (spec.account_id, spec.client_order_id) in turn.state.composites.names:
        raise IdempotencyConflict(f"client_order_id {spec.client_order_id!r} already names a composite order")
    check_spec(turn.state, spec)
    if is_late(turn.state, command.provenance):
        _too_late(turn, account, spec, command.provenance)
    else:
        place(turn, account, spec, command.provenance)
    return Outcome(turn.state.client_ids[spec.account_id, spec.client_order_id])


def is_late(state: State, by: Provenance) -> bool:
    """Whether a strategy asks that is not at work: what it asked for before it was paused may come after that."""
    held = state.deployments.get(by.actor) if by.source is Source.DEPLOYMENT else None
    return held is not None and not held.is_running


def idle(state: State, provenance: Provenance, verdict: Verdict) -> Verdict:
    """The refusal of a strategy that is not at work, unless a halt refuses it already."""
    if isinstance(verdict, Refused) and verdict.check.rule == "halted":
        return verdict
    this = state.deployments[provenance.actor].deployment
    what = "paused" if this.paused else "removed" if this.removed else "off"
    why = f": {this.paused}" if this.paused else ""
    return Refused(Check(STRATEGY_RUNNING, "running", what, f"{this.name} is {what} and places no orders{why}"))


def _too_late(turn: Turn, account: AccountState, spec: OrderSpec, provenance: Provenance) -> None:
    market.keep_day(turn, account)
    verdict, lane = judge(turn.state, account, spec, provenance, at=turn.at)
    enter(turn, account, spec, provenance, verdict=idle(turn.state, provenance, verdict), lane=lane)


def _recall(state: State, order_id: str, spec: OrderSpec) -> Outcome:
    if state.orders[order_id].spec != spec:
        raise IdempotencyConflict(
            f"client_order_id {spec.client_order_id!r} already names another order",
            hint="Send the same body again, or choose a new client_order_id.",
        )
    return Outcome(order_id, created=False)


def check_spec(state: State, spec: OrderSpec) -> None:
    """Raises InvalidInput, listing every field that does not make sense for the order's kind."""
    faults = []
    if spec.instrument_id not in state.instruments:
        faults.append(FieldError("symbol", "no such instrument"))
    if not 1 <= len(spec.client_order_id) <= 64:
        faults.append(FieldError("client_order_id", "1 to 64 characters"))
    prices = (spec.limit_price is not None, spec.stop_price is not None)
    if prices != NEEDS[spec.kind]:
        faults += _misplaced(spec, prices)
    faults += _unbookable(state, spec)
    faults += keeping.faults(state, spec)
    if state.portfolios:
        faults += places.order_faults(state, spec)
    if faults:
        raise InvalidInput("the order is not complete", errors=tuple(faults))


def _misplaced(spec: OrderSpec, prices: tuple[bool, bool]) -> list[FieldError]:
    """Prices that the order's kind needs and does not have, or has and does not need."""
    named = zip(("limit_price", "stop_price"), NEEDS[spec.kind], prices, strict=True)
    return [
        FieldError(name, f"a {spec.kind} order {'needs one' if needs else 'has none'}")
        for name, needs, has in named
        if needs is not has
    ]


def _unbookable(state: State, spec: OrderSpec) -> list[FieldError]:
    """Numbers that exact money could not hold; what is merely wrong for the instrument is for risk to say."""
    instrument = state.instruments.get(spec.instrument_id)
    if instrument is not None and spec.limit_price is None and spec.stop_price is None:
        most = len(str(spec.quantity)) + len(str(instrument.multiplier))  # at least as many as their digits
        if most <= MOST_DIGITS - MARKET_DIGITS and is_bookable(spec.quantity):
            return []
    figures = {"quantity": spec.quantity, "limit_price": spec.limit_price, "stop_price": spec.stop_price}
    faults = [
        FieldError(name, "a finite number below 10^17 with at most 18 decimal places")
        for name, figure in figures.items()
        if figure is not None and not is_bookable(figure)
    ]
    if not faults and instrument is not None:
        prices = [price for price in (spec.limit_price, spec.stop_price) if price is not None]
        price_digits = max([MARKET_DIGITS, *(len(price.as_tuple().digits) for price in prices)])
        digits = len(spec.quantity.as_tuple().digits) + len(instrument.multiplier.as_tuple().digits) + price_digits
        if digits > MOST_DIGITS:
            faults.append(FieldError("quantity", "too many digits for its value to be exact"))
    return faults


def place(turn: Turn, account: AccountState, spec: OrderSpec, provenance: Provenance, *, since: int = 0) -> Verdict:
    """Judges and records one new order; approved, it goes out after the commit. `since` is as in a ticket."""
    market.keep_day(turn, account)
    verdict, lane = judge(turn.state, account, spec, provenance, at=turn.at)
    enter(turn, account, spec, provenance, verdict=verdict, lane=lane, since=since)
    return verdict


def judge(
    state: State, account: AccountState, spec: OrderSpec, provenance: Provenance, *, at: int | None = None
) -> tuple[Verdict, Lane]:
    """What risk says of a new order, and in which lane it would go. Records nothing.

    What exact money cannot hold is refused, too, so that nothing beside it is lost.
    """
    try:
        view = risk_view(state, account, spec, spec.quantity, source=provenance.source, at=at)
        return assess(view), lane_of(view, provenance.source)
    except MoneyError as error:
        reason = f"it is too large to be booked: {error.message}"
        return Refused(Check("exact-money", "38 digits", str(spec.quantity), reason)), Lane.OPEN


def enter(
    turn: Turn,
    account: AccountState,
    spec: OrderSpec,
    provenance: Provenance,
    *,
    verdict: Verdict,
    lane: Lane,
    since: int = 0,
    together: bool = False,
) -> None:
    """Records a new order with the verdict on it; approved, it goes out after the commit, or is held here."""
    is_panic, approved = provenance.source is Source.PANIC, isinstance(verdict, Approved)
    kept, held = keeping.decided(turn.state, account, spec, at=turn.at) if approved else keeping.refused(spec)
    order_id, venue_client_id = turn.new_id("order"), turn.new_venue_id("order")
    send_by = turn.send_by(PANIC_SEND_BY if is_panic else SEND_BY)
    checks = verdict.checks if isinstance(verdict, Approved) else (*verdict.passed, verdict.check)
    turn.emit(
        OrderDecided(
            at=turn.at,
            order_id=order_id,
            spec=spec,
            venue_client_id=venue_client_id,
            session_date=account.day,
            approved=approved,
            checks=checks,
            provenance=provenance,
            arrival=_arrival(turn, account, spec),
            send_by=0 if held else send_by,
            since=since,
            held=held,
            kept=kept,
            together=together,
        )
    )
    if isinstance(verdict, Approved) and not held:
        ticket = Ticket(
            order_id=order_id,
            venue_client_id=venue_client_id,
            spec=spec if kept is None else turn.state.orders[order_id].as_it_stands(),
            approval=verdict,
            at=turn.at,
            since=since,
        )
        turn.effects.append(SendOrder(ticket, send_by, lane))
    elif not approved:
        rejects.look(turn, account, spec.book)


def lane_of(view: RiskView, source: str) -> Lane:
    """Which orders go before others where not all can go at once."""
    if source == Source.PANIC:
        return Lane.PANIC
    return Lane.REDUCE if view.reduces else Lane.OPEN


def _arrival(turn: Turn, account: AccountState, spec: OrderSpec) -> Arrival:
    mark = turn.state.marks.get(spec.instrument_id)
    if mark is None:
        return Arrival(limits_version=account.limits_version)
    half, age = mark.spread / 2, turn.at - mark.at
    if not half:
        return Arrival(None, None, mark.price, age, account.limits_version)
    return Arrival(mark.price - half, mark.price + half, mark.price, age, account.limits_version)


def until_room(state: State, account: AccountState, *, orders: int = 1) -> float:
    """Seconds until there may be room for so many more orders in an account's queue; 0 where there is."""
    rate = state.rate_of(account)
    over = 0 if rate is None else len(account.working.unheard) + orders - rate.most_waiting
    return 0.0 if rate is None or over <= 0 else over / rate.per_second


def wait_for_room(state: State, spec: OrderSpec) -> float:
    """Seconds until there may be room for an order that would have to be refused for a full queue; 0 where there is.

    One that has been placed already, or only takes risk off, is never kept waiting.
    """
    account = state.account(spec.account_id)
    is_known = (spec.account_id, spec.client_order_id) in state.client_ids
    return 0.0 if is_known or spec.instrument_id not in state.instruments else until_sent(state, account, spec)


def until_sent(state: State, account: AccountState, spec: OrderSpec) -> float:
    """As `until_room`, for a new order; one that only takes risk off goes at once."""
    wait = until_room(state, account)
    return wait if wait and not risk_view(state, account, spec, spec.quantity).reduces else 0.0


def cancel(turn: Turn, command: CancelOrder) -> Outcome:
    """Cancels a held order, or asks the venue to cancel a working one, or one whose state is not known, once more."""
    order = turn.state.order(command.order_id)
    if not order.is_open and order.state is not OrderState.ANOMALY:
        raise Conflict(f"the order is {order.state} and cannot be cancelled")
    request_cancel(turn, order, command.provenance)
    return Outcome(order.id, created=False)


def request_cancel(turn: Turn, order: Order, provenance: Provenance, *, reason: str | None = None) -> None:
    """Records the wish and lets it out. A cancel that was lost on the way must not bar the next one.

    What is held here is cancelled with that: no venue knows it.
    """
    is_held = order.state is OrderState.HELD
    event = OrderEvent.CANCEL if is_held else OrderEvent.CANCEL_REQUEST
    turn.emit(
        OrderMoved(
            at=turn.at,
            order_id=order.id,
            event=event,
            state=transition(order.state, event),
            reason=reason,
            by_venue=False,
            provenance=provenance,
        )
    )
    if not is_held:
        send_cancel(turn, order)


def send_cancel(turn: Turn, order: Order) -> None:
    """Lets a recorded wish to cancel out; under a halt, before everything else."""
    lane = Lane.PANIC if halts.is_over(turn.state, order.spec) else Lane.CANCEL
    cancellation = Cancellation(
        account_id=order.spec.account_id,
        venue_client_id=order.venue_client_id,
        venue_order_id=order.venue_order_id,
        at=turn.at,
    )
    turn.effects.append(SendCancel(order.id, cancellation, lane))


def resolve(turn: Turn, command: ResolveOrder) -> Outcome:
    """Ends an order in doubt on a person's word: one the broker has spoken of was there, and is there no more.

    Raises Conflict for an order that is in no doubt.
    """
    order = turn.state.order(command.order_id)
    if order.state is not OrderState.IN_DOUBT:
        raise Conflict(f"the order is {order.state}, not in doubt")
    was_there = order.has_venue_event
    event, what = (OrderEvent.CANCEL, "has it no more") if was_there else (OrderEvent.UNSENT, "never had it")
    turn.emit(
        OrderMoved(
            at=turn.at,
            order_id=order.id,
            event=event,
            state=transition(order.state, event),
            reason=f"a person decided that the broker {what}",
            by_venue=False,
            provenance=command.provenance,
        )
    )
    turn.effects.append(WantReconcile(order.spec.account_id, f"order {order.id} was resolved"))
    return Outcome(order.id, created=False)
