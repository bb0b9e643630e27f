"""Portfolios from a tree of assets: hierarchical risk parity, equal risk contribution by cluster, nested clusters.

Assets whose returns go together are near: d = sqrt((1 - ρ) / 2). The tree joins the nearest first (single linkage
unless told otherwise); weight is handed down it. Source: López de Prado (2016), "Building Diversified Portfolios that
Outperform Out of Sample" (HRP), (2019) "A Robust Estimator of the Efficient Frontier" (NCO); Raffinot (2018), "The
Hierarchical Equal Risk Contribution Portfolio" (HERC).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats, Ints
from evenkeel.quant.kernels import compiled, kernel
from evenkeel.quant.portfolio.covariances import correlation

LINKAGES = ("single", "complete", "average", "ward")


def distances(correlations: Floats) -> Floats:
    """sqrt((1 - ρ) / 2) for each pair, shape (n, n)."""
    found: Floats = np.sqrt(np.maximum((1.0 - correlations) / 2.0, 0.0))
    return found


def tree(correlations: Floats, linkage: str = "single") -> Floats:
    """The joins of the tree, in SciPy's form: (n - 1, 4) of two clusters, their distance, and how many assets."""
    from scipy.cluster.hierarchy import linkage as join
    from scipy.spatial.distance import squareform

    if linkage not in LINKAGES:
        raise InvalidInput(f"no linkage is called {linkage!r}; there are {', '.join(LINKAGES)}")
    found: Floats = join(squareform(distances(correlations), checks=False), method=linkage)
    return found


def hrp(covariance: Floats, *, linkage: str = "single") -> Floats:
    """Hierarchical risk parity: weights (n,) of sum one, by halving the assets as the tree orders them."""
    n = len(covariance)
    if n == 1:
        return np.ones(1)
    order = _leaves(tree(correlation(covariance), linkage))
    sorted_covariance = np.ascontiguousarray(covariance[np.ix_(order, order)])
    halves = np.empty(n)
    _halve(sorted_covariance, halves, np.empty((n, 2), np.int64).reshape(-1))
    weights = np.empty(n)
    weights[order] = halves
    return weights


@kernel
def _cluster_variance(cov: Floats, first: int, last: int) -> float:
    """Of the portfolio of assets first..last-1 in inverse proportion to their variances."""
    total = 0.0
    for i in range(first, last):
        total += 1.0 / cov[i, i]
    variance = 0.0
    for i in range(first, last):
        along = 0.0
        for j in range(first, last):
            along += cov[i, j] / cov[j, j]
        variance += along / cov[i, i]
    return variance / (total * total)


@compiled(lambda t: t.void(t.table, t.out, t.out_ints), allocates=False)
def _halve(cov: Floats, weights: Floats, stack: Ints) -> None:
    """Splits each run of assets in two, weight in inverse proportion to their inverse-variance portfolios' variance."""
    n = weights.size
    for i in range(n):
        weights[i] = 1.0
    stack[0], stack[1] = 0, n
    top = 1
    while top > 0:
        top -= 1
        first, last = stack[2 * top], stack[2 * top + 1]
        middle = first + (last - first) // 2
        left = _cluster_variance(cov, first, middle)
        right = _cluster_variance(cov, middle, last)
        share = right / (left + right) if left + right > 0.0 else 0.5
        for i in range(first, middle):
            weights[i] *= share
        for i in range(middle, last):
            weights[i] *= 1.0 - share
        if last - middle > 1:
            stack[2 * top], stack[2 * top + 1] = middle, last
            top += 1
        if middle - first > 1:
            stack[2 * top], stack[2 * top + 1] = first, middle
            top += 1


def _leaves(joins: Floats) -> Ints:
    from scipy.cluster.hierarchy import leaves_list

    found: Ints = leaves_list(joins).astype(np.int64)
    return found


