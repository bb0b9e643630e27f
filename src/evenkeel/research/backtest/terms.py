"""On what terms a backtest trades: money, size, costs, fills and stops. The same for both engines.

An engine that lacks something refuses it by name; it never ignores it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from evenkeel.domain.accounts import Limits
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.domain.sizing import PercentOfEquity, Sizing, checked
from evenkeel.quant.costs import CostSchedule, Slippage, find_schedule
from evenkeel.research.backtest.mtm import Levels

MOST_CASH = 10**15


class FillAt(StrEnum):
    """When an order decided at a bar's close fills: at the next bar's open, at that close, or at its own limit.

    A limit order rests at the close of the decision, or `limit_offset` better, through the next bar only.
    """

    NEXT_OPEN = "next-open"
    CLOSE = "close"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Shares and offsets are fractions of price (0.02 = 2 %); None or zero: not used.

    `stop_loss`, `take_profit` and `trailing_stop` lie that far from the price a position was entered at (the
    trailing one from the best price since) and work inside the bars. `maintenance`: the share of a position's value
    that equity must cover, else it is closed. `limits`: the risk limits of a live account, none by default;
    `mtm`: rules on profit and times, by level.
    `financing`, `credit` and `borrow` are annual rates (0.05 = 5 %): what cash below zero costs, what cash above it
    earns, and what the value of shorts costs; how they accrue is told in `quant.costs.carrying`.
    """

    cash: Decimal = Decimal(100_000)
    currency: str = "USD"
    costs: CostSchedule = field(default_factory=lambda: find_schedule("zero"))
    sizing: Sizing = field(default_factory=PercentOfEquity)
    fill: FillAt = FillAt.NEXT_OPEN
    limit_offset: float = 0.0
    slippage: Slippage = field(default_factory=Slippage)
    participation: float | None = None
    stop_loss: float | None = None
    take_profit: float | None = None
    trailing_stop: float | None = None
    maintenance: float | None = None
    financing: float = 0.0
    credit: float = 0.0
    borrow: float = 0.0
    limits: Limits | None = None
    mtm: Levels = ()
    splits: tuple[Split, ...] = ()
    dividends: tuple[Dividend, ...] = ()

    def __post_init__(self) -> None:
        checked(self.sizing)
        faults = [FieldError(name, said) for name, said in self._faults()]
        if faults:
            said = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
            raise InvalidInput(f"the backtest's terms are not valid: {said}", errors=tuple(faults))

    @property
    def carries(self) -> bool:
        """Whether holding overnight costs or earns anything."""
        return bool(self.financing or self.credit or self.borrow)

    def _faults(self) -> list[tuple[str, str]]:
        faults = []
        if not (self.cash.is_finite() and 0 < self.cash <= MOST_CASH):
            faults.append(("cash", f"expected an amount above zero, at most {MOST_CASH:,}, not {self.cash}"))
        for name in ("stop_loss", "take_profit", "trailing_stop", "maintenance"):
            value = getattr(self, name)
            most = float("inf") if name == "take_profit" else 1.0
            if value is not None and not 0 < value < most:
                faults.append((name, f"expected a fraction of price such as 0.02, not {value}"))
        rates = {name: getattr(self, name) for name in ("financing", "credit", "borrow")}
        faults += [
            (name, f"expected a fraction a year such as 0.05, not {rate}")
            for name, rate in rates.items()
            if not -1 < rate < 100
        ]
        if not 0 <= self.limit_offset < 1:
            faults.append(("limit_offset", f"expected a fraction of price from 0, not {self.limit_offset}"))
        if self.limit_offset and self.fill is not FillAt.LIMIT:
            faults.append(("limit_offset", f"orders that fill at {self.fill} have no limit; it goes with fill=limit"))
        if self.participation is not None and not 0 < self.participation <= 1:
            faults.append(("participation", f"expected a share of volume above 0, to 1, not {self.participation}"))
        return faults
