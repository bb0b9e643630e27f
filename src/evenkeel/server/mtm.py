"""Mark-to-market control as the doors see it: rules read from a request, and levels as they stand now, for one user."""

import time as clocks
from collections.abc import Iterator
from datetime import time
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct

from evenkeel.domain import clock
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.money import plain
from evenkeel.domain.mtm import (
    Basis,
    BreachAction,
    Carry,
    DayRules,
    LockIn,
    Measure,
    MtmRules,
    Plan,
    Rule,
    Trail,
    Watch,
)
from evenkeel.domain.orders import Product
from evenkeel.domain.panics import COOLDOWN, LONGEST_COOLDOWN, Scope, ScopeKind
from evenkeel.server import views
from evenkeel.server.ports import Clock
from evenkeel.server.requests import END, Reference, Symbol
from evenkeel.server.schemas import Amount, Day, Id, Moment
from evenkeel.server.scope import Tenant
from evenkeel.trading.engine import halts
from evenkeel.trading.engine.halts import Halt
from evenkeel.trading.engine.mtm import judging, levels
from evenkeel.trading.engine.mtm.levels import Gauge, Level

_HUNDRED = Decimal(100)
_MEASURE = rf"^(0|[1-9][0-9]{{0,16}})(\.[0-9]{{1,16}})?%?{END}"
_CLOCK = rf"^([01][0-9]|2[0-3]):[0-5][0-9]{END}"
Measured = Annotated[
    str,
    Meta(pattern=_MEASURE, description="an amount such as 500, or a percentage of equity such as 2%", examples=["2%"]),
]
ClockTime = Annotated[str, Meta(pattern=_CLOCK, description="a time of the exchange such as 15:15", examples=["15:15"])]
LevelKind = Literal["strategy", "account", "user"]
LevelState = Literal["armed", "closing", "stopped", "halted"]


class LevelScope(Struct, forbid_unknown_fields=True):
    """A level: a strategy (in one account, with `account_id`), an account, or all your accounts. `symbol` narrows a
    strategy or an account to one instrument; `venue` is for symbols listed twice."""

    scope: LevelKind
    id: Reference | None = None
    account_id: Reference | None = None
    symbol: Symbol | None = None
    venue: Symbol | None = None


class TrailIn(Struct, forbid_unknown_fields=True):
    """A floor `distance` below the best, in force from the start or once the profit has reached `activates_at`."""

    distance: Measured
    activates_at: Measured | None = None


class LockInStep(Struct, forbid_unknown_fields=True):
    """Profit that has `reached` one mark is not given back below `floor`."""

    reached: Measured
    floor: Measured


