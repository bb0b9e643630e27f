"""Commands that set up and steer: accounts, cash, limits, instruments, deployments."""

from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal
from math import inf
from zoneinfo import ZoneInfo

import msgspec

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import (
    MANUAL,
    UNASSIGNED,
    Account,
    AccountMode,
    Financing,
    LedgerEntry,
    LedgerKind,
    Limits,
    term_faults,
)
from evenkeel.domain.errors import Conflict, FieldError, Forbidden, InvalidInput
from evenkeel.domain.limits import faults as rule_faults
from evenkeel.domain.money import ZERO, is_bookable, is_multiple, minor_unit, neg, rounded, sub
from evenkeel.domain.orders import Order, OrderState
from evenkeel.domain.portfolios import Place
from evenkeel.domain.records import (
    AccountOpened,
    CashBooked,
    DeploymentChanged,
    InstrumentListed,
    LimitsChanged,
)
from evenkeel.domain.sizing import Sizing, checked
from evenkeel.domain.strategies import Allocation, Deployment
from evenkeel.domain.walkforward import SessionStatus
from evenkeel.trading.engine import going_live, halts, market, switches
from evenkeel.trading.engine.effects import Outcome, WantReconcile
from evenkeel.trading.engine.orders import request_cancel
from evenkeel.trading.engine.portfolios import places
from evenkeel.trading.engine.retiring import check_name
from evenkeel.trading.engine.risk_views import reserved_cash
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn

_WRONG_SIGN: dict[LedgerKind, tuple[Callable[[Decimal], bool], str]] = {
    LedgerKind.DEPOSIT: (lambda amount: amount <= 0, "a deposit is more than zero"),
    LedgerKind.WITHDRAWAL: (lambda amount: amount >= 0, "a withdrawal is less than zero"),
}


def open_account(turn: Turn, command: c.OpenAccount) -> Outcome:
    """Opens a paper account with its first deposit. Raises Forbidden for any other."""
    account = command.account
    if account.mode is not AccountMode.PAPER:
        raise Forbidden(f"only a paper account is opened so, not one that is {account.mode}")
    check_account(turn.state, account, cash=command.initial_cash)
    begin_account(turn, account, cash=command.initial_cash, source=command)
    return Outcome(account.id)


def check_account(state: State, account: Account, *, cash: Decimal) -> None:
    """Raises Conflict, Forbidden, NotFound or InvalidInput where an account cannot be opened as it is."""
    if account.id in state.accounts:
        raise Conflict(f"account {account.id} exists already")
    check_name(state, account.name, user_id=account.user_id)
    if account.is_simulated and account.broker in state.real:
        raise Forbidden(f"a {account.mode} account cannot be opened at {account.broker}, which trades for real")
    state.find_schedule(account.costs)
    faults = [*_day_faults(account), *_limit_faults(account.limits), *_rate_faults(account.financing)]
    faults += [] if account.terms is None else term_faults(account.terms)
    if faults:
        raise InvalidInput("the account cannot be opened", errors=tuple(faults))
    check_amount(cash, account, "cash")
    if cash < 0:
        raise InvalidInput("cash cannot be negative", errors=(FieldError("cash", "zero or more"),))


def open_live_account(turn: Turn, command: c.OpenLiveAccount) -> Outcome:
    """Opens an account whose orders are real, switched off. Raises Forbidden where its broker trades nothing for real,
    or it simulates."""
    account = command.account
    if account.is_simulated or account.terms is not None:
        raise Forbidden(f"only an account whose fills are real is opened so, not one that is {account.mode}")
    going_live.check_broker(turn.state, account)
    check_account(turn.state, account, cash=command.cash)
    begin_account(turn, account, cash=command.cash, source=command)
    return Outcome(account.id)


def begin_account(turn: Turn, account: Account, *, cash: Decimal, source: c.Command) -> None:
    """Opens an account that has been checked, with its first deposit."""
    turn.emit(AccountOpened(at=turn.at, account=account, provenance=source.provenance))
    if cash:
        first = c.MoveCash(account_id=account.id, amount=cash, component="initial", provenance=source.provenance)
        _book(turn, first)
    if account.is_simulated:
        turn.effects.append(WantReconcile(account.id, "opened"))


