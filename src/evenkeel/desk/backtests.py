"""Research that is kept: what was asked, how it stands, and the figures that came out, as a row of the home's database.

A row is a single backtest, a sweep or a walk-forward; of a search, its figures are those of what it chose, so that all
three stand side by side. What is large lies in a file (`research.keeping`).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from evenkeel.domain.mtm import MtmRules
from evenkeel.domain.sizing import PercentOfEquity, Sizing
from evenkeel.domain.strategies import Scalar

FillAt = Literal["next-open", "close", "limit"]
Engine = Literal["auto", "compiled", "event"]
Method = Literal["grid", "random", "tpe", "nsga2"]
Kind = Literal["backtest", "sweep", "walk-forward"]
_BASIS_POINT = Decimal("0.0001")
_FIGURES = ("total_return", "sharpe", "max_drawdown")


class BacktestState(StrEnum):
    """DELETED is told on the stream and never stored."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"


ENDED = frozenset({BacktestState.DONE, BacktestState.FAILED, BacktestState.CANCELLED})


class Stretch(Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers from `low` to `high`, both included, in steps of `step`; without one, any. `log`: by factors."""

    low: float
    high: float
    step: float | None = None
    log: bool = False


class Search(Struct, frozen=True, kw_only=True):
    """Where and how to look. `train`, `test` and `embargo` are numbers of bars, of a walk-forward."""

    space: dict[str, tuple[Scalar, ...] | Stretch]
    method: Method = "grid"
    objectives: tuple[str, ...] = ("sharpe",)
    constraints: tuple[str, ...] = ()
    trials: int = 100
    seed: int = 0
    train: int | None = None
    test: int | None = None
    embargo: int = 0
    anchored: bool = False

    def axes(self) -> dict[str, Any]:
        """The space as a search takes it. Raises InvalidInput for a stretch that goes nowhere."""
        from evenkeel.research.search.space import Range

        return {
            name: Range(one.low, one.high, one.step, one.log) if isinstance(one, Stretch) else one
            for name, one in self.space.items()
        }


STOPS = ("stop_loss", "take_profit", "trailing_stop", "maintenance", "participation")
RATES = ("limit_offset", "financing", "credit", "borrow")


class Asked(Struct, frozen=True, kw_only=True):
    """On what, and on what terms. Times are ns, rates and stops fractions; what closes after `until` is not seen.

    `mtm` has rules of mark-to-market control by level: `account`, `strategy`, or an instrument by its symbol.
    `files` are those that the bars were read from, where they do not come from the home's store.
    """

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
    configuration: str | None = None
    fill: FillAt = "next-open"
    slippage_bps: Decimal = Decimal(0)
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_stop: Decimal | None = None
    maintenance: Decimal | None = None
    participation: Decimal | None = None
    spread_share: Decimal = Decimal(0)
    limit_offset: Decimal = Decimal(0)
    financing: Decimal = Decimal(0)
    credit: Decimal = Decimal(0)
    borrow: Decimal = Decimal(0)
    mtm: Mapping[str, MtmRules] = {}
    engine: Engine = "auto"
    risk_free: Decimal = Decimal(0)
    search: Search | None = None
    files: tuple[str, ...] = ()

    def options(self) -> dict[str, Any]:
        """The options of the backtest. Raises InvalidInput and NotFound, naming the fee at fault."""
        from evenkeel.quant.costs import PercentFee, Slippage, find_schedule

        fees = find_schedule(self.fees or "zero")
        if self.fees_bps is not None:
            fees = PercentFee(self.fees_bps * _BASIS_POINT)
        stops = {name: getattr(self, name) for name in STOPS}
        return {
            "cash": self.cash,
            "fees": fees,
            "size": self.size,
            "fill": self.fill,
            "mtm": self.mtm or None,
            "slippage": Slippage(bps=float(self.slippage_bps), spread_share=float(self.spread_share)),
            **{name: float(getattr(self, name)) for name in RATES},
            **{name: None if value is None else float(value) for name, value in stops.items()},
        }

    def stored(self) -> dict[str, Any]:
        """As values that JSON has, which `msgspec.convert` reads back."""
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return plain


class Backtest(Struct, frozen=True, kw_only=True):
    """One piece of research of one user; times are wall-clock ns. `summary` is left out of lists.

    Of a search, `parameters` are those that it does not vary and, once it is done, those of what it chose.
    """

    id: str
    user_id: str
    kind: str = "backtest"
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

    @property
    def is_search(self) -> bool:
        """Whether it can go on where it was stopped, as a search with a study does."""
        return self.kind != "backtest"

    def ended(self, state: BacktestState, error: str | None = None) -> Backtest:
        """The same, at its end."""
        return msgspec.structs.replace(self, state=state, finished_at=time.time_ns(), error=error)

    def done(self, summary: Mapping[str, Any]) -> Backtest:
        """The same with what came out, as JSON has it; failed where that is no number."""
        if summary["final_equity"] is None:
            return self.ended(BacktestState.FAILED, "its equity ends in no number; look at the prices and the terms")
        return msgspec.structs.replace(
            self.ended(BacktestState.DONE),
            version=summary["version"],
            parameters=summary["parameters"] if self.is_search else self.parameters,
            fingerprint=summary["fingerprint"],
            summary=summary,
            final_equity=Decimal(repr(round(summary["final_equity"], 8))),
            **{name: summary["metrics"][name] for name in _FIGURES},
        )


class BacktestStore(Protocol):
    """Backtests as rows. What people ask is bound to their user; raises NotReady where nothing answers."""

    async def add(self, backtest: Backtest) -> None: ...

    async def replace(self, backtest: Backtest) -> None:
        """Over the one of the same id and user. Raises NotFound."""

    async def remove(self, user_id: str, backtest_id: str) -> bool: ...

    async def some(self, user_id: str, ids: Collection[str]) -> Mapping[str, Backtest]:
        """Those with these ids, by id."""

    async def page(
        self,
        user_id: str,
        *,
        kind: str | None = None,
        strategy: str | None = None,
        state: str | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[Sequence[Backtest], str | None]:
        """Newest first, without summaries."""

    async def unfinished(self) -> Sequence[Backtest]:
        """What waits or runs, of all users, oldest first."""

    async def finished_ids(self) -> Collection[str]:
        """Those that are done, of all users."""

    async def failed_ids(self) -> Collection[str]:
        """Those that have failed, of all users."""


def finite(value: Any) -> Any:
    """The same in values that JSON has: None in the place of what is no number."""
    if isinstance(value, Mapping):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
