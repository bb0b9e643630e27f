"""Held orders in backtests: the live engine holds, follows and ends them there as it does anywhere else."""

from decimal import Decimal
from typing import ClassVar

import numpy as np
import pytest

from evenkeel.domain.marketdata import Bar
from evenkeel.domain.orders import Order, TimeInForce, Trail
from evenkeel.market.bars import Bars
from evenkeel.quant.costs import Slippage
from evenkeel.research.backtest.event import run_event
from evenkeel.research.backtest.terms import Terms
from evenkeel.trading.strategies import Context, Strategy
from evenkeel.trading.strategies.registry import checked
from tests.research.test_event_skipping import assert_same_either_way
from tests.research.worlds import MINUTE, D, Restless, instrument, walk

DAY = 86_400_000_000_000


class Held(Strategy):
    """Buys 10 once the price is down at 95 and guards them by a stop 3 behind the best price; buys 5 for later."""

    name = "held"
    ended: ClassVar[dict[str, str]] = {}

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        day = bar.ts // DAY
        if day == 20:
            ctx.buy(10, trigger=D(95))
            ctx.buy(7, limit=D(50), expires_at=ctx.now + 2 * DAY)
            ctx.buy(5, not_before=ctx.now + 3 * DAY)
        if day == 22:
            ctx.sell(10, trail=Trail(amount=D(3)), time_in_force=TimeInForce.GTC)

    def on_order(self, ctx: Context, order: Order) -> None:
        if not order.is_open:
            self.ended[order.spec.client_order_id] = order.state


def bars(*rows: tuple[float, float, float, float]) -> Bars:
    open_, high, low, close = np.array(rows, dtype=np.float64).T
    ts = np.arange(20, 20 + len(rows), dtype=np.int64) * DAY
    return Bars(ts, open_, high, low, close, np.full(len(rows), 1e6), timeframe="1d")


def test_held_orders_run_in_a_backtest_as_they_do_live() -> None:
    history = bars(
        (100, 101, 99, 100), (98, 99, 94, 96), (97, 98, 96, 97), (97, 105, 97, 104), (103, 106, 103, 105),
        (105, 105, 100, 101), (101, 102, 100, 101),
    )  # fmt: skip
    Held.ended = {}
    strategy = Held()
    found = run_event(
        strategy, checked(strategy, {}), {"X": history}, instruments={"X": instrument("X")}, terms=Terms()
    )
    told = [(fill.at // DAY, fill.side * fill.quantity, fill.price) for fill in found.fills]
    assert told == [
        (22, 10.0, 97.0),  # set off by the bar of day 21, it meets the next one
        (24, 5.0, 103.0),  # for later: at the open of its day
        (26, -10.0, 103.0),  # three behind the best price of 106
    ]
    assert sorted(Held.ended.values()) == ["EXPIRED", "FILLED", "FILLED", "FILLED"]


class Patient(Restless):
    """Orders of every kind that is held, followed or ended by the engine, at random."""

    name = "patient"

    def _act(self, ctx: Context, bar: Bar) -> None:
        side = ctx.buy if self.draw.random() < 0.5 else ctx.sell
        price = D(round(bar.close * 100) + int(self.draw.choice([-15, -5, 5, 15]))) / 100
        quantity, soon = int(self.draw.integers(1, 40)), ctx.now + int(self.draw.integers(1, 9)) * MINUTE // 2
        match self.draw.integers(0, 6):
            case 0:
                self.placed.append(side(quantity, bar.instrument_id, trigger=price, time_in_force=TimeInForce.GTC))
            case 1:
                trail = Trail(amount=D(int(self.draw.integers(1, 20))) / 100)
                self.placed.append(side(quantity, bar.instrument_id, trail=trail, time_in_force=TimeInForce.GTC))
            case 2:
                self.placed.append(side(quantity, bar.instrument_id, limit=price, expires_at=soon))
            case 3:
                self.placed.append(side(quantity, bar.instrument_id, not_before=soon))
            case 4:
                trail = Trail(fraction=D("0.02"))
                self.placed.append(side(quantity, bar.instrument_id, trail=trail, not_before=soon, expires_at=soon * 2))
            case _ if self.placed:
                ctx.cancel(self.placed[int(self.draw.integers(0, len(self.placed)))])


@pytest.mark.parametrize("seed", range(6))
def test_skipping_what_is_quiet_changes_nothing_of_them(seed: int) -> None:
    lines = {name: walk(300, seed + place, name=name) for place, name in enumerate(("X", "Y"))}
    terms = Terms(cash=Decimal(10_000), slippage=Slippage(bps=2.0), participation=0.5)
    assert_same_either_way(Patient, {"seed": seed, "often": 0.05}, terms=terms, bars=lines)
