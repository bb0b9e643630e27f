"""One backtest of several legs, each with parameters of its own.

Targets are worked out leg by leg, from what is known until the leg ends, and then run as one:
cash and positions carry over, and a change of parameters costs what trading it costs. A strategy that places its own
orders runs leg by leg instead; what it holds at the end of one is sold at the last close, with fees.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from decimal import ROUND_DOWN, Decimal
from typing import Any, NamedTuple

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.money import minor_unit
from evenkeel.domain.orders import Side
from evenkeel.quant.costs import total_charge
from evenkeel.research.backtest.outcome import Fills, Outcome, Why
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.search.bench import Bench, Place, Span, part
from evenkeel.research.search.known import GivenPanel, GivenTargets, Seen, Targets, joined
from evenkeel.trading.strategies.base import PanelStrategy, TargetStrategy
from evenkeel.trading.strategies.parameters import Params


class Leg(NamedTuple):
    """A stretch of history and the parameters to trade it with; None: nothing is held."""

    span: Span
    params: Params | None


def targets_of(bench: Bench[Any], legs: Sequence[Leg]) -> Targets:
    """The targets of all legs, which follow one another. A leg begins with the target that its parameters hold then."""
    strategy = bench.strategy
    assert isinstance(strategy, TargetStrategy)
    parts = [Seen(bench.series, bench.terms, *leg.span).decided(strategy, leg.params) for leg in legs]
    if isinstance(strategy, PanelStrategy):
        return GivenPanel(joined([line for part in parts for line in part.values()]))
    return GivenTargets({name: joined([part[name] for part in parts]) for name in parts[0]})


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
