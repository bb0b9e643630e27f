"""Where exits rest, and which of two comes first."""

from decimal import Decimal
from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.money import is_multiple
from evenkeel.quant.costs.exits import (
    LIQUIDATED,
    STOPPED,
    TRAILED,
    counted,
    exit_levels,
    liquidation_price,
    on_tick,
    parts_of,
    stop_comes_first,
    value_of,
)


@pytest.mark.parametrize(
    ("side", "asked", "expected"),
    [
        (1, {"stop_loss": 0.05}, (95.0, STOPPED, nan)),
        (-1, {"stop_loss": 0.05}, (105.0, STOPPED, nan)),
        (1, {"take_profit": 0.03333}, (nan, STOPPED, 103.34)),  # no nearer to the market than was asked
        (-1, {"take_profit": 0.03333}, (nan, STOPPED, 96.66)),
        (1, {"stop_loss": 0.03333}, (96.66, STOPPED, nan)),
        (-1, {"stop_loss": 0.03333}, (103.34, STOPPED, nan)),
        (1, {"stop_loss": 0.05, "trailing": 0.08}, (101.2, TRAILED, nan)),
        (1, {"stop_loss": 0.05, "trailing": 0.20}, (95.0, STOPPED, nan)),
        (1, {"stop_loss": 0.05, "liquidation": 97.005}, (97.0, LIQUIDATED, nan)),
        (-1, {"trailing": 0.05, "liquidation": 120.0}, (115.5, TRAILED, nan)),
        (1, {}, (nan, STOPPED, nan)),
    ],
)
def test_the_stop_nearest_to_the_market_stands(
    side: int, asked: dict[str, float], expected: tuple[float, int, float]
) -> None:
    terms = {"stop_loss": 0.0, "take_profit": 0.0, "trailing": 0.0, "liquidation": nan, "tick": 0.01} | asked
    assert exit_levels(side, 100.0, 110.0, **terms) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("free", "units", "maintenance", "price"),
    [
        (-1_000.0, 20.0, 0.25, 1_000 / 15),
        (3_000.0, -20.0, 0.25, 3_000 / 25),
        (1_000.0, 20.0, 0.25, nan),
        (0.0, 0.0, 0.25, nan),
    ],
)
def test_the_liquidation_price_is_where_equity_just_covers(
    free: float, units: float, maintenance: float, price: float
) -> None:
    found = liquidation_price(free, units, maintenance)
    assert found == pytest.approx(price, nan_ok=True)
    if not isnan(found):
        assert free + units * found == pytest.approx(maintenance * abs(units) * found)


@given(
    st.floats(1.0, 1e7),
    st.sampled_from([1, -1]),
    st.sampled_from(["0.01", "0.05", "0.25", "0.0001", "1", "5", "0.00001"]),
)
def test_a_price_on_the_grid_is_the_float_of_its_decimal(ticks: float, side: int, tick: str) -> None:
    price = ticks * float(tick)
    found = on_tick(price, side, float(tick))
    assert is_multiple(Decimal(repr(found)), Decimal(tick))
    assert side * (found - price) >= -1e-6 * float(tick) - 1e-9 * price
    assert abs(found - price) <= float(tick) * (1 + 1e-6) + 1e-9 * price
    assert on_tick(found, side, float(tick)) == found


@given(st.integers(1, 10_000), st.integers(1, 10_000_000), st.sampled_from(["0.01", "0.05", "0.25", "0.0001", "5"]))
def test_a_value_is_the_float_of_the_exact_product(size: int, ticks: int, tick: str) -> None:
    price = Decimal(ticks) * Decimal(tick)
    parts = parts_of(float(tick))
    assert value_of(counted(float(size), float(price), 1.0, parts), parts) == float(size * price)
    assert value_of(counted(float(size), 1.5, 2.0, parts_of(0.0)), 0.0) == size * 3.0


def test_without_a_grid_a_price_is_left_as_it_is() -> None:
    assert on_tick(1.23456789, 1, 0.0) == 1.23456789


@pytest.mark.parametrize(
    ("bar", "stop_first"),
    [
        ((100, 106, 94), True),
        ((100, 106, 93), False),
        ((100, 107, 94), True),
        ((106, 107, 90), False),
        ((94, 107, 90), True),
    ],
)
def test_the_path_of_a_bar_decides_and_the_stop_where_it_does_not(
    bar: tuple[float, float, float], stop_first: bool
) -> None:
    assert stop_comes_first(-1, 95.0, 105.0, *bar) is stop_first
    open_, high, low = bar
    assert stop_comes_first(1, 105.0, 95.0, 200 - open_, 200 - low, 200 - high) is stop_first
