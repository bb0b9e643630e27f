"""`evenkeel.optimize` from the tables people have to weights, and what it says of what cannot be done."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

import evenkeel as ek
from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.portfolio.objectives import OBJECTIVES
from evenkeel.research.portfolio.prices import prices_of

ASSETS = ("AAPL", "IBM", "MSFT", "XOM")


def prices(days: int = 300, seed: int = 1) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    moves = random.normal(0.0004, 0.01, size=(days, 1)) + random.normal(0.0003, 0.012, size=(days, len(ASSETS)))
    paths = 100.0 * np.cumprod(1.0 + moves, axis=0)
    return dict(zip(ASSETS, paths.T, strict=True))


def weekdays(count: int) -> list[date]:
    found: list[date] = []
    day = date(2020, 1, 1)
    while len(found) < count:
        if day.weekday() < 5:
            found.append(day)
        day += timedelta(days=1)
    return found


def test_all_tables_give_the_same_weights() -> None:
    pandas = pytest.importorskip("pandas")
    given = prices()
    days = weekdays(300)
    tables: list[Any] = [
        given,
        np.column_stack(list(given.values())),
        pl.DataFrame({"date": days, **given}),
        pandas.DataFrame(given, index=pandas.to_datetime(days)),
        pandas.DataFrame({"Date": pandas.to_datetime(days), **given}),
    ]
    found = [ek.optimize(one, objective="max-sharpe") for one in tables]
    for one in found:
        assert np.asarray(one.weights) == pytest.approx(np.asarray(found[0].weights))
        assert one.periods == 252.0
    assert list(found[2].weights) == list(ASSETS)
    assert found[2].weights["AAPL"] == np.asarray(found[2].weights)[0]
    assert sum(found[0].weights.values()) == pytest.approx(1.0)


def test_figures_are_a_years() -> None:
    found = ek.optimize(prices(), objective="min-variance", risk_free=0.01)
    weights = np.asarray(found.weights)
    assert found.returns is not None
    path = found.returns @ weights
    assert found.metrics["expected_return"] == pytest.approx(path.mean() * 252)
    assert found.metrics["volatility"] == pytest.approx(path.std(ddof=1) * np.sqrt(252))
    assert found.value == pytest.approx(path.var(ddof=1) * 252)
    assert found.metrics["sharpe_ratio"] == pytest.approx(
        (found.metrics["expected_return"] - 0.01) / found.metrics["volatility"]
    )
    assert sum(found.risk_parts.values()) == pytest.approx(found.metrics["volatility"])


@pytest.mark.parametrize(
    ("step", "periods"),
    [
        (timedelta(days=1), 365.0),
        (timedelta(days=7), 52.0),
        (timedelta(days=30.4375), 12.0),
        (timedelta(hours=1), 8766),
    ],
)
def test_periods_of_a_year_are_those_of_the_times(step: timedelta, periods: float) -> None:
    start = np.datetime64("2020-01-01", "ns")
    times = start + np.arange(200) * np.timedelta64(int(step.total_seconds() * 1e9), "ns")
    assert prices_of({"time": times, **prices(200)}).periods() == pytest.approx(periods, rel=1e-3)


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_every_objective_has_a_value_and_metrics(name: str) -> None:
    given = prices(120)
    options: dict[str, Any] = {"target-return": {"target": 0.1}, "target-risk": {"target": 0.5}}.get(name, {})
    found = ek.optimize(given, objective=name, benchmark=dict.fromkeys(ASSETS, 0.25), **options)
    assert found.objective == name
    assert sum(found.weights.values()) == pytest.approx(1.0, abs=1e-6)
    assert np.isfinite(found.value)
    assert all(np.isfinite(one) for one in found.metrics.values())


def test_constraints_as_texts() -> None:
    found = ek.optimize(
        prices(),
        constraints=["tech <= 40%", "XOM >= 0.1", "AAPL == IBM"],
        groups={"tech": ["AAPL", "MSFT"]},
        exposures={"beta": [1.0, 0.9, 1.1, 0.8]},
    )
    weights = found.weights
    assert weights["AAPL"] + weights["MSFT"] <= 0.4 + 1e-7
    assert weights["XOM"] >= 0.1 - 1e-7
    assert weights["AAPL"] == pytest.approx(weights["IBM"], abs=1e-7)
    with pytest.raises(InvalidInput, match=r"in conflict are: tech >= 0\.5; AAPL <= 0\.1; MSFT <= 0\.1"):
        ek.optimize(
            prices(), constraints=["tech >= 0.5", "AAPL <= 0.1", "MSFT <= 0.1"], groups={"tech": ["AAPL", "MSFT"]}
        )


def test_bounds_for_each_and_what_is_held_now() -> None:
    found = ek.optimize(
        prices(),
        objective="min-variance",
        bounds=(0.0, {"AAPL": 0.3, "IBM": 0.3, "MSFT": 0.3, "XOM": 0.3}),
        present={"AAPL": 1.0},
        turnover=1.6,
    )
    assert max(found.weights.values()) <= 0.3 + 1e-9
    assert found.metrics["turnover"] <= 1.6 + 1e-6


def test_views_move_the_weights_towards_them() -> None:
    without = ek.optimize(prices(), objective="max-utility", views={"AAPL": (0.0, 0.001)})
    liked = ek.optimize(prices(), objective="max-utility", views={"AAPL - XOM": (0.3, 0.9)})
    assert liked.weights["AAPL"] > without.weights["AAPL"]
    assert liked.mean[0] - liked.mean[3] == pytest.approx(0.3, abs=0.05)


def test_a_mean_and_a_covariance_alone() -> None:
    found = ek.optimize(mean=[0.1, 0.2], covariance=[[0.04, 0.0], [0.0, 0.16]], objective="max-sharpe")
    assert dict(found.weights) == pytest.approx({"asset-0": 2 / 3, "asset-1": 1 / 3})
    assert found.frontier().weights.shape[1] == 2


def test_the_facade_by_its_own_words() -> None:
    returns = prices_of(prices()).returns()
    by_class = ek.PortfolioOptimizer(returns, assets=ASSETS).optimize(strategy="Max Sharpe")
    assert dict(by_class.weights) == pytest.approx(dict(ek.optimize(prices()).weights))


def test_gaps_are_filled_dropped_or_refused() -> None:
    given = {name: values.copy() for name, values in prices(50).items()}
    given["IBM"][:10] = np.nan  # not listed yet
    given["XOM"][20] = np.nan
    assert len(prices_of(given).values) == 40
    filled = prices_of(given).values
    assert filled[10, 3] == filled[9, 3]
    assert len(prices_of(given, missing="drop").values) == 39
    with pytest.raises(InvalidInput, match="XOM has no price in row 20"):
        prices_of(given, missing="refuse")


def test_what_was_missing_when_the_last_asset_began_has_its_price_of_before() -> None:
    given = {"A": np.array([1.0, 2.0, np.nan, 4.0]), "B": np.array([np.nan, np.nan, 5.0, 6.0])}
    assert prices_of(given).values.tolist() == [[2.0, 5.0], [4.0, 6.0]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({}, "give prices, returns, or a mean and a covariance"),
        ({"prices": {"A": [1.0, 2.0, 0.0]}}, "A has a price of 0 in row 2"),
        ({"prices": {"A": [1.0, 2.0], "B": [1.0]}}, "different lengths"),
        ({"prices": {"A": ["x", "y", "z"]}}, "A: expected numbers"),
        ({"prices": {"A": [np.nan, np.nan]}}, "A has no price at all"),
        ({"prices": {"A": [1.0, 2.0]}}, "two returns at least"),
        ({"prices": np.ones(4)}, "two dimensions"),
        ({"prices": {}}, "no column of prices"),
        ({"prices": prices(), "missing": "guess"}, "missing= is one of"),
        ({"mean": [0.1, 0.2], "covariance": 0.04}, "a covariance is a square table"),
        ({"prices": prices(), "covariance": "shrunk"}, "no covariance is called 'shrunk'"),
        ({"prices": prices(), "mean": "magic"}, "no mean is called 'magic'"),
        ({"prices": prices(), "objective": "get-rich"}, "no objective is called 'get-rich'"),
        ({"prices": prices(), "bounds": ({"AAPL": 0.1}, 1.0)}, "none for 'IBM'"),
        ({"prices": prices(), "present": {"GOOG": 1.0}}, "no asset 'GOOG'"),
        ({"prices": prices(), "returns": np.ones((3, 4))}, "not both"),
        ({"prices": prices(), "bounds": (0.0, 0.2)}, "never to 1"),
        ({"prices": prices(), "bounds": (0.6, 0.5)}, "leave nothing"),
        ({"mean": [0.1], "covariance": [[1.0, 2.0], [2.0, 1.0]]}, "no negative eigenvalue"),
        ({"mean": [0.1], "covariance": [[1.0, 0.5], [0.2, 1.0]]}, "finite and symmetric"),
        ({"mean": [0.1], "covariance": np.eye(2)}, "2 names, 1 means and 2 rows"),
        ({"prices": prices(), "objective": "max-utility", "aversion": 0.0}, "above zero"),
        ({"prices": prices(), "objective": "target-return", "target": 99.0}, "the most is"),
    ],
)
def test_what_cannot_be_done_is_said(call: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ek.optimize(**call)
    assert words in caught.value.message


def test_more_assets_than_days_give_an_answer() -> None:
    random = np.random.default_rng(1)
    returns = random.normal(0.001, 0.02, size=(10, 30))
    for name in ("min-variance", "max-sharpe", "min-cvar", "hrp"):
        found = ek.optimize(returns=returns, objective=name)
        assert sum(found.weights.values()) == pytest.approx(1.0, abs=1e-6), name
    with pytest.raises(InvalidInput, match="offset each other"):
        ek.optimize(returns=returns, objective="risk-parity")


def test_weights_without_bounds() -> None:
    """Least variance over all portfolios, however short, is Σ⁻¹1 / 1'Σ⁻¹1; there is no most return, so no frontier."""
    covariance = np.array([[0.04, 0.03, 0.0], [0.03, 0.03, 0.01], [0.0, 0.01, 0.09]])
    found = ek.optimize(
        mean=[0.05, 0.08, 0.1], covariance=covariance, objective="min-variance", bounds=(-np.inf, np.inf)
    )
    inverse = np.linalg.solve(covariance, np.ones(3))
    assert np.asarray(found.weights) == pytest.approx(inverse / inverse.sum(), abs=1e-7)
    with pytest.raises(InvalidInput, match="a frontier takes finite bounds"):
        found.frontier()
    with pytest.raises(InvalidInput, match="its cost has no least value"):
        ek.optimize(mean=[0.05, 0.08, 0.1], covariance=covariance, objective="max-return", bounds=(-np.inf, np.inf))


