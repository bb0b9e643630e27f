"""The journal's records of layered limits: the rules of a layer, where a day of it ended, how deep it has fallen."""

from decimal import Decimal

from msgspec import field

from evenkeel.domain.limits import LimitScope, RuleSet, Tier
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.record import Record


class ScopeLimitsChanged(Record, frozen=True, tag="limits.scope/1"):
    """The rules of a layer other than an account's; none at all takes it away.

    `results` is what each account of its reach had made by then, where losses or a drawdown are measured from now on.
    """

    scope: LimitScope
    rules: RuleSet
    version: int
    provenance: Provenance
    results: dict[str, Decimal] = field(default_factory=dict)


class ScopeDayClosed(Record, frozen=True, tag="limits.day/1"):
    """What an account had made in a layer's reach by the end of its day: the next day's losses count from there.

    `best` is the most that the reach has made at any such moment, in the account's currency; None: no more than before.
    """

    scope: LimitScope
    account_id: str
    result: Decimal
    best: Decimal | None = None


class DrawdownMoved(Record, frozen=True, tag="limits.drawdown/1"):
    """A drawdown has reached another tier. HALT is left only by a person, who has it `lifted` and measured anew.

    Lifted, `index` is the growth at which an account stood, `best` what a layer's reach had made, by currency.
    """

    scope: LimitScope
    tier: Tier
    drawdown: Decimal
    limit: Decimal | None = None
    lifted: bool = False
    index: float | None = None
    best: dict[str, Decimal] = field(default_factory=dict)
    provenance: Provenance | None = None


class RejectsHalted(Record, frozen=True, tag="limits.rejects/1"):
    """Too many orders of an account came to nothing within `window` seconds, so that it takes no more entries: `count`
    of them, where `limit` is too many. With `lifted` a person lets it trade again, and they are counted anew."""

    account_id: str
    count: int = 0
    limit: int = 0
    window: int = 0
    lifted: bool = False
    provenance: Provenance | None = None


AnyLimitRecord = ScopeLimitsChanged | ScopeDayClosed | DrawdownMoved | RejectsHalted
