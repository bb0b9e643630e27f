"""The backtest on the live engine: a Python strategy on bars, one that does nothing, and orders in a stream of quotes.

What a run finds is compared with plain Python first: equity to the cent, and the number of fills.
"""

import time
from typing import Any, Self

import numpy as np

import evenkeel as ek
from benchmarks.machine import facts
from benchmarks.own import OwnByBar
from benchmarks.timing import timed
from benchmarks.workload import CASH, FEE, MONTH, SEED, Found, agreed, check, cross, mixed, reference, terms, walk
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.marketdata import Bar, Quote
from evenkeel.domain.money import ONE
from evenkeel.research.backtest.event import run_quotes
from evenkeel.research.backtest.event_market import Quotes
from evenkeel.research.backtest.options import terms_of
from evenkeel.trading.engine.engine import Engine
from evenkeel.trading.strategies import Context, Params


class Idle(ek.Strategy):
    """Is handed every bar, and does nothing but count them."""

    name = "idle"
    seen = 0

    def __deepcopy__(self, _memo: object) -> Self:
        """A run gets this one itself, and not a copy: it counts for who asks afterwards."""
        return self

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.seen += 1


class Every(ek.Strategy):
    """Buys and sells a unit in turn, an order every so many quotes."""

    name = "every"
    every = 100

    def __init__(self) -> None:
        self.seen = 0
        self.holds = False

    def on_quote(self, ctx: Context, quote: Quote) -> None:
        self.seen += 1
        if self.seen % self.every == 0:
            (ctx.sell if self.holds else ctx.buy)(1)
            self.holds = not self.holds


def event_backtest(*, seed: int = SEED, bars: int = 100_000, repeat: int = 5) -> dict[str, Any]:
    """SMA(10)/SMA(50) on one-minute bars by a strategy that is handed each bar and places its own orders."""
    series, case = walk(bars, seed), cross()
    expected = reference(case, series)
    options = terms() | {"engine": "event"}
    by_bar = {"short": case.params["fast"], "long": case.params["slow"]}
    agreed(ek.backtest(OwnByBar, series, params=by_bar, **options), expected)
    agreed(ek.backtest(case.built_in, series, params=case.params, **options), expected)
    taken = timed(lambda: ek.backtest(OwnByBar, series, params=by_bar, **options), repeat)
    signals = timed(lambda: ek.backtest(case.built_in, series, params=case.params, **options), repeat)
    return {
        "benchmark": "event-backtest",
        "what": f"{bars} bars, {expected.fills} fills, the live engine ({Engine.__module__}.{Engine.__name__})",
        "result": _said(expected),
        "strategy_with_handlers": _rate(bars, taken, target=550_000),
        "strategy_with_signals": _rate(bars, signals, target=None),
        "seed": seed,
        "repeat": repeat,
        "machine": facts(),
    }


def event_month(*, seed: int = SEED, bars: int = MONTH, strategies: int = 100, repeat: int = 1) -> dict[str, Any]:
    """A hundred strategies, crossovers, RSI and Donchian mixed, one backtest each on a month of one-minute bars."""
    series, cases = walk(bars, seed), mixed(strategies)
    options = terms() | {"engine": "event"}
    expected = [reference(case, series) for case in cases]
    for case, wanted in zip(cases, expected, strict=True):
        agreed(ek.backtest(case.built_in, series, params=case.params, **options), wanted)

    def run() -> list[ek.BacktestResult]:
        return [ek.backtest(case.built_in, series, params=case.params, **options) for case in cases]

    taken = timed(run, repeat)
    return {
        "benchmark": "event-month",
        "what": f"{strategies} strategies on {bars} bars each, the live engine",
        "result": _said(Found(sum(one.final_equity for one in expected), sum(one.fills for one in expected))),
        **taken,
        "target_ms": 11_000.0,
        "reached": taken["min_ms"] <= 11_000.0,
        "seed": seed,
        "repeat": repeat,
        "machine": facts(),
    }


def event_idle(*, seed: int = SEED, bars: int = 100_000, repeat: int = 5) -> dict[str, Any]:
    """Bars delivered to a strategy that does nothing, with the engine and the venue ready for its orders."""
    series = walk(bars, seed)
    options = terms() | {"engine": "event"}
    agreed(ek.backtest(Idle, series, **options), Found(CASH, 0))
    strategy = Idle()
    ek.backtest(strategy, series, **options)
    if strategy.seen != bars:
        raise RuntimeError(f"{strategy.seen} of {bars} bars were delivered")
    taken = timed(lambda: ek.backtest(Idle, series, **options), repeat)
    return {
        "benchmark": "event-idle",
        "what": f"{bars} bars, no order",
        "result": {"final_equity": CASH, "fills": 0, "delivered": bars},
        "bars": _rate(bars, taken, target=1_000_000),
        "seed": seed,
        "repeat": repeat,
        "machine": facts(),
    }


