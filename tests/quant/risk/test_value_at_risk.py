"""VaR and CVaR: worked by hand, against the measures of one series, against a published frontier, and by properties."""

from math import exp, sqrt
from statistics import NormalDist
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics import tails
from evenkeel.quant.risk import Method, Tail, TailRisk, least_returns, value_at_risk

Floats = npt.NDArray[np.float64]
METHODS: tuple[Method, ...] = get_args(Method)
NORMAL = NormalDist()


def days(count: int = 250, kinds: int = 3, seed: int = 7) -> Floats:
    """Returns with something in common, a mean, and tails a little fatter than normal."""
    source = np.random.default_rng(seed)
    common = source.standard_normal((count, 1))
    return np.asarray(0.0004 + 0.01 * (0.6 * common + source.standard_t(12, (count, kinds))))


def test_a_hundred_days_by_hand() -> None:
    """Losses of 1 to 100 on 10,000: at 95 % the quantile lies between the fifth and sixth worst, 0.95 of the way."""
    returns = np.arange(-1, -101, -1)[:, None] / 10_000.0
    found = value_at_risk(returns, np.array([10_000.0]), tail=Tail(confidence=0.95))
    assert found.var == pytest.approx(96 - 0.95)
    assert found.cvar == pytest.approx((100 + 99 + 98 + 97 + 96) / 5)
    assert value_at_risk(returns, np.array([10_000.0]), tail=Tail(confidence=0.99)).cvar == pytest.approx(100)


def test_the_parts_of_a_case_are_what_each_position_lost_in_it() -> None:
    """The worst of a hundred days costs 30 on the first and brings 10 on the second; nothing happens on the others."""
    returns = np.zeros((100, 2))
    returns[40] = -0.03, -0.02
    found = value_at_risk(returns, np.array([1000.0, -500.0]), tail=Tail(confidence=0.99))
    assert found.cvar == pytest.approx(20)
    assert found.cvar_parts == pytest.approx([30, -10])
    assert found.var == pytest.approx(20 * 0.01), "99 of 100 steps from the worst to the second"


def test_a_longer_horizon_compounds_what_happened_in_a_row() -> None:
    returns = np.zeros((129, 1))
    returns[50:52] = -0.10
    found = value_at_risk(returns, np.array([100.0]), tail=Tail(confidence=0.99, horizon=2))
    assert found.cvar == pytest.approx((19 + 0.28 * 10) / 1.28), "128 stretches: 1.28 of them are the tail"


def test_one_position_is_the_measure_of_its_series() -> None:
    returns = days(kinds=1)
    for confidence in (0.9, 0.95, 0.99):
        by_method = {
            "historical": (
                tails.var(returns[:, 0], confidence=confidence),
                tails.cvar(returns[:, 0], confidence=confidence),
            ),
            "normal": (
                tails.var_parametric(returns[:, 0], confidence=confidence),
                tails.cvar_parametric(returns[:, 0], confidence=confidence),
            ),
        }
        for method, (var, cvar) in by_method.items():
            found = value_at_risk(returns, np.array([1.0]), tail=Tail(confidence=confidence, method=method))  # type: ignore[arg-type]
            assert (found.var, found.cvar) == (pytest.approx(var), pytest.approx(cvar))
        found = value_at_risk(returns, np.array([1.0]), tail=Tail(confidence=confidence, method="cornish-fisher"))
        assert found.var == pytest.approx(tails.var_cornish_fisher(returns[:, 0], confidence=confidence))


def test_the_corrected_shortfall_is_the_mean_of_the_corrected_quantiles_beyond() -> None:
    returns = days(kinds=2)
    values = np.array([3.0, 1.0])
    found = value_at_risk(returns, values, tail=Tail(confidence=0.95, method="cornish-fisher"))
    shares = (np.arange(20_000) + 0.5) / 20_000 * 0.05
    mean = np.mean(
        [
            value_at_risk(
                returns, values, tail=Tail(confidence=1 - share, method="cornish-fisher", draws=10_000_000)
            ).var
            for share in shares[::20]
        ]
    )
    assert found.cvar == pytest.approx(mean, rel=1e-3)


def test_the_square_root_of_time_and_its_corrections() -> None:
    returns, values = days(kinds=2), np.array([2.0, -1.0])
    whole = returns @ values
    for horizon in (4, 25):
        found = value_at_risk(returns, values, tail=Tail(method="normal", horizon=horizon))
        expected = -(whole.mean() * horizon + NORMAL.inv_cdf(0.05) * whole.std(ddof=1) * sqrt(horizon))
        assert found.var == pytest.approx(expected)
    near = value_at_risk(returns, values, tail=Tail(method="cornish-fisher", horizon=250))
    assert near.var == pytest.approx(
        value_at_risk(returns, values, tail=Tail(method="normal", horizon=250)).var, rel=0.01
    )


