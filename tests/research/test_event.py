"""The backtest on the live engine: what it finds, what it refuses by name, and that it is the live engine."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest

from benchmarks.own import OwnByBar
from benchmarks.workload import CASH, cross, cross_targets, simulated
from benchmarks.workload import walk as workload
from evenkeel.domain.accounts import Limits
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.marketdata import Bar, Dividend, MarketSlice, Split
from evenkeel.domain.sizing import Cash, PercentOfEquity, Sizing, Units
from evenkeel.domain.strategies import Allocation, Deployment
from evenkeel.market.bars import Bars
from evenkeel.quant.costs import PercentFee, find_schedule
from evenkeel.quant.indicators import Floats
from evenkeel.research.backtest.asking import targets_of
from evenkeel.research.backtest.event import Replay, run_event, run_quotes
from evenkeel.research.backtest.event_desk import NO_LIMITS
from evenkeel.research.backtest.event_market import BarMarket, Quotes
from evenkeel.research.backtest.outcome import Outcome, Why
from evenkeel.research.backtest.terms import FillAt, Terms
from evenkeel.trading.engine.engine import Engine
from evenkeel.trading.strategies import Context, Params, SignalStrategy, Strategy
from evenkeel.trading.strategies.registry import AnyStrategy, checked
from evenkeel.trading.strategies.runners import SignalRunner
from evenkeel.trading.strategies.sma_crossover import SmaCrossover
from tests.research.worlds import D, Random, Restless, instrument, walk

DAY = 86_400_000_000_000


class Follows(SignalStrategy):
    """The targets it is made with."""

    name = "follows"
    wishes: ClassVar[list[float]] = []

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        return np.array(self.wishes[: len(bars)])


def follow(*wishes: float) -> SignalStrategy:
    made = Follows()
    made.wishes = list(wishes)  # type: ignore[misc]
    return made


def run(strategy: AnyStrategy, bars: Bars | dict[str, Bars], terms: Terms, **values: Any) -> Outcome:
    lines = {"X": bars} if isinstance(bars, Bars) else bars
    tick = values.pop("tick", "0.01")
    names = {name: instrument(name, tick=tick, **values.pop("of", {})) for name in lines}
    return run_event(strategy, checked(strategy, values), lines, instruments=names, terms=terms)


def priced(*closes: float, minutes: int = 1) -> Bars:
    """Bars that open a cent above the close before, without volume."""
    shown = walk(len(closes), minutes=minutes)
    close = np.array(closes, dtype=float)
    open_ = np.concatenate(([close[0]], close[:-1] + 0.01))
    columns = {"high": np.maximum(open_, close), "low": np.minimum(open_, close), "volume": np.zeros(len(closes))}
    return shown.replaced(open=open_, close=close, **columns)


@pytest.mark.parametrize("strategy", [SmaCrossover, OwnByBar])
@pytest.mark.parametrize("seed", [1, 2])
def test_it_finds_what_plain_python_finds(strategy: type[AnyStrategy], seed: int) -> None:
    bars = workload(5_000, seed)
    values = {"fast": 10, "slow": 50} if strategy is SmaCrossover else {"short": 10, "long": 50}
    terms = Terms(cash=D(int(CASH)), costs=PercentFee("0.0005"), sizing=Units(D(1)))
    found = run(strategy(), bars, terms, tick="1", **values)
    closes = bars.close.tolist()
    expected = simulated(bars.open.tolist(), closes, cross_targets(closes, *cross().params.values()))
    assert len(found.fills) == expected.fills > 50
    assert found.equity[-1] == pytest.approx(expected.final_equity, abs=0.005)
    assert found.orders >= expected.fills
    assert found.refused == 0
    assert found.notes == ()


def test_an_order_takes_the_open_of_the_next_bar() -> None:
    bars = priced(10, 11, 12, 13, 14)
    found = run(follow(1, np.nan, 0, np.nan, 1), bars, Terms(cash=D(1000), sizing=Units(D(3))))
    assert [(fill.bar, fill.side, fill.quantity, fill.price) for fill in found.fills] == [
        (1, 1, 3.0, 10.01),
        (3, -1, 3.0, 12.01),
    ]
    assert found.fills.at.tolist() == bars.ts[[1, 3]].tolist()
    assert {fill.why for fill in found.fills} == {Why.SIGNAL}
    assert found.positions.tolist() == [[0, 3, 3, 0, 0]]
    assert found.cash.tolist() == [1000, 969.97, 969.97, 1006, 1006]
    assert found.equity.tolist() == [1000, 1002.97, 1005.97, 1006, 1006]
    assert (found.at == bars.close_ts).all()
    assert (found.engine, found.orders) == ("event", 3), "what is decided on the last bar does not fill"


@pytest.mark.parametrize(
    ("sizing", "quantity"),
    [
        (Units(D(7)), 7),
        (Units(D("7.9")), 7),
        (Cash(D(105)), 10),
        (PercentOfEquity(), 100),
        (PercentOfEquity(D("0.5")), 50),
        (PercentOfEquity(D(2)), 200),
    ],
)
@pytest.mark.parametrize("target", [1.0, -1.0])
def test_sizing(sizing: Sizing, quantity: int, target: float) -> None:
    found = run(follow(target, np.nan), priced(10, 10), Terms(cash=D(1000), sizing=sizing))
    assert found.positions[0, -1] == target * quantity


def test_through_zero_in_two_fills() -> None:
    found = run(follow(1, -1, np.nan), priced(10, 10, 10), Terms(sizing=Units(D(2))))
    assert [(fill.bar, fill.side, fill.quantity) for fill in found.fills] == [(1, 1, 2), (2, -1, 2), (2, -1, 2)]


def test_costs_are_those_of_the_terms_whatever_their_name() -> None:
    terms = Terms(sizing=Units(D(3)), costs=PercentFee("0.001"))
    assert run(follow(1, np.nan), priced(10, 10), terms).fills.fee.tolist() == [0.03003]
    zero = Terms(sizing=Units(D(3)), costs=find_schedule("zero"))
    assert run(follow(1, np.nan), priced(10, 10), zero).fills.fee.tolist() == [0.0]


def test_limits_are_the_live_ones() -> None:
    terms = Terms(cash=D(1000), sizing=Units(D(60)), limits=Limits(max_position_share=D("0.5")))
    found = run(follow(1, -1, 0.5, np.nan), priced(10, 10, 10, 10), terms)
    assert (found.orders, found.refused, len(found.fills)) == (3, 2, 1)
    assert found.notes == ("risk refused 1 orders by max-position-share", "risk refused 1 orders by short-selling")
    assert run(follow(1, -1, 0.5, np.nan), priced(10, 10, 10, 10), Terms(sizing=Units(D(60)))).refused == 0


def test_rules_of_every_kind_bind_a_backtest() -> None:
    limits = msgspec.structs.replace(NO_LIMITS, max_gross_leverage=D("0.5"), max_order_quantity=D(60))
    terms = Terms(cash=D(1000), sizing=Units(D(60)), limits=limits)
    found = run(follow(1, -1, 0.5, np.nan), priced(10, 10, 10, 10), terms)
    assert found.notes == ("risk refused 2 orders by max-gross-leverage",)


def test_a_drawdown_that_recovers_between_two_signals_has_halted_entries_all_the_same() -> None:
    """No bar on the way is skipped, though nothing works and the strategy asks for nothing."""
    limits = msgspec.structs.replace(NO_LIMITS, drawdown_halt=D("0.12"))
    wants = follow(1, *[np.nan] * 5, 0, 1, np.nan)
    prices = priced(10, 10, 10, 8, 10, 10, 10, 10, 10)
    terms = Terms(cash=D(1000), sizing=Units(D(90)))
    assert run(wants, prices, terms).refused == 0
    assert run(wants, prices, replace(terms, limits=limits)).notes == ("risk refused 1 orders by drawdown-halt",)


def test_another_currency_is_refused_by_risk_and_said() -> None:
    found = run(follow(1, np.nan), priced(10, 10), Terms(currency="EUR"))
    assert (len(found.fills), found.notes) == (0, ("risk refused 1 orders by currency",))


def test_participation_leaves_the_rest_for_later_bars() -> None:
    bars = walk(6, minutes=1).replaced(volume=np.full(6, 50.0))
    found = run(follow(1, *[np.nan] * 5), bars, Terms(sizing=Units(D(12)), participation=0.1))
    assert [(fill.bar, fill.quantity) for fill in found.fills] == [(1, 5), (2, 5), (3, 2)]


def test_the_multiplier_counts() -> None:
    bars = {"X": priced(10, 10, 11)}
    names = {"X": instrument("X", multiplier="50")}
    strategy = follow(1, np.nan, np.nan)
    found = run_event(strategy, checked(strategy, {}), bars, instruments=names, terms=Terms(sizing=Units(D(2))))
    assert found.equity.tolist() == [100_000, 99_999, 100_099]


def test_cash_finer_than_a_cent_is_kept() -> None:
    found = run(follow(1, np.nan), priced(10, 10), Terms(cash=D("1000.00123456"), sizing=Units(D(1))))
    assert found.cash.tolist() == [1000.00123456, 989.99123456]
    with pytest.raises(InvalidInput, match="18 decimal places"):
        run(follow(1, np.nan), priced(10, 10), Terms(cash=D("1000.0000000000000000001")))


def test_what_no_engine_does_is_refused_with_the_way_round() -> None:
    limits = Terms(fill=FillAt.LIMIT, limit_offset=0.01)
    with pytest.raises(InvalidInput, match="gives them limits of its own"):
        run_event(Restless(), checked(Restless(), {}), {"X": priced(10)}, instruments={"X": instrument()}, terms=limits)
    quotes = {"X": Quotes.of("X", {"ts": [1, 2], "bid": [1, 1], "ask": [1, 1], "last": [1, 1]})}
    paid = (Dividend("X", date(2024, 1, 3), D(1)),)
    for terms, said in (
        (Terms(fill=FillAt.CLOSE), "meets the next quote"),
        (Terms(dividends=paid), "make bars of the quotes"),
    ):
        with pytest.raises(InvalidInput, match=said):
            run_quotes(Restless(), checked(Restless(), {}), quotes, instruments={"X": instrument()}, terms=terms)


def test_what_cannot_be_run_is_said() -> None:
    one = priced(10, 11)
    with pytest.raises(InvalidInput, match="at least one bar"):
        run(follow(1), {}, Terms())
    with pytest.raises(InvalidInput, match="bar 1 of X has no close"):
        run(follow(1), one.replaced(close=np.array([1.0, np.nan])), Terms())
    with pytest.raises(InvalidInput, match="of one timeframe"):
        run(follow(1), {"X": one, "Y": walk(2, minutes=5)}, Terms())
    with pytest.raises(InvalidInput, match="close one after the other"):
        run(follow(1), one.replaced(close_ts=one.close_ts[[1, 1]]), Terms())
    with pytest.raises(InvalidInput, match="no instrument with that id"):
        run_event(follow(1), Params(), {"X": one}, instruments={}, terms=Terms())
    with pytest.raises(InvalidInput, match="must rise strictly"):
        Quotes.of("X", {"ts": [2, 1], "bid": [1, 1], "ask": [1, 1], "last": [1, 1]})
    with pytest.raises(InvalidInput, match="at least one quote"):
        run_quotes(Restless(), checked(Restless(), {}), {}, instruments={}, terms=Terms())


def test_warm_up_is_handed_over_first_and_is_not_traded() -> None:
    strategy = Restless()
    run(strategy, walk(30), Terms(sizing=Units(D(1))), warmup=10, often=0.0)
    kinds = [line.split()[0] for line in strategy.told if line.split()[0] in ("warm", "bar")]
    assert kinds == ["warm"] * 10 + ["bar"] * 20


def test_a_strategy_without_enough_bars_is_never_asked() -> None:
    strategy = Restless()
    found = run(strategy, walk(5), Terms(), warmup=10)
    assert not any(line.startswith("bar") for line in strategy.told)
    assert found.equity.tolist() == [100_000] * 5


class Echo(Strategy):
    """Answers every fill with another order."""

    name = "echo"

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        ctx.buy(Decimal("0.5"))

    def on_order(self, ctx: Context, order: Any) -> None:
        ctx.buy(Decimal("0.5"))


def test_what_is_declined_or_cut_short_is_noted() -> None:
    found = run(Echo(), walk(2), Terms())
    assert found.refused == found.orders > 20
    assert found.notes[0] == f"risk refused {found.refused} orders by lot-size"
    assert found.notes[-1] == "the strategy kept answering its own orders at 2 moments"


class TooLong(Strategy):
    name = "too-long"

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        ctx.buy(Decimal("1E+30"))


def test_a_command_that_is_declined_changes_nothing_and_is_noted() -> None:
    found = run(TooLong(), walk(3), Terms())
    assert (found.orders, found.notes) == (
        0,
        ("3 commands were not taken, the first because the order is not complete",),
    )


def test_a_split_multiplies_the_position_and_keeps_the_equity() -> None:
    bars = priced(10, 10, 10, 5, 5, 5, minutes=1440)
    bars = bars.replaced(open=bars.close)
    ex_date = np.datetime64(int(bars.ts[3]), "ns").astype("datetime64[D]").item()
    terms = Terms(cash=D(1000), sizing=Units(D(10)), splits=(Split("X", ex_date, D(2), D(1)),))
    found = run(follow(1, *[np.nan] * 5), bars, terms)
    assert found.positions.tolist() == [[0, 10, 10, 20, 20, 20]]
    assert found.equity.tolist() == [1000] * 6


def test_targets_on_either_side_of_a_split_are_those_of_the_live_runner() -> None:
    bars = walk(120, minutes=1440)
    ratio = np.where(np.arange(120) < 60, 1.0, 0.5)
    bars = bars.replaced(**{name: getattr(bars, name) * ratio for name in ("open", "high", "low", "close")})
    ex_date = np.datetime64(int(bars.ts[60]), "ns").astype("datetime64[D]").item()
    split = Split("X", ex_date, D(2), D(1))
    market = BarMarket({"X": bars})
    market.add_actions((split,), (), {"X": instrument()})
    ((due, _),) = market.splits.items()
    strategy = SmaCrossover()
    params = checked(strategy, {"fast": 4, "slow": 15})
    found = targets_of(strategy, params, market=market, line=0)
    deployment = Deployment("d", "d", "sma", "1", dict(params), ("X",), (Allocation("a", D(1)),), "1440m")
    live = SignalRunner(strategy, deployment, params=params, path_dependent=False, anchor_ts=None, state=None)
    heard = []
    for row, bar in enumerate(bars):
        (signal,) = live.on_slice(MarketSlice(bar.close_ts, (bar,), (), (split,) if row == due else ()))
        heard.append(getattr(signal, "target", None))
    assert due == 60
    np.testing.assert_array_equal(found, np.array([np.nan if one is None else one for one in heard]))


def test_the_engine_is_the_live_one() -> None:
    strategy = OwnByBar()
    market = BarMarket({"X": walk(10)})
    names = {"X": instrument()}
    replay = Replay(strategy, checked(strategy, {}), market, instruments=names, terms=Terms())
    assert type(replay.desk.engine) is Engine
    assert Engine.__module__ == "evenkeel.trading.engine.engine"


def test_the_same_run_twice_is_the_same() -> None:
    terms = Terms(sizing=PercentOfEquity(), costs=PercentFee("0.0005"))
    first, second = (run(Random(), walk(300), terms) for _ in range(2))
    np.testing.assert_array_equal(first.equity, second.equity)
    assert len(first.fills) == len(second.fills) > 100
