"""Backtests of several instruments together: what plain Python finds, in both engines, searched and walked forward."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evenkeel as ek
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.marketdata import Split
from evenkeel.domain.strategies import Scalar
from evenkeel.market.bars import Bars
from evenkeel.market.panel import Panel
from evenkeel.quant.indicators import Flags, Floats
from evenkeel.research.backtest.parity import parity
from evenkeel.research.search.sweep import CombinationsRefused
from evenkeel.trading.strategies import PanelStrategy, Params, Registry, SignalStrategy
from evenkeel.trading.strategies.evaluate import evaluate, fold, rebalances_of, told_each
from tests.trading.strategies import panels
from tests.trading.strategies.panels import gappy

REGISTRY = Registry()
EXACT: dict[str, Any] = {"cash": 1_000_000, "check": False}


def simulated(
    lines: Mapping[str, Bars], strategy: PanelStrategy, values: dict[str, Scalar], cash: float
) -> list[float]:
    """Equity at each moment: whole shares, sized at the close, filled at each one's next open, without costs."""
    panel = Panel.of(lines)
    told = told_each(strategy, panel, Params(values))
    names = list(lines)
    held, wanted, last, rows = (
        dict.fromkeys(names, 0),
        dict[str, int](),
        dict.fromkeys(names, 0.0),
        dict.fromkeys(names, 0),
    )
    folded = {name: fold(one.targets) for name, one in zip(names, told, strict=True)}
    path = []
    for at in panel.close_ts.tolist():
        shown = [name for name in names if rows[name] < len(lines[name]) and lines[name].close_ts[rows[name]] == at]
        for name in shown:
            if name in wanted:
                quantity = wanted.pop(name)
                cash -= (quantity - held[name]) * float(lines[name].open[rows[name]])
                held[name] = quantity
            last[name] = float(lines[name].close[rows[name]])
        equity = cash + sum(held[name] * last[name] for name in names)
        for name, one in zip(names, told, strict=True):
            if name in shown:
                row = rows[name]
                before = folded[name][row - 1] if row else 0.0
                due = one.rebalances is not None and one.rebalances[row]
                if folded[name][row] != before or due:
                    wanted[name] = int(round(equity * folded[name][row], 9) / last[name])
                rows[name] = row + 1
        path.append(equity)
    return path


CASES: list[tuple[str | type[PanelStrategy], int, dict[str, Scalar]]] = [
    ("rebalanced-weights", 3, {"every": "week", "weights": "0.5, 0.3, 0.1"}),
    ("rebalanced-weights", 4, {"every": "never", "band": 0.008}),
    ("cross-sectional-momentum", 5, {"lookback": 20, "skip": 2, "every": 5, "allow_short": True}),
    ("pairs", 2, {"window": 20, "entry": 1.2, "exit": 0.3, "stop": 2.5}),
    (panels.Strongest, 3, {"back": 3}),
    (panels.Restored, 3, {"back": 3}),
]


def created(strategy: str | type[PanelStrategy]) -> PanelStrategy:
    made = REGISTRY.create(strategy) if isinstance(strategy, str) else strategy()
    assert isinstance(made, PanelStrategy)
    return made


@pytest.mark.parametrize(("strategy", "count", "values"), CASES)
@pytest.mark.parametrize("engine", ["event", "compiled"])
def test_it_finds_what_plain_python_finds(
    strategy: str | type[PanelStrategy], count: int, values: dict[str, Scalar], engine: Any
) -> None:
    lines = gappy(220, count, 3, missing=0.2)
    found = ek.backtest(strategy, lines, params=values, engine=engine, **EXACT)
    expected = simulated(lines, created(strategy), {**found.params}, 1_000_000.0)
    assert len(found.fills) > 10
    np.testing.assert_allclose(found.equity, expected, atol=0.005)
    assert found.outcome.engine == engine


