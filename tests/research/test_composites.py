"""A strategy that places brackets, on the live engine over history."""

from decimal import Decimal
from typing import ClassVar

import numpy as np

from evenkeel.domain.marketdata import Bar
from evenkeel.domain.orders import Side
from evenkeel.market.bars import Bars
from evenkeel.research.backtest.event import run_event
from evenkeel.research.backtest.outcome import Why
from evenkeel.research.backtest.terms import Terms
from evenkeel.trading.strategies import Context, Strategy
from evenkeel.trading.strategies.registry import checked
from tests.research.worlds import instrument

DAY = 86_400_000_000_000


class Bracketed(Strategy):
    """Buys ten at the first bar, and again at the sixth, with a stop 5 below and a target 5 above that bar's close."""

    name = "bracketed"
    legs: ClassVar[list[str]] = []

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if bar.ts // DAY % 5 == 0:
            close = Decimal(bar.close).quantize(Decimal("0.01"))
            ctx.bracket(Side.BUY, 10, stop_loss=close - 5, take_profit=close + 5)

    def on_order(self, ctx: Context, order: object) -> None:
        self.legs.append(order.spec.leg)  # type: ignore[attr-defined]


def bars(*rows: tuple[float, float, float, float]) -> Bars:
    open_, high, low, close = np.array(rows, dtype=np.float64).T
    ts = np.arange(20, 20 + len(rows), dtype=np.int64) * DAY
    return Bars(ts, open_, high, low, close, np.full(len(rows), 1e6), timeframe="1d")


def test_brackets_fill_in_a_backtest_as_they_do_live() -> None:
    history = bars(
        (100, 101, 99, 100), (100, 102, 99, 101), (101, 106, 100, 104), (104, 105, 103, 104), (104, 105, 103, 104),
        (104, 105, 103, 104), (104, 104, 98, 99), (99, 100, 98, 99),
    )  # fmt: skip
    strategy = Bracketed()
    found = run_event(
        strategy, checked(strategy, {}), {"X": history}, instruments={"X": instrument("X")}, terms=Terms()
    )
    told = [(one.price, one.side * one.quantity, one.why) for one in map(found.fills.__getitem__, range(4))]
    assert told == [
        (100.0, 10.0, Why.ORDER),
        (105.0, -10.0, Why.TAKE_PROFIT),
        (104.0, 10.0, Why.ORDER),
        (99.0, -10.0, Why.STOP_LOSS),
    ]
    assert len(found.fills) == 4
    assert found.equity[-1] == 100_000
    assert set(strategy.legs) == {"entry", "stop", "target"}
