"""Who trades in a backtest: the strategy, in either form, asked moment by moment or left alone with a quiet stretch.

Targets are evaluated once over the whole series; only those that change or restore the folded one are handed on, for a
signal that keeps or repeats it changes nothing. Handlers are called as live: when a bar has closed, first what became
of the orders in it, then `on_bar`, then what became of what that asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Protocol, cast

import numpy as np

from evenkeel.domain import records as r
from evenkeel.domain.commands import AnyCommand, TakeSignal
from evenkeel.domain.fills import Fill
from evenkeel.domain.held_records import OrderReleased
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.orders import Order
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.sizing import Sizing
from evenkeel.domain.strategies import Deployment, Signal
from evenkeel.market.bars import Bars
from evenkeel.market.days import days_of
from evenkeel.quant.indicators import Floats
from evenkeel.research.backtest.asking import as_known, told_by
from evenkeel.research.backtest.event_market import BarMarket, Item, Market
from evenkeel.trading.engine.state import State
from evenkeel.trading.strategies.base import PanelStrategy, SignalStrategy, Strategy
from evenkeel.trading.strategies.evaluate import fold, undecided
from evenkeel.trading.strategies.messages import Holding, Output
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.runners import EventRunner, kept_bars
from evenkeel.trading.strategies.sizes import a_year_of, scale_of, window_of
from evenkeel.trading.strategies.windows import Uncovered

Commands = Sequence[AnyCommand]
NONE: Commands = ()
Ears = dict[type, Callable[[Any], None]]


class Trader(Protocol):
    """The strategy's side. Moments are handed over in order, each once: by `skip`, or by `slice` and `on_slice`."""

    @property
    def first(self) -> int:
        """The first moment that is traded; those before it are the strategy's warm-up."""

    def skip(self, start: int, stop: int) -> tuple[int, Commands]:
        """Takes quiet moments from `start` on: the first at which it wants something, and what; else `stop`."""

    def latest(self, moment: int, since: int) -> MarketSlice:
        """After `skip`: the last that has shown of each instrument after moment `since` and by `moment`."""

    def slice(self, moment: int) -> MarketSlice:
        """All that shows at `moment`."""

    def on_slice(self, moment: int, market: MarketSlice) -> Commands:
        """What it wants at `moment`."""

    @property
    def ears(self) -> Ears:
        """Who is to be told of the engine's records, by their type."""

    def react(self) -> Commands:
        """What it answers to what it has heard."""


class TargetTrader:
    """A strategy of targets: where they change or are restored, by moment."""

    first = 0
    ears: Ears = {}  # noqa: RUF012 - targets do not depend on what became of the orders

    def __init__(
        self, strategy: SignalStrategy | PanelStrategy, deployment: Deployment, *, params: Params, market: BarMarket
    ) -> None:
        self._market = market
        self._commands: dict[int, list[AnyCommand]] = {}
        provenance = Provenance(actor=deployment.id, source=Source.DEPLOYMENT)
        is_whole = isinstance(strategy, PanelStrategy)
        for line, (series, told) in enumerate(zip(market.bars, told_by(strategy, params, market), strict=True)):
            folded = fold(told.targets)
            changed = np.diff(folded, prepend=0.0) != 0.0
            restored = np.zeros(len(series), dtype=np.bool_) if told.rebalances is None else told.rebalances
            scale = scales_of(deployment.sizing, market=market, line=line)
            for row in np.flatnonzero(changed | restored).tolist():
                at = int(series.close_ts[row])
                size = float(scale[row]) if len(scale) else 1.0
                signal = Signal(
                    deployment.id,
                    series.instrument_id,
                    at,
                    float(folded[row]),
                    scale=size,
                    whole=is_whole,
                    rebalance=bool(restored[row]),
                )
                command = TakeSignal(provenance=provenance, signal=signal)
                self._commands.setdefault(market.moment_of(at), []).append(command)
        self._moments = sorted(self._commands)

    def skip(self, start: int, stop: int) -> tuple[int, Commands]:
        place = bisect_left(self._moments, start)
        if place == len(self._moments) or self._moments[place] >= stop:
            return stop, NONE
        moment = self._moments[place]
        return moment, self._commands[moment]

    def latest(self, moment: int, since: int) -> MarketSlice:
        return self._market.latest(moment, since)

    def slice(self, moment: int) -> MarketSlice:
        return self._market.slice_of(moment, self._market.fresh(moment))

    def on_slice(self, moment: int, market: MarketSlice) -> Commands:
        return self._commands.get(moment, NONE)

    def react(self) -> Commands:
        return NONE


