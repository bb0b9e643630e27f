"""The critical line against the published corners, against a solver of its own kind, and where it degenerates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.portfolio import long_only, quadratic
from evenkeel.quant.portfolio.frontier import Frontier, frontier
from evenkeel.quant.portfolio.room import Room

# Markowitz and Todd's example of ten assets, as published with Bailey and López de Prado's implementation.
MEAN = np.array([1.175, 1.19, 0.396, 1.12, 0.346, 0.679, 0.089, 0.73, 0.481, 1.08])
_LOWER = """
0.40755159
0.03175842 0.9063047
0.05183923 0.03136385 0.19490901
0.05663904 0.02687256 0.04408485 0.19528471
0.0330226 0.01917172 0.03006772 0.02777345 0.34059105
0.00827775 0.00934384 0.01322738 0.00526665 0.00777055 0.15983874
0.02165938 0.02495043 0.03525971 0.01375808 0.02067844 0.02105575 0.68056711
0.01332419 0.00761036 0.0115493 0.00780878 0.00736409 0.00518686 0.01377882 0.95526918
0.0343476 0.02874874 0.0427563 0.02914176 0.02542657 0.01723737 0.04627027 0.0106553 0.31681584
0.02249903 0.01336866 0.02057303 0.01640377 0.01284075 0.00723779 0.01926088 0.00760955 0.01854318 0.11079287
"""
CORNERS = [  # return, risk, λ, weights
    (1.19, 0.9520003676, 58.303085, [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
    (1.1802594589, 0.5456568743, 4.174273, [0.64936941, 0.35063059, 0, 0, 0, 0, 0, 0, 0, 0]),
    (1.1600564524, 0.4172556504, 1.945566, [0.43398413, 0.2312475, 0, 0.33476837, 0, 0, 0, 0, 0, 0]),
    (1.1112622643, 0.2667196142, 0.164581, [0.12688785, 0.07234335, 0, 0.28125375, 0, 0, 0, 0, 0, 0.51951505]),
    (1.1083602384, 0.2650169953, 0.147389,
     [0.123201, 0.07044407, 0, 0.27899357, 0, 0, 0, 0.00643556, 0, 0.52092579]),
    (1.0224838894, 0.2296800736, 0.056172,
     [0.08692155, 0.05045104, 0, 0.22359402, 0, 0.17383162, 0, 0.03017302, 0, 0.43502876]),
    (1.0153059205, 0.2279827484, 0.052048,
     [0.08467094, 0.04925386, 0, 0.2196339, 0, 0.18003923, 0, 0.0310298, 0.0064857, 0.42888656]),
    (0.9727204340, 0.2195548801, 0.036522,
     [0.07378925, 0.04382866, 0, 0.19897561, 0.02615816, 0.19815187, 0, 0.03341959, 0.02790297, 0.39777389]),
    (0.9499368158, 0.2160245717, 0.030971,
     [0.068344, 0.04138703, 0.01521526, 0.18813443, 0.03416249, 0.20231943, 0, 0.03392932, 0.03363265, 0.38287539]),
    (0.8032153599, 0.2052376198, 0.0,
     [0.03696858, 0.02690084, 0.09494243, 0.12577595, 0.07674608, 0.21935567, 0.0299871, 0.03596328, 0.06134984,
      0.29201023]),
]  # fmt: skip


def published() -> Floats:
    rows = [[float(one) for one in line.split()] for line in _LOWER.strip().splitlines()]
    found = np.zeros((10, 10))
    for place, row in enumerate(rows):
        found[place, : place + 1] = row
    return found + np.tril(found, -1).T


def whole(mean: Floats, covariance: Floats) -> Frontier:
    """The frontier of all long-only portfolios."""
    return frontier(mean, covariance, lower=np.zeros(mean.size), upper=np.ones(mean.size))


def test_the_published_example_has_its_ten_corners() -> None:
    line = whole(MEAN, published())
    assert len(line.weights) == 10
    for place, (expected, risk, multiplier, weights) in enumerate(CORNERS):
        assert line.weights[place] == pytest.approx(weights, abs=1e-8)
        assert line.returns[place] == pytest.approx(expected, abs=1e-8)
        assert line.risks[place] == pytest.approx(risk, abs=1e-8)
        assert line.multipliers[place] == pytest.approx(multiplier, abs=1e-6)


def test_the_published_example_has_its_highest_sharpe_ratio() -> None:
    best = whole(MEAN, published()).max_sharpe()
    risk = np.sqrt(best @ published() @ best)
    assert (best @ MEAN, risk, best @ MEAN / risk) == pytest.approx(
        (1.0125752692, 0.2273644679, 4.4535334766), abs=1e-8
    )


def test_between_corners_lie_the_portfolios_asked_for() -> None:
    covariance = published()
    line = whole(MEAN, covariance)
    at = line.at_return(1.1)
    assert at @ MEAN == pytest.approx(1.1, abs=1e-12)
    by_risk = line.at_risk(float(np.sqrt(at @ covariance @ at)))
    assert by_risk == pytest.approx(at, abs=1e-9)
    assert line.at_return(-5.0) == pytest.approx(line.min_variance())
    assert line.at_risk(9.0) == pytest.approx(line.max_return())
    with pytest.raises(InvalidInput, match=r"the most is 1\.19"):
        line.at_return(1.2)
    with pytest.raises(InvalidInput, match=r"the least is 0\.205"):
        line.at_risk(0.2)


def problem(seed: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Anything from one asset to fourteen: few periods, twins, assets without variance, ties, bounds that pin."""
    random = np.random.default_rng(seed)
    n, periods = int(random.integers(1, 15)), int(random.integers(3, 40))
    returns = random.normal(size=(periods, n))
    if n > 2 and random.random() < 0.3:
        returns[:, 1] = returns[:, 0]
    covariance = np.atleast_2d(np.cov(returns.T))
    mean = random.normal(size=n)
    if random.random() < 0.3:
        mean = np.round(mean)
    if random.random() < 0.2:
        mean[:] = 1.0
    if n > 1 and random.random() < 0.2:
        covariance[0, :] = covariance[:, 0] = 0.0
    lower, upper = np.zeros(n), np.ones(n)
    if random.random() < 0.5:
        upper = np.maximum(random.uniform(0.1, 1.0, size=n), 1.001 / n)
        lower = random.uniform(-0.5, 0.0, size=n) * (random.random() < 0.5)
    if n > 2 and random.random() < 0.2:
        lower[n - 1] = upper[n - 1] = 0.1
    return mean, covariance, lower, upper


