"""When a portfolio is rebalanced by itself, to what, and what became of each time that it was due.

A moment that is due has one run, whose id follows from the portfolio and the moment: whatever dies in between, nothing
is done twice.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct, field

from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import FieldError
from evenkeel.domain.execution import Execution, execution_faults
from evenkeel.domain.ids import derived
from evenkeel.domain.money import ONE, ZERO, mul, sub
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.rebalancing import Rebalance, RebalanceEnded, RebalanceStarted
from evenkeel.domain.record import Record

MINUTE = 60 * SECOND
OPTIONS = ("target", "tolerance", "aversion", "confidence", "doubt")
HALF_HOUR, HOUR, LATE, DAY = 30 * MINUTE, 60 * MINUTE, 240 * MINUTE, 1440 * MINUTE


class Cadence(StrEnum):
    """BAND: whenever a weight is beyond its band, which is looked at every so often while the market is open."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    BAND = "band"


class Mode(StrEnum):
    """PROPOSE: a person approves of each; TRADE: it is sent at once."""

    PROPOSE = "propose"
    TRADE = "trade"


class Reach(StrEnum):
    """What is traded where a weight is beyond its band: ALL back to their targets, or those BEYOND alone."""

    ALL = "all"
    BEYOND = "beyond"


class Bands(Struct, frozen=True, omit_defaults=True):
    """How far a weight may be off: `absolute` of the portfolio, or `relative`, as a share of its own target."""

    absolute: Decimal | None = None
    relative: Decimal | None = None
    reach: Reach = Reach.ALL

    @property
    def is_open(self) -> bool:
        """Whether there is no band: every weight is brought to its target."""
        return self.absolute is None and self.relative is None

    def beyond(self, held: Mapping[str, Decimal], target: Mapping[str, Decimal]) -> frozenset[str]:
        """The names whose weights are off by more than either band allows."""
        found = set[str]()
        for name in {*held, *target}:
            wanted = target.get(name, ZERO)
            off = abs(sub(held.get(name, ZERO), wanted))
            far = self.absolute is not None and off > self.absolute
            if far or (self.relative is not None and off > mul(self.relative, abs(wanted))):
                found.add(name)
        return frozenset(found)


class Aim(Struct, frozen=True, omit_defaults=True):
    """What is wanted: `weights` by instrument, or the `objective` of these instruments, found anew each time; "" is the
    portfolio's own tolerance of risk. The rest is as `evenkeel.optimize` takes it, over the last `days` returns;
    `benchmark` has weights by instrument."""

    weights: dict[str, Decimal] = field(default_factory=dict)
    instrument_ids: tuple[str, ...] = ()
    objective: str = ""
    constraints: tuple[str, ...] = ()
    days: int = 500
    least: float = 0.0
    most: float = 1.0
    covariance: str = "sample"
    mean: str = "historical"
    risk_free: float = 0.0
    target: float | None = None
    tolerance: float | None = None
    aversion: float | None = None
    confidence: float | None = None
    doubt: float | None = None
    benchmark: dict[str, float] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, float]:
        """The options of the objective that are given."""
        given = {name: getattr(self, name) for name in OPTIONS}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def names(self) -> tuple[str, ...]:
        """The instruments it is made of."""
        return self.instrument_ids or tuple(self.weights)


class Timing(Struct, frozen=True, omit_defaults=True):
    """`after_open`, or `before_close` in its place, of the `last` session of each period, else of the first (ns).

    Bands are looked at from then on, one `every` so often. What is later than `max_age` is left out.
    """

    cadence: Cadence
    after_open: int = HALF_HOUR
    before_close: int | None = None
    last: bool = False
    every: int = HOUR
    max_age: int = LATE


class Schedule(Struct, frozen=True, omit_defaults=True):
    """`buffer` is the share that stays in cash, `least` the least value of a trade. A proposal waits for `expires` (ns)
    to be approved of."""

    timing: Timing
    aim: Aim
    mode: Mode = Mode.PROPOSE
    bands: Bands = Bands()
    buffer: Decimal = ZERO
    least: Decimal = ZERO
    execution: Execution | None = None
    expires: int = DAY


class RunState(StrEnum):
    """PROPOSED waits for a person; SENT: there is a rebalance of the run's id; NOTHING was to be traded; SKIPPED: too
    late; FAILED: nothing was traded, for a reason; the others are ends of proposals, REPLACED by a newer one."""

    PROPOSED = "PROPOSED"
    SENT = "SENT"
    NOTHING = "NOTHING"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    DECLINED = "DECLINED"
    REPLACED = "REPLACED"


class Run(Struct, frozen=True, omit_defaults=True):
    """What became of the moment `due` (ns). `rebalance` bears the run's id; `expires` (ns) is a proposal's end."""

    id: str
    portfolio_id: str
    due: int
    state: RunState
    reason: str = ""
    rebalance: Rebalance | None = None
    expires: int = 0


class ScheduleSet(Record, frozen=True, tag="rebalance.schedule/1"):
    """From here on a portfolio is rebalanced by this schedule, or by none."""

    portfolio_id: str
    provenance: Provenance
    schedule: Schedule | None = None


class RunOpened(Record, frozen=True, tag="rebalance.run/1"):
    """A moment that was due has been dealt with."""

    run: Run
    provenance: Provenance


class RunClosed(Record, frozen=True, tag="rebalance.run-closed/1"):
    """A proposal waits no more."""

    id: str
    portfolio_id: str
    state: RunState
    reason: str = ""
    provenance: Provenance | None = None


AnyRebalanceRecord = RebalanceStarted | RebalanceEnded | ScheduleSet | RunOpened | RunClosed


def run_id(portfolio_id: str, due: int) -> str:
    """The id of the run of a moment."""
    return derived(f"rebalance:{portfolio_id}:{due}")


def schedule_faults(this: Schedule) -> list[FieldError]:
    """What makes no sense of a schedule, by field."""
    timing, aim, bands = this.timing, this.aim, this.bands
    found = execution_faults(this.execution) if this.execution is not None else []
    if bool(aim.weights) is bool(aim.instrument_ids):
        found.append(FieldError("targets", "give either targets or an objective to optimise"))
    if not (0 <= this.buffer < ONE):
        found.append(FieldError("buffer", "from 0 to below 1: with 1 nothing would be invested"))
    for name, band in (("band", bands.absolute), ("relative_band", bands.relative)):
        if band is not None and not 0 < band <= 1:
            found.append(FieldError(name, f"above 0, to 1, not {band}"))
    if timing.cadence is Cadence.BAND and timing.last:
        found.append(FieldError("last", "is of a period, and bands are looked at each day: leave it out"))
    if timing.cadence is Cadence.DAILY and timing.last:
        found.append(FieldError("last", "is of a week, a month or a quarter: a day has one session. Leave it out"))
    if timing.cadence is Cadence.BAND and bands.is_open:
        found.append(FieldError("band", "is required: the cadence `band` goes by how far a weight is off"))
    if bands.reach is Reach.BEYOND and bands.is_open:
        found.append(FieldError("trade", "those beyond their bands: give a band, or a relative one"))
    spans = {"after_open": timing.after_open, "before_close": timing.before_close or 0}
    found += [FieldError(name, "from 0 to a day") for name, span in spans.items() if not 0 <= span < DAY]
    if timing.every < MINUTE:
        found.append(FieldError("every", "a minute at least"))
    found += [
        FieldError(name, "a minute at least")
        for name, span in (("max_age", timing.max_age), ("expires", this.expires))
        if span < MINUTE
    ]
    return found
