"""An event strategy: after three falling closes, bid a little below the market, and sell what filled at a profit.

It places its own orders through the context, and remembers over a restart what it is waiting for.

Check it:    evenkeel strategy check examples/dip_buyer.py
"""

from decimal import Decimal

from evenkeel.domain.fills import Fill
from evenkeel.domain.marketdata import Bar
from evenkeel.domain.money import exact
from evenkeel.domain.orders import Order, Side, TimeInForce
from evenkeel.trading.strategies import Context, Params, Strategy, number, whole

TICK = Decimal("0.01")


class DipBuyer(Strategy):
    name = "dip-buyer"
    version = "1"
    title = "Dip buyer"
    description = "Bids below the market after falling closes; offers what it bought at a profit."
    parameters = (
        whole("falls", 3, 1, 10, description="Falling closes in a row before it bids."),
        whole("quantity", 10, 1, description="Shares a bid."),
        number("discount", 0.005, 0.0, 0.1, description="How far below the close it bids, as a fraction."),
        number("profit", 0.02, 0.001, 0.5, description="How far above its price it offers what it bought."),
    )

    def __init__(self) -> None:
        self.bid: str | None = None

    def warmup(self, params: Params) -> int:
        return params.whole("falls") + 1

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if self.bid is not None or ctx.position() > 0:
            return
        falls = ctx.parameters.whole("falls")
        closes = ctx.bars(falls + 1).close
        if len(closes) > falls and (closes[1:] < closes[:-1]).all():
            price = exact(bar.close * (1 - ctx.parameters.number("discount")), TICK)
            quantity = ctx.parameters.whole("quantity")
            self.bid = ctx.buy(quantity, limit=price, time_in_force=TimeInForce.DAY)

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        if fill.side is Side.BUY:
            price = exact(float(fill.price) * (1 + ctx.parameters.number("profit")), TICK)
            ctx.sell(fill.quantity, account_id=fill.account_id, limit=price, time_in_force=TimeInForce.GTC)

    def on_order(self, ctx: Context, order: Order) -> None:
        if order.spec.client_order_id == self.bid and not order.is_working:
            self.bid = None

    def state(self) -> bytes | None:
        return self.bid.encode() if self.bid else None

    def restore(self, state: bytes) -> None:
        self.bid = state.decode()
