"""Accounts, their limits and their cash ledger. Paper or live is a property of the account, set when it is opened."""

from datetime import date, time
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from evenkeel.domain.clock import SECOND

SEND_BY = 2 * SECOND
"""How long after its decision an order may still be sent."""


class AccountMode(StrEnum):
    PAPER = "paper"
    LIVE = "live"


class AccountType(StrEnum):
    CASH = "cash"
    MARGIN = "margin"


class Readiness(StrEnum):
    """READY after a finished reconcile; until then no order that raises risk. BLOCKED waits for a person."""

    NOT_READY = "NOT_READY"
    READY = "READY"
    BLOCKED = "BLOCKED"


class SendRate(Struct, frozen=True, omit_defaults=True):
    """How fast an account may send to its broker: a token bucket of `burst` that fills at `per_second`.

    In T seconds at most burst + per_second * T requests go out. `reserved` of the tokens, but never all, are kept for
    panics and cancels. `queue` is how many orders may wait for the broker's word before one that adds risk is refused;
    None: as many as can be sent before they would be too late.
    """

    per_second: float
    burst: int
    reserved: int = 2
    queue: int | None = None

    @property
    def most_waiting(self) -> int:
        return self.burst + int(self.per_second * SEND_BY / SECOND) if self.queue is None else self.queue


class Limits(Struct, frozen=True, omit_defaults=True):
    """What an account may do. Shares and fractions are of the account's equity; every rule reads the whole account.

    `None` turns a check off: spelled out, recorded, and shown. `maintenance` is the share of its positions' value that
    equity must cover: a stop closes each of them at the price where it no longer would. `rate` stands in for the one of
    the broker's profile.
    """

    max_position_share: Decimal | None = Decimal("0.10")
    daily_loss: Decimal | None = Decimal("0.02")
    max_trades_per_day: int | None = 100
    allow_short: bool = False
    cash_check: bool = True
    maintenance: Decimal | None = None
    rate: SendRate | None = None


class Financing(Struct, frozen=True, omit_defaults=True):
    """What is paid and earned overnight, as fractions a year (ACT/365), booked at the end of each day of the account.

    `debit` is paid on free cash below zero and `credit` earned above it; `borrow` is paid on the value of shorts. Free
    cash leaves out what short sales brought in.
    """

    debit: float = 0.0
    credit: float = 0.0
    borrow: float = 0.0


class Account(Struct, frozen=True, omit_defaults=True):
    """One account at one broker. Its day ends at `roll` local time of `time_zone`.

    `financing` is for simulated venues, which charge none of their own; None: holding costs and earns nothing.
    """

    id: str
    user_id: str
    name: str
    broker: str
    currency: str
    mode: AccountMode = AccountMode.PAPER
    type: AccountType = AccountType.CASH
    number: str = ""
    costs: str = "zero"
    time_zone: str = "America/New_York"
    roll: time = time(17, 0)
    limits: Limits = Limits()
    financing: Financing | None = None


class LedgerKind(StrEnum):
    TRADE = "trade"
    FEE = "fee"
    TAX = "tax"
    DIVIDEND = "dividend"
    INTEREST = "interest"
    FUNDING = "funding"
    BORROW = "borrow"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    TRANSFER = "transfer"
    FX = "fx"
    CORRECTION = "correction"


class LedgerEntry(Struct, frozen=True, omit_defaults=True, gc=False):
    """One line of the append-only cash ledger; a balance is the sum per currency."""

    account_id: str
    book: str
    currency: str
    kind: LedgerKind
    amount: Decimal
    value_date: date
    component: str = ""
    order_id: str | None = None


MANUAL = "manual"
UNASSIGNED = "unassigned"
