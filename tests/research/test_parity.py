"""Two engines, one truth: on every built-in strategy and on targets, prices and terms drawn at random."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel import (
    Bars,
    Cash,
    Dividend,
    Kelly,
    PercentFee,
    PercentOfEquity,
    PerShareFee,
    SignalStrategy,
    Slippage,
    Split,
    TieredFee,
    Units,
    VolatilityTarget,
    sample_bars,
)
from evenkeel.market.sample import sample_market
from evenkeel.quant.costs import CostSchedule
from evenkeel.quant.indicators import Floats
from evenkeel.research.backtest.finding import known
from evenkeel.research.backtest.parity import parity
from evenkeel.trading.strategies import Params
from tests.research.test_compiled import histories, targets, thin

SIGNALS = [name for name in known().names() if isinstance(known().create(name), SignalStrategy)]


def fees() -> st.SearchStrategy[CostSchedule | str]:
    return st.sampled_from(
        [
            "zero",
            "us-per-share",
            "percent",
            PercentFee("0.0005"),
            PercentFee("0.001", minimum="1", step="0.01"),
            PerShareFee("0.005", minimum="1", cap_rate="0.01"),
            TieredFee([(1_000, "0.002"), (None, "0.001")], step="0.01"),
        ]
    )


@st.composite
def terms(draw: st.DrawFn) -> dict[str, Any]:
    amounts = st.integers(1, 200)
    size = draw(
        st.one_of(
            amounts.map(lambda n: Units(Decimal(n))),
            amounts.map(lambda n: Cash(Decimal(n * 100))),
            amounts.map(lambda n: PercentOfEquity(Decimal(n) / 100)),
            st.sampled_from([VolatilityTarget(0.3, window=3), Kelly(0.5, window=3, most=2.0)]),
        )
    )
    fill = draw(st.sampled_from(["next-open", "close", "limit"]))
    return {
        "cash": draw(st.sampled_from([1_000, 100_000])),
        "size": size,
        "fees": draw(fees()),
        "slippage": Slippage(bps=draw(st.sampled_from([0.0, 2.5, 40.0])), impact=draw(st.sampled_from([0.0, 0.01]))),
        "fill": fill,
        "limit_offset": draw(st.sampled_from([0.0, 0.01, 0.0333])) if fill == "limit" else 0.0,
        "stop_loss": draw(st.sampled_from([None, None, 0.03, 0.2])),
        "take_profit": draw(st.sampled_from([None, None, 0.04, 0.3])),
        "trailing_stop": draw(st.sampled_from([None, None, 0.05, 0.11])),
        "maintenance": draw(st.sampled_from([None, None, 0.25, 0.5])),
        "financing": draw(st.sampled_from([0.0, 0.3])),
        "credit": draw(st.sampled_from([0.0, 0.1])),
        "borrow": draw(st.sampled_from([0.0, 0.2])),
    }


@st.composite
def going_ex(draw: st.DrawFn, names: list[str]) -> dict[str, Any]:
    """Splits and dividends within the month that `histories` begin with."""
    days = st.integers(1, 29).map(lambda n: date(1970, 1, 1) + timedelta(days=n))
    of, ratios = st.sampled_from(names), st.sampled_from([2, 3])
    paid = draw(st.lists(st.tuples(of, days), max_size=2, unique=True))
    split = draw(st.lists(st.tuples(of, days, ratios), max_size=1))
    return {
        "dividends": [Dividend(name, day, Decimal("1.25")) for name, day in paid],
        "splits": [Split(name, day, Decimal(new), Decimal(1)) for name, day, new in split],
    }


class Each(SignalStrategy):
    """Gives each instrument the targets it was made with, as far as its history goes."""

    name = "each"

    def __init__(self, told: dict[str, list[float]]) -> None:
        self.told = told

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        return np.array(self.told[bars.instrument_id])[: len(bars)]


def told_to(bars: dict[str, Bars], data: st.DataObject) -> Each:
    """As many targets as there are bars, drawn for each instrument."""
    drawn = {name: st.lists(targets, min_size=len(one), max_size=len(one)) for name, one in bars.items()}
    return Each({name: data.draw(one) for name, one in drawn.items()})


@settings(max_examples=300, deadline=None)
@given(histories(), terms(), st.data())
def test_the_engines_agree_on_random_targets(bars: Bars, asked: dict[str, Any], data: st.DataObject) -> None:
    """Every size, fill and exit, nights and what goes ex, all at once."""
    name = bars.instrument_id
    found = parity(told_to({name: bars}, data), bars, check=False, **asked, **data.draw(going_ex([name])))
    assert found.differences == ()


@settings(max_examples=120, deadline=None)
@given(histories(), histories(), terms(), st.data())
def test_the_engines_agree_where_instruments_share_an_account(
    one: Bars, other: Bars, asked: dict[str, Any], data: st.DataObject
) -> None:
    """Their bars need not be there at the same moments."""
    kept = np.arange(len(other)) % 3 != 1 if data.draw(st.booleans()) else np.full(len(other), fill_value=True)
    bars = {"A": one, "B": other.where(kept)}
    found = parity(told_to(bars, data), bars, check=False, **asked, **data.draw(going_ex(["A", "B"])))
    assert found.differences == ()


shares = st.sampled_from([0.05, 0.1, 0.37, 1.0])


@settings(max_examples=300, deadline=None)
@given(thin(), terms(), shares, st.data())
def test_the_engines_agree_where_orders_take_a_share_of_volume(
    bars: Bars, asked: dict[str, Any], share: float, data: st.DataObject
) -> None:
    """Orders come in pieces over the bars of a day, are added to, turned round, and exits take what is left."""
    name = bars.instrument_id
    told = told_to({name: bars}, data)
    found = parity(told, bars, check=False, participation=share, **asked, **data.draw(going_ex([name])))
    assert found.differences == ()


def test_the_engines_agree_where_one_fill_goes_through_zero() -> None:
    """Orders to turn a short round end with their day but for the last of them, which is more than what is short."""
    volume = np.array([1000, 1000, 40, 1000, 1000, 1000.0])
    close = [50.0, 50.0, 50.0, 55.0, 54.0, 40.0]
    quarters = np.array([0, 1, 2, 4, 5, 6]) * 21_600_000_000_000
    high, low = [price + 1 for price in close], [price - 1 for price in close]
    bars = Bars(quarters, close, high, low, close, volume, timeframe="6h")
    told = Each({bars.instrument_id: [-0.4, 0.4, 1.0, np.nan, np.nan, np.nan]})
    asked: dict[str, Any] = {"size": Units(Decimal(100)), "participation": 0.975, "trailing_stop": 0.05}
    found = parity(told, bars, check=False, **asked)
    assert found.differences == ()
    signed = [fill.side * fill.quantity for fill in found.compiled.fills]
    assert signed == [-40, 39, 60, -59]


@settings(max_examples=120, deadline=None)
@given(thin(), st.data(), terms(), shares)
def test_the_engines_agree_where_several_instruments_are_thin(
    one: Bars, data: st.DataObject, asked: dict[str, Any], share: float
) -> None:
    other = data.draw(thin().filter(lambda bars: bars.timeframe == one.timeframe))
    kept = np.arange(len(other)) % 3 != 1 if data.draw(st.booleans()) else np.full(len(other), fill_value=True)
    bars = {"A": one, "B": other.where(kept)}
    asked["maintenance"] = None  # of several instruments it goes by the live engine, where orders come in pieces
    found = parity(
        told_to(bars, data), bars, check=False, participation=share, **asked, **data.draw(going_ex(["A", "B"]))
    )
    assert found.differences == ()


@pytest.mark.parametrize("name", SIGNALS)
def test_the_engines_agree_on_every_built_in(name: str) -> None:
    declared = {parameter.name: parameter for parameter in known().create(name).parameters}
    params = {"allow_short": True} if "allow_short" in declared else {}
    found = parity(name, sample_bars("MSFT").rows(0, 750), params=params, fees="us-per-share", slippage=3.0)
    assert found.differences == ()
    assert len(found.compiled.fills) > 0


def test_the_engines_agree_over_a_split() -> None:
    """Apple's two for one of 2005-02-28, with odd lots held over it."""
    _, _, splits = sample_market()
    bars = sample_bars("AAPL").rows(900, 1700)
    for size in (Units(Decimal(7)), PercentOfEquity(Decimal("0.9"))):
        found = parity("sma-crossover", bars, splits=splits, size=size)
        assert found.differences == ()
        assert len(found.compiled.fills) > 10
