"""Commands about orders: submit, modify, cancel. Each is judged, recorded, and only then turned into an effect."""

from decimal import Decimal

import msgspec

from evenkeel.domain.commands import CancelOrder, ModifyOrder, ResolveOrder, SubmitOrder
from evenkeel.domain.errors import Conflict, FieldError, IdempotencyConflict, InvalidInput
from evenkeel.domain.money import ZERO, add, exact, is_bookable, mul, sub
from evenkeel.domain.orders import Order, OrderEvent, OrderKind, OrderSpec, OrderState, Side, transition
from evenkeel.domain.provenance import Arrival, Provenance
from evenkeel.domain.records import AmendRequested, OrderDecided, OrderMoved
from evenkeel.domain.risk import Approved, Refused, Verdict
from evenkeel.quant.costs import total_charge
from evenkeel.trading.brokers.ports import Amendment, Cancellation, Ticket
from evenkeel.trading.engine import market
from evenkeel.trading.engine.effects import Outcome, SendAmendment, SendCancel, SendOrder, WantReconcile
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.risk import RiskView, assess, buffer_of

_NEEDS_LIMIT = frozenset({OrderKind.LIMIT, OrderKind.STOP_LIMIT})
_NEEDS_STOP = frozenset({OrderKind.STOP, OrderKind.STOP_LIMIT})
_CENT = Decimal("0.01")
MOST_DIGITS, MARKET_DIGITS = 30, 12


def submit(turn: Turn, command: SubmitOrder) -> Outcome:
    """Takes an order, or recalls the one this client id already named."""
    spec = command.spec
    account = turn.state.account(spec.account_id)
    known = turn.state.client_ids.get((spec.account_id, spec.client_order_id))
    if known is not None:
        return _recall(turn.state, known, spec)
    check_spec(turn.state, spec)
    place(turn, account, spec, command.provenance)
    return Outcome(turn.state.client_ids[spec.account_id, spec.client_order_id])


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
    faults += _misplaced("limit_price", spec.limit_price, spec=spec, kinds=_NEEDS_LIMIT)
    faults += _misplaced("stop_price", spec.stop_price, spec=spec, kinds=_NEEDS_STOP)
    faults += _unbookable(state, spec)
    if faults:
        raise InvalidInput("the order is not complete", errors=tuple(faults))


def _misplaced(
    name: str, price: Decimal | None, *, spec: OrderSpec, kinds: frozenset[OrderKind]
) -> tuple[FieldError, ...]:
    """A price that the order's kind needs and does not have, or has and does not need."""
    needs = spec.kind in kinds
    if needs is (price is not None):
        return ()
    return (FieldError(name, f"a {spec.kind} order {'needs one' if needs else 'has none'}"),)


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


def place(turn: Turn, account: AccountState, spec: OrderSpec, provenance: Provenance) -> Verdict:
    """Judges and records one new order; approved, it goes out after the commit."""
    market.keep_day(turn, account)
    verdict = assess(risk_view(turn.state, account, spec, spec.quantity))
    approved = isinstance(verdict, Approved)
    order_id, venue_client_id = turn.new_id("order"), turn.new_venue_id("order")
    send_by = turn.send_by()
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
            send_by=send_by,
        )
    )
    if isinstance(verdict, Approved):
        ticket = Ticket(order_id=order_id, venue_client_id=venue_client_id, spec=spec, approval=verdict, at=turn.at)
        turn.effects.append(SendOrder(ticket, send_by))
    return verdict


def _arrival(turn: Turn, account: AccountState, spec: OrderSpec) -> Arrival:
    mark = turn.state.marks.get(spec.instrument_id)
    if mark is None:
        return Arrival(limits_version=account.limits_version)
    half = mark.spread / 2
    return Arrival(
        bid=mark.price - half if half else None,
        ask=mark.price + half if half else None,
        last=mark.price,
        quote_age=turn.at - mark.at,
        limits_version=account.limits_version,
    )


