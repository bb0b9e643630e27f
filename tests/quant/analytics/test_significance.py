"""Significance: the papers' worked examples, order, and searches whose odds are known."""

from itertools import combinations
from math import isnan, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics import (
    Evidence,
    Trials,
    deflated_sharpe,
    evidence,
    expected_max_sharpe,
    minimum_backtest_years,
    minimum_track_record,
    probabilistic_sharpe,
    probability_of_overfitting,
    trials_of,
)
from evenkeel.quant.analytics.series import Floats

HEDGE_FUND = Evidence(24, 1.585 / sqrt(12), -2.448, 10.164)
STRATEGY = Evidence(1_250, 2.5 / sqrt(250), -3.0, 10.0)


def test_probabilistic_sharpe_of_the_paper() -> None:
    """Bailey & Lopez de Prado 2012: 24 months, ratio 1.585 a year, skewness −2.448, kurtosis 10.164."""
    assert probabilistic_sharpe(HEDGE_FUND) == pytest.approx(0.9132343069, abs=1e-10)
    normal = HEDGE_FUND._replace(skewness=0.0, kurtosis=3.0)
    assert probabilistic_sharpe(normal) == pytest.approx(0.982, abs=5e-4)


def test_deflated_sharpe_of_the_paper() -> None:
    """Bailey & Lopez de Prado 2014: 2.5 a year over 1,250 days of 250, 100 trials of variance 1/2 a year."""
    trials = Trials(100, 0.5 / 250)
    assert expected_max_sharpe(Trials(100, 1.0)) == pytest.approx(2.5306028932, abs=1e-10)
    assert expected_max_sharpe(trials) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(STRATEGY, trials) == pytest.approx(0.9003968344, abs=1e-9)
    assert deflated_sharpe(STRATEGY, Trials(46, 0.5 / 250)) == pytest.approx(0.9505, abs=5e-5)
    normal = STRATEGY._replace(skewness=0.0, kurtosis=3.0)
    assert deflated_sharpe(normal, Trials(88, 0.5 / 250)) == pytest.approx(0.9505, abs=5e-5)


def test_minimum_backtest_length_of_the_paper() -> None:
    """Bailey, Borwein, Lopez de Prado & Zhu 2014: with five years of data, no more than 45 trials."""
    assert minimum_backtest_years(45) == pytest.approx(5.0, abs=0.01)
    assert minimum_backtest_years(45) < 5.0 < minimum_backtest_years(46)
    assert minimum_backtest_years(45, sharpe=2.0) == pytest.approx(minimum_backtest_years(45) / 4)
    assert minimum_backtest_years(1) == 0.0


def test_the_expected_maximum_is_near_what_draws_show() -> None:
    highest = np.random.default_rng(8).normal(size=(20_000, 50)).max(axis=1)
    assert expected_max_sharpe(Trials(50, 1.0)) == pytest.approx(highest.mean(), rel=0.015)


RATIO = st.integers(-500, 500).map(lambda ratio: ratio / 1_000)


@given(RATIO, RATIO, st.integers(3, 5_000), st.floats(-2, 2), st.floats(0, 10))
def test_probability_rises_with_the_ratio(low: float, high: float, count: int, skew: float, above: float) -> None:
    """Normal records are compared, since with skewness the ratio counts in its own error."""
    low, high = sorted((low, high))
    normal = [Evidence(count, ratio, 0.0, 3.0) for ratio in (low, high)]
    assert probabilistic_sharpe(normal[0]) <= probabilistic_sharpe(normal[1])
    found = Evidence(count, high, skew, 1.5 + skew * skew + above)
    assert probabilistic_sharpe(found, 0.1) <= probabilistic_sharpe(found, 0.0)
    assert (probabilistic_sharpe(found) >= 0.5) == (high >= 0)


@given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(0, 0.1), st.floats(0, 0.1))
def test_more_or_more_different_trials_deflate_more(few: float, many: float, low: float, high: float) -> None:
    few, many = sorted((few, many))
    low, high = sorted((low, high))
    assert deflated_sharpe(STRATEGY, Trials(many, low)) <= deflated_sharpe(STRATEGY, Trials(few, low)) + 1e-12
    assert deflated_sharpe(STRATEGY, Trials(many, high)) <= deflated_sharpe(STRATEGY, Trials(many, low)) + 1e-12
    assert deflated_sharpe(STRATEGY, Trials(1, high)) == probabilistic_sharpe(STRATEGY)


