"""Ways in which a backtest could lie that are no matter of one engine: each was one, and stays away."""

from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Lock
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evenkeel as ek
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.marketdata import Bar
from evenkeel.market.columns import DAY
from evenkeel.quant.costs import CostSchedule
from evenkeel.quant.costs.fills import capped_quantity
from evenkeel.quant.indicators import Floats
from evenkeel.research.backtest.kernel import whole_lots
from evenkeel.research.backtest.parity import parity
from evenkeel.trading.strategies import Context, Params
from evenkeel.trading.strategies.evaluate import evaluate, fold
from evenkeel.trading.strategies.sma_crossover import SmaCrossover
from tests.research.test_compiled import flat
from tests.research.worlds import walk

ENGINES = ["compiled", "event"]


class Ahead(ek.SignalStrategy):
    """Long where the close of `bars` later is higher, in histories of more than `least`."""

    name = "ahead"

    def __init__(self, bars: int = 0, least: int = 0) -> None:
        self.bars, self.least = bars, least

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: ek.Bars, params: Params) -> Floats:
        count = len(bars) - self.bars
        told = np.zeros(len(bars))
        if len(bars) > self.least and count > 0:
            told[:count] = bars.close[self.bars :] > bars.close[:count]
        return told


class Beyond(ek.SignalStrategy):
    """Looks ahead once it has seen 900 bars: more than are made up for the check."""

    name = "beyond"

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: ek.Bars, params: Params) -> Floats:
        return np.where(bars.close > bars.close.mean(), 1.0, 0.0) if len(bars) > 900 else np.zeros(len(bars))


class Once(ek.Strategy):
    """Buys at its third bar, by what it remembers."""

    name = "once"

    def __init__(self) -> None:
        self.seen = 0

    def warmup(self, params: Params) -> int:
        return 0

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.seen += 1
        if self.seen == 3:
            ctx.buy(10)


def test_what_one_instance_may_another_of_its_class_may_not() -> None:
    bars = ek.sample_bars("IBM").rows(0, 300)
    ek.backtest(Ahead(0), bars)
    with pytest.raises(InvalidInput, match="it looks ahead"):
        ek.backtest(Ahead(1), bars)


@pytest.mark.parametrize("sneaky", [Ahead(700, 700), Ahead(1, 900), Beyond()])
def test_looking_ahead_is_found_on_the_bars_themselves(sneaky: ek.SignalStrategy) -> None:
    bars = ek.sample_bars("IBM")
    ek.backtest(sneaky, bars.rows(0, 400))
    with pytest.raises(InvalidInput, match=r"first at bar \d+ of these"):
        ek.backtest(sneaky, bars)
    with pytest.raises(InvalidInput, match=r"first at bar \d+ of these"):
        ek.backtest(sneaky, {"IBM": bars.rows(0, 400), "MSFT": ek.sample_bars("MSFT")})
    assert ek.backtest(sneaky, bars, check=False).final_equity > 0


def test_a_strategy_begins_every_backtest_as_it_was_given() -> None:
    mine, bars = Once(), ek.sample_bars("IBM").rows(0, 30)
    assert [len(ek.backtest(mine, bars).fills) for _ in range(2)] == [1, 1]
    assert mine.seen == 0


class Locked(Once):
    """Holds what cannot be copied."""

    name = "locked"

    def __init__(self) -> None:
        super().__init__()
        self.lock = Lock()


def test_an_instance_that_cannot_be_copied_is_told_so_and_its_class_runs() -> None:
    bars = ek.sample_bars("IBM").rows(0, 30)
    assert len(ek.backtest(Locked, bars).fills) == 1
    with pytest.raises(InvalidInput, match=r"locked cannot be copied.*lock") as refused:
        ek.backtest(Locked(), bars)
    assert "when it is first needed" in (refused.value.hint or "")


class Counted(Ahead):
    """Counts how often it is asked."""

    name = "counted"
    asked = 0

    def signals(self, bars: ek.Bars, params: Params) -> Floats:
        Counted.asked += 1
        return super().signals(bars, params)


