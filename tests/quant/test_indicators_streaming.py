"""Streams: bit for bit what the functions give for whole series, whatever the series."""

from inspect import signature
from math import nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant import indicators as ind
from evenkeel.quant.indicators.streaming import STREAMS
from tests.quant.test_indicators_kernels import same_bits

CENTS = st.integers(1, 3_000).map(lambda c: c / 100)
PRICES = st.one_of(CENTS, st.integers(990, 1_010).map(lambda c: c / 100), st.just(nan))
BARS = st.lists(st.tuples(PRICES, PRICES, PRICES, PRICES, st.integers(0, 50).map(float), st.booleans()), max_size=60)
FLAGGED = {"vwap", "vwap_deviation", "session", "opening_range"}
RECURSIVE = {"ema", "wilder", "rsi", "atr", "macd", "keltner", "adx", "supertrend", "heikin_ashi", "obv"} | FLAGGED


def parameters_of(name: str, draw: Any) -> dict[str, Any]:
    """Small periods, so that short series reach beyond the warm-up; the rest as usual."""
    function, series, _ = STREAMS[name]
    values: dict[str, Any] = {}
    for one in list(signature(function).parameters)[series:]:
        match one:
            case "width" | "A":
                values[one] = draw(st.sampled_from([1.0, 2.5, 252.0]))
            case "q":
                values[one] = draw(st.sampled_from([0.0, 0.3, 0.5, 1.0]))
            case "up" | "down":
                values[one] = 0.5
            case "ddof":
                values[one] = draw(st.integers(0, 1))
            case _:
                values[one] = draw(st.integers(2, 12))
    return values


def columns_of(name: str, bars: list[tuple[float, ...]]) -> list[Any]:
    table = np.array(bars, dtype=np.float64).reshape(-1, 6).T.copy()
    count = STREAMS[name][1]
    flags = table[5] > 0.0
    return [*table[: count - 1], flags] if name in FLAGGED else [*table[:count]]


def lines_of(result: Any) -> list[ind.Floats]:
    return list(result) if isinstance(result, tuple) else [result]


@pytest.mark.parametrize("name", STREAMS)
@settings(deadline=None, max_examples=25)
@given(bars=BARS, data=st.data())
def test_a_stream_gives_the_bits_of_the_whole_series(name: str, bars: list[tuple[float, ...]], data: Any) -> None:
    parameters = parameters_of(name, data.draw)
    columns = columns_of(name, bars)
    whole = STREAMS[name][0](*columns, **parameters)
    stream = ind.stream(name, **parameters)
    answers = [stream.update(*(column[i].item() for column in columns)) for i in range(len(bars))]
    if answers:
        assert type(answers[0]) is (float if isinstance(whole, np.ndarray) else type(whole))
    for place, line in enumerate(lines_of(whole)):
        assert same_bits([lines_of(answer)[place] for answer in answers], line)


@pytest.mark.parametrize("name", STREAMS)
@settings(deadline=None, max_examples=15)
@given(bars=BARS, cut=st.integers(0, 60), data=st.data())
def test_no_value_hangs_on_later_bars(name: str, bars: list[tuple[float, ...]], cut: int, data: Any) -> None:
    parameters = parameters_of(name, data.draw)
    whole, prefix = (STREAMS[name][0](*columns_of(name, part), **parameters) for part in (bars, bars[:cut]))
    for a, b in zip(lines_of(whole), lines_of(prefix), strict=True):
        assert same_bits(a[:cut], b)


@pytest.mark.parametrize("name", sorted(set(STREAMS) - RECURSIVE))
@settings(deadline=None, max_examples=15)
@given(bars=BARS, start=st.integers(0, 30), data=st.data())
def test_windows_do_not_know_where_history_starts(
    name: str, bars: list[tuple[float, ...]], start: int, data: Any
) -> None:
    parameters = parameters_of(name, data.draw)
    whole, late = (STREAMS[name][0](*columns_of(name, part), **parameters) for part in (bars, bars[start:]))
    for a, b in zip(lines_of(whole), lines_of(late), strict=True):
        known = ~np.isnan(b)
        assert a[start:][known].tobytes() == b[known].tobytes()


@pytest.mark.parametrize(("name", "parameters"), [("CCI", {"timeperiod": 5}), ("STOCHF", {"output": 1}), ("T3", {})])
def test_a_stream_of_talib_gives_what_it_gives_for_the_whole_series(name: str, parameters: dict[str, int]) -> None:
    close = np.cumsum(np.random.default_rng(3).normal(size=300)) + 100.0
    columns = [close + 1.0, close - 1.5, close] if name != "T3" else [close]
    stream = ind.stream(name, **parameters)
    answers = [stream.update(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]
    assert same_bits(answers, ind.ta(name, *columns, **parameters))


def test_a_long_stream_forgets_what_its_window_does_not_need() -> None:
    series = np.cumsum(np.random.default_rng(4).normal(size=2_000)) + 100.0
    stream = ind.stream("sma", period=30)
    assert same_bits([stream.update(value) for value in series.tolist()], ind.sma(series, 30))


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("moon", {}, "no indicator streams as 'moon'"),
        ("sma", {}, "period: missing"),
        ("sma", {"length": 3}, "length: unknown; expected one of period"),
        ("sma", {"period": 0}, "1 or more, not 0"),
        ("macd", {"fast": 2.5}, "whole number of bars"),
        ("supertrend", {"width": -1.0}, "above 0, not -1.0"),
        ("rolling_quantile", {"period": 3, "q": 1.5}, "from 0 to 1, not 1.5"),
    ],
)
def test_wrong_streams_are_refused_with_reasons(name: str, parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        ind.stream(name, **parameters)


def test_a_bar_with_too_few_values_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected 2 value\(s\) a bar, not 1"):
        ind.stream("donchian", period=3).update(1.0)
    with pytest.raises(ValueError, match="not enough values"):
        ind.stream("atr").update(1.0)