def test_the_minimum_track_record_is_where_the_probability_is_reached() -> None:
    needed = minimum_track_record(STRATEGY, confidence=0.95)
    assert probabilistic_sharpe(STRATEGY._replace(observations=round(needed))) == pytest.approx(0.95, abs=1e-3)
    assert isnan(minimum_track_record(STRATEGY._replace(sharpe=-0.1)))
    assert isnan(minimum_track_record(STRATEGY, STRATEGY.sharpe))
    with pytest.raises(InvalidInput, match="confidence"):
        minimum_track_record(STRATEGY, confidence=95)


def test_evidence_comes_from_returns() -> None:
    values = np.random.default_rng(2).normal(0.001, 0.01, 300)
    found = evidence(values)
    assert found.sharpe == pytest.approx(values.mean() / values.std(ddof=1))
    assert found.kurtosis == pytest.approx(np.mean((values - values.mean()) ** 4) / values.var() ** 2)
    for nothing in (np.empty(0), np.array([0.1]), np.full(9, 0.01)):
        assert isnan(probabilistic_sharpe(evidence(nothing)))


def test_trials_of_a_search() -> None:
    found = trials_of(np.array([0.1, 0.2, np.nan, 0.4]))
    assert found == (3, pytest.approx(np.var([0.1, 0.2, 0.4], ddof=1)))
    assert trials_of(np.array([0.1])) == (1, 0.0)
    with pytest.raises(InvalidInput, match="one trial or more"):
        expected_max_sharpe(trials_of(np.empty(0)))
    with pytest.raises(InvalidInput, match="one trial or more"):
        minimum_backtest_years(0)


def plain_overfitting(returns: Floats, blocks: int) -> list[tuple[float, float, float]]:
    """(logit, ratio inside, ratio outside) of each split, by taking the rows themselves."""
    parts = np.array_split(np.arange(len(returns)), blocks)
    found = []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[block] for block in chosen])
        outside = np.setdiff1d(np.arange(len(returns)), inside)
        within, beyond = (returns[rows].mean(0) / returns[rows].std(0, ddof=1) for rows in (inside, outside))
        best = int(np.argmax(within))
        rank = (np.argsort(np.argsort(beyond))[best] + 1) / (returns.shape[1] + 1)
        found.append((log(rank / (1 - rank)), within[best], beyond[best]))
    return found


@pytest.mark.parametrize(("periods", "trials", "blocks"), [(60, 7, 6), (61, 2, 4), (101, 12, 8)])
def test_overfitting_agrees_with_a_plain_walk(periods: int, trials: int, blocks: int) -> None:
    returns = np.random.default_rng(periods).normal(0.001, 0.01, (periods, trials))
    found, expected = probability_of_overfitting(returns, blocks=blocks), plain_overfitting(returns, blocks)
    for column, values in zip((found.logits, found.chosen, found.proved), zip(*expected, strict=True), strict=True):
        np.testing.assert_allclose(column, values, rtol=1e-9)
    assert found.probability == np.mean([logit <= 0 for logit, _, _ in expected])
    slope = np.polyfit(found.chosen, found.proved, 1)[0]
    assert found.slope == pytest.approx(slope)


def test_noise_is_overfit_and_skill_is_not() -> None:
    rng = np.random.default_rng(11)
    odds = [probability_of_overfitting(rng.normal(0, 0.01, (500, 20)), blocks=8).probability for _ in range(40)]
    assert np.mean(odds) == pytest.approx(0.5, abs=0.1)
    skilled = rng.normal(0, 0.01, (500, 20))
    skilled[:, 3] += 0.005
    found = probability_of_overfitting(skilled, blocks=8)
    assert (found.probability, found.loss_probability) == (0.0, 0.0)


def test_scale_and_a_strategy_that_stands_still() -> None:
    returns = np.random.default_rng(5).normal(0, 0.01, (200, 6))
    found = probability_of_overfitting(returns, blocks=8)
    np.testing.assert_allclose(probability_of_overfitting(7.0 * returns, blocks=8).logits, found.logits)
    still = np.concatenate((returns, np.zeros((200, 1))), axis=1)
    assert np.isfinite(probability_of_overfitting(still, blocks=8).logits).all()
    only = probability_of_overfitting(np.zeros((64, 3)), blocks=4)
    assert only.probability == 1.0
    assert np.all(only.logits == 0.0)
    assert isnan(only.slope)


@pytest.mark.parametrize(
    ("returns", "blocks", "message"),
    [
        (np.zeros((100, 1)), 4, "two trials"),
        (np.zeros(100), 4, "two trials"),
        (np.zeros((100, 2)), 5, "even number"),
        (np.zeros((100, 2)), 22, "even number"),
        (np.zeros((7, 2)), 4, "8 periods or more"),
        (np.full((100, 2), np.nan), 4, "finite"),
    ],
)
def test_what_overfitting_refuses(returns: Floats, blocks: int, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        probability_of_overfitting(returns, blocks=blocks)
