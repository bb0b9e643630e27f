"""A strategy hears of every end of its orders, and remembers none that has ended."""

from typing import ClassVar

import msgspec

from evenkeel import Strategy, backtest, sample_bars
from evenkeel.domain.fills import Fill
from evenkeel.domain.marketdata import Bar
from evenkeel.domain.orders import Order
from evenkeel.trading.strategies import Context


class Listener(Strategy):
    """Buys one unit on every tenth bar, and bids far below the market on every fifteenth."""

    name = "listener"
    heard: ClassVar[list[tuple[str, str]]] = []

    def __init__(self) -> None:
        self.bars = 0
        Listener.heard = []

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.bars += 1
        if self.bars % 10 == 0:
            ctx.buy(1)
        if self.bars % 15 == 0:
            ctx.buy(1, limit=msgspec.convert("1", type=type(ctx.position())))

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        Listener.heard.append(("fill", fill.order_id))

    def on_order(self, ctx: Context, order: Order) -> None:
        Listener.heard.append((order.state, order.id))


def test_a_filled_order_is_told_after_its_fill() -> None:
    result = backtest(Listener, sample_bars("IBM").rows(0, 100))
    assert len(result.fills) == 9
    ends = {"FILLED": 0, "EXPIRED": 0}
    for order_id in {name for _, name in Listener.heard}:
        told = [state for state, name in Listener.heard if name == order_id]
        if told[-1] in ends:
            ends[told[-1]] += 1
        if told[-1] == "FILLED":
            assert told[-2:] == ["fill", "FILLED"]
    assert ends == {"FILLED": 9, "EXPIRED": 6}
