"""What holding a position costs or earns: interest, borrow fees, funding of perpetuals, dividends.

Kernels of floats and ints. Every amount is a cash flow in the currency of its value: positive is received, negative is
paid. Interest is simple: value x rate x days / year, the year having 360 or 365 days by the day-count convention
(ACT/360: most money markets; ACT/365 fixed: sterling, Canadian, Australian and Indian ones; ISDA Definitions 2006,
section 4.16 (d) and (e)). Nights over a weekend count three.

How a backtest carries, in either engine (`Terms.financing`, `Terms.credit`, `Terms.borrow`; ACT/365):

- A *night* is one end of the account's day, `day_roll`: midnight UTC where every instrument trades around the clock
  (calendar 24/7), else 17:00 in New York, which lies outside the sessions of every exchange. Weekends and holidays have
  nights like other days.
- A moment is a bar's close. `nights` gives each moment the nights since the moment before it: a night that falls on a
  moment itself is counted at the next one, as what was held at that close was held over that night. The nights before
  the first moment and after the last are not charged.
- They are booked at that moment before anything else of it: before its splits, then its dividends, then its fills (be
  they at the bar's open or inside it). So they are on cash and holdings as the moment before left them, valued at the
  marks of then: last closes on the tick grid. Several nights of one gap are one booking on the same balance, which
  does not compound within the gap.
- Interest is on *free* cash, `cash + the market value of all shorts` (a negative amount), since what a short sale
  brought in lies with the lender: `financing(free, debit_rate, credit_rate, nights, year)`, one amount for the account.
- The borrow fee is `borrow_fee(quantity x mark x multiplier, rate, nights, year)`, one amount an instrument that is
  short, each on the mark itself, without a lender's mark-up.
- Where money is exact each amount is rounded half to even to `CARRY_STEP` of the currency when it is booked (kinds
  INTEREST and BORROW); where it is counted in float64 it is not rounded. Half a step a booking is the difference.
- A dividend goes to what is held before the bar that first opens on its ex-date or later, after that moment's interest
  and in the shares before a split of the same bar: quantity x amount x multiplier exactly, paid by a short holder.
"""

from collections.abc import Iterable
from datetime import time, timedelta
from decimal import Decimal
from math import ceil

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from evenkeel.domain.clock import day_bounds, session_date
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.instruments import AROUND_THE_CLOCK
from evenkeel.quant.kernels import kernel

Ints = npt.NDArray[np.int64]

DAY = 86_400_000_000_000
CARRY_STEP = Decimal("0.00000001")
DAY_COUNTS = {"ACT/360": 360.0, "ACT/365": 365.0}


class Carry(Struct, frozen=True, omit_defaults=True):
    """What an account pays and earns by the year, as fractions; all are zero by default.

    `debit_rate` is paid on negative cash and `credit_rate` earned on positive, `borrow_rate` is paid on the value of
    shorts. `roll` is the time of day, in nanoseconds after midnight UTC, at which a night is counted. `withholding` is
    the share of a dividend kept from its receiver by taxation.
    """

    debit_rate: float = 0.0
    credit_rate: float = 0.0
    borrow_rate: float = 0.0
    withholding: float = 0.0
    day_count: str = "ACT/360"
    roll: int = 0

    def __post_init__(self) -> None:
        rates = ("debit_rate", "credit_rate", "borrow_rate")
        faults = [
            FieldError(name, f"expected a fraction a year such as 0.05, not {getattr(self, name)}")
            for name in rates
            if not -1 < getattr(self, name) < 100
        ]
        if not 0 <= self.withholding <= 1:
            faults.append(FieldError("withholding", f"expected a fraction from 0 to 1, not {self.withholding}"))
        if self.day_count not in DAY_COUNTS:
            faults.append(FieldError("day_count", f"expected one of {', '.join(DAY_COUNTS)}, not {self.day_count!r}"))
        if not 0 <= self.roll < DAY:
            faults.append(FieldError("roll", f"expected nanoseconds of a day, not {self.roll}"))
        if faults:
            raise InvalidInput("the carrying costs are not valid", errors=tuple(faults))

    @property
    def year(self) -> float:
        """The days of a year by the convention."""
        return DAY_COUNTS[self.day_count]


def day_roll(calendars: Iterable[str]) -> tuple[str, time]:
    """(time zone, local time) at which the day of an account ends that trades instruments of these calendars."""
    if all(name == AROUND_THE_CLOCK for name in calendars):
        return "UTC", time(0)
    return "America/New_York", time(17)


def nights(moments: Ints, zone: str, roll: time) -> Ints:
    """For each of the rising `moments` (ns) how many days of the account ended at the one before it or later, and
    before it; 0 for the first.
    """
    if not len(moments):
        return np.zeros(0, dtype=np.int64)
    past = np.searchsorted(_ends(moments, zone, roll), moments)
    return np.diff(past, prepend=past[0]).astype(np.int64)


def days_at(moments: Ints, zone: str, roll: time) -> tuple[Ints, Ints]:
    """(number from 1, end in ns) of the account's day that holds each of the rising `moments` (ns)."""
    if not len(moments):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    ends = _ends(moments, zone, roll)
    number = np.searchsorted(ends, moments, side="right")
    return number.astype(np.int64), ends[number]


def _ends(moments: Ints, zone: str, roll: time) -> Ints:
    """The ends of days (ns), from that of the day before the first moment to that of the last one's day."""
    day, last = session_date(int(moments[0]), zone, roll), int(moments[-1])
    ends = [day_bounds(day, zone, roll)[0]]
    while ends[-1] <= last:
        ends.append(day_bounds(day, zone, roll)[1])
        day += timedelta(days=1)
    return np.array(ends, dtype=np.int64)


@kernel
def rolls(before: int, after: int, interval: int, phase: int) -> int:
    """How many of the moments phase, phase + interval, … lie after `before` and up to and including `after`.

    With the interval of a day these are the nights a position was held; with eight hours, its funding times.
    """
    return (after - phase) // interval - (before - phase) // interval


@kernel
def financing(cash: float, debit_rate: float, credit_rate: float, days: float, year: float) -> float:
    """The interest on a cash balance: paid where it is negative, earned where it is positive."""
    return cash * (debit_rate if cash < 0.0 else credit_rate) * days / year


@kernel
def borrow_fee(value: float, rate: float, days: float, year: float) -> float:
    """The fee for borrowing what was sold short; `value` = quantity x price x multiplier, negative for a short."""
    return value * rate * days / year if value < 0.0 else 0.0


@kernel
def collateral_price(price: float, markup: float, step: float) -> float:
    """The price on which a lender charges: marked up and rounded up to a multiple of `step` (US: 1.02 and 1.00).

    Source: Interactive Brokers, "Interest and financing: calculations". Noise below a billionth of a step is dropped.
    """
    return ceil(price * markup / step - 1e-9) * step


@kernel
def funding(value: float, rate: float) -> float:
    """One payment of a perpetual's funding: at a positive rate longs pay and shorts receive `rate` of the value.

    `value` = quantity x mark price x multiplier, negative for a short.
    """
    return -value * rate


@kernel
def dividend(quantity: float, amount: float, withholding: float) -> float:
    """A cash dividend of `amount` a share: a holder receives it less tax, a short seller owes the lender all of it."""
    return quantity * amount * (1.0 - withholding) if quantity > 0.0 else quantity * amount