class HandlerTrader:
    """A `Strategy`, whose handlers are called; the first `warmup` bars are history to it."""

    def __init__(
        self, strategy: Strategy, deployment: Deployment, *, params: Params, market: Market, state: State
    ) -> None:
        self._market, self._state = market, state
        self._news: deque[Fill | Order] = deque()
        self.ears: Ears = {
            r.FillBooked: self._of_fill,
            r.OrderDecided: self._of_order,
            r.OrderMoved: self._of_order,
            OrderReleased: self._of_order,
            r.SplitApplied: self._of_split,
        }
        keep, bars = (
            kept_bars(strategy, params, deployment.timeframe),
            market.bars if isinstance(market, BarMarket) else (),
        )
        self._runner = EventRunner(
            strategy,
            deployment,
            params=params,
            state=None,
            holdings=(),
            histories={series.instrument_id: Uncovered(series, keep) for series in bars} or None,
        )
        self._hand_over: Callable[[Iterable[tuple[Item, ...]]], tuple[tuple[Item, ...], list[Output]]] = (
            self._runner.on_bars if bars else self._runner.on_quotes
        )
        self._last: tuple[Item, ...] = ()
        self.first = self._begin([undecided(strategy, series, params) for series in bars], bars)
        self._stream = market.stream(self.first)

    def _begin(self, warmups: Sequence[int], bars: Sequence[Bars]) -> int:
        """Starts the strategy and walks it over its history; the first moment after that."""
        counts = warmups or [0] * len(self._market.times)
        ends = [
            int(times[count]) for times, count in zip(self._market.times, counts, strict=True) if len(times) > count
        ]
        first = self._market.moment_of(min(ends)) if ends else len(self._market)
        before = self._market.at[first] - 1 if ends else self._market.at[-1]
        self._asked = self._runner.start(before)
        for series in bars:
            self._runner.warm(series.as_of(before))
        return first

    def skip(self, start: int, stop: int) -> tuple[int, Commands]:
        asked, self._asked = self._asked, []
        while start < stop:
            self._last, outputs = self._hand_over(islice(self._stream, 1 if asked else stop - start))
            reached = bisect_left(self._market.at, self._runner.now, start, stop)
            if asked or outputs:
                return reached, commands_of(asked + outputs)
            start = reached + 1  # a wish that comes to nothing ends a stretch, too
        return stop, NONE

    def latest(self, moment: int, since: int) -> MarketSlice:
        if self._market.is_aligned and moment >= self.first:
            return self._market.slice_of(moment, self._last)
        return self._market.latest(moment, since)

    def slice(self, moment: int) -> MarketSlice:
        return self._market.slice_of(moment, next(self._stream))

    def on_slice(self, moment: int, market: MarketSlice) -> Commands:
        asked, self._asked = self._asked, []
        return commands_of(asked + self._runner.on_slice(market))

    def _of_fill(self, record: r.FillBooked) -> None:
        self._news.append(record.fill)
        order = self._state.orders[record.fill.order_id]
        if not order.is_working:
            self._news.append(order)

    def _of_order(self, record: r.OrderDecided | r.OrderMoved | OrderReleased) -> None:
        self._news.append(self._state.orders[record.order_id])

    def _of_split(self, record: r.SplitApplied) -> None:
        for part in record.positions:
            self._runner.hold(Holding(part.key.account_id, part.key.instrument_id, part.quantity))

    def react(self) -> Commands:
        if not self._news:
            return NONE
        outputs: list[Output] = []
        while self._news:
            news = self._news.popleft()
            outputs += self._runner.on_fill(news) if isinstance(news, Fill) else self._runner.on_order(news)
        return commands_of(outputs)


def commands_of(outputs: list[Output]) -> Commands:
    """What handlers ask for are orders and cancels: commands as they are."""
    return cast("list[AnyCommand]", outputs)


def scales_of(sizing: Sizing | None, *, market: BarMarket, line: int) -> Floats:
    """What a size that follows the market finds at each bar, 0 where it finds nothing; empty for other sizes."""
    if not window_of(sizing):
        return np.empty(0)
    a_year = a_year_of(market.bars[line], days_of(market.bars[line]))
    return np.nan_to_num(as_known(lambda seen: scale_of(sizing, seen, a_year), market=market, line=line), nan=0.0)
