"""The summary: every metric in the table's order, None where undefined, equal to the functions behind it."""

import re
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics import (
    METRICS,
    Fills,
    Holdings,
    RoundTrips,
    Track,
    Trials,
    attribution,
    ratios,
    round_trips,
    sides,
    summary,
    trade_summary,
    trade_summary_by,
)
from evenkeel.quant.analytics.metrics import TRADES, Unit
from evenkeel.quant.analytics.series import Floats
from tests.quant.analytics.bacon import BENCHMARK, MONTH_ENDS, PORTFOLIO

TRACK = Track.of_returns(MONTH_ENDS, PORTFOLIO, start="2005-12-31", capital=1_000.0)
TRIPS = RoundTrips.concat(
    [
        round_trips(Fills.of([0, 86_400 * 10**9], [10, -10], price=[10, 12], fee=[1, 1]), symbol="A"),
        round_trips(Fills.of([0, 5, 9], [-4, 4, 2], price=[50, 55, 50]), symbol="B"),
    ]
)
HELD = Holdings(np.full(24, 500.0), np.full(24, 250.0), np.full(24, 100.0))


def test_everything_given_everything_has_a_value() -> None:
    found = summary(
        TRACK, periods=12, risk_free=0.01, target=0.02, benchmark=BENCHMARK, trips=TRIPS, holdings=HELD,
        trials=Trials(10, 0.01),
    )  # fmt: skip
    assert list(found) == [metric.name for metric in METRICS]
    undefined = {name for name, value in found.items() if value is None}
    # Not recovered, two years only, and no bars to take excursions from.
    assert undefined == {"max_drawdown_recovery", "calmar_36m", "average_bars_held", "average_mae", "average_mfe"}
    assert all(type(value) is float for value in found.values() if value is not None)
    assert found["sharpe"] == pytest.approx(ratios.sharpe(PORTFOLIO, periods=12, risk_free=0.01))
    assert found["sortino"] == pytest.approx(ratios.sortino(PORTFOLIO, periods=12, target=1.02 ** (1 / 12) - 1))
    assert found["win_rate"] == 0.5
    assert found["short_share"] == pytest.approx(1 / 3)
    assert found["longest_drawdown"] == 334.0


def test_without_more_only_the_record_is_measured() -> None:
    found = summary(TRACK, periods=12)
    for metric in METRICS:
        assert metric.needs == "returns" or found[metric.name] is None
    assert found["deflated_sharpe"] is None
    assert found["probabilistic_sharpe"] is not None


def test_some_names_in_their_own_order() -> None:
    found = summary(TRACK, periods=12, names=["sharpe", "total_return"])
    assert list(found) == ["sharpe", "total_return"]
    assert found["total_return"] == pytest.approx(np.prod(1 + PORTFOLIO) - 1)
    with pytest.raises(InvalidInput, match="unknown metrics: sharp") as refused:
        summary(TRACK, periods=12, names=["sharp"])
    assert refused.value.errors[0].field == "names"


@given(st.lists(st.integers(-20, 20).map(lambda r: r / 100), max_size=40).map(np.array), st.floats(1.0, 1e7))
def test_capital_is_only_a_unit(returns: Floats, capital: float) -> None:
    days = np.datetime64("2023-01-01") + 30 * np.arange(1, len(returns) + 1)
    one, other = (Track.of_returns(days, returns, start="2023-01-01", capital=money) for money in (1.0, capital))
    found, scaled = summary(one, periods=12), summary(other, periods=12)
    for name, value in found.items():
        expected = None if value is None else pytest.approx(value, rel=1e-6, abs=1e-9)
        assert scaled[name] == expected, name


def test_too_little_is_undefined_and_never_zero() -> None:
    nothing = summary(Track.of_equity([], [], start="2024-01-01", capital=1.0), periods=252)
    assert {name for name, value in nothing.items() if value is not None} == {"drawdowns"}
    one = summary(Track.of_equity(["2024-01-02"], [1.01], start="2024-01-01", capital=1.0), periods=252)
    assert one["total_return"] == pytest.approx(0.01)
    assert [one[name] for name in ("cagr", "volatility", "sharpe", "var_95_period", "skewness")] == [None] * 5


def test_after_ruin_only_equity_speaks() -> None:
    track = Track.of_equity(["2024-01-02", "2024-01-03"], [-20.0, -10.0], start="2024-01-01", capital=100.0)
    found = summary(track, periods=252)
    assert found["total_return"] == pytest.approx(-1.1)
    assert found["max_drawdown"] == pytest.approx(-1.2)
    assert [found[name] for name in ("cagr", "sharpe", "volatility", "longest_loss", "omega")] == [None] * 5


def test_calmar_takes_the_last_36_months_where_there_are() -> None:
    days = np.arange("2018-02", "2022-01", dtype="datetime64[M]").astype("datetime64[D]") - np.timedelta64(1, "D")
    returns = np.random.default_rng(1).normal(0.005, 0.03, len(days))
    returns[2] = -0.5
    found = summary(Track.of_returns(days, returns, start="2017-12-31"), periods=12)
    recent = returns[-36:]
    years = (days[-1] - days[-37]).astype(int) / 365.25
    assert found["calmar_36m"] == pytest.approx(ratios.calmar(recent, years=years))
    assert found["calmar"] != found["calmar_36m"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"periods": 0.0}, "periods a year"),
        ({"periods": 12.0, "risk_free": -1.0}, "annual rate"),
        ({"periods": 12.0, "benchmark": BENCHMARK[:3]}, "different lengths"),
        ({"periods": 12.0, "holdings": Holdings(*np.zeros((3, 5)))}, "different lengths"),
    ],
)
def test_what_a_summary_refuses(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        summary(TRACK, **arguments)  # type: ignore[arg-type]


def test_trades_by_any_label() -> None:
    whole, by_side = trade_summary(TRIPS), trade_summary_by(TRIPS, sides(TRIPS))
    assert list(whole) == [metric.name for metric in TRADES]
    assert set(by_side) == {"long", "short"}
    assert (by_side["long"]["net_profit"], by_side["short"]["net_profit"]) == (18.0, -20.0)
    assert whole["average_holding"] == pytest.approx((1.0 + 5e-9 / 86_400) / 2)
    by_symbol = trade_summary_by(TRIPS, TRIPS.symbol)
    assert by_symbol["A"]["fees"] == 2.0
    assert attribution(TRIPS.net, TRIPS.symbol).total == whole["net_profit"]
    with pytest.raises(InvalidInput, match="one for each trade"):
        trade_summary_by(TRIPS, ["A"])


def test_no_trades_are_counted_and_nothing_else() -> None:
    none = trade_summary(TRIPS.where(TRIPS.net > 1e9))
    known = {name: value for name, value in none.items() if value is not None}
    assert known == {"trades": 0.0, "net_profit": 0.0, "fees": 0.0}


def test_the_table_is_in_order() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names) >= 60
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
        assert metric.unit in get_args(Unit)
        assert metric.title
        assert metric.definition
        assert "|" not in metric.definition + metric.source
