"""Halts: the folded state of panics, and what it means for accounts, books and strategies.

What a panic has still to do is never stored: it follows from the orders that work and the positions that are held.
Kept is only what those do not show: whom it covers, what it has asked for, and how often in vain.
"""

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from evenkeel.domain import records as r
from evenkeel.domain.accounts import Account
from evenkeel.domain.money import total
from evenkeel.domain.mtm_records import MtmStopped
from evenkeel.domain.orders import Order, OrderEvent, OrderSpec, OrderState, Product
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.positions import Position, PositionKey, key_of
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
    """One panic in force, or a level that mark-to-market control has stopped by a `rule`: see `MtmStopped`.

    `since` is engine time and `wall` the wall clock, 0 in a deterministic run (ns). `key` is that of its scope, but of
    a level. `until` (ns) is when a level is let go; 0: not by itself. `only` are the positions concerned; none: all.

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
    key: str = ""
    rule: str = ""
    until: int = 0
    only: frozenset[PositionKey] = frozenset()
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

    def covers(self, account: Account, key: PositionKey) -> bool:
        """Whether a position of the account, and what would change it, falls under it."""
        if self.only and key not in self.only:
            return False
        return self.scope.covers(account, key.book, instrument_id=key.instrument_id)

    def covers_order(self, account: Account, spec: OrderSpec) -> bool:
        return self.covers(account, key_of(spec))

    @property
    def reach(self) -> int:
        """Of two that close the same position, the one of less reach (a higher number) leaves it to the other."""
        if self.scope.kind is ScopeKind.STRATEGY:
            return 3
        return 2 if self.only else 1 if self.scope.instrument_id else 0

    def target(self, spec: OrderSpec) -> Target:
        book = spec.book if self.scope.kind is ScopeKind.STRATEGY else ""
        return Target(spec.account_id, book, spec.instrument_id, spec.product)


def title(state: "State", scope: Scope) -> str:
    """A scope in words."""
    if scope.instrument_id:
        whole = title(state, replace(scope, instrument_id=""))
        return f"{state.instruments[scope.instrument_id].symbol} in {whole}"
    match scope.kind:
        case ScopeKind.STRATEGY:
            name = f"strategy {state.deployments[scope.id].deployment.name}"
            return f"{name} in account {state.accounts[scope.account_id].account.name}" if scope.account_id else name
        case ScopeKind.ACCOUNT:
            return f"account {state.accounts[scope.id].account.name}"
        case ScopeKind.USER:
            return f"user {scope.id}"
        case ScopeKind.PLATFORM:
            return "the platform"


def name(state: "State", halt: Halt) -> str:
    """What has halted what, in words."""
    return f"{halt.rule or 'panic'} of {title(state, halt.scope)}"


def over(state: "State", spec: OrderSpec) -> Halt | None:
    """The halt under which an order falls; a panic before what a rule has stopped."""
    account = state.accounts[spec.account_id].account
    found = [halt for halt in state.halts.values() if halt.covers_order(account, spec)]
    return min(found, key=lambda halt: bool(halt.rule), default=None)


def over_all(state: "State", account: Account, *, book: str = "") -> Halt | None:
    """The panic under which all that this account does in the book falls; without a book, all that it does."""
    panics = (halt for halt in state.halts.values() if not halt.rule)
    return next((halt for halt in panics if halt.scope.covers(account, book)), None)


def is_over(state: "State", spec: OrderSpec) -> bool:
    """Whether an order falls under a halt."""
    return bars(state, key_of(spec))


def bars(state: "State", key: PositionKey) -> bool:
    """Whether what would change this position falls under a halt."""
    account = state.accounts[key.account_id].account
    return any(halt.covers(account, key) for halt in state.halts.values())


def closes(state: "State", key: PositionKey) -> bool:
    """Whether a position is being closed, so that nothing else is to guard it."""
    account = state.accounts[key.account_id].account
    return any(not halt.keep_positions and halt.covers(account, key) for halt in state.halts.values())


def stops(state: "State", deployment: Deployment) -> Halt | None:
    """The panic that leaves a deployment nothing to trade: its own, or those of all its accounts."""
    found = None
    for allocation in deployment.accounts:
        found = over_all(state, state.accounts[allocation.account_id].account, book=deployment.id)
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
            key=record.scope.key,
        )
        state.halts[halt.key] = halt
        return
    halt.since, halt.wall, halt.cooldown = record.at, record.wall, record.cooldown
    halt.keep_positions, halt.reason, halt.provenance = record.keep_positions, record.reason, record.provenance
    halt.done_at = 0
    halt.arm()


def stopped(state: "State", record: MtmStopped) -> None:
    state.halts[record.key] = Halt(
        id=record.id,
        scope=record.scope,
        since=record.at,
        wall=record.wall,
        keep_positions=False,
        cooldown=record.cooldown,
        reason=record.reason,
        provenance=record.provenance,
        key=record.key,
        rule=record.rule,
        until=record.until,
        only=frozenset(record.only),
    )


def moved(state: "State", record: r.PanicMoved) -> None:
    halt = _named(state, record.id)
    halt.rounds, halt.stuck = record.round, record.stuck
    halt.done_at = record.at if record.done else 0


def ended(state: "State", record: r.PanicEnded) -> None:
    """What others had left to it is theirs to close now, even where they had finished."""
    halt = state.halts.pop(_named(state, record.id).key)
    for other in state.halts.values():
        if other.done_at and other.reach > halt.reach and not halt.keep_positions and _inherits(state, other, halt):
            other.done_at = 0
            other.arm()


def _inherits(state: "State", other: Halt, halt: Halt) -> bool:
    return any(
        net(positions) and any(halt.covers(held.account, one.key) for one in positions)
        for held in state.accounts.values()
        for positions in holdings(state, other, held).values()
    )


def holdings(state: "State", halt: Halt, account: "AccountState") -> dict[Target, list[Position]]:
    """What is to be closed, with the positions it is made of; what a wider panic closes is left to that one."""
    found: dict[Target, list[Position]] = defaultdict(list)
    if halt.keep_positions:
        return found
    others = [other for other in state.halts.values() if other.reach < halt.reach and not other.keep_positions]
    for key, position in account.positions.items():
        is_meant = position.quantity and halt.covers(account.account, key)
        if is_meant and not any(other.covers(account.account, key) for other in others):
            book = key.book if halt.scope.kind is ScopeKind.STRATEGY else ""
            found[Target(key.account_id, book, key.instrument_id, key.product)].append(position)
    return found


def net(positions: list[Position]) -> Decimal:
    """What they are together, signed."""
    return total([position.quantity for position in positions])


def _named(state: "State", halt_id: str) -> Halt:
    for halt in state.halts.values():
        if halt.id == halt_id:
            return halt
    raise KeyError(halt_id)


def decided(state: "State", record: r.OrderDecided) -> None:
    """Notes an order that a panic has sent, or one that others were allowed."""
    account = state.accounts[record.spec.account_id].account
    for halt in state.halts.values():
        if not halt.covers_order(account, record.spec):
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
        if held is None or _touches(halt, held):
            halt.arm()
            for order_id in tuple(halt.asked) if held is None else held.working:
                halt.asked.pop(order_id, None)


def _touches(halt: Halt, held: "AccountState") -> bool:
    scope, account = halt.scope, held.account
    return scope.names(account) or any(
        scope.covers(account, key.book, instrument_id=key.instrument_id) for key in held.positions
    )


def concerns(halt: Halt, account: "AccountState", state: "State") -> bool:
    """Whether a panic has anything to do in an account."""
    account_id = account.account.id
    if halt.only:
        return any(key.account_id == account_id for key in halt.only)
    held = state.deployments.get(halt.scope.id) if halt.scope.kind is ScopeKind.STRATEGY else None
    if held is None:
        return halt.scope.names(account.account)
    is_meant = halt.scope.account_id in ("", account_id)
    return is_meant and any(one.account_id == account_id for one in held.deployment.accounts)


def why_it_works(order: Order) -> str:
    """Why an order that a panic cancels still works."""
    if order.state is OrderState.CANCEL_PENDING:
        return "its cancel is not confirmed"
    return f"it is {order.state}" + (f": {order.reason}" if order.reason else "")
