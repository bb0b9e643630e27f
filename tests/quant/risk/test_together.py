"""Alignment, correlations, volatilities, beta, diversification and concentration."""

from math import isnan, sqrt

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.risk import (
    Closes,
    align,
    betas,
    correlations,
    diversification_ratio,
    effective_number,
    ewma_volatility,
    exposure,
    herfindahl,
    volatilities,
)
from tests.quant.analytics.bacon import BENCHMARK, PORTFOLIO
from tests.quant.risk.test_value_at_risk import days

Floats = npt.NDArray[np.float64]
VALUES = arrays(np.float64, st.integers(1, 6), elements=st.floats(-1e6, 1e6).filter(lambda value: abs(value) > 1e-3))


def closes(*pairs: tuple[int, float]) -> Closes:
    return Closes(np.array([day for day, _ in pairs]), np.array([price for _, price in pairs]))


def test_returns_run_between_the_days_that_all_have() -> None:
    """The second was closed on day 2, the first on day 4."""
    known = {"a": closes((1, 100), (2, 110), (3, 121), (5, 121)), "b": closes((1, 50), (3, 60), (4, 70), (5, 75))}
    found = align(known, count=10)
    assert found.dates.tolist() == [3, 5]
    assert found.values == pytest.approx(np.array([[0.21, 0.2], [0, 0.25]]))
    assert found.of("b") == pytest.approx(np.array([[0.2], [0.25]]))
    assert align(known, count=1).dates.tolist() == [5]


def test_without_a_common_day_there_is_no_return() -> None:
    assert align({"a": closes((1, 1)), "b": closes((2, 1))}, count=5).values.shape == (0, 2)
    assert align({"a": closes((1, 1))}, count=5).values.shape == (0, 1)
    assert align({}, count=5).values.shape == (0, 0)


def test_correlations_by_hand() -> None:
    first = np.array([0.01, -0.01, 0.02, -0.02])
    found = correlations(np.column_stack([first, first * 2, -first, np.array([0.01, 0.01, -0.01, -0.01])]))
    assert found[0].tolist() == pytest.approx([1, 1, -1, 0])
    assert np.array_equal(found, found.T)


def test_what_does_not_move_has_no_correlation() -> None:
    found = correlations(np.column_stack([days(kinds=1)[:, 0], np.full(250, 0.001)]))
    assert found[0, 0] == 1.0
    assert np.isnan(found[[0, 1, 1], [1, 0, 1]]).all()
    assert np.isnan(correlations(np.zeros((1, 2)))).all()


@given(st.integers(0, 100), st.integers(2, 6), st.integers(3, 40))
def test_a_correlation_matrix_is_one(seed: int, kinds: int, count: int) -> None:
    returns = days(count, kinds, seed)
    found = correlations(returns)
    assert np.array_equal(found, found.T)
    assert (np.abs(found) <= 1).all()
    assert (np.diag(found) == 1).all()
    assert found == pytest.approx(np.corrcoef(returns.T), abs=1e-9)
    assert np.linalg.eigvalsh(found).min() >= -1e-9


def test_volatility_weighted_by_age() -> None:
    """Weights 0.25, 0.5 and 1 of squares 9, 4 and 1 (x 1e-4): (2.25 + 2 + 1) / 1.75 = 3."""
    returns = np.array([0.03, -0.02, 0.01])
    assert ewma_volatility(returns, periods=1, decay=0.5) == pytest.approx(sqrt(3e-4))
    assert ewma_volatility(returns, periods=252, decay=0.5) == pytest.approx(sqrt(3e-4 * 252))
    assert ewma_volatility(np.full(10, 0.02), periods=1) == pytest.approx(0.02)
    assert isnan(ewma_volatility(np.empty(0), periods=1))
    with pytest.raises(InvalidInput, match="decay"):
        ewma_volatility(returns, periods=1, decay=1.0)


def test_volatilities_are_sample_deviations_by_the_year() -> None:
    returns = days()
    assert volatilities(returns, periods=252) == pytest.approx(returns.std(axis=0, ddof=1) * sqrt(252))


def test_the_published_beta() -> None:
    """Bacon (2008), pp. 65-66: Fama's beta x correlation is the slope."""
    portfolio, market = np.array(PORTFOLIO), np.array(BENCHMARK)
    together = np.column_stack([portfolio, market])
    (slope,) = betas(portfolio[:, None], market)
    spreads = volatilities(together, periods=12)
    assert spreads[0] / spreads[1] == pytest.approx(1.0303949, abs=1e-7)
    assert slope == pytest.approx(1.0303949 * correlations(together)[0, 1], abs=1e-7)


def test_a_benchmark_that_stands_still_has_no_beta() -> None:
    assert np.isnan(betas(days(), np.zeros(250))).all()


def test_diversification_by_hand() -> None:
    """Two equal, uncorrelated positions of equal volatility: sqrt(2). One, or two that move as one: nothing gained."""
    returns = np.array([[0.01, 0.01], [-0.01, 0.01], [0.01, -0.01], [-0.01, -0.01]])
    assert diversification_ratio(returns, np.array([5.0, 5.0])) == pytest.approx(sqrt(2))
    assert diversification_ratio(returns, np.array([5.0, -5.0])) == pytest.approx(sqrt(2))
    assert diversification_ratio(returns, np.array([5.0, 0.0])) == pytest.approx(1)
    assert diversification_ratio(returns[:, [0, 0]], np.array([5.0, 1.0])) == pytest.approx(1)
    assert isnan(diversification_ratio(returns[:, [0, 0]], np.array([5.0, -5.0])))
    assert isnan(diversification_ratio(np.empty((4, 0)), np.empty(0)))


@given(st.integers(0, 50), arrays(np.float64, 3, elements=st.floats(-1e3, 1e3)), st.floats(0.1, 10))
def test_diversification_gains_and_does_not_depend_on_size(seed: int, values: Floats, times: float) -> None:
    returns = days(seed=seed)
    found = diversification_ratio(returns, values)
    assert isnan(found) or found >= 1 - 1e-9
    if abs(values).max() > 1e-3:
        assert diversification_ratio(returns, values * times) == pytest.approx(found)


def test_exposure_by_side() -> None:
    assert exposure(np.array([100.0, -40.0, 0.0])) == (100, 40, 140, 60)
    assert exposure(np.empty(0)) == (0, 0, 0, 0)


def test_concentration_by_hand() -> None:
    assert herfindahl(np.array([3.0, -1.0])) == pytest.approx(0.625)
    assert effective_number(np.array([3.0, -1.0])) == pytest.approx(1.6)
    assert effective_number(np.full(5, -7.0)) == pytest.approx(5)
    assert isnan(herfindahl(np.zeros(2)))
    assert isnan(effective_number(np.empty(0)))


@given(VALUES, st.floats(0.01, 100))
def test_the_effective_number_lies_between_one_and_all(values: Floats, times: float) -> None:
    found = effective_number(values)
    assert 1 - 1e-9 <= found <= len(values) + 1e-9
    assert effective_number(values[::-1] * times) == pytest.approx(found)
    assert exposure(values).gross == pytest.approx(exposure(values).long + exposure(values).short)
