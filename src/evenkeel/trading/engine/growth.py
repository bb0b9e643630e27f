"""How an account has done, whatever was paid in and out: the time-weighted return and the fall from its highest.

Periods between payments are chained, each by its own growth (GIPS, time-weighted rate of return); what the account is
worth at a payment ends one and begins the next, so that a payment alone changes nothing.
"""

from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.money import ZERO, add, ratio


class Growth(Struct):
    """`index` is what 1 put in at the start had become when the account was worth `base`; `peak` is the highest seen.

    `high` is the highest by which limits measure a drawdown; it begins anew where a person lifts a halt.
    Of an account that is worth nothing there is nothing to grow, and of one that has lost everything nothing is left.
    """

    index: float = 1.0
    base: Decimal = ZERO
    peak: float = 1.0
    high: float = 1.0

    def at(self, equity: Decimal) -> float:
        """The index at an equity."""
        return max(0.0, self.index * float(ratio(equity, self.base))) if self.base > 0 else self.index

    def drawdown(self, equity: Decimal) -> float:
        """How far the index lies below its peak at an equity, as a positive fraction of the peak."""
        return max(0.0, 1.0 - self.at(equity) / self.peak)

    def fallen(self, equity: Decimal) -> Decimal:
        """The drawdown that limits read: a fraction of `high`, to nine places, so that a limit can be met exactly."""
        return Decimal(f"{max(0.0, 1.0 - self.at(equity) / self.high):.9f}")

    def see(self, equity: Decimal) -> None:
        """Counts an equity at which the account has stood."""
        at = self.at(equity)
        self.peak, self.high = max(self.peak, at), max(self.high, at)

    def paid(self, amount: Decimal, equity: Decimal) -> None:
        """Takes a payment, in (positive) or out, into an account that was worth `equity` just before."""
        self.see(equity)
        self.index, self.base = self.at(equity), add(equity, amount)