def test_a_long_gap_is_not_filled() -> None:
    """The last price stands for ten rows; beyond that nobody knows what it was worth."""
    given = {name: values.copy() for name, values in prices(60).items()}
    given["XOM"][20:30] = np.nan
    assert np.all(prices_of(given).values[20:30, 3] == given["XOM"][19])
    given["XOM"][20:31] = np.nan
    with pytest.raises(InvalidInput, match=r"XOM has no price in row 30$"):
        prices_of(given)
    given["XOM"][20:] = np.nan
    with pytest.raises(InvalidInput, match="XOM has no price in row 30, nor for 29 rows after it"):
        ek.optimize(given)


@pytest.mark.parametrize(("hours", "rows"), [(1, 240), (24, 10), (24 * 7, 10)])
def test_near_is_ten_rows_or_ten_days(hours: int, rows: int) -> None:
    """Of hourly rows, where one market sleeps while another does not, ten days; of weekly ones ten rows."""
    count = rows + 5
    times = np.datetime64("2024-01-01", "ns") + np.arange(count) * np.timedelta64(hours, "h")
    given = {"time": times, "A": np.linspace(1.0, 2.0, count), "B": np.r_[1.0, np.full(count - 1, np.nan)]}
    skipped = prices_of(given, missing="skip").values
    assert np.isfinite(skipped[:, 1]).sum() == rows + 1
    with pytest.raises(InvalidInput, match=r"B has no price on 2024[\d-]+, nor for 3 rows after it"):
        prices_of(given)
    again = prices_of(prices_of(given, missing="skip"), missing="skip")
    assert np.isfinite(again.values[:, 1]).sum() == rows + 1, "a gap is filled once"


