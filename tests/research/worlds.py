"""Made-up markets for backtests: seeded walks on a tick grid, some with gaps, and the strategies that trade them."""

from decimal import Decimal
from typing import ClassVar

import numpy as np

from evenkeel.domain.fills import Fill
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.marketdata import Bar, Quote
from evenkeel.domain.orders import Order, TimeInForce
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies import Context, Parameter, Params, SignalStrategy, Strategy, number, whole

D = Decimal

MINUTE = 60_000_000_000
START = 1_704_207_000_000_000_000  # 2024-01-02 14:50 UTC, a Tuesday


def instrument(name: str = "X", *, tick: str = "0.01", lot: str = "1", **more: str) -> Instrument:
    return Instrument(
        id=name,
        symbol=name,
        venue="TEST",
        asset_class=AssetClass.FX,
        currency=more.get("currency", "USD"),
        tick_size=D(tick),
        lot_size=D(lot),
        multiplier=D(more.get("multiplier", "1")),
    )


def walk(count: int, seed: int = 1, *, name: str = "X", minutes: int = 1, gaps: float = 0.0) -> Bars:
    """Bars in cents around 100; a share `gaps` of them is missing."""
    draw = np.random.default_rng(seed)
    close = np.maximum(10_000 + np.cumsum(draw.integers(-15, 16, count)), 100)
    open_ = np.maximum(np.concatenate(([10_000], close[:-1])) + draw.integers(-5, 6, count), 100)
    high = np.maximum(open_, close) + draw.integers(0, 10, count)
    low = np.maximum(np.minimum(open_, close) - draw.integers(0, 10, count), 1)
    ts = START + np.arange(count) * minutes * MINUTE
    columns = {"ts": ts, "close_ts": ts + minutes * MINUTE, "volume": draw.integers(1, 50, count) * 10.0}
    prices = {"open": open_, "high": high, "low": low, "close": close}
    kept = draw.random(count) >= gaps
    whole_line = Bars.of(name, f"{minutes}m", columns | {key: values / 100.0 for key, values in prices.items()})
    return whole_line.where(kept | (np.arange(count) == 0))


class Random(SignalStrategy):
    """Targets at random, from the seed: a third of the bars keep what stands."""

    name = "random"
    parameters: ClassVar[tuple[Parameter, ...]] = (whole("seed", 1), number("scale", 1.0))

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        draw = np.random.default_rng(params.whole("seed"))
        targets = draw.choice([-1.0, -0.5, 0.0, 0.5, 1.0, np.nan, np.nan, np.nan], 10_000)[: len(bars)]
        return targets * params.number("scale")


class Restless(Strategy):
    """Places, cancels and answers at random: market, limit and stop orders, timers, and looks at its past."""

    name = "restless"
    parameters: ClassVar[tuple[Parameter, ...]] = (whole("seed", 1), number("often", 0.1), whole("warmup", 0))

    def __init__(self) -> None:
        self.told: list[str] = []
        self.draw = np.random.default_rng(0)
        self.placed: list[str] = []

    def warmup(self, params: Params) -> int:
        return params.whole("warmup")

    def on_start(self, ctx: Context) -> None:
        self.draw = np.random.default_rng(ctx.parameters["seed"])  # type: ignore[arg-type]
        if self.draw.random() < 0.5:
            self.placed.append(ctx.buy(1, ctx.instrument_ids[0]))

    def on_warmup(self, ctx: Context, bar: Bar) -> None:
        self.told.append(f"warm {bar}")

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.told.append(f"bar {bar} {ctx.now} {ctx.position(bar.instrument_id)}")
        if self.draw.random() < 0.1:
            seen = ctx.bars(5, bar.instrument_id)
            self.told.append(f"seen {seen.close.tolist()} {seen.close_ts.tolist()} {seen.volume.tolist()}")
        if self.draw.random() < ctx.parameters["often"]:  # type: ignore[operator]
            self._act(ctx, bar)

    def _act(self, ctx: Context, bar: Bar) -> None:
        kind = self.draw.integers(0, 7)
        side = ctx.buy if self.draw.random() < 0.5 else ctx.sell
        price = D(round(bar.close * 100) + int(self.draw.integers(-20, 21))) / 100
        quantity = int(self.draw.integers(1, 40))
        force = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC)[self.draw.integers(0, 3)]
        if kind < 3:
            self.placed.append(side(quantity, bar.instrument_id, time_in_force=force))
        elif kind == 3:
            self.placed.append(side(quantity, bar.instrument_id, limit=price, time_in_force=force))
        elif kind == 4:
            self.placed.append(side(quantity, bar.instrument_id, stop=price, time_in_force=force))
        elif kind == 5 and self.placed:
            ctx.cancel(self.placed[-1])
        else:
            ctx.set_timer("later", ctx.now + int(self.draw.integers(1, 6)) * MINUTE)

    def on_quote(self, ctx: Context, quote: Quote) -> None:
        self.told.append(f"quote {quote} {ctx.quote(quote.instrument_id)} {ctx.now}")
        if self.draw.random() < ctx.parameters["often"]:  # type: ignore[operator]
            (ctx.buy if self.draw.random() < 0.5 else ctx.sell)(1, quote.instrument_id)

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        self.told.append(f"fill {fill.side} {fill.quantity} {fill.price} {fill.executed_at} {ctx.now}")
        if self.draw.random() < 0.2:
            self.placed.append(ctx.sell(1, fill.instrument_id))

    def on_order(self, ctx: Context, order: Order) -> None:
        self.told.append(f"order {order.spec.client_order_id} {order.state} {ctx.now}")

    def on_timer(self, ctx: Context, name: str) -> None:
        self.told.append(f"timer {name} {ctx.now}")
        self.placed.append(ctx.buy(2, ctx.instrument_ids[-1]))