@settings(max_examples=40, deadline=None)
@given(
    case=st.integers(0, len(CASES) - 1),
    seed=st.integers(0, 500),
    missing=st.sampled_from([0.0, 0.1, 0.5]),
    size=st.sampled_from(
        [ek.PercentOfEquity(), ek.PercentOfEquity(Decimal("0.5")), ek.Units(Decimal(30)), ek.Cash(Decimal(20_000))]
    ),
    fees=st.sampled_from(["zero", "us-per-share", ek.PercentFee("0.001", minimum="1", step="0.01")]),
    bps=st.sampled_from([0.0, 3.0]),
)
def test_both_engines_agree(case: int, seed: int, missing: float, size: Any, fees: Any, bps: float) -> None:
    strategy, count, values = CASES[case]
    found = parity(
        strategy,
        gappy(120, count, seed, missing=missing),
        params=values,
        check=False,
        cash=100_000,
        size=size,
        fees=fees,
        slippage=bps,
    )
    assert found.agrees, found.differences


class Drifting(SignalStrategy):
    """Three quarters while it rises, a quarter short while it falls."""

    name = "drifting"

    def warmup(self, params: Params) -> int:
        return 3

    def signals(self, bars: Bars, params: Params) -> Floats:
        before = np.full(len(bars), np.nan)
        before[3:] = bars.close[:-3]
        return np.where(bars.close > before, 0.75, -0.25)


class Leaning(Drifting):
    """The same, brought back every time it has risen a lot."""

    name = "leaning"

    def rebalances(self, bars: Bars, params: Params) -> Flags:
        risen = np.zeros(len(bars), dtype=np.bool_)
        risen[1:] = bars.close[1:] > 1.005 * bars.close[:-1]
        return risen


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_strategy_of_one_instrument_may_rebalance_too(count: int, seed: int) -> None:
    found = parity(Leaning, gappy(200, count, seed), cash=100_000)
    assert found.agrees, found.differences
    drifting = ek.backtest(Drifting, gappy(200, count, seed), cash=100_000)
    assert len(found.event.fills) > len(drifting.fills) + 20


def test_weights_are_held_to_a_lot_and_restored() -> None:
    lines = gappy(200, 2, 9, missing=0.0)
    found = ek.backtest("rebalanced-weights", lines, params={"every": "week", "weights": "0.6, 0.3"}, cash=1_000_000)
    kept = ek.backtest("rebalanced-weights", lines, params={"every": "never", "weights": "0.6, 0.3"}, cash=1_000_000)
    assert len(kept.fills) == 2
    assert len(found.fills) > 40
    panel = Panel.of(lines)
    shares = found.outcome.positions.T * panel.last_close() / found.equity[:, None]
    values = Params(every="week", band=0.0, weights="0.6, 0.3")
    flags = rebalances_of(created("rebalanced-weights"), panel, values)
    assert flags is not None
    after = np.flatnonzero(flags)[1:-2] + 1
    np.testing.assert_allclose(shares[after], [[0.6, 0.3]] * len(after), atol=0.05)


