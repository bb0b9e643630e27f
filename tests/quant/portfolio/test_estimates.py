"""Covariances and means: worked by hand, against loops that follow the papers, and where there is little to go by."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.portfolio import covariances, expected


def returns(days: int = 40, n: int = 5, seed: int = 1) -> Floats:
    random = np.random.default_rng(seed)
    found: Floats = random.normal(0, 0.01, size=(days, 1)) + random.normal(0.001, 0.02, size=(days, n))
    return found


def test_the_sample_by_hand() -> None:
    given = np.array([[0.0, 0.1], [0.2, 0.0], [0.1, 0.2]])
    assert covariances.sample(given) == pytest.approx(np.array([[0.01, -0.005], [-0.005, 0.01]]))


def test_ledoit_wolf_as_the_paper_sums_it() -> None:
    given = returns()
    around = given - given.mean(axis=0)
    days, n = given.shape
    population = around.T @ around / days
    level = np.trace(population) / n
    distance = ((population - level * np.eye(n)) ** 2).sum() / n
    noise = sum(((np.outer(row, row) - population) ** 2).sum() / n for row in around) / days**2
    share = min(noise, distance) / distance
    assert 0.0 < share < 1.0
    wanted = share * level * np.eye(n) + (1 - share) * population
    assert covariances.ledoit_wolf(given) == pytest.approx(wanted, rel=1e-10)


def test_constant_correlation_as_the_paper_sums_it() -> None:
    given = returns(30, 4, 3)
    around = given - given.mean(axis=0)
    days, n = given.shape
    s = around.T @ around / days
    deviations = np.sqrt(np.diag(s))
    mean = sum(s[i, j] / deviations[i] / deviations[j] for i in range(n) for j in range(n) if i != j) / n / (n - 1)
    target = np.array([[s[i, i] if i == j else mean * deviations[i] * deviations[j] for j in range(n)]
                       for i in range(n)])  # fmt: skip
    pi = sum(((around[:, i] * around[:, j] - s[i, j]) ** 2).mean() for i in range(n) for j in range(n))
    rho = sum(((around[:, i] ** 2 - s[i, i]) ** 2).mean() for i in range(n))
    for i in range(n):
        for j in range(n):
            if i != j:
                first = ((around[:, i] ** 2 - s[i, i]) * (around[:, i] * around[:, j] - s[i, j])).mean()
                second = ((around[:, j] ** 2 - s[j, j]) * (around[:, i] * around[:, j] - s[i, j])).mean()
                ratio = deviations[j] / deviations[i]
                rho += mean / 2 * (ratio * first + second / ratio)
    share = np.clip((pi - rho) / ((s - target) ** 2).sum() / days, 0, 1)
    assert 0.0 < share < 1.0
    assert covariances.constant_correlation(given) == pytest.approx(share * target + (1 - share) * s, rel=1e-9)


def test_weights_halve_with_the_half_life() -> None:
    given = np.array([[0.0, 0.0], [0.1, 0.2], [0.2, 0.1]])
    weights = np.array([0.25, 0.5, 1.0]) / 1.75
    around = given - weights @ given
    wanted = (around.T * weights) @ around / (1 - (weights**2).sum())
    assert covariances.ewma(given, half_life=1.0) == pytest.approx(wanted)
    assert expected.ewma(given, half_life=1.0) == pytest.approx(weights @ given)


def test_noise_is_taken_for_noise() -> None:
    random = np.random.default_rng(2)
    given = random.normal(0, 0.01, size=(500, 50))
    cleaned = covariances.denoised(given)
    values = np.linalg.eigvalsh(cleaned / np.outer(np.sqrt(np.diag(cleaned)), np.sqrt(np.diag(cleaned))))
    assert np.ptp(values) < 0.35  # the sample's own spread from 0.4 to 1.7
    assert np.diag(cleaned) == pytest.approx(np.diag(covariances.sample(given)))


def test_without_the_market_what_is_left_hardly_goes_together() -> None:
    given = returns(600, 12, 5)
    assert abs(_mean_correlation(covariances.detoned(given))) < 0.12
    assert _mean_correlation(covariances.sample(given)) > 0.12


def _mean_correlation(covariance: Floats) -> float:
    deviations = np.sqrt(np.diag(covariance))
    correlations = covariance / np.outer(deviations, deviations)
    return float(correlations[np.triu_indices(len(correlations), 1)].mean())


def test_a_factor_model_by_its_parts() -> None:
    random = np.random.default_rng(8)
    factors = random.normal(0, 0.01, size=(400, 2))
    loadings = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]])
    given = factors @ loadings + random.normal(0, 0.001, size=(400, 3))
    found = covariances.factor_model(given, factors)
    assert found == pytest.approx(covariances.sample(given), rel=0.05, abs=2e-6)
    with pytest.raises(InvalidInput, match="400 rows"):
        covariances.factor_model(given[1:], factors)


@given(seed=st.integers(0, 10**6), days=st.integers(3, 30), n=st.integers(1, 12))
def test_every_estimate_is_a_covariance(seed: int, days: int, n: int) -> None:
    given = returns(days, n, seed)
    for name, estimate in covariances.COVARIANCES.items():
        found = estimate(given)
        assert found.shape == (n, n), name
        assert found == pytest.approx(found.T), name
        assert np.linalg.eigvalsh(found)[0] >= -1e-12, name


@pytest.mark.parametrize("name", list(covariances.COVARIANCES))
def test_what_cannot_be_estimated_is_said(name: str) -> None:
    with pytest.raises(InvalidInput, match="two rows"):
        covariances.COVARIANCES[name](np.zeros((1, 3)))
    with pytest.raises(InvalidInput, match="gaps"):
        covariances.COVARIANCES[name](np.array([[0.1], [np.nan], [0.2]]))


def test_betas_times_the_market() -> None:
    market = np.array([0.01, -0.02, 0.03, 0.0])
    given = np.column_stack((market, 2 * market + 0.001))
    found = expected.capm(given, market, risk_free=0.001)
    assert found == pytest.approx([0.001 + (0.005 - 0.001), 0.001 + 2 * (0.005 - 0.001)])


def test_implied_means_make_the_weights_best() -> None:
    from evenkeel.quant.portfolio.frontier import frontier

    covariance = covariances.sample(returns(80, 4, 6))
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    mean = expected.implied(covariance, weights, aversion=3.0)
    line = frontier(mean, covariance, lower=np.zeros(4), upper=np.ones(4))
    assert line.at_multiplier(1 / 3.0) == pytest.approx(weights, abs=1e-9)
    assert line.max_sharpe() == pytest.approx(weights, abs=1e-9)


@pytest.mark.parametrize("confidence", [0.25, 0.5, 1.0])
def test_a_view_moves_its_own_value_by_its_confidence(confidence: float) -> None:
    covariance = covariances.sample(returns(80, 3, 7)) * 252
    prior = np.array([0.05, 0.06, 0.07])
    view = expected.View(np.array([1.0, -1.0, 0.0]), 0.04, confidence)
    after = expected.black_litterman(prior, covariance, [view])
    assert after[0] - after[1] == pytest.approx(-0.01 + confidence * 0.05)
    assert expected.black_litterman(prior, covariance, []).tolist() == prior.tolist()


def test_views_that_cannot_be_used_are_said() -> None:
    covariance, prior = np.eye(2), np.zeros(2)
    certain = expected.View(np.array([1.0, 0.0]), 0.1, 1.0)
    with pytest.raises(InvalidInput, match="about the same thing"):
        expected.black_litterman(prior, covariance, [certain, certain])
    with pytest.raises(InvalidInput, match="above 0, to 1"):
        expected.black_litterman(prior, covariance, [expected.View(np.array([1.0, 0.0]), 0.1, 0.0)])
