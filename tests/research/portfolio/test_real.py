"""Eight objectives over twenty years of real equities, month by month, with costs."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from evenkeel.research.portfolio.rebalancing import YARDSTICK, Comparison, rebalance_history
from evenkeel.research.report import comparison_sheet

EIGHT = (
    "min-variance", "max-sharpe", "max-utility", "max-diversification", "min-cvar", "risk-parity", "hrp",
    "inverse-volatility",
)  # fmt: skip
ASSETS = ("SPY", "AAPL", "IBM", "BAC", "AIG")  # those whose prices span all of the years


@pytest.fixture(scope="module")
def prices(shared_data: Path) -> pl.DataFrame:
    """Closes times the factors of the next row of adjustments on or after the day: splits and dividends are in them."""
    day = pl.col("timestamp").dt.convert_time_zone("America/New_York").dt.date()
    bars = pl.read_parquet(shared_data / "equities_1d.parquet").with_columns(date=day).sort("symbol", "date")
    factors = pl.read_parquet(shared_data / "equity_adjustments.parquet").sort("symbol", "date")
    factors = factors.select("symbol", "date", factor=pl.col("price_factor") * pl.col("split_factor"))
    known = bars.join_asof(factors, on="date", by="symbol", strategy="forward", check_sortedness=False)
    known = known.with_columns(price=pl.col("close") * pl.col("factor").fill_null(1.0))
    return known.pivot("symbol", index="date", values="price").sort("date").select("date", *ASSETS)


@pytest.fixture(scope="module")
def walked(prices: pl.DataFrame) -> Comparison:
    return rebalance_history(prices, objectives=EIGHT, every="month", lookback=756, cost_bps=10.0, benchmark="SPY")


def test_twenty_years_of_months(walked: Comparison) -> None:
    assert np.diff(walked.times[[walked.first, -1]].astype("datetime64[ns]").astype("datetime64[Y]").astype(int)) == 20
    assert set(walked.paths) == {*EIGHT, YARDSTICK}
    for name, path in walked.paths.items():
        assert not path.failed, name
        assert len(path.equity) == len(walked.times) - walked.first
        assert np.all(path.equity > 0.0)
        for one in path.rebalances:
            assert one.after.sum() == pytest.approx(1.0, abs=1e-8)
            assert one.after.min() >= -1e-8
            assert one.cost == pytest.approx(0.001 * one.turnover, rel=0.01, abs=1e-9)
    assert len(walked.paths[YARDSTICK].rebalances) == 242


def test_each_does_what_it_is_for(walked: Comparison) -> None:
    """Out of sample: those that look for little risk have less than 1/N, and the market's own tells the same years."""
    volatility = {name: path.metrics["volatility"] for name, path in walked.paths.items()}
    equal = volatility[YARDSTICK]
    assert equal is not None
    for name in ("min-variance", "min-cvar", "risk-parity", "hrp", "inverse-volatility"):
        found = volatility[name]
        assert found is not None
        assert found < equal
    assert min(volatility, key=lambda one: volatility[one] or 1.0) in ("min-variance", "min-cvar")
    assert walked.paths["risk-parity"].turnover < walked.paths["max-sharpe"].turnover
    assert walked.benchmark is not None
    assert 3.5 < walked.benchmark[-1] < 5.0  # SPY with dividends, January 2001 to March 2021
    for name in EIGHT:
        low, mean, high = walked.ahead(name)
        assert low < mean < high


def test_it_ends_in_the_page(walked: Comparison) -> None:
    page = comparison_sheet(walked, title="Twenty years")
    assert "31 Jan 2001 to 31 Mar 2021" in page
    assert all(f'<th scope="row">{name}</th>' in page for name in EIGHT)
    assert len(page) < 600_000
