"""Levels: what mark-to-market control knows of each scope that has rules, and what one has made at the last prices.

What is folded are the rules, the base that a level counts from, its best since and what is income; what it has made is
measured. A gauge keeps that by instrument, so that a price is no walk over all positions; it is no part of the state.
"""

from collections.abc import Collection, Iterator
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct, field

from evenkeel.domain import mtm_records as m
from evenkeel.domain.money import ONE, ZERO, add, minor_unit, portion, sub
from evenkeel.domain.mtm import Basis, BreachAction, MtmRules, Plan, SessionTimes
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.positions import Position, PositionKey

if TYPE_CHECKING:
    from evenkeel.domain.records import DividendPaid
    from evenkeel.trading.engine.halts import Halt
    from evenkeel.trading.engine.state import AccountState, State

TIMER = "mtm"


class Hours(Struct):
    """The sessions of an exchange that are known, and its time zone."""

    zone: str
    sessions: tuple[SessionTimes, ...]


class Planned(Struct):
    """The moments of a session, and up to which of them (ns) everything has been done."""

    plan: Plan
    done: int


class Night(Struct):
    """How many nights a position of `side` 1 or -1 has been let stay."""

    side: int
    count: int


class Level(Struct, kw_only=True):
    """One scope with its rules. It counts from `base`, what it had made in all by `since` (ns); see `Gauge.made`."""

    scope: Scope
    rules: MtmRules
    version: int
    currency: str
    base: Decimal
    equity: Decimal
    day: date
    since: int
    income: Decimal = ZERO
    peak: Decimal = ZERO
    breached: m.MtmBreached | None = None
    plans: dict[str, Planned] = field(default_factory=dict)
    nights: dict[PositionKey, Night] = field(default_factory=dict)

    @property
    def is_armed(self) -> bool:
        """Whether a profit or loss can breach it now."""
        return self.breached is None and self.rules.has_amounts

    def profit(self, made: Decimal) -> Decimal:
        """What it has made since its base, where it has made so much in all."""
        return add(sub(made, self.base), self.income)


class Gauge:
    """What a scope has made in all: realised less charges, and unrealised at the last prices, over its positions.

    Accounts of another currency than the level's do not count. `open` are the instruments held, `blind` those of them
    that have had no price yet, which count at their cost.
    """

    def __init__(self, state: "State", scope: Scope, *, currency: str) -> None:
        self.scope, self.currency = scope, currency
        self.made = ZERO
        self.open: set[str] = set()
        self.blind: set[str] = set()
        self._parts: dict[str, Decimal] = {}
        for instrument_id in {key.instrument_id for key, _ in held_in(state, scope)}:
            self.touch(state, instrument_id)

    @classmethod
    def of(cls, state: "State", level: Level) -> "Gauge":
        """Measures a level anew."""
        return cls(state, level.scope, currency=level.currency)

    def touch(self, state: "State", instrument_id: str) -> None:
        """Counts an instrument anew."""
        part, is_open = ZERO, False
        for held in state.accounts.values():
            counts = held.account.currency == self.currency
            for position in held.positions.of(instrument_id) if counts else ():
                if self.scope.covers(held.account, position.key.book, instrument_id=instrument_id):
                    part = add(part, add(booked(position), state.unrealised(position)))
                    is_open = is_open or bool(position.quantity)
        self.made = add(self.made, sub(part, self._parts.get(instrument_id, ZERO)))
        self._parts[instrument_id] = part
        is_blind = is_open and state.mark(instrument_id) is None
        for names, is_in in ((self.open, is_open), (self.blind, is_blind)):
            (names.add if is_in else names.discard)(instrument_id)


class Levels(dict[str, Level]):
    """By the key of their scope. `gauges` are measured; `told` notes which were said to be blind."""

    def __init__(self) -> None:
        super().__init__()
        self.gauges: dict[str, Gauge] = {}
        self.told: set[str] = set()

    def concern(self, shown: Collection[str]) -> bool:
        """Whether prices of these instruments move what an armed level has made."""
        for key, level in self.items():
            if level.is_armed:
                gauge = self.gauges.get(key)
                if gauge is None or not gauge.open.isdisjoint(shown):
                    return True
        return False


def booked(position: Position) -> Decimal:
    """What a position has made whatever its price is."""
    return sub(position.realised, position.charges)


def held_in(state: "State", scope: Scope) -> Iterator[tuple[PositionKey, Position]]:
    """The positions of a scope, flat ones too."""
    for held in state.accounts.values():
        for key, position in held.positions.items():
            if scope.covers(held.account, key.book, instrument_id=key.instrument_id):
                yield key, position


def settled(state: "State", scope: Scope, *, currency: str) -> Decimal:
    """What the positions of a scope have made whatever their prices are."""
    whole = ZERO
    for key, position in held_in(state, scope):
        if state.accounts[key.account_id].account.currency == currency:
            whole = add(whole, booked(position))
    return whole


