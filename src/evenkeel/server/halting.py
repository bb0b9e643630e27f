"""What is halted and why, and how accounts send: views of panics and of outboxes, for one user at a time."""

import time
from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, Struct

from evenkeel.domain import clock
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.clock import SECOND
from evenkeel.domain.panics import COOLDOWN, LONGEST_COOLDOWN, ScopeKind
from evenkeel.server import requests, views
from evenkeel.server.ports import Clock, Trading
from evenkeel.server.schemas import Amount, Id, Moment, RateOut
from evenkeel.server.scope import Tenant
from evenkeel.trading.engine import halts, panic, rejects
from evenkeel.trading.engine.effects import Lane
from evenkeel.trading.engine.halts import Halt
from evenkeel.trading.engine.panic import Left
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.live.pictures import Failures

MOST_LEFT = 100
PanicState = Literal["working", "stuck", "done", "resumed"]
Reason = Annotated[str, Meta(max_length=200, pattern=requests.TEXT, description="up to 200 printable characters")]


class PanicScope(Struct, forbid_unknown_fields=True):
    """`id` is the strategy's or the account's; the user is the one who asks, and the platform is everything."""

    scope: ScopeKind
    id: requests.Reference | None = None


class NewPanic(PanicScope, forbid_unknown_fields=True):
    """`cooldown` is in seconds: only then may trading be resumed."""

    keep_positions: bool = False
    cooldown: Annotated[int, Meta(ge=0, le=LONGEST_COOLDOWN // SECOND, description="0 to 604800 seconds")] = (
        COOLDOWN // SECOND
    )
    reason: Reason = ""


class Resumption(PanicScope, forbid_unknown_fields=True):
    """With `abandon`, even though the panic has not finished: what is left stays as it is."""

    abandon: bool = False


class QueuesOut(Struct):
    """How many requests wait, by lane: the first goes before the second, and so on."""

    panic: int
    cancel: int
    reduce: int
    open: int


class ReconciledOut(Struct):
    """How the account has been compared with its broker: how often, when last, how many positions differed then; and
    how often that failed since the start, when last, and why. `every` and `after` are seconds, null where there is no
    such schedule."""

    times: int
    at: Moment | None
    differences: int
    failed: int
    failed_at: Moment | None
    failure: str | None
    every: float | None
    after: float | None


class HealthOut(Struct):
    """How an account stands with its broker. `rate` and `tokens` are null where nothing limits it; `oldest` is how many
    seconds the oldest request has waited; `halted` names the panic's scope. `away` is for how many seconds it has not
    been ready, `restarts_until` when a planned restart of its broker is over; null where there is none. `barred` says
    why no entries are taken after too many rejects, of which there are `rejects` within the account's window."""

    id: Id
    readiness: Readiness
    readiness_reason: str | None
    halted: str | None
    rate: RateOut | None
    tokens: float | None
    waiting: QueuesOut
    oldest: float
    under_way: int
    unconfirmed: int
    away: float | None
    restarts_until: Moment | None
    barred: str | None
    rejects: int
    reconciled: ReconciledOut


class LeftOut(Struct):
    """What a panic has still to do: an `order` to see cancelled, a `position` to see closed, an order that is `closing`
    what is closed already, or an `account` to be compared with its broker."""

    account_id: Id
    what: Literal["order", "position", "closing", "account"]
    symbol: str | None
    quantity: Amount
    why: str
    order_id: str | None


class PanicOut(Struct):
    """A panic in force, with what is left in accounts of the user's. `cooldown_left` is in seconds."""

    id: Id
    scope: ScopeKind
    scope_id: str | None
    name: str
    state: PanicState
    keep_positions: bool
    reason: str
    since: Moment
    done_at: Moment | None
    cooldown_left: int
    round: int
    orders_left: int
    positions_left: int
    left: list[LeftOut]


def panics_of(seen: Tenant, clock: Clock) -> list[PanicOut]:
    """The panics that concern a user, as they stand now."""
    return [panic_of(seen, halt, clock) for halt in _seen_by(seen)]


def _seen_by(seen: Tenant) -> Iterator[Halt]:
    """Those of an account, a strategy, all that is the user's, or everybody's."""
    for halt in seen.state.halts.values():
        scope = halt.scope
        match scope.kind:
            case _ if halt.rule:  # which is told with its level
                pass
            case ScopeKind.STRATEGY if seen.sees(seen.state.deployment(scope.id)):
                yield halt
            case ScopeKind.ACCOUNT if seen.owns(scope.id):
                yield halt
            case ScopeKind.USER if seen.is_self(scope.id):
                yield halt
            case ScopeKind.PLATFORM:
                yield halt


def state_of(halt: Halt) -> PanicState:
    return "done" if halt.done_at else "stuck" if halt.stuck else "working"


def panic_of(seen: Tenant, halt: Halt, engine: Clock) -> PanicOut:
    """A panic as it stands now, by the engine's clock and the wall clock."""
    left = [one for one in panic.left_of(seen.state, halt) if seen.owns(one.account_id)]
    kinds = [one.what for one in left]
    is_own = halt.scope.kind is ScopeKind.USER
    return PanicOut(
        id=halt.id,
        scope=halt.scope.kind,
        scope_id=halt.scope.id or None,
        name=seen.user.username if is_own else halts.title(seen.state, halt.scope),
        state=state_of(halt),
        keep_positions=halt.keep_positions,
        reason=halt.reason,
        since=clock.iso(halt.since),
        done_at=clock.iso(halt.done_at) if halt.done_at else None,
        cooldown_left=-(-halt.resumable(engine.now(), time.time_ns()) // SECOND),
        round=halt.rounds,
        orders_left=kinds.count("order"),
        positions_left=kinds.count("position"),
        left=[_left(seen.state, one) for one in left[:MOST_LEFT]],
    )


def _left(state: State, one: Left) -> LeftOut:
    return LeftOut(
        account_id=one.account_id,
        what=one.what,  # type: ignore[arg-type]
        symbol=state.instruments[one.instrument_id].symbol if one.instrument_id else None,
        quantity=views.text(one.quantity),
        why=one.why,
        order_id=one.order_id,
    )


def health(trading: Trading, held: AccountState) -> HealthOut:
    state, sending = trading.state, trading.sending(held.account.id)
    halt = halts.over_all(state, held.account)
    rate, away = state.rate_of(held), trading.away(held.account.id)
    barred, until = held.standing.barred, state.resting.get(held.account.broker)
    return HealthOut(
        id=held.account.id,
        readiness=held.readiness,
        readiness_reason=held.readiness_reason if held.readiness is not Readiness.READY else None,
        halted=None if halt is None else halt.scope.kind,
        rate=None if rate is None else views.rate(rate),
        tokens=None if sending.tokens is None else round(sending.tokens, 3),
        waiting=QueuesOut(**{lane.name.lower(): sending.waiting[lane] for lane in Lane}),
        oldest=round(sending.oldest, 3),
        under_way=sending.under_way,
        unconfirmed=len(held.working.unheard),
        away=None if away is None else round(away, 3),
        restarts_until=None if until is None else clock.iso(until),
        barred=None if barred is None else rejects.stop_of(barred).reason,
        rejects=rejects.count(held, window=held.limits.reject_window or 0, at=trading.clock.now()),
        reconciled=_reconciled(state, held, trading.failures(held.account.id)),
    )


def _reconciled(state: State, held: AccountState, failures: Failures) -> ReconciledOut:
    profile, seen = state.profiles.get(held.account.broker), held.compared
    return ReconciledOut(
        times=seen.times,
        at=clock.iso(seen.at) if seen.at else None,
        differences=seen.differences,
        failed=failures.times,
        failed_at=clock.iso(failures.at) if failures.times else None,
        failure=failures.reason or None,
        every=None if profile is None or not profile.reconcile_every else profile.reconcile_every / SECOND,
        after=None if profile is None or not profile.reconcile_after else profile.reconcile_after / SECOND,
    )