def test_what_passed_is_not_examined_again_and_other_bars_cost_a_few_evaluations() -> None:
    first, second = (ek.sample_bars("IBM").rows(at, at + 300) for at in (0, 100))
    told = []
    for bars in (first, first, second):
        before = Counted.asked
        ek.backtest(Counted(0), bars)
        told.append(Counted.asked - before)
    assert told[0] > 100
    assert told[1] == 2  # the run, and why it traded nothing
    assert told[2] <= 8
    with pytest.raises(InvalidInput, match="it looks ahead"):
        ek.backtest(Counted(1), second)


spans = st.tuples(st.integers(0, 300), st.integers(2, 200))


@settings(deadline=None, max_examples=15)
@given(spans, spans)
def test_the_record_reaches_from_the_first_moment_of_any_instrument_to_the_last(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    bars = {name: ek.sample_bars(name).rows(at, at + count) for name, (at, count) in (("IBM", one), ("MSFT", other))}
    asked: dict[str, Any] = {"params": {"fast": 2, "slow": 5}}
    result = ek.backtest("sma-crossover", bars, **asked)
    assert result.metrics["total_return"] == pytest.approx(result.total_return, abs=1e-12)
    assert result.daily.equity[-1] == result.final_equity
    assert len(result.daily.returns) == len(result.at)  # daily bars of one calendar
    row = ek.sweep("sma-crossover", bars, grid={"fast": [2], "slow": [5]}, metrics=["max_drawdown"]).row(0, named=True)
    assert row["max_drawdown"] == pytest.approx(result.metrics["max_drawdown"], abs=1e-12)


def test_what_others_do_after_the_longest_has_ended_counts() -> None:
    bars = {"LONG": flat(*[10.0] * 9), "LATE": flat(*[10.0] * 8, 20.0, 30.0, 40.0).rows(7, None)}
    event, compiled = (ek.backtest("buy-and-hold", bars, engine=engine) for engine in ("event", "compiled"))
    assert compiled.metrics["total_return"] == compiled.total_return > 0
    assert event.metrics == compiled.metrics
    assert compiled.metrics["benchmark_total_return"] == pytest.approx(1.5)  # nothing and 4 times, in equal parts


@pytest.mark.parametrize("engine", ENGINES)
def test_the_benchmark_is_paid_dividends_as_the_strategy_is(engine: Any) -> None:
    bars = flat(100, 100, 100, 100, 50, 50, 50)
    first = datetime.fromtimestamp(bars.ts[0] / 1e9, UTC).date()
    on = [date.fromordinal(first.toordinal() + day) for day in range(8)]
    amounts = ((2, "5"), (6, "2.5"), (7, "99"), (0, "7"))
    paid = [ek.Dividend(bars.instrument_id, on[day], Decimal(amount)) for day, amount in amounts]
    split = [ek.Split(bars.instrument_id, on[4], Decimal(2), Decimal(1))]
    result = ek.backtest("buy-and-hold", bars, dividends=paid, splits=split, engine=engine)
    assert result.metrics["benchmark_total_return"] == pytest.approx(0.10)
    assert result.total_return == pytest.approx(0.10)


def test_runs_on_other_terms_have_other_fingerprints() -> None:
    bars = flat(10, 11, 12, 13)
    day = datetime.fromtimestamp(bars.ts[2] / 1e9, UTC).date()
    fee, other = (CostSchedule("mine", "", ek.PercentFee(rate).components) for rate in ("0.001", "0.002"))
    asked: list[dict[str, Any]] = [
        {},
        {"dividends": [ek.Dividend(bars.instrument_id, day, Decimal(1))]},
        {"dividends": [ek.Dividend(bars.instrument_id, day, Decimal(2))]},
        {"splits": [ek.Split(bars.instrument_id, day, Decimal(2), Decimal(1))]},
        {"splits": [ek.Split(bars.instrument_id, day, Decimal(3), Decimal(1))]},
        {"fees": fee},
        {"fees": other},
    ]
    named = [ek.backtest("buy-and-hold", bars, **one).fingerprint for one in asked]
    assert len(set(named)) == len(named)
    cents, dimes = (
        bars.of_instrument(Instrument("X", "X", "", AssetClass.EQUITY, "USD", Decimal(tick), Decimal(1)))
        for tick in ("0.01", "0.1")
    )
    assert ek.backtest("buy-and-hold", cents).fingerprint != ek.backtest("buy-and-hold", dimes).fingerprint


@pytest.mark.parametrize("engine", ENGINES)
def test_prices_of_the_smallest_step_are_traded_at_themselves(engine: Any) -> None:
    result = ek.backtest("buy-and-hold", flat(*(n * 1e-8 for n in range(1, 30))), engine=engine)
    assert result.fills[0].price == 1e-8
    assert result.total_return == pytest.approx(28.0)
    with pytest.raises(InvalidInput, match=r"below its tick of 0\.00000001"):
        ek.backtest("buy-and-hold", flat(3e-9, 4e-9), engine=engine)


@given(st.floats(1e-9, 1e30), st.sampled_from([1.0, 0.01, 1e-8]))
def test_whole_lots_are_never_more_than_a_hair_above(quantity: float, lot: float) -> None:
    for sign in (1.0, -1.0):
        cut = sign * whole_lots(sign * quantity, lot)
        assert 0.0 <= cut <= quantity * (1 + 1e-14) + 1e-9 * lot
        assert quantity - cut <= lot * (1 + 1e-9) + quantity * 1e-15


@given(st.floats(1.0, 1e30), st.floats(1.0, 1e30))
def test_a_share_of_any_volume_caps_in_whole_lots(quantity: float, volume: float) -> None:
    capped = capped_quantity(quantity, volume, 0.1, 1e-8)
    assert capped == pytest.approx(min(quantity, 0.1 * volume), rel=1e-6)


def test_coins_are_told_in_the_decimals_of_their_lots() -> None:
    coin = Instrument(
        "C",
        "C",
        "",
        AssetClass.CRYPTO,
        "USD",
        tick_size=Decimal("0.01"),
        lot_size=Decimal("0.00000001"),
        calendar="24/7",
    )
    draw = np.random.default_rng(3)
    bars = flat(*np.round(600 * np.exp(np.cumsum(draw.normal(0, 0.02, 200))), 2).tolist()).of_instrument(coin)
    thin = bars.replaced(volume=np.round(draw.random(200) + 0.1, 5))
    found = parity(
        "sma-crossover", thin, params={"fast": 2, "slow": 5, "allow_short": True}, cash=5_000, participation=0.1
    )
    assert found.agrees
    assert len(found.compiled.fills) > 50
    assert found.compiled.fills.quantity.tolist() == found.event.fills.quantity.tolist()
    assert np.array_equal(found.compiled.outcome.positions, found.event.outcome.positions)


def test_a_jump_that_may_be_a_split_is_said_until_it_is_given() -> None:
    opens = [100.0, 101.0, 102.0, 14.6, 14.7]
    bars = ek.Bars(np.arange(5) * DAY, opens, opens, opens, opens, timeframe="1d")
    (note,) = ek.backtest("buy-and-hold", bars, size=10).outcome.notes
    assert note == "ASSET opens at 14.6 after 102 on 1970-01-04: if this is a split, it was not given"
    assert not ek.backtest(
        "buy-and-hold", bars, size=10, splits=[ek.Split("ASSET", date(1970, 1, 4), Decimal(7), Decimal(1))]
    ).outcome.notes


def test_every_jump_that_may_be_a_split_is_named() -> None:
    prices = [90.0, 60.0, 60.0, 80.0, 64.0, 64.0, 6.4, 6.4, 7.4]  # 3:2, a third up, 5:4, 10:1, and a plain sixth up
    bars = ek.Bars(np.arange(9) * DAY, prices, prices, prices, prices, timeframe="1d")
    (note,) = ek.backtest("buy-and-hold", bars, size=10).outcome.notes
    assert note == (
        "ASSET opens at 60 after 90 on 1970-01-02, at 80 after 60 on 1970-01-04, at 64 after 80 on 1970-01-05, "
        "at 6.4 after 64 on 1970-01-07: if these 4 are splits, they were not given"
    )


def test_moves_that_are_common_are_not_taken_for_splits() -> None:
    prices = [100.0, 80.0] * 50
    bars = ek.Bars(np.arange(100) * DAY, prices, prices, prices, prices, timeframe="1d")
    assert not ek.backtest("buy-and-hold", bars, size=10).outcome.notes


@pytest.mark.parametrize("engine", ENGINES)
def test_ruin_is_said_with_its_day(engine: Any) -> None:
    prices = [100.0, 100.0, 100.0, 92.0, 85.0, 120.0, 150.0]
    bars = ek.Bars(np.arange(7) * DAY, prices, prices, prices, prices, timeframe="1d")
    result = ek.backtest("buy-and-hold", bars, cash=1_000, size=100, engine=engine)
    assert result.total_return > 0
    said = "the account was ruined on 1970-01-05, its equity −500.00 at the lowest: "
    assert result.summary()["warnings"][-1] == said + "what follows could not have been traded"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("strategy", "how", "said"),
    [
        ("rsi", {"params": {"oversold": 1}}, "the rule was never met; its signals: evenkeel strategy check rsi"),
        ("buy-and-hold", {"cash": 50}, "200 bars had a target, and no order was decided; a target of 1 is 0."),
        ("buy-and-hold", {"size": ek.VolatilityTarget(0.1)}, "the size is read where a target changes"),
    ],
)
def test_what_was_not_traded_is_explained(engine: Any, strategy: str, how: dict[str, Any], said: str) -> None:
    size = {"size": ek.PercentOfEquity(Decimal(1)), **how}
    result = ek.backtest(strategy, walk(200), engine=engine, **size)
    assert len(result.fills) == 0
    (note,) = result.summary()["warnings"]
    assert note.startswith("nothing was traded")
    assert said in note


