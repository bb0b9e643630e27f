"""Commands about orders: submit, modify, cancel. Each is judged, recorded, and only then turned into an effect."""

from decimal import Decimal

import msgspec

from evenkeel.domain.accounts import SEND_BY
from evenkeel.domain.clock import SECOND
from evenkeel.domain.commands import CancelOrder, ResolveOrder, SubmitOrder
from evenkeel.domain.errors import Conflict, FieldError, IdempotencyConflict, InvalidInput
from evenkeel.domain.money import ZERO, add, exact, is_bookable, mul, sub
from evenkeel.domain.orders import NEEDS, Order, OrderEvent, OrderSpec, OrderState, Side, transition
from evenkeel.domain.provenance import Arrival, Provenance, Source
from evenkeel.domain.records import OrderDecided, OrderMoved
from evenkeel.domain.risk import Approved, Verdict
from evenkeel.quant.costs import total_charge
from evenkeel.trading.brokers.ports import Cancellation, Ticket
from evenkeel.trading.engine import halts, market
from evenkeel.trading.engine.effects import Lane, Outcome, SendCancel, SendOrder, WantReconcile
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.risk import RiskView, assess, buffer_of

_CENT = Decimal("0.01")
MOST_DIGITS, MARKET_DIGITS = 30, 12
PANIC_SEND_BY = 60 * SECOND


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
    prices = (spec.limit_price is not None, spec.stop_price is not None)
    if prices != NEEDS[spec.kind]:
        faults += _misplaced(spec, prices)
    faults += _unbookable(state, spec)
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
    view = risk_view(turn.state, account, spec, spec.quantity, source=provenance.source)
    verdict, is_panic = assess(view), provenance.source is Source.PANIC
    approved = isinstance(verdict, Approved)
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
            send_by=send_by,
            since=since,
        )
    )
    if isinstance(verdict, Approved):
        ticket = Ticket(
            order_id=order_id,
            venue_client_id=venue_client_id,
            spec=spec,
            approval=verdict,
            at=turn.at,
            since=since,
        )
        turn.effects.append(SendOrder(ticket, send_by, lane_of(view, provenance.source)))
    return verdict


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


def risk_view(
    state: State,
    account: AccountState,
    spec: OrderSpec,
    quantity: Decimal,
    *,
    without: str | None = None,
    source: str = Source.USER,
) -> RiskView:
    """What risk sees of an order for `quantity` more units from `source`.

    `without` leaves a working order out: it is this one, judged again, and is not one more trade of the day.
    """
    instrument_id, limits = spec.instrument_id, account.limits
    buys = sells = reserved = ZERO
    needs_charges = limits.cash_check and spec.side.sign > 0
    needs_equity = limits.daily_loss is not None or limits.max_position_share is not None
    if account.working and not spec.link:  # of what closes a position, only one does
        buys, sells, reserved = _on_the_way(state, account, instrument_id, without=without)
    mark = state.mark(instrument_id)
    price = _dearest(spec.side, limit=spec.limit_price, stop=spec.stop_price, mark=mark)
    rate = state.rate_of(account)
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
        halted=_halted(state, account, spec.book) if state.halts and source != Source.PANIC else "",
        may_reduce=source != Source.DEPLOYMENT or bool(spec.link),
        waiting=len(account.working.unheard) if without is None else 0,
        most_waiting=None if rate is None else rate.most_waiting,
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
    if mark is None and not view.reduces and not _is_capped(spec.side, spec.limit_price):
        return msgspec.structs.replace(view, price=None)
    return view


def _halted(state: State, account: AccountState, book: str) -> str:
    halt = halts.over(state, account.account, book)
    return "" if halt is None else halts.title(state, halt.scope)


def wait_for_room(state: State, spec: OrderSpec) -> float:
    """Seconds until there may be room for an order that would have to be refused for a full queue; 0 where there is.

    One that has been placed already, or only takes risk off, is never kept waiting.
    """
    account = state.account(spec.account_id)
    rate = state.rate_of(account)
    if rate is None or len(account.working.unheard) < rate.most_waiting or spec.instrument_id not in state.instruments:
        return 0.0
    if (spec.account_id, spec.client_order_id) in state.client_ids:
        return 0.0
    if risk_view(state, account, spec, spec.quantity).reduces:
        return 0.0
    return (len(account.working.unheard) - rate.most_waiting + 1) / rate.per_second


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
    if left_out is None or left_out.spec.link:
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
    if limit is None and stop is None:
        return mark
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
    """Lets a recorded wish to cancel out; under a halt, before everything else."""
    lane = Lane.PANIC if halts.is_over(turn.state, order.spec) else Lane.CANCEL
    cancellation = Cancellation(
        account_id=order.spec.account_id,
        venue_client_id=order.venue_client_id,
        venue_order_id=order.venue_order_id,
        at=turn.at,
    )
    turn.effects.append(SendCancel(order.id, cancellation, lane))


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
