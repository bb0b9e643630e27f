"""Limits in layers: one set of rules that an instrument, a strategy, a portfolio, an account, a user and the platform
may each have.

A layer says what its rules read (its reach); every layer an order falls under must let it pass, so that one layer can
only tighten what the others allow. `None` is a rule that is off.
"""

import re
from datetime import time
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.money import is_bookable

LONGEST_PAUSE = 30 * 24 * 3600
MOST_WINDOWS = 20
MOST_REJECTS = 1000
LONGEST_REJECTS = 24 * 3600


class Layer(StrEnum):
    """In the order in which they are asked."""

    INSTRUMENT = "instrument"
    STRATEGY = "strategy"
    PORTFOLIO = "portfolio"
    ACCOUNT = "account"
    USER = "user"
    PLATFORM = "platform"


class LimitScope(Struct, frozen=True, omit_defaults=True):
    """Whom a layer covers: `id` names the instrument, deployment, portfolio, account or user; the platform has none.

    An instrument's layer is that of one user's accounts, or without `user_id` of everybody's.
    """

    kind: Layer
    id: str = ""
    user_id: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.id}@{self.user_id}" if self.user_id else f"{self.kind}:{self.id}"

    def covers_account(self, account_id: str, user_id: str) -> bool:
        """Whether it reads a user's account: all of it, or what the account has in its instrument or strategy."""
        match self.kind:
            case Layer.ACCOUNT:
                return self.id == account_id
            case Layer.USER:
                return self.id == user_id
            case Layer.INSTRUMENT:
                return self.user_id in ("", user_id)
        return True


class Window(Struct, frozen=True, omit_defaults=True):
    """Hours of the day in a time zone, from `start` up to but not at `end`, on ISO weekdays (1 is Monday; none: all).

    Where `end` is not after `start`, it is the next day's, and the weekday that of the start.
    """

    start: time
    end: time
    time_zone: str
    days: tuple[int, ...] = ()


class Tier(StrEnum):
    """How deep a drawdown is by the three tiers; a HALT stays until a person lifts it."""

    NONE = "none"
    WARN = "warn"
    REDUCE = "reduce"
    HALT = "halt"

    @property
    def rank(self) -> int:
        return tuple(Tier).index(self)


