"""The library of strategies: each rule against a plain loop over the bars, written from the rule's words."""

from collections.abc import Callable, Iterator
from math import isnan, nan, sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.strategies import Scalar
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies import Registry, SignalStrategy
from evenkeel.trading.strategies.evaluate import confidence_of, evaluate, fold
from evenkeel.trading.strategies.registry import BUILT_IN
from evenkeel.trading.strategies.seeded import seeded_bars
from tests.trading.strategies.authors import made_bars

REGISTRY = Registry()
SEEDS = st.integers(0, 10_000)
COUNT = 160
Walk = Iterator[float]


def targets_of(name: str, bars: Bars, **values: Scalar) -> Floats:
    strategy = REGISTRY.create(name)
    assert isinstance(strategy, SignalStrategy)
    return evaluate(strategy, bars, REGISTRY.resolve(name, values))


def agree(name: str, bars: Bars, expected: Walk, **values: Scalar) -> None:
    """The loop tells what is held after each bar; `name` must hold the same once its warm-up is over."""
    strategy = REGISTRY.create(name)
    warmup = strategy.warmup(REGISTRY.resolve(name, values))
    held, asked = 0.0, []
    for i, target in enumerate(expected):
        held = held if i < warmup or isnan(target) else target
        asked.append(held)
    np.testing.assert_array_equal(fold(targets_of(name, bars, **values)), asked)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def deviation(values: list[float]) -> float:
    centre = mean(values)
    return sqrt(sum((value - centre) ** 2 for value in values) / len(values))


def averages(values: list[float], period: int, weight: float) -> list[float]:
    """A recursive average of `weight` a bar, started by the mean of the first `period` values that are known."""
    known = [value for value in values if not isnan(value)]
    found = [nan] * (len(values) - len(known) + period - 1)
    for i in range(period - 1, len(known)):
        before = found[-1]
        found.append(mean(known[:period]) if i == period - 1 else before + weight * (known[i] - before))
    return found


def differs(a: float, b: float) -> bool:
    return abs(a - b) > 1e-9 * max(abs(a), abs(b))


def sides(lines: list[tuple[float, float]], low: float) -> Walk:
    """Long while the first of two lines is above the second, `low` while it is below."""
    for a, b in lines:
        yield nan if isnan(a) or isnan(b) or not differs(a, b) else 1.0 if a > b else low


@settings(deadline=None, max_examples=20)
@given(SEEDS, st.integers(2, 6), st.integers(7, 15), st.booleans())
def test_ema_crossover_follows_two_averages(seed: int, fast: int, slow: int, allow_short: bool) -> None:
    bars = seeded_bars(COUNT, seed)
    lines = [averages(bars.close.tolist(), period, 2 / (period + 1)) for period in (fast, slow)]
    walk = sides(list(zip(*lines, strict=True)), -1.0 if allow_short else 0.0)
    agree("ema-crossover", bars, walk, fast=fast, slow=slow, allow_short=allow_short)


@settings(deadline=None, max_examples=20)
@given(SEEDS, st.integers(2, 6), st.integers(7, 12), st.integers(2, 6), st.booleans())
def test_macd_follows_its_signal_line(seed: int, fast: int, slow: int, signal: int, allow_short: bool) -> None:
    bars = seeded_bars(COUNT, seed)
    quick, steady = (averages(bars.close.tolist(), period, 2 / (period + 1)) for period in (fast, slow))
    line = [a - b for a, b in zip(quick, steady, strict=True)]
    walk = sides(list(zip(line, averages(line, signal, 2 / (signal + 1)), strict=True)), -1.0 if allow_short else 0.0)
    agree("macd", bars, walk, fast=fast, slow=slow, signal=signal, allow_short=allow_short)


@settings(deadline=None, max_examples=20)
@given(SEEDS, st.integers(2, 60), st.integers(0, 1), st.booleans())
def test_momentum_follows_what_has_risen(seed: int, lookback: int, skip: int, allow_short: bool) -> None:
    bars = seeded_bars(COUNT, seed)
    close = bars.close.tolist()
    lines = [(close[i - skip], close[i - lookback]) if i >= lookback else (nan, nan) for i in range(COUNT)]
    walk = sides(lines, -1.0 if allow_short else 0.0)
    agree("momentum", bars, walk, lookback=lookback, skip=skip, allow_short=allow_short)


