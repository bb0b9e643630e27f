"""What a profit means for a level: a new best, a breach, or nothing. Pure arithmetic over the level as it is folded."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from evenkeel.domain.money import ONE, minor_unit, neg, portion, sub
from evenkeel.domain.mtm import Measure, Rule
from evenkeel.trading.engine.mtm.levels import Level

STEPS = Decimal(100)
"""A best is taken, and recorded, in steps of a hundredth of the distance that trails it."""


class Bound(NamedTuple):
    """A profit at which a rule is breached: at or below it, of a target at or above it."""

    rule: Rule
    limit: Decimal


def amount(level: Level, measure: Measure | None) -> Decimal | None:
    """A measure in money; None where there is none, or it is a fraction of an equity that is not positive."""
    if measure is None or (measure.of_equity and level.equity <= 0):
        return None
    return measure.amount(level.equity, level.currency)


def best(level: Level, profit: Decimal) -> Decimal | None:
    """The profit as a new best, where it is one and a step above the last, or has set a rule in force."""
    rules, peak = level.rules, level.peak
    if profit <= peak:
        return None
    marks = [amount(level, step.reached) for step in rules.lock_in]
    distance = None
    if rules.trail is not None:
        distance = amount(level, rules.trail.distance)
        marks.append(amount(level, rules.trail.activates_at))
    if any(mark is not None and peak < mark <= profit for mark in marks):
        return profit
    if distance is None or not _trails(level, profit):
        return None
    return profit if sub(profit, peak) >= step_of(distance, level.currency) else None


def step_of(distance: Decimal, currency: str) -> Decimal:
    """How much more a best must be to count; never less than the currency's smallest amount."""
    unit = minor_unit(currency)
    return max(unit, portion(distance, ONE, of=STEPS, step=unit))


def _trails(level: Level, peak: Decimal) -> bool:
    trail = level.rules.trail
    if trail is None:
        return False
    begins = amount(level, trail.activates_at)
    return (begins is None and trail.activates_at is None) or (begins is not None and peak >= begins)


def bounds(level: Level) -> Iterator[Bound]:
    """The bounds in force, by the best as it stands."""
    rules = level.rules
    loss, goal = amount(level, rules.stop_loss), amount(level, rules.target)
    if loss is not None:
        yield Bound(Rule.STOP_LOSS, neg(loss))
    for step in rules.lock_in:
        reached, floor = amount(level, step.reached), amount(level, step.floor)
        if reached is not None and floor is not None and level.peak >= reached:
            yield Bound(Rule.LOCK_IN, floor)
    distance = amount(level, rules.trail.distance) if rules.trail is not None else None
    if distance is not None and _trails(level, level.peak):
        yield Bound(Rule.TRAIL, sub(level.peak, distance))
    if goal is not None:
        yield Bound(Rule.TARGET, goal)


def breach(level: Level, profit: Decimal) -> Bound | None:
    """The bound that a profit has reached; of several below, the highest, which it has met first."""
    found: Bound | None = None
    for bound in bounds(level):
        if bound.rule is Rule.TARGET:
            if profit >= bound.limit:
                return bound
        elif profit <= bound.limit and (found is None or bound.limit > found.limit):
            found = bound
    return found


def room(bound: Bound, profit: Decimal) -> Decimal:
    """How much more may be lost, or has to be made, before the bound is reached; zero or less: it is."""
    return sub(bound.limit, profit) if bound.rule is Rule.TARGET else sub(profit, bound.limit)