@pytest.mark.parametrize("engine", ENGINES)
def test_limits_that_were_not_met_are_counted(engine: Any) -> None:
    how: dict[str, Any] = {"params": {"fast": 2, "slow": 5}, "size": 10, "fill": "limit", "limit_offset": 0.001}
    result = ek.backtest("sma-crossover", walk(400), engine=engine, **how)
    missed = result.outcome.orders - len(result.fills)
    assert 0 < len(result.fills) < result.outcome.orders
    target = fold(evaluate(SmaCrossover(), walk(400), Params({"fast": 2, "slow": 5, "allow_short": False})))
    against = int(np.count_nonzero((result.outcome.positions[0][1:] > 0) != (target[:-1] > 0)))
    (note,) = result.outcome.notes
    assert note.startswith(f"{missed} of {result.outcome.orders} orders were not filled, as their limit was not met")
    assert f"on {against} bars the position was not on the side of its target" in note
    assert against > 0


@pytest.mark.parametrize("column", ["open", "close"])
def test_a_bar_that_trades_outside_itself_is_refused(column: str) -> None:
    prices = {name: [10.0, 10.0] for name in ("open", "high", "low", "close")} | {column: [10.0, 12.0]}
    with pytest.raises(InvalidInput, match=f"1 bars have their {column} outside low to high; bar 1: 12.0"):
        ek.Bars(np.arange(2) * DAY, **prices)


def test_a_close_that_an_adjustment_puts_a_hair_above_its_high_is_taken() -> None:
    prices = {name: [10.0, 10.0] for name in ("open", "high", "low", "close")} | {"close": [10.0, 10.000000000000002]}
    assert len(ek.Bars(np.arange(2) * DAY, **prices)) == 2
