"""Parity: both engines run the same backtest, and every fill and every bar's equity is compared.

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
    """Runs a `SignalStrategy` by both engines. Raises InvalidInput for what one of them does not have."""
    compiled = backtest(strategy, bars, params=params, engine="compiled", check=check, **options)
    event = backtest(strategy, bars, params=params, engine="event", check=False, **options)
    gaps = np.abs(compiled.equity - event.equity)
    found = [*_fills(compiled, event)]
    apart = np.flatnonzero(gaps >= CENT)
    if len(apart):
        found.append(f"equity differs at {len(apart)} bars, first at bar {apart[0]} by {gaps[apart[0]]:.4f}")
    return Parity(compiled, event, tuple(found[:SHOWN]), float(gaps.max()))


def _fills(compiled: BacktestResult, event: BacktestResult) -> list[str]:
    pairs = zip_longest(compiled.fills, event.fills)
    return [f"fill {n}: compiled {a}, event {b}" for n, (a, b) in enumerate(pairs) if not _same(a, b)]


def _same(a: Fill | None, b: Fill | None) -> bool:
    if a is None or b is None:
        return False
    whole = _whole(a) == _whole(b)
    return whole and abs(a.price - b.price) <= _PRICE * a.price and abs(a.fee - b.fee) < CENT


def _whole(fill: Fill) -> tuple[Any, ...]:
    return fill.bar, fill.at, fill.symbol, fill.side, fill.quantity, fill.why