def test_what_has_no_past_is_left_out_of_all_it_is_named_in() -> None:
    given = {name: values.copy() for name, values in prices().items()}
    given["IBM"][:40] = np.nan
    rest = {name: values for name, values in given.items() if name != "IBM"}
    asked: dict[str, Any] = {"objective": "min-variance", "bounds": (0.02, 0.7), "turnover": 0.5}
    found = ek.optimize(
        given,
        missing="skip",
        constraints=["old <= 0.6", "IBM + AAPL >= 0.1", "IBM <= 0.3", "score <= 2"],
        groups={"old": ["IBM", "XOM"]},
        exposures={"score": [1.0, 9.0, 2.0, 3.0]},
        present={"IBM": 0.2, "AAPL": 0.3, "MSFT": 0.25, "XOM": 0.25},
        **asked,
    )
    by_hand = ek.optimize(
        rest,
        constraints=["XOM <= 0.6", "AAPL >= 0.1", "score <= 2"],
        exposures={"score": [1.0, 2.0, 3.0]},
        present={"AAPL": 0.3, "MSFT": 0.25, "XOM": 0.25},
        **(asked | {"turnover": 0.7}),
    )
    assert list(found.weights) == ["AAPL", "MSFT", "XOM"]
    assert dict(found.weights) == pytest.approx(dict(by_hand.weights), abs=1e-9)
    assert found.risk_parts == pytest.approx(by_hand.risk_parts, abs=1e-9)