def accounts_of(state: "State", scope: Scope) -> list["AccountState"]:
    """The accounts of a scope: of a strategy those that it is given, and those in which it has traded."""
    if scope.kind is not ScopeKind.STRATEGY:
        return [held for held in state.accounts.values() if scope.names(held.account)]
    named = {one.account_id for one in state.deployment(scope.id).deployment.accounts}
    named |= {key.account_id for key, _ in held_in(state, scope)}
    return [state.accounts[one] for one in state.accounts if one in named and scope.account_id in ("", one)]


def equity_of(state: "State", scope: Scope, *, currency: str) -> Decimal:
    """What fractions are of: the equity of its accounts at the start of their day, of a strategy what it is given."""
    shares = None
    if scope.kind is ScopeKind.STRATEGY:
        shares = {one.account_id: one.share for one in state.deployment(scope.id).deployment.accounts}
    whole = ZERO
    for held in accounts_of(state, scope):
        if held.account.currency == currency:
            share = ONE if shares is None else shares.get(held.account.id, ZERO)
            whole = add(whole, portion(held.day_start_equity, share, of=ONE, step=minor_unit(currency)))
    return whole


def day_of(state: "State", scope: Scope) -> date:
    """The account day that a scope counts: it begins when the last of its accounts has closed the day before.

    The first of all days where it has no account any more.
    """
    return min((held.day for held in accounts_of(state, scope)), default=date.min)


def day_end(state: "State", scope: Scope) -> int:
    """When (ns) the day of all accounts of a scope is over."""
    return max(held.day_end for held in accounts_of(state, scope))


def halt_key(scope: Scope, action: BreachAction) -> str:
    """Under which name what a breach has halted is found."""
    return scope.key if action is BreachAction.HALT else f"mtm:{scope.key}"


def halt_of(state: "State", level: Level) -> "Halt | None":
    """What the level's breach has halted, and still does."""
    return None if level.breached is None else state.halts.get(halt_key(level.scope, level.breached.action))


def rules_set(state: "State", record: m.MtmRulesSet) -> None:
    key = record.scope.key
    known = state.mtm.get(key)
    state.mtm.gauges.pop(key, None)
    if record.rules.is_empty:
        for calendar in tuple(known.plans) if known is not None else ():
            state.timers.drop(TIMER, f"{calendar}|{key}")
        state.mtm.pop(key, None)
        return
    level = Level(
        scope=record.scope,
        rules=record.rules,
        version=record.version,
        currency=record.currency,
        base=record.base,
        equity=record.equity,
        day=record.day,
        since=record.at,
    )
    if known is not None:
        level.plans, level.nights, level.breached = known.plans, known.nights, known.breached
        counts = record.rules.basis is Basis.DAY or known.rules.has_amounts
        if counts and known.rules.basis is record.rules.basis:
            level.base, level.income, level.since, level.day = known.base, known.income, known.since, known.day
            level.equity, level.peak = known.equity, known.peak
    state.mtm[key] = level


def based(state: "State", record: m.MtmBased) -> None:
    level = state.mtm[record.scope.key]
    level.base, level.equity, level.day, level.since = record.base, record.equity, record.day, record.at
    level.income, level.peak, level.breached = ZERO, ZERO, None


def peaked(state: "State", record: m.MtmPeak) -> None:
    state.mtm[record.scope.key].peak = record.peak


def breached(state: "State", record: m.MtmBreached) -> None:
    state.mtm[record.scope.key].breached = record


def planned(state: "State", record: m.MtmPlanned) -> None:
    level, name = state.mtm[record.scope.key], f"{record.calendar}|{record.scope.key}"
    if record.plan is None:
        level.plans.pop(record.calendar, None)
    else:
        level.plans[record.calendar] = Planned(record.plan, record.done)
    if record.next:
        state.timers.set(TIMER, name, record.next)
    else:
        state.timers.drop(TIMER, name)
    for key in record.kept:
        side = 1 if state.position(key).quantity > 0 else -1
        night = level.nights.get(key)
        level.nights[key] = Night(side, night.count + 1 if night is not None and night.side == side else 1)


def traded(state: "State", key: PositionKey) -> None:
    """A position has changed: one that is flat, or of the other side, has spent no night."""
    quantity = state.position(key).quantity
    for level in state.mtm.values():
        night = level.nights.get(key)
        if night is not None and quantity * night.side <= 0:
            del level.nights[key]


def paid(state: "State", record: "DividendPaid") -> None:
    """A dividend counts with what it was paid for, whose price has fallen by it."""
    instrument_id = record.dividend.instrument_id
    for level in state.mtm.values():
        for entry in record.entries:
            account = state.accounts[entry.account_id].account
            if level.scope.covers(account, entry.book, instrument_id=instrument_id):
                level.income = add(level.income, entry.amount)


def sessions_listed(state: "State", record: m.SessionsListed) -> None:
    state.hours[record.calendar] = Hours(record.zone, record.sessions)
