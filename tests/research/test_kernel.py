"""The simulator skips what changes nothing, and reads only the columns that an order needs."""

from math import nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel import Bars, Slippage, backtest
from evenkeel.quant.indicators import Floats
from evenkeel.research.backtest.kernel import next_target
from tests.research.test_compiled import Told, series
from tests.research.worlds import walk

RUNS = st.lists(st.tuples(st.sampled_from([nan, -1.0, 0.0, 0.5, 1.0]), st.integers(1, 30)), min_size=1, max_size=12)


def spelled(runs: list[tuple[float, int]]) -> Floats:
    return np.repeat([target for target, _ in runs], [length for _, length in runs])


@given(RUNS, st.sampled_from([-1.0, 0.0, 0.5]), st.data())
def test_the_next_target_is_the_first_that_is_known_and_another(
    runs: list[tuple[float, int]], held: float, data: st.DataObject
) -> None:
    targets = spelled(runs)
    end = data.draw(st.integers(0, len(targets)))
    start = data.draw(st.integers(0, end))
    others = [i for i in range(start, end) if targets[i] == targets[i] and targets[i] != held]
    assert next_target(targets, start, end, held) == next(iter(others), end)


@settings(deadline=None)
@given(RUNS, st.integers(0, 40))
def test_what_is_held_follows_the_targets_over_runs_of_any_length(runs: list[tuple[float, int]], warmup: int) -> None:
    told = spelled(runs)
    told[:warmup] = nan
    bars = flat(len(told))
    result = backtest(Told(told.tolist()), bars, engine="compiled", check=False, size=2, fees="zero")
    wanted, last = [0.0], 0.0
    for target in told[:-1]:
        last = last if target != target else float(target)
        wanted.append(2.0 * last)
    assert result.outcome.positions[0].tolist() == wanted


def flat(count: int, **more: Any) -> Bars:
    plain = series([(10.0, 10.0, 10.0, 10.0)] * count)
    return Bars(plain.ts, plain.open, plain.high, plain.low, plain.close, plain.volume, timeframe="1d", **more)


@pytest.mark.parametrize("engine", ["compiled", "event"])
def test_a_spread_that_nobody_knows_matters_only_where_a_share_of_it_is_asked_for(engine: Any) -> None:
    known = walk(60, seed=5, minutes=60)
    blank = known.replaced(spread=np.full(60, nan))
    how: dict[str, Any] = {"engine": engine, "params": {"fast": 2, "slow": 5}, "size": 3, "check": False}
    assert backtest("sma-crossover", blank, **how).final_equity == backtest("sma-crossover", known, **how).final_equity
    shared = backtest("sma-crossover", blank, slippage=Slippage(spread_share=0.5), **how)
    assert len(shared.fills) == 0
