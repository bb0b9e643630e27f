"""The fold's side of exits: which orders guard a position, and which are good for one bar only."""

from evenkeel.domain.accounts import Readiness
from evenkeel.domain.orders import Order, OrderState, TimeInForce
from evenkeel.domain.positions import key_of
from evenkeel.domain.provenance import Source
from evenkeel.domain.records import ProtectionChanged
from evenkeel.trading.engine.state import AccountState, Guard, State


def note(account: AccountState, order: Order) -> None:
    """Keeps in view an exit, and an order that is good for one bar."""
    guard = account.guards.get(key_of(order.spec)) if order.spec.link else None
    if guard is not None and guard.link == order.spec.link:
        guard.denied = guard.denied or not order.is_open
        if order.is_open:
            guard.exits[order.id] = None
    elif order.is_working and order.spec.time_in_force is TimeInForce.BAR:
        account.passing[order.id] = None


def leave_to(account: AccountState, order: Order, source: Source) -> None:
    """An exit that a person has cancelled is theirs to give up."""
    guard = account.guards.get(key_of(order.spec))
    if guard is not None and source not in (Source.DEPLOYMENT, Source.SYSTEM):
        guard.denied = True


def forget(account: AccountState, order: Order, before: OrderState) -> None:
    """An exit that ended though nobody here asked for it is not placed again at once."""
    account.passing.pop(order.id, None)
    guard = account.guards.get(key_of(order.spec))
    if guard is not None and order.id in guard.exits:
        del guard.exits[order.id]
        unasked = before is not OrderState.CANCEL_PENDING and order.state is not OrderState.FILLED
        waits = order.state is OrderState.EXPIRED_UNSENT and account.readiness is Readiness.NOT_READY
        guard.denied = guard.denied or (unasked and not waits)


def changed(state: State, record: ProtectionChanged) -> None:
    guards = state.accounts[record.key.account_id].guards
    guard = guards.get(record.key)
    if not record.link:
        guards.pop(record.key, None)
    elif guard is None or guard.link != record.link:
        guards[record.key] = Guard(record.link, record.side, record.best, record.rule, record.since)
    else:
        guard.denied = guard.denied and record.since == guard.since
        guard.best, guard.rule, guard.since = record.best, record.rule, record.since
