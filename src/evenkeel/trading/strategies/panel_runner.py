"""How a deployment of several instruments together is run: moment by moment, each decided on once.

A slice that is of the very moment at which its bars close holds all there are: it is decided on at once. Bars that are
handed over later than they close are waited for until every instrument has shown its own, or a later moment begins. A
bar that comes after its moment was decided on counts from the next.
"""

from collections.abc import Iterable
from itertools import groupby

import msgspec
import numpy as np
from msgspec import Struct

from evenkeel.domain.fills import Fill
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice
from evenkeel.domain.orders import Order
from evenkeel.domain.strategies import Deployment, Signal
from evenkeel.market.bars import Bars
from evenkeel.market.panel import Panel
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies.base import PanelStrategy
from evenkeel.trading.strategies.evaluate import (
    confidence_of,
    evaluate,
    lookback_of,
    read_only,
    rebalances_of,
    stepped,
)
from evenkeel.trading.strategies.messages import Holding, Output
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.runners import recorded, scale_at
from evenkeel.trading.strategies.sizes import window_of
from evenkeel.trading.strategies.windows import windows_of

_Due = tuple[float | None, bool]
_NOTHING: _Due = (None, False)


class _Memory(Struct):
    """The moment decided on last (close, ns; −1 before the first), and what instruments without a bar since are due."""

    decided: int = -1
    due: dict[str, _Due] = {}


class PanelRunner:
    """Evaluates targets on the last warm-up + 1 moments, or on all since the anchor where memory has no end.

    A strategy with such a memory that offers `update` is shown all since the anchor once, then each moment with its
    warm-up.
    """

    def __init__(
        self,
        strategy: PanelStrategy,
        deployment: Deployment,
        *,
        params: Params,
        path_dependent: bool,
        anchor_ts: int | None,
        state: bytes | None,
        instruments: Iterable[Instrument] = (),
    ) -> None:
        self._strategy, self._deployment, self._params = strategy, deployment, params
        self._anchor = anchor_ts if path_dependent else None
        self._incremental = strategy.is_incremental() and path_dependent
        least = lookback_of(strategy, params, deployment.timeframe) + 1
        self._least = None if path_dependent and not self._incremental else least
        # One more than is looked at holds the last close before, where an instrument has a bar at every moment.
        self._keep = max(least + 1, window_of(deployment.sizing))
        self._windows = windows_of(deployment, instruments, keep=None if path_dependent else self._keep)
        self._memory = _Memory() if state is None else msgspec.msgpack.decode(state, type=_Memory)
        self._begins = state is None
        self._state: bytes | None = None
        self._counted = -1

    def start(self, at: int) -> list[Output]:
        return []

    def warm(self, bars: Bars) -> None:
        """Loads history. To a deployment that begins it is decided on; else what is not yet, is at the next slice."""
        self._windows[bars.instrument_id].load(bars if self._anchor is None else bars.between(self._anchor))
        if self._begins:
            self._memory.decided = self._newest()

    def on_slice(self, market: MarketSlice) -> list[Output]:
        bars = sorted((bar for bar in market.bars if bar.instrument_id in self._windows), key=_close)
        splits = [split for split in market.splits if split.instrument_id in self._windows]
        signals: list[Output] = []
        if splits:
            signals += self._decide_open(before=market.at)
        for split in splits:
            self._rescale(split.instrument_id, self._windows[split.instrument_id].split(split, market.at))
        for moment, group in groupby(bars, key=_close):
            signals += self._decide_open(before=moment)
            for bar in group:
                self._windows[bar.instrument_id].append(bar)
            if market.at == moment or all(window.newest[1] >= moment for window in self._windows.values()):
                signals += self._decide_open(before=moment + 1)
        return signals

    def on_fill(self, fill: Fill) -> list[Output]:
        return []

    def on_order(self, order: Order) -> list[Output]:
        return []

    def hold(self, holding: Holding) -> None:
        """Targets do not depend on what is held."""

    def state(self) -> bytes | None:
        return msgspec.msgpack.encode(self._memory) if self._memory.decided >= 0 else None

    def _newest(self) -> int:
        return max(window.newest[1] for window in self._windows.values())

    def _decide_open(self, before: int) -> list[Output]:
        """Decides on the newest moment, if it lies before a time (ns) and has not been decided on."""
        moment = self._newest()
        if not self._memory.decided < moment < before:
            return []
        self._memory.decided, self._begins = moment, False
        panel, targets, is_due = self._decided()
        sure = confidence_of(self._strategy, panel, self._params, targets=targets)[-1]
        self._owe(targets[-1], is_due=is_due)
        series = {name: values[-1] for name, values in self._strategy.details(panel, self._params).items()}
        signals: list[Output] = []
        for line in np.flatnonzero(panel.shown[-1]).tolist():
            name = panel.instrument_ids[line]
            target, is_due = self._memory.due.pop(name, _NOTHING)
            details = {one: value if np.ndim(value) == 0 else value[line] for one, value in series.items()}
            signals.append(
                Signal(
                    self._deployment.id,
                    name,
                    moment,
                    target,
                    float(sure[line]),
                    recorded(details),
                    scale_at(self._deployment.sizing, self._windows[name]),
                    whole=True,
                    rebalance=is_due,
                )
            )
        return signals

    def _decided(self) -> tuple[Panel, Floats, bool]:
        """The moments looked at, what is decided at them, of an incremental strategy at the last, and whether that
        rebalances."""
        whole = Panel.of({name: window.bars() for name, window in self._windows.items()})
        panel = read_only(whole if self._least is None else whole.tail(self._least))
        if self._incremental:
            targets = np.full(panel.close.shape, np.nan)
            targets[-1], is_due = self._updated(whole)
            return panel, targets, is_due
        targets = evaluate(self._strategy, panel, self._params)
        flags = rebalances_of(self._strategy, panel, self._params)
        return panel, targets, flags is not None and bool(flags[-1])

    def _updated(self, whole: Panel) -> tuple[Floats, bool]:
        """What the strategy decides at the last of the moments that it has not counted. From the first time on as much
        is kept as it looks at."""
        assert self._least is not None
        targets, is_due = np.full(whole.close.shape[1], np.nan), False
        start = int(np.searchsorted(whole.close_ts, self._counted, side="right"))
        coming = iter((whole,)) if self._state is None else whole.windows(self._least, start)
        for recent in coming:
            self._state, targets, is_due = stepped(self._strategy, self._state, read_only(recent), self._params)
        self._counted = int(whole.close_ts[-1])
        for window in self._windows.values():
            window.limit(self._keep)
        return targets, is_due

    def _rescale(self, instrument_id: str, ratio: float | None) -> None:
        """Has the state of an incremental strategy follow a split that was applied."""
        if ratio is not None and self._state is not None:
            ratios = np.array([ratio if name == instrument_id else 1.0 for name in self._windows])
            self._state = self._strategy.rescaled(self._state, ratios, self._params)

    def _owe(self, targets: Floats, *, is_due: bool) -> None:
        """Notes what each instrument is told now, to be taken with its next bar, which may be this one."""
        for name, target in zip(self._windows, targets.tolist(), strict=True):
            before, was_due = self._memory.due.get(name, _NOTHING)
            owed = (before if np.isnan(target) else target, was_due or is_due)
            if owed != _NOTHING:
                self._memory.due[name] = owed


def _close(bar: Bar) -> int:
    return bar.close_ts
