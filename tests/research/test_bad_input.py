"""What a newcomer types wrong is said by name, alike by both engines, and nothing is ignored."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evenkeel as ek
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import AssetClass, Instrument
from tests.research.test_compiled import Told, flat
from tests.research.worlds import D, walk

ENGINES = ["compiled", "event"]


def listed(symbol: str, currency: str) -> ek.Bars:
    made = Instrument(symbol, symbol, "", AssetClass.EQUITY, currency, tick_size=D("0.01"), lot_size=D(1))
    return flat(10, 11, 12).of_instrument(made)


@pytest.mark.parametrize("engine", ENGINES)
def test_instruments_of_several_currencies_are_refused_and_named(engine: Any) -> None:
    bars = {"A": listed("A", "USD"), "B": listed("B", "EUR")}
    with pytest.raises(InvalidInput, match="one currency, USD here, and there is B in EUR"):
        ek.backtest("buy-and-hold", bars, engine=engine)
    with pytest.raises(InvalidInput, match="one currency, INR here, and there is A in USD"):
        ek.backtest("buy-and-hold", listed("A", "USD"), engine=engine, currency="INR")
    with pytest.raises(InvalidInput, match="there is B in EUR"):
        ek.sweep("sma-crossover", bars, grid={"fast": [2, 3]}, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_bars_without_an_instrument_are_in_the_currency_that_is_asked_for(engine: Any) -> None:
    result = ek.backtest("buy-and-hold", flat(10, 11, 12), engine=engine, currency="INR")
    assert len(result.fills) == 1
    assert (result.summary()["currency"], result.instruments[0].currency) == ("INR", "INR")


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"currency": 5}, "currency: expected a code such as USD"),
        ({"currency": ""}, "currency: expected a code"),
        ({"cash": 1e16}, "cash: expected an amount above zero, at most 1,000,000,000,000,000"),
        ({"slippage": 10_001}, "bps: expected basis points of price, 10,000 at most"),
        ({"participation": 0}, "participation: expected a share"),
        ({"participation": 1.5}, "participation: expected a share"),
        ({"participation": True}, "participation: expected a number"),
    ],
)
def test_terms_that_make_no_sense_are_named(asked: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        ek.backtest("buy-and-hold", flat(10, 11, 12), **asked)


def test_a_strategy_file_without_a_warmup_is_told_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import evenkeel as ek\n\nclass A(ek.SignalStrategy):\n    name = 'a'\n\n"
        "    def signals(self, bars, params):\n        return bars.close * 0\n"
    )
    with pytest.raises(InvalidInput, match=r"^A is not a strategy template: warmup: missing; write warmup\(params\)"):
        ek.backtest(str(path), flat(10, 11, 12))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_strategy_that_never_decides_says_why(engine: Any) -> None:
    result = ek.backtest("sma-crossover", walk(60), params={"slow": 100}, engine=engine)
    assert result.outcome.notes == (
        "nothing was decided: sma-crossover looks at 99 bars before its first, and there are 60",
    )
    assert ek.backtest("sma-crossover", walk(200), params={"slow": 100}, engine=engine).outcome.notes == ()


@pytest.mark.parametrize("engine", ENGINES)
def test_how_far_cash_fell_is_said(engine: Any) -> None:
    result = ek.backtest(
        Told([1.0, np.nan, np.nan]), flat(10, 10, 10), size=15_000, engine=engine, check=False, financing=0.05
    )
    said = "cash fell to −50,0"
    assert result.outcome.notes[0].startswith(said)
    assert result.outcome.notes[0].endswith("and interest was charged")


def test_a_search_of_what_is_soon_exhausted_ends() -> None:
    found = ek.search("sma-crossover", walk(80), space={"fast": [2, 3], "slow": [5]}, method="tpe", trials=10**9)
    assert len(found.table) == 2
