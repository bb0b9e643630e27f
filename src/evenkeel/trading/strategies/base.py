"""The two forms of a strategy; both run unchanged in backtest, paper and live.

`SignalStrategy` maps bars to targets; the engine turns a changed target into an order of the right size.
`Strategy` gets events and places orders itself, through a context that records what it asks for. Neither ever
holds the engine, an account or a clock. Prices are split-adjusted as known at the newest bar.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.fills import Fill
from evenkeel.domain.marketdata import Bar, Quote
from evenkeel.domain.orders import Order
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies.context import Context
from evenkeel.trading.strategies.parameters import Parameter, Params


class Template(ABC):
    """What both forms declare. `name` and `version` identify it; change `version` whenever its decisions
    change. `aliases` are other, shorter names it is found by.
    """

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[str] = "1"
    title: ClassVar[str] = ""
    description: ClassVar[str] = ""
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    @abstractmethod
    def warmup(self, params: Params) -> int:
        """How many bars must lie before the first bar that is decided on."""

    def check(self, params: Params) -> tuple[FieldError, ...]:
        """Faults between parameters that their ranges cannot express, such as fast not less than slow."""
        return ()


class SignalStrategy(Template):
    """Targets from bars. Implement `signals` and `warmup`; the rest is optional."""

    @abstractmethod
    def signals(self, bars: Bars, params: Params) -> Floats:
        """One target a bar, in [-1, 1] of the deployment's allocation per instrument, or NaN = keep.

        The target of bar i may use bars 0 to i only; `evenkeel strategy check` proves it.
        """

    def confidence(self, bars: Bars, params: Params, targets: Floats) -> Floats | None:
        """How sure each signal is, 0 to 1, recorded beside it. None: 1 where there is a target, else 0."""
        return None

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        """Named series whose value at the bar is recorded with its signal, such as the averages compared."""
        return {}

    def update(self, state: bytes | None, bar: Bar, params: Params) -> tuple[bytes, float]:
        """(new state, target) of one more bar; `state` is None at the first.

        Optional, for strategies whose memory has no end: override it and live evaluation costs one bar
        instead of all since the deployment's anchor. It must give what `signals` gives; the check compares
        them.
        """
        raise InvalidInput(f"{self.name} does not offer `update`")

    def rescaled(self, state: bytes, ratio: float, params: Params) -> bytes:
        """`state` after a split of `ratio` new shares for an old one: divide the prices it holds by `ratio`."""
        return state

    def remembers(self, params: Params) -> bool:
        """Whether a target may depend on more than the warm-up before it, such as on a position kept in mind.

        The check finds most such rules by itself; say True where it may take a rare market to show.
        """
        return False

    @classmethod
    def is_incremental(cls) -> bool:
        return cls.update is not SignalStrategy.update


class Strategy(Template):
    """Handlers, each given the context to act through. Implement those you need.

    One instance serves one deployment; keep what you must remember in attributes, and give it out by `state`.
    """

    def warmup(self, params: Params) -> int:
        return 0

    def on_start(self, ctx: Context) -> None:
        """The deployment has been switched on, or its process has started again (after `restore`)."""

    def on_warmup(self, ctx: Context, bar: Bar) -> None:
        """A bar of history, handed over before the first live one where there is no stored `state`.

        For rebuilding what you remember; `ctx.bars` knows history anyway. Orders asked for here are dropped.
        """

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """A bar has closed."""

    def on_quote(self, ctx: Context, quote: Quote) -> None:
        """Bid, ask or last has changed."""

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        """An order of this deployment has executed; `ctx.position` includes it."""

    def on_order(self, ctx: Context, order: Order) -> None:
        """An order of this deployment has changed state (refused, accepted, cancelled …)."""

    def on_timer(self, ctx: Context, name: str) -> None:
        """A timer set by `ctx.set_timer` is due."""

    def state(self) -> bytes | None:
        """What to remember over a restart. None: `on_warmup` rebuilds it."""
        return None

    def restore(self, state: bytes) -> None:
        """Takes back what `state` gave."""
