"""Panics: halt a scope, cancel what works in it, close what it holds; and again, until nothing is left.

After every turn that touched an account of a panic, what is still to do is worked out anew from the orders and
positions that there are, so that a crash loses nothing. An instrument is closed once its cancels are confirmed; where
they are not, after a while, for as much as can be closed without the rest ever carrying the position through zero. What
the venue may still fill counts as filled. Reductions need no price, and pass whatever is meant for entries; but an
account that has not been compared with its broker is not traded, since nobody knows what it holds.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from msgspec import structs

from evenkeel.domain import commands as c
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput, NotFound
from evenkeel.domain.events import PanicDue
from evenkeel.domain.money import ZERO, neg, plain, rounded, sub
from evenkeel.domain.orders import Order, OrderKind, OrderSpec, OrderState, Side
from evenkeel.domain.panics import LONGEST_COOLDOWN, Scope, ScopeKind
from evenkeel.domain.positions import Position
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.trading.engine import halts
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.halts import Halt, Target
from evenkeel.trading.engine.orders import place, request_cancel
from evenkeel.trading.engine.state import EXTERNAL, AccountState, State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.engine.working import may_fill

MAX_TRIES = 5
MAX_ROUNDS = 8
_NAMED = 5


class Left(NamedTuple):
    """What a panic has still to do: an order to see cancelled, or a position to see closed (signed), and why it is."""

    account_id: str
    instrument_id: str
    what: str
    quantity: Decimal
    why: str
    order_id: str | None = None


def begin(turn: Turn, command: c.Panic) -> Outcome:
    """Halts a scope. Pressed again it changes nothing, unless it has given up or is now to close what it kept.

    Raises NotFound for a scope that names nothing, and InvalidInput for a cool-down out of bounds.
    """
    state, scope = turn.state, command.scope
    _check(state, scope)
    if not 0 <= command.cooldown <= LONGEST_COOLDOWN:
        longest = f"0 to {LONGEST_COOLDOWN // SECOND} seconds"
        raise InvalidInput("the cool-down is not valid", errors=(FieldError("cooldown", longest),))
    known = state.halts.get(scope.key)
    keeps = command.keep_positions and (known is None or known.keep_positions)
    if known is not None and keeps == known.keep_positions and not known.stuck:
        return Outcome(known.id, created=False)
    halt_id = known.id if known is not None else turn.new_id("panic")
    turn.emit(
        r.PanicStarted(
            at=turn.at,
            id=halt_id,
            scope=scope,
            keep_positions=keeps,
            cooldown=command.cooldown,
            provenance=command.provenance,
            reason=command.reason,
            wall=turn.wall,
        )
    )
    halt = state.halts[scope.key]
    _pause(turn, halt)
    what = "what is held is kept" if keeps else "what is held is being closed"
    why = f" ({command.reason})" if command.reason else ""
    message = f"Panic of {halts.title(state, scope)}{why}: trading is halted, orders are being cancelled, {what}"
    turn.alert("critical", "panic", message, **_about(scope))
    carry_out(turn, halt)
    return Outcome(halt_id, created=known is None)


def _check(state: State, scope: Scope) -> None:
    match scope.kind:
        case ScopeKind.STRATEGY:
            state.deployment(scope.id)
        case ScopeKind.ACCOUNT:
            state.account(scope.id)
        case ScopeKind.USER if all(held.account.user_id != scope.id for held in state.accounts.values()):
            raise NotFound(f"there is no user {scope.id!r} with accounts here")
        case ScopeKind.PLATFORM if scope.id:
            raise InvalidInput("the scope is not valid", errors=(FieldError("id", "the platform has none"),))


def _about(scope: Scope) -> dict[str, str | None]:
    """Whom an alert concerns; that of a user concerns the whole installation."""
    return {
        "account_id": scope.id if scope.kind is ScopeKind.ACCOUNT else None,
        "deployment_id": scope.id if scope.kind is ScopeKind.STRATEGY else None,
    }


def _pause(turn: Turn, halt: Halt) -> None:
    """Takes out of trading the strategies that have nothing left to trade."""
    for held in turn.state.deployments.values():
        this = held.deployment
        is_covered = halt.scope == Scope(ScopeKind.STRATEGY, this.id) or halts.stops(turn.state, this) is halt
        if is_covered and held.is_running:
            paused = structs.replace(this, paused=_paused(turn.state, halt))
            turn.emit(r.DeploymentChanged(at=turn.at, deployment=paused, provenance=_provenance(halt)))


def _paused(state: State, halt: Halt) -> str:
    return f"panic of {halts.title(state, halt.scope)}"


def resume(turn: Turn, command: c.Resume) -> Outcome:
    """Lets a scope trade again, and the strategies that were paused with it.

    Raises NotFound where nothing is halted, and Conflict while its cool-down runs, or while it has something to do
    unless that is to be abandoned.
    """
    state = turn.state
    halt = state.halts.get(command.scope.key)
    if halt is None:
        raise NotFound("this scope is not halted")
    left = halt.resumable(turn.at, turn.wall)
    if left:
        raise Conflict(f"the cool-down has {-(-left // SECOND)} seconds left")
    orders, positions = counted(state, halt)
    if not halt.done_at and not command.abandon:
        what = f"{orders} orders and {positions} positions are left"
        raise Conflict(f"the panic has not finished: {what}", hint="Abandon what is left, or wait for it.")
    name, was = halts.title(state, halt.scope), _paused(state, halt)
    turn.emit(r.PanicEnded(at=turn.at, id=halt.id, orders=orders, positions=positions, provenance=command.provenance))
    for held in state.deployments.values():
        if held.deployment.paused == was:
            other = halts.stops(state, held.deployment)
            now = structs.replace(held.deployment, paused=None if other is None else _paused(state, other))
            turn.emit(r.DeploymentChanged(at=turn.at, deployment=now, provenance=command.provenance))
    turn.alert("warning", "panic-resumed", f"Trading of {name} is on again", **_about(halt.scope))
    return Outcome(halt.id, created=False)


def due(turn: Turn, event: PanicDue) -> None:
    """Asks again for what has not been confirmed; after some rounds without success a person is told."""
    for halt in tuple(turn.state.halts.values()):
        if halt.done_at or halt.stuck:
            continue
        is_last = halt.rounds >= MAX_ROUNDS
        if not is_last and _work(turn, halt, list(turn.state.accounts.values()), is_due=True):
            continue
        orders, positions = counted(turn.state, halt)
        turn.emit(
            r.PanicMoved(
                at=turn.at, id=halt.id, orders=orders, positions=positions, round=halt.rounds + 1, stuck=is_last
            )
        )
        if is_last:
            lines = [said(turn.state, one) for one in left_of(turn.state, halt)]
            rest = f"; and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
            message = f"The {halts.name(turn.state, halt)} cannot finish: "
            said_of = message + "; ".join(lines[:_NAMED]) + rest
            turn.alert("critical", f"{_kind(halt)}-stuck", said_of, **_about(halt.scope))


def said(state: State, left: Left) -> str:
    """What is left in words."""
    name = state.accounts[left.account_id].account.name
    if not left.instrument_id:
        return f"{name}: {left.why}"
    symbol = state.instruments[left.instrument_id].symbol
    return f"{name}: {left.what} {symbol} {plain(left.quantity)}, {left.why}"


def follow(turn: Turn) -> None:
    """Goes on with every panic whose accounts the turn's records have touched.

    One that had finished begins again for fills of our own orders only: what somebody does elsewhere is theirs.
    """
    touched: dict[str, set[str] | None] = {}
    booked: dict[str, set[str] | None] = {}
    is_inherited = False
    for record in turn.records:
        match record:
            case r.FillBooked():
                _touch(touched, record.fill.account_id, record.fill.instrument_id)
                if turn.state.orders[record.fill.order_id].source != EXTERNAL:
                    _touch(booked, record.fill.account_id, record.fill.instrument_id)
            case r.OrderMoved():
                spec = turn.state.orders[record.order_id].spec
                _touch(touched, spec.account_id, spec.instrument_id)
            case r.PositionCorrected():
                _touch(touched, record.key.account_id, record.key.instrument_id)
            case r.OrderAdopted():
                touched[record.spec.account_id] = None
            case r.AccountReconciled():
                touched[record.account_id] = None
            case r.PanicEnded():
                is_inherited = True
    for halt in tuple(turn.state.halts.values()):
        for account_id, names in (booked if halt.done_at else touched).items():
            account = turn.state.accounts[account_id]
            _go_on(turn, halt, account, names)
            if not any(left_in(turn.state, halt, account)):
                _conclude(turn, halt)
    if is_inherited:
        inherit(turn)


def inherit(turn: Turn) -> None:
    """Begins with what a wider panic that has ended has left to the others."""
    for halt in tuple(turn.state.halts.values()):
        if not halt.done_at:
            carry_out(turn, halt)


def _touch(touched: dict[str, set[str] | None], account_id: str, instrument_id: str) -> None:
    """Notes an instrument of an account; None stands for all of them, and for orders that are new to us."""
    names = touched.setdefault(account_id, set())
    if names is not None:
        names.add(instrument_id)


def _kind(halt: Halt) -> str:
    return "mtm" if halt.rule else "panic"


def carry_out(turn: Turn, halt: Halt) -> None:
    """Begins with what has just been halted; `follow` goes on with it."""
    _work(turn, halt, list(turn.state.accounts.values()), is_due=False)


def _work(turn: Turn, halt: Halt, accounts: list[AccountState], *, is_due: bool) -> bool:
    """Asks for what these accounts still need; whether that was all there was to do."""
    for account in accounts:
        _go_on(turn, halt, account, None, is_due=is_due)
    return _conclude(turn, halt)


def _go_on(turn: Turn, halt: Halt, account: AccountState, names: set[str] | None, *, is_due: bool = False) -> None:
    """Asks for what an account still needs, in these instruments or, with None, in all."""
    if names is None:
        _cancel(turn, halt, account, is_due=is_due)
    if not halt.keep_positions and account.readiness is Readiness.READY:
        _close(turn, halt, account, names, is_due=is_due)


def _conclude(turn: Turn, halt: Halt) -> bool:
    """Whether nothing is left; the first time, that is recorded and told."""
    if not halt.done_at and next(left_of(turn.state, halt), None) is None:
        turn.emit(r.PanicMoved(at=turn.at, id=halt.id, orders=0, positions=0, round=halt.rounds, done=True))
        held = "what was held is kept" if halt.keep_positions else "nothing is held"
        message = f"The {halts.name(turn.state, halt)} is complete: no order works, {held}"
        turn.alert("info", f"{_kind(halt)}-done", message, **_about(halt.scope))
    return halt.done_at > 0


def _provenance(halt: Halt) -> Provenance:
    return Provenance(actor=halt.provenance.actor, source=Source.PANIC, cause_id=halt.id)


def _to_cancel(halt: Halt, account: AccountState) -> Iterator[Order]:
    """The orders that are to work no more: none that close, no exits of what is kept, none that was let through."""
    for order in account.open_orders():
        if order.source == Source.PANIC or not halt.covers_order(account.account, order.spec):
            continue
        if not (halt.keep_positions and (order.spec.is_exit or order.id in halt.spared)):
            yield order


def _cancel(turn: Turn, halt: Halt, account: AccountState, *, is_due: bool) -> None:
    for order in tuple(_to_cancel(halt, account)):
        is_first = not halt.asked.get(order.id)
        is_again = is_due and order.state is not OrderState.IN_DOUBT
        if is_again or (is_first and order.id not in halt.spared):
            request_cancel(turn, order, _provenance(halt))


def _working(halt: Halt, account: AccountState, target: Target) -> list[Order]:
    return [
        order
        for order in account.working.values()
        if (order.spec.instrument_id, order.spec.product) == (target.instrument_id, target.product)
        and halt.covers_order(account.account, order.spec)
    ]


def _close(turn: Turn, halt: Halt, account: AccountState, names: set[str] | None, *, is_due: bool) -> None:
    for target, positions in halts.holdings(turn.state, halt, account).items():
        if names is not None and target.instrument_id not in names:
            continue
        held, working = halts.net(positions), _working(halt, account, target)
        unconfirmed = any(order.source != Source.PANIC and order.id not in halt.spared for order in working)
        tries = halt.tries.get(target, 0)
        if not held or tries >= MAX_TRIES or ((unconfirmed or tries) and not is_due):
            continue
        side = Side.SELL if held > 0 else Side.BUY
        rest = sub(held.copy_abs(), may_fill(working, side))
        lot = turn.state.instruments[target.instrument_id].lot_size
        for position in sorted(positions, key=lambda one: one.quantity.copy_abs(), reverse=True):
            if rest <= 0 or (position.quantity > 0) != (held > 0):
                continue
            own = [order for order in working if order.spec.book == position.key.book]
            part = min(rest, sub(position.quantity.copy_abs(), may_fill(own, side)))
            part = rounded(part, lot, "ROUND_DOWN")
            if part > 0:
                rest = sub(rest, part)
                _send(turn, halt, account, position, side=side, quantity=part)


def _send(turn: Turn, halt: Halt, account: AccountState, position: Position, *, side: Side, quantity: Decimal) -> None:
    key = position.key
    spec = OrderSpec(
        account_id=key.account_id,
        book=key.book,
        instrument_id=key.instrument_id,
        side=side,
        quantity=quantity,
        kind=OrderKind.MARKET,
        client_order_id=f"panic:{halt.id}:{turn.state.seq}",
        product=key.product,
    )
    place(turn, account, spec, _provenance(halt))


def left_of(state: State, halt: Halt) -> Iterator[Left]:
    """What a panic has still to do, account by account."""
    for account in state.accounts.values():
        yield from left_in(state, halt, account)


def left_in(state: State, halt: Halt, account: AccountState) -> Iterator[Left]:
    """What a panic has still to do in one account."""
    account_id = account.account.id
    for order in _to_cancel(halt, account):
        quantity = order.remaining if order.spec.side is Side.BUY else neg(order.remaining)
        yield Left(account_id, order.spec.instrument_id, "order", quantity, halts.why_it_works(order), order.id)
    for target, positions in halts.holdings(state, halt, account).items():
        held = halts.net(positions)
        if held:
            why = _why_it_is_held(account, target, halt)
            yield Left(account_id, target.instrument_id, "position", held, why)
    yield from _closing(halt, account)
    if account.readiness is not Readiness.READY and halts.concerns(halt, account, state):
        yield Left(account_id, "", "account", ZERO, f"the account is {account.readiness}")


def _closing(halt: Halt, account: AccountState) -> Iterator[Left]:
    """Orders that close what is closed already, and could carry it further."""
    if not halt.keep_positions:
        for order in account.working.values():
            if order.source == Source.PANIC and halt.covers_order(account.account, order.spec):
                why = f"the order that closes it is {order.state}"
                yield Left(account.account.id, order.spec.instrument_id, "closing", order.remaining, why, order.id)


def _why_it_is_held(account: AccountState, target: Target, halt: Halt) -> str:
    if account.readiness is not Readiness.READY:
        return f"the account is {account.readiness}"
    closing = [order for order in _working(halt, account, target) if order.source == Source.PANIC]
    if closing:
        return f"the order that closes it is {closing[0].state}"
    if halt.tries.get(target, 0) >= MAX_TRIES:
        return f"{MAX_TRIES} orders to close it were refused or rejected"
    return "it waits for cancels" if any(_working(halt, account, target)) else "it waits to be closed"


def counted(state: State, halt: Halt) -> tuple[int, int]:
    """(orders to see cancelled, positions to see closed)."""
    found = [one.what for one in left_of(state, halt)]
    return found.count("order"), found.count("position")
