"""Several instruments of one account by the compiled engine: against the live engine, and against each by itself."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from math import nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel import Bars, Cash, Kelly, PercentFee, PercentOfEquity, SignalStrategy, Units, VolatilityTarget, backtest
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.quant.indicators import Flags, Floats
from evenkeel.research.backtest import joint_kernel
from evenkeel.research.backtest import kernel as k
from evenkeel.research.backtest.compiled import CompiledRun
from evenkeel.research.backtest.joint import Together
from evenkeel.research.backtest.options import terms_of
from evenkeel.research.backtest.outcome import Why
from evenkeel.research.backtest.parity import Parity, parity
from evenkeel.research.backtest.run import instrument_of
from evenkeel.trading.strategies import Params
from evenkeel.trading.strategies.evaluate import Told
from tests.research.test_compiled import flat

DAY = 86_400_000_000_000
NAMES = ("A", "B", "C", "D")


class Deal(SignalStrategy):
    """Gives each instrument the targets it was made with."""

    name = "deal"

    def __init__(self, targets: Mapping[str, list[float]]) -> None:
        self.targets = targets

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        return np.array(self.targets[bars.instrument_id][: len(bars)])


class Restoring(Deal):
    """The same, and brings back every position on the bars it was made with."""

    def __init__(self, targets: Mapping[str, list[float]], due: Mapping[str, list[bool]]) -> None:
        super().__init__(targets)
        self.due = due

    def rebalances(self, bars: Bars, params: Params) -> Flags | None:
        return np.array(self.due[bars.instrument_id][: len(bars)])


wishes = st.sampled_from([nan, nan, -1.0, -0.5, 0.0, 1 / 3, 0.77, 1.0])
cents = st.integers(8_000, 12_000).map(lambda n: n / 100)


@st.composite
def days(draw: st.DrawFn, name: str, count: int) -> Bars:
    """Daily bars of which some are missing, at least one is there, of prices in cents around 100."""
    shown = draw(st.lists(st.booleans(), min_size=count, max_size=count).filter(any))
    rows = []
    for _ in range(sum(shown)):
        open_, close, one, other = (draw(cents) for _ in range(4))
        rows.append((open_, max(open_, close, one, other), min(open_, close, one, other), close))
    opens, highs, lows, closes = (list(column) for column in zip(*rows, strict=True))
    ts = np.flatnonzero(shown) * DAY
    return Bars(ts, opens, highs, lows, closes, [1000.0] * len(rows), symbol=name, timeframe="1d")


@st.composite
def markets(draw: st.DrawFn) -> dict[str, Bars]:
    count = draw(st.integers(2, 15))
    names = NAMES[: draw(st.integers(1, 4))]
    return {name: draw(days(name, count)) for name in names}


def told_for(data: st.DataObject, bars: Mapping[str, Bars]) -> dict[str, list[float]]:
    return {name: data.draw(st.lists(wishes, min_size=len(one), max_size=len(one))) for name, one in bars.items()}


amounts = st.integers(1, 200)
sizes = st.one_of(
    amounts.map(lambda n: Units(Decimal(n))),
    amounts.map(lambda n: Cash(Decimal(n * 100))),
    amounts.map(lambda n: PercentOfEquity(Decimal(n) / 100)),
    st.just(VolatilityTarget(0.4, window=3)),
    st.just(Kelly(0.5, window=3)),
)
rates = st.sampled_from([0.0, 0.02, 0.0365])
terms = st.fixed_dictionaries(
    {
        "cash": st.sampled_from([1_000, 100_000]),
        "size": sizes,
        "fees": st.sampled_from(["zero", "us-per-share", PercentFee("0.0005")]),
        "slippage": st.sampled_from([0.0, 2.5, 40.0]),
        "fill": st.sampled_from(["next-open", "close", "limit"]),
        "stop_loss": st.sampled_from([None, 0.03]),
        "take_profit": st.sampled_from([None, 0.04]),
        "trailing_stop": st.sampled_from([None, 0.05]),
        "financing": rates,
        "credit": rates,
        "borrow": rates,
    }
)


@settings(max_examples=120, deadline=None)
@given(markets(), terms, st.data())
def test_the_engines_agree(bars: dict[str, Bars], asked: dict[str, Any], data: st.DataObject) -> None:
    agreed(parity(Deal(told_for(data, bars)), bars, check=False, **asked))


@settings(max_examples=60, deadline=None)
@given(markets(), terms, st.data())
def test_they_agree_on_positions_brought_back(
    bars: dict[str, Bars], asked: dict[str, Any], data: st.DataObject
) -> None:
    due = {name: data.draw(st.lists(st.booleans(), min_size=len(one), max_size=len(one))) for name, one in bars.items()}
    agreed(parity(Restoring(told_for(data, bars), due), bars, check=False, **asked))


@settings(max_examples=60, deadline=None)
@given(markets(), terms, st.data())
def test_they_agree_over_what_goes_ex(bars: dict[str, Bars], asked: dict[str, Any], data: st.DataObject) -> None:
    when = st.integers(2, 15).map(lambda day: date(1970, 1, day))
    ratio = st.sampled_from([(2, 1), (3, 2), (1, 2)])
    splits = [Split("A", data.draw(when), *map(Decimal, data.draw(ratio)))] if data.draw(st.booleans()) else []
    dividends = [Dividend(name, data.draw(when), Decimal("0.37")) for name in bars]
    asked |= {"splits": splits, "dividends": dividends}
    agreed(parity(Deal(told_for(data, bars)), bars, check=False, **asked), carried=1e-5)


def agreed(found: Parity, *, carried: float = 1e-6) -> None:
    """Fill by fill, equity to the cent, and what was carried to a ten-thousandth of that.

    Cash in lieu of a fraction is booked in whole cents, which earn interest: then `carried` is a thousandth.
    """
    assert found.differences == ()
    ours, theirs = found.compiled.outcome.carried, found.event.outcome.carried
    assert ours.interest == pytest.approx(theirs.interest, abs=carried)
    for place in range(len(found.compiled.instruments)):
        assert ours.of(place) == pytest.approx(theirs.of(place), abs=carried)


@settings(max_examples=100, deadline=None)
@given(markets(), terms, st.data())
def test_apart_from_the_money_each_instrument_is_by_itself(
    bars: dict[str, Bars], asked: dict[str, Any], data: st.DataObject
) -> None:
    """Where sizes do not follow equity, the fills of each are those of a backtest of its own, and results add up."""
    asked |= {"size": Units(Decimal(7)), "financing": 0.0, "credit": 0.0, "borrow": 0.0}
    told = Deal(told_for(data, bars))
    whole = backtest(told, bars, engine="compiled", check=False, **asked)
    gained = 0.0
    for place, (name, one) in enumerate(bars.items()):
        alone = backtest(told, {name: one}, engine="compiled", check=False, **asked)
        mine = [fill[1:] for fill in whole.fills if fill.symbol == whole.instruments[place].symbol]
        assert mine == [fill[1:] for fill in alone.fills]
        gained += alone.final_equity - asked["cash"]
    assert whole.final_equity - asked["cash"] == pytest.approx(gained, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(days("A", 20), terms, st.data())
def test_one_instrument_gives_the_same_bits_as_by_the_simulator_of_one(
    bars: Bars, asked: dict[str, Any], data: st.DataObject
) -> None:
    asked |= {"financing": 0.0, "credit": 0.0, "borrow": 0.0, "maintenance": data.draw(st.sampled_from([None, 0.3]))}
    told = np.array(data.draw(st.lists(wishes, min_size=len(bars), max_size=len(bars))))
    run = CompiledRun(bars, instrument_of(bars), terms_of("USD", asked))
    alone, joint = run.run(told), run.run(Together([Told(told, None)]))
    count = int(alone.report[k.FILLS])
    for place in (k.FINAL_EQUITY, k.FILLS, k.ORDERS, k.FEES, k.TRADES, k.LOWEST_CASH):
        assert joint.report[place] == alone.report[place]
    assert joint.path.tobytes() == alone.path.tobytes()
    assert joint.day_equity.tobytes() == alone.day_equity.tobytes()
    assert joint.fills[:count].tobytes() == alone.fills[:count].tobytes()


@settings(max_examples=40, deadline=None)
@given(markets(), terms, st.data())
def test_compiled_and_plain_give_the_same_bits(
    bars: dict[str, Bars], asked: dict[str, Any], data: st.DataObject
) -> None:
    lines = list(bars.values())
    told = [Told(np.array(targets), None) for targets in told_for(data, bars).values()]
    asked["maintenance"] = data.draw(st.sampled_from([None, 0.3]))
    run = CompiledRun(lines, [instrument_of(one) for one in lines], terms_of("USD", asked))
    fast = run.run(Together(told))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joint_kernel, "simulate_joint", joint_kernel.simulate_joint.plain)
        slow = run.run(Together(told))
    count = int(fast.report[k.FILLS])
    assert slow.report.tobytes() == fast.report.tobytes()
    assert slow.lines.tobytes() == fast.lines.tobytes()
    assert slow.path.tobytes() == fast.path.tobytes()
    assert slow.fills[:count].tobytes() == fast.fills[:count].tobytes()


def run(bars: dict[str, Bars], told: dict[str, list[float]], **more: Any) -> Any:
    return backtest(Deal(told), bars, check=False, engine="compiled", **more)


def test_a_target_is_a_part_of_the_common_equity() -> None:
    """10,000 in two halves: 50 of A; A gains 10 each, so half of 10,500 is 105 of B at 50."""
    bars = {"A": flat(100, 100, 110, 110), "B": flat(50, 50, 50, 50)}
    result = run(bars, {"A": [1.0, nan, nan, nan], "B": [nan, nan, 1.0, nan]}, cash=10_000)
    assert [(fill.symbol, fill.bar, fill.quantity) for fill in result.fills] == [("A", 1, 50.0), ("B", 3, 105.0)]
    assert result.outcome.positions.tolist() == [[0.0, 50.0, 50.0, 50.0], [0.0, 0.0, 0.0, 105.0]]


def test_decisions_of_one_moment_see_the_same_equity_also_where_they_fill_at_once() -> None:
    bars = {"A": flat(100, 100), "B": flat(100, 100)}
    fees = PercentFee("0.01")
    result = run(bars, {"A": [1.0, nan], "B": [1.0, nan]}, cash=10_000, fill="close", fees=fees)
    assert [fill.quantity for fill in result.fills] == [50.0, 50.0]


def test_a_missing_bar_leaves_the_last_price_and_the_order_waiting() -> None:
    b = flat(100, 100, 100, 100, 100).where(np.array([True, False, False, True, True]))
    bars = {"A": flat(10, 11, 12, 13, 14), "B": b}
    result = run(bars, {"A": [1.0, *[nan] * 4], "B": [1.0, nan, nan]}, size=Units(Decimal(1)), cash=1_000)
    assert [(fill.symbol, fill.bar) for fill in result.fills] == [("A", 1), ("B", 3)]
    assert result.equity.tolist() == [1_000.0, 1_001.0, 1_002.0, 1_003.0, 1_004.0]


def test_the_whole_account_answers_for_each_position() -> None:
    """Long both, five times its cash: B falls until 10 % of all positions is no longer covered, and is closed."""
    flat_a, falling = flat(100, 100, 100, 100), flat(100, 100, 60, 60)
    told = {"A": [1.0, nan, nan, nan], "B": [1.0, nan, nan, nan]}
    result = run({"A": flat_a, "B": falling}, told, size=Units(Decimal(10)), cash=400, maintenance=0.1)
    (out,) = [fill for fill in result.fills if fill.why is Why.LIQUIDATION]
    # 400 − 2,000 of cash and 900 of A leave −700 free, so 10 B must be worth 700 ÷ 0.9; prices here move by 1.
    assert (out.symbol, out.price) == ("B", 77.0)


def test_one_account_holds_one_currency() -> None:
    euro = Instrument("E", "E", "X", AssetClass.FX, "EUR", Decimal("0.01"), Decimal(1))
    bars = flat(1, 2)
    with pytest.raises(InvalidInput, match="one currency, and the instruments are in EUR, USD"):
        CompiledRun([bars, bars], [euro, instrument_of(bars)], terms_of("USD", {}))


def test_a_target_beyond_one_is_named_with_its_bar_and_instrument() -> None:
    lines = [flat(10, 11, 12), flat(10, 11, 12).where(np.array([True, False, True]))]
    run = CompiledRun(lines, [instrument_of(one) for one in lines], terms_of("USD", {}))
    told = Together([Told(np.full(3, nan), None), Told(np.array([nan, 1.5]), None)])
    with pytest.raises(InvalidInput, match=r"target of bar 1 of .+ is 1\.5"):
        run.run(told)


def test_a_price_that_is_not_there_is_refused() -> None:
    hole = flat(1, 2).replaced(open=np.array([1.0, nan]))
    run = CompiledRun([flat(1, 2), hole], [instrument_of(flat(1, 2))] * 2, terms_of("USD", {}))
    with pytest.raises(InvalidInput, match=r"bar 1 of .+ has no open"):
        run.joint  # noqa: B018 - made ready on first use
