"""Runaways: whoever has too many orders come to nothing in a short while takes no more risk before a person says so.

Counted is what risk refuses and what the venue rejects, by book, in each account. A strategy that reaches the limit by
itself is paused, and its rejects count no more; else the account takes no entries. What reduces a position passes. The
limit is the strategy's own where its layer has one, else the account's.
"""

import msgspec

from evenkeel.domain.clock import SECOND
from evenkeel.domain.limit_records import RejectsHalted
from evenkeel.domain.limits import Layer, RuleSet
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.records import DeploymentChanged
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.risk.view import Stop

RULE = "max-rejects"
_WHO = Provenance(RULE, Source.SYSTEM)


def count(account: AccountState, *, window: int, at: int, book: str = "") -> int:
    """How many orders of a book, or of all, have come to nothing in the last `window` seconds."""
    since, found = at - window * SECOND, 0
    for moment, whose in reversed(account.standing.rejects):
        if moment <= since:
            break
        found += book in ("", whose)
    return found


def look(turn: Turn, account: AccountState, book: str) -> None:
    """After one more of a book's orders that came to nothing: pauses the strategy, or halts the account's entries."""
    if account.standing.barred is not None or not account.standing.rejects:
        return
    held = turn.state.deployments.get(book)
    if held is not None and held.is_running:
        rules = _rules_of(turn.state, account, book)
        found = _too_many(turn, account, rules, book=book)
        if found:
            reason = f"{_said(found, rules.reject_window)} in account {account.account.name}"
            paused = msgspec.structs.replace(held.deployment, paused=f"{reason}; see why, then switch it on")
            turn.emit(DeploymentChanged(at=turn.at, deployment=paused, provenance=_WHO))
            turn.alert("critical", "strategy-paused", f"{paused.name} is paused: {paused.paused}", deployment_id=book)
            return
    limits = account.limits
    found = _too_many(turn, account, limits)
    if found:
        halted = RejectsHalted(
            at=turn.at,
            account_id=account.account.id,
            count=found,
            limit=limits.max_rejects or 0,
            window=limits.reject_window or 0,
            provenance=_WHO,
        )
        turn.emit(halted)
        message = f"{account.account.name}: {stop_of(halted).reason}"
        turn.alert("critical", "rejects-halted", message, account_id=account.account.id)


def _rules_of(state: State, account: AccountState, book: str) -> RuleSet:
    layer = state.layers.get(f"{Layer.STRATEGY}:{book}")
    return account.limits if layer is None or layer.rules.max_rejects is None else layer.rules


def _too_many(turn: Turn, account: AccountState, rules: RuleSet, *, book: str = "") -> int:
    """How many there are where that is too many, else 0."""
    if rules.max_rejects is None or rules.reject_window is None:
        return 0
    found = count(account, window=rules.reject_window, at=turn.at, book=book)
    return found if found >= rules.max_rejects else 0


def _said(found: int, window: int | None) -> str:
    return f"{found} order{'' if found == 1 else 's'} came to nothing within {window} seconds"


def stop_of(halted: RejectsHalted) -> Stop:
    """What risk sees of an account that takes no entries."""
    why = f"{_said(halted.count, halted.window)}: entries are halted; see why, then lift the halt"
    limit = f"{halted.limit} in {halted.window} s"
    return Stop(Layer.ACCOUNT, str(halted.count), why, entries_only=True, check=RULE, limit=limit)


def lift(turn: Turn, account: AccountState, provenance: Provenance) -> bool:
    """Lets an account's entries in again; whether they were halted."""
    if account.standing.barred is None:
        return False
    turn.emit(RejectsHalted(at=turn.at, account_id=account.account.id, lifted=True, provenance=provenance))
    message = f"{account.account.name}: entries are allowed again after too many rejects"
    turn.alert("warning", "rejects-lifted", message, account_id=account.account.id)
    return True
