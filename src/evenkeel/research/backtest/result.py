"""What a backtest found: fills, equity, trades and metrics, and everything that was asked to get them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from evenkeel.domain.accounts import Limits
from evenkeel.domain.clock import from_ns, iso
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.limits import RULES
from evenkeel.domain.strategies import Scalar
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.columns import COLUMNS
from evenkeel.market.days import Days, days_together
from evenkeel.quant import analytics
from evenkeel.quant.costs import Slippage
from evenkeel.research.backtest import mtm
from evenkeel.research.backtest.outcome import Fills, Floats, Ints, Outcome
from evenkeel.research.backtest.terms import Terms

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False, kw_only=True)
class BacktestResult:
    """One strategy on one history. Money is in the terms' currency, times are ns UTC.

    `equity` has one value a bar, at its close. Metrics, trades and reports are worked out when they are first read.
    `legs` are (start, end, parameters) of the stretches of a record that changes its parameters.
    """

    strategy: str
    version: str
    params: dict[str, Scalar]
    terms: Terms
    bars: tuple[Bars, ...]
    instruments: tuple[Instrument, ...]
    outcome: Outcome
    risk_free: float = 0.0
    trials: analytics.Trials | None = None
    warnings: tuple[str, ...] = field(default=())
    legs: tuple[Any, ...] = ()

    @property
    def engine(self) -> str:
        """Which engine ran it: compiled or event."""
        return self.outcome.engine

    @property
    def fills(self) -> Fills:
        return self.outcome.fills

    @property
    def equity(self) -> Floats:
        return self.outcome.equity

    @property
    def at(self) -> Ints:
        return self.outcome.at

    @property
    def start(self) -> int:
        """The first open of any bar (ns)."""
        return min(int(bars.ts[0]) for bars in self.bars)

    @property
    def final_equity(self) -> float:
        """Cash + what is held at the last close; nothing is sold to get there."""
        return float(self.outcome.equity[-1])

    @property
    def total_return(self) -> float:
        """Final equity over the initial cash, less 1."""
        return self.final_equity / float(self.terms.cash) - 1.0

    @cached_property
    def days(self) -> Days:
        """The trading days, by the places in `at` of their last moments; the metrics' periods are these."""
        return days_together(self.bars, self.at)

    @cached_property
    def daily(self) -> analytics.Track:
        """Equity at the end of every trading day (of every bar, where bars are longer)."""
        dates = np.array([date.fromordinal(day) for day in self.days.dates.tolist()], dtype="datetime64[D]")
        start = min(np.datetime64(from_ns(self.start).date(), "D"), dates[0])
        return analytics.Track.of_equity(
            dates, self.equity[self.days.last], start=start, capital=float(self.terms.cash)
        )

    @cached_property
    def benchmark(self) -> Floats:
        """Daily returns of holding the instruments in equal parts from the first bar on, without costs. Dividends are
        kept as cash, as a backtest keeps them.
        """
        held = np.zeros(len(self.days.last))
        for place, bars in enumerate(self.bars):
            adjusted, _ = self._adjusted(bars, self.at[:0])
            at = np.searchsorted(adjusted.close_ts, self.at[self.days.last], side="right") - 1
            worth = (adjusted.close + self._paid_by(place)) / adjusted.open[0]
            held += np.where(at < 0, 1.0, worth[np.maximum(at, 0)])
        value = held / len(self.bars)
        return np.diff(value, prepend=1.0) / np.concatenate(([1.0], value[:-1]))

    def _paid_by(self, place: int) -> Floats:
        """The dividends that a share of the last day, held from the first bar on, has been paid by each bar."""
        bars, start_of = self.bars[place], calendar(self.instruments[place].calendar).day_start
        paid = np.zeros(len(bars))
        mine = [one for one in self.terms.dividends if one.instrument_id == bars.instrument_id]
        for one in mine:
            start = start_of(one.ex_date)
            bar = int(np.searchsorted(bars.ts, start, side="left"))
            if bar > 0:
                _, ratio = self._adjusted(bars, np.array([start - 1]))
                paid[bar:] += float(one.amount) / ratio[0]
        return paid

    @cached_property
    def trades(self) -> analytics.RoundTrips:
        """Closed trades, first in first out, in shares as they are after the last split; `trades.open` is held yet."""
        return analytics.RoundTrips.concat([self._trades_of(place) for place in range(len(self.instruments))])

    def _trades_of(self, place: int) -> analytics.RoundTrips:
        fills, instrument = self.fills, self.instruments[place]
        mine = fills.instrument == place
        adjusted, ratio = self._adjusted(self.bars[place], fills.at[mine])
        signed = fills.side[mine] * fills.quantity[mine] * ratio
        columns = analytics.Fills.of(fills.at[mine], signed, price=fills.price[mine] / ratio, fee=fills.fee[mine])
        return analytics.round_trips(
            columns,
            adjusted,
            multiplier=float(instrument.multiplier),
            lot=float(instrument.lot_size) if (ratio == 1.0).all() else None,
            symbol=instrument.symbol,
        )

    def _adjusted(self, bars: Bars, at: Ints) -> tuple[Bars, Floats]:
        """The bars in shares of the last day, and how many of these a share of each moment of `at` has become."""
        splits = [one for one in self.terms.splits if one.instrument_id == bars.instrument_id]
        ratio = np.ones(len(at))
        if not splits:
            return bars, ratio
        place = next(n for n, one in enumerate(self.bars) if one is bars)
        start_of = calendar(self.instruments[place].calendar).day_start
        for split in splits:
            starts = start_of(split.ex_date)
            if starts <= bars.ts[-1]:
                ratio[at < starts] *= float(split.numerator) / float(split.denominator)
        return bars.adjusted(splits, as_of=int(bars.close_ts[-1]), day_start=start_of), ratio

    @cached_property
    def holdings(self) -> analytics.Holdings:
        """What was held long and short at the end of every day, and traded in it."""
        days = len(self.days.last)
        long, short, traded = np.zeros(days), np.zeros(days), np.zeros(days)
        for place in range(len(self.bars)):
            value = self.held_value(place)
            long += np.maximum(value, 0.0)
            short += np.maximum(-value, 0.0)
        fills = self.fills
        sizes = np.array([float(one.multiplier) for one in self.instruments])
        amounts = fills.quantity * fills.price * sizes[fills.instrument]
        day = np.searchsorted(self.at[self.days.last], fills.at, side="left")
        np.add.at(traded, np.minimum(day, days - 1), amounts)
        return analytics.Holdings(long, short, traded)

    def held_value(self, place: int) -> Floats:
        """What was held of the instrument in that place at the end of every day, negative for a short."""
        bars = self.bars[place]
        at = np.maximum(np.searchsorted(bars.close_ts, self.at[self.days.last], side="right") - 1, 0)
        value: Floats = self.outcome.positions[place][self.days.last] * bars.close[at]
        return value * float(self.instruments[place].multiplier)

    @cached_property
    def metrics(self) -> dict[str, float | None]:
        """Every metric of `evenkeel.quant.analytics.METRICS` by name; None where one is not defined."""
        return dict(
            analytics.summary(
                self.daily,
                periods=self.days.per_year,
                risk_free=self.risk_free,
                benchmark=self.benchmark,
                trips=self.trades,
                holdings=self.holdings,
                trials=self.trials,
            )
        )

    @cached_property
    def fingerprint(self) -> str:
        """Names this run: sixteen hex digits of the strategy, its parameters, all terms, what a tick and a lot are, and
        every price.
        """
        said = [self.strategy, self.version, sorted(self.params.items()), _terms(self.terms), self.engine]
        said += [self.legs] if self.legs else []
        said.append(msgspec.to_builtins([self.terms.costs, self.terms.splits, self.terms.dividends], enc_hook=repr))
        said += [(str(one.tick_size), str(one.lot_size), str(one.multiplier), one.calendar) for one in self.instruments]
        digest = sha256(json.dumps(said, sort_keys=True, default=str).encode())
        for bars in self.bars:
            for name in COLUMNS:
                digest.update(np.ascontiguousarray(getattr(bars, name)).tobytes())
        return digest.hexdigest()[:16]

    def summary(self) -> dict[str, Any]:
        """The result as JSON has it: final equity, counts, metrics, and what was asked."""
        carried = self.outcome.carried
        return {
            "strategy": self.strategy,
            "version": self.version,
            "parameters": dict(self.params),
            "engine": self.engine,
            "symbols": [one.symbol for one in self.instruments],
            "timeframe": self.bars[0].timeframe,
            "bars": len(self.at),
            "start": iso(self.start),
            "end": iso(int(self.at[-1])),
            "cash": float(self.terms.cash),
            "currency": self.terms.currency,
            "final_equity": self.final_equity,
            "total_return": self.total_return,
            "fills": len(self.fills),
            "orders": self.outcome.orders,
            "refused": self.outcome.refused,
            "trades": len(self.trades),
            "fees": float(self.fills.fee.sum()),
            "interest": carried.interest,
            "borrow_fees": sum(carried.borrow),
            "dividends": sum(carried.dividends),
            "periods_per_year": self.days.per_year,
            "periods_basis": self.days.basis,
            "metrics": self.metrics,
            "terms": _terms(self.terms),
            "warnings": [*self.warnings, *self.outcome.notes],
            "fingerprint": self.fingerprint,
        }

    def to_json(self, path: str | Path | None = None) -> str:
        """`summary` as JSON text, also written to `path` where one is given."""
        text = json.dumps(self.summary(), indent=2, allow_nan=False)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def to_html(self, path: str | Path, **options: Any) -> Path:
        """Writes the tear sheet: one HTML file that needs nothing else. `options` as in `report.tear_sheet`."""
        report = import_module("evenkeel.research.report")  # which is drawn from results: neither is first
        written: Path = report.write_tear_sheet(self, path, **options)
        return written

    def to_polars(self) -> pl.DataFrame:
        """Equity by bar as a frame: at (Datetime ns, UTC), equity, cash, and one position column an instrument."""
        import polars as pl

        at = pl.Series(self.at).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
        columns: dict[str, Any] = {"at": at, "equity": self.equity, "cash": self.outcome.cash}
        for place, one in enumerate(self.instruments):
            columns[f"position_{one.symbol}"] = self.outcome.positions[place]
        return pl.DataFrame(columns)

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return (
            f"<BacktestResult {self.strategy}({said}): {self.final_equity:,.2f} {self.terms.currency} "
            f"({self.total_return:+.2%}), {len(self.fills)} fills, {self.engine} engine>"
        )


def _terms(terms: Terms) -> dict[str, Any]:
    """The terms in plain values."""
    left_out = ("splits", "dividends", "costs", *(() if terms.mtm else ("mtm",)))
    names = [name for name in terms.__slots__ if name not in left_out]
    plain: dict[str, Any] = msgspec.to_builtins({name: _whole(getattr(terms, name)) for name in names})
    if terms.mtm:
        plain["mtm"] = mtm.plain(terms.mtm)
    return {**plain, "costs": terms.costs.name, "splits": len(terms.splits), "dividends": len(terms.dividends)}


def _whole(term: Any) -> Any:
    """A term with what is left at its default spelled out, so that equal terms are written alike.

    Of limits, rules that are off unless they are asked for are left out: each is something that a run does not have.
    """
    if not isinstance(term, Slippage | Limits):
        return term
    off = {name for name in RULES if getattr(term, name, 0) is None and getattr(Limits(), name) is None}
    return {name: value for name, value in msgspec.structs.asdict(term).items() if name not in off}
