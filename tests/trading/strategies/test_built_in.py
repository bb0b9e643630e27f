"""The built-in strategies: what all keep to, and rules of the first four against plain walks and cases by hand."""

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.strategies import Scalar
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, rsi
from evenkeel.trading.strategies import Params, Registry, SignalStrategy
from evenkeel.trading.strategies.buy_and_hold import BuyAndHold
from evenkeel.trading.strategies.evaluate import confidence_of, evaluate, fold
from evenkeel.trading.strategies.registry import BUILT_IN
from evenkeel.trading.strategies.seeded import seeded_bars
from tests.trading.strategies.authors import made_bars

REGISTRY = Registry()
SEEDS = st.integers(0, 10_000)
SELLING = tuple(template for template in BUILT_IN if template is not BuyAndHold)


def targets_of(name: str, bars: Bars, **values: Scalar) -> Floats:
    strategy = REGISTRY.create(name)
    assert isinstance(strategy, SignalStrategy)
    return evaluate(strategy, bars, REGISTRY.resolve(name, values))


def assert_same(ours: Floats, expected: list[float]) -> None:
    np.testing.assert_array_equal(ours, np.array(expected))


def test_sma_crossover_by_hand() -> None:
    bars = made_bars([1, 2, 3, 3, 2, 1, 1, 1, 1])
    #  means of 2: -, 1.5, 2.5, 3, 2.5, 1.5, 1, 1, 1; of 3: -, -, 2, 2.67, 2.67, 2, 1.33, 1, 1
    expected = [nan, nan, 1, 1, 0, 0, 0, nan, nan]
    assert_same(targets_of("sma-crossover", bars, fast=2, slow=3), expected)
    short = [-1 if value == 0 else value for value in expected]
    assert_same(targets_of("sma-crossover", bars, fast=2, slow=3, allow_short=True), short)


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.integers(1, 10), st.integers(11, 40))
def test_sma_crossover_is_the_sign_of_exact_averages(seed: int, fast: int, slow: int) -> None:
    bars = seeded_bars(150, seed)
    cents = np.round(bars.close * 100).astype(int).tolist()
    expected = [nan] * (slow - 1)
    for i in range(slow - 1, 150):
        gap = sum(cents[i - fast + 1 : i + 1]) * slow - sum(cents[i - slow + 1 : i + 1]) * fast
        expected.append(1.0 if gap > 0 else 0.0 if gap < 0 else nan)
    assert_same(targets_of("sma-crossover", bars, fast=fast, slow=slow), expected)


@settings(deadline=None, max_examples=20)
@given(SEEDS, st.integers(2, 8), st.booleans())
def test_rsi_follows_the_index(seed: int, period: int, allow_short: bool) -> None:
    bars = seeded_bars(200, seed)
    index = rsi(bars.close, period).tolist()
    low = -1.0 if allow_short else 0.0
    expected = [nan if i < 10 * period or 35 <= x <= 65 else 1.0 if x < 35 else low for i, x in enumerate(index)]
    ours = targets_of("rsi", bars, period=period, oversold=35, overbought=65, allow_short=allow_short)
    assert_same(ours, expected)


def test_donchian_breakout_by_hand() -> None:
    bars = made_bars([10, 10, 10, 12, 12, 11, 9, 9])  # highs +1, lows -1
    # bar 3: 12 > 11; bar 6: 9 < min(11, 10) of the two lows before
    expected = [nan, nan, nan, 1, nan, nan, 0, nan]
    assert_same(targets_of("donchian-breakout", bars, entry=3, exit=2), expected)


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.integers(3, 15), st.integers(1, 3), st.booleans())
def test_donchian_breakout_is_a_walk(seed: int, entry: int, leave: int, allow_short: bool) -> None:
    bars = seeded_bars(150, seed)
    high, low, close = bars.high.tolist(), bars.low.tolist(), bars.close.tolist()
    held, expected = 0.0, []
    for i, price in enumerate(close):
        if i >= entry:
            if price > max(high[i - entry : i]):
                held = 1.0
            elif allow_short and price < min(low[i - entry : i]):
                held = -1.0
            elif (held > 0 and price < min(low[i - leave : i])) or (held < 0 and price > max(high[i - leave : i])):
                held = 0.0
        expected.append(held)
    ours = targets_of("donchian-breakout", bars, entry=entry, exit=leave, allow_short=allow_short)
    np.testing.assert_array_equal(fold(ours), expected)


def test_support_bounce_by_hand() -> None:
    """A swing low of 19 at bar 3, confirmed at bar 5; bar 8 comes back to 19.05 and closes above."""
    closes = [24.0, 23.0, 21.0, 20.0, 22.0, 23.0, 24.0, 22.0, 20.05, 21.0]
    bars = made_bars(closes)
    ours = targets_of("support-resistance", bars, swing=2, lookback=5, tolerance=0.005)
    assert ours[8] == 1.0


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.integers(1, 4), st.integers(8, 30), st.booleans())
def test_support_and_resistance_is_a_walk(seed: int, swing: int, lookback: int, allow_short: bool) -> None:
    bars = seeded_bars(140, seed)
    high, low, close = bars.high.tolist(), bars.low.tolist(), bars.close.tolist()
    near, expected = 0.01, []
    for i in range(140):
        if i < lookback + swing:
            expected.append(nan)
            continue
        support = resistance = nan
        for p in range(i - lookback, i - swing + 1):
            around = slice(p - swing, p + swing + 1)
            support = low[p] if low[p] == min(low[around]) else support
            resistance = high[p] if high[p] == max(high[around]) else resistance
        up = (low[i] <= support * (1 + near) and close[i] > support) or close[i] > resistance * (1 + near)
        down = (high[i] >= resistance * (1 - near) and close[i] < resistance) or close[i] < support * (1 - near)
        expected.append((1.0 if up else (-1.0 if allow_short else 0.0)) if up != down else nan)
    ours = targets_of(
        "support-resistance", bars, swing=swing, lookback=lookback, tolerance=near, allow_short=allow_short
    )
    assert_same(ours, expected)


@pytest.mark.parametrize("template", BUILT_IN)
def test_long_or_flat_by_default_and_confidence_within_bounds(template: type[SignalStrategy]) -> None:
    strategy, bars = template(), seeded_bars(700)
    params: Params = REGISTRY.resolve(template.name, {})
    targets = evaluate(strategy, bars, params)
    assert {value for value in targets.tolist() if not isnan(value)} == ({0.0, 1.0} if template in SELLING else {1.0})
    assert np.isnan(targets[: strategy.warmup(params)]).all()
    sure = confidence_of(strategy, bars, params, targets=targets)
    assert ((sure >= 0) & (sure <= 1)).all()
    assert all(values.shape == (700,) for values in strategy.details(bars, params).values())


@pytest.mark.parametrize("template", BUILT_IN)
def test_parameters_are_documented(template: type[SignalStrategy]) -> None:
    info = REGISTRY.info(template.name)
    assert info.title
    assert info.description
    assert all(parameter.description for parameter in info.parameters)


@pytest.mark.parametrize("template", SELLING)
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_bars_decide_nothing(template: type[SignalStrategy], count: int) -> None:
    assert np.isnan(targets_of(template.name, seeded_bars(50).rows(0, count))).all()