def test_a_simulation_meets_the_lognormal_quantile() -> None:
    """One position: value x (1 - exp(mean h + z deviation sqrt(h))), of log returns."""
    returns = days(kinds=1)
    logs = np.log1p(returns[:, 0])
    for horizon in (1, 10):
        tail = Tail(method="monte-carlo", confidence=0.95, horizon=horizon, draws=200_000)
        expected = 1 - exp(logs.mean() * horizon + NORMAL.inv_cdf(0.05) * logs.std(ddof=1) * sqrt(horizon))
        assert value_at_risk(returns, np.array([1.0]), tail=tail).var == pytest.approx(expected, rel=0.01)


def test_a_simulation_repeats_with_its_seed() -> None:
    returns, values = days(), np.array([1.0, 2.0, -1.0])

    def drawn(seed: int) -> float:
        return value_at_risk(returns, values, tail=Tail(method="monte-carlo", seed=seed)).var

    assert drawn(1) == drawn(1) != drawn(2)


# Bailey & Lopez de Prado (2013), ten assets: covariances, and two corner portfolios with their risk.
COVARIANCE = """
0.40755159 0.03175842 0.05183923 0.05663904 0.0330226 0.00827775 0.02165938 0.01332419 0.0343476 0.02249903
0.03175842 0.9063047 0.03136385 0.02687256 0.01917172 0.00934384 0.02495043 0.00761036 0.02874874 0.01336866
0.05183923 0.03136385 0.19490901 0.04408485 0.03006772 0.01322738 0.03525971 0.0115493 0.0427563 0.02057303
0.05663904 0.02687256 0.04408485 0.19528471 0.02777345 0.00526665 0.01375808 0.00780878 0.02914176 0.01640377
0.0330226 0.01917172 0.03006772 0.02777345 0.34059105 0.00777055 0.02067844 0.00736409 0.02542657 0.01284075
0.00827775 0.00934384 0.01322738 0.00526665 0.00777055 0.15983874 0.02105575 0.00518686 0.01723737 0.00723779
0.02165938 0.02495043 0.03525971 0.01375808 0.02067844 0.02105575 0.68056711 0.01377882 0.04627027 0.01926088
0.01332419 0.00761036 0.0115493 0.00780878 0.00736409 0.00518686 0.01377882 0.95526918 0.0106553 0.00760955
0.0343476 0.02874874 0.0427563 0.02914176 0.02542657 0.01723737 0.04627027 0.0106553 0.31681584 0.01854318
0.02249903 0.01336866 0.02057303 0.01640377 0.01284075 0.00723779 0.01926088 0.00760955 0.01854318 0.11079287
"""
CORNERS = (
    (0.5456568743, (0.64936941, 0.35063059, 0, 0, 0, 0, 0, 0, 0, 0)),
    (
        0.2052376198,
        (
            *(0.03696858, 0.02690084, 0.09494243, 0.12577595, 0.07674608),
            *(0.21935567, 0.02998710, 0.03596328, 0.06134984, 0.29201023),
        ),
    ),
)


@pytest.mark.parametrize(("risk", "weights"), CORNERS)
def test_a_published_frontier(risk: float, weights: tuple[float, ...]) -> None:
    covariance = np.array([[float(cell) for cell in line.split()] for line in COVARIANCE.strip().splitlines()])
    plain = np.random.default_rng(1).standard_normal((60, 10))
    columns, _ = np.linalg.qr(plain - plain.mean(axis=0))
    returns = sqrt(59) * columns @ np.linalg.cholesky(covariance).T
    assert np.cov(returns.T) == pytest.approx(covariance, abs=1e-12)
    held = np.array(weights)
    found = value_at_risk(returns, held, tail=Tail(method="normal", confidence=0.99))
    assert found.var == pytest.approx(-NORMAL.inv_cdf(0.01) * risk, rel=1e-7)
    assert found.var_parts == pytest.approx(-NORMAL.inv_cdf(0.01) * held * (covariance @ held) / risk, rel=1e-6)


@pytest.mark.parametrize("method", ["normal", "cornish-fisher"])
def test_the_parts_are_values_times_derivatives(method: Method) -> None:
    returns, values, step = days(), np.array([5.0, -2.0, 1.0]), 1e-5
    for horizon in (1, 10):
        tail = Tail(method=method, confidence=0.99, horizon=horizon)
        found = value_at_risk(returns, values, tail=tail)
        for place in range(3):
            more, less = values.copy(), values.copy()
            more[place] += step
            less[place] -= step
            above, below = value_at_risk(returns, more, tail=tail), value_at_risk(returns, less, tail=tail)
            slope = (above.var - below.var) / (2 * step), (above.cvar - below.cvar) / (2 * step)
            assert found.var_parts[place] == pytest.approx(values[place] * slope[0], rel=1e-6, abs=1e-9)
            assert found.cvar_parts[place] == pytest.approx(values[place] * slope[1], rel=1e-6, abs=1e-9)