@settings(deadline=None, max_examples=20)
@given(SEEDS, st.integers(1, 30), st.booleans())
def test_obv_follows_the_volume_of_rises_and_falls(seed: int, period: int, allow_short: bool) -> None:
    bars = seeded_bars(COUNT, seed)
    close, volume = bars.close.tolist(), bars.volume.tolist()
    balance = [0.0]
    for i in range(1, COUNT):
        balance.append(balance[-1] + (volume[i] if close[i] > close[i - 1] else 0.0))
        balance[-1] -= volume[i] if close[i] < close[i - 1] else 0.0
    lines = [(balance[i], balance[i - period]) if i >= period else (nan, nan) for i in range(COUNT)]
    walk = sides(lines, -1.0 if allow_short else 0.0)
    agree("obv", bars, walk, period=period, allow_short=allow_short)


@settings(deadline=None, max_examples=20)
@given(SEEDS, st.integers(2, 10), st.integers(1, 4), st.integers(2, 4), st.booleans())
def test_stochastic_buys_low_when_it_turns_up(
    seed: int, period: int, smooth: int, signal: int, allow_short: bool
) -> None:
    bars = seeded_bars(COUNT, seed)
    high, low, close = bars.high.tolist(), bars.low.tolist(), bars.close.tolist()
    place = []
    for i in range(period - 1, COUNT):
        top, bottom = max(high[i - period + 1 : i + 1]), min(low[i - period + 1 : i + 1])
        place.append(100 * (close[i] - bottom) / (top - bottom) if top > bottom else 50.0)
    k = [mean(place[i - smooth + 1 : i + 1]) for i in range(smooth - 1, len(place))]

    def walk() -> Walk:
        yield from [nan] * (COUNT - len(k) + signal - 1)
        for i in range(signal - 1, len(k)):
            d = mean(k[i - signal + 1 : i + 1])
            up, down = k[i] < 30 and k[i] > d and differs(k[i], d), k[i] > 70 and k[i] < d and differs(k[i], d)
            yield 1.0 if up else (-1.0 if allow_short else 0.0) if down else nan

    values: dict[str, Scalar] = {"period": period, "smooth": smooth, "signal": signal, "allow_short": allow_short}
    agree("stochastic", bars, walk(), oversold=30, overbought=70, **values)


def reverting(scores: list[float], entry: float, *, leave: float, warmup: int, allow_short: bool) -> Walk:
    """Long at −entry or below until −leave is reached again, and the mirror of it: the position after each bar."""
    held = 0.0
    for i, score in enumerate(scores):
        if i >= warmup:
            if score <= -entry:
                held = 1.0
            elif score >= entry and allow_short:
                held = -1.0
            elif (held > 0 and score >= -leave) or (held < 0 and score <= leave):
                held = 0.0
        yield held


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.integers(3, 20), st.sampled_from([0.9, 1.3, 2.0]), st.booleans())
def test_reversions_wait_for_the_average(seed: int, period: int, entry: float, allow_short: bool) -> None:
    bars = seeded_bars(COUNT, seed)
    close, volume = bars.close.tolist(), bars.volume.tolist()
    typical = ((bars.high + bars.low + bars.close) / 3).tolist()
    scores: list[float] = []
    from_vwap: list[float] = []
    for i in range(COUNT):
        last = slice(max(0, i - period + 1), i + 1)
        spread = deviation(close[last])
        weighted = sum(p * v for p, v in zip(typical[last], volume[last], strict=True)) / sum(volume[last])
        scores.append((close[i] - mean(close[last])) / spread if spread > 1e-9 else 0.0)
        from_vwap.append((close[i] - weighted) / spread if spread > 1e-9 else np.sign(close[i] - weighted) * 1e-3)
    decided = [abs(score) for score in scores[period:] + from_vwap[period:]]
    assume(all(abs(score - limit) > 1e-9 for score in decided for limit in (entry, 0.4, 0.0)))  # none hangs on rounding
    at_middle = reverting(scores, entry, leave=0.0, warmup=period, allow_short=allow_short)
    agree("bollinger", bars, at_middle, period=period, width=entry, allow_short=allow_short)
    before = reverting(scores, entry, leave=0.4, warmup=period, allow_short=allow_short)
    agree("mean-reversion", bars, before, period=period, entry=entry, exit=0.4, allow_short=allow_short)
    at_vwap = reverting(from_vwap, entry, leave=0.0, warmup=period, allow_short=allow_short)
    agree("vwap-reversion", bars, at_vwap, period=period, entry=entry, allow_short=allow_short)


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.integers(3, 15), st.integers(1, 3), st.sampled_from([0.8, 1.0, 1.4]), st.booleans())
def test_volatility_breakout_wants_quiet_before(
    seed: int, entry: int, leave: int, calm: float, allow_short: bool
) -> None:
    bars = seeded_bars(COUNT, seed)
    high, low, close = bars.high.tolist(), bars.low.tolist(), bars.close.tolist()
    spans = [nan] + [max(high[i], close[i - 1]) - min(low[i], close[i - 1]) for i in range(1, COUNT)]
    recent, usual = 4, 12

    def walk() -> Walk:
        held = 0.0
        for i in range(COUNT):
            if i >= max(entry, usual + 1):
                quiet = mean(spans[i - recent : i]) <= calm * mean(spans[i - usual : i]) * (1 + 1e-12)
                if quiet and close[i] > max(high[i - entry : i]):
                    held = 1.0
                elif allow_short and quiet and close[i] < min(low[i - entry : i]):
                    held = -1.0
                elif (held > 0 and close[i] < min(low[i - leave : i])) or (
                    held < 0 and close[i] > max(high[i - leave : i])
                ):
                    held = 0.0
            yield held

    values: dict[str, Scalar] = {"recent": recent, "usual": usual, "calm": calm, "allow_short": allow_short}
    agree("volatility-breakout", bars, walk(), entry=entry, exit=leave, **values)


