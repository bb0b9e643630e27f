"""Setting the limits of layers, and closing their days: what each account had made in a layer's reach is recorded."""

from decimal import Decimal

from evenkeel.domain import commands as c
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.limit_records import DrawdownMoved, ScopeDayClosed, ScopeLimitsChanged
from evenkeel.domain.limits import NO_RULES, Layer, LimitScope, RuleSet, Tier, faults
from evenkeel.domain.money import ZERO, add, total
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.figures import drawdown, equity_of
from evenkeel.trading.engine.layers import LayerState, Standing, needs_of
from evenkeel.trading.engine.reach import Reach, of_account, reach_of
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn

_MEASURED = frozenset({"day", "drawdown"})


def set_scope(turn: Turn, command: c.SetScopeLimits) -> Outcome:
    """Sets the rules of a layer. Raises NotFound and InvalidInput for a scope that names nothing, or an account."""
    state, scope = turn.state, command.scope
    _check(state, scope)
    found = faults(command.rules, "rules.")
    if command.rules.max_rejects is not None and scope.kind is not Layer.STRATEGY:
        found.append(FieldError("rules.max_rejects", "is for accounts and strategies"))
    if found:
        raise InvalidInput("the limits are not valid", errors=tuple(found))
    known, needs = state.layers.get(scope.key), needs_of(command.rules)
    if command.rules != (NO_RULES if known is None else known.rules):
        is_measured = known is not None and not _MEASURED.isdisjoint(known.needs)
        turn.emit(
            ScopeLimitsChanged(
                at=turn.at,
                scope=scope,
                rules=command.rules,
                version=1 if known is None else known.version + 1,
                provenance=command.provenance,
                results={} if is_measured or _MEASURED.isdisjoint(needs) else results(state, scope),
            )
        )
    return Outcome(scope.key, created=False)


def _check(state: State, scope: LimitScope) -> None:
    match scope.kind:
        case Layer.INSTRUMENT if scope.id not in state.instruments:
            raise InvalidInput("the scope is not valid", errors=(FieldError("id", "no such instrument"),))
        case Layer.STRATEGY:
            state.deployment(scope.id)
        case Layer.PORTFOLIO:
            state.portfolio(scope.id)
        case Layer.ACCOUNT:
            raise InvalidInput("the scope is not valid", errors=(FieldError("scope", "an account's are its own"),))
        case Layer.PLATFORM if scope.id:
            raise InvalidInput("the scope is not valid", errors=(FieldError("id", "the platform has none"),))


def results(state: State, scope: LimitScope) -> dict[str, Decimal]:
    """What each account of the scope has made by now."""
    read = reach_of(state, scope)
    return {held.account.id: read.result(held) for held in read.accounts}


def close_day(turn: Turn, account: AccountState) -> None:
    """Records, for each layer that reads an account whose day has just closed, what the account has made in its reach;
    and lets drawdowns that have recovered leave their tier."""
    state = turn.state
    for layer in tuple(state.layers.values()):
        if layer.covers(account) and not _MEASURED.isdisjoint(layer.needs):
            _close(turn, layer, account=account)
    for scope, rules, standing in tiered(state):
        if standing.tier in (Tier.WARN, Tier.REDUCE):
            tier, fallen, limit = reached(state, scope, rules=rules, standing=standing)
            if tier.rank < standing.tier.rank:
                turn.emit(DrawdownMoved(at=turn.at, scope=scope, tier=tier, drawdown=fallen, limit=limit))


def _close(turn: Turn, layer: LayerState, *, account: AccountState) -> None:
    currency = account.account.currency
    read = reach_of(turn.state, layer.scope, currency=currency)
    if account not in read.accounts:
        return
    result, whole = read.result(account), total([read.result(held) for held in read.money])
    best = whole if read.is_priced() and whole > layer.best.get(currency, ZERO) else None
    turn.emit(ScopeDayClosed(at=turn.at, scope=layer.scope, account_id=account.account.id, result=result, best=best))


def tiered(state: State) -> list[tuple[LimitScope, RuleSet, Standing]]:
    """Every scope that has drawdown tiers."""
    own = [
        (LimitScope(Layer.ACCOUNT, account_id), held.limits, held.standing)
        for account_id, held in state.accounts.items()
        if "drawdown" in held.standing.needs
    ]
    return [*own, *((one.scope, one.rules, one) for one in state.layers.values() if "drawdown" in one.needs)]


def reached(
    state: State, scope: LimitScope, *, rules: RuleSet, standing: Standing
) -> tuple[Tier, Decimal, Decimal | None]:
    """(the deepest tier reached, the drawdown, the tier's limit); of several currencies, in the one that fell most.

    Where something held has no price yet, the tier is what it was: its cost would say nothing of a drawdown.
    """
    deepest = ZERO
    for read in reaches(state, scope):
        if not read.is_priced():
            return standing.tier, ZERO, None
        deepest = max(deepest, drawdown(read, standing, equity=equity_of(read)))
    found = next(((tier, limit) for tier, limit in rules.tiers() if deepest >= limit), None)
    return (Tier.NONE, deepest, None) if found is None else (found[0], deepest, found[1])


def reaches(state: State, scope: LimitScope) -> list[Reach]:
    """What a scope's rules read, once for each currency."""
    if scope.kind is Layer.ACCOUNT:
        return [of_account(state, state.accounts[scope.id])]
    currencies = {held.account.currency for held in reach_of(state, scope).accounts}
    return [reach_of(state, scope, currency=currency) for currency in sorted(currencies)]


def sums(state: State, scope: LimitScope) -> dict[str, Decimal]:
    """What a layer's reach has made, by currency."""
    found: dict[str, Decimal] = {}
    for account_id, result in results(state, scope).items():
        currency = state.accounts[account_id].account.currency
        found[currency] = add(found.get(currency, ZERO), result)
    return found


def title(state: State, scope: LimitScope) -> str:
    """A scope in words."""
    match scope.kind:
        case Layer.INSTRUMENT:
            return f"instrument {state.instruments[scope.id].symbol}"
        case Layer.STRATEGY:
            return f"strategy {state.deployment(scope.id).deployment.name}"
        case Layer.PORTFOLIO:
            return f"portfolio {state.portfolio(scope.id).portfolio.name}"
        case Layer.ACCOUNT:
            return f"account {state.account(scope.id).account.name}"
        case Layer.USER:
            return f"user {scope.id}"
        case Layer.PLATFORM:
            return "the platform"