def risk_view(
    state: State, account: AccountState, spec: OrderSpec, quantity: Decimal, *, without: str | None = None
) -> RiskView:
    """What risk sees of an order for `quantity` more units.

    `without` leaves a working order out: it is this one, judged again, and is not one more trade of the day.
    """
    instrument_id, limits = spec.instrument_id, account.limits
    buys = sells = reserved = ZERO
    needs_charges = limits.cash_check and spec.side.sign > 0
    needs_equity = limits.daily_loss is not None or limits.max_position_share is not None
    if account.working:
        buys, sells, reserved = _on_the_way(state, account, instrument_id, without=without)
    mark = state.mark(instrument_id)
    price = _dearest(spec.side, limit=spec.limit_price, stop=spec.stop_price, mark=mark)
    view = RiskView(
        spec=spec,
        quantity=quantity,
        instrument=state.instruments[instrument_id],
        limits=limits,
        account_type=account.account.type,
        account_currency=account.account.currency,
        readiness=account.readiness,
        readiness_reason=account.readiness_reason,
        in_doubt=account.working.in_doubt(instrument_id),
        price=price,
        held=account.net.get(instrument_id, ZERO),
        working_buys=buys,
        working_sells=sells,
        cash=account.cash_in(account.account.currency),
        reserved=reserved,
        charges=_charges(state, account, spec, quantity=quantity, price=price) if needs_charges else ZERO,
        equity=state.equity(account) if needs_equity else ZERO,
        day_start_equity=account.day_start_equity,
        trades_today=account.trades_today if without is None else max(0, account.trades_today - 1),
    )
    if mark is None and not _is_capped(spec.side, spec.limit_price) and not view.reduces:
        return msgspec.structs.replace(view, price=None)
    return view


def _on_the_way(
    state: State, account: AccountState, instrument_id: str, *, without: str | None
) -> tuple[Decimal, Decimal, Decimal]:
    """(quantity being bought, quantity being sold, cash that buys may use) of the account's working orders."""
    working, left_out = account.working, account.working.get(without or "")

    def reserve(order: Order) -> Decimal:
        return _reserve(state, account, order)

    buys = working.quantity(instrument_id, reserve, is_buy=True)
    sells = working.quantity(instrument_id, reserve, is_buy=False)
    reserved = working.reserved(reserve, state.mark)
    if left_out is None:
        return buys, sells, reserved
    is_here = left_out.spec.instrument_id == instrument_id
    if left_out.spec.side.sign < 0:
        return buys, sub(sells, left_out.remaining) if is_here else sells, reserved
    return sub(buys, left_out.remaining) if is_here else buys, sells, sub(reserved, reserve(left_out))


def _is_capped(side: Side, limit: Decimal | None) -> bool:
    """Whether the order itself says what it fills at in the worst case: only a buy's limit does."""
    return side.sign > 0 and limit is not None


def _dearest(side: Side, *, limit: Decimal | None, stop: Decimal | None, mark: Decimal | None) -> Decimal | None:
    """The price that an order is judged at: a buy's limit, else the highest of what it names and the last price.

    A sale's limit is a floor, and a stop that the market has passed already fills at the market.
    """
    if _is_capped(side, limit):
        return limit
    return max((price for price in (limit, stop, mark) if price is not None), default=None)


def reserved_cash(state: State, account: AccountState) -> Decimal:
    """The cash that the account's working buys may still use."""
    return account.working.reserved(lambda order: _reserve(state, account, order), state.mark)


def _reserve(state: State, account: AccountState, order: Order) -> Decimal:
    mark = state.mark(order.spec.instrument_id)
    price = _dearest(order.spec.side, limit=order.limit_price, stop=order.stop_price, mark=mark)
    if price is None:
        return ZERO
    charges = _charges(state, account, order.spec, quantity=order.remaining, price=price)
    price = mul(price, buffer_of(order.spec.kind))
    return add(state.notional(order.spec.instrument_id, order.remaining, price), charges)


