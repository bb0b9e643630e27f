"""Drawdowns: bounds, scale, and the table against a plain walk."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.quant.analytics import drawdowns, returns
from evenkeel.quant.analytics.series import Floats

RETURNS = st.lists(st.integers(-30, 30).map(lambda r: r / 100), min_size=1, max_size=60).map(np.array)


@given(RETURNS, st.floats(1e-3, 1e9))
def test_bounds_and_scale(values: Floats, scale: float) -> None:
    equity = returns.wealth(values)
    deepest = drawdowns.max_drawdown(equity)
    assert -1.0 <= deepest <= drawdowns.current_drawdown(equity) <= 0.0
    assert deepest <= min(0.0, values.min()) + 1e-12
    assert drawdowns.pain_index(equity) <= drawdowns.ulcer_index(equity) + 1e-12 <= -deepest + 2e-12
    assert drawdowns.max_drawdown(scale * equity) == pytest.approx(deepest, abs=1e-9)
    assert drawdowns.burke_risk(equity) >= -deepest - 1e-12


@given(RETURNS)
def test_the_table_holds_every_fall_once(values: Floats) -> None:
    equity = returns.wealth(values)
    depth, table = drawdowns.underwater(equity), drawdowns.drawdown_table(equity)
    covered = np.zeros(len(equity), dtype=bool)
    for row in table:
        end = len(equity) if row.end is None else row.end
        assert not covered[row.start + 1 : end].any()
        covered[row.start + 1 : end] = True
        assert depth[row.start] == 0.0
        assert row.depth == depth[row.trough] == depth[row.start : end].min()
        assert row.end is None or depth[row.end] == 0.0
        assert row.length == (row.end or len(equity) - 1) - row.start
    np.testing.assert_array_equal(covered, depth < 0)
    assert np.all(np.diff([row.depth for row in table]) >= -1e-11)
    assert (table[0].depth if table else 0.0) == pytest.approx(drawdowns.max_drawdown(equity), abs=1e-11)
    assert drawdowns.drawdown_table(equity, largest=1) == table[:1]
    assert drawdowns.time_under_water(equity) == pytest.approx(covered[1:].mean())


def test_a_loss_at_once_counts_from_the_capital() -> None:
    equity = returns.wealth(np.array([-0.2, 0.1]))
    assert drawdowns.max_drawdown(equity) == pytest.approx(-0.2)
    (only,) = drawdowns.drawdown_table(equity)
    assert (only.start, only.trough, only.end) == (0, 1, None)


def test_rounding_is_no_fall() -> None:
    equity = returns.wealth(np.tile([1 / 1.1 - 1, 0.1], 200))
    table = drawdowns.drawdown_table(equity)
    assert len(table) == 200
    assert all(row.end is not None and row.length == 2 for row in table)


def test_of_equal_falls_the_earlier_comes_first() -> None:
    equity = 3.0 * returns.wealth(np.array([0.01, -0.01, 0.09, -0.01]))
    assert [row.start for row in drawdowns.drawdown_table(equity)] == [1, 3]


def test_a_rise_has_no_drawdown() -> None:
    equity = returns.wealth(np.array([0.1, 0.0, 0.2]))
    assert drawdowns.drawdown_table(equity) == ()
    assert drawdowns.max_drawdown(equity) == 0.0
    assert isnan(drawdowns.average_drawdown(equity))
    assert isnan(drawdowns.recovery_factor(equity))


def test_recovery_factor_and_average() -> None:
    equity = np.array([100.0, 90.0, 110.0, 99.0, 130.0])
    assert drawdowns.average_drawdown(equity) == pytest.approx(-0.1)
    assert drawdowns.recovery_factor(equity) == pytest.approx(3.0)


def test_a_loss_beyond_the_capital_is_told_as_it_is() -> None:
    assert drawdowns.max_drawdown(np.array([100.0, 120.0, -12.0])) == pytest.approx(-1.1)


def test_nothing_has_no_drawdown() -> None:
    for measure in (
        drawdowns.max_drawdown,
        drawdowns.current_drawdown,
        drawdowns.average_drawdown,
        drawdowns.time_under_water,
        drawdowns.pain_index,
        drawdowns.ulcer_index,
        drawdowns.burke_risk,
        drawdowns.recovery_factor,
    ):
        assert isnan(measure(np.array([1.0])))
    assert drawdowns.drawdown_table(np.empty(0)) == ()
