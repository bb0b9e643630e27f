"""Marks are the closes as exact money rounds them."""

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.money import exact
from evenkeel.research.backtest.marks import marks_of

ticks = st.sampled_from(["0.01", "0.05", "0.25", "1", "0.00001", "0.001", "5"]).map(Decimal)


@given(ticks, st.lists(st.one_of(st.floats(0.5, 1e6), st.integers(1, 10**8).map(lambda n: n / 1000)), min_size=1))
def test_marks_are_what_exact_money_says(tick: Decimal, closes: list[float]) -> None:
    marks = marks_of(np.array(closes), tick)
    assert marks.tolist() == [float(exact(close, tick)) for close in closes]


@given(ticks, st.lists(st.integers(0, 10**6), min_size=1))
def test_half_way_goes_to_the_even_tick(tick: Decimal, steps: list[int]) -> None:
    closes = [float(tick * (2 * step + 1) / 2) for step in steps]
    assert marks_of(np.array(closes), tick).tolist() == [float(exact(close, tick)) for close in closes]


def test_closes_on_the_grid_are_not_copied() -> None:
    closes = np.array([10.0, 10.01, 99.99])
    assert marks_of(closes, Decimal("0.01")) is closes
