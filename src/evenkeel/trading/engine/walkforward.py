"""Walk-forward sessions at work: opened with an account of their own, started, stopped, and completed for good.

A session that is not running takes no order that adds risk, and none at all from strategies; its signals go on being
recorded. To close what it holds is worked out after every turn anew from the orders and positions that there are, so
that a crash loses nothing: an instrument is closed once nothing works in it any more, by an order that rests until it
has filled.
"""

from decimal import Decimal

from msgspec import structs

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import AccountMode, Readiness
from evenkeel.domain.errors import Conflict, FieldError, Forbidden, InvalidInput, NotFound
from evenkeel.domain.money import is_bookable, minor_unit, mul, rounded, total
from evenkeel.domain.orders import Order, OrderKind, OrderSpec, OrderState, Side, TimeInForce
from evenkeel.domain.positions import Position
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.records import AccountReconciled, DeploymentChanged
from evenkeel.domain.walkforward import (
    SessionCompleted,
    SessionFigures,
    SessionMoved,
    SessionOpened,
    SessionStatus,
)
from evenkeel.trading.engine import admin, market
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.orders import place, request_cancel
from evenkeel.trading.engine.sessions import SessionState, closing_mark
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn

MAX_TRIES = 5
_ENDED = (SessionStatus.CLOSING, SessionStatus.COMPLETED)


def open_session(turn: Turn, command: c.OpenSession) -> Outcome:
    """Opens a session with its account, capital and strategies: all of it or nothing. It begins stopped."""
    session, account, state = command.session, command.account, turn.state
    if session.id in state.walkforwards:
        raise Conflict(f"session {session.id} exists already")
    if account.mode is not AccountMode.WALKFORWARD:
        raise Forbidden(f"a session trades a walk-forward account, not a {account.mode} one")
    if (session.account_id, session.user_id) != (account.id, account.user_id):
        raise InvalidInput("the session is of another account", errors=(FieldError("account", "its own"),))
    if not (is_bookable(session.brokerage_rate) and 0 <= session.brokerage_rate < 1):
        fault = FieldError("brokerage_rate", "a fraction of value from 0, below 1")
        raise InvalidInput("the session cannot be opened", errors=(fault,))
    admin.check_account(state, account, cash=session.capital)
    _check_deployments(state, command)
    admin.begin_account(turn, account, cash=session.capital, source=command)
    turn.emit(SessionOpened(at=turn.at, session=session, provenance=command.provenance))
    for deployment in command.deployments:
        turn.emit(DeploymentChanged(at=turn.at, deployment=deployment, provenance=command.provenance))
    return Outcome(session.id)


def _check_deployments(state: State, command: c.OpenSession) -> None:
    names = [deployment.name for deployment in command.deployments]
    faults = [
        FieldError(f"strategies.{place}.{fault.field}", fault.message)
        for place, deployment in enumerate(command.deployments)
        for fault in admin.deployment_faults(state, deployment, opening=command.account.id)
    ]
    faults += [
        FieldError(f"strategies.{place}.name", "another strategy has this name")
        for place, name in enumerate(names)
        if name in names[:place] or admin.is_named(state, name)
    ]
    if faults:
        raise InvalidInput("the session's strategies cannot be deployed", errors=tuple(faults))


def _session(state: State, session_id: str) -> SessionState:
    """Raises NotFound."""
    try:
        return state.walkforwards[session_id]
    except KeyError:
        raise NotFound(f"there is no session {session_id!r}") from None


def start(turn: Turn, command: c.StartSession) -> Outcome:
    """Lets a stopped session trade: its strategies, from the next change of a target on."""
    held = _session(turn.state, command.session_id)
    if held.status in _ENDED or held.closing:
        what = "is still being closed" if held.closing else f"is {held.status}"
        raise Conflict(f"session {held.session.name} {what} and cannot be started")
    if not held.is_running:
        _move(turn, held, SessionStatus.RUNNING, provenance=command.provenance)
    return Outcome(held.session.id, created=False)


def stop(turn: Turn, command: c.StopSession) -> Outcome:
    """Has a session trade no more. Its orders are cancelled, and what it holds is kept, with what guards it, or closed.

    Stopped again with `close`, it closes what it had kept. Raises Conflict for one that has been completed.
    """
    held = _session(turn.state, command.session_id)
    if held.status in _ENDED:
        raise Conflict(f"session {held.session.name} is {held.status}")
    if held.is_running or (command.close and not held.closing):
        _end(turn, held, SessionStatus.STOPPED, close=command.close, provenance=command.provenance)
    return Outcome(held.session.id, created=False)


def complete(turn: Turn, command: c.CompleteSession) -> Outcome:
    """Ends a session for good: closes what it holds, then freezes its figures. Asked again, it changes nothing."""
    held = _session(turn.state, command.session_id)
    if held.status not in _ENDED:
        _end(turn, held, SessionStatus.CLOSING, close=True, provenance=command.provenance)
    return Outcome(held.session.id, created=False)


def _move(
    turn: Turn,
    held: SessionState,
    status: SessionStatus,
    *,
    close: bool = False,
    reason: str = "",
    provenance: Provenance | None = None,
) -> None:
    turn.emit(
        SessionMoved(
            at=turn.at,
            session_id=held.session.id,
            status=status,
            close=close,
            reason=reason,
            provenance=provenance,
        )
    )