@given(seed=st.integers(0, 10**9), multiplier=st.sampled_from([10.0, 1.0, 0.3, 0.1, 0.01, 0.0]))
def test_every_point_of_the_line_is_as_good_as_a_solver_finds(seed: int, multiplier: float) -> None:
    mean, covariance, lower, upper = problem(seed)
    if upper.sum() < 1.0 or lower.sum() > 1.0:
        return
    found = frontier(mean, covariance, lower=lower, upper=upper).at_multiplier(multiplier)
    assert found.sum() == pytest.approx(1.0, abs=1e-9)
    assert np.all(found >= lower - 1e-12)
    assert np.all(found <= upper + 1e-12)
    other = quadratic.minimise(covariance, -multiplier * mean, Room(lower, upper))

    def cost(weights: Floats) -> float:
        return float(weights @ covariance @ weights / 2.0 - multiplier * mean @ weights)

    assert cost(found) <= cost(other) + 1e-8 * max(1.0, abs(cost(other)))


@given(seed=st.integers(0, 10**9))
def test_corners_fall_in_return_risk_and_multiplier(seed: int) -> None:
    mean, covariance, lower, upper = problem(seed)
    if upper.sum() < 1.0 or lower.sum() > 1.0:
        return
    line = frontier(mean, covariance, lower=lower, upper=upper)
    scale = max(1.0, float(np.abs(mean).max()))
    assert np.all(np.diff(line.returns) <= 1e-9 * scale)
    assert np.all(np.diff(line.variances) <= 1e-9 * max(1.0, float(line.variances[0])))
    assert np.all(np.diff(line.multipliers) < 0.0)
    assert line.multipliers[-1] == 0.0


