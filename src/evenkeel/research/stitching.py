"""One backtest of several legs, each with parameters of its own.

Targets are worked out leg by leg, from what is known until the leg ends, and then run as one:
cash and positions carry over, and a change of parameters costs what trading it costs. A strategy that places its own
orders runs leg by leg instead; what it holds at the end of one is sold at the last close, with fees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from decimal import ROUND_DOWN, Decimal
from typing import Any, NamedTuple

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.money import minor_unit
from evenkeel.domain.orders import Side
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.columns import Ints
from evenkeel.market.panel import Panel
from evenkeel.quant.costs import total_charge
from evenkeel.quant.indicators import Flags
from evenkeel.research.backtest.outcome import Fills, Floats, Outcome, Why
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.backtest.run import instrument_of
from evenkeel.research.search.bench import Bench, Place, Span, part
from evenkeel.trading.strategies.base import D, PanelStrategy, SignalStrategy, TargetStrategy
from evenkeel.trading.strategies.evaluate import evaluate, fold, read_only, rebalances_of
from evenkeel.trading.strategies.parameters import Params


class Leg(NamedTuple):
    """A stretch of history and the parameters to trade it with; None: nothing is held."""

    span: Span
    params: Params | None


class Known(NamedTuple):
    """What was decided, by the moment at which the bars close: targets (n,) or (n, k), and where it rebalances."""

    close_ts: Ints
    targets: Floats
    rebalances: Flags

    def at(self, close_ts: Ints) -> Known:
        """The part of these moments, which are all known."""
        rows = np.searchsorted(self.close_ts, close_ts)
        return Known(close_ts, self.targets[rows], self.rebalances[rows])


class GivenTargets(SignalStrategy):
    """Targets that are known already, by instrument."""

    name = "given-targets"

    def __init__(self, known: Mapping[str, Known]) -> None:
        self.known = known

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        return self.known[bars.instrument_id].at(bars.close_ts).targets

    def rebalances(self, bars: Bars, params: Params) -> Flags:
        return self.known[bars.instrument_id].at(bars.close_ts).rebalances

    def is_rebalancing(self) -> bool:
        return any(known.rebalances.any() for known in self.known.values())


class GivenPanel(PanelStrategy):
    """Targets of several instruments together that are known already."""

    name = "given-panel"

    def __init__(self, known: Known) -> None:
        self.known = known

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Panel, params: Params) -> Floats:
        return self.known.at(bars.close_ts).targets

    def rebalances(self, bars: Panel, params: Params) -> Flags:
        return self.known.at(bars.close_ts).rebalances

    def is_rebalancing(self) -> bool:
        return bool(self.known.rebalances.any())


Targets = GivenTargets | GivenPanel


def targets_of(bench: Bench[Any], legs: Sequence[Leg]) -> Targets:
    """The targets of all legs, which follow one another. A leg begins with the target that its parameters hold then."""
    strategy = bench.strategy
    if isinstance(strategy, PanelStrategy):
        panels = [_panel(bench, leg) for leg in legs]
        parts = [_decided(strategy, *panel, leg.params) for panel, leg in zip(panels, legs, strict=True)]
        return GivenPanel(_known(parts))
    assert isinstance(strategy, SignalStrategy)
    return GivenTargets(
        {
            bars.instrument_id: _known([_decided(strategy, *_bars(bench, bars, leg), leg.params) for leg in legs])
            for bars in bench.series
        }
    )


def _bars(bench: Bench[Any], bars: Bars, leg: Leg) -> tuple[Bars, Ints]:
    """All bars until the leg ends, for what lies after it is not even shown; and the closes of those in it."""
    seen = bars.between(end=leg.span.end)
    return read_only(_adjusted(bench, seen)), seen.between(leg.span.start).close_ts


def _panel(bench: Bench[Any], leg: Leg) -> tuple[Panel, Ints]:
    """The same of all instruments together."""
    lines = {bars.instrument_id: _bars(bench, bars, leg) for bars in bench.series}
    closes = np.unique(np.concatenate([inside for _, inside in lines.values()]))
    return read_only(Panel.of({name: seen for name, (seen, _) in lines.items()})), closes


def _decided(strategy: TargetStrategy[D], seen: D, closes: Ints, params: Params | None) -> Known:
    """What the strategy decides at the moments of a leg, the last of those it has seen; without parameters, nothing."""
    if params is None or not len(closes):
        return Known(closes, np.zeros((len(closes), *seen.close.shape[1:])), np.zeros(len(closes), dtype=np.bool_))
    every, flags = evaluate(strategy, seen, params), rebalances_of(strategy, seen, params)
    found = Known(seen.close_ts, every, np.zeros(len(seen), dtype=np.bool_) if flags is None else flags).at(closes)
    until = int(np.searchsorted(seen.close_ts, closes[0])) + 1
    held = [fold(line)[-1] for line in every[:until].reshape(until, -1).T]
    found.targets[0] = np.reshape(held, found.targets[0].shape)
    return found


def _known(parts: Sequence[Known]) -> Known:
    """The parts as one. A moment in two of them, at which bars of both close, is the later part's."""
    closes = np.concatenate([one.close_ts for one in parts])
    last = len(closes) - 1 - np.unique(closes[::-1], return_index=True)[1]
    columns = (np.concatenate([getattr(one, name) for one in parts])[last] for name in Known._fields[1:])
    return Known(closes[last], *columns)


