"""Halts: the folded state of panics, and what it means for accounts, books and strategies.

What a panic has still to do is never stored: it follows from the orders that work and the positions that are held.
Kept is only what those do not show: whom it covers, what it has asked for, and how often in vain.
"""

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, field

from evenkeel.domain import records as r
from evenkeel.domain.accounts import Account
from evenkeel.domain.orders import Order, OrderEvent, OrderSpec, OrderState, Product
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.strategies import Deployment

if TYPE_CHECKING:
    from evenkeel.trading.engine.state import AccountState, State


class Target(NamedTuple):
    """What a panic closes as one: a book's holding of an instrument or, without a book, the account's."""

    account_id: str
    book: str
    instrument_id: str
    product: Product


class Halt(Struct, kw_only=True):
    """One panic in force. `since` is engine time and `wall` the wall clock, 0 in a deterministic run (ns).

    `asked`: how often the cancel of an order was asked for; `spared`: orders that were let through since; `tries`: how
    many orders were sent to close a target since one of them filled. `rounds`: how often it began to ask again; a
    panic that is `stuck` has stopped. `done_at` is 0 while there is something to do.
    """

    id: str
    scope: Scope
    since: int
    wall: int
    keep_positions: bool
    cooldown: int
    reason: str
    provenance: Provenance
    asked: dict[str, int] = field(default_factory=dict)
    spared: dict[str, None] = field(default_factory=dict)
    tries: dict[Target, int] = field(default_factory=dict)
    rounds: int = 0
    stuck: bool = False
    done_at: int = 0

    def resumable(self, at: int, wall: int) -> int:
        """Nanoseconds of its cool-down that are left, by the wall clock where both moments have one."""
        gone = wall - self.wall if wall and self.wall else at - self.since
        return max(0, self.cooldown - gone)

    def arm(self) -> None:
        """Has it try everything again."""
        self.rounds, self.stuck = 0, False
        self.tries.clear()

    def target(self, spec: OrderSpec) -> Target:
        book = spec.book if self.scope.kind is ScopeKind.STRATEGY else ""
        return Target(spec.account_id, book, spec.instrument_id, spec.product)


def title(state: "State", scope: Scope) -> str:
    """A scope in words."""
    match scope.kind:
        case ScopeKind.STRATEGY:
            return f"strategy {state.deployments[scope.id].deployment.name}"
        case ScopeKind.ACCOUNT:
            return f"account {state.accounts[scope.id].account.name}"
        case ScopeKind.USER:
            return f"user {scope.id}"
        case ScopeKind.PLATFORM:
            return "the platform"


def over(state: "State", account: Account, book: str) -> Halt | None:
    """The halt under which orders of this account and book fall."""
    return next((halt for halt in state.halts.values() if halt.scope.covers(account, book)), None)


def is_over(state: "State", spec: OrderSpec) -> bool:
    """Whether an order falls under a halt."""
    return over(state, state.accounts[spec.account_id].account, spec.book) is not None


def closes(state: "State", account: Account, book: str) -> bool:
    """Whether what this book holds in the account is being closed, so that nothing else is to guard it."""
    return any(not halt.keep_positions and halt.scope.covers(account, book) for halt in state.halts.values())


def stops(state: "State", deployment: Deployment) -> Halt | None:
    """The halt that leaves a deployment nothing to trade: its own, or those of all its accounts."""
    found = None
    for allocation in deployment.accounts:
        found = over(state, state.accounts[allocation.account_id].account, deployment.id)
        if found is None:
            return None
    return found


def started(state: "State", record: r.PanicStarted) -> None:
    """Pressed again, a panic keeps what it has asked for, and begins to count anew."""
    halt = state.halts.get(record.scope.key)
    if halt is None:
        halt = Halt(
            id=record.id,
            scope=record.scope,
            since=record.at,
            wall=record.wall,
            keep_positions=record.keep_positions,
            cooldown=record.cooldown,
            reason=record.reason,
            provenance=record.provenance,
        )
        state.halts[record.scope.key] = halt
        return
    halt.since, halt.wall, halt.cooldown = record.at, record.wall, record.cooldown
    halt.keep_positions, halt.reason, halt.provenance = record.keep_positions, record.reason, record.provenance
    halt.done_at = 0
    halt.arm()


def moved(state: "State", record: r.PanicMoved) -> None:
    halt = _named(state, record.id)
    halt.rounds, halt.stuck = record.round, record.stuck
    halt.done_at = record.at if record.done else 0


def ended(state: "State", record: r.PanicEnded) -> None:
    del state.halts[_named(state, record.id).scope.key]


def _named(state: "State", halt_id: str) -> Halt:
    for halt in state.halts.values():
        if halt.id == halt_id:
            return halt
    raise KeyError(halt_id)


def decided(state: "State", record: r.OrderDecided) -> None:
    """Notes an order that a panic has sent, or one that others were allowed."""
    account = state.accounts[record.spec.account_id].account
    for halt in state.halts.values():
        if not halt.scope.covers(account, record.spec.book):
            continue
        if record.provenance.source is not Source.PANIC:
            if record.approved:
                halt.spared[record.order_id] = None
        elif record.provenance.cause_id == halt.id:
            target = halt.target(record.spec)
            halt.tries[target] = halt.tries.get(target, 0) + 1
            halt.done_at = 0


def order_moved(state: "State", record: r.OrderMoved) -> None:
    """Notes that a panic has asked for a cancel."""
    who = record.provenance
    if record.event is not OrderEvent.CANCEL_REQUEST or who is None or who.source is not Source.PANIC:
        return
    for halt in state.halts.values():
        if halt.id == who.cause_id:
            halt.asked[record.order_id] = halt.asked.get(record.order_id, 0) + 1
            halt.done_at = 0


def filled(state: "State", spec: OrderSpec) -> None:
    """What fills is no attempt in vain."""
    for halt in state.halts.values():
        halt.tries.pop(halt.target(spec), None)


def rearmed(state: "State", account_id: str | None = None) -> None:
    """An account that has just been compared with its broker, or a new start, is worth another attempt."""
    held = None if account_id is None else state.accounts[account_id]
    for halt in state.halts.values():
        if held is None or any(halt.scope.covers(held.account, book) for book in ("", *_books(held))):
            halt.arm()
            for order_id in tuple(halt.asked) if held is None else held.working:
                halt.asked.pop(order_id, None)


def _books(held: "AccountState") -> set[str]:
    return {key.book for key in held.positions}


def concerns(halt: Halt, account: "AccountState", state: "State") -> bool:
    """Whether a panic has anything to do in an account."""
    if halt.scope.covers_account(account.account):
        return True
    held = state.deployments.get(halt.scope.id)
    return held is not None and any(one.account_id == account.account.id for one in held.deployment.accounts)


def why_it_works(order: Order) -> str:
    """Why an order that a panic cancels still works."""
    if order.state is OrderState.CANCEL_PENDING:
        return "its cancel is not confirmed"
    return f"it is {order.state}" + (f": {order.reason}" if order.reason else "")