def test_a_constraint_that_needs_what_is_left_out_is_named() -> None:
    given = {name: values.copy() for name, values in prices().items()}
    given["IBM"][:40] = np.nan
    with pytest.raises(InvalidInput, match=r"in conflict are: IBM >= 0\.1"):
        ek.optimize(given, missing="skip", constraints=["IBM >= 0.1"], objective="min-variance")
    heard = ek.optimize(given, missing="skip", views={"AAPL": (0.5, 0.9)}, objective="max-utility")
    both = ek.optimize(given, missing="skip", views={"AAPL": (0.5, 0.9), "IBM": (9.0, 0.9)}, objective="max-utility")
    assert dict(both.weights) == dict(heard.weights)
    none = ek.optimize(given, missing="skip", views={"IBM": (9.0, 0.9)}, objective="max-utility")
    faint = ek.optimize(given, missing="skip", views={"AAPL": (0.5, 1e-9)}, objective="max-utility")
    assert dict(none.weights) == pytest.approx(dict(faint.weights), abs=1e-6), "the means are still the benchmark's"
    with pytest.raises(InvalidInput, match="no asset has all of the"):
        ek.optimize(returns=np.where(np.eye(4), np.nan, 0.01), missing="skip")


@pytest.mark.parametrize("wanted", ["risk-parity", "inverse-volatility", "hrp", "herc", "nco"])
def test_an_asset_at_fault_is_called_by_its_name(wanted: str) -> None:
    covariance = np.diag([0.04, 0.0, 0.01])
    with pytest.raises(InvalidInput, match="MSFT has no variance"):
        ek.optimize(mean=[0.1] * 3, covariance=covariance, assets=["AAPL", "MSFT", "IBM"], objective=wanted)


def test_bounds_at_fault_name_their_asset() -> None:
    bounds = ({"AAPL": 0.0, "IBM": 0.5}, {"AAPL": 1.0, "IBM": 0.4})
    with pytest.raises(InvalidInput, match=r"the bounds of IBM leave nothing: 0\.5 to 0\.4"):
        ek.optimize(mean=[0.1] * 2, covariance=np.eye(2), assets=["AAPL", "IBM"], bounds=bounds)


def test_bounds_that_are_none_are_not_spoken_of(capfd: pytest.CaptureFixture[str]) -> None:
    """The solver would tell of each on standard output, in the middle of what a command answers."""
    found = ek.optimize(mean=[0.1] * 2, covariance=np.eye(2), objective="min-variance", gross=1e308)
    assert found.weights["asset-0"] == pytest.approx(0.5, abs=1e-6)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    "options", [{"objective": "target-risk", "target": 0.0}, {"objective": "robust", "aversion": -1.0}]
)
def test_options_that_make_no_sense_under_constraints(options: dict[str, Any]) -> None:
    past = np.random.default_rng(3).normal(0.0, 0.01, (50, 2))
    with pytest.raises(InvalidInput, match=r"above zero|0 or more"):
        ek.optimize(returns=past, constraints=['"asset-0" <= 0.4'], **options)
