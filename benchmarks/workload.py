"""The shared workload of all backtest figures: seeded bars, terms, strategies, and what they find in plain Python.

Prices are whole ticks of 0.0001 as float64, so that sums of them are exact and equal averages are equal. What is
written here in plain Python knows nothing of the package; every figure is checked against it before it is taken.
"""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import evenkeel as ek
from benchmarks.own import OwnCross, OwnDonchian, OwnRsi

SEED = 7
CASH, FEE = 1_000_000.0, 0.0005
START, MINUTE = 1_704_067_200_000_000_000, 60_000_000_000  # 2024-01-01
FIRST_PRICE = 20_000
MONTH = 30 * 24 * 60
Targets = list[float | None]


def walk(count: int, seed: int = SEED) -> ek.Bars:
    """`count` one-minute bars without a break; each opens one or two ticks off the close before it."""
    draw = np.random.default_rng(seed)
    gap = draw.integers(1, 3, count) * draw.choice((-1, 1), count)
    move = draw.integers(-3, 4, count)
    close = FIRST_PRICE + np.cumsum(gap + move)
    open_ = close - move
    high = np.maximum(open_, close) + draw.integers(0, 4, count)
    low = np.minimum(open_, close) - draw.integers(0, 4, count)
    if low.min() <= 0:
        raise ValueError(f"the walk of seed {seed} falls to nothing within {count} bars; take another seed")
    ts = START + MINUTE * np.arange(count, dtype=np.int64)
    volume = draw.integers(1, 1_000, count)
    prices = [values.astype(np.float64) for values in (open_, high, low, close, volume)]
    return ek.Bars(ts, *prices, symbol="WALK", timeframe="1m")


def terms() -> dict[str, Any]:
    """One unit, 5 basis points of value, a cash of a million, orders at the next open."""
    return {
        "cash": int(CASH),
        "fees": ek.PercentFee("0.0005"),
        "size": ek.Units(Decimal(1)),
        "fill": "next-open",
        "engine": "compiled",
    }


class Case(NamedTuple):
    """One of the strategies measured: the template that comes along, and the same rule as a user's own."""

    built_in: str
    params: dict[str, Any]
    own: type[ek.SignalStrategy]
    own_params: dict[str, Any]

    def run(self, bars: ek.Bars, *, own: bool = False) -> ek.BacktestResult:
        if own:
            return ek.backtest(self.own, bars, params=self.own_params, **terms())
        return ek.backtest(self.built_in, bars, params=self.params, **terms())


def cross(fast: int = 10, slow: int = 50) -> Case:
    return Case("sma-cross", {"fast": fast, "slow": slow}, OwnCross, {"short": fast, "long": slow})


def mixed(count: int) -> list[Case]:
    """`count` strategies, crossovers, RSI and Donchian in turn, no two alike."""
    made = []
    for place in range(count):
        kind, step = place % 3, place // 3
        if kind == 0:
            made.append(cross(5 + step % 20, 30 + 4 * step))
        elif kind == 1:
            n, low = 5 + step, 25.0 + step % 10
            rsi_params = {"period": n, "oversold": low, "overbought": 100.0 - low}
            made.append(Case("rsi", rsi_params, OwnRsi, {"n": n, "low": low, "high": 100.0 - low}))
        else:
            enter, leave = 10 + 3 * step, 5 + step
            own_params = {"enter": enter, "leave": leave}
            made.append(Case("donchian-breakout", {"entry": enter, "exit": leave}, OwnDonchian, own_params))
    return made


class Found(NamedTuple):
    """Where a run ends."""

    final_equity: float
    fills: int


def reference(case: Case, bars: ek.Bars) -> Found:
    """What the case must find, in plain Python."""
    high, low, close = bars.high.tolist(), bars.low.tolist(), bars.close.tolist()
    values = tuple(case.params.values())
    if case.own is OwnCross:
        targets = cross_targets(close, *values)
    elif case.own is OwnRsi:
        targets = rsi_targets(close, *values)
    else:
        targets = donchian_targets(high, low, close, *values)
    return simulated(bars.open.tolist(), close, targets)


def simulated(opens: Sequence[float], closes: Sequence[float], targets: Targets) -> Found:
    """A change of target at a close is an order of one unit at the next open, at `FEE` of its value."""
    cash, held, target, fills = CASH, 0.0, 0.0, 0
    for i, price in enumerate(opens):
        if held != target:
            order = target - held
            cash -= order * price + abs(order) * price * FEE
            held = target
            fills += 1
        wish = targets[i]
        if wish is not None:
            target = wish
    return Found(cash + held * closes[-1], fills)


def cross_targets(close: Sequence[float], fast: int, slow: int) -> Targets:
    """1 while the mean of `fast` closes is above that of `slow`, 0 while it is below; compared without division."""
    targets: Targets = []
    short = long = 0.0
    for i, price in enumerate(close):
        short += price - (close[i - fast] if i >= fast else 0.0)
        long += price - (close[i - slow] if i >= slow else 0.0)
        ahead = short * slow - long * fast
        targets.append(None if i < slow - 1 or ahead == 0.0 else 1.0 if ahead > 0.0 else 0.0)
    return targets


def rsi_targets(close: Sequence[float], period: int, oversold: float, overbought: float) -> Targets:
    """1 below `oversold`, 0 above `overbought`, by Wilder's averages; trusted after ten periods."""
    targets: Targets = [None]
    gain = loss = 0.0
    for i in range(1, len(close)):
        change = close[i] - close[i - 1]
        rise, fall = max(change, 0.0), max(-change, 0.0)
        if i <= period:
            gain, loss = gain + rise / period, loss + fall / period
        else:
            gain, loss = (gain * (period - 1) + rise) / period, (loss * (period - 1) + fall) / period
        index = 100.0 * gain / (gain + loss) if gain + loss else 50.0
        settled = i >= 10 * period
        targets.append(None if not settled else 1.0 if index < oversold else 0.0 if index > overbought else None)
    return targets


def donchian_targets(
    high: Sequence[float], low: Sequence[float], close: Sequence[float], entry: int, leave: int
) -> Targets:
    """1 on a close above the highs of the `entry` bars before it, 0 on one below the lows of the `leave` before it."""
    targets: Targets = [None] * min(entry, len(close))
    for i in range(entry, len(close)):
        if close[i] > max(high[i - entry : i]):
            targets.append(1.0)
        else:
            targets.append(0.0 if close[i] < min(low[i - leave : i]) else None)
    return targets


def agreed(result: ek.BacktestResult, expected: Found) -> Found:
    """Where the result ends. Raises RuntimeError unless equity agrees to the cent and fills exactly."""
    found = Found(result.final_equity, len(result.fills))
    check(found, expected, of=f"{result.strategy} {result.params}")
    return found


def check(found: Found, expected: Found, *, of: str) -> None:
    """Raises RuntimeError unless equity agrees to the cent and fills exactly."""
    if abs(found.final_equity - expected.final_equity) >= 0.005 or found.fills != expected.fills:
        raise RuntimeError(f"{of} found {found}, expected {expected}")


def save(file: Path, bars: ek.Bars) -> None:
    """Writes the columns that `Bars` takes, for processes that read them with numpy alone."""
    np.savez(file, ts=bars.ts, open=bars.open, high=bars.high, low=bars.low, close=bars.close, volume=bars.volume)


def load(file: Path | str) -> ek.Bars:
    """The bars that `save` wrote."""
    with np.load(file) as columns:
        return ek.Bars(**columns, symbol="WALK", timeframe="1m")
