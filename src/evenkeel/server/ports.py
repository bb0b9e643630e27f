"""What the doors need of what lies below: trading, the feed, history, bars, templates. Bootstrap plugs them in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from evenkeel.domain.commands import AnyCommand
from evenkeel.domain.configurations import Configuration, Saved
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.domain.order_templates import OrderTemplate, SavedTemplate
from evenkeel.domain.records import AnyRecord
from evenkeel.domain.strategies import Scalar
from evenkeel.server.order_ports import OrderRow
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.hosting.ports import HostStatus
from evenkeel.trading.live.outbox import Sending
from evenkeel.trading.live.pictures import Failures
from evenkeel.trading.live.ports import Subscriber

if TYPE_CHECKING:
    from evenkeel.desk.platform import InstrumentSum, PlatformTotal
    from evenkeel.market.bars import Bars
    from evenkeel.market.ports import Series
    from evenkeel.trading.strategies.registry import AnyStrategy, TemplateInfo


class Clock(Protocol):
    def now(self) -> int:
        """Engine time in ns."""


class Trading(Protocol):
    """The live runner: takes commands, and holds the state that views are made from."""

    @property
    def state(self) -> State: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def committed_seq(self) -> int: ...

    @property
    def healthy(self) -> bool: ...

    @property
    def failure(self) -> BaseException | None:
        """What halted trading, until the desk is started again."""

    async def submit(self, command: AnyCommand) -> Outcome:
        """Answers once committed. Raises an EvenkeelError with nothing changed."""

    async def settled(self) -> None:
        """Returns when memory is not ahead of the journal."""

    def subscribe(self, subscriber: Subscriber) -> None: ...

    def failures(self, account_id: str) -> Failures:
        """How often the account could not be compared with its broker since the start."""

    def away(self, account_id: str) -> float | None:
        """Seconds for which the account has not been ready; None where it is."""

    def sending(self, account_id: str) -> Sending:
        """How the account's requests to its broker stand. Raises NotFound."""


