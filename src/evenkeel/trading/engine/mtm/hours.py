"""Times of levels: each session's moments are worked out once, by the sessions that are known, and recorded.

One timer stands for a level at an exchange. What comes due while nothing runs is done at the next start, late, and says
so. Whoever runs the engine hands in the sessions to come; see `wanted`.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from evenkeel.domain.clock import SECOND, iso, to_ns
from evenkeel.domain.events import SessionsKnown
from evenkeel.domain.mtm import LEEWAY, Carry, DayRules, Plan, Rule, SessionTimes
from evenkeel.domain.mtm_records import MtmPlanned, SessionsListed
from evenkeel.domain.orders import Product
from evenkeel.domain.panics import ScopeKind
from evenkeel.domain.positions import Position, PositionKey, key_of
from evenkeel.trading.engine import halts, panic, timers
from evenkeel.trading.engine.halts import Halt
from evenkeel.trading.engine.mtm import gates, levels, stopping
from evenkeel.trading.engine.mtm.levels import Level, Planned
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn

MINUTE = 60 * SECOND
ENOUGH = 5
"""With fewer sessions to come than these, more are asked for."""
Keys = tuple[PositionKey, ...]


def plan_of(rules: DayRules, session: SessionTimes, *, zone: str) -> Plan:
    """The moments of one session. A clock time is the exchange's own; before the open it counts as the open, and at
    the close or later, as on a day that ends early, as `LEEWAY` minutes before it."""
    last = max(session.open, session.close - LEEWAY * MINUTE)

    def at(clock: time | None) -> int:
        if clock is None:
            return 0
        tz, days = ZoneInfo(zone), (session.date - timedelta(days=1), session.date)
        moments = [to_ns(datetime.combine(day, clock, tz)) for day in days]
        inside = [moment for moment in moments if session.open <= moment < session.close]
        if inside:
            return inside[-1]
        return session.open if moments[-1] < session.open else last

    before = session.close - (rules.end_of_day or 0) * MINUTE
    return Plan(
        session,
        no_entries=at(rules.no_entries_after),
        square_off=at(rules.square_off_at),
        end_of_day=0 if rules.end_of_day is None else max(session.open, before),
    )


def calendars_of(state: State, level: Level) -> set[str]:
    """The exchanges at which a level may trade."""
    scope = level.scope
    if scope.instrument_id:
        return {state.instruments[scope.instrument_id].calendar}
    if scope.kind is ScopeKind.STRATEGY:
        names = {*state.deployment(scope.id).deployment.instrument_ids}
        names |= {key.instrument_id for key, held in levels.held_in(state, scope) if held.quantity}
        return {state.instruments[name].calendar for name in names}
    return {instrument.calendar for instrument in state.instruments.values()}


def needed(state: State) -> set[str]:
    """The calendars of the exchanges at which levels have times."""
    return {name for level in state.mtm.values() if level.rules.day.has_times for name in calendars_of(state, level)}


def wanted(state: State, at: int) -> set[str]:
    """Those of which more sessions are needed at a moment (ns)."""
    return {name for name in needed(state) if _is_short(state, name, at=at)}


def _is_short(state: State, calendar: str, *, at: int) -> bool:
    hours = state.hours.get(calendar)
    if hours is None:
        return True
    return bool(hours.sessions) and sum(session.close > at for session in hours.sessions) < ENOUGH


def sessions_known(turn: Turn, event: SessionsKnown) -> None:
    """Takes the sessions to come of an exchange, and plans by them."""
    turn.emit(SessionsListed(at=turn.at, calendar=event.calendar, zone=event.zone, sessions=event.sessions))
    if not event.sessions:
        message = f"There is no calendar {event.calendar!r}: times of mark-to-market control do not hold there"
        turn.alert("critical", "mtm-calendar", message)
    for level in tuple(turn.state.mtm.values()):
        planned = level.plans.get(event.calendar)
        if planned is not None and planned.plan.session not in event.sessions:
            _plan(turn, level, calendar=event.calendar, done=planned.done)
    plan_all(turn)


def lacks(level: Level, calendars: Collection[str]) -> bool:
    """Whether a level with times has no plan for one of these."""
    return level.rules.day.has_times and not level.plans.keys() >= set(calendars)


def plan_all(turn: Turn) -> None:
    """Plans what has no plan yet."""
    for level in tuple(turn.state.mtm.values()):
        if level.rules.day.has_times:
            for calendar in sorted(calendars_of(turn.state, level) - level.plans.keys()):
                _plan(turn, level, calendar=calendar, done=turn.at)


def replan(turn: Turn, level: Level) -> None:
    """Plans a level anew, whose times may have changed: what would have been before now is let be."""
    names = set(level.plans) | (calendars_of(turn.state, level) if level.rules.day.has_times else set())
    for calendar in sorted(names):
        _plan(turn, level, calendar=calendar, done=turn.at)


def _plan(turn: Turn, level: Level, *, calendar: str, done: int, kept: Keys = ()) -> None:
    """Records the moments of the next session that is not over."""
    hours, has_times = turn.state.hours.get(calendar), level.rules.day.has_times
    coming = hours.sessions if hours is not None and has_times else ()
    session = next((one for one in coming if one.close > turn.at), None)
    if hours is not None and session is not None:
        plan = plan_of(level.rules.day, session, zone=hours.zone)
        _record(turn, level, calendar=calendar, planned=Planned(plan, done), kept=kept)
    elif calendar in level.plans or kept:
        turn.emit(MtmPlanned(at=turn.at, scope=level.scope, calendar=calendar, kept=kept))


def _record(turn: Turn, level: Level, *, calendar: str, planned: Planned, kept: Keys = ()) -> None:
    plan, done = planned.plan, planned.done
    moments = (plan.square_off, plan.end_of_day, plan.session.close)
    turn.emit(
        MtmPlanned(
            at=turn.at,
            scope=level.scope,
            calendar=calendar,
            plan=plan,
            done=done,
            next=min(moment for moment in moments if moment > done),
            kept=kept,
        )
    )


def due(turn: Turn, name: str) -> None:
    """Does what the time has come for, and goes on to the next moment or the next session."""
    calendar, key = name.split("|", 1)
    level = turn.state.mtm[key]
    planned = level.plans[calendar]
    plan, stopped, kept = planned.plan, list[Halt](), Keys()
    for moment, rule in sorted(((plan.square_off, Rule.SQUARE_OFF), (plan.end_of_day, Rule.END_OF_DAY))):
        if planned.done < moment <= turn.at:
            only, stay = _parted(turn.state, level, calendar=calendar, rule=rule)
            kept = stay if rule is Rule.END_OF_DAY else kept
            if only:
                stopped.append(_stop(turn, level, calendar=calendar, rule=rule, only=only))
    if turn.at >= plan.session.close:
        _plan(turn, level, calendar=calendar, done=0, kept=kept)
    else:
        _record(turn, level, calendar=calendar, planned=Planned(plan, turn.at), kept=kept)
    for halt in stopped:
        panic.carry_out(turn, halt)
    stopping.let_go(turn)


timers.HANDLERS[levels.TIMER] = due


def _stop(turn: Turn, level: Level, *, calendar: str, rule: Rule, only: Keys) -> Halt:
    close = level.plans[calendar].plan.session.close
    title = halts.title(turn.state, level.scope)
    late = f", late: the session closed at {iso(close)}" if turn.at >= close else ""
    message = f"The {rule} of {title} at {calendar}{late}: {len(only)} positions or their orders are being closed"
    turn.alert("warning" if late else "info", f"mtm-{rule}", message, **stopping.about(level.scope))
    reason = f"it was time for the {rule} of {title}"
    return stopping.stop(
        turn, level, rule=rule, key=f"mtm:{rule}:{calendar}:{level.scope.key}", until=close, reason=reason, only=only
    )


def _parted(state: State, level: Level, *, calendar: str, rule: Rule) -> tuple[Keys, Keys]:
    """(what is to be closed, with what works there; what of the products concerned is let stay)."""
    session = level.plans[calendar].plan.session
    closing, staying = dict[PositionKey, None](), dict[PositionKey, None]()
    for key, position in levels.held_in(state, level.scope):
        if not position.quantity or state.instruments[key.instrument_id].calendar != calendar:
            continue
        if rule is Rule.SQUARE_OFF or not _may_stay(state, level, position=position, session=session):
            closing[key] = None
        elif gates.concerns(level.rules.day, key.product):
            staying[key] = None
    for key in _working(state, level, calendar=calendar):
        is_meant = rule is Rule.SQUARE_OFF or _is_concerned(state, level, key=key, session=session)
        if is_meant and key not in staying:
            closing[key] = None
    return tuple(closing), tuple(staying)


def _working(state: State, level: Level, *, calendar: str) -> Iterator[PositionKey]:
    for held in levels.accounts_of(state, level.scope):
        for order in held.open_orders():
            spec = order.spec
            is_here = state.instruments[spec.instrument_id].calendar == calendar
            if is_here and level.scope.covers(held.account, spec.book, instrument_id=spec.instrument_id):
                yield key_of(spec)


def _is_concerned(state: State, level: Level, *, key: PositionKey, session: SessionTimes) -> bool:
    expires = level.rules.day.expiry and state.instruments[key.instrument_id].expiry == session.date
    return expires or gates.concerns(level.rules.day, key.product)


def _may_stay(state: State, level: Level, *, position: Position, session: SessionTimes) -> bool:
    """Whether a position is carried into the next day."""
    rules, key = level.rules.day, position.key
    if not _is_concerned(state, level, key=key, session=session):
        return True
    if not gates.concerns(rules, key.product) or key.product is Product.MIS or rules.carry is Carry.NONE:
        return False
    if state.instruments[key.instrument_id].expiry == session.date and rules.expiry:
        return False
    night = level.nights.get(key)
    is_old = rules.carry_days is not None and night is not None and night.count >= rules.carry_days
    if is_old or session.date.isoweekday() in rules.not_over:
        return False
    return rules.carry is Carry.ALL or state.unrealised(position) > Decimal(0)
