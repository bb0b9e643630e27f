"""Risk budgets and trees of assets: by hand, against SciPy's own tree, and in the limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.portfolio import covariances, hierarchy, parity


def covariance(n: int, seed: int = 0) -> Floats:
    random = np.random.default_rng(seed)
    found: Floats = np.atleast_2d(
        np.cov(random.normal(size=(3 * n + 3, n)) @ np.diag(random.uniform(0.5, 2, n)), rowvar=False)
    )
    return found


@given(n=st.integers(1, 25), seed=st.integers(0, 10**6))
def test_every_asset_bears_its_budget(n: int, seed: int) -> None:
    spread = covariance(n, seed)
    budgets = np.random.default_rng(seed).uniform(0.1, 1.0, size=n)
    weights = parity.risk_budget(spread, budgets)
    parts = parity.risk_parts(weights, spread)
    assert weights.sum() == pytest.approx(1.0)
    assert np.all(weights > 0.0)
    assert parts / parts.sum() == pytest.approx(budgets / budgets.sum(), abs=1e-9)
    assert parts.sum() == pytest.approx(np.sqrt(weights @ spread @ weights))


def test_two_assets_go_by_their_volatility() -> None:
    spread = np.array([[0.04, 0.01], [0.01, 0.16]])
    assert parity.risk_budget(spread) == pytest.approx([2 / 3, 1 / 3])
    assert parity.inverse_volatility(spread) == pytest.approx([2 / 3, 1 / 3])


def test_what_bears_no_risk_has_no_budget() -> None:
    with pytest.raises(InvalidInput, match="asset 1 has no variance"):
        parity.risk_budget(np.diag([0.1, 0.0]))
    with pytest.raises(InvalidInput, match="positive numbers"):
        parity.risk_budget(np.eye(2), np.array([1.0, 0.0]))
    with pytest.raises(InvalidInput, match="offset each other"):
        parity.risk_budget(np.array([[1.0, -1.0], [-1.0, 1.0]]))
    assert parity.risk_parts(np.array([1.0, 0.0]), np.diag([0.0, 1.0])).tolist() == [0.0, 0.0]


def halved(spread: Floats) -> Floats:
    """Hierarchical risk parity as its paper's listing goes, over SciPy's tree."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    deviations = np.sqrt(np.diag(spread))
    apart = np.sqrt(np.maximum(1 - spread / np.outer(deviations, deviations), 0.0) / 2)
    np.fill_diagonal(apart, 0.0)
    order = leaves_list(linkage(squareform(apart, checks=False), "single"))
    weights = np.ones(len(spread))
    runs = [list(order)]
    while runs:
        runs = [half for run in runs for half in (run[: len(run) // 2], run[len(run) // 2 :]) if len(run) > 1]
        for left, right in zip(runs[::2], runs[1::2], strict=True):
            variances = []
            for side in (left, right):
                block = spread[np.ix_(side, side)]
                inner = 1 / np.diag(block)
                inner /= inner.sum()
                variances.append(inner @ block @ inner)
            share = 1 - variances[0] / sum(variances)
            weights[left] *= share
            weights[right] *= 1 - share
    return weights


@given(n=st.integers(2, 30), seed=st.integers(0, 10**6))
def test_hrp_is_that_of_the_listing(n: int, seed: int) -> None:
    spread = covariance(n, seed)
    assert hierarchy.hrp(spread) == pytest.approx(halved(spread), rel=1e-9)


def test_two_pairs_share_by_pair() -> None:
    """Two and two assets that go together: each pair's weight goes by its risk, and is shared inside."""
    spread = np.array([[1.0, 0.9, 0.0, 0.0], [0.9, 1.0, 0.0, 0.0], [0.0, 0.0, 4.0, 3.6], [0.0, 0.0, 3.6, 4.0]])
    for weights in (hierarchy.hrp(spread), hierarchy.herc(spread, count=2)):
        assert weights == pytest.approx([0.4, 0.4, 0.1, 0.1])
    assert hierarchy.clusters(covariances.correlation(spread)).tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])


@given(n=st.integers(1, 15), seed=st.integers(0, 10**6))
def test_all_trees_give_weights(n: int, seed: int) -> None:
    spread = covariance(n, seed)
    for weights in (
        hierarchy.hrp(spread, linkage="ward"),
        hierarchy.herc(spread),
        hierarchy.nested_clusters(spread, parity.inverse_volatility),
    ):
        assert weights.sum() == pytest.approx(1.0)
        assert np.all(weights > 0.0)


def test_twins_and_faults_of_trees() -> None:
    twins = np.ones((3, 3))
    assert hierarchy.hrp(twins).sum() == pytest.approx(1.0)
    assert hierarchy.herc(twins, count=2).sum() == pytest.approx(1.0)
    with pytest.raises(InvalidInput, match="no variance"):
        hierarchy.hrp(np.diag([1.0, 0.0]))
    with pytest.raises(InvalidInput, match="1 to 3 clusters"):
        hierarchy.herc(np.eye(3), count=4)
    with pytest.raises(InvalidInput, match="no linkage is called"):
        hierarchy.hrp(np.eye(3), linkage="nearest")
