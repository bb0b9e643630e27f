"""Portfolios: money set apart, with one book of its own in each account it trades, and the strategies it has adopted.

A portfolio owns the book that bears its id. It may adopt the book of a strategy in one of its accounts; a book belongs
to at most one portfolio at a time, and a membership is dated. The account stays what the broker knows: a portfolio
attributes a part of it.
"""

from datetime import date
from decimal import Decimal

from msgspec import Struct, field

from evenkeel.domain.accounts import MANUAL, UNASSIGNED, LedgerEntry
from evenkeel.domain.errors import FieldError
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.record import Record

HALF = Decimal("0.5")
MOST_ACCOUNTS = 200
RESERVED = frozenset({MANUAL, UNASSIGNED})
"""Names that mean a book already."""


class Portfolio(Struct, frozen=True, omit_defaults=True):
    """`currency` is that of all its accounts. `strategy` says in words what it is for, which nothing reads;
    `risk_tolerance` is where on the frontier it is to be, from 0 (least variance) to 1 (most return), when it is
    rebalanced without an objective. The limits it has are those of its layer.
    """

    id: str
    user_id: str
    name: str
    currency: str
    account_ids: tuple[str, ...]
    strategy: str = ""
    risk_tolerance: Decimal = HALF
    archived: bool = False


class Place(Struct, frozen=True, omit_defaults=True):
    """A book in an account: where a payment comes from or goes to."""

    account_id: str
    book: str = MANUAL


class PortfolioChange(Struct, frozen=True):
    """None keeps what stands; `account_ids` are those it trades from now on, too."""

    name: str | None = None
    strategy: str | None = None
    risk_tolerance: Decimal | None = None
    account_ids: tuple[str, ...] = ()


class Span(Struct, frozen=True):
    """A book of an account over a stretch of the journal, by sequence, or, without `book`, all of the account."""

    account_id: str
    book: str | None = None
    since: int = 0
    until: int | None = None


class Wanted(Struct, frozen=True):
    """Which transactions: of a type, of an instrument, from `start` on and before `end` (ns)."""

    type: str | None = None
    instrument_id: str | None = None
    start: int | None = None
    end: int | None = None


class PortfolioChanged(Record, frozen=True, tag="portfolio.changed/1"):
    """A portfolio as it is from here on; the first one makes it."""

    portfolio: Portfolio
    provenance: Provenance


class BookMoved(Record, frozen=True, tag="portfolio.book/1"):
    """A strategy's book in an account has joined a portfolio, or left it.

    It brought, or took away, `worth`; the portfolio was worth `value` just before.
    """

    portfolio_id: str
    account_id: str
    book: str
    joins: bool
    worth: Decimal
    value: Decimal
    provenance: Provenance


class CashTransferred(Record, frozen=True, tag="cash.transferred/1"):
    """Cash moved between books, of one account or of two: the entries add up to nothing.

    `equity` is what each account was worth just before, where there are two, `values` what each portfolio was.
    """

    entries: tuple[LedgerEntry, ...]
    provenance: Provenance
    equity: dict[str, Decimal] = field(default_factory=dict)
    values: dict[str, Decimal] = field(default_factory=dict)


class PortfolioDayClosed(Record, frozen=True, tag="portfolio.day-closed/1"):
    """What a portfolio was worth at the end of a day of its first account, and how it has done until then.

    `growth` is time-weighted, 1 where it began, `drawdown` its fall from the highest, positive. The ratios are over all
    days so far, annualised by `periods` a year; None where they are not defined. `trades` are the round trips closed,
    of which `wins` made something. `holdings` are signed market values by instrument.
    """

    id: str
    portfolio_id: str
    session_date: date
    value: Decimal
    cash: Decimal
    contributed: Decimal
    growth: float
    drawdown: float
    periods: float
    volatility: float | None = None
    sharpe: float | None = None
    sortino: float | None = None
    trades: int = 0
    wins: int = 0
    holdings: dict[str, Decimal] = field(default_factory=dict)


AnyPortfolioRecord = PortfolioChanged | BookMoved | CashTransferred | PortfolioDayClosed


def name_faults(name: str) -> list[FieldError]:
    """What makes a name no name of a portfolio."""
    if name.casefold() in RESERVED:
        return [FieldError("name", f"{name!r} already means a book; choose another name")]
    return []


def tolerance_faults(tolerance: Decimal) -> list[FieldError]:
    if not (tolerance.is_finite() and 0 <= tolerance <= 1):
        return [FieldError("risk_tolerance", f"from 0 (careful) to 1, not {tolerance}")]
    return []