class RuleSet(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a layer allows. Money is in the account's currency; shares, leverage and losses are fractions of equity.

    docs/limits.md says of each what it reads, when, and what passes at equality.
    """

    max_position_share: Decimal | None = None
    daily_loss: Decimal | None = None
    max_trades_per_day: int | None = None
    max_position: Decimal | None = None
    max_position_value: Decimal | None = None
    max_gross_exposure: Decimal | None = None
    max_net_exposure: Decimal | None = None
    max_gross_leverage: Decimal | None = None
    max_net_leverage: Decimal | None = None
    max_margin_use: Decimal | None = None
    max_correlation: Decimal | None = None
    min_diversification: Decimal | None = None
    max_open_orders: int | None = None
    max_order_quantity: Decimal | None = None
    max_order_value: Decimal | None = None
    price_collar: Decimal | None = None
    max_quote_age: int | None = None
    max_turnover: Decimal | None = None
    daily_loss_amount: Decimal | None = None
    drawdown_warn: Decimal | None = None
    drawdown_reduce: Decimal | None = None
    drawdown_halt: Decimal | None = None
    max_losses: int | None = None
    loss_pause: int | None = None
    windows: tuple[Window, ...] | None = None
    exchange_hours: bool | None = None
    max_rejects: int | None = None
    reject_window: int | None = None

    def tiers(self) -> tuple[tuple[Tier, Decimal], ...]:
        """The drawdown tiers that are on, deepest first."""
        named = (
            (Tier.HALT, self.drawdown_halt),
            (Tier.REDUCE, self.drawdown_reduce),
            (Tier.WARN, self.drawdown_warn),
        )
        return tuple((tier, limit) for tier, limit in named if limit is not None)


RULES: Final = RuleSet.__struct_fields__
NO_RULES: Final = RuleSet()
SECONDS: Final = frozenset({"max_quote_age", "loss_pause", "reject_window"})
COUNTS: Final = frozenset({"max_open_orders", "max_trades_per_day", "max_losses", "max_rejects"})
AMOUNTS: Final = frozenset({
    "max_position", "max_position_value", "max_gross_exposure", "max_net_exposure", "max_order_quantity",
    "max_order_value", "daily_loss_amount", "min_diversification",
})  # fmt: skip
HOUSE: Final[dict[str, Any]] = {
    "drawdown_warn": Decimal("0.04"),
    "drawdown_reduce": Decimal("0.08"),
    "drawdown_halt": Decimal("0.12"),
    "max_correlation": Decimal("0.8"),
    "max_rejects": 50,
    "reject_window": 60,
}
"""What accounts opened from now on have beside the limits of the settings."""


_WRITTEN = re.compile(r"\s*([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)\s+(\S+)(?:\s+([1-7])(?:-([1-7]))?)?\s*")


def read_windows(text: str) -> tuple[Window, ...]:
    """Windows as people write them: `09:45-15:45 America/New_York 1-5`, several after semicolons; none of nothing.

    Raises InvalidInput.
    """
    windows = []
    for part in text.split(";") if text.strip() else ():
        found = _WRITTEN.fullmatch(part)
        if found is None:
            raise InvalidInput(f"{part!r} is not START-END ZONE [DAYS], such as '09:45-15:45 America/New_York 1-5'")
        start, end = (time(int(hour), int(minute)) for hour, minute in (found.group(1, 2), found.group(3, 4)))
        first, last = found.group(6), found.group(7)
        days = tuple(range(int(first), int(last or first) + 1)) if first else ()
        windows.append(Window(start, end, found[5], days))
    fault = _window_fault(tuple(windows)) if windows else ""
    if fault:
        raise InvalidInput(f"{text!r}: {fault}")
    return tuple(windows)


_MOST: Final = {
    "loss_pause": (LONGEST_PAUSE, " seconds"),
    "max_rejects": (MOST_REJECTS, ""),
    "reject_window": (LONGEST_REJECTS, " seconds"),
}


def faults(rules: RuleSet, prefix: str = "") -> list[FieldError]:
    """What makes no sense of a set of rules, by field."""
    found = [
        FieldError(f"{prefix}{name}", expected)
        for name in RULES
        if (value := getattr(rules, name)) is not None and (expected := _fault(name, value))
    ]
    for one, other in (("max_losses", "loss_pause"), ("max_rejects", "reject_window")):
        if (getattr(rules, one) is None) is not (getattr(rules, other) is None):
            missing = other if getattr(rules, other) is None else one
            found.append(FieldError(f"{prefix}{missing}", f"{one} and {other} go together"))
    deepest_first = [limit for _, limit in rules.tiers()]
    if not found and sorted(deepest_first, reverse=True) != deepest_first:
        message = "the tiers rise from drawdown_warn over drawdown_reduce to drawdown_halt"
        found.append(FieldError(f"{prefix}drawdown_halt", message))
    return found


def _fault(name: str, value: object) -> str:
    """What was expected of a rule that is on; nothing where it is good."""
    match value:
        case tuple():
            return _window_fault(value)
        case Decimal():
            if not (is_bookable(value) and value >= 0):
                return "a number of zero or more" if name in AMOUNTS else "a fraction of zero or more"
            if name.startswith("drawdown_") and not 0 < value < 1:
                return "a fraction above 0 and below 1: 4 % is 0.04"
            if name == "daily_loss" and value > 1:
                return "a fraction of 0 to 1: 2 % is 0.02"
            return "a correlation of 0 to 1" if name == "max_correlation" and value > 1 else ""
        case bool():
            return ""
        case int() if name in _MOST:
            most, unit = _MOST[name]
            return "" if 0 < value <= most else f"1 to {most}{unit}"
        case int() if value < (1 if name == "max_losses" else 0):
            return "1 or more" if name == "max_losses" else "zero or more"
    return ""


def _window_fault(windows: tuple[Window, ...]) -> str:
    from zoneinfo import ZoneInfo

    if not 0 < len(windows) <= MOST_WINDOWS:
        return f"1 to {MOST_WINDOWS} windows"
    for window in windows:
        if window.start.tzinfo or window.end.tzinfo or any(not 1 <= day <= 7 for day in window.days):
            return "times without an offset, and weekdays from 1 (Monday) to 7"
        try:
            ZoneInfo(window.time_zone)
        except (KeyError, ValueError, OSError):
            return f"no time zone is called {window.time_zone!r}, such as America/New_York"
    return ""