HELD = arrays(np.float64, 3, elements=st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-3))
ASKED = st.builds(
    Tail,
    confidence=st.sampled_from((0.9, 0.95, 0.975, 0.99)),
    horizon=st.integers(1, 20),
    method=st.sampled_from(METHODS),
    draws=st.just(500),
)
SEEDS = st.integers(0, 50)


def asked(returns: Floats, values: Floats, *, tail: Tail) -> TailRisk:
    """The answer, where there is one: the correction has none for some portfolios."""
    try:
        return value_at_risk(returns, values, tail=tail)
    except InvalidInput:
        assume(False)
        raise


@given(SEEDS, HELD, ASKED)
def test_the_shortfall_is_no_less_and_parts_add_up(seed: int, values: Floats, tail: Tail) -> None:
    found = asked(days(seed=seed), values, tail=tail)
    size = 1e-9 * float(np.abs(values).sum())
    assert found.cvar >= found.var - size
    assert float(found.var_parts.sum()) == pytest.approx(found.var, abs=size)
    assert float(found.cvar_parts.sum()) == pytest.approx(found.cvar, abs=size)


@given(SEEDS, HELD, ASKED, st.floats(0.01, 100))
def test_twice_as_much_has_twice_the_risk(seed: int, values: Floats, tail: Tail, times: float) -> None:
    once, more = asked(days(seed=seed), values, tail=tail), asked(days(seed=seed), values * times, tail=tail)
    size = 1e-9 * times * float(np.abs(values).sum())
    assert more.var == pytest.approx(once.var * times, abs=size)
    assert more.cvar == pytest.approx(once.cvar * times, abs=size)
    assert more.var_parts == pytest.approx(once.var_parts * times, abs=size)


@given(SEEDS, HELD, ASKED, st.permutations(range(3)))
def test_the_order_of_positions_changes_nothing(seed: int, values: Floats, tail: Tail, order: list[int]) -> None:
    assume(tail.method != "monte-carlo")
    returns = days(seed=seed)
    found, other = asked(returns, values, tail=tail), asked(returns[:, order], values[order], tail=tail)
    size = 1e-9 * float(np.abs(values).sum())
    assert (other.var, other.cvar) == (pytest.approx(found.var, abs=size), pytest.approx(found.cvar, abs=size))
    assert other.cvar_parts == pytest.approx(found.cvar_parts[order], abs=size)


@given(SEEDS, st.sampled_from(METHODS))
def test_a_position_and_its_opposite_have_no_risk(seed: int, method: Method) -> None:
    returns = np.repeat(days(kinds=1, seed=seed), 2, axis=1)
    found = value_at_risk(returns, np.array([100.0, -100.0]), tail=Tail(method=method))
    assert (found.var, found.cvar) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))


@pytest.mark.parametrize("method", METHODS)
def test_nothing_held_and_nothing_moving_is_no_risk(method: Method) -> None:
    tail = Tail(method=method)
    nothing = value_at_risk(np.empty((100, 0)), np.empty(0), tail=tail)
    assert (nothing.var, nothing.cvar, len(nothing.var_parts)) == (0, 0, 0)
    still = value_at_risk(np.zeros((100, 1)), np.array([10.0]), tail=tail)
    assert (still.var, still.cvar) == (0, 0)


def test_too_little_history_is_refused_with_what_is_needed() -> None:
    assert least_returns(Tail(confidence=0.95)) == 30
    assert least_returns(Tail(confidence=0.99)) == 100
    assert least_returns(Tail(confidence=0.99, horizon=10)) == 109
    assert least_returns(Tail(confidence=0.999, method="normal", horizon=10)) == 30
    value_at_risk(days(100), np.ones(3), tail=Tail(confidence=0.99))
    with pytest.raises(InvalidInput, match="needs 100 returns"):
        value_at_risk(days(99), np.ones(3), tail=Tail(confidence=0.99))


def test_a_correction_that_turns_cases_around_is_refused() -> None:
    returns = np.zeros((100, 1))
    returns[::2], returns[0] = 0.001, -0.5
    with pytest.raises(InvalidInput, match=r"a skewness of -9\.\d\d and an excess kurtosis of 9\d"):
        value_at_risk(returns, np.ones(1), tail=Tail(method="cornish-fisher"))


def test_what_has_no_logarithm_is_not_simulated() -> None:
    returns = days(kinds=1)
    returns[3] = -1.0
    with pytest.raises(InvalidInput, match="no logarithm"):
        value_at_risk(returns, np.ones(1), tail=Tail(method="monte-carlo"))


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(InvalidInput, match="finite"):
        value_at_risk(days(), np.array([1.0, np.nan, 1.0]), tail=Tail())


@pytest.mark.parametrize(
    "wrong",
    [{"confidence": 0.5}, {"confidence": 1.0}, {"horizon": 0}, {"horizon": 251}, {"method": "guess"}, {"draws": 10}],
)
def test_a_question_that_makes_no_sense_names_its_field(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as error:
        Tail(**wrong)
    assert error.value.errors[0].field == next(iter(wrong))