def event_quotes(*, seed: int = SEED, quotes: int = 1_000_000, every: int = 100, repeat: int = 3) -> dict[str, Any]:
    """Quotes with a market order every hundredth; what an order costs, and that it stays so up to `quotes` orders / 10.

    An order's time is the difference to the same quotes without orders.
    """
    shown = _quotes(quotes, seed)
    expected = _alternating(shown, every)
    found = _run(shown, every)
    check(Found(float(found.equity[-1]), len(found.fills)), expected, of="orders in a stream of quotes")
    taken = timed(lambda: _run(shown, every), repeat)
    bare = timed(lambda: _run(shown, quotes + 1), repeat)
    orders = quotes // every
    crowd = _quotes(quotes, seed + 1)
    return {
        "benchmark": "event-quotes",
        "what": f"{quotes} quotes, a market order every {every}th",
        "result": _said(expected),
        "quotes": _rate(quotes, taken, target=600_000),
        "us_per_order": round((taken["cpu_min_ms"] - bare["cpu_min_ms"]) / orders * 1000, 1),
        "target_us_per_order": 20,
        "us_per_order_by_number_of_orders": {
            str(count): _each(crowd, count, bare["cpu_min_ms"] / quotes) for count in _counts(quotes // 10)
        },
        "seed": seed,
        "repeat": repeat,
        "machine": facts(),
    }


def _counts(most: int) -> list[int]:
    return [count for count in (1_000, 10_000, 100_000) if count <= most] or [most]


def _each(quotes: Quotes, orders: int, quiet_ms: float) -> float:
    """Microseconds an order where every tenth quote brings one, `quiet_ms` being what a quote takes without."""
    part = Quotes(
        quotes.instrument_id, *(getattr(quotes, name)[: orders * 10] for name in ("ts", "bid", "ask", "last"))
    )
    begun = time.process_time()
    _run(part, 10)
    return round(((time.process_time() - begun) * 1000 - quiet_ms * len(part)) / orders * 1000, 1)


def _quotes(count: int, seed: int) -> Quotes:
    bars = walk(count, seed)
    columns = {"ts": bars.ts, "bid": bars.close - 1.0, "ask": bars.close + 1.0, "last": bars.close}
    return Quotes.of("WALK", columns)


def _run(quotes: Quotes, every: int) -> Any:
    strategy = Every()
    strategy.every = every
    given = terms()
    options = {name: given[name] for name in ("cash", "fees", "size", "fill")}
    listed = Instrument("WALK", "WALK", "MADE", AssetClass.FX, "USD", ONE, ONE)
    return run_quotes(
        strategy, Params(), {"WALK": quotes}, instruments={"WALK": listed}, terms=terms_of("USD", options)
    )


def _alternating(quotes: Quotes, every: int) -> Found:
    """Buys at the ask and sells at the bid of the quote after every `every`th, in turn; in plain Python."""
    cash, held, fills = CASH, 0, 0
    bids, asks = quotes.bid.tolist(), quotes.ask.tolist()
    for place in range(every, len(bids), every):
        price = bids[place] if held else asks[place]
        cash += (price if held else -price) - price * FEE
        held = 1 - held
        fills += 1
    return Found(cash + held * float(quotes.last[-1]), fills)


def _said(expected: Found) -> dict[str, Any]:
    if expected.fills == 0:
        raise RuntimeError("not one order was filled, so there is nothing to compare")
    return {"final_equity": round(expected.final_equity, 2), "fills": expected.fills, "equal_to_plain_python": True}


def _rate(count: int, taken: dict[str, float], *, target: int | None) -> dict[str, Any]:
    """How many a second, by the clock and by processor time, and whether the target is reached."""
    rate = {
        "a_second": round(count / taken["min_ms"] * 1000),
        "a_cpu_second": round(count / taken["cpu_min_ms"] * 1000),
    }
    if target is None:
        return rate | taken
    return rate | {"target": target, "reached": bool(np.greater_equal(rate["a_second"], target))} | taken
