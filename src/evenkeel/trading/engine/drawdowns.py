"""Drawdowns: a tier that is reached is recorded and told, and the last one halts entries until a person lifts that.

They are looked at once a second of engine time while something happens, and at the end of every day; an order is judged
by its drawdown of that very moment. When entries are halted, orders that add risk are cancelled, also those held here;
exits, and what reduces a position, go on.
"""

from decimal import Decimal

from evenkeel.domain.clock import SECOND
from evenkeel.domain.commands import LiftHalt
from evenkeel.domain.errors import Conflict
from evenkeel.domain.limit_records import DrawdownMoved
from evenkeel.domain.limits import Layer, LimitScope, Tier
from evenkeel.domain.money import ZERO, rounded
from evenkeel.domain.orders import Order, OrderState
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.trading.engine import rejects
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.layers import Standing
from evenkeel.trading.engine.limiting import reached, sums, tiered, title
from evenkeel.trading.engine.orders import request_cancel
from evenkeel.trading.engine.reach import reach_of
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.risk import percent

LOOK_EVERY = SECOND
_SHOWN = Decimal("0.0001")
_MEANS = {
    Tier.WARN: "which is a warning",
    Tier.REDUCE: "and only what reduces may be ordered",
    Tier.HALT: "and entries are halted until a person lifts that",
}


def look(turn: Turn) -> None:
    """Looks at every drawdown that has tiers, and records those that have gone deeper."""
    turn.state.marks.look_at = turn.at + LOOK_EVERY
    for scope, rules, standing in tiered(turn.state):
        tier, fallen, limit = reached(turn.state, scope, rules=rules, standing=standing)
        if tier.rank > standing.tier.rank:
            _fall(turn, scope, tier=tier, fallen=fallen, limit=limit)


def _fall(turn: Turn, scope: LimitScope, *, tier: Tier, fallen: Decimal, limit: Decimal | None) -> None:
    turn.emit(DrawdownMoved(at=turn.at, scope=scope, tier=tier, drawdown=fallen, limit=limit))
    shown = percent(rounded(fallen, _SHOWN))
    message = f"The drawdown of {title(turn.state, scope)} is {shown}, {_MEANS[tier]}"
    turn.alert("warning" if tier is Tier.WARN else "critical", f"drawdown-{tier}", message, **_about(scope))
    if tier is Tier.HALT:
        provenance = Provenance(actor="drawdown", source=Source.SYSTEM)
        for order in _entries(turn.state, scope):
            request_cancel(turn, order, provenance)


def _entries(state: State, scope: LimitScope) -> list[Order]:
    """The open orders of a scope that add to a position, or open one."""
    read = reach_of(state, scope)
    return [
        order
        for account in read.accounts
        for order in read.open_orders(account)
        if _adds(account, order) and order.state is not OrderState.CANCEL_PENDING
    ]


def _adds(account: AccountState, order: Order) -> bool:
    held = account.net.get(order.spec.instrument_id, ZERO)
    return not order.spec.is_exit and (not held or (held > 0) == (order.spec.side.sign > 0))


def lift(turn: Turn, command: LiftHalt) -> Outcome:
    """Lets a scope trade again whose drawdown has halted entries, or too many rejects have; both are measured anew.

    Raises NotFound for an account that is not there, and Conflict where nothing is halted.
    """
    state, scope = turn.state, command.scope
    standing = standing_of(state, scope)
    own = state.accounts[scope.id] if scope.kind is Layer.ACCOUNT else None
    was_barred = own is not None and rejects.lift(turn, own, command.provenance)
    if standing is None or standing.tier is not Tier.HALT:
        if was_barred:
            return Outcome(scope.key, created=False)
        raise Conflict("nothing has halted entries here")
    turn.emit(
        DrawdownMoved(
            at=turn.at,
            scope=scope,
            tier=Tier.NONE,
            drawdown=ZERO,
            lifted=True,
            index=None if own is None else own.growth.at(state.equity(own)),
            best=sums(state, scope) if own is None else {},
            provenance=command.provenance,
        )
    )
    turn.alert("warning", "drawdown-lifted", f"Entries of {title(state, scope)} are allowed again", **_about(scope))
    return Outcome(scope.key, created=False)


def standing_of(state: State, scope: LimitScope) -> Standing | None:
    """How a scope stands to its rules; None where it has none. Raises NotFound for an account that is not there."""
    return state.account(scope.id).standing if scope.kind is Layer.ACCOUNT else state.layers.get(scope.key)


def _about(scope: LimitScope) -> dict[str, str | None]:
    return {
        "account_id": scope.id if scope.kind is Layer.ACCOUNT else None,
        "deployment_id": scope.id if scope.kind is Layer.STRATEGY else None,
    }