def test_a_split_changes_nothing_that_is_held() -> None:
    """The second instrument is split two for one at bar 100, raw prices halved: the account fares the same."""
    lines = gappy(200, 3, 4, missing=0.0)
    second = lines["seeded-2"]
    after = np.arange(len(second)) >= 100
    halved = {
        name: np.where(after, getattr(second, name) / 2, getattr(second, name))
        for name in ("open", "high", "low", "close")
    }
    day = date.fromordinal(date(1970, 1, 1).toordinal() + int(second.ts[100] // 86_400_000_000_000))
    split = Split("seeded-2", day, Decimal(2), Decimal(1))
    for engine in ("event", "compiled"):
        plain = ek.backtest(
            "cross-sectional-momentum", lines, params={"lookback": 20, "skip": 0}, engine=engine, cash=10_000_000
        )
        found = ek.backtest(
            "cross-sectional-momentum",
            lines | {"seeded-2": second.replaced(**halved)},
            params={"lookback": 20, "skip": 0},
            engine=engine,
            cash=10_000_000,
            splits=[split],
        )
        np.testing.assert_allclose(found.equity, plain.equity, rtol=1e-4)
        assert len(found.fills) == len(plain.fills) > 10


@pytest.mark.parametrize(
    ("strategy", "values", "says"),
    [
        ("pairs", {}, "it trades 2, not 3"),
        ("rebalanced-weights", {"weights": "0.5, 0.5"}, "it trades 2, not 3"),
        ("trend-filter", {"timeframe": "1d"}, "1d is no higher timeframe than 1d"),
    ],
)
def test_what_does_not_fit_is_refused(strategy: str, values: dict[str, Scalar], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        ek.backtest(strategy, gappy(50, 3), params=values)


def test_what_looks_ahead_is_refused() -> None:
    with pytest.raises(InvalidInput, match="it looks ahead"):
        ek.backtest(panels.TomorrowOfTheOther, gappy(50, 2))


def test_a_higher_timeframe_is_read_by_both_engines() -> None:
    bars = ek.sample_bars("AAPL")
    found = parity("trend-filter", bars, params={"timeframe": "1w", "trend": 10, "slow": 30, "allow_short": True})
    assert found.agrees, found.differences
    assert len(found.event.fills) > 20


def test_a_panel_with_a_higher_timeframe_is_read_by_both_engines() -> None:
    lines = {name: ek.sample_bars(name).rows(0, 600) for name in ("AAPL", "MSFT")}
    found = parity(Weekly, lines, cash=1_000_000)
    assert found.agrees, found.differences
    assert len(found.event.fills) > 20


class Weekly(PanelStrategy):
    """Half in each that rose last week."""

    name = "weekly"

    def warmup(self, params: Params) -> int:
        return 0

    def timeframes(self, params: Params) -> Mapping[str, int]:
        return {"1w": 2}

    def signals(self, bars: Panel, params: Params) -> Floats:
        week = ek.higher(bars, "1w")
        risen = np.diff(week.bars.last_close(), axis=0, prepend=np.nan)
        return np.where(week.aligned(risen) > 0.0, 0.5, 0.0)


def test_a_sweep_over_several_instruments() -> None:
    lines = gappy(200, 2, 6, missing=0.1)
    grid: dict[str, list[int] | list[float]] = {"window": [15, 25], "entry": [1.0, 1.5]}
    table = ek.sweep("pairs", lines, grid=grid, metrics=["final_equity", "fills"], cash=100_000)
    assert len(table) == 4
    for row in table.iter_rows(named=True):
        one = ek.backtest("pairs", lines, params={name: row[name] for name in grid}, cash=100_000)
        assert row["final_equity"] == pytest.approx(one.final_equity)
        assert row["fills"] == len(one.fills)


def test_combinations_that_do_not_fit_are_left_out() -> None:
    lines = gappy(120, 2, 6)
    with pytest.warns(CombinationsRefused, match="because with these parameters it trades 3, not 2"):
        table = ek.sweep(
            "rebalanced-weights", lines, grid={"weights": ["equal", "0.5, 0.5", "0.2, 0.2, 0.2"]}, cash=100_000
        )
    assert table["weights"].to_list() == ["equal", "0.5, 0.5"]


class Replayed(PanelStrategy):
    """What another strategy decided, by moment."""

    name = "replayed"

    def __init__(self, closes: Any, targets: Floats, flags: Flags) -> None:
        self.closes, self.targets, self.flags = closes, targets, flags

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Panel, params: Params) -> Floats:
        return self.targets[np.searchsorted(self.closes, bars.close_ts)]

    def rebalances(self, bars: Panel, params: Params) -> Flags:
        return self.flags[np.searchsorted(self.closes, bars.close_ts)]


@pytest.mark.parametrize("engine", ["event", "compiled"])
def test_walked_forward_it_trades_what_each_window_decides(engine: Any) -> None:
    """With one combination there is nothing to choose: its targets over all windows, the first as it stood then."""
    lines = gappy(300, 3, 8, missing=0.2)
    found = ek.walk_forward(
        panels.Restored, lines, train=100, test=50, grid={"back": [4]}, engine=engine, cash=100_000, check=False
    )
    assert len(found.windows) == 4
    start, end = found.windows[0].test.start, found.windows[-1].test.end
    panel, params = Panel.of(lines), Params(back=4)
    targets, flags = evaluate(panels.Restored(), panel, params), rebalances_of(panels.Restored(), panel, params)
    assert flags is not None
    for window in found.windows:
        row = int(np.searchsorted(panel.ts, window.test.start))
        targets[row] = [fold(line)[-1] for line in targets[: row + 1].T]
    part = {name: line.between(start, end) for name, line in lines.items()}
    expected = ek.backtest(Replayed(panel.close_ts, targets, flags), part, engine=engine, cash=100_000, check=False)
    assert len(expected.fills) > 40
    np.testing.assert_array_equal(found.result.equity, expected.equity)
