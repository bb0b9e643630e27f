"""A backtest as it is asked for, as it is stored, and as it is handed to its worker.

The request is kept in full, so that a backtest that waits survives a restart, and one that is done can be run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from evenkeel.domain.sizing import PercentOfEquity, Sizing
from evenkeel.domain.strategies import Scalar

if TYPE_CHECKING:
    from evenkeel.research.shipping import StrategyReference
    from evenkeel.server.ports import BarSource

FillAt = Literal["next-open", "close", "limit"]
Engine = Literal["auto", "compiled", "event"]
Stage = Literal["starting", "reading", "running", "figures", "report"]
_BASIS_POINT = Decimal("0.0001")


class BacktestState(StrEnum):
    """DELETED is told on the stream and never stored."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"


ENDED = frozenset({BacktestState.DONE, BacktestState.FAILED, BacktestState.CANCELLED})


class Asked(Struct, frozen=True, kw_only=True):
    """On what, and on what terms. Times are ns, rates and stops fractions; what closes after `until` is not seen."""

    symbols: tuple[str, ...]
    instrument_ids: tuple[str, ...]
    timeframe: str
    until: int
    start: int | None = None
    end: int | None = None
    cash: Decimal = Decimal(100_000)
    fees: str | None = None
    fees_bps: Decimal | None = None
    size: Sizing = PercentOfEquity()
    fill: FillAt = "next-open"
    slippage_bps: Decimal = Decimal(0)
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_stop: Decimal | None = None
    engine: Engine = "auto"
    risk_free: Decimal = Decimal(0)

    def options(self) -> dict[str, Any]:
        """The options of the backtest. Raises InvalidInput and NotFound, naming the fee at fault."""
        from evenkeel.quant.costs import PercentFee, find_schedule

        fees = find_schedule(self.fees or "zero")
        if self.fees_bps is not None:
            fees = PercentFee(self.fees_bps * _BASIS_POINT)
        stops = {name: getattr(self, name) for name in ("stop_loss", "take_profit", "trailing_stop")}
        return {
            "cash": self.cash,
            "fees": fees,
            "size": self.size,
            "fill": self.fill,
            "slippage": float(self.slippage_bps),
            **{name: None if value is None else float(value) for name, value in stops.items()},
        }

    def stored(self) -> dict[str, Any]:
        """As values that JSON has, which `msgspec.convert` reads back."""
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return plain


class Backtest(Struct, frozen=True, kw_only=True):
    """One backtest of one user; times are wall-clock ns. `summary` is left out of lists."""

    id: str
    user_id: str
    created_at: int
    started_at: int | None = None
    finished_at: int | None = None
    state: str = BacktestState.QUEUED
    strategy: str
    version: str
    parameters: Mapping[str, Scalar]
    request: Mapping[str, Any]
    fingerprint: str | None = None
    summary: Mapping[str, Any] | None = None
    final_equity: Decimal | None = None
    total_return: float | None = None
    sharpe: float | None = None
    max_drawdown: float | None = None
    error: str | None = None

    @property
    def asked(self) -> Asked:
        return msgspec.convert(self.request, Asked)

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """All that the worker gets; `file` is where it puts the result."""

    strategy: StrategyReference
    parameters: Mapping[str, Scalar]
    asked: Asked
    store: BarSource
    file: Path


class Progress(Struct, frozen=True, tag="progress"):
    """How far a worker is: `share` from 0 to 1, None where the stage cannot tell."""

    stage: Stage
    share: float | None = None


class Finished(Struct, frozen=True, tag="finished"):
    """The result's summary; the file lies where it was wanted."""

    summary: dict[str, Any]


class Failed(Struct, frozen=True, tag="failed"):
    """Why there is no result, in words for the user; `trace` is for the log, where the fault is not the user's."""

    error: str
    trace: str | None = None


Message = Progress | Finished | Failed
