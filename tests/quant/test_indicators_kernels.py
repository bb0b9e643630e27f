"""Compiled indicators: the bits of their plain source, and of a window alone wherever a series begins and ends."""

from math import inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant import indicators as ind
from evenkeel.quant.indicators import averages, compare, momentum
from evenkeel.quant.kernels import Compiled

LONG = np.cumsum(np.random.default_rng(7).normal(size=30_000)) + 700.0
VALUES = st.one_of(st.integers(1, 2_000).map(lambda c: c / 100), st.sampled_from([nan, 0.0, 1e300, 0.1]))
SERIES = st.lists(VALUES, max_size=70)
PERIODS = st.integers(1, 80)


def same_bits(a: Any, b: Any) -> bool:
    """Equal to the last bit; every NaN counts as the same."""
    one, other = np.nan_to_num(np.asarray(a), nan=-7.25), np.nan_to_num(np.asarray(b), nan=-7.25)
    return bool(one.tobytes() == other.tobytes())


def plain(kernel: Compiled, *arguments: Any, count: int) -> list[float]:
    out = [-1.0] * count
    kernel.plain(*arguments, out)
    return out


def halved(values: list[float]) -> float:
    half = len(values) // 2
    return values[0] if not half else halved(values[:half]) + halved(values[half:])


def tree_mean(window: list[float]) -> float:
    """The mean by sums of 1, 2, 4 … values, joined from the oldest."""
    total, offset, width = 0.0, 0, 1
    while width <= len(window):
        if len(window) & width:
            total += halved(window[offset : offset + width])
            offset += width
        width *= 2
    return total / len(window)


@settings(deadline=None)
@given(SERIES, PERIODS)
def test_a_simple_average_adds_each_window_by_itself_in_a_fixed_order(values: list[float], period: int) -> None:
    expected = [nan] * min(period - 1, len(values))
    expected += [tree_mean(values[i : i + period]) for i in range(len(values) - period + 1)]
    assert same_bits(ind.sma(np.array(values, dtype=np.float64), period), expected)


@settings(deadline=None)
@given(SERIES, PERIODS)
def test_compiled_averages_give_the_bits_of_their_source(values: list[float], period: int) -> None:
    series = np.array(values, dtype=np.float64)
    for function, is_wilder in ((ind.ema, False), (ind.wilder, True)):
        expected = plain(averages.recursive_average, values, period, is_wilder, count=len(values))
        assert same_bits(function(series, period), expected)
    if period > 1:
        expected = plain(momentum.relative_strength, values, period, count=len(values))
        assert same_bits(ind.rsi(series, period), expected)


@settings(deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), max_size=70))
def test_compiled_comparisons_give_the_bits_of_their_source(pairs: list[tuple[float, float]]) -> None:
    a, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    one, other = np.array(a, dtype=np.float64), np.array(b, dtype=np.float64)
    assert ind.above(one, other).tolist() == plain(compare.exceeds, a, b, count=len(a))
    assert same_bits(ind.crossing(one, other, down=-1.0), plain(compare.order, a, b, 1.0, -1.0, count=len(a)))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 20_000), st.integers(0, 10_000), st.one_of(PERIODS, st.integers(81, 3_000)))
def test_a_simple_average_has_the_same_bits_wherever_its_series_begins_and_ends(
    start: int, length: int, period: int
) -> None:
    """Blocks begin elsewhere then, and the scratch is of another size."""
    part = ind.sma(LONG[start : start + length], period)
    whole = ind.sma(LONG, period)[start : start + length]
    assert same_bits(part[period - 1 :], whole[period - 1 :])
    assert np.isnan(part[: period - 1]).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 27_000), st.integers(1, 3_000))
def test_a_simple_average_is_a_tree_of_its_own_window(end: int, period: int) -> None:
    """Nothing outside the window takes part, in whichever block of the series it lies."""
    assert ind.sma(LONG, period)[end + period - 1] == tree_mean(LONG[end : end + period].tolist())


@settings(deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=40))
def test_crossing_is_above_and_below(pairs: list[tuple[float, float]]) -> None:
    a, b = (np.array(column) for column in zip(*pairs, strict=True))
    expected = np.where(ind.above(a, b), 0.5, np.where(ind.below(a, b), -0.25, np.nan))
    assert same_bits(ind.crossing(a, b, up=0.5, down=-0.25), expected)


def test_comparisons_take_single_numbers_and_refuse_unequal_lengths() -> None:
    series = np.array([1.0, 2.0, 3.0, nan])
    assert ind.above(series, 2.0).tolist() == [False, False, True, False]
    assert ind.below(series, 2).tolist() == [True, False, False, False]
    assert ind.above(2.0, series).tolist() == [True, False, False, False]
    assert ind.above(np.array([]), 2.0).tolist() == []
    assert ind.crossing(series, np.full(4, 2.0)).tolist()[:1] == [0.0]
    with pytest.raises(InvalidInput, match="one length, not of 4 and 3 values"):
        ind.above(series, series[1:])
    with pytest.raises(InvalidInput, match="one length, not of 4 and 1 values"):
        ind.crossing(series, series[:1])


def test_series_in_pieces_of_memory_and_of_whole_numbers_are_taken() -> None:
    pairs = np.arange(40.0).reshape(20, 2)
    assert ind.sma(pairs[:, 1], 2).tolist()[1:] == ind.sma(pairs[:, 1].copy(), 2).tolist()[1:]
    whole: Any = np.arange(10)
    assert ind.ema(whole, 3)[2] == 1.0
    assert ind.rsi(whole, 3)[-1] == 100.0
    assert ind.above(whole, np.full(10, 8.5)).tolist() == [False] * 9 + [True]


def test_infinite_values_spoil_no_more_than_their_windows() -> None:
    series = np.array([1.0, inf, 1.0, 1.0, 1.0])
    assert ind.sma(series, 2).tolist()[1:] == [inf, inf, 1.0, 1.0]
    assert not ind.above(series, series).any()
