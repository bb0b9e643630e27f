"""Indicators: known vectors, TA-Lib as oracle, and values that depend on their window only."""

import gc
import subprocess
import sys
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant import indicators as ind
from evenkeel.quant.indicators import memo

_RNG = np.random.default_rng(20260)
CLOSE = np.cumsum(_RNG.normal(size=3_000)) + 500.0
HIGH = CLOSE + _RNG.random(3_000)
LOW = CLOSE - _RNG.random(3_000)
PRICES = st.lists(st.integers(1, 100_000).map(lambda c: c / 100), min_size=1, max_size=80)


def test_simple_average_by_hand() -> None:
    series = np.array([1.0, 2.0, 6.0, 3.0, np.nan, 3.0, 5.0, 1.0])
    expected = [np.nan, np.nan, 3.0, 11 / 3, np.nan, np.nan, np.nan, 3.0]
    np.testing.assert_allclose(ind.sma(series, 3), expected)


def test_exponential_average_by_hand() -> None:
    np.testing.assert_allclose(ind.ema(np.array([2.0, 4.0, 6.0, 8.0]), 2), [np.nan, 3.0, 5.0, 7.0])


def test_rsi_on_the_worked_example_of_the_textbooks() -> None:
    closes = [
        44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826,
        45.8931, 46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439,
    ]  # fmt: skip
    result = ind.rsi(np.array(closes), 14)
    assert np.isnan(result[:14]).all()
    np.testing.assert_allclose(result[14:], [70.53, 66.32, 66.55, 69.41, 66.36, 57.97], atol=0.005)


def test_rsi_of_a_market_that_stands_still_is_neutral() -> None:
    assert ind.rsi(np.full(20, 7.0), 5)[-1] == 50.0


def test_rolling_extremes_by_hand() -> None:
    series = np.array([3.0, 1.0, 2.0, 5.0, 4.0])
    np.testing.assert_array_equal(ind.rolling_max(series, 3), [np.nan, np.nan, 3.0, 5.0, 5.0])
    np.testing.assert_array_equal(ind.rolling_min(series, 3), [np.nan, np.nan, 1.0, 1.0, 2.0])


@pytest.mark.parametrize("period", [2, 3, 14, 50, 200])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda n: ind.sma(CLOSE, n), lambda n: talib.SMA(CLOSE, n)),
        (lambda n: ind.ema(CLOSE, n), lambda n: talib.EMA(CLOSE, n)),
        (lambda n: ind.rsi(CLOSE, n), lambda n: talib.RSI(CLOSE, n)),
        (lambda n: ind.atr(HIGH, LOW, CLOSE, n), lambda n: talib.ATR(HIGH, LOW, CLOSE, n)),
        (lambda n: ind.rolling_max(HIGH, n), lambda n: talib.MAX(HIGH, n)),
        (lambda n: ind.rolling_min(LOW, n), lambda n: talib.MIN(LOW, n)),
    ],
    ids=["sma", "ema", "rsi", "atr", "max", "min"],
)
def test_ours_agree_with_talib(
    period: int, ours: Callable[[int], ind.Floats], theirs: Callable[[int], ind.Floats]
) -> None:
    np.testing.assert_allclose(ours(period), theirs(period), rtol=1e-10)


@given(PRICES, st.integers(1, 40))
def test_simple_average_is_the_mean_of_its_window(prices: list[float], period: int) -> None:
    result = ind.sma(np.array(prices), period)
    for i, value in enumerate(result):
        window = prices[i - period + 1 : i + 1] if i >= period - 1 else []
        assert value == pytest.approx(np.mean(window)) if window else np.isnan(value)


@given(PRICES, st.integers(1, 40), st.integers(0, 60))
def test_window_indicators_do_not_depend_on_where_history_starts(prices: list[float], period: int, start: int) -> None:
    series = np.array(prices)
    for function in (ind.sma, ind.rolling_max, ind.rolling_min):
        whole, late = function(series, period)[start:], function(series[start:], period)
        known = ~np.isnan(late)
        assert whole[known].tobytes() == late[known].tobytes()