def _day_faults(account: Account) -> list[FieldError]:
    try:
        ZoneInfo(account.time_zone)
    except (KeyError, ValueError, OSError):
        return [FieldError("time_zone", f"no time zone is called {account.time_zone!r}, such as America/New_York")]
    return []


def _rate_faults(rates: Financing | None) -> list[FieldError]:
    return [
        FieldError(f"financing.{name}", f"a fraction a year such as 0.05, not {getattr(rates, name)}")
        for name in (rates.__struct_fields__ if rates is not None else ())
        if not -1 < getattr(rates, name) < 100
    ]


def _limit_faults(limits: Limits) -> list[FieldError]:
    faults = rule_faults(limits, "limits.")
    if limits.maintenance is not None and not (is_bookable(limits.maintenance) and 0 < limits.maintenance < 1):
        faults.append(FieldError("limits.maintenance", "a fraction of what is held, above 0 and below 1"))
    rate = limits.rate
    if rate is not None and not (0 < rate.per_second < inf and rate.burst >= 1):
        faults.append(FieldError("limits.rate", "more than 0 requests a second, and a burst of 1 or more"))
    return faults


def check_amount(amount: Decimal, account: Account, field: str) -> None:
    """Raises InvalidInput for what cannot be booked, or is finer than the account's currency."""
    unit = minor_unit(account.currency)
    if not is_bookable(amount):
        message = "a finite number below 10^17"
        raise InvalidInput("the amount cannot be booked", errors=(FieldError(field, message),))
    if not is_multiple(amount, unit):
        message = f"a multiple of {unit} {account.currency}"
        raise InvalidInput("the amount is finer than its currency", errors=(FieldError(field, message),))


def move_cash(turn: Turn, command: c.MoveCash) -> Outcome:
    """Books a deposit, withdrawal, dividend, interest or correction."""
    held = turn.state.account(command.account_id)
    if held.session is not None and held.session.status is SessionStatus.COMPLETED:
        raise Conflict(f"session {held.session.session.name} is completed: its figures are frozen")
    check_amount(command.amount, held.account, "amount")
    places.check(turn.state, Place(command.account_id, command.book), field="book")
    if held.retired and command.kind is LedgerKind.DEPOSIT:
        raise Conflict(held.retired, hint="Put it back into use before you pay in.")
    wrong = _WRONG_SIGN.get(command.kind)
    if wrong is not None and wrong[0](command.amount):
        raise InvalidInput(f"not a {command.kind}", errors=(FieldError("amount", wrong[1]),))
    if command.kind is LedgerKind.WITHDRAWAL:
        check_free(turn.state, held, neg(command.amount))
        places.check_cash(turn.state, Place(command.account_id, command.book), amount=neg(command.amount))
    market.keep_day(turn, held)
    _book(turn, command)
    return Outcome(command.account_id, created=False)


def check_free(state: State, held: AccountState, amount: Decimal) -> None:
    """Raises InvalidInput for cash that working buys may still need, or that short sales brought in and owe."""
    if amount > held.cash_in(held.account.currency):
        raise InvalidInput("not that much cash", errors=(FieldError("amount", "more than the account holds"),))
    free = min(sub(held.cash_in(held.account.currency), reserved_cash(state, held)), state.equity(held))
    if amount > free:
        shown = max(ZERO, rounded(free, minor_unit(held.account.currency), ROUND_FLOOR))
        message = f"at most {shown}: the rest is held for working orders or short positions"
        raise InvalidInput("not that much cash is free", errors=(FieldError("amount", message),))


def _book(turn: Turn, move: c.MoveCash) -> None:
    account, state = turn.state.accounts[move.account_id], turn.state
    entry = LedgerEntry(
        account_id=move.account_id,
        book=UNASSIGNED if move.kind is LedgerKind.CORRECTION and move.book == MANUAL else move.book,
        currency=account.account.currency,
        kind=move.kind,
        amount=move.amount,
        value_date=account.day,
        component=move.component,
    )
    turn.emit(
        CashBooked(
            at=turn.at,
            entries=(entry,),
            provenance=move.provenance,
            equity=state.equity(account),
            values=places.values(state, (entry,)),
        )
    )


