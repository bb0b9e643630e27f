"""Parity: both engines run the same backtest, and every fill, every bar's equity and what holding cost are compared.

Quantities, sides, bars and reasons must be equal; prices and money to the cent, since one engine books exact decimals
and the other counts in float64.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Unpack

import numpy as np

from evenkeel.domain.strategies import Scalar
from evenkeel.research.backtest.finding import StrategyLike
from evenkeel.research.backtest.options import Options
from evenkeel.research.backtest.outcome import Fill
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.backtest.run import History, backtest

CENT = 0.01
_PRICE = 1e-9
_NOISE = 1e-12  # of a quantity: what floats make of a hundred million lots
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Parity:
    """`differences` in words, the first twenty; none where the engines agree. `largest` is of equity, in currency."""

    compiled: BacktestResult
    event: BacktestResult
    differences: tuple[str, ...]
    largest: float

    @property
    def agrees(self) -> bool:
        return not self.differences


def parity(
    strategy: StrategyLike,
    bars: History,
    *,
    params: Mapping[str, Scalar] | None = None,
    check: bool = True,
    **options: Unpack[Options],
) -> Parity:
    """Runs a strategy of targets by both engines. Raises InvalidInput for what one of them does not have."""
    compiled = backtest(strategy, bars, params=params, engine="compiled", check=check, **options)
    event = backtest(strategy, bars, params=params, engine="event", check=False, **options)
    gaps = np.abs(compiled.equity - event.equity)
    found = [*_fills(compiled, event)]
    apart = np.flatnonzero(gaps >= CENT)
    if len(apart):
        found.append(f"equity differs at {len(apart)} bars, first at bar {apart[0]} by {gaps[apart[0]]:.4f}")
    found += _carried(compiled, event)
    return Parity(compiled, event, tuple(found[:SHOWN]), float(gaps.max()))


def _carried(compiled: BacktestResult, event: BacktestResult) -> list[str]:
    ours, theirs = compiled.outcome.carried, event.outcome.carried
    pairs = [("interest", ours.interest, theirs.interest)]
    pairs += [(one.symbol, ours.of(place), theirs.of(place)) for place, one in enumerate(compiled.instruments)]
    return [f"carried, {name}: compiled {a}, event {b}" for name, a, b in pairs if abs(a - b) >= CENT]


def _fills(compiled: BacktestResult, event: BacktestResult) -> list[str]:
    pairs = zip_longest(sorted(compiled.fills, key=_place), sorted(event.fills, key=_place))
    return [f"fill {n}: compiled {a}, event {b}" for n, (a, b) in enumerate(pairs) if not _same(a, b)]


def _place(fill: Fill) -> tuple[int, str]:
    """What is compared in turn: of one bar, exits of different instruments have no sequence."""
    return fill.bar, fill.symbol


def _same(a: Fill | None, b: Fill | None) -> bool:
    if a is None or b is None:
        return False
    whole = _whole(a) == _whole(b)
    near = abs(a.quantity - b.quantity) <= _NOISE * a.quantity and abs(a.price - b.price) <= _PRICE * a.price
    return whole and near and abs(a.fee - b.fee) < CENT


def _whole(fill: Fill) -> tuple[Any, ...]:
    return fill.bar, fill.at, fill.symbol, fill.side, fill.why
