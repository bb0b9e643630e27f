"""How one deployment is run: what a `SignalStrategy` or a `Strategy` does with a message, and what it
answers.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Protocol

import msgspec
import numpy as np
from msgspec import Struct

from evenkeel.domain.commands import CancelOrder, SubmitComposite, SubmitOrder
from evenkeel.domain.composites import Bracket
from evenkeel.domain.fills import Fill
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice, Quote
from evenkeel.domain.orders import Order
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.sizing import Sizing
from evenkeel.domain.strategies import Deployment, Signal
from evenkeel.market.bars import Bars
from evenkeel.trading.strategies.base import SignalStrategy, Strategy
from evenkeel.trading.strategies.context import Cancel, Context
from evenkeel.trading.strategies.evaluate import confidence_of, evaluate, lookback_of, rebalances_of, undecided
from evenkeel.trading.strategies.messages import Holding, Output
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.sizes import last_scale, window_of
from evenkeel.trading.strategies.windows import History, Window, windows_of

_CONTEXT_BARS = 1_000


class Runner(Protocol):
    """One deployment at work. Any method may raise what the strategy raises."""

    def start(self, at: int) -> list[Output]: ...
    def warm(self, bars: Bars) -> None: ...
    def on_slice(self, market: MarketSlice) -> list[Output]: ...
    def on_fill(self, fill: Fill) -> list[Output]: ...
    def on_order(self, order: Order) -> list[Output]: ...
    def hold(self, holding: Holding) -> None: ...
    def state(self) -> bytes | None: ...


class _SignalState(Struct):
    """What an incremental strategy remembers, with the newest bar it has counted, by instrument."""

    by_instrument: dict[str, tuple[int, bytes]]


class SignalRunner:
    """Evaluates targets: on the last warm-up + 1 bars, or on all since the anchor where memory has no end."""

    def __init__(
        self,
        strategy: SignalStrategy,
        deployment: Deployment,
        *,
        params: Params,
        path_dependent: bool,
        anchor_ts: int | None,
        state: bytes | None,
        instruments: Iterable[Instrument] = (),
    ) -> None:
        self._strategy, self._deployment, self._params = strategy, deployment, params
        self._incremental = strategy.is_incremental() and path_dependent
        self._anchor = anchor_ts if path_dependent else None
        least = lookback_of(strategy, params, deployment.timeframe) + 1
        self._looks_at = None if path_dependent and not self._incremental else least
        keep = None if self._looks_at is None else max(self._looks_at, window_of(deployment.sizing))
        self._windows = windows_of(deployment, instruments, keep=keep)
        self._states: dict[str, tuple[int, bytes]] = {}
        if state is not None and self._incremental:
            self._states = msgspec.msgpack.decode(state, type=_SignalState).by_instrument

    def start(self, at: int) -> list[Output]:
        return []

    def warm(self, bars: Bars) -> None:
        if self._anchor is not None:
            bars = bars.between(self._anchor)
        for bar in self._windows[bars.instrument_id].load(bars) if self._incremental else ():
            self._update(bar)
        if not self._incremental:
            self._windows[bars.instrument_id].load(bars)

    def on_slice(self, market: MarketSlice) -> list[Output]:
        for split in market.splits:
            window = self._windows.get(split.instrument_id)
            ratio = window.split(split, market.at) if window else None
            if ratio is not None and split.instrument_id in self._states:
                at, state = self._states[split.instrument_id]
                self._states[split.instrument_id] = at, self._strategy.rescaled(state, ratio, self._params)
        fresh = [bar for bar in market.bars if self._takes(bar)]
        return [self._signal(bar) for bar in fresh]

    def on_fill(self, fill: Fill) -> list[Output]:
        return []

    def on_order(self, order: Order) -> list[Output]:
        return []

    def hold(self, holding: Holding) -> None:
        """Targets do not depend on what is held."""

    def state(self) -> bytes | None:
        return msgspec.msgpack.encode(_SignalState(self._states)) if self._states else None

    def _takes(self, bar: Bar) -> bool:
        window = self._windows.get(bar.instrument_id)
        return window is not None and window.append(bar)

    def _signal(self, bar: Bar) -> Signal:
        window = self._windows[bar.instrument_id]
        bars = window.bars(self._looks_at)
        if self._incremental:
            target = self._update(bar)
            targets = np.full(len(bars), np.nan)
            if undecided(self._strategy, bars, self._params) < len(bars):
                targets[-1] = target
        else:
            targets = evaluate(self._strategy, bars, self._params)
        target = float(targets[-1])
        sure = confidence_of(self._strategy, bars, self._params, targets=targets)
        series = self._strategy.details(bars, self._params)
        flags = rebalances_of(self._strategy, bars, self._params)
        return Signal(
            self._deployment.id,
            bar.instrument_id,
            bar.close_ts,
            None if np.isnan(target) else target,
            float(sure[-1]),
            recorded({name: values[-1] for name, values in series.items()}),
            scale_at(self._deployment.sizing, window),
            rebalance=flags is not None and bool(flags[-1]),
        )

    def _update(self, bar: Bar) -> float:
        at, state = self._states.get(bar.instrument_id, (-1, None))
        if bar.ts <= at:
            return float("nan")
        state, target = self._strategy.update(state, bar, self._params)
        self._states[bar.instrument_id] = bar.ts, state
        return target


def recorded(details: Mapping[str, Any]) -> dict[str, float | str]:
    """The details of one bar as they are kept with its signal: what is known, as plain numbers."""
    return {name: float(value) for name, value in details.items() if not np.isnan(value)}


def scale_at(sizing: Sizing | None, window: Window) -> float:
    """What a size that follows the market finds at the newest bar; 1 for other sizes."""
    count = window_of(sizing)
    return 1.0 if sizing is None or not count else last_scale(sizing, window.bars(count))


class _EventState(Struct, omit_defaults=True):
    """What a `Strategy` and its context remember over a restart."""

    strategy: bytes | None
    timers: dict[str, int] = {}
    order_ids: dict[str, list[str]] = {}
    cancels: list[str] = []


def kept_bars(strategy: Strategy, params: Params, timeframe: str) -> int:
    """How many bars its context can look back on."""
    return max(_CONTEXT_BARS, lookback_of(strategy, params, timeframe) + 1)


class EventRunner:
    """Calls a `Strategy`'s handlers and turns what its context recorded into commands.

    `histories` by instrument are windows that grow with the bars handed over, unless they are given.
    """

    def __init__(
        self,
        strategy: Strategy,
        deployment: Deployment,
        *,
        params: Params,
        state: bytes | None,
        holdings: tuple[Holding, ...],
        histories: Mapping[str, History] | None = None,
        instruments: Iterable[Instrument] = (),
    ) -> None:
        self._strategy, self._deployment = strategy, deployment
        self._windows: Mapping[str, History] = histories or windows_of(
            deployment, instruments, keep=kept_bars(strategy, params, deployment.timeframe)
        )
        self._context = Context(deployment, params, history=self._history)
        self._seen_by: int | None = None
        self._memory = _EventState(None)
        self._remembers = state is not None
        self._provenance = Provenance(
            deployment.id,
            Source.DEPLOYMENT,
            strategy_version=deployment.version,
            parameter_hash=deployment.parameter_hash,
        )
        for holding in holdings:
            self.hold(holding)
        if state is not None:
            self._restore(state)

    def start(self, at: int) -> list[Output]:
        self._context.now = at
        self._strategy.on_start(self._context)
        return self._commands()

    def warm(self, bars: Bars) -> None:
        """Loads history; a strategy without stored state is walked over it, and what it asks for is dropped."""
        window = self._windows[bars.instrument_id]
        if self._remembers:
            window.load(bars)
            return
        for bar in bars:
            if window.append(bar):
                self._context.now = bar.close_ts
                self._strategy.on_warmup(self._context, bar)
        self._context.take_wishes()

    def on_slice(self, market: MarketSlice) -> list[Output]:
        for split in market.splits:
            if split.instrument_id in self._windows:
                self._windows[split.instrument_id].split(split, market.at)
        self._context.now, self._seen_by = market.at, None
        self._fire_timers()
        for quote in market.quotes:
            if quote.instrument_id in self._windows:
                self._context.shown[quote.instrument_id] = quote
                self._strategy.on_quote(self._context, quote)
        fresh = [b for b in market.bars if b.instrument_id in self._windows and self._append(b)]
        for bar in fresh:
            self._strategy.on_bar(self._context, bar)
        return self._commands()

    def on_bars(self, moments: Iterable[tuple[Bar, ...]]) -> tuple[tuple[Bar, ...], list[Output]]:
        """Hands over bars, moment after moment, until the strategy asks for something: the last, and what it asks for.

        The same as `on_slice` with each moment's bars, for histories that know them already: all are newer than the
        last, and of this deployment.
        """
        context, wishes, on_bar = self._context, self._context.wishes, self._strategy.on_bar
        bars: tuple[Bar, ...] = ()
        self._seen_by = None
        for bars in moments:
            context.now = bars[0].close_ts
            if context.timers:
                self._fire_timers()
            for bar in bars:
                on_bar(context, bar)
            if wishes:
                break
        return bars, self._commands()

    def on_quotes(self, moments: Iterable[tuple[Quote, ...]]) -> tuple[tuple[Quote, ...], list[Output]]:
        """The same with quotes."""
        context, wishes, on_quote = self._context, self._context.wishes, self._strategy.on_quote
        shown = context.shown
        quotes: tuple[Quote, ...] = ()
        self._seen_by = None
        for quotes in moments:
            context.now = quotes[0].ts
            if context.timers:
                self._fire_timers()
            for quote in quotes:
                shown[quote.instrument_id] = quote
                on_quote(context, quote)
            if wishes:
                break
        return quotes, self._commands()

    @property
    def now(self) -> int:
        """The moment (ns) of what was handed over last."""
        return self._context.now

    def on_fill(self, fill: Fill) -> list[Output]:
        self._turn_to(fill.executed_at)
        self._context.add_position(fill.account_id, fill.instrument_id, fill.signed)
        self._strategy.on_fill(self._context, fill)
        return self._commands()

    def on_order(self, order: Order) -> list[Output]:
        client_order_id, is_open = order.spec.client_order_id, order.is_open
        asked = False
        if is_open:
            known = self._memory.order_ids.setdefault(client_order_id, [])
            if order.id not in known:
                asked = client_order_id in self._memory.cancels
                known.append(order.id)
        self._turn_to(order.updated_at)
        self._strategy.on_order(self._context, order)
        commands = self._commands()
        if not is_open:
            self._drop(client_order_id, order.id)
        return [self._cancel(order.id), *commands] if asked else commands

    def hold(self, holding: Holding) -> None:
        self._context.set_position(holding.account_id, holding.instrument_id, Decimal(holding.quantity))

    def state(self) -> bytes | None:
        self._memory.strategy = self._strategy.state()
        self._memory.timers = self._context.timers
        if self._memory == _EventState(None):
            return None
        return msgspec.msgpack.encode(self._memory)

    def _restore(self, state: bytes) -> None:
        self._memory = msgspec.msgpack.decode(state, type=_EventState)
        self._context.timers = dict(self._memory.timers)
        self._remembers = self._memory.strategy is not None
        if self._memory.strategy is not None:
            self._strategy.restore(self._memory.strategy)

    def _append(self, bar: Bar) -> bool:
        return self._windows[bar.instrument_id].append(bar)

    def _history(self, instrument_id: str, count: int, timeframe: str | None) -> Bars | None:
        seen_by = self._context.now if self._seen_by is None else self._seen_by
        window = self._windows[instrument_id]
        return window.seen(count, seen_by) if timeframe is None else window.higher(timeframe, count, seen_by)

    def _turn_to(self, at: int) -> None:
        """Moves on to `at` (ns); a bar that closes by then is seen only once it is handed over."""
        if at > self._context.now:
            if self._seen_by is None:
                self._seen_by = self._context.now
            self._context.now = at

    def _fire_timers(self) -> None:
        timers = self._context.timers
        for name, at in sorted(timers.items(), key=lambda timer: (timer[1], timer[0])):
            if at <= self._context.now and timers.get(name) == at:
                del timers[name]
                self._strategy.on_timer(self._context, name)

    def _drop(self, client_order_id: str, order_id: str) -> None:
        """Forgets an order that has ended; a copy in another account may still be working."""
        left = self._memory.order_ids.get(client_order_id, [])
        if order_id in left:
            left.remove(order_id)
        if not left:
            self._memory.order_ids.pop(client_order_id, None)
            if client_order_id in self._memory.cancels:
                self._memory.cancels.remove(client_order_id)

    def _commands(self) -> list[Output]:
        commands: list[Output] = []
        if not self._context.wishes:
            return commands
        for wish in self._context.take_wishes():
            if isinstance(wish, Cancel):
                self._memory.cancels.append(wish.client_order_id)
                commands += [self._cancel(i) for i in self._memory.order_ids.get(wish.client_order_id, ())]
            elif isinstance(wish, Bracket):
                name = wish.entry.client_order_id
                commands.append(SubmitComposite(provenance=self._provenance, client_order_id=name, terms=wish))
            else:
                commands.append(SubmitOrder(provenance=self._provenance, spec=wish))
        return commands

    def _cancel(self, order_id: str) -> CancelOrder:
        return CancelOrder(provenance=self._provenance, order_id=order_id)
