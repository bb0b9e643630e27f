"""What stops a level and lets it go again, in records alone: sending orders is for whoever sees panics through."""

from evenkeel.domain import records as r
from evenkeel.domain.accounts import Account
from evenkeel.domain.mtm import Basis, Rule
from evenkeel.domain.mtm_records import MtmBased, MtmStopped
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.trading.engine import halts
from evenkeel.trading.engine.halts import Halt
from evenkeel.trading.engine.mtm import levels
from evenkeel.trading.engine.mtm.levels import Gauge, Level
from evenkeel.trading.engine.turn import Turn

ACTOR = "mtm"


def about(scope: Scope) -> dict[str, str | None]:
    """Whom an alert concerns; that of a user concerns the whole installation."""
    account_id = scope.id if scope.kind is ScopeKind.ACCOUNT else scope.account_id
    return {
        "account_id": account_id or None,
        "deployment_id": scope.id if scope.kind is ScopeKind.STRATEGY else None,
    }


def by_control(cause_id: str) -> Provenance:
    return Provenance(actor=ACTOR, source=Source.SYSTEM, cause_id=cause_id)


def stop(
    turn: Turn, level: Level, *, rule: Rule, key: str, until: int, reason: str, only: tuple[PositionKey, ...] = ()
) -> Halt:
    """Halts a level until a moment; what is held is to be closed by whoever called."""
    turn.emit(
        MtmStopped(
            at=turn.at,
            id=turn.new_id("mtm"),
            key=key,
            scope=level.scope,
            rule=rule,
            until=until,
            cooldown=level.rules.cooldown,
            reason=reason,
            provenance=by_control(key),
            only=only,
            wall=turn.wall,
        )
    )
    return turn.state.halts[key]


def end(turn: Turn, halt: Halt, *, provenance: Provenance) -> None:
    """Lets go what was stopped, with nothing left to do."""
    turn.emit(r.PanicEnded(at=turn.at, id=halt.id, orders=0, positions=0, provenance=provenance))


def base(turn: Turn, level: Level, *, why: str) -> None:
    """Arms a level, which counts from now."""
    state, scope = turn.state, level.scope
    turn.emit(
        MtmBased(
            at=turn.at,
            scope=scope,
            why=why,
            base=Gauge.of(state, level).made,
            equity=levels.equity_of(state, scope, currency=level.currency),
            day=levels.day_of(state, scope),
        )
    )
    state.mtm.gauges.pop(scope.key, None)


def let_go(turn: Turn) -> None:
    """Ends what was stopped until a moment that has passed, once it is closed, and arms the levels that are free.

    The narrowest end first: what they had left to a wider one is not theirs to close in the moment that both end.
    """
    state = turn.state
    for halt in sorted(state.halts.values(), key=lambda one: one.reach, reverse=True):
        if halt.until and turn.at >= halt.until and halt.done_at:
            end(turn, halt, provenance=by_control(halt.id))
    for level in tuple(state.mtm.values()):
        if level.breached is not None and levels.halt_of(state, level) is None:
            base(turn, level, why="re-armed")
            message = f"Mark-to-market control of {halts.title(state, level.scope)} is armed again, and counts from now"
            turn.alert("info", "mtm-armed", message, **about(level.scope))


def day_closed(turn: Turn, account: Account) -> None:
    """The account's day has ended, and prices are those it ended at: levels that count by days begin anew."""
    let_go(turn)
    state = turn.state
    for level in tuple(state.mtm.values()):
        is_meant = level.rules.basis is Basis.DAY and level.breached is None
        if is_meant and _touches(level.scope, account) and levels.day_of(state, level.scope) > level.day:
            base(turn, level, why="day")


def _touches(scope: Scope, account: Account) -> bool:
    return scope.kind is ScopeKind.STRATEGY or scope.names(account)
