"""What the API says of backtests, and how a stored one becomes that.

Money, prices and quantities are decimal strings as everywhere; metrics are measurements and stay numbers.
"""

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any, Literal

import msgspec
from msgspec import Struct

from evenkeel.desk.backtests import RATES, STOPS, Asked, Backtest, Engine, FillAt, Kind
from evenkeel.domain import clock
from evenkeel.domain.orders import Side
from evenkeel.domain.strategies import Scalar
from evenkeel.research.keeping import Rows
from evenkeel.server import mtm, searches
from evenkeel.server.jobs.job import Progress, Stage
from evenkeel.server.schemas import Amount, Id, Moment
from evenkeel.server.views import maybe, measured, text

Why = Literal["signal", "stop-loss", "take-profit", "trailing-stop", "liquidation", "order", "mtm"]
_WHY: tuple[Why, ...] = ("signal", "stop-loss", "take-profit", "trailing-stop", "liquidation", "order", "mtm")


class BacktestOut(Struct):
    """A backtest in a list. `progress` is from 0 to 1: `done` of `total` moments or combinations of this `stage`, null
    where it cannot be known; `seconds_left` is to the end of the stage. `deleted` is told on the stream only. Figures
    of a search are those of what it chose, `parameters` what it does not vary and, at the end, what it chose."""

    id: Id
    kind: Kind
    state: Literal["queued", "running", "done", "failed", "cancelled", "deleted"]
    stage: Stage | None
    progress: float | None
    done: int | None
    total: int | None
    seconds_left: float | None
    best: dict[str, Scalar | None] | None
    strategy: str
    version: str
    configuration: str | None
    parameters: dict[str, Scalar]
    symbols: list[str]
    timeframe: str
    start: Moment | None
    end: Moment | None
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    final_equity: Amount | None
    total_return: Amount | None
    sharpe: Amount | None
    max_drawdown: Amount | None
    fingerprint: str | None
    error: str | None


class BacktestTerms(Struct):
    """On what terms, as they can be sent again."""

    cash: Amount
    fees: str | None
    fees_bps: Amount | None
    size: dict[str, Any]
    fill: FillAt
    slippage_bps: Amount
    stop_loss: Amount | None
    take_profit: Amount | None
    trailing_stop: Amount | None
    maintenance: Amount | None
    participation: Amount | None
    spread_share: Amount
    limit_offset: Amount
    financing: Amount
    credit: Amount
    borrow: Amount
    mtm: dict[str, mtm.RulesIn]
    engine: Engine
    risk_free: Amount


class BacktestSummary(Struct):
    """What came out. `metrics` has every metric by name, null where it is not defined; `terms` all that was in force,
    defaults included. What holding earned (above 0) and cost (below) is `interest`, `borrow_fees` and `dividends`."""

    engine: str
    bars: int
    start: Moment
    end: Moment
    currency: str
    cash: Amount
    final_equity: Amount
    fees: Amount
    orders: int
    refused: int
    fills: int
    trades: int
    periods_per_year: float
    periods_basis: str
    metrics: dict[str, float | None]
    terms: dict[str, Any]
    warnings: list[str]
    interest: Amount = "0"
    borrow_fees: Amount = "0"
    dividends: Amount = "0"
    search: searches.SearchSummary | None = None


class BacktestDetail(BacktestOut):
    """One backtest with all that was asked and, once it is done, all that came out."""

    asked: BacktestTerms
    search: searches.SearchTerms | None
    summary: BacktestSummary | None


class BacktestEquityOut(Struct):
    """The end of a bar; `positions` has the quantity held of each symbol that was held."""

    id: str
    at: Moment
    equity: Amount | None
    cash: Amount | None
    positions: dict[str, Amount]


class BacktestFillOut(Struct):
    """One execution; `bar` is the index of the bar it happened in."""

    id: str
    bar: int
    at: Moment
    symbol: str
    side: Side
    quantity: Amount
    price: Amount
    fee: Amount
    why: Why


class BacktestTradeOut(Struct):
    """A closed trade. `mae` and `mfe` are the worst and the best excursion, as fractions of the entry price."""

    id: str
    symbol: str
    side: Literal["LONG", "SHORT"]
    quantity: Amount
    entry_at: Moment
    entry_price: Amount
    exit_at: Moment
    exit_price: Amount
    gross: Amount
    fees: Amount
    net: Amount
    net_return: Amount | None
    mae: Amount | None
    mfe: Amount | None
    bars_held: int | None


class MetricRow(Struct):
    """One metric of every backtest that is compared, in their order; null where it is not defined or not there yet."""

    name: str
    title: str
    unit: str
    values: list[float | None]


class BacktestComparison(Struct):
    backtests: list[BacktestOut]
    metrics: list[MetricRow]


def _figure(value: float | None) -> str | None:
    """A measurement to eight decimals, which takes off the noise of its last digits; None where it is no number."""
    return None if value is None or not isfinite(value) else measured(round(value, 8) + 0.0)


def _sure(value: float) -> str:
    return _figure(value) or "0"


def _moment(at: int | None) -> str | None:
    return None if at is None else clock.iso(at)


def line(this: Backtest, progress: Progress | None) -> BacktestOut:
    return BacktestOut(**_fields(this, progress))