def _adjusted(bench: Bench[Any], bars: Bars) -> Bars:
    splits = bench.terms.splits
    if not splits:
        return bars
    starts = calendar(instrument_of(bars).calendar).day_start
    return bars.adjusted(splits, as_of=int(bars.close_ts[-1]), day_start=starts)


def given(bench: Bench[Any], known: Targets, span: Span) -> BacktestResult:
    """The backtest of known targets on a span."""
    place = Place(replace(bench, strategy=known), part(bench.series, span))
    result = place.result(Params())
    return replace(result, strategy=bench.strategy.name, version=bench.strategy.version)


def alone(bench: Bench[Any], leg: Leg) -> BacktestResult:
    """The backtest of one leg by itself."""
    place = Place(bench, part(bench.series, leg.span))
    return place.result(leg.params) if leg.params is not None else _idle(bench, leg)


def _idle(bench: Bench[Any], leg: Leg) -> BacktestResult:
    return given(bench, targets_of(replace(bench, strategy=GivenTargets({})), [leg]), leg.span)


def chained(bench: Bench[Any], legs: Sequence[Leg]) -> BacktestResult:
    """The backtests of all legs, each with the cash that the one before it left. Raises InvalidInput at ruin."""
    money, results = bench.terms.cash, []
    unit = minor_unit(bench.terms.currency)
    for leg in legs:
        cash = money.quantize(unit, ROUND_DOWN)  # accounts open with whole cents; what is finer is carried along
        if cash <= 0:
            raise InvalidInput("the capital was lost before the last window began")
        ended = _sold(alone(replace(bench, terms=replace(bench.terms, cash=cash)), leg))
        results.append(_richer(ended, float(money - cash)))
        money = Decimal(repr(results[-1].final_equity))
    span = Span(legs[0].span.start, legs[-1].span.end)
    return replace(
        results[0],
        params={},
        terms=bench.terms,
        bars=part(bench.series, span),
        outcome=_joined([one.outcome for one in results]),
    )


def _richer(result: BacktestResult, amount: float) -> BacktestResult:
    outcome = result.outcome
    return replace(result, outcome=replace(outcome, equity=outcome.equity + amount, cash=outcome.cash + amount))


def _sold(result: BacktestResult) -> BacktestResult:
    """The same with what is held at its end sold at the last close."""
    outcome = result.outcome
    sales = list(_sales(result))
    if not sales:
        return result
    fees = sum(fee for *_, fee in sales)
    columns = list(zip(*sales, strict=True))
    count, last = len(sales), len(outcome.at) - 1
    fills = Fills(
        symbols=outcome.fills.symbols,
        bar=_more(outcome.fills.bar, [last] * count),
        at=_more(outcome.fills.at, [int(outcome.at[-1])] * count),
        instrument=_more(outcome.fills.instrument, columns[0]),
        side=_more(outcome.fills.side, columns[1]),
        quantity=_more(outcome.fills.quantity, columns[2]),
        price=_more(outcome.fills.price, columns[3]),
        fee=_more(outcome.fills.fee, columns[4]),
        why=_more(outcome.fills.why, [int(Why.ORDER)] * count),
    )
    equity, cash, positions = outcome.equity.copy(), outcome.cash.copy(), outcome.positions.copy()
    equity[-1] -= fees
    cash[-1] = equity[-1]
    positions[:, -1] = 0.0
    return replace(result, outcome=replace(outcome, fills=fills, equity=equity, cash=cash, positions=positions))


def _sales(result: BacktestResult) -> Iterator[tuple[int, int, float, float, float]]:
    """(instrument, side, quantity, price, fee) of closing what is held at the end."""
    for place, instrument in enumerate(result.instruments):
        held = float(result.outcome.positions[place, -1])
        if held == 0.0:
            continue
        price, side = float(result.bars[place].close[-1]), Side.SELL if held > 0 else Side.BUY
        notional = abs(held) * price * float(instrument.multiplier)
        fee = total_charge(result.terms.costs, side, quantity=abs(held), notional=notional)
        yield place, -1 if held > 0 else 1, abs(held), price, fee


def _more(column: Any, values: Sequence[float]) -> Any:
    return np.concatenate((column, np.asarray(values, dtype=column.dtype)))


def _joined(outcomes: Sequence[Outcome]) -> Outcome:
    starts = np.cumsum([0, *(len(one.at) for one in outcomes[:-1])])
    moved = [
        replace(one.fills, bar=one.fills.bar + start) for one, start in zip(outcomes, starts.tolist(), strict=True)
    ]
    columns = {
        field.name: np.concatenate([getattr(one, field.name) for one in moved])
        for field in fields(Fills)
        if field.name != "symbols"
    }
    return Outcome(
        engine=outcomes[0].engine,
        at=np.concatenate([one.at for one in outcomes]),
        equity=np.concatenate([one.equity for one in outcomes]),
        cash=np.concatenate([one.cash for one in outcomes]),
        positions=np.concatenate([one.positions for one in outcomes], axis=1),
        fills=Fills(symbols=moved[0].symbols, **columns),
        orders=sum(one.orders for one in outcomes),
        refused=sum(one.refused for one in outcomes),
        notes=(
            "every window began flat; what was held at its end was sold at the last close",
            *dict.fromkeys(note for one in outcomes for note in one.notes),
        ),
    )
