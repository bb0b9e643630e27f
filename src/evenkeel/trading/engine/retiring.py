"""Commands that take an account out of use, put it back, or rename it. An account is never deleted.

Out of use, an account takes no new risk from anybody. What reduces it, what guards it, panics, days, dividends and its
reconciles go on, so that one that still holds something is not left alone.
"""

from evenkeel.domain import commands as c
from evenkeel.domain.account_records import AccountRenamed, AccountSwitched
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput
from evenkeel.domain.orders import OrderState
from evenkeel.domain.selections import Selection
from evenkeel.trading.engine import closing, positions, sweeping
from evenkeel.trading.engine.effects import Outcome, Part
from evenkeel.trading.engine.orders import request_cancel
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn

_SHOWN = 5


def deactivate(turn: Turn, command: c.DeactivateAccount) -> Outcome:
    """Takes an account out of use, and cancels what works there; asked again, it cancels what has been left.

    Raises Conflict where it holds positions that are neither to be closed nor to be kept, or belongs to a session.
    """
    held = turn.state.account(command.account_id)
    if held.session is not None:
        raise Conflict(f"{held.account.name} belongs to session {held.session.session.name}: complete that instead")
    if command.close and command.keep:
        raise InvalidInput("either close or keep", errors=(FieldError("keep", "not together with close"),))
    if not (command.close or command.keep):
        _refuse_positions(turn.state, held)
    if not held.retired:
        turn.emit(
            AccountSwitched(
                at=turn.at,
                account_id=command.account_id,
                active=False,
                reason=command.reason,
                provenance=command.provenance,
            )
        )
    selection = Selection(account_ids=(command.account_id,))
    if command.close:
        done = positions.flatten(turn, c.Flatten(selection=selection, provenance=command.provenance))
        return Outcome(command.account_id, created=False, parts=done.parts)
    return Outcome(
        command.account_id, created=False, parts=_cancelled(turn, held, selection=selection, command=command)
    )


def _refuse_positions(state: State, held: AccountState) -> None:
    open_ones = [position for position in held.positions.values() if position.quantity]
    if open_ones:
        shown = ", ".join(
            f"{position.quantity} {state.instruments[position.key.instrument_id].symbol}"
            for position in open_ones[:_SHOWN]
        )
        more = f" and {len(open_ones) - _SHOWN} more" if len(open_ones) > _SHOWN else ""
        raise Conflict(
            f"{held.account.name} holds {shown}{more}",
            hint="Close the positions first, have them closed with `close`, or leave them with `keep`.",
        )


def _cancelled(
    turn: Turn, held: AccountState, *, selection: Selection, command: c.DeactivateAccount
) -> tuple[Part, ...]:
    """Cancels all that works, but for what guards or closes a position that is kept."""
    fitting = sweeping.stopped(turn, held, selection=selection, provenance=command.provenance)
    found = closing.to_cancel(turn.state, held, orders=fitting.orders)
    for order in found:
        if order.state not in (OrderState.CANCEL_PENDING, OrderState.IN_DOUBT):
            request_cancel(turn, order, command.provenance)
    return tuple(Part(order.id) for order in found)


def reactivate(turn: Turn, command: c.ReactivateAccount) -> Outcome:
    """Puts an account back into use."""
    held = turn.state.account(command.account_id)
    if held.retired:
        turn.emit(
            AccountSwitched(at=turn.at, account_id=command.account_id, active=True, provenance=command.provenance)
        )
    return Outcome(command.account_id, created=False)


def rename(turn: Turn, command: c.RenameAccount) -> Outcome:
    """Gives an account another name, which must be free. A name is erased only of an account out of use."""
    held = turn.state.account(command.account_id)
    if command.erase and not held.retired:
        raise Conflict(f"{held.account.name} is in use", hint="Deactivate it before its name is erased.")
    check_name(turn.state, command.name, user_id=held.account.user_id, but=command.account_id)
    if held.account.name != command.name:
        turn.emit(
            AccountRenamed(
                at=turn.at,
                account_id=command.account_id,
                name=command.name,
                provenance=command.provenance,
                erased=command.erase,
            )
        )
    return Outcome(command.account_id, created=False)


def check_name(state: State, name: str, *, user_id: str, but: str = "") -> None:
    """Raises InvalidInput where another account of that person has this name. Those of others may: what they call
    theirs is not to be found out by trying."""
    taken = (one.account for one in state.accounts.values() if one.account.user_id == user_id)
    if any(one.id != but and one.name.casefold() == name.casefold() for one in taken):
        raise InvalidInput(
            "the account's name is taken",
            errors=(FieldError("name", f"another account of yours is called {name!r}, in whatever case"),),
        )
