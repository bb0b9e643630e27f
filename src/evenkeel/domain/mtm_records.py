"""Records of mark-to-market control. What a level counts from, its best and its moments are in them, never worked out
again: the fold knows no prices, clocks or calendars."""

from datetime import date
from decimal import Decimal

from evenkeel.domain.mtm import BreachAction, MtmRules, Plan, Rule, SessionTimes
from evenkeel.domain.panics import Scope
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.record import Record


class MtmRulesSet(Record, frozen=True, tag="mtm.rules/1"):
    """The rules of a level; empty ones take it away. It counts on from its base, where it has one, else from this one.

    `base` is what the level had made in all, `equity` what fractions are of, `day` the account day it counts.
    """

    scope: Scope
    rules: MtmRules
    version: int
    currency: str
    base: Decimal
    equity: Decimal
    day: date
    provenance: Provenance


class MtmBased(Record, frozen=True, tag="mtm.based/1"):
    """A level is armed, and counts from here: a new `day`, it is `flat`, or it was `re-armed`."""

    scope: Scope
    why: str
    base: Decimal
    equity: Decimal
    day: date


class MtmPeak(Record, frozen=True, tag="mtm.peak/1"):
    """The best a level has made since its base, from which it trails and by which steps are locked in."""

    scope: Scope
    peak: Decimal


class MtmBreached(Record, frozen=True, tag="mtm.breached/1"):
    """A rule's `limit` has been reached by `value`; both count from the base. `version` is that of the rules."""

    id: str
    scope: Scope
    rule: Rule
    limit: Decimal
    value: Decimal
    peak: Decimal
    base: Decimal
    equity: Decimal
    currency: str
    action: BreachAction
    version: int


class MtmStopped(Record, frozen=True, tag="mtm.stopped/1"):
    """A level is being closed, and takes no entries before `until` (ns) unless it is armed again.

    `key` names it among what is halted; `only` are the positions concerned, where that is not all of the scope. `wall`
    is the wall clock, 0 in a deterministic run.
    """

    id: str
    key: str
    scope: Scope
    rule: Rule
    until: int
    cooldown: int
    reason: str
    provenance: Provenance
    only: tuple[PositionKey, ...] = ()
    wall: int = 0


class MtmPlanned(Record, frozen=True, tag="mtm.planned/1"):
    """A level's moments in a session of one exchange, done with up to `done` (ns); the next is `next`, 0: none.

    `kept` are the positions that have just been let stay over the night. Without a `plan` none is known.
    """

    scope: Scope
    calendar: str
    plan: Plan | None = None
    done: int = 0
    next: int = 0
    kept: tuple[PositionKey, ...] = ()


class SessionsListed(Record, frozen=True, tag="market.sessions/1"):
    """The coming sessions of an exchange, and its time zone; none where its calendar is not known."""

    calendar: str
    zone: str
    sessions: tuple[SessionTimes, ...]


AnyMtmRecord = MtmRulesSet | MtmBased | MtmPeak | MtmBreached | MtmStopped | MtmPlanned | SessionsListed