class RulesIn(Struct, forbid_unknown_fields=True):
    """Rules on what a level makes, and its times; null, or left out, is not used. `cooldown` is in seconds,
    `end_of_day` in minutes before the close, `not_over` are ISO weekdays (5 is Friday)."""

    stop_loss: Measured | None = None
    target: Measured | None = None
    trail: TrailIn | None = None
    lock_in: Annotated[list[LockInStep], Meta(max_length=20)] = []
    basis: Basis = Basis.DAY
    watch: Watch = Watch.PRICE
    action: BreachAction = BreachAction.CLOSE
    cooldown: Annotated[int, Meta(ge=0, le=LONGEST_COOLDOWN // SECOND, description="0 to 604800 seconds")] = (
        COOLDOWN // SECOND
    )
    no_entries_after: ClockTime | None = None
    square_off_at: ClockTime | None = None
    end_of_day: Annotated[int, Meta(ge=1, le=1440, description="1 to 1440 minutes")] | None = None
    products: Annotated[list[Product], Meta(max_length=3)] = []
    carry: Carry = Carry.NONE
    carry_days: Annotated[int, Meta(ge=1, le=3660, description="1 to 3660 nights")] | None = None
    not_over: Annotated[list[Annotated[int, Meta(ge=1, le=7)]], Meta(max_length=7)] = []
    expiry: bool = True


class NewRules(LevelScope, kw_only=True, forbid_unknown_fields=True):
    """All the rules of a level: what is left out is not used. Without any, the level is taken away."""

    rules: RulesIn


class BoundOut(Struct):
    """A profit at which a rule is breached, and how far that is from here."""

    rule: Rule
    at: Amount
    room: Amount


class BreachOut(Struct):
    rule: Rule
    at: Amount
    value: Amount
    when: Moment


class TimesOut(Struct):
    """A level's moments in the session of one exchange."""

    calendar: str
    date: Day
    no_entries: Moment | None
    square_off: Moment | None
    end_of_day: Moment | None
    close: Moment


class LevelOut(Struct):
    """A level as it stands. `profit` counts from `since`, of which `income` are dividends; `peak` is the best that was
    taken; `equity` is what percentages are of. `waits_for` are symbols held without a price yet: until they have one
    no rule on profit is judged. `cooldown_left` is in seconds."""

    id: Id
    scope: LevelKind
    scope_id: str
    account_id: str | None
    symbol: str | None
    name: str
    state: LevelState
    version: int
    rules: RulesIn
    currency: str
    profit: Amount
    income: Amount
    peak: Amount
    equity: Amount
    since: Moment
    bounds: list[BoundOut]
    breach: BreachOut | None
    until: Moment | None
    cooldown_left: int
    times: list[TimesOut]
    waits_for: list[str]


def rules_of(given: RulesIn, at: str = "rules") -> MtmRules:
    """The rules that a request asks for in its field `at`. Raises InvalidInput for what is carried where nothing is
    closed at the end of the day; a square-off closes everything."""
    trail = given.trail
    kept = {"carry": given.carry is not Carry.NONE, "carry_days": given.carry_days is not None}
    carries = [name for name, is_given in (kept | {"not_over": bool(given.not_over)}).items() if is_given]
    if carries and given.end_of_day is None:
        fault = FieldError(f"{at}.{carries[0]}", "goes with end_of_day, at which it lets positions stay")
        raise InvalidInput("the rules are not valid", errors=(fault,))
    return MtmRules(
        stop_loss=_measure(given.stop_loss),
        target=_measure(given.target),
        trail=None if trail is None else Trail(_sure(trail.distance), _measure(trail.activates_at)),
        lock_in=tuple(LockIn(_sure(step.reached), _sure(step.floor)) for step in given.lock_in),
        basis=given.basis,
        watch=given.watch,
        action=given.action,
        cooldown=given.cooldown * SECOND,
        day=DayRules(
            no_entries_after=_time(given.no_entries_after),
            square_off_at=_time(given.square_off_at),
            end_of_day=given.end_of_day,
            products=tuple(dict.fromkeys(given.products)),
            carry=given.carry,
            carry_days=given.carry_days,
            not_over=tuple(sorted(set(given.not_over))),
            expiry=given.expiry,
        ),
    )


def _measure(text: str | None) -> Measure | None:
    return None if text is None else _sure(text)


def _sure(text: str) -> Measure:
    if text.endswith("%"):
        return Measure(Decimal(text[:-1]).scaleb(-2), of_equity=True)
    return Measure(Decimal(text))


def _time(text: str | None) -> time | None:
    return None if text is None else time.fromisoformat(text)


def shown_rules(rules: MtmRules) -> RulesIn:
    """The rules as a request would ask for them."""
    day, trail = rules.day, rules.trail
    return RulesIn(
        stop_loss=_text(rules.stop_loss),
        target=_text(rules.target),
        trail=None if trail is None else TrailIn(_said(trail.distance), _text(trail.activates_at)),
        lock_in=[LockInStep(_said(step.reached), _said(step.floor)) for step in rules.lock_in],
        basis=rules.basis,
        watch=rules.watch,
        action=rules.action,
        cooldown=rules.cooldown // SECOND,
        no_entries_after=_clock(day.no_entries_after),
        square_off_at=_clock(day.square_off_at),
        end_of_day=day.end_of_day,
        products=list(day.products),
        carry=day.carry,
        carry_days=day.carry_days,
        not_over=list(day.not_over),
        expiry=day.expiry,
    )


def _text(measure: Measure | None) -> str | None:
    return None if measure is None else _said(measure)


def _said(measure: Measure) -> str:
    return f"{plain(measure.value * _HUNDRED)}%" if measure.of_equity else plain(measure.value)


def _clock(moment: time | None) -> str | None:
    return None if moment is None else f"{moment:%H:%M}"


def levels_of(seen: Tenant, engine: Clock) -> list[LevelOut]:
    """The levels of a user, as they stand now."""
    return [level_of(seen, level, engine=engine) for level in _seen_by(seen)]


def _seen_by(seen: Tenant) -> Iterator[Level]:
    for level in seen.state.mtm.values():
        scope = level.scope
        match scope.kind:
            case ScopeKind.STRATEGY if seen.sees(seen.state.deployment(scope.id)):
                yield level
            case ScopeKind.ACCOUNT if seen.owns(scope.id):
                yield level
            case ScopeKind.USER if seen.is_self(scope.id):
                yield level


def level_of(seen: Tenant, level: Level, *, engine: Clock) -> LevelOut:
    """A level as it stands now, measured anew from its positions."""
    state, scope = seen.state, level.scope
    gauge, halt = Gauge.of(state, level), levels.halt_of(state, level)
    profit, breach = level.profit(gauge.made), level.breached
    whole = Scope(scope.kind, scope.id)
    return LevelOut(
        id=scope.key,
        scope=scope.kind.value,  # type: ignore[arg-type]
        scope_id=scope.id,
        account_id=scope.account_id or None,
        symbol=state.instruments[scope.instrument_id].symbol if scope.instrument_id else None,
        name=seen.user.username if whole.kind is ScopeKind.USER else halts.title(state, scope),
        state=_state_of(halt),
        version=level.version,
        rules=shown_rules(level.rules),
        currency=level.currency,
        profit=views.text(profit),
        income=views.text(level.income),
        peak=views.text(level.peak),
        equity=views.text(level.equity),
        since=clock.iso(level.since),
        bounds=[_bound(bound, profit) for bound in judging.bounds(level)] if breach is None else [],
        breach=None
        if breach is None
        else BreachOut(breach.rule, views.text(breach.limit), views.text(breach.value), clock.iso(breach.at)),
        until=_moment(0 if halt is None else halt.until),
        cooldown_left=0 if halt is None else -(-halt.resumable(engine.now(), clocks.time_ns()) // SECOND),
        times=[_times(name, planned.plan) for name, planned in sorted(level.plans.items())],
        waits_for=sorted(state.instruments[one].symbol for one in gauge.blind),
    )


def _state_of(halt: Halt | None) -> LevelState:
    if halt is None:
        return "armed"
    if not halt.rule:
        return "halted"
    return "stopped" if halt.done_at else "closing"


def _bound(bound: judging.Bound, profit: Decimal) -> BoundOut:
    return BoundOut(bound.rule, views.text(bound.limit), views.text(judging.room(bound, profit)))


def _times(calendar: str, plan: Plan) -> TimesOut:
    return TimesOut(
        calendar=calendar,
        date=plan.session.date.isoformat(),
        no_entries=_moment(plan.no_entries),
        square_off=_moment(plan.square_off),
        end_of_day=_moment(plan.end_of_day),
        close=clock.iso(plan.session.close),
    )


def _moment(at: int) -> str | None:
    return clock.iso(at) if at else None
