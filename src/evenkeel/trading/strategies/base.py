"""The two forms of a strategy; both run unchanged in backtest, paper and live.

One maps bars to targets, `SignalStrategy` for each instrument by itself and `PanelStrategy` for several together; the
engine turns a changed target into an order of the right size. `Strategy` gets events and places orders itself, through
a context that records what it asks for. None ever holds the engine, an account or a clock. Prices are split-adjusted
as known at the newest bar.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Generic, TypeVar

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.fills import Fill
from evenkeel.domain.marketdata import Bar, Quote
from evenkeel.domain.orders import Order
from evenkeel.market.bars import Bars
from evenkeel.market.panel import Panel
from evenkeel.quant.indicators import Flags, Floats
from evenkeel.trading.strategies.context import Context
from evenkeel.trading.strategies.parameters import Parameter, Params

D = TypeVar("D", Bars, Panel)
NO_TIMEFRAMES: Mapping[str, int] = MappingProxyType({})


class Template(ABC):
    """What all forms declare. `name` and `version` identify it; change `version` whenever its decisions
    change. `aliases` are other, shorter names it is found by. `form` is signal, panel or event.
    """

    form: ClassVar[str]
    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[str] = "1"
    title: ClassVar[str] = ""
    description: ClassVar[str] = ""
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    @abstractmethod
    def warmup(self, params: Params) -> int:
        """How many bars must lie before the first bar that is decided on."""

    def timeframes(self, params: Params) -> Mapping[str, int]:
        """The higher timeframes it reads, and how many of their bars must have finished before it decides.

        They are made of the deployment's own bars, which must be of a lower one: `higher(bars, "1d")`.
        """
        return NO_TIMEFRAMES

    def check(self, params: Params) -> tuple[FieldError, ...]:
        """Faults between parameters that their ranges cannot express, such as fast not less than slow."""
        return ()


class TargetStrategy(Template, Generic[D]):
    """What the strategies of targets share: D are the bars they read, of n moments."""

    @abstractmethod
    def signals(self, bars: D, params: Params) -> Floats:
        """Targets in [-1, 1], or NaN = keep, at each moment.

        Those of moment i may use moments 0 to i only; `evenkeel strategy check` proves it.
        """

    def confidence(self, bars: D, params: Params, targets: Floats) -> Floats | None:
        """How sure each signal is, 0 to 1, recorded beside it. None: 1 where there is a target, else 0."""
        return None

    def details(self, bars: D, params: Params) -> Mapping[str, Floats]:
        """Named series whose value at the moment is recorded with its signal, such as the averages compared."""
        return {}

    def rebalances(self, bars: D, params: Params) -> Flags | None:
        """The moments (n,) at which positions are brought back to their targets though these have not changed.

        None: never. Without it a position is left to drift with prices until its target changes.
        """
        return None

    def remembers(self, params: Params) -> bool:
        """Whether a target may depend on more than the warm-up before it, such as on a position kept in mind.

        The check finds most such rules by itself; say True where it may take a rare market to show.
        """
        return False

    def is_rebalancing(self) -> bool:
        """Whether it may ever bring positions back to their targets."""
        return type(self).rebalances is not TargetStrategy.rebalances


class SignalStrategy(TargetStrategy[Bars]):
    """Targets (n,) from the bars of one instrument: of several, each is looked at by itself.

    A target is of the deployment's allocation per instrument. Implement `signals` and `warmup`; the rest is optional.
    """

    form = "signal"

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

    @classmethod
    def is_incremental(cls) -> bool:
        return cls.update is not SignalStrategy.update


class PanelStrategy(TargetStrategy[Panel]):
    """Targets (n, k) from the bars of k instruments together, in the order of the deployment.

    A target is a share of the deployment's whole allocation: 0.5 each of two is all of it, and more than 1 in sum is
    leverage. Implement `signals` and `warmup`; the rest is optional. `confidence` gives (n, k), the series of `details`
    are (n,) or (n, k). An instrument is traded at its own bars: what is decided where it has none, it takes with its
    next.
    """

    form = "panel"

    def instruments(self, params: Params) -> tuple[int, int | None]:
        """How many instruments it takes: (least, most), most None for any number."""
        return 1, None

    def update(self, state: bytes | None, recent: Panel, params: Params) -> tuple[bytes, Floats, bool]:
        """(new state, targets (k,), whether positions are brought back to them) of one more moment, the last of
        `recent`, which has the warm-up before it. `state` is None at the first call, when `recent` is all there is.

        Optional, for strategies whose memory has no end: override it and live evaluation costs the warm-up instead of
        all since the deployment's anchor. It must give what `signals` and `rebalances` give; the check compares them.
        """
        raise InvalidInput(f"{self.name} does not offer `update`")

    def rescaled(self, state: bytes, ratios: Floats, params: Params) -> bytes:
        """`state` after splits of `ratios` (k,) new shares for an old one: divide the prices it holds by them."""
        return state

    @classmethod
    def is_incremental(cls) -> bool:
        return cls.update is not PanelStrategy.update


class Strategy(Template):
    """Handlers, each given the context to act through. Implement those you need.

    One instance serves one deployment; keep what you must remember in attributes, and give it out by `state`.
    """

    form = "event"

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
