"""The broker port: what every adapter offers, and nothing else.

Outcomes: `place`, `modify` and `cancel` return when the venue has taken the request; BrokerRejected and
BrokerUnavailable are definite (nothing rests there because of it); OutcomeUnknown, or a timeout, is not, and the
caller looks the order up instead of sending again. What then happens to the order arrives through `events`.
Queries raise BrokerUnavailable; they never answer with an empty book in place of a failure.
"""

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Protocol, runtime_checkable

from msgspec import Struct

from evenkeel.domain.accounts import Account
from evenkeel.domain.errors import BrokerError
from evenkeel.domain.events import AnyVenueEvent, BrokerBalance, BrokerOrder, BrokerPosition, VenueFilled
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice, Quote
from evenkeel.domain.orders import OrderSpec
from evenkeel.domain.risk import Approved
from evenkeel.trading.brokers.profiles import BrokerProfile


class Ticket(Struct, frozen=True, kw_only=True, gc=False):
    """One order on its way out. It cannot be built without risk's `Approved`, and is sent at most once.

    `spec.quantity` and prices are as approved; `venue_client_id` names this one send attempt. A simulated venue counts
    the market from `since`, or from `at` where that is 0.
    """

    order_id: str
    venue_client_id: str
    spec: OrderSpec
    approval: Approved
    at: int
    since: int = 0


class Amendment(Struct, frozen=True, kw_only=True, gc=False):
    """New total quantity and prices for a working order; all three are stated. `since` is as in a ticket."""

    account_id: str
    venue_client_id: str
    venue_order_id: str | None
    spec: OrderSpec
    approval: Approved
    at: int
    since: int = 0


class Cancellation(Struct, frozen=True, kw_only=True, gc=False):
    account_id: str
    venue_client_id: str
    venue_order_id: str | None
    at: int


class AccountSummary(Struct, frozen=True, kw_only=True):
    """The broker's own figures: cash by currency, positions, and working orders, taken at one moment."""

    balance: BrokerBalance
    positions: tuple[BrokerPosition, ...]
    open_orders: tuple[BrokerOrder, ...]


class Broker(Protocol):
    """One connection to one broker; it may carry many accounts, named by our account ids."""

    @property
    def profile(self) -> BrokerProfile: ...

    async def connect(self) -> None: ...

    async def disconnect(self) -> None: ...

    def is_connected(self) -> bool: ...

    async def balance(self, account_id: str) -> BrokerBalance: ...

    async def positions(self, account_id: str) -> tuple[BrokerPosition, ...]: ...

    async def open_orders(self, account_id: str) -> tuple[BrokerOrder, ...]: ...

    async def executions(self, account_id: str, since: int) -> tuple[VenueFilled, ...]: ...

    async def order_status(self, account_id: str, venue_client_id: str) -> BrokerOrder | None:
        """The order known by our client id, working or done; None is proof of absence where lookup is exact."""

    async def account_summary(self, account_id: str) -> AccountSummary: ...

    async def quotes(self, instrument_ids: tuple[str, ...]) -> tuple[Quote, ...]: ...

    async def history(self, instrument_id: str, *, timeframe: str, start: int, end: int) -> tuple[Bar, ...]: ...

    async def place(self, ticket: Ticket) -> None: ...

    async def modify(self, amendment: Amendment) -> None: ...

    async def cancel(self, cancellation: Cancellation) -> None: ...

    def events(self) -> AsyncIterator[AnyVenueEvent]:
        """Everything the venue says of this connection's accounts, in order; ends when the link is lost."""


@runtime_checkable
class ManyAtOnce(Protocol):
    """A broker whose profile says that it takes several orders in one request."""

    async def place_all(self, tickets: Sequence[Ticket]) -> Sequence[BrokerError | None]:
        """Places orders of one account, at most as many as the profile says, in this sequence; returns the error of
        each, None where it has been taken. What is raised instead is the outcome of all of them, as with `place`."""


@runtime_checkable
class AnswersAtOnce(Protocol):
    """A broker in this process: it takes an order without anything to wait for, unless it `is_far`."""

    @property
    def is_far(self) -> bool: ...

    def place_now(self, tickets: Sequence[Ticket]) -> Sequence[BrokerError | None]:
        """Places orders of one account in this sequence; answers and raises as `ManyAtOnce.place_all` does."""


class SimulatedVenue(Protocol):
    """A simulated venue: it fills against the market it is shown, and is told whom and what it serves.

    A bar not newer than the last seen is ignored; an account or instrument it knows stays as it is.
    """

    async def open_account(self, account: Account, cash: Decimal) -> None: ...

    async def list_instrument(self, instrument: Instrument) -> None: ...

    async def observe(self, market: MarketSlice) -> None:
        """Returns when every event that this slice causes has been put on `events`."""

    async def finish(self, market: MarketSlice) -> None:
        """Has linked orders meet the slice that was observed last; returns as `observe` does.

        It is called once what `observe` caused has been answered, and need not be where no order has a link.
        """

    def backlog(self) -> int:
        """How many events have been put on `events` and not been taken yet."""