class Feed(Protocol):
    """The feed's controls. `kind` is replay, simulated or none; times in ns, `speed` in slices a second."""

    @property
    def kind(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def timeframe(self) -> str:
        """The bars that strategies get from it."""

    @property
    def speed(self) -> Decimal: ...

    @property
    def cursor(self) -> int | None: ...

    @property
    def start(self) -> int | None: ...

    @property
    def end(self) -> int | None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def set_speed(self, speed: Decimal) -> None: ...

    async def restart(self) -> None: ...

    def hosts(self) -> Sequence[HostStatus]:
        """Where the strategies it is handed to run, by user."""


class Totals(Protocol):
    """The totals that are kept as rows, behind the journal."""

    async def platform(self) -> tuple[Sequence[PlatformTotal], Sequence[InstrumentSum]]:
        """Those of the platform by currency, and of every instrument ever held. Raises NotReady."""


class EquityRow(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def account_id(self) -> str: ...

    @property
    def at(self) -> int: ...

    @property
    def session_date(self) -> date: ...

    @property
    def equity(self) -> Decimal: ...

    @property
    def cash(self) -> Decimal: ...

    @property
    def contributed(self) -> Decimal | None: ...

    @property
    def growth(self) -> float | None: ...


class LedgerRow(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def at(self) -> int: ...

    @property
    def value_date(self) -> date: ...

    @property
    def kind(self) -> str: ...

    @property
    def component(self) -> str: ...

    @property
    def amount(self) -> Decimal: ...

    @property
    def currency(self) -> str: ...

    @property
    def book(self) -> str: ...

    @property
    def order_id(self) -> str | None: ...


class SignalRow(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def at(self) -> int: ...

    @property
    def deployment_id(self) -> str: ...

    @property
    def instrument_id(self) -> str: ...

    @property
    def target(self) -> float | None: ...

    @property
    def action(self) -> str: ...

    @property
    def confidence(self) -> float: ...

    @property
    def details(self) -> Mapping[str, float | str]: ...


class CopyRow(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def at(self) -> int: ...

    @property
    def kind(self) -> str: ...

    @property
    def instrument_id(self) -> str: ...

    @property
    def held(self) -> Decimal: ...

    @property
    def wanted(self) -> Decimal: ...

    @property
    def carry(self) -> Decimal: ...

    @property
    def quantity(self) -> Decimal: ...

    @property
    def master_order_id(self) -> str | None: ...

    @property
    def order_ids(self) -> Sequence[str]: ...

    @property
    def skipped(self) -> str | None: ...


class History(Protocol):
    """Projections, newest first. A cursor is the store's own text; one it did not make raises InvalidInput."""

    async def equity(
        self, account_ids: Collection[str], *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[EquityRow], str | None]: ...

    async def ledger(
        self, account_id: str, *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[LedgerRow], str | None]: ...

    async def signals(
        self,
        deployment_id: str,
        *,
        action: str | None = None,
        instrument_id: str | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[Sequence[SignalRow], str | None]:
        """Those from `start` on and before `end` (ns)."""

    async def copies(
        self, link_id: str, *, skipped: bool = False, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[CopyRow], str | None]:
        """What a copy link has made of events; with `skipped`, only what was not copied in full."""

    async def order_lines(
        self, order_id: str, *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[OrderRow], str | None]:
        """What has happened to an order, oldest first."""

    async def lag(self) -> int:
        """How many committed records the projections have not seen yet."""

    def fault(self) -> str | None:
        """Why the projections are stuck; None when they are not."""

    async def passed(self, seq: int, *, within: float) -> bool:
        """Whether the projections hold that committed record: waits for it for at most `within` seconds, and not at
        all where they are stuck or nothing makes them."""


class BarSource(Protocol):
    """Stored bars, read on a thread, or by another process that gets a pickled copy."""

    def instruments(self) -> tuple[Instrument, ...]: ...

    def series(self) -> tuple[Series, ...]: ...

    def read(self, instrument_id: str, timeframe: str, *, start: int | None = None, end: int | None = None) -> Bars: ...

    def splits(self, instrument_id: str) -> tuple[Split, ...]: ...

    def dividends(self, instrument_id: str) -> tuple[Dividend, ...]: ...


class Templates(Protocol):
    """The strategy templates this process knows."""

    def infos(self) -> Sequence[TemplateInfo]: ...

    def has(self, name: str) -> bool:
        """Whether there is one of that name or alias."""

    def info(self, name: str) -> TemplateInfo:
        """Raises NotFound, naming those there are."""

    def resolve(self, name: str, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Every parameter with its given or default value. Raises InvalidInput with the faults by field."""

    def create(self, name: str) -> AnyStrategy:
        """A new instance. Raises NotFound."""


class Configurations(Protocol):
    """Users' configurations of templates, as `storage` keeps them."""

    async def save(
        self, user_id: str, name: str, *, configuration: Configuration, template_version: str, at: int
    ) -> Saved:
        """The next version; the newest one where that is the same. Raises Conflict for a name that was archived."""

    async def find(self, user_id: str, name: str, version: int | None = None) -> Saved | None: ...

    async def newest(self, user_id: str) -> Sequence[Saved]:
        """The newest version of every name that was not archived."""

    async def versions(
        self, user_id: str, name: str, *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[Saved], str | None]: ...

    async def archive(self, user_id: str, name: str, at: int | None) -> bool:
        """With None, takes it back into use."""


class OrderTemplates(Protocol):
    """Users' order templates, as `storage` keeps them."""

    async def save(self, user_id: str, name: str, template: OrderTemplate, *, at: int) -> SavedTemplate:
        """A new template, or what a name stands for from now on; one that says the same stays as it is."""

    async def find(self, user_id: str, name: str) -> SavedTemplate | None: ...

    async def all(self, user_id: str) -> Sequence[SavedTemplate]:
        """A user's templates, by name."""

    async def remove(self, user_id: str, name: str) -> bool:
        """Whether there was one."""


Past = Callable[[int], Sequence[tuple[int, AnyRecord]]]
"""The last n records of the journal with their sequence numbers, oldest first."""
