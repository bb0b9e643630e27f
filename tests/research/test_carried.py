"""What holding costs over night in a backtest, by hand and in both engines: interest, borrow fees, dividends."""

from datetime import date
from decimal import Decimal
from math import nan
from typing import Any

import numpy as np
import pytest

from evenkeel import Bars, Dividend, PercentOfEquity, Units, backtest, sample_bars, sweep
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.market.columns import COLUMNS
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.report import tear_sheet
from tests.research.reported import Page
from tests.research.test_compiled import DAY, Told, flat

ENGINES = pytest.mark.parametrize("engine", ["compiled", "event"])


def held(bars: Bars, engine: Any, *, side: float = 1.0, **more: Any) -> BacktestResult:
    """Bought, or sold, at the open of the second bar, and kept."""
    return backtest(Told([side, *[nan] * (len(bars) - 1)]), bars, check=False, engine=engine, **more)


@ENGINES
def test_a_debt_costs_its_rate_for_every_night(engine: str) -> None:
    """10,000 of cash, 20,000 of stock; bought on the second day, so that four closes have two nights and then one."""
    bars = flat(100, 100, 100, 100)
    result = held(bars, engine, cash=10_000, size=PercentOfEquity(Decimal(2)), financing=0.0365)
    night = 10_000 * 0.0365 / 365
    second = (10_000 + night) * 0.0365 / 365  # a night's interest is a debt itself
    assert result.outcome.cash.tolist() == pytest.approx([10_000, -10_000, -10_000 - night, -10_000 - night - second])
    assert result.outcome.carried.interest == pytest.approx(-night - second)
    assert result.final_equity == pytest.approx(10_000 - night - second)


@ENGINES
def test_nights_over_days_without_bars_are_charged_at_once(engine: str) -> None:
    bars = flat(100, 100, 100).replaced(ts=np.array([0, 1, 4]) * DAY, close_ts=np.array([1, 2, 5]) * DAY)
    result = held(bars, engine, cash=10_000, size=PercentOfEquity(Decimal(2)), financing=0.0365)
    assert result.outcome.carried.interest == pytest.approx(-3 * 10_000 * 0.0365 / 365)


@ENGINES
def test_a_weekend_has_three_nights_on_an_exchange(engine: str) -> None:
    """Thursday to Tuesday at the closes of New York; the first night after the purchase is that to Saturday."""
    nyse = Instrument("S", "S", "N", AssetClass.EQUITY, "USD", Decimal("0.01"), Decimal(1), calendar="NYSE")
    opens = np.array([19_782, 19_783, 19_786, 19_787]) * DAY + 52_200 * 1_000_000_000  # 2024-02-29, 14:30 UTC
    bars = flat(100, 100, 100, 100).replaced(ts=opens, close_ts=opens + 23_400 * 1_000_000_000)
    bars = Bars.raw("S", "1d", [getattr(bars, name) for name in COLUMNS], nyse)
    result = held(bars, engine, cash=10_000, size=PercentOfEquity(Decimal(2)), financing=0.0365)
    three = 3.0
    second = 10_000 + three
    assert result.outcome.carried.interest == pytest.approx(-three - second * 0.0365 / 365)


@ENGINES
def test_what_is_sold_short_is_paid_for_at_its_value_and_its_proceeds_earn_nothing(engine: str) -> None:
    """10,000 of cash and 50 sold at 100: of 15,000 the lender keeps 5,500 where they are worth that."""
    bars = flat(100, 100, 110, 110)
    result = held(bars, engine, side=-1.0, cash=10_000, size=Units(Decimal(50)), credit=0.0365, borrow=0.073)
    carried = result.outcome.carried
    assert carried.borrow == pytest.approx((-(5_000 + 5_500) * 0.073 / 365,), abs=1e-6)
    nights = [10_000.0, 10_000.0, 15_000 - 5_500]  # free cash, before what the nights themselves change
    assert carried.interest == pytest.approx(sum(nights) * 0.0365 / 365, abs=1e-3)


@ENGINES
def test_a_dividend_is_paid_by_the_short_after_the_night(engine: str) -> None:
    bars = flat(*[100] * 4)
    paid = [Dividend(bars.instrument_id, date(1970, 1, 3), Decimal("1.5"))]
    result = held(bars, engine, side=-1.0, cash=10_000, size=Units(Decimal(10)), dividends=paid, borrow=0.0365)
    assert result.outcome.carried.dividends == (-15.0,)
    assert result.outcome.carried.borrow == pytest.approx((-2 * 1_000 * 0.0365 / 365,))


@ENGINES
def test_without_rates_nothing_is_carried(engine: str) -> None:
    carried = held(flat(100, 100, 100), engine, cash=10_000, size=PercentOfEquity(Decimal(2))).outcome.carried
    assert (carried.interest, carried.borrow, carried.dividends, carried.total) == (0.0, (), (), 0.0)


def test_the_summary_and_the_sheet_have_it_and_the_gain_adds_up() -> None:
    bars = flat(*[100.0] * 40)
    result = held(
        bars, "compiled", side=-1.0, cash=10_000, size=Units(Decimal(50)), financing=0.05, credit=0.02, borrow=0.03
    )
    said = result.summary()
    assert said["interest"] > 0 > said["borrow_fees"]
    assert said["final_equity"] == pytest.approx(10_000 + said["interest"] + said["borrow_fees"])
    page = Page(tear_sheet(result, bootstrap=0))
    for words in ("Interest on cash", "Dividends, borrow", "Borrow fees", "3.00 % on what is sold short"):
        assert words in page.text
    assert "Not in trades" not in page.text


def test_a_sweep_charges_what_a_backtest_does() -> None:
    bars = sample_bars("IBM").rows(-300, None)
    asked: dict[str, Any] = {"size": PercentOfEquity(Decimal(3)), "financing": 0.08}
    table = sweep("sma-crossover", bars, grid={"fast": [5, 10], "slow": [30]}, **asked)
    for row in table.to_dicts():
        params = {name: row[name] for name in ("fast", "slow")}
        one = backtest("sma-crossover", bars, params=params, engine="compiled", **asked)
        assert one.outcome.carried.interest < 0
        assert row["final_equity"] == one.final_equity


def test_borrowing_that_costs_is_said_so() -> None:
    result = held(flat(10, 10, 10), "compiled", size=20, cash=100, financing=0.05)
    assert result.outcome.notes == ("cash fell to −100.01: nothing here forbids borrowing, and interest was charged",)


def test_a_rate_that_is_no_fraction_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"financing: expected a fraction a year such as 0\.05, not 500"):
        held(flat(10, 10), "compiled", financing=500)
