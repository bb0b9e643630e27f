"""Accounts, their limits and their cash ledger. Paper or live is a property of the account, set when it is opened."""

from datetime import date, time
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct


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


class Limits(Struct, frozen=True, omit_defaults=True):
    """What an account may do. Shares and fractions are of the account's equity; every rule reads the whole account.

    `None` turns a check off: spelled out, recorded, and shown.
    """

    max_position_share: Decimal | None = Decimal("0.10")
    daily_loss: Decimal | None = Decimal("0.02")
    max_trades_per_day: int | None = 100
    allow_short: bool = False
    cash_check: bool = True


class Account(Struct, frozen=True, omit_defaults=True):
    """One account at one broker. Its day ends at `roll` local time of `time_zone`."""

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


class LedgerEntry(Struct, frozen=True, omit_defaults=True):
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
