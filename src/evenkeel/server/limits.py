"""Limits as the API takes and shows them: each rule with its limit, what is used of it, and what is left."""

from collections.abc import Iterator
from datetime import time
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from evenkeel.domain.limits import (
    AMOUNTS,
    COUNTS,
    MOST_WINDOWS,
    RULES,
    SECONDS,
    Layer,
    LimitScope,
    RuleSet,
    Tier,
    Window,
)
from evenkeel.domain.money import plain, rounded, sub
from evenkeel.domain.records import Check
from evenkeel.server import views, wire
from evenkeel.server.requests import END, NOT_NEGATIVE, Reference
from evenkeel.server.schemas import Amount
from evenkeel.server.scope import Tenant
from evenkeel.trading.engine import drawdowns, limiting, rejects, usage
from evenkeel.trading.engine.layers import OwnStanding, Standing
from evenkeel.trading.engine.state import State

_STEP = Decimal("0.00000001")
_AT_LEAST = frozenset({"min-diversification"})
_NUMBER: Any = {"type": ["string", "number", "null"], "pattern": NOT_NEGATIVE}
MaybeNumber = Annotated[Raw, Meta(extra_json_schema=_NUMBER)]
_Count = Annotated[int, Meta(ge=0, le=2_592_000, description="0 to 2592000")] | UnsetType | None
_Clock = Annotated[str, Meta(pattern=rf"^([01][0-9]|2[0-3]):[0-5][0-9]{END}", description="such as 09:30")]
_Weekday = Annotated[int, Meta(ge=1, le=7, description="1 (Monday) to 7")]


class WindowIn(Struct, forbid_unknown_fields=True):
    """Hours of a time zone, up to but not at `end`; without `days` on every day of the week."""

    start: _Clock
    end: _Clock
    time_zone: Reference
    days: Annotated[list[_Weekday], Meta(max_length=7)] = []


class RulesChange(Struct, forbid_unknown_fields=True):
    """What is left out stays as it is; null turns a rule off. Shares, leverage and losses are fractions of equity."""

    max_position_share: MaybeNumber = field(default_factory=Raw)
    daily_loss: MaybeNumber = field(default_factory=Raw)
    max_trades_per_day: _Count = UNSET
    max_position: MaybeNumber = field(default_factory=Raw)
    max_position_value: MaybeNumber = field(default_factory=Raw)
    max_gross_exposure: MaybeNumber = field(default_factory=Raw)
    max_net_exposure: MaybeNumber = field(default_factory=Raw)
    max_gross_leverage: MaybeNumber = field(default_factory=Raw)
    max_net_leverage: MaybeNumber = field(default_factory=Raw)
    max_margin_use: MaybeNumber = field(default_factory=Raw)
    max_correlation: MaybeNumber = field(default_factory=Raw)
    min_diversification: MaybeNumber = field(default_factory=Raw)
    max_open_orders: _Count = UNSET
    max_order_quantity: MaybeNumber = field(default_factory=Raw)
    max_order_value: MaybeNumber = field(default_factory=Raw)
    price_collar: MaybeNumber = field(default_factory=Raw)
    max_quote_age: _Count = UNSET
    max_turnover: MaybeNumber = field(default_factory=Raw)
    daily_loss_amount: MaybeNumber = field(default_factory=Raw)
    drawdown_warn: MaybeNumber = field(default_factory=Raw)
    drawdown_reduce: MaybeNumber = field(default_factory=Raw)
    drawdown_halt: MaybeNumber = field(default_factory=Raw)
    max_losses: _Count = UNSET
    loss_pause: _Count = UNSET
    max_rejects: _Count = UNSET
    reject_window: _Count = UNSET
    windows: Annotated[list[WindowIn], Meta(min_length=1, max_length=MOST_WINDOWS)] | UnsetType | None = UNSET
    exchange_hours: bool | UnsetType | None = UNSET


class ScopeIn(Struct, forbid_unknown_fields=True):
    """`id` is the instrument's, or its symbol, the strategy's or the account's; the user is the one who asks, and the
    platform is everything. An instrument's limits are for the user's accounts, or, with `everyone`, for all there are.
    """

    scope: Layer
    id: Reference | None = None
    everyone: bool = False


class LimitsQuery(Struct, forbid_unknown_fields=True):
    scope: Layer | None = None
    id: Reference | None = None


class NewLimits(ScopeIn, forbid_unknown_fields=True):
    rules: RulesChange = field(default_factory=RulesChange)


class CheckOut(Struct):
    """One check: what its rule allows, what it saw, and how much is left; null where that is no number."""

    rule: str
    layer: Layer
    limit: str
    value: str
    headroom: Amount | None
    passed: bool
    reason: str | None


class CheckedOut(Struct):
    """What risk says of an order: whether it would pass, the first check that fails, and every check there is."""

    passes: bool
    refused_by: CheckOut | None
    checks: list[CheckOut]


class WindowOut(Struct):
    start: str
    end: str
    time_zone: str
    days: list[int]


class RuleOut(Struct):
    """A rule that is on. `used` is what counts against it now, null where only an order tells; of the positions the one
    of `symbol` uses most. `unit` says what the numbers are."""

    rule: str
    limit: Amount | bool | list[WindowOut]
    unit: Literal["share", "amount", "count", "seconds", "hours"]
    used: Amount | None
    headroom: Amount | None
    currency: str | None
    symbol: str | None


class LayerOut(Struct):
    """The limits of one scope. `tier` is how deep its drawdown is. `halted` says why no entries are taken until a
    person lifts that, null where they are."""

    id: str
    scope: Layer
    scope_id: str | None
    everyone: bool
    name: str
    version: int
    tier: Tier
    halted: str | None
    rules: list[RuleOut]