def _charges(
    state: State, account: AccountState, spec: OrderSpec, *, quantity: Decimal, price: Decimal | None
) -> Decimal:
    if price is None:
        return ZERO
    schedule = state.find_schedule(account.account.costs)
    if not schedule.components:
        return ZERO
    notional = float(quantity) * float(price) * float(state.instruments[spec.instrument_id].multiplier)
    estimate = total_charge(schedule, spec.side, quantity=float(quantity), notional=notional)
    return exact(estimate, _CENT, "ROUND_UP")


def cancel(turn: Turn, command: CancelOrder) -> Outcome:
    """Asks the venue to cancel a working order, or one whose state is not known; asked again, it asks again."""
    order = turn.state.order(command.order_id)
    if not order.is_working and order.state is not OrderState.ANOMALY:
        raise Conflict(f"the order is {order.state} and cannot be cancelled")
    request_cancel(turn, order, command.provenance)
    return Outcome(order.id, created=False)


def request_cancel(turn: Turn, order: Order, provenance: Provenance) -> None:
    """Records the wish and lets it out. A cancel that was lost on the way must not bar the next one."""
    turn.emit(
        OrderMoved(
            at=turn.at,
            order_id=order.id,
            event=OrderEvent.CANCEL_REQUEST,
            state=transition(order.state, OrderEvent.CANCEL_REQUEST),
            by_venue=False,
            provenance=provenance,
        )
    )
    send_cancel(turn, order)


def send_cancel(turn: Turn, order: Order) -> None:
    """Lets a recorded wish to cancel out."""
    cancellation = Cancellation(
        account_id=order.spec.account_id,
        venue_client_id=order.venue_client_id,
        venue_order_id=order.venue_order_id,
        at=turn.at,
    )
    turn.effects.append(SendCancel(order.id, cancellation))


def as_it_stands(order: Order) -> OrderSpec:
    """What was asked, with the quantity and prices that splits and amendments have made of it."""
    return msgspec.structs.replace(
        order.spec, quantity=order.quantity, limit_price=order.limit_price, stop_price=order.stop_price
    )


def resolve(turn: Turn, command: ResolveOrder) -> Outcome:
    """Ends an order in doubt on a person's word. Raises Conflict for an order that is in no doubt."""
    order = turn.state.order(command.order_id)
    if order.state is not OrderState.IN_DOUBT:
        raise Conflict(f"the order is {order.state}, not in doubt")
    turn.emit(
        OrderMoved(
            at=turn.at,
            order_id=order.id,
            event=OrderEvent.UNSENT,
            state=transition(order.state, OrderEvent.UNSENT),
            reason="a person decided that the broker never had it",
            by_venue=False,
            provenance=command.provenance,
        )
    )
    turn.effects.append(WantReconcile(order.spec.account_id, f"order {order.id} was resolved"))
    return Outcome(order.id, created=False)


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
    account = turn.state.account(spec.account_id)
    verdict = assess(risk_view(turn.state, account, spec, left, without=order.id))
    if isinstance(verdict, Refused):
        raise Conflict(f"the change is refused: {verdict.check.reason}")
    turn.emit(
        AmendRequested(
            at=turn.at,
            order_id=order.id,
            quantity=spec.quantity,
            limit_price=spec.limit_price,
            stop_price=spec.stop_price,
            checks=verdict.checks,
            provenance=command.provenance,
        )
    )
    amendment = Amendment(
        account_id=spec.account_id,
        venue_client_id=order.venue_client_id,
        venue_order_id=order.venue_order_id,
        spec=spec,
        approval=verdict,
        at=turn.at,
    )
    turn.effects.append(SendAmendment(order.id, amendment))
    return Outcome(order.id, created=False)
