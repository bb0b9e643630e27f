"""Ratios: laws of scale, leverage and autocorrelation, against plain formulas, and where they are undefined."""

from math import isnan, nan, sqrt

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics import benchmark as versus
from evenkeel.quant.analytics import ratios, returns, risk, tails
from evenkeel.quant.analytics.series import Floats

RETURNS = st.lists(st.integers(-3_000, 3_000).map(lambda r: r / 10_000), min_size=2, max_size=60).map(np.array)
RNG = np.random.default_rng(20)
DAILY = RNG.normal(0.0005, 0.01, 1_500)
MARKET = 0.8 * DAILY + RNG.normal(0.0, 0.005, 1_500)


@given(RETURNS, st.floats(0.1, 3.0))
def test_leverage_leaves_ratios_of_the_mean_alone(values: Floats, leverage: float) -> None:
    for ratio in (
        lambda r: ratios.sharpe(r, periods=252),
        lambda r: ratios.sortino(r, periods=252),
        lambda r: ratios.sharpe_lo(r, periods=12, lags=3),
        lambda r: ratios.sharpe_error(r, periods=12, lags=3),
        ratios.omega,
        ratios.bernardo_ledoit,
        ratios.upside_potential_ratio,
        risk.skewness,
        risk.volatility_skewness,
        tails.tail_ratio,
    ):
        assert ratio(leverage * values) == pytest.approx(ratio(values), rel=1e-6, nan_ok=True)


@given(RETURNS, st.floats(0.1, 3.0))
def test_leverage_multiplies_risk(values: Floats, leverage: float) -> None:
    for measure in (
        lambda r: risk.volatility(r, periods=252),
        risk.downside_deviation,
        risk.mean_absolute_deviation,
        tails.var,
        tails.cvar,
        tails.var_cornish_fisher,
        tails.cvar_parametric,
    ):
        assert measure(leverage * values) == pytest.approx(leverage * measure(values), rel=1e-6, abs=1e-12, nan_ok=True)


def test_sharpe_by_hand() -> None:
    values, rate = np.array([0.01, 0.03, -0.02, 0.02]), 1.06 ** (1 / 12) - 1
    over = values - rate
    expected = over.mean() / over.std(ddof=1) * sqrt(12)
    assert ratios.sharpe(values, periods=12, risk_free=0.06) == pytest.approx(expected)
    assert ratios.sharpe(values, periods=12) > ratios.sharpe(values, periods=12, risk_free=0.06)


def test_sortino_counts_all_periods() -> None:
    values = np.array([0.02, -0.01, 0.03, 0.0])
    assert risk.downside_deviation(values) == pytest.approx(sqrt(0.01**2 / 4))
    assert ratios.sortino(values, periods=4) == pytest.approx(0.01 / sqrt(0.01**2 / 4) * 2)


def autoregressive(rho: float, count: int, seed: int) -> Floats:
    noise = np.random.default_rng(seed).normal(0.001, 0.01, count)
    for at in range(1, count):
        noise[at] += rho * noise[at - 1]
    return noise


def test_lo_on_a_known_correlation() -> None:
    """For a first-order process the sum has a closed form (Lo 2002)."""
    values, q = autoregressive(0.3, 400_000, 3), 12
    eta = sqrt(q) / sqrt(1 + 2 * 0.3 / 0.7 * (1 - (1 - 0.3**q) / (q * 0.7)))
    once = values.mean() / values.std(ddof=1)
    assert ratios.sharpe_lo(values, periods=q, lags=q) / once == pytest.approx(eta, rel=5e-3)
    assert ratios.sharpe_lo(values, periods=q, lags=0) == pytest.approx(ratios.sharpe(values, periods=q))


def test_the_error_of_independent_returns() -> None:
    """sqrt((1 + SR² / 2) / n) for normal ones; 0.137 for a monthly ratio of 0.5 over 60 months (Lo 2002, table 1)."""
    assert sqrt((1 + 0.5**2 / 2) / 60) == pytest.approx(0.137, abs=5e-4)
    normal = np.random.default_rng(1).normal(0.5, 1.0, 200_000)
    ratio = normal.mean() / normal.std()
    expected = sqrt((1 + ratio**2 / 2) / len(normal))
    assert ratios.sharpe_error(normal / 100, periods=1, lags=0) == pytest.approx(expected, rel=1e-2)
    skew, tail = risk.skewness(DAILY), risk.kurtosis(DAILY)
    ratio = DAILY.mean() / DAILY.std()
    mertens = sqrt((1 - skew * ratio + (tail - 1) / 4 * ratio**2) / len(DAILY))
    assert ratios.sharpe_error(DAILY, periods=1, lags=0) == pytest.approx(mertens)


def test_the_error_covers_what_it_should() -> None:
    ratio = 0.001 / 0.01
    missed = 0
    for seed in range(300):
        values = autoregressive(0.0, 500, seed)
        error = ratios.sharpe_error(values, periods=1, lags=ratios.newey_west_lags(500))
        missed += abs(ratios.sharpe(values, periods=1) - ratio) > 1.96 * error
    assert missed / 300 == pytest.approx(0.05, abs=0.035)


def test_how_many_lags_a_record_supports() -> None:
    assert [ratios.newey_west_lags(count) for count in (0, 24, 100, 252, 2_520)] == [0, 2, 4, 4, 8]


@given(RETURNS)
def test_one_sided_measures_add_up(values: Floats) -> None:
    up, down = risk.upside_potential(values, target=0.01), risk.downside_potential(values, target=0.01)
    assert up - down == pytest.approx(np.mean(values) - 0.01, abs=1e-12)
    squares = risk.upside_risk(values, target=0.01) ** 2 + risk.downside_deviation(values, target=0.01) ** 2
    assert squares == pytest.approx(np.mean((values - 0.01) ** 2))


