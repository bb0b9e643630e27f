"""The live switch of an account whose orders are real. Off, it takes no new risk; what reduces it passes, as do panics.

An account is opened paper or live for good. A live one begins switched off, and nothing but a person's command switches
it on.
"""

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account
from evenkeel.domain.errors import Conflict, Forbidden
from evenkeel.domain.live import OFF, Custody, LiveSwitched, is_real
from evenkeel.trading.engine.effects import Outcome, WantReconcile
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn


def check_broker(state: State, account: Account) -> None:
    """Raises Forbidden where the account's broker is not here to trade for real."""
    if account.broker in state.real:
        return
    real = ", ".join(sorted(state.real))
    known = f"those that do here are {real}" if real else "none here does: every broker of this desk is simulated"
    raise Forbidden(
        f"{account.name} cannot trade live: {account.broker!r} is no broker that trades for real",
        hint=f"Install a broker's adapter; {known}.",
    )


def switch(turn: Turn, command: c.SwitchLive) -> Outcome:
    """Switches an account on or off, or changes its custody.

    Raises Conflict for an account that simulates, Forbidden where its broker is not here to trade for real.
    """
    held = turn.state.account(command.account_id)
    if not is_real(held.account):
        raise Conflict(
            f"{held.account.name} is a {held.account.mode} account, and stays one",
            hint="Paper or live is fixed when an account is opened: open a live account beside it.",
        )
    if command.on:
        check_broker(turn.state, held.account)
    custody = command.custody if command.on else held.custody or command.custody
    if (not held.is_off, held.custody) != (command.on, custody):
        turn.emit(
            LiveSwitched(
                at=turn.at,
                account_id=command.account_id,
                on=command.on,
                custody=custody,
                provenance=command.provenance,
            )
        )
        if command.on:
            turn.effects.append(WantReconcile(command.account_id, "switched live"))
        turn.alert("warning", "live-switch", _said(held, custody), account_id=command.account_id)
    return Outcome(command.account_id, created=False)


def _said(held: AccountState, custody: Custody) -> str:
    name = held.account.name
    return f"{name} takes no new risk: {OFF}" if held.is_off else f"{name} trades live from now on, {custody}"