@given(seed=st.integers(0, 10**9))
def test_no_point_of_the_line_has_a_higher_sharpe_ratio(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = int(random.integers(2, 12))
    covariance = np.cov(random.normal(size=(3 * n, n)).T)
    mean = random.normal(0.5, 1.0, size=n)
    line = whole(mean, covariance)
    risk_free = float(random.uniform(-0.5, 0.5))
    best = line.max_sharpe(risk_free)
    ratio = (best @ mean - risk_free) / np.sqrt(best @ covariance @ best)
    if best @ mean <= risk_free:
        return
    shares = np.linspace(0.0, 1.0, 21)[:, None]
    for first, second in zip(line.weights[:-1], line.weights[1:], strict=True):
        between = (1 - shares) * first + shares * second
        ratios = (between @ mean - risk_free) / np.sqrt(np.einsum("ij,jk,ik->i", between, covariance, between))
        assert ratios.max() <= ratio + 1e-9


@given(seed=st.integers(0, 10**9), sharpe=st.booleans())
def test_the_short_way_for_long_only_finds_the_same(seed: int, sharpe: bool) -> None:
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 40))
    covariance = np.atleast_2d(np.cov(random.normal(size=(2 * n + 5, n)).T))
    mean = np.abs(random.normal(size=n)) + 0.01 if sharpe else np.ones(n)
    x = long_only.solve(covariance, mean)
    assert x is not None
    line = whole(mean, covariance)
    wanted = line.max_sharpe() if sharpe else line.min_variance()
    assert x / x.sum() == pytest.approx(wanted, abs=1e-9)


def test_five_hundred_assets_keep_their_accuracy() -> None:
    random = np.random.default_rng(5)
    n = 500
    market = random.normal(0, 0.01, size=(800, 1))
    returns = random.normal(0, 0.02, size=(800, n)) + market * random.uniform(0.5, 1.5, size=n)
    covariance, mean = np.cov(returns.T), returns.mean(axis=0)
    line = whole(mean, covariance)
    least = line.min_variance()
    gradient = covariance @ least
    held = least > 0.0
    assert np.ptp(gradient[held]) <= 1e-11 * gradient[held].max()
    assert np.all(gradient[~held] >= gradient[held].min() * (1 - 1e-9))


@pytest.mark.parametrize(
    ("lower", "upper", "words"),
    [
        ([0.5, 0.6], [1.0, 1.0], "more than 1"),
        ([0.0, 0.0], [0.3, 0.4], "less than 1"),
        ([0.5, 0.0], [0.4, 1.0], "asset 0 is above its most"),
    ],
)
def test_bounds_that_leave_nothing_are_said(lower: list[float], upper: list[float], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        frontier(np.ones(2), np.eye(2), lower=np.array(lower), upper=np.array(upper))


def test_one_asset_is_held_whole() -> None:
    line = whole(np.array([0.1]), np.array([[0.04]]))
    assert line.weights.tolist() == [[1.0]]
    assert line.max_sharpe().tolist() == [1.0]


def test_an_asset_without_risk_that_pays_is_the_best_ratio() -> None:
    line = whole(np.array([0.02, 0.1]), np.diag([0.0, 0.04]))
    assert line.max_sharpe(0.01).tolist() == [1.0, 0.0]


def test_an_asset_that_never_moves_divides_by_nothing() -> None:
    """No warning, and no share of it makes the ratio better."""
    covariance, mean = np.diag([0.04, 0.01, 0.0]), np.array([0.08, 0.03, 0.0])
    line = frontier(mean, covariance, lower=np.zeros(3), upper=np.ones(3))
    best = line.max_sharpe(0.0)
    ratio = float(best @ mean) / float(np.sqrt(best @ covariance @ best))
    assert ratio == pytest.approx(np.sqrt(0.08**2 / 0.04 + 0.03**2 / 0.01), rel=1e-9)
    assert line.max_sharpe(-0.01)[2] == pytest.approx(1.0), "what returns more than nothing for sure has no like"
    still = frontier(np.zeros(2), np.zeros((2, 2)), lower=np.zeros(2), upper=np.ones(2))
    assert still.max_sharpe(0.0).sum() == pytest.approx(1.0)
