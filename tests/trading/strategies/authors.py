"""Strategies as authors might write them: honest, sneaky, faulty and slow."""

from decimal import Decimal

import msgspec
import numpy as np

from evenkeel.domain.fills import Fill
from evenkeel.domain.marketdata import Bar, Quote
from evenkeel.domain.orders import Order
from evenkeel.market.bars import Bars
from evenkeel.market.columns import DAY
from evenkeel.quant.indicators import Floats, ema, sma
from evenkeel.trading.strategies import Context, Params, SignalStrategy, Strategy, whole

_EmaState = tuple[bool, list[float]]  # whether these are the average, or the closes it will start from


def made_bars(closes: list[float], instrument_id: str = "i", first_day: int = 0) -> Bars:
    """Daily bars with the given closes; open = close, high and low one unit around it."""
    close = np.array(closes, dtype=np.float64)
    ts = (np.arange(len(close), dtype=np.int64) + first_day) * DAY
    columns = {"ts": ts, "close_ts": ts + DAY // 2, "open": close, "high": close + 1, "low": close - 1}
    return Bars.of(instrument_id, "1d", columns | {"close": close, "volume": np.full(len(close), 100.0)})


class Sneaky(SignalStrategy):
    """Base of those that look ahead: the sign of a score that each defines."""

    def warmup(self, params: Params) -> int:
        return 20

    def score(self, close: Floats) -> Floats:
        raise NotImplementedError

    def signals(self, bars: Bars, params: Params) -> Floats:
        return np.where(np.nan_to_num(self.score(bars.close)) > 0, 1.0, 0.0)


class TomorrowsClose(Sneaky):
    name = "tomorrows-close"

    def score(self, close: Floats) -> Floats:
        return np.append(close[1:], close[-1]) - close


class CentredWindow(Sneaky):
    name = "centred-window"

    def score(self, close: Floats) -> Floats:
        return close - np.convolve(close, np.ones(5) / 5, mode="same")


class FullSample(Sneaky):
    name = "full-sample"

    def score(self, close: Floats) -> Floats:
        normalised: Floats = (close - close.mean()) / close.std()
        return normalised


class BackFilled(Sneaky):
    name = "back-filled"

    def score(self, close: Floats) -> Floats:
        """Turning points of a zigzag are known late; filling them back knows them early."""
        turns = np.full(len(close), np.nan)
        turns[10::10] = close[10::10] - close[:-10:10]
        last = np.inf
        for i in range(len(close) - 1, -1, -1):
            last = turns[i] if not np.isnan(turns[i]) else last
            turns[i] = last if np.isfinite(last) else 0.0
        return turns


class RareGlance(Sneaky):
    """Looks one bar ahead only where it has risen a lot."""

    name = "rare-glance"

    def score(self, close: Floats) -> Floats:
        following = np.append(close[1:], close[-1])
        jumped = np.append(0.0, np.diff(close)) > 0.04 * close
        return np.where(jumped, following - close, close - sma(close, 5))


class Dice(Sneaky):
    name = "dice"

    def score(self, close: Floats) -> Floats:
        return np.random.default_rng().normal(size=len(close))


class EmaTrend(SignalStrategy):
    """Recursive, with a warm-up too short to forget the start; offers `update`."""

    name = "ema-trend"
    parameters = (whole("period", 10, 2, 100),)

    def warmup(self, params: Params) -> int:
        return params.whole("period") - 1

    def signals(self, bars: Bars, params: Params) -> Floats:
        return np.sign(bars.close - ema(bars.close, params.whole("period")))

    def update(self, state: bytes | None, bar: Bar, params: Params) -> tuple[bytes, float]:
        period = params.whole("period")
        settled, seen = msgspec.msgpack.decode(state, type=_EmaState) if state else (False, [])
        if settled:
            average = (bar.close - seen[0]) * (2.0 / (period + 1)) + seen[0]
        else:
            seen = [*seen, bar.close]
            if len(seen) < period:
                return msgspec.msgpack.encode((False, seen)), float("nan")
            average = sum(seen) / period
        return msgspec.msgpack.encode((True, [average])), float(np.sign(bar.close - average))

    def rescaled(self, state: bytes, ratio: float, params: Params) -> bytes:
        settled, prices = msgspec.msgpack.decode(state, type=_EmaState)
        return msgspec.msgpack.encode((settled, [price / ratio for price in prices]))


class WrongUpdate(EmaTrend):
    name = "wrong-update"

    def update(self, state: bytes | None, bar: Bar, params: Params) -> tuple[bytes, float]:
        state, target = super().update(state, bar, params)
        return state, -target


class Faulty(SignalStrategy):
    """Raises, or answers nonsense, as `how` says, at closes above 1000; else HOLDs."""

    name = "faulty"
    how = "raise"

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        hold = np.full(len(bars), np.nan)
        if bars.close[-1] <= 1000:
            return hold
        match self.how:
            case "raise":
                raise ZeroDivisionError("no divisor")
            case "exit":
                raise SystemExit(3)
            case "range":
                return np.full(len(bars), 1.5)
            case "shape":
                return hold[1:]
            case "write":
                bars.close[-1] = 1.0
        return np.array(["buy"] * len(bars))


class RangeFault(Faulty):
    name, how = "range-fault", "range"


class ShapeFault(Faulty):
    name, how = "shape-fault", "shape"


class WriteFault(Faulty):
    name, how = "write-fault", "write"


class TextFault(Faulty):
    name, how = "text-fault", "text"


class ExitFault(Faulty):
    name, how = "exit-fault", "exit"


class Recorder(Strategy):
    """Notes what it is told, and trades at set closes."""

    name = "recorder"

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.order = ""

    def warmup(self, params: Params) -> int:
        return 3

    def on_start(self, ctx: Context) -> None:
        self.seen.append("start")

    def on_warmup(self, ctx: Context, bar: Bar) -> None:
        self.seen.append(f"warm {bar.close:g}")
        ctx.buy(1)

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.seen.append(f"bar {bar.close:g} of {len(ctx.bars(50))} at {ctx.position()}")
        if bar.close == 111:
            self.order = ctx.buy(5, limit=Decimal("110.50"))
        if bar.close == 112:
            ctx.cancel(self.order)
            ctx.set_timer("later", ctx.now + DAY)
        if bar.close == 666:
            ctx.sell(1)
            raise RuntimeError("unlucky")

    def on_quote(self, ctx: Context, quote: Quote) -> None:
        self.seen.append(f"quote {quote.bid:g}")

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        self.seen.append(f"fill {fill.quantity} at {ctx.position()}")

    def on_order(self, ctx: Context, order: Order) -> None:
        self.seen.append(f"order {order.state}")

    def on_timer(self, ctx: Context, name: str) -> None:
        self.seen.append(f"timer {name}")

    def state(self) -> bytes | None:
        return self.order.encode() if self.order else None

    def restore(self, state: bytes) -> None:
        self.order = state.decode()
        self.seen.append("restored")
