"""How gains are taxed in an account: its status, its rates, and which lots a sale closes; each from a day on.

None of it is in the journal: trading never reads it, and a person's rates can be erased.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from evenkeel.domain.errors import FieldError
from evenkeel.domain.money import ONE, ZERO, is_multiple

LONG_AFTER = 365
"""Days after which a gain is long-term, where nothing else is said."""
WASH_DAYS = 30
MOST_SETTINGS = 100
BEGINNING = date(1, 1, 1)
_LONGEST = 36_500
_FINEST = Decimal("0.000001")


class TaxStatus(StrEnum):
    """Gains are taxed when they are realised, when money is taken out of the account, or never."""

    TAXABLE = "taxable"
    DEFERRED = "tax-deferred"
    FREE = "tax-free"


class LotMethod(StrEnum):
    """Which lots a sale closes first: the oldest, the newest, the dearest, the cheapest, or those of least tax."""

    FIFO = "fifo"
    LIFO = "lifo"
    HIGHEST_COST = "highest-cost"
    LOWEST_COST = "lowest-cost"
    MIN_TAX = "min-tax"


class TaxTerms(Struct, frozen=True):
    """`short` and `long` are the shares of a gain that are paid: of one held for `days` or less, and for longer. A loss
    is worth the same share. Outside a taxable account both count as 0."""

    status: TaxStatus = TaxStatus.TAXABLE
    short: Decimal = ZERO
    long: Decimal = ZERO
    days: int = LONG_AFTER
    method: LotMethod = LotMethod.FIFO

    @property
    def is_taxed(self) -> bool:
        return self.status is TaxStatus.TAXABLE

    def rate(self, *, long: bool) -> Decimal:
        """The share of a gain that is tax."""
        if not self.is_taxed:
            return ZERO
        return self.long if long else self.short


UNTOLD = TaxTerms()
"""Where nothing is said: the oldest lots first, and no rates."""


class TaxSetting(Struct, frozen=True):
    """The terms of an account from `since` on."""

    account_id: str
    user_id: str
    since: date
    terms: TaxTerms


def in_force(settings: Sequence[TaxSetting], day: date) -> TaxTerms | None:
    """The terms on a day, of settings from the earliest to the latest; None where there are none yet."""
    known = [one.terms for one in settings if one.since <= day]
    return known[-1] if known else None


def term_faults(terms: TaxTerms) -> list[FieldError]:
    """What makes no sense of the terms, by field."""
    faults = [
        FieldError(name, f"a share from 0 to 1 with at most 6 decimal places, such as 0.25, not {value}")
        for name, value in (("short", terms.short), ("long", terms.long))
        if not is_multiple(value, _FINEST) or not 0 <= value <= ONE
    ]
    if not terms.is_taxed and (terms.short or terms.long):
        faults.append(FieldError("status", f"gains in a {terms.status} account have no rates; leave them out"))
    if not 0 <= terms.days <= _LONGEST:
        faults.append(FieldError("days", f"0 to {_LONGEST} days, not {terms.days}"))
    return faults
