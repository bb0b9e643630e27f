"""What holding a position costs or earns: interest, borrow fees, funding of perpetuals, dividends.

Kernels of floats and ints. Every amount is a cash flow in the currency of its value: positive is received, negative is
paid. Interest is simple: value x rate x days / year, the year having 360 or 365 days by the day-count convention
(ACT/360: most money markets; ACT/365 fixed: sterling, Canadian, Australian and Indian ones; ISDA Definitions 2006,
section 4.16 (d) and (e)). Nights over a weekend count three.
"""

from math import ceil

from msgspec import Struct

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.quant.kernels import kernel

DAY = 86_400_000_000_000
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
