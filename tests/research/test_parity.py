"""Two engines, one truth: on every built-in strategy and on targets, prices and terms drawn at random."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel import (
    Bars,
    Cash,
    PercentFee,
    PercentOfEquity,
    PerShareFee,
    SignalStrategy,
    Slippage,
    TieredFee,
    Units,
    sample_bars,
)
from evenkeel.market.sample import sample_market
from evenkeel.quant.costs import CostSchedule
from evenkeel.research.backtest.finding import known
from evenkeel.research.backtest.parity import parity
from tests.research.test_compiled import Told, histories, targets

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
        )
    )
    return {
        "cash": draw(st.sampled_from([1_000, 100_000])),
        "size": size,
        "fees": draw(fees()),
        "slippage": Slippage(bps=draw(st.sampled_from([0.0, 2.5, 40.0])), impact=draw(st.sampled_from([0.0, 0.01]))),
    }


@settings(max_examples=150, deadline=None)
@given(histories(), terms(), st.data())
def test_the_engines_agree_on_random_targets(bars: Bars, asked: dict[str, Any], data: st.DataObject) -> None:
    told = data.draw(st.lists(targets, min_size=len(bars), max_size=len(bars)))
    found = parity(Told(told), bars, check=False, **asked)
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