def detail(this: Backtest, progress: Progress | None) -> BacktestDetail:
    asked = this.asked
    return BacktestDetail(
        **_fields(this, progress), asked=_terms(asked), search=searches.terms(asked), summary=_summary(this)
    )


def _fields(this: Backtest, progress: Progress | None) -> dict[str, Any]:
    asked = this.asked
    same = ("id", "kind", "state", "strategy", "version", "fingerprint", "error")
    return {
        **{name: getattr(this, name) for name in same},
        **_progress(progress),
        "configuration": asked.configuration,
        "parameters": dict(this.parameters),
        "symbols": list(asked.symbols),
        "timeframe": asked.timeframe,
        **{name: _moment(getattr(asked, name)) for name in ("start", "end")},
        **{name: _moment(getattr(this, name)) for name in ("created_at", "started_at", "finished_at")},
        "final_equity": maybe(this.final_equity.normalize() if this.final_equity is not None else None),
        **{name: _figure(getattr(this, name)) for name in ("total_return", "sharpe", "max_drawdown")},
    }


def _progress(progress: Progress | None) -> dict[str, Any]:
    names = {"stage": "stage", "progress": "share", "done": "done", "total": "total", "best": "best"}
    said = {name: getattr(progress, source, None) for name, source in names.items()}
    left = None if progress is None else progress.left
    return said | {"seconds_left": None if left is None else round(left, 1)}


def _terms(asked: Asked) -> BacktestTerms:
    stops: dict[str, Any] = {name: maybe(getattr(asked, name)) for name in STOPS}
    rates: dict[str, Any] = {name: text(getattr(asked, name)) for name in (*RATES, "spread_share")}
    return BacktestTerms(
        cash=text(asked.cash),
        fees=asked.fees,
        fees_bps=maybe(asked.fees_bps),
        size=msgspec.to_builtins(asked.size),
        fill=asked.fill,
        slippage_bps=text(asked.slippage_bps),
        mtm={name: mtm.shown_rules(rules) for name, rules in asked.mtm.items()},
        engine=asked.engine,
        risk_free=text(asked.risk_free),
        **stops,
        **rates,
    )


_MONEY = ("cash", "final_equity", "fees", "interest", "borrow_fees", "dividends")


def _summary(this: Backtest) -> BacktestSummary | None:
    if this.summary is None:
        return None
    known = [name for name in BacktestSummary.__struct_fields__ if name != "search" and name in this.summary]
    said = {name: this.summary[name] for name in known}
    money = {name: _figure(said[name]) for name in _MONEY if name in said}
    return BacktestSummary(**said | money, search=searches.summary(this.summary))


def comparison(these: Sequence[Backtest]) -> BacktestComparison:
    """Every metric that any of them has, in the order of all metrics."""
    from evenkeel.quant.analytics import METRICS

    metrics = [dict(one.summary["metrics"]) if one.summary is not None else {} for one in these]
    rows = [
        MetricRow(metric.name, metric.title, metric.unit, [found.get(metric.name) for found in metrics])
        for metric in METRICS
    ]
    return BacktestComparison([line(one, None) for one in these], rows)


def equity(rows: Rows, places: Iterable[int]) -> list[BacktestEquityOut]:
    """The rows, which are those of the bars with these indices."""
    at, values, cash, positions = (rows.columns[name] for name in ("at", "equity", "cash", "positions"))
    return [
        BacktestEquityOut(
            id=str(place),
            at=clock.iso(at[row]),
            equity=_figure(values[row]),
            cash=_figure(cash[row]),
            positions={
                symbol: _sure(held[row]) for symbol, held in zip(rows.symbols, positions, strict=True) if held[row]
            },
        )
        for row, place in enumerate(places)
    ]


def fills(rows: Rows) -> list[BacktestFillOut]:
    found = []
    for place, one in enumerate(_records(rows), rows.start):
        found.append(
            BacktestFillOut(
                id=str(place),
                bar=one["bar"],
                at=clock.iso(one["at"]),
                symbol=rows.symbols[one["instrument"]],
                side=Side.BUY if one["side"] > 0 else Side.SELL,
                why=_WHY[one["why"]],
                **{name: _sure(one[name]) for name in ("quantity", "price", "fee")},
            )
        )
    return found


def trades(rows: Rows) -> list[BacktestTradeOut]:
    found = []
    for place, one in enumerate(_records(rows), rows.start):
        money = ("quantity", "entry_price", "exit_price", "gross", "fees", "net")
        found.append(
            BacktestTradeOut(
                id=str(place),
                symbol=one["symbol"],
                side="LONG" if one["side"] > 0 else "SHORT",
                entry_at=clock.iso(one["entry_ts"]),
                exit_at=clock.iso(one["exit_ts"]),
                net_return=_figure(one["returns"]),
                bars_held=int(one["bars_held"]) if isfinite(one["bars_held"]) else None,
                mae=_figure(one["mae"]),
                mfe=_figure(one["mfe"]),
                **{name: _sure(one[name]) for name in money},
            )
        )
    return found


def _records(rows: Rows) -> Iterable[dict[str, Any]]:
    return (dict(zip(rows.columns, row, strict=True)) for row in zip(*rows.columns.values(), strict=True))
