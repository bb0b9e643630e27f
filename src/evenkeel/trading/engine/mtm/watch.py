"""Looks at levels after every turn that has moved one: takes a new best, and closes the level whose rule is breached.

All that the turn has shown is taken in before anything is judged, and every breach is recorded before the first order
goes out, the widest level first; so that of levels breached at once each position is closed by one.
"""

from collections.abc import Collection
from decimal import Decimal

from evenkeel.domain import records as r
from evenkeel.domain.commands import Panic
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.money import ZERO, plain
from evenkeel.domain.mtm import Basis, BreachAction, Rule, Watch
from evenkeel.domain.mtm_records import MtmBreached, MtmPeak
from evenkeel.domain.panics import ScopeKind
from evenkeel.trading.engine import halts, market, panic
from evenkeel.trading.engine.halts import Halt
from evenkeel.trading.engine.mtm import hours, judging, levels, stopping
from evenkeel.trading.engine.mtm.judging import Bound
from evenkeel.trading.engine.mtm.levels import Gauge, Level
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn

_WIDEST_FIRST = (ScopeKind.USER, ScopeKind.ACCOUNT, ScopeKind.STRATEGY)


def follow(turn: Turn, event: object) -> None:
    """Takes in what a turn has moved, and acts on it."""
    state = turn.state
    shown = _shown(event)
    traded = _traded(state, turn.records) if turn.records else set[str]()
    if not shown and not turn.records:
        return
    if traded:
        for account in state.accounts.values():
            market.keep_day(turn, account)
    if turn.records:
        _note(turn)
    breaches = []
    for level in sorted(state.mtm.values(), key=_width):
        bound = _look(turn, level, shown=shown, traded=traded) if level.is_armed else None
        if bound is not None:
            breaches.append(bound)
    for halt in breaches:
        panic.carry_out(turn, halt)


def _width(level: Level) -> tuple[int, bool, bool]:
    scope = level.scope
    return _WIDEST_FIRST.index(scope.kind), bool(scope.account_id), bool(scope.instrument_id)


def _shown(event: object) -> dict[str, bool]:
    """The instruments that a slice has prices of, and whether that is a bar's close."""
    if not isinstance(event, MarketSlice):
        return {}
    return {quote.instrument_id: False for quote in event.quotes} | {bar.instrument_id: True for bar in event.bars}


def _traded(state: State, records: list[r.AnyRecord]) -> set[str]:
    """The instruments whose positions, or their value, records have changed."""
    found = set()
    for record in records:
        match record:
            case r.FillBooked():
                found.add(record.fill.instrument_id)
            case r.PositionCorrected():
                found.add(record.key.instrument_id)
            case r.SplitApplied():
                found.add(record.split.instrument_id)
            case r.InstrumentListed():
                found.add(record.instrument.id)
    return found


def _note(turn: Turn) -> None:
    """What has ended frees its level, and what is listed or deployed has moments of its own."""
    kinds = {type(record) for record in turn.records}
    if kinds & {r.PanicEnded, r.PanicMoved}:
        stopping.let_go(turn)
        panic.inherit(turn)
    listed = {one.instrument.calendar for one in turn.records if isinstance(one, r.InstrumentListed)}
    if r.DeploymentChanged in kinds or any(hours.lacks(level, listed) for level in turn.state.mtm.values()):
        hours.plan_all(turn)


def _look(turn: Turn, level: Level, *, shown: dict[str, bool], traded: Collection[str]) -> Halt | None:
    """What a breach of the level has halted, if there is one."""
    state, gauges = turn.state, turn.state.mtm.gauges
    gauge = gauges.get(level.scope.key)
    was_open = gauge is None or bool(gauge.open)
    if gauge is None:
        gauge = gauges[level.scope.key] = Gauge.of(state, level)
        moved = set(gauge.open)
    else:
        moved = (shown.keys() & gauge.open) | set(traded)
        for name in moved:
            gauge.touch(state, name)
    if not gauge.open and level.rules.basis is Basis.ENTRY:
        if was_open and (gauge.made, level.income, level.peak) != (level.base, ZERO, ZERO):
            stopping.base(turn, level, why="flat")
        return None
    is_seen = bool(moved) if level.rules.watch is Watch.PRICE else any(shown.get(name) for name in moved)
    if not is_seen or _is_blind(turn, level, gauge=gauge):
        return None
    return _judge(turn, level, profit=level.profit(gauge.made))


def _is_blind(turn: Turn, level: Level, *, gauge: Gauge) -> bool:
    """Whether something is held that has had no price yet: to take it for its cost could close the rest for nothing."""
    told, key = turn.state.mtm.told, level.scope.key
    if not gauge.blind:
        told.discard(key)
        return False
    if key not in told:
        told.add(key)
        names = ", ".join(sorted(turn.state.instruments[one].symbol for one in gauge.blind))
        title = halts.title(turn.state, level.scope)
        message = f"Mark-to-market control of {title} waits for a price of {names}"
        turn.alert("warning", "mtm-blind", message, **stopping.about(level.scope))
    return True


def _judge(turn: Turn, level: Level, *, profit: Decimal) -> Halt | None:
    best = judging.best(level, profit)
    if best is not None:
        turn.emit(MtmPeak(at=turn.at, scope=level.scope, peak=best))
    bound = judging.breach(level, profit)
    return None if bound is None else _breach(turn, level, bound=bound, profit=profit)


def _breach(turn: Turn, level: Level, *, bound: Bound, profit: Decimal) -> Halt:
    """Records and tells a breach, and halts the level."""
    scope, breach_id = level.scope, turn.new_id("breach")
    turn.emit(
        MtmBreached(
            at=turn.at,
            id=breach_id,
            scope=scope,
            rule=bound.rule,
            limit=bound.limit,
            value=profit,
            peak=level.peak,
            base=level.base,
            equity=level.equity,
            currency=level.currency,
            action=level.rules.action,
            version=level.version,
        )
    )
    turn.state.mtm.gauges.pop(scope.key, None)
    rule = "target" if bound.rule is Rule.TARGET else f"{bound.rule} floor"
    seen = f"{plain(profit)} {level.currency}, and the {rule} is {plain(bound.limit)}"
    title = halts.title(turn.state, scope)
    message = f"Mark-to-market of {title} is {seen}: it is being closed"
    turn.alert("critical", "mtm-breached", message, **stopping.about(scope))
    return _halt(turn, level, rule=bound.rule, reason=f"mark-to-market of {title} was {seen}", cause_id=breach_id)


def _halt(turn: Turn, level: Level, *, rule: Rule, reason: str, cause_id: str) -> Halt:
    state, scope, rules = turn.state, level.scope, level.rules
    if rules.action is BreachAction.HALT:
        provenance = stopping.by_control(cause_id)
        panic.begin(turn, Panic(provenance=provenance, scope=scope, cooldown=rules.cooldown, reason=reason))
    else:
        key, until = levels.halt_key(scope, BreachAction.CLOSE), levels.day_end(state, scope)
        stopping.stop(turn, level, rule=rule, key=key, until=until, reason=reason)
    halt = levels.halt_of(state, level)
    assert halt is not None, "what was just halted is"
    return halt
