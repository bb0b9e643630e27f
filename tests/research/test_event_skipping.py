"""Skipping what is quiet changes nothing: the same records, fills and equity as when every moment is stepped."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evenkeel.domain.accounts import Limits
from evenkeel.domain.marketdata import Split
from evenkeel.domain.records import AnyRecord
from evenkeel.domain.sizing import PercentOfEquity, Units
from evenkeel.market.bars import Bars
from evenkeel.quant.costs import PercentFee, Slippage, find_schedule
from evenkeel.research.backtest.event import Replay
from evenkeel.research.backtest.event_market import BarMarket, QuoteMarket, Quotes
from evenkeel.research.backtest.outcome import Outcome
from evenkeel.research.backtest.terms import Terms
from evenkeel.trading.engine.engine import Engine
from evenkeel.trading.strategies.registry import AnyStrategy, checked
from tests.research.worlds import MINUTE, START, D, Random, Restless, instrument, walk


class Followed(Replay):
    """A replay that keeps every record, and in step-by-step runs the equity that the engine itself states."""

    def __init__(self, *args: Any, **more: Any) -> None:
        self.records: list[AnyRecord] = []
        super().__init__(*args, **more)
        self.stated: list[float] = []

    def _told(self, records: tuple[AnyRecord, ...]) -> None:
        self.records += records
        super()._told(records)

    def every_moment(self) -> Outcome:
        first = self.begin()
        self.stated += [float(self.terms.cash)] * first
        for moment in range(first, len(self.market)):
            self.step(moment)
            self.stated.append(float(self.desk.engine.state.equity(self.desk.account)))
        return self.outcome()


def assert_same_either_way(strategy: type[AnyStrategy], values: dict[str, Any], *, terms: Terms, **market: Any) -> None:
    lines = market.get("bars") or market["quotes"]
    names = {name: instrument(name, tick=market.get("tick", "0.01")) for name in lines}
    runs = []
    for fast in (True, False):
        made = strategy()
        params = checked(made, values)
        shown = BarMarket(lines) if "bars" in market else QuoteMarket(lines)
        replay = Followed(made, params, shown, instruments=names, terms=terms)
        outcome = replay.run() if fast else replay.every_moment()
        runs.append((replay, outcome, getattr(made, "told", [])))
    (quick, found, told), (plain, expected, heard) = runs
    assert type(quick.desk.engine) is Engine
    assert told == heard
    assert quick.records == plain.records
    quick.desk.engine.state.find_schedule = plain.desk.engine.state.find_schedule
    assert quick.desk.engine.state == plain.desk.engine.state
    assert found.notes == expected.notes
    assert (found.orders, found.refused) == (expected.orders, expected.refused)
    for column in ("bar", "at", "instrument", "side", "quantity", "price", "fee", "why"):
        np.testing.assert_array_equal(getattr(found.fills, column), getattr(expected.fills, column))
    for column in ("at", "equity", "cash", "positions"):
        np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))
    np.testing.assert_allclose(found.equity, plain.stated, rtol=1e-14)


TERMS = st.builds(
    Terms,
    cash=st.just(Decimal(10_000)),
    costs=st.sampled_from([PercentFee("0.0005"), find_schedule("us-per-share"), find_schedule("zero")]),
    sizing=st.sampled_from([Units(D(3)), PercentOfEquity(), PercentOfEquity(D(2))]),
    slippage=st.sampled_from([Slippage(), Slippage(bps=3.0, impact=0.01)]),
    participation=st.sampled_from([None, 0.1]),
    limits=st.sampled_from([None, Limits(max_position_share=D("0.5"), daily_loss=D("0.01"), allow_short=True)]),
)
MINUTES = st.sampled_from([1, 30, 600, 1440])


def lines(count: int, seed: int, *, minutes: int, gaps: float, instruments: int) -> Mapping[str, Bars]:
    names = ["X", "Y", "Z"][:instruments]
    return {name: walk(count, seed + place, name=name, minutes=minutes, gaps=gaps) for place, name in enumerate(names)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    terms=TERMS,
    seed=st.integers(0, 10**6),
    minutes=MINUTES,
    gaps=st.sampled_from([0.0, 0.3]),
    instruments=st.integers(1, 3),
    often=st.sampled_from([0.02, 0.2, 1.0]),
    warmup=st.sampled_from([0, 7]),
)
def test_of_handlers(
    terms: Terms, seed: int, minutes: int, gaps: float, instruments: int, often: float, warmup: int
) -> None:
    bars = lines(120, seed, minutes=minutes, gaps=gaps, instruments=instruments)
    values = {"seed": seed, "often": often, "warmup": warmup}
    assert_same_either_way(Restless, values, terms=terms, bars=bars)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    terms=TERMS,
    seed=st.integers(0, 10**6),
    minutes=MINUTES,
    gaps=st.sampled_from([0.0, 0.3]),
    instruments=st.integers(1, 3),
)
def test_of_targets(terms: Terms, seed: int, minutes: int, gaps: float, instruments: int) -> None:
    bars = lines(120, seed, minutes=minutes, gaps=gaps, instruments=instruments)
    assert_same_either_way(Random, {"seed": seed}, terms=terms, bars=bars)


@pytest.mark.parametrize("strategy", [Restless, Random])
@pytest.mark.parametrize("seed", range(4))
def test_of_splits(strategy: type[AnyStrategy], seed: int) -> None:
    bars = lines(90, seed, minutes=1440, gaps=0.1, instruments=2)
    days = [np.datetime64(START, "ns").astype("datetime64[D]") + step for step in (20, 50)]
    splits = tuple(Split(name, day.item(), D(2), D(1)) for name, day in zip(("X", "Y"), days, strict=True))
    terms = Terms(splits=splits, sizing=Units(D(3)))
    assert_same_either_way(strategy, {"seed": seed}, terms=terms, bars=bars)


@pytest.mark.parametrize("often", [0.02, 0.5])
@pytest.mark.parametrize("lines_", [1, 2])
def test_of_quotes(often: float, lines_: int) -> None:
    quotes = {}
    for place in range(lines_):
        series = walk(400, place)
        last = np.where(np.arange(400) % 3 == 0, np.nan, series.close)
        columns = {"ts": series.ts + place * MINUTE // 2, "bid": series.close - 0.01, "ask": series.close + 0.01}
        quotes[f"Q{place}"] = Quotes.of(f"Q{place}", columns | {"last": last})
    assert_same_either_way(Restless, {"often": often}, terms=Terms(sizing=Units(D(1))), quotes=quotes, tick="0.001")