def clusters(correlations: Floats, *, count: int | None = None, linkage: str = "ward") -> Ints:
    """The cluster of each asset (n,), numbered from 0. Without `count`, as many as set themselves apart best.

    That is the highest mean silhouette of 2 to 10 clusters. Source: Rousseeuw (1987), "Silhouettes".
    """
    from scipy.cluster.hierarchy import fcluster

    n = len(correlations)
    if count is not None and not 1 <= count <= n:
        raise InvalidInput(f"{n} assets make 1 to {n} clusters, not {count}")
    if n <= 2:
        return np.arange(n) if count == n else np.zeros(n, np.int64)
    joins = tree(correlations, linkage)

    def cut(wanted: int) -> Ints:
        found: Ints = fcluster(joins, wanted, "maxclust").astype(np.int64) - 1
        return found

    if count is not None:
        return cut(count)
    apart = distances(correlations)
    return max((cut(wanted) for wanted in range(2, min(10, n - 1) + 1)), key=lambda one: _silhouette(apart, one))


def _silhouette(apart: Floats, labels: Ints) -> float:
    """The mean of how much nearer each asset is to its own cluster than to the next, from -1 to 1; 0 where alone."""
    members = np.eye(int(labels.max()) + 1)[labels]
    sizes = members.sum(axis=0)
    sums = apart @ members
    own = sizes[labels]
    if sizes.size < 2:
        return -1.0
    inside = sums[np.arange(len(labels)), labels] / np.maximum(own - 1.0, 1.0)
    outside = np.where(members > 0.0, np.inf, sums / sizes).min(axis=1)
    widest = np.maximum(inside, outside)
    scores = np.where((own > 1.0) & (widest > 0.0), (outside - inside) / np.where(widest > 0.0, widest, 1.0), 0.0)
    return float(scores.mean())


def herc(covariance: Floats, *, count: int | None = None, linkage: str = "ward") -> Floats:
    """Hierarchical equal risk contribution: weights (n,) of sum one.

    Weight goes down the tree as far as the clusters, to each branch in inverse proportion to its variance; inside of a
    cluster, to each asset in inverse proportion to its own.
    """
    n = len(covariance)
    correlations = correlation(covariance)
    if n == 1:
        return np.ones(1)
    labels = clusters(correlations, count=count, linkage=linkage)
    weights = 1.0 / np.diag(covariance)
    for place in range(int(labels.max()) + 1):
        weights[labels == place] /= weights[labels == place].sum()
    parts = _inside(covariance, weights, labels)
    for left, right in _splits(tree(correlations, linkage), labels):
        risks = np.array([sum(parts[place] for place in side) for side in (left, right)])
        share = risks[1] / risks.sum()
        weights[np.isin(labels, list(left))] *= share
        weights[np.isin(labels, list(right))] *= 1.0 - share
    found: Floats = weights / weights.sum()
    return found


def _inside(covariance: Floats, weights: Floats, labels: Ints) -> Floats:
    """The variance of each cluster's own portfolio."""
    alone = np.eye(int(labels.max()) + 1)[labels].T * weights
    found: Floats = np.einsum("kn,nm,km->k", alone, covariance, alone)
    return found


def _splits(joins: Floats, labels: Ints) -> Iterator[tuple[set[int], set[int]]]:
    """Every join of the tree that parts clusters from each other, by the clusters on both sides."""
    n = len(labels)
    held: list[set[int]] = [{int(label)} for label in labels]
    for row in joins:
        left, right = held[int(row[0])], held[int(row[1])]
        held.append(left | right)
        if not left & right:
            yield left, right
    assert len(held) == 2 * n - 1


def nested_clusters(covariance: Floats, solve: Callable[[Floats], Floats], *, count: int | None = None) -> Floats:
    """Nested clustered optimisation: `solve` for each cluster, and again for the clusters as assets; weights (n,)."""
    labels = clusters(correlation(covariance), count=count)
    inner = np.zeros((len(covariance), int(labels.max()) + 1))
    for place in range(inner.shape[1]):
        members = np.flatnonzero(labels == place)
        inner[members, place] = solve(np.ascontiguousarray(covariance[np.ix_(members, members)]))
    outer = solve(np.ascontiguousarray(inner.T @ covariance @ inner))
    found: Floats = inner @ outer
    return found
