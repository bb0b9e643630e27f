"""What trading needs beyond TA-Lib: against plain loops written from the formulas, and against TA-Lib and numpy."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from math import isnan, log, nan, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant import indicators as ind
from evenkeel.quant.indicators import moments, sessions, trend, volume
from tests.quant.test_indicators_kernels import same_bits

_RNG = np.random.default_rng(11)
COUNT = 600
CLOSE = np.cumsum(_RNG.normal(size=COUNT)) + 300.0
OPEN = CLOSE + 0.4 * _RNG.normal(size=COUNT)
HIGH = np.maximum(OPEN, CLOSE) + _RNG.random(COUNT)
LOW = np.minimum(OPEN, CLOSE) - _RNG.random(COUNT)
VOLUME = np.round(1_000 * _RNG.random(COUNT))
OTHER = 0.5 * CLOSE + np.cumsum(_RNG.normal(size=COUNT)) + 90.0
STARTS = np.arange(COUNT) % 50 == 7
SERIES = st.lists(st.integers(1, 400).map(lambda c: c / 100), min_size=1, max_size=40)
HOUR = 3_600_000_000_000


def close_to(ours: npt.NDArray[Any], expected: Any, *, rtol: float = 1e-9) -> None:
    np.testing.assert_allclose(ours, expected, rtol=rtol, atol=1e-9)


@pytest.mark.parametrize("period", [2, 5, 20, 63])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda n: ind.rolling_std(CLOSE, n), lambda n: talib.STDDEV(CLOSE, n)),
        (lambda n: ind.slope(CLOSE, n), lambda n: talib.LINEARREG_SLOPE(CLOSE, n)),
        (lambda n: ind.rolling_correlation(CLOSE, OTHER, period=n), lambda n: talib.CORREL(CLOSE, OTHER, n)),
        (lambda n: ind.bollinger(CLOSE, n, width=1.5), lambda n: talib.BBANDS(CLOSE, n, 1.5, 1.5)),
        (
            lambda n: ind.stochastic(HIGH, LOW, CLOSE, n, smooth=3, signal=4),
            lambda n: talib.STOCH(HIGH, LOW, CLOSE, n, 3, slowd_period=4),
        ),
        (lambda n: np.diff(ind.obv(CLOSE, VOLUME)), lambda n: np.diff(talib.OBV(CLOSE, VOLUME))),
    ],
    ids=["std", "slope", "correlation", "bollinger", "stochastic", "obv"],
)
def test_ours_agree_with_talib(period: int, ours: Callable[[int], Any], theirs: Callable[[int], Any]) -> None:
    for a, b in zip(np.atleast_2d(ours(period)), np.atleast_2d(theirs(period)), strict=True):
        known = ~np.isnan(b)
        close_to(a[known], b[known], rtol=1e-7)
        assert known.sum() > 400


def test_recursive_ones_come_to_agree_with_talib_which_starts_them_otherwise() -> None:
    for a, b in zip(ind.macd(CLOSE), talib.MACD(CLOSE), strict=True):
        close_to(a[350:], b[350:], rtol=1e-7)
    ours = ind.adx(HIGH, LOW, CLOSE, 10)
    theirs = [function(HIGH, LOW, CLOSE, 10) for function in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI)]
    for a, b in zip(ours, theirs, strict=True):
        close_to(a[300:], b[300:], rtol=1e-7)
    assert np.isnan(ours.adx[:19]).all()
    assert not np.isnan(ours.adx[19:]).any()


@pytest.mark.parametrize("period", [3, 21, 250])
def test_moments_are_those_of_each_window(period: int) -> None:
    for i in range(period - 1, COUNT, 37):
        x, y = CLOSE[i - period + 1 : i + 1], OTHER[i - period + 1 : i + 1]
        close_to(ind.rolling_std(CLOSE, period, ddof=1)[i], np.std(x, ddof=1))
        close_to(ind.zscore(CLOSE, period)[i], (x[-1] - x.mean()) / x.std(), rtol=1e-7)
        close_to(ind.rolling_beta(CLOSE, OTHER, period=period)[i], np.polyfit(y, x, 1)[0], rtol=1e-7)
        close_to(ind.hedge_ratio(CLOSE, OTHER, period=period)[i], np.polyfit(y, x, 1)[0], rtol=1e-7)
        close_to(ind.slope(CLOSE, period)[i], np.polyfit(np.arange(period), x, 1)[0], rtol=1e-7)


def test_large_prices_cost_no_digits() -> None:
    small = np.array([1.0, 2.0, 4.0, 7.0, 3.0, 9.0])
    np.testing.assert_allclose(ind.rolling_std(small + 2.0**40, 4), ind.rolling_std(small, 4), rtol=1e-12)


def test_a_market_that_stands_still_has_no_score() -> None:
    """0.1 three times has a mean that is not 0.1: what differs by rounding only is no spread."""
    still = np.full(9, 0.1)
    assert ind.rolling_std(still, 3).tolist()[2:] == [0.0] * 7
    assert np.isnan(ind.zscore(still, 3)).all()
    assert np.isnan(ind.rolling_beta(CLOSE[:9], still, period=3)).all()
    assert np.isnan(ind.rolling_correlation(still, CLOSE[:9], period=3)).all()
    assert ind.stochastic(still, still, still, 3).k.tolist()[4:] == [50.0] * 5


def test_returns_and_volatilities_by_their_formulas() -> None:
    close_to(ind.simple_returns(np.array([100.0, 110.0, 99.0]), 1), [nan, 0.1, -0.1])
    close_to(ind.log_returns(np.array([100.0, 110.0, 99.0]), 2), [nan, nan, log(0.99)])
    returns = [log(CLOSE[i] / CLOSE[i - 1]) for i in range(580, 600)]
    close_to(ind.realised_volatility(CLOSE, 20, A=252)[-1], np.std(returns, ddof=1) * sqrt(252))
    last = slice(580, 600)
    spans = [log(h / low) ** 2 for h, low in zip(HIGH[last], LOW[last], strict=True)]
    moves = [log(c / o) ** 2 for c, o in zip(CLOSE[last], OPEN[last], strict=True)]
    close_to(ind.parkinson_volatility(HIGH, LOW, period=20, A=365)[-1], sqrt(365 * sum(spans) / (4 * 20 * log(2))))
    terms = [0.5 * span - (2 * log(2) - 1) * move for span, move in zip(spans, moves, strict=True)]
    close_to(ind.garman_klass_volatility(OPEN, HIGH, LOW, CLOSE, 20, A=252)[-1], sqrt(252 * sum(terms) / 20))


def test_prices_that_are_not_above_zero_have_no_return() -> None:
    prices = np.array([20.0, 0.0, -37.63, 10.0, 11.0])
    assert [isnan(value) for value in ind.log_returns(prices)] == [True] * 4 + [False]
    assert [isnan(value) for value in ind.simple_returns(prices)] == [True] * 4 + [False]


@given(SERIES, st.integers(1, 12), st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]))
def test_ranks_and_quantiles_are_those_of_each_window(values: list[float], period: int, q: float) -> None:
    series = np.array(values)
    ranks, quantiles = ind.rolling_rank(series, period), ind.rolling_quantile(series, period, q=q)
    for i in range(len(values)):
        if i < period - 1:
            assert isnan(ranks[i])
            assert isnan(quantiles[i])
            continue
        window = values[i - period + 1 : i + 1]
        below, same = sum(v < window[-1] for v in window), sum(v == window[-1] for v in window)
        assert ranks[i] == pytest.approx((below + (same + 1) / 2) / period)
        assert quantiles[i] == pytest.approx(np.quantile(window, q))


def test_channels_by_hand() -> None:
    high, low = np.array([3.0, 5.0, 4.0]), np.array([1.0, 2.0, 2.5])
    upper, middle, lower = ind.donchian(high, low, period=2)
    assert (upper.tolist()[1:], middle.tolist()[1:], lower.tolist()[1:]) == ([5.0, 5.0], [3.0, 3.5], [1.0, 2.0])
    bands = ind.keltner(HIGH, LOW, CLOSE, 20, range_period=5, width=1.5)
    close_to(bands.upper - bands.middle, 1.5 * ind.atr(HIGH, LOW, CLOSE, 5) + 0.0 * bands.middle)
    np.testing.assert_array_equal(bands.middle, ind.ema(CLOSE, 20))


@pytest.mark.parametrize(("period", "width"), [(3, 1.0), (10, 3.0)])
def test_supertrend_is_a_stop_that_only_tightens_until_it_turns(period: int, width: float) -> None:
    reach = width * ind.atr(HIGH, LOW, CLOSE, period)
    line, direction = [nan] * period, [nan] * period
    up, down = nan, nan
    for i in range(period, COUNT):
        middle = (HIGH[i] + LOW[i]) / 2
        floor, ceiling = middle - reach[i], middle + reach[i]
        if i == period:
            way, up, down = 1.0 if CLOSE[i] >= middle else -1.0, floor, ceiling
        else:
            up = max(floor, up) if CLOSE[i - 1] >= up else floor
            down = min(ceiling, down) if CLOSE[i - 1] <= down else ceiling
            way = (-1.0 if CLOSE[i] < up else 1.0) if direction[-1] > 0 else 1.0 if CLOSE[i] > down else -1.0
        direction.append(way)
        line.append(up if way > 0 else down)
    ours = ind.supertrend(HIGH, LOW, CLOSE, period, width=width)
    close_to(ours.line, line)
    np.testing.assert_array_equal(ours.direction, direction)
    assert np.count_nonzero(np.diff(ours.direction[period:])) > 3


def test_heikin_ashi_by_a_loop() -> None:
    start = (OPEN[0] + CLOSE[0]) / 2
    ours = ind.heikin_ashi(OPEN, HIGH, LOW, CLOSE)
    for i in range(COUNT):
        mean = (OPEN[i] + HIGH[i] + LOW[i] + CLOSE[i]) / 4
        expected = (start, max(HIGH[i], start, mean), min(LOW[i], start, mean), mean)
        close_to(np.array([line[i] for line in ours]), expected)
        start = (start + mean) / 2


def test_volume_weighted_prices_begin_anew_with_each_session() -> None:
    mean, spread = (f(HIGH, LOW, CLOSE, VOLUME, STARTS) for f in (ind.vwap, ind.vwap_deviation))
    assert np.isnan(mean[:7]).all()
    typical = (HIGH + LOW + CLOSE) / 3
    for i in (7, 8, 30, 56, 57, 58, 599):
        since = slice(7 + (i - 7) // 50 * 50, i + 1)
        expected = np.average(typical[since], weights=VOLUME[since])
        close_to(mean[i], expected)
        close_to(spread[i] ** 2, np.average((typical[since] - expected) ** 2, weights=VOLUME[since]), rtol=1e-6)
    anchored = ind.anchored_vwap(HIGH, LOW, CLOSE, VOLUME, at=507)
    assert same_bits(anchored[507:557], mean[507:557])
    assert np.isnan(anchored[:507]).all()
    assert same_bits(anchored, ind.anchored_vwap(HIGH, LOW, CLOSE, VOLUME, at=507 - COUNT))


def test_bars_without_volume_weigh_nothing() -> None:
    prices, starts = np.array([5.0, 6.0, 7.0, 8.0]), np.array([True, False, False, False])
    assert ind.vwap(prices, prices, prices, np.array([0.0, nan, 2.0, 2.0]), starts).tolist()[2:] == [7.0, 7.5]
    assert np.isnan(ind.vwap(prices, prices, prices, np.zeros(4), starts)).all()


def test_session_values_by_hand() -> None:
    price = np.array([5.0, 3.0, 4.0, 9.0, 2.0, 8.0])
    starts = np.array([False, True, False, False, True, False])
    candle = ind.session(price, price + 1, price - 1, price, starts)
    np.testing.assert_array_equal(candle.open, [nan, 3.0, 3.0, 3.0, 2.0, 2.0])
    np.testing.assert_array_equal(candle.high, [nan, 4.0, 5.0, 10.0, 3.0, 9.0])
    np.testing.assert_array_equal(candle.low, [nan, 2.0, 2.0, 2.0, 1.0, 1.0])
    np.testing.assert_array_equal(candle.close, [nan, 3.0, 4.0, 9.0, 2.0, 8.0])
    opening = ind.opening_range(price + 1, price - 1, starts, 2)
    np.testing.assert_array_equal(opening.high, [nan, nan, 5.0, 5.0, nan, 9.0])
    np.testing.assert_array_equal(opening.low, [nan, nan, 2.0, 2.0, nan, 1.0])


@given(st.integers(0, 23), st.sampled_from(["day", "week", "month"]), st.integers(0, 10_000))
def test_sessions_begin_with_the_clock(begins: int, every: str, first: int) -> None:
    ts = (np.arange(60, dtype=np.int64) * 13 + first) * HOUR
    names = []
    for moment in ts.tolist():
        day = datetime.fromtimestamp((moment - begins * HOUR) / 1e9, UTC)
        year, week, _ = day.isocalendar()
        names.append({"day": (day.date(),), "week": (year, week), "month": (day.year, day.month)}[every])
    expected = [False] + [a != b for a, b in pairwise(names)]
    assert ind.session_starts(ts, begins * HOUR, every=every).tolist() == expected


def test_the_compiled_loops_give_the_bits_of_their_source() -> None:
    plain: Any = np.full((2, COUNT), -1.0)
    reach = 2.0 * ind.atr(HIGH, LOW, CLOSE, 5)
    trend.trailing_stops.plain(HIGH, LOW, CLOSE, reach, plain)
    assert same_bits(ind.supertrend(HIGH, LOW, CLOSE, 5, width=2.0).line, plain[0])
    volume.weighted_moments.plain((HIGH + LOW + CLOSE) / 3.0, VOLUME, STARTS, plain)
    assert same_bits(ind.vwap_deviation(HIGH, LOW, CLOSE, VOLUME, STARTS), plain[1])
    sessions.extremes_since.plain(HIGH, STARTS, sessions.HIGHEST, plain[0])
    assert same_bits(ind.session(OPEN, HIGH, LOW, CLOSE, STARTS).high, plain[0])
    means = ind.sma(CLOSE, 20), ind.sma(OTHER, 20)
    moments.co_moments.plain(CLOSE, OTHER, *means, 20, plain[0])
    assert same_bits(moments._co_moment(CLOSE, OTHER, period=20), plain[0])


@settings(deadline=None)
@given(st.integers(0, 2_000), st.integers(2, 1_500))
def test_moments_have_the_same_bits_wherever_their_series_begins(start: int, period: int) -> None:
    series = np.cumsum(np.random.default_rng(5).normal(size=4_000)) + 90.0
    assert same_bits(ind.slope(series, period)[start + period :], ind.slope(series[start:], period)[period:])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: ind.rolling_std(CLOSE, 1, ddof=1), "2 or more"),
        (lambda: ind.zscore(CLOSE, 1), "2 or more"),
        (lambda: ind.rolling_beta(CLOSE, OTHER[1:], period=5), "series of 600, benchmark of 599"),
        (lambda: ind.realised_volatility(CLOSE, 5, A=0.0), "A is wrong: expected a number above 0"),
        (lambda: ind.bollinger(CLOSE, 20, width=0.0), "width is wrong"),
        (lambda: ind.rolling_quantile(CLOSE, 5, q=1.1), "share from 0 to 1"),
        (lambda: ind.anchored_vwap(HIGH, LOW, CLOSE, VOLUME, at=COUNT), "one of 600 bars"),
        (lambda: ind.vwap(HIGH, LOW, CLOSE, VOLUME, STARTS[1:]), "starts of 599"),
        (lambda: ind.session_starts(np.arange(3), 24 * HOUR), "ns after midnight"),
        (lambda: ind.session_starts(np.arange(3), every="year"), "one of day, week, month"),
        (lambda: ind.opening_range(HIGH, LOW, STARTS, 0), "bars is wrong"),
        (lambda: ind.stochastic(HIGH, LOW[1:], CLOSE), "low of 599"),
        (lambda: ind.atr(HIGH, LOW[1:], CLOSE), "low of 599"),
    ],
)
def test_wrong_arguments_are_explained(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        call()


def test_lines_of_several_are_read_only_when_their_series_are() -> None:
    close = ind.frozen(CLOSE.copy())
    assert not ind.macd(close).signal.flags.writeable
    assert not ind.bollinger(close).middle.flags.writeable