def changed(given: RulesChange, known: RuleSet) -> dict[str, Any]:
    """The rules as they are to be. Raises InvalidInput with every number at fault."""
    fields, rules = wire.Fields(), dict[str, Any]()
    for name in RULES:
        value, now = getattr(given, name), getattr(known, name)
        if isinstance(value, Raw):
            rules[name] = now if not bytes(value) else fields.number(f"rules.{name}", value, "not-negative")
        elif isinstance(value, UnsetType):
            rules[name] = now
        elif isinstance(value, list):
            rules[name] = tuple(_window(one) for one in value)
        else:
            rules[name] = value or None if name == "exchange_hours" else value
    fields.check("the limits are not valid")
    return rules


def _window(given: WindowIn) -> Window:
    start, end = time.fromisoformat(given.start), time.fromisoformat(given.end)
    return Window(start, end, given.time_zone, tuple(given.days))


def check(one: Check) -> CheckOut:
    return CheckOut(one.rule, one.layer, one.limit, one.value, _left(one), one.reason is None, one.reason)


def checked(found: tuple[Check, ...]) -> CheckedOut:
    shown = [check(one) for one in found]
    refused = next((one for one in shown if not one.passed), None)
    return CheckedOut(refused is None, refused, shown)


def _left(one: Check) -> str | None:
    """What is left of a limit; negative where it is exceeded."""
    try:
        limit, value = Decimal(one.limit), Decimal(one.value)
    except InvalidOperation:
        return None
    if not (limit.is_finite() and value.is_finite()) or one.rule in ("lot-size", "tick-size"):
        return None
    return plain(sub(value, limit) if one.rule in _AT_LEAST else sub(limit, value))


def scopes(seen: Tenant) -> Iterator[LimitScope]:
    """The scopes a user sees: every account of theirs, and the layers of theirs and of everybody that have rules."""
    found = [LimitScope(Layer.ACCOUNT, held.account.id) for held in seen.accounts()]
    found += [layer.scope for layer in seen.state.layers.values() if _sees(seen, layer.scope)]
    order = tuple(Layer)
    return iter(sorted(found, key=lambda scope: (order.index(scope.kind), scope.key)))


def _sees(seen: Tenant, scope: LimitScope) -> bool:
    match scope.kind:
        case Layer.INSTRUMENT:
            return not scope.user_id or seen.is_self(scope.user_id)
        case Layer.STRATEGY:
            return seen.sees(seen.state.deployment(scope.id))
        case Layer.PORTFOLIO:
            return seen.sees_portfolio(seen.state.portfolio(scope.id))
        case Layer.USER:
            return seen.is_self(scope.id)
    return scope.kind is Layer.PLATFORM


def layer(seen: Tenant, scope: LimitScope, *, at: int) -> LayerOut:
    """One scope with its rules. How much others use of what is for everybody, the owner alone is told."""
    state = seen.state
    rules, version = rules_of(state, scope)
    standing = drawdowns.standing_of(state, scope)
    is_shared = scope.kind is Layer.PLATFORM or (scope.kind is Layer.INSTRUMENT and not scope.user_id)
    used = {}
    if standing is not None and (seen.is_admin or not is_shared):
        used = usage.used(state, scope, rules=rules, standing=standing, at=at)
    return LayerOut(
        id=scope.key,
        scope=scope.kind,
        scope_id=scope.id or None,
        everyone=is_shared,
        name=seen.user.username if scope.kind is Layer.USER else limiting.title(state, scope),
        version=version,
        tier=_tier(standing),
        halted=halted(standing),
        rules=[
            _rule(state, name, limit=limit, used=used.get(name))
            for name in RULES
            if (limit := getattr(rules, name)) is not None
        ],
    )


def halted(standing: Standing | None) -> str | None:
    """Why a scope takes no entries until a person lifts that; None where it does."""
    if isinstance(standing, OwnStanding) and standing.barred is not None:
        return rejects.stop_of(standing.barred).reason
    return "the drawdown has reached its halt" if standing is not None and standing.tier is Tier.HALT else None


def _tier(standing: Standing | None) -> Tier:
    return Tier.NONE if standing is None else standing.tier


def rules_of(state: State, scope: LimitScope) -> tuple[RuleSet, int]:
    """The rules of a scope and their version; none where it has none yet."""
    if scope.kind is Layer.ACCOUNT:
        held = state.account(scope.id)
        return held.limits, held.limits_version
    known = state.layers.get(scope.key)
    return (RuleSet(), 0) if known is None else (known.rules, known.version)


def _rule(state: State, name: str, *, limit: Any, used: usage.Used | None) -> RuleOut:
    amount = None if used is None else rounded(used.amount, _STEP)
    return RuleOut(
        rule=name,
        limit=_shown(limit),
        unit=_unit(name),
        used=None if amount is None else plain(amount),
        headroom=None if amount is None else plain(sub(Decimal(limit), amount)),
        currency=used.currency or None if used is not None else None,
        symbol=state.instruments[used.instrument_id].symbol if used is not None and used.instrument_id else None,
    )


def _shown(limit: Any) -> str | bool | list[WindowOut]:
    match limit:
        case bool():
            return limit
        case tuple():
            return [WindowOut(f"{one.start:%H:%M}", f"{one.end:%H:%M}", one.time_zone, list(one.days)) for one in limit]
        case Decimal():
            return views.text(limit)
    return str(limit)


def _unit(name: str) -> Literal["share", "amount", "count", "seconds", "hours"]:
    if name in ("windows", "exchange_hours"):
        return "hours"
    if name in SECONDS:
        return "seconds"
    return "count" if name in COUNTS else "amount" if name in AMOUNTS else "share"