@settings(deadline=None, max_examples=20)
@given(SEEDS, st.integers(2, 8), st.sampled_from([1.0, 2.0, 3.0]), st.booleans())
def test_supertrend_follows_its_stop(seed: int, period: int, width: float, allow_short: bool) -> None:
    bars = seeded_bars(COUNT, seed)
    high, low, close = bars.high.tolist(), bars.low.tolist(), bars.close.tolist()
    spans = [nan] + [max(high[i], close[i - 1]) - min(low[i], close[i - 1]) for i in range(1, COUNT)]
    reach = [width * average for average in averages(spans, period, 1 / period)]

    def walk() -> Walk:
        is_up, under, over = False, nan, nan
        for i in range(COUNT):
            if isnan(reach[i]):
                yield nan
                continue
            middle = (high[i] + low[i]) / 2
            floor, ceiling = middle - reach[i], middle + reach[i]
            if isnan(under):
                is_up = close[i] >= middle
                under, over = floor, ceiling
            else:
                under = max(under, floor) if close[i - 1] >= under else floor
                over = min(over, ceiling) if close[i - 1] <= over else ceiling
                is_up = close[i] >= under if is_up else close[i] > over
            yield 1.0 if is_up else -1.0 if allow_short else 0.0

    agree("supertrend", bars, walk(), period=period, width=width, allow_short=allow_short)


def test_buy_and_hold_buys_and_holds() -> None:
    assert targets_of("buy-and-hold", seeded_bars(30)).tolist() == [1.0] * 30
    assert REGISTRY.info("buy-and-hold").parameters == ()


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("ema-crossover", {"fast": 26}, "fast: expected less than slow"),
        ("macd", {"fast": 30}, "fast: expected less than slow"),
        ("momentum", {"lookback": 5, "skip": 5}, "skip: expected less than lookback"),
        ("stochastic", {"oversold": 80}, "oversold: expected less than overbought"),
        ("mean-reversion", {"exit": 2.5}, "exit: expected less than entry"),
        ("volatility-breakout", {"exit": 21, "recent": 50}, "exit: expected at most entry"),
        ("volatility-breakout", {"exit": 21, "recent": 50}, "recent: expected less than usual"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(name: str, parameters: dict[str, Scalar], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        REGISTRY.resolve(name, parameters)


STILL: dict[str, Callable[[], Bars]] = {
    "price": lambda: made_bars([50.0] * 300),
    "price without a range": lambda: with_columns(made_bars([50.1] * 300), high=50.1, low=50.1),
    "volume": lambda: with_columns(seeded_bars(300), volume=0.0),
}


def with_columns(bars: Bars, **values: float) -> Bars:
    return bars.replaced(**{name: np.full(len(bars), value) for name, value in values.items()})


@pytest.mark.parametrize("what", STILL)
@pytest.mark.parametrize("template", BUILT_IN, ids=lambda template: template.name)
def test_a_market_that_stands_still_breaks_nothing(template: type[SignalStrategy], what: str) -> None:
    """No warning (they are errors here), no position but by buying and holding, and confidence within bounds."""
    bars, strategy = STILL[what](), template()
    params = REGISTRY.resolve(template.name, {})
    targets = evaluate(strategy, bars, params)
    sure = confidence_of(strategy, bars, params, targets=targets)
    assert ((sure >= 0) & (sure <= 1)).all()
    assert all(len(series) == 300 for series in strategy.details(bars, params).values())
    if what != "volume" and template.parameters and template.name not in ("supertrend", "support-resistance"):
        assert not (targets > 0).any()
