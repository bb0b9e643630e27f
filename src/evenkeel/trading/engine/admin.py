"""Commands that set up and steer: accounts, cash, limits, instruments, deployments."""

from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo

import msgspec

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import MANUAL, UNASSIGNED, Account, AccountMode, LedgerEntry, LedgerKind, Limits
from evenkeel.domain.errors import Conflict, FieldError, Forbidden, InvalidInput
from evenkeel.domain.money import ZERO, is_bookable, is_multiple, minor_unit, neg, rounded, sub
from evenkeel.domain.records import (
    AccountOpened,
    CashBooked,
    DeploymentChanged,
    InstrumentListed,
    LimitsChanged,
)
from evenkeel.domain.sizing import Kelly, Sizing, VolatilityTarget, checked
from evenkeel.domain.strategies import Allocation, Deployment
from evenkeel.trading.engine import market
from evenkeel.trading.engine.effects import Outcome, WantReconcile
from evenkeel.trading.engine.orders import reserved_cash
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn

_WRONG_SIGN: dict[LedgerKind, tuple[Callable[[Decimal], bool], str]] = {
    LedgerKind.DEPOSIT: (lambda amount: amount <= 0, "a deposit is more than zero"),
    LedgerKind.WITHDRAWAL: (lambda amount: amount >= 0, "a withdrawal is less than zero"),
}


def open_account(turn: Turn, command: c.OpenAccount) -> Outcome:
    """Opens a paper account with its first deposit. Live accounts cannot be opened: live trading is off."""
    account = command.account
    if account.id in turn.state.accounts:
        raise Conflict(f"account {account.id} exists already")
    if any(known.account.name.casefold() == account.name.casefold() for known in turn.state.accounts.values()):
        raise InvalidInput(
            "the account's name is taken",
            errors=(FieldError("name", f"another account is called {account.name!r}, in whatever case"),),
        )
    if account.mode is not AccountMode.PAPER:
        raise Forbidden("live trading is off: only paper accounts can be opened")
    turn.state.find_schedule(account.costs)
    faults = [*_day_faults(account), *_limit_faults(account.limits)]
    if faults:
        raise InvalidInput("the account cannot be opened", errors=tuple(faults))
    _check_amount(command.initial_cash, account, "cash")
    if command.initial_cash < 0:
        raise InvalidInput("cash cannot be negative", errors=(FieldError("cash", "zero or more"),))
    turn.emit(AccountOpened(at=turn.at, account=account, provenance=command.provenance))
    if command.initial_cash:
        _book(turn, account, command.initial_cash, kind=LedgerKind.DEPOSIT, component="initial", source=command)
    turn.effects.append(WantReconcile(account.id, "opened"))
    return Outcome(account.id)


def _day_faults(account: Account) -> list[FieldError]:
    try:
        ZoneInfo(account.time_zone)
    except (KeyError, ValueError, OSError):
        return [FieldError("time_zone", f"no time zone is called {account.time_zone!r}, such as America/New_York")]
    return []


def _limit_faults(limits: Limits) -> list[FieldError]:
    shares = {"max_position_share": limits.max_position_share, "daily_loss": limits.daily_loss}
    faults = [
        FieldError(f"limits.{name}", "a fraction of zero or more")
        for name, share in shares.items()
        if share is not None and not (is_bookable(share) and share >= 0)
    ]
    if limits.max_trades_per_day is not None and limits.max_trades_per_day < 0:
        faults.append(FieldError("limits.max_trades_per_day", "zero or more"))
    return faults


def _check_amount(amount: Decimal, account: Account, field: str) -> None:
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
    _check_amount(command.amount, held.account, "amount")
    wrong = _WRONG_SIGN.get(command.kind)
    if wrong is not None and wrong[0](command.amount):
        raise InvalidInput(f"not a {command.kind}", errors=(FieldError("amount", wrong[1]),))
    if command.kind is LedgerKind.WITHDRAWAL:
        _check_free(turn.state, held, neg(command.amount))
    market.keep_day(turn, held)
    _book(turn, held.account, command.amount, kind=command.kind, component=command.component, source=command)
    return Outcome(command.account_id, created=False)