@given(PRICES, st.integers(2, 20))
def test_no_indicator_looks_ahead(prices: list[float], period: int) -> None:
    series = np.array(prices)
    cut = len(series) // 2
    for function in (ind.sma, ind.ema, ind.wilder, ind.rsi, ind.rolling_max, ind.rolling_min):
        np.testing.assert_array_equal(function(series, period)[:cut], function(series[:cut], period))


def test_equal_averages_are_equal() -> None:
    tenths = np.array([0.1, 0.2, 0.3, 0.3, 0.2, 0.1])  # means of 2 and 6 are equal on paper
    short, long = ind.sma(tenths, 6), np.full(6, 0.2)
    assert not ind.above(short, long)[-1]
    assert not ind.below(short, long)[-1]
    assert ind.above(np.array([1.0]), 0.5)[0]
    assert ind.below(np.array([np.nan]), 0.5)[0] == np.False_


def test_talib_by_name() -> None:
    np.testing.assert_allclose(
        ind.ta("CCI", HIGH, LOW, CLOSE, timeperiod=20), talib.CCI(HIGH, LOW, CLOSE, timeperiod=20)
    )
    np.testing.assert_allclose(ind.ta("MACD", CLOSE, output=1), talib.MACD(CLOSE)[1])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: ind.ta("NOPE", CLOSE), "no indicator 'NOPE'"),
        (lambda: ind.ta("SMA", CLOSE, timeperiod=-5), "refuses SMA"),
        (lambda: ind.ta("SMA", CLOSE, output=3), "no output 3"),
        (lambda: ind.ta("SMA"), "at least one series"),
        (lambda: ind.sma(CLOSE, 0), "1 or more"),
        (lambda: ind.sma(CLOSE, cast(int, 2.5)), "whole number"),
        (lambda: ind.rsi(CLOSE, 1), "2 or more"),
    ],
)
def test_wrong_arguments_are_explained(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        call()


def test_read_only_series_are_remembered_and_others_are_not() -> None:
    series = ind.frozen(CLOSE.copy())
    assert ind.sma(series, 20) is ind.sma(series, 20)
    assert ind.sma(ind.rsi(series, 14), 5) is ind.sma(ind.rsi(series, 14), 5)
    assert ind.sma(series, 20) is not ind.sma(series, 21)
    mine = CLOSE.copy()
    before = ind.sma(mine, 20)
    mine[-1] += 100.0
    assert ind.sma(mine, 20)[-1] == pytest.approx(before[-1] + 5.0)


def test_what_is_remembered_goes_with_its_series() -> None:
    series = ind.frozen(CLOSE.copy())
    ind.sma(series, 20)
    name = id(series)
    assert name in memo._KNOWN
    del series
    gc.collect()
    assert name not in memo._KNOWN


def test_memory_per_series_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "BYTES_PER_SERIES", 3 * CLOSE.nbytes)
    series = ind.frozen(CLOSE.copy())
    first = ind.sma(series, 2)
    for period in range(3, 10):
        ind.sma(series, period)
    assert memo._results_of(series).size <= 3 * CLOSE.nbytes
    assert ind.sma(series, 2) is not first


def test_a_second_series_at_the_same_place_is_not_mistaken() -> None:
    close = ind.frozen(CLOSE.copy())
    one = ind.atr(ind.frozen(HIGH.copy()), ind.frozen(LOW.copy()), close, 14)
    two = ind.atr(ind.frozen(HIGH + 5), ind.frozen(LOW.copy()), close, 14)
    assert not np.array_equal(one[20:], two[20:])


def test_importing_indicators_does_not_import_talib_or_numba() -> None:
    code = "import sys, evenkeel.quant.indicators; print({'talib', 'numba', 'pandas'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
