"""Commands of mark-to-market control: the rules of a level are set, and one that was stopped is armed again."""

from collections.abc import Iterator
from decimal import Decimal

from evenkeel.domain import commands as c
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput, NotFound
from evenkeel.domain.money import ONE, ZERO, is_bookable, is_multiple, minor_unit
from evenkeel.domain.mtm import Basis, BreachAction, Carry, DayRules, Measure, MtmRules
from evenkeel.domain.mtm_records import MtmRulesSet
from evenkeel.domain.orders import Product
from evenkeel.domain.panics import LONGEST_COOLDOWN, Scope, ScopeKind
from evenkeel.trading.engine import halts, market, panic
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.mtm import hours, levels, stopping
from evenkeel.trading.engine.mtm.levels import Gauge
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn

LONGEST_BEFORE = 24 * 60
LONGEST_CARRY = 3660


def set_rules(turn: Turn, command: c.SetMtmRules) -> Outcome:
    """Sets the rules of a level, which counts from now where it had none.

    Raises NotFound for a scope that names nothing, and InvalidInput for rules that make no sense there.
    """
    state, scope, rules = turn.state, command.scope, command.rules
    known = state.mtm.get(scope.key)
    currency = _currency(state, scope) if known is None else known.currency
    found = list(faults(rules, scope, currency=currency)) if not rules.is_empty else []
    if found:
        raise InvalidInput("the rules are not valid", errors=tuple(found))
    if (known.rules if known is not None else MtmRules()) == rules or (known is None and rules.is_empty):
        return Outcome(scope.key, created=False)
    for held in levels.accounts_of(state, scope):
        market.keep_day(turn, held)
    is_daily = rules.basis is Basis.DAY
    turn.emit(
        MtmRulesSet(
            at=turn.at,
            scope=scope,
            rules=rules,
            version=known.version + 1 if known is not None else 1,
            currency=currency,
            base=Gauge(state, scope, currency=currency).made
            if is_daily
            else levels.settled(state, scope, currency=currency),
            equity=levels.equity_of(state, scope, currency=currency),
            day=levels.day_of(state, scope),
            provenance=command.provenance,
        )
    )
    level = state.mtm.get(scope.key)
    if level is not None:
        hours.replan(turn, level)
    return Outcome(scope.key, created=known is None)


def rearm(turn: Turn, command: c.RearmMtm) -> Outcome:
    """Lets a level that was stopped trade again, and counts from now.

    Raises NotFound where nothing is stopped, and Conflict while its cool-down runs, while it is being closed, and where
    it is a panic, which is resumed.
    """
    state, scope = turn.state, command.scope
    level, halt = state.mtm.get(scope.key), state.halts.get(levels.halt_key(scope, BreachAction.CLOSE))
    if halt is None:
        if level is not None and level.breached is not None:
            raise Conflict("a panic has halted it", hint="Resume the panic; that arms it again, too.")
        raise NotFound("no rule has stopped this level")
    left = halt.resumable(turn.at, turn.wall)
    if left:
        raise Conflict(f"the cool-down has {-(-left // SECOND)} seconds left")
    if not halt.done_at:
        orders, positions = panic.counted(state, halt)
        raise Conflict(f"it is being closed: {orders} orders and {positions} positions are left")
    stopping.end(turn, halt, provenance=command.provenance)
    stopping.let_go(turn)
    return Outcome(scope.key, created=False)


def _currency(state: State, scope: Scope) -> str:
    """The one currency of a level's accounts. Raises NotFound, and InvalidInput where there are several."""
    if scope.kind is ScopeKind.PLATFORM:
        raise InvalidInput("the scope is not valid", errors=(FieldError("scope", "not the platform"),))
    if scope.kind is ScopeKind.ACCOUNT:
        state.account(scope.id)
    if scope.account_id:
        state.account(scope.account_id)
    if scope.instrument_id and scope.instrument_id not in state.instruments:
        raise NotFound(f"there is no instrument {scope.instrument_id!r}")
    found = {held.account.currency for held in levels.accounts_of(state, scope)}
    if not found:
        raise NotFound(f"{halts.title(state, scope)} has no account here")
    if len(found) > 1:
        message = f"its accounts hold {', '.join(sorted(found))}, which do not add up: set rules for each account"
        raise InvalidInput("the scope is not valid", errors=(FieldError("scope", message),))
    return found.pop()


def faults(rules: MtmRules, scope: Scope, *, currency: str) -> Iterator[FieldError]:
    """What makes no sense in rules, field by field."""
    unit = minor_unit(currency)
    for name, measure in _measures(rules):
        yield from _unfit(name, measure, unit=unit)
    for place, step in enumerate(rules.lock_in):
        same = step.floor.of_equity == step.reached.of_equity
        if same and step.floor.value >= step.reached.value:
            yield FieldError(f"lock_in.{place}.floor", "less than what was reached")
    if not 0 <= rules.cooldown <= LONGEST_COOLDOWN:
        yield FieldError("cooldown", f"0 to {LONGEST_COOLDOWN // SECOND} seconds")
    if rules.action is BreachAction.HALT and (scope.instrument_id or scope.account_id):
        yield FieldError("action", "a halt is for a whole strategy, an account or a user; use close")
    yield from _unfit_times(rules.day)


def _measures(rules: MtmRules) -> Iterator[tuple[str, Measure]]:
    for name in ("stop_loss", "target"):
        measure = getattr(rules, name)
        if measure is not None:
            yield name, measure
    if rules.trail is not None:
        yield "trail.distance", rules.trail.distance
        if rules.trail.activates_at is not None:
            yield "trail.activates_at", rules.trail.activates_at
    for place, step in enumerate(rules.lock_in):
        yield f"lock_in.{place}.reached", step.reached
        yield f"lock_in.{place}.floor", step.floor


def _unfit(name: str, measure: Measure, *, unit: Decimal) -> Iterator[FieldError]:
    may_be_nothing = name.endswith(".floor")
    if not is_bookable(measure.value) or measure.value < ZERO or not (measure.value or may_be_nothing):
        yield FieldError(name, "a positive amount" if not may_be_nothing else "zero or more")
    elif measure.of_equity and name in ("stop_loss", "trail.distance") and measure.value > ONE:
        yield FieldError(name, "at most all of the equity")
    elif not measure.of_equity and not is_multiple(measure.value, unit):
        yield FieldError(name, f"a multiple of {unit}")


def _unfit_times(day: DayRules) -> Iterator[FieldError]:
    if day.end_of_day is not None and not 1 <= day.end_of_day <= LONGEST_BEFORE:
        yield FieldError("day.end_of_day", f"1 to {LONGEST_BEFORE} minutes before the close")
    if day.carry_days is not None and not 1 <= day.carry_days <= LONGEST_CARRY:
        yield FieldError("day.carry_days", f"1 to {LONGEST_CARRY} nights")
    if any(not 1 <= one <= 7 for one in day.not_over):
        yield FieldError("day.not_over", "weekdays from 1, Monday, to 7")
    if Product.MIS in day.products:
        yield FieldError("day.products", "MIS is always closed at the end of the day")
    if day.end_of_day is None and (day.products or day.carry is not Carry.NONE or day.carry_days or day.not_over):
        yield FieldError("day.end_of_day", "say how many minutes before the close these rules are for")