def _check_free(state: State, held: AccountState, amount: Decimal) -> None:
    """Cash that working buys may still need, or that short sales brought in and owe, cannot be withdrawn."""
    if amount > held.cash_in(held.account.currency):
        raise InvalidInput("not that much cash", errors=(FieldError("amount", "more than the account holds"),))
    free = min(sub(held.cash_in(held.account.currency), reserved_cash(state, held)), state.equity(held))
    if amount > free:
        shown = max(ZERO, rounded(free, minor_unit(held.account.currency), ROUND_FLOOR))
        message = f"at most {shown}: the rest is held for working orders or short positions"
        raise InvalidInput("not that much cash is free", errors=(FieldError("amount", message),))


def _book(
    turn: Turn, account: Account, amount: Decimal, *, kind: LedgerKind, component: str, source: c.Command
) -> None:
    entry = LedgerEntry(
        account_id=account.id,
        book=MANUAL if kind is not LedgerKind.CORRECTION else UNASSIGNED,
        currency=account.currency,
        kind=kind,
        amount=amount,
        value_date=turn.state.accounts[account.id].day,
        component=component,
    )
    turn.emit(CashBooked(at=turn.at, entries=(entry,), provenance=source.provenance))


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
    if any(known.deployment.name == deployment.name for known in turn.state.deployments.values()):
        raise InvalidInput("the name is taken", errors=(FieldError("name", "another strategy has this name"),))
    faults = [
        FieldError("symbols", f"no such instrument {i}")
        for i in deployment.instrument_ids
        if i not in turn.state.instruments
    ]
    if not deployment.instrument_ids:
        faults.append(FieldError("symbols", "at least one"))
    faults += _allocation_faults(turn.state, deployment.accounts, deployment.id)
    faults += _sizing_faults(deployment.sizing)
    if faults:
        raise InvalidInput("the strategy cannot be deployed", errors=tuple(faults))
    turn.emit(DeploymentChanged(at=turn.at, deployment=deployment, provenance=command.provenance))
    return Outcome(deployment.id)


def _allocation_faults(state: State, accounts: tuple[Allocation, ...], deployment_id: str) -> list[FieldError]:
    faults = []
    for place, allocation in enumerate(accounts):
        where = f"accounts.{place}"
        if allocation.account_id not in state.accounts:
            faults.append(FieldError(f"{where}.account_id", f"no account {allocation.account_id!r}"))
        if not (is_bookable(allocation.share) and 0 <= allocation.share <= 1):
            faults.append(FieldError(f"{where}.allocation", "a share of the account's equity, 0 to 1"))
    if len({allocation.account_id for allocation in accounts}) < len(accounts):
        faults.append(FieldError("accounts", "each account once"))
    return faults


def _sizing_faults(sizing: Sizing | None) -> list[FieldError]:
    if isinstance(sizing, VolatilityTarget | Kelly):
        rule = sizing.__struct_config__.tag
        return [
            FieldError("size", f"the engine does not have the rule {rule}; choose units, cash or percent-of-equity")
        ]
    try:
        if sizing is not None:
            checked(sizing)
    except InvalidInput as error:
        return list(error.errors)
    return []


def change_deployment(turn: Turn, command: c.ChangeDeployment) -> Outcome:
    """Switches on or off, or reallocates. A new share takes effect at the strategy's next change of target."""
    known = turn.state.deployment(command.deployment_id).deployment
    changed = known
    if command.accounts is not None:
        faults = _allocation_faults(turn.state, command.accounts, known.id)
        if faults:
            raise InvalidInput("the allocation is not valid", errors=tuple(faults))
        changed = msgspec.structs.replace(changed, accounts=command.accounts)
    if command.enabled is not None:
        changed = msgspec.structs.replace(changed, enabled=command.enabled, paused=None)
    _record_change(turn, known, changed, command)
    return Outcome(known.id, created=False)


def pause_deployment(turn: Turn, command: c.PauseDeployment) -> Outcome:
    known = turn.state.deployment(command.deployment_id).deployment
    if known.paused is None:
        _record_change(turn, known, msgspec.structs.replace(known, paused=command.reason), command)
        message = f"{known.name} is paused: {command.reason}"
        turn.alert("critical", "strategy-paused", message, deployment_id=known.id)
    return Outcome(known.id, created=False)


def _record_change(turn: Turn, known: Deployment, changed: Deployment, command: c.Command) -> None:
    if changed != known:
        turn.emit(DeploymentChanged(at=turn.at, deployment=changed, provenance=command.provenance))