def _end(turn: Turn, held: SessionState, status: SessionStatus, *, close: bool, provenance: Provenance) -> None:
    _move(turn, held, status, close=close, provenance=provenance)
    _cancel(turn, held, _account(turn.state, held))


def _account(state: State, held: SessionState) -> AccountState:
    return state.accounts[held.session.account_id]


def _provenance(held: SessionState) -> Provenance:
    return Provenance(actor=held.session.id, source=Source.SYSTEM, cause_id=held.session.id)


def _cancel(turn: Turn, held: SessionState, account: AccountState) -> None:
    """Asks for all that works to be cancelled, but for exits of what is kept, and orders that close."""
    for order in tuple(account.open_orders()):
        is_kept = order.spec.is_exit and not held.closing
        is_asked = order.state in (OrderState.CANCEL_PENDING, OrderState.IN_DOUBT)
        if not (is_kept or is_asked or _closes(held, order)):
            request_cancel(turn, order, _provenance(held))


def _closes(held: SessionState, order: Order) -> bool:
    return order.spec.client_order_id.startswith(closing_mark(held.session.id))


def follow(turn: Turn) -> None:
    """Goes on with every session that is being closed."""
    for held in tuple(turn.state.closing_sessions.values()):
        account = _account(turn.state, held)
        if any(isinstance(one, AccountReconciled) and one.account_id == account.account.id for one in turn.records):
            _cancel(turn, held, account)
        if account.readiness is not Readiness.READY:
            continue
        left = [position for position in account.positions.values() if _closable(turn.state, position)]
        for position in left:
            if not _is_worked(account, position) and held.tries.get(position.key, 0) < MAX_TRIES:
                _send(turn, held, account, position)
        if account.working or account.held:
            continue
        if left:
            if all(held.tries.get(position.key, 0) >= MAX_TRIES for position in left):
                _give_up(turn, held)
        elif held.status is SessionStatus.CLOSING:
            _freeze(turn, held, account)
        else:
            _move(turn, held, held.status)


def _closable(state: State, position: Position) -> Decimal:
    """What of a position whole lots can close."""
    lot = state.instruments[position.key.instrument_id].lot_size
    return rounded(position.quantity.copy_abs(), lot, "ROUND_DOWN")


def _is_worked(account: AccountState, position: Position) -> bool:
    key = position.key
    return any(
        (one.spec.instrument_id, one.spec.product, one.spec.book) == (key.instrument_id, key.product, key.book)
        for one in account.open_orders()
    )


def _send(turn: Turn, held: SessionState, account: AccountState, position: Position) -> None:
    key = position.key
    spec = OrderSpec(
        account_id=key.account_id,
        book=key.book,
        instrument_id=key.instrument_id,
        side=Side.SELL if position.quantity > 0 else Side.BUY,
        quantity=_closable(turn.state, position),
        kind=OrderKind.MARKET,
        client_order_id=f"{closing_mark(held.session.id)}{turn.state.seq}",
        time_in_force=TimeInForce.GTC,
        product=key.product,
    )
    place(turn, account, spec, _provenance(held))


def _give_up(turn: Turn, held: SessionState) -> None:
    message = f"Session {held.session.name} still holds what {MAX_TRIES} orders could not close: it is stopped"
    _move(turn, held, SessionStatus.STOPPED, reason="what it holds could not be closed")
    turn.alert("critical", "session-stuck", message, account_id=held.session.account_id)


def _freeze(turn: Turn, held: SessionState, account: AccountState) -> None:
    """Ends the account's day, takes its strategies out of trading, and records what the session came to."""
    state, account_id = turn.state, account.account.id
    market.keep_day(turn, account)
    market.close_day(turn, account)
    for known in state.deployments.values():
        this = known.deployment
        others = tuple(one for one in this.accounts if one.account_id != account_id)
        if len(others) == len(this.accounts) or this.removed:
            continue
        changed = structs.replace(this, accounts=others)
        if not others:  # its accounts stay, so that whose it was can still be told
            changed = structs.replace(this, enabled=False, removed=True)
        turn.emit(DeploymentChanged(at=turn.at, deployment=changed, provenance=_provenance(held)))
    turn.emit(SessionCompleted(at=turn.at, session_id=held.session.id, figures=figures_of(state, held)))
    message = f"Session {held.session.name} is completed, with an equity of {state.equity(account)}"
    turn.alert("info", "session-completed", message, account_id=account_id)


def figures_of(state: State, held: SessionState) -> SessionFigures:
    """What a session has come to by now, or had come to when it was completed."""
    if held.figures is not None:
        return held.figures
    account = _account(state, held)
    equity = state.equity(account)
    return SessionFigures(
        equity=equity,
        cash=account.cash_in(account.account.currency),
        growth=account.growth.at(equity),
        orders=held.orders,
        fills=held.fills,
        charges=total([position.charges for position in account.positions.values()]),
    )


def margin_of(state: State, account: AccountState) -> Decimal | None:
    """An estimate of the capital that what an account holds ties up, in its currency; None without terms."""
    terms = account.account.terms
    if terms is None:
        return None
    values = []
    for position in account.positions.values():
        if position.quantity:
            multiplier = state.instruments[position.key.instrument_id].multiplier
            values.append(position.market_value(state.price_of(position), multiplier).copy_abs())
    share = rounded(Decimal(repr(terms.margin)), Decimal("0.000001"))
    return rounded(mul(total(values), share), minor_unit(account.account.currency))
