"""Mark-to-market control: rules on what a level has made since its basis, and on when its positions must be closed.

A level is a scope: an instrument in an account, a strategy (in one account or in all of them), an account, or a user.
"""

from datetime import date, time
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from evenkeel.domain.money import minor_unit, mul, rounded
from evenkeel.domain.orders import Product
from evenkeel.domain.panics import COOLDOWN

LEEWAY = 5
"""Minutes before a session's close: what a clock time stands for on a day that closes at that time or earlier."""


class Basis(StrEnum):
    """From when profit counts: the start of the account's day, or the moment the level last held nothing."""

    DAY = "day"
    ENTRY = "entry"


class Watch(StrEnum):
    """What is looked at: every price that the engine sees and every fill, or the closes of bars only."""

    PRICE = "price"
    BAR = "bar"


class BreachAction(StrEnum):
    """What a breach does: close the level for the day, or press its panic, which ends only by being resumed."""

    CLOSE = "close"
    HALT = "halt"


class Rule(StrEnum):
    """What can close a level: a rule on its profit, or one of its times."""

    STOP_LOSS = "stop-loss"
    TARGET = "target"
    TRAIL = "trail"
    LOCK_IN = "lock-in"
    SQUARE_OFF = "square-off"
    END_OF_DAY = "end-of-day"


class Measure(Struct, frozen=True, omit_defaults=True):
    """A positive amount in the level's currency or, where `of_equity`, a fraction of its equity at the day's start."""

    value: Decimal
    of_equity: bool = False

    def amount(self, equity: Decimal, currency: str) -> Decimal:
        """In money; a fraction is rounded half to even to the currency's minor unit."""
        return rounded(mul(self.value, equity), minor_unit(currency)) if self.of_equity else self.value


class Trail(Struct, frozen=True, omit_defaults=True):
    """A floor `distance` below the best profit, in force once that has reached `activates_at`; None: from the start."""

    distance: Measure
    activates_at: Measure | None = None


class LockIn(Struct, frozen=True):
    """Profit that has `reached` one mark is not given back below `floor`."""

    reached: Measure
    floor: Measure


class Carry(StrEnum):
    """Which positions of the products named may stay when the day ends."""

    NONE = "none"
    ALL = "all"
    WINNERS = "winners"


class DayRules(Struct, frozen=True, omit_defaults=True):
    """Times by the calendar of each instrument's exchange; clock times are the exchange's own.

    `no_entries_after`: only what reduces is taken from then to the close. `square_off_at`: everything is closed.
    `end_of_day`: that many minutes before the close MIS positions are closed, and those of `products` too unless
    `carry` lets them stay: none, all, or those in profit, `carry_days` nights at most, and not over the night after
    the ISO weekdays `not_over` (5 is Friday). `expiry`: what expires that day is closed with them.
    """

    no_entries_after: time | None = None
    square_off_at: time | None = None
    end_of_day: int | None = None
    products: tuple[Product, ...] = ()
    carry: Carry = Carry.NONE
    carry_days: int | None = None
    not_over: tuple[int, ...] = ()
    expiry: bool = True

    @property
    def has_times(self) -> bool:
        return (self.no_entries_after, self.square_off_at, self.end_of_day) != (None, None, None)


class MtmRules(Struct, frozen=True, omit_defaults=True):
    """The rules of one level; None is not used. A rule is breached when its amount is reached, to the cent.

    `cooldown` (ns) must pass before a level that was closed is armed again by hand, or a halt resumed.
    """

    stop_loss: Measure | None = None
    target: Measure | None = None
    trail: Trail | None = None
    lock_in: tuple[LockIn, ...] = ()
    basis: Basis = Basis.DAY
    watch: Watch = Watch.PRICE
    action: BreachAction = BreachAction.CLOSE
    cooldown: int = COOLDOWN
    day: DayRules = DayRules()

    @property
    def has_amounts(self) -> bool:
        """Whether a profit or loss can breach it."""
        return bool(self.lock_in) or (self.stop_loss, self.target, self.trail) != (None, None, None)

    @property
    def is_empty(self) -> bool:
        return not (self.has_amounts or self.day.has_times)


class SessionTimes(Struct, frozen=True):
    """One session of an exchange, dated by its own day: [open, close) in ns UTC."""

    date: date
    open: int
    close: int


class Plan(Struct, frozen=True, omit_defaults=True):
    """A level's moments (ns) in one session of one exchange; 0: there is none."""

    session: SessionTimes
    no_entries: int = 0
    square_off: int = 0
    end_of_day: int = 0