@given(RETURNS, st.sampled_from([0.9, 0.95, 0.99]))
def test_the_tail_lies_beyond_the_quantile(values: Floats, confidence: float) -> None:
    at = tails.var(values, confidence=confidence, method="higher")
    assert tails.cvar(values, confidence=confidence) >= at - 1e-12
    assert tails.cvar(values, confidence=confidence) <= -values.min() + 1e-12


def test_expected_shortfall_counts_the_last_loss_by_its_fraction() -> None:
    values = -np.arange(1.0, 31.0) / 100  # 5 % of 30 are one and a half
    assert tails.cvar(values) == pytest.approx((0.30 + 0.5 * 0.29) / 1.5)
    assert tails.cvar(-np.arange(1.0, 101.0) / 1_000) == pytest.approx(np.mean(np.arange(96, 101)) / 1_000)
    losses = -values
    # Rockafellar & Uryasev: the least over c of c + mean excess / (1 - confidence).
    best = min(c + np.mean(np.maximum(losses - c, 0)) / 0.05 for c in losses)
    assert tails.cvar(values) == pytest.approx(best)


def test_named_quantiles_and_normal_tails() -> None:
    values = np.array([-0.04, -0.02, 0.0, 0.01, 0.03])
    assert tails.var(values, confidence=0.8, method="lower") == pytest.approx(0.04)
    assert tails.var(values, confidence=0.8, method="linear") == pytest.approx(0.024)
    normal = np.random.default_rng(4).normal(0.0, 0.01, 400_000)
    for measure, expected in (
        (tails.var, 0.0164485),
        (tails.var_parametric, 0.0164485),
        (tails.var_cornish_fisher, 0.0164485),
        (tails.cvar, 0.0206271),
        (tails.cvar_parametric, 0.0206271),
    ):
        assert measure(normal) == pytest.approx(expected, rel=0.01)
    with pytest.raises(InvalidInput, match="such as 0"):
        tails.var(values, confidence=5)


def test_against_itself_a_benchmark_explains_everything() -> None:
    assert versus.beta(DAILY, DAILY) == pytest.approx(1.0)
    assert versus.alpha(DAILY, DAILY, years=6.0, risk_free=0.02) == pytest.approx(0.0)
    assert versus.specific_risk(DAILY, DAILY, periods=252) == 0.0
    assert isnan(versus.information_ratio(DAILY, DAILY, periods=252))
    assert (versus.up_capture(DAILY, DAILY), versus.down_capture(DAILY, DAILY)) == (1.0, 1.0)


def test_leverage_against_a_benchmark() -> None:
    assert versus.beta(2 * DAILY, MARKET) == pytest.approx(2 * versus.beta(DAILY, MARKET))
    assert versus.correlation(2 * DAILY, MARKET) == pytest.approx(versus.correlation(DAILY, MARKET))
    assert versus.correlation(DAILY, MARKET) == pytest.approx(np.corrcoef(DAILY, MARKET)[0, 1])
    slope = np.polyfit(MARKET, DAILY, 1)[0]
    assert versus.beta(DAILY, MARKET) == pytest.approx(slope)
    assert versus.treynor(DAILY, MARKET, years=6.0) == pytest.approx(returns.cagr(DAILY, years=6.0) / slope)


def test_capture_takes_the_periods_of_the_benchmark() -> None:
    market = np.array([0.1, -0.1, 0.0, 0.2])
    ours = np.array([0.05, -0.2, 0.9, 0.1])
    expected = (sqrt(1.05 * 1.1) - 1) / (sqrt(1.1 * 1.2) - 1)
    assert versus.up_capture(ours, market) == pytest.approx(expected)
    assert versus.down_capture(ours, market) == pytest.approx(2.0)
    assert isnan(versus.down_capture(ours, np.abs(market)))
    with pytest.raises(InvalidInput, match="different lengths"):
        versus.beta(ours, market[:2])


@pytest.mark.parametrize(
    "values",
    [np.empty(0), np.array([0.01]), np.full(50, 0.001), np.array([0.01, nan, 0.02]), np.zeros(9)],
    ids=["none", "one", "constant", "unknown", "flat"],
)
def test_no_variance_no_ratio(values: Floats) -> None:
    other = np.zeros(len(values))
    for value in (
        ratios.sharpe(values, periods=252),
        ratios.sharpe_lo(values, periods=252, lags=2),
        ratios.sharpe_error(values, periods=252, lags=2),
        ratios.adjusted_sharpe(values, periods=252, years=3.0),
        ratios.sortino(values, periods=252),
        ratios.omega(values),
        ratios.martin(values, years=3.0),
        ratios.burke(values, years=3.0),
        ratios.calmar(values, years=3.0),
        risk.skewness(values),
        versus.beta(values, other),
        versus.correlation(values, other),
        versus.m_squared(values, other, years=2.0),
    ):
        assert isnan(value)


def test_rounding_is_no_variance() -> None:
    equity = np.array([100.0 * 1.0003**day for day in range(500)])
    grown = returns.period_returns(equity)
    assert 0 < np.std(grown) < 1e-15
    assert risk.volatility(grown, periods=252) == 0.0
    assert isnan(ratios.sharpe(grown, periods=252))
    assert isnan(ratios.sortino(grown, periods=252, target=float(grown.min())))


@given(RETURNS)
def test_below_a_year_nothing_is_annualised(values: Floats) -> None:
    assume(np.ptp(values) > 0)
    assert isnan(ratios.calmar(values, years=0.5))
    assert isnan(ratios.martin(values, years=0.5))
    assert not isnan(ratios.sharpe(values, periods=252))
