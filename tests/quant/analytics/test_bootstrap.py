"""Bands: the same for one seed, what shuffling keeps, and how long blocks are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics import Bands, block_bootstrap, bootstrap, shuffled_trades, stationary_bootstrap

RETURNS = np.random.default_rng(3).normal(0.0005, 0.01, 400)
NET = np.random.default_rng(4).normal(10, 100, 300)
DRAWS: list[Callable[[int], Bands]] = [
    lambda seed: shuffled_trades(NET, capital=10_000, runs=50, seed=seed),
    lambda seed: shuffled_trades(NET, capital=10_000, runs=50, seed=seed, replace=True),
    lambda seed: stationary_bootstrap(RETURNS, block=20, runs=50, seed=seed, periods=252),
    lambda seed: block_bootstrap(RETURNS, block=20, runs=50, seed=seed, periods=252),
]


@pytest.mark.parametrize("draw", DRAWS)
def test_a_seed_gives_the_same_bands(draw: Callable[[int], Bands]) -> None:
    one, again, other = draw(7), draw(7), draw(8)
    assert one.seed == 7
    np.testing.assert_array_equal(one.curves, again.curves)
    np.testing.assert_array_equal(one.drawdown, again.drawdown)
    assert not np.array_equal(one.drawdown, other.drawdown)
    assert (one.curves.shape, len(one.final)) == ((5, len(one.steps)), 50)
    assert (one.steps[0], one.steps[-1]) == (0, 300 if one.curves[0, 0] > 1 else 400)
    assert np.all(np.diff(one.curves, axis=0) >= 0)
    assert np.all((one.drawdown <= 0) & (one.drawdown > -1))


def test_another_order_ends_at_the_same_equity() -> None:
    bands = shuffled_trades(NET, capital=10_000, runs=200, seed=1)
    np.testing.assert_allclose(bands.final, 10_000 + NET.sum())
    assert np.isnan(bands.quantiles("sharpe")).all()
    assert len(np.unique(bands.drawdown)) > 100
    drawn = shuffled_trades(NET, capital=10_000, runs=200, seed=1, replace=True)
    assert np.std(drawn.final) == pytest.approx(np.std(NET) * np.sqrt(300), rel=0.2)


@pytest.mark.parametrize("draw", [stationary_bootstrap, block_bootstrap])
def test_bands_hold_the_ratio_they_are_drawn_from(draw: Callable[..., Bands]) -> None:
    bands = draw(RETURNS, block=10, runs=500, seed=2, periods=252)
    ratio = RETURNS.mean() / RETURNS.std(ddof=1) * np.sqrt(252)
    low, *_, high = bands.quantiles("sharpe")
    assert low < ratio < high
    assert np.median(bands.sharpe) == pytest.approx(ratio, abs=0.2)


def test_blocks_run_on_and_wrap_around() -> None:
    starts = np.array([[3, 0, 0, 1, 0], [0, 0, 0, 0, 0]])
    fresh = np.array([[True, False, False, True, False], [True, False, False, False, False]])
    assert bootstrap._run_on(starts, fresh).tolist() == [[3, 4, 0, 1, 2], [0, 1, 2, 3, 4]]


@pytest.mark.parametrize("draw", [stationary_bootstrap, block_bootstrap])
def test_the_longest_block_is_the_series_turned(draw: Callable[..., Bands]) -> None:
    ramp = np.array([0.01, 0.02, 0.03, 0.04])
    bands = draw(ramp, block=4, runs=40, seed=1, periods=4)
    assert len(bands.final) == 40
    if draw is block_bootstrap:
        np.testing.assert_allclose(bands.final, np.prod(1 + ramp))


def test_many_draws_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_ELEMENTS", 3 * len(RETURNS))
    bands = stationary_bootstrap(RETURNS, block=5, runs=10, seed=1, periods=252)
    assert len(bands.final) == len(bands.drawdown) == len(bands.sharpe) == 10
    assert len(np.unique(bands.final)) == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [({"block": 0.5}, "length from 1"), ({"block": 500}, "length from 1"), ({"runs": 0}, "one draw"),
     ({"periods": 0}, "periods a year")],
)  # fmt: skip
def test_what_a_bootstrap_refuses(change: dict[str, float], message: str) -> None:
    arguments: dict[str, Any] = {"block": 5, "runs": 10, "seed": 1, "periods": 252} | change
    draws: tuple[Callable[..., Bands], ...] = (stationary_bootstrap, block_bootstrap)
    for draw in draws:
        with pytest.raises(InvalidInput, match=message):
            draw(RETURNS, **arguments)


def test_what_shuffling_refuses() -> None:
    with pytest.raises(InvalidInput, match="two finite numbers"):
        shuffled_trades(np.array([1.0]), capital=10, runs=5, seed=1)
    with pytest.raises(InvalidInput, match="positive amount"):
        shuffled_trades(NET, capital=0, runs=5, seed=1)


def test_means_of_blocks_are_those_of_runs_of_the_values() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    means = bootstrap.block_means(values, block=2, runs=500, seed=3)
    pairs = values + np.roll(values, -1)
    possible = {round(float(a + b + c) / 6, 9) for a in pairs for b in pairs for c in pairs}
    assert {round(float(one), 9) for one in means} <= possible
    assert len({round(float(one), 9) for one in means}) > 10
    assert means.mean() == pytest.approx(values.mean(), abs=0.3)
    assert means.tolist() == bootstrap.block_means(values, block=2, runs=500, seed=3).tolist()
    with pytest.raises(InvalidInput, match="length from 1"):
        bootstrap.block_means(values, block=6, runs=5, seed=1)