def set_limits(turn: Turn, command: c.SetLimits) -> Outcome:
    held = turn.state.account(command.account_id)
    faults = _limit_faults(command.limits)
    if faults:
        raise InvalidInput("the limits are not valid", errors=tuple(faults))
    if held.limits != command.limits:
        turn.emit(
            LimitsChanged(
                at=turn.at,
                account_id=command.account_id,
                limits=command.limits,
                version=held.limits_version + 1,
                provenance=command.provenance,
            )
        )
    return Outcome(command.account_id, created=False)


def list_instrument(turn: Turn, command: c.ListInstrument) -> Outcome:
    """Lists an instrument, or changes its terms under the same id."""
    listed = command.instrument
    faults = [
        FieldError(name, "a positive number")
        for name in ("tick_size", "lot_size", "multiplier")
        if not (is_bookable(getattr(listed, name)) and getattr(listed, name) > 0)
    ]
    if faults:
        raise InvalidInput(f"{listed.symbol} cannot be listed", errors=tuple(faults))
    known = turn.state.instruments.get(listed.id)
    if known != command.instrument:
        turn.emit(InstrumentListed(at=turn.at, instrument=command.instrument, aliases=command.aliases))
    return Outcome(command.instrument.id, created=known is None)


def deploy(turn: Turn, command: c.Deploy) -> Outcome:
    deployment = command.deployment
    if deployment.id in turn.state.deployments:
        raise Conflict(f"strategy {deployment.id} exists already")
    if is_named(turn.state, deployment.name):
        raise InvalidInput("the name is taken", errors=(FieldError("name", "another strategy has this name"),))
    faults = deployment_faults(turn.state, deployment)
    if faults:
        raise InvalidInput("the strategy cannot be deployed", errors=tuple(faults))
    turn.emit(DeploymentChanged(at=turn.at, deployment=deployment, provenance=command.provenance))
    return Outcome(deployment.id)


def deployment_faults(state: State, deployment: Deployment, *, opening: str = "") -> list[FieldError]:
    """What is wrong with a deployment, but for its name; `opening` is an account that is about to be there."""
    faults = [
        FieldError("symbols", f"no such instrument {one}")
        for one in deployment.instrument_ids
        if one not in state.instruments
    ]
    if not deployment.instrument_ids:
        faults.append(FieldError("symbols", "at least one"))
    faults += _allocation_faults(state, deployment.accounts, opening)
    faults += _sizing_faults(deployment.sizing)
    faults += _exit_faults(deployment)
    faults += switches.faults(deployment.rules)
    return faults


def _exit_faults(deployment: Deployment) -> list[FieldError]:
    """What makes no sense of the rules for orders: fractions of price, of which only a target may be 1 or more."""
    entry, guards = deployment.entry, deployment.protection
    faults = []
    if entry is not None and not 0 <= entry.offset < 1:
        faults.append(FieldError("entry.offset", f"a fraction of price from 0, not {entry.offset}"))
    for name in guards.__struct_fields__ if guards is not None else ():
        value, most = getattr(guards, name), inf if name == "take_profit" else 1.0
        if value is not None and not 0 < value < most:
            faults.append(FieldError(f"protection.{name}", f"a fraction of price such as 0.02, not {value}"))
    return faults


def is_named(state: State, name: str) -> bool:
    """Whether a strategy that has not been removed has this name."""
    known = (held.deployment for held in state.deployments.values())
    return any(one.name == name and not one.removed for one in known)


def _allocation_faults(state: State, accounts: tuple[Allocation, ...], opening: str = "") -> list[FieldError]:
    faults = []
    for place, allocation in enumerate(accounts):
        where = f"accounts.{place}"
        if allocation.account_id not in state.accounts and allocation.account_id != opening:
            faults.append(FieldError(f"{where}.account_id", f"no account {allocation.account_id!r}"))
        if not (is_bookable(allocation.share) and 0 <= allocation.share <= 1):
            faults.append(FieldError(f"{where}.allocation", "a share of the account's equity, 0 to 1"))
    if len({allocation.account_id for allocation in accounts}) < len(accounts):
        faults.append(FieldError("accounts", "each account once"))
    return faults


