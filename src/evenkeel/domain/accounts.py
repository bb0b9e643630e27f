"""Accounts, their limits and their cash ledger. Paper or live is a property of the account, set when it is opened."""

from datetime import date, time
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import FieldError
from evenkeel.domain.limits import RuleSet

SEND_BY = 2 * SECOND
"""How long after its decision an order may still be sent."""
_TO_SPARE = SECOND // 4
"""Of that, what its commit and the request itself may take."""


class AccountMode(StrEnum):
    """Simulated fills (PAPER; WALKFORWARD, of a session) or real ones; fixed when the account is opened."""

    PAPER = "paper"
    LIVE = "live"
    WALKFORWARD = "walkforward"


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
    None: as many as can be sent before they would be too late, with no token at hand when the first of them waits.
    """

    per_second: float
    burst: int
    reserved: int = 2
    queue: int | None = None

    @property
    def kept(self) -> int:
        """The tokens that orders may not have."""
        return max(0, min(self.reserved, self.burst - 1))

    @property
    def most_waiting(self) -> int:
        if self.queue is not None:
            return self.queue
        return max(self.burst - self.kept, int(self.per_second * (SEND_BY - _TO_SPARE) / SECOND))


class Limits(RuleSet, frozen=True, omit_defaults=True):
    """What an account may do: the rules of its layer, three of which are on by default, and what only accounts have.

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


class Marking(StrEnum):
    """What values an account's positions: the last price of any kind, or that of the last finished bar."""

    TICK = "tick"
    BAR = "bar"


class FillTerms(Struct, frozen=True, omit_defaults=True):
    """On which terms a simulated venue fills one account's orders, and how what it holds is valued.

    Orders and changes arrive `latency` (ns) after they were sent, on a market that is `delay` (ns) ahead of the one the
    account goes by. `spread` is a set share of the price, None: as quote or bar say; `spread_share` of it, from the
    middle on, is paid by whoever takes liquidity from a bar, and `slippage_bps` and `impact` as `quant.costs.Slippage`
    says. `participation` is the share of a bar's volume that the account's orders may take, None: any. With `queue`, a
    resting limit that the market only touches waits behind that share of the touching bar's volume. `margin` is the
    share of a position's value that it is estimated to tie up.
    """

    latency: int = 0
    delay: int = 0
    spread: float | None = None
    spread_share: float = 0.5
    slippage_bps: float = 0.0
    impact: float = 0.0
    participation: float | None = 0.10
    queue: float | None = None
    marking: Marking = Marking.TICK
    margin: float = 1.0


_LONGEST_LATENCY, _LONGEST_DELAY = 60 * SECOND, 24 * 3600 * SECOND
_TERMS = (
    ("latency", 0, _LONGEST_LATENCY, "0 to 60 seconds"),
    ("delay", 0, _LONGEST_DELAY, "0 to 24 hours"),
    ("spread", 0, 1, "a share of the price from 0, below 1"),
    ("spread_share", 0, 10, "0 (the middle), 0.5 (the touch) or more, to 10"),
    ("slippage_bps", 0, 10_000, "0 to 10000 basis points"),
    ("impact", 0, 10, "a fraction of the price from 0 to 10"),
    ("participation", 0, 1, "a share of a bar's volume above 0, to 1"),
    ("queue", 0, 1000, "a share of a bar's volume from 0, such as 0.2"),
    ("margin", 0, 1, "a share of a position's value above 0, to 1"),
)


def term_faults(terms: FillTerms) -> list[FieldError]:
    """What makes no sense of the terms, by field."""
    faults = []
    for name, least, most, expected in _TERMS:
        value = getattr(terms, name)
        is_wrong = value is not None and not least <= value <= most
        if is_wrong or (value == 0 and name in ("participation", "margin")) or (value == 1 and name == "spread"):
            faults.append(FieldError(f"terms.{name}", f"expected {expected}, not {value}"))
    return faults


class Account(Struct, frozen=True, omit_defaults=True):
    """One account at one broker. Its day ends at `roll` local time of `time_zone`.

    `financing` and `terms` are for simulated venues. Without the first, holding costs and earns nothing; without
    `terms`, orders fill as the venue itself does, and accounts share what a bar has to trade.
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
    terms: FillTerms | None = None

    @property
    def is_simulated(self) -> bool:
        """Whether no order of it may ever reach a real venue."""
        return self.mode is not AccountMode.LIVE


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


EXTERNAL_FLOWS = frozenset({LedgerKind.DEPOSIT, LedgerKind.WITHDRAWAL, LedgerKind.TRANSFER})
"""What comes in or goes out, and is neither gained nor lost."""


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