def _sizing_faults(sizing: Sizing | None) -> list[FieldError]:
    try:
        if sizing is not None:
            checked(sizing)
    except InvalidInput as error:
        return list(error.errors)
    return []


def change_deployment(turn: Turn, command: c.ChangeDeployment) -> Outcome:
    """Switches on or off, reallocates, revises. A new share or size takes effect at the next change of target.

    A strategy with another program begins anew, and its orders are cancelled: nobody would look after them.
    """
    known = _standing(turn.state, command.deployment_id)
    if command.enabled and halts.stops(turn.state, known) is not None:
        raise Conflict(f"{known.name} is halted by a panic", hint="Resume what was halted first.")
    changed = known
    if command.accounts is not None:
        faults = _allocation_faults(turn.state, command.accounts)
        if faults:
            raise InvalidInput("the allocation is not valid", errors=tuple(faults))
        changed = msgspec.structs.replace(changed, accounts=command.accounts)
    if command.enabled is not None:
        changed = msgspec.structs.replace(changed, enabled=command.enabled, paused=None)
        changed = switches.by_hand(changed, turn.at) if command.enabled else changed
    if command.revision is not None:
        changed = msgspec.structs.replace(changed, **msgspec.structs.asdict(command.revision))
        faults = [*_sizing_faults(changed.sizing), *_exit_faults(changed), *switches.faults(changed.rules)]
        if faults:
            raise InvalidInput("the strategy cannot be changed so", errors=tuple(faults))
    _record_change(turn, known, changed, command)
    if changed.program != known.program:
        for order in _working(turn.state, known.id):
            if order.state is not OrderState.CANCEL_PENDING and not order.spec.is_exit:
                request_cancel(turn, order, command.provenance)
    return Outcome(known.id, created=False)


def _standing(state: State, deployment_id: str) -> Deployment:
    """Raises NotFound, and Conflict for one that was removed."""
    known = state.deployment(deployment_id).deployment
    if known.removed:
        raise Conflict(f"{known.name} was removed", hint="Deploy it again, under a name of its own or the same one.")
    return known


def _working(state: State, book: str) -> list[Order]:
    return [one for held in state.accounts.values() for one in held.open_orders() if one.spec.book == book]


def remove_deployment(turn: Turn, command: c.RemoveDeployment) -> Outcome:
    """Ends a deployment. Raises Conflict while its book holds something, which nobody would look after."""
    state = turn.state
    known = _standing(state, command.deployment_id)
    held = [
        f"{held.account.name} {state.instruments[position.key.instrument_id].symbol} {position.quantity}"
        for held in state.accounts.values()
        for position in held.positions.values()
        if position.key.book == known.id and position.quantity
    ]
    working = len(_working(state, known.id))
    if held or working:
        what = [", ".join(held), f"{working} working order{'' if working == 1 else 's'}" if working else ""]
        raise Conflict(
            f"{known.name} still has {' and '.join(filter(None, what))}",
            hint="Switch it off, cancel its orders, and close what it holds with orders in its book.",
        )
    _record_change(turn, known, msgspec.structs.replace(known, enabled=False, removed=True), command)
    return Outcome(known.id, created=False)


def pause_deployment(turn: Turn, command: c.PauseDeployment) -> Outcome:
    known = turn.state.deployment(command.deployment_id).deployment
    if known.paused is None and not known.removed:
        _record_change(turn, known, msgspec.structs.replace(known, paused=command.reason), command)
        message = f"{known.name} is paused: {command.reason}"
        turn.alert("critical", "strategy-paused", message, deployment_id=known.id)
    return Outcome(known.id, created=False)


def _record_change(turn: Turn, known: Deployment, changed: Deployment, command: c.Command) -> None:
    if changed != known:
        turn.emit(DeploymentChanged(at=turn.at, deployment=changed, provenance=command.provenance))
