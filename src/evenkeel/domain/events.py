"""Events from outside the engine: what a venue says of an order, and what the runner reports of its own sending."""

from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.fills import Charge
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.mtm import SessionTimes
from evenkeel.domain.orders import OrderKind, OrderState, Product, Side, TimeInForce


class VenueEvent(Struct, frozen=True, kw_only=True, tag_field="e", gc=False):
    """What a venue said. Orders are known by `venue_client_id` (ours) or `venue_order_id` (theirs), never by likeness.

    `at` is the venue's time; `bar` is the close of the bar that caused a simulated event, else 0.
    """

    account_id: str
    venue_client_id: str | None = None
    venue_order_id: str | None = None
    at: int = 0
    bar: int = 0


class VenueAccepted(VenueEvent, frozen=True, tag="accepted"):
    pass


class VenueRejected(VenueEvent, frozen=True, tag="rejected"):
    reason: str


class VenueFilled(VenueEvent, frozen=True, tag="filled"):
    """One execution. `symbol_id`, `side` are there so that an order placed elsewhere can be booked, too."""

    execution_id: str
    instrument_id: str
    side: Side
    quantity: Decimal
    price: Decimal
    charges: tuple[Charge, ...] = ()


class VenueTriggered(VenueEvent, frozen=True, tag="triggered"):
    """A stop has been touched; a stop-limit now rests as a limit."""


class VenueCancelled(VenueEvent, frozen=True, tag="cancelled"):
    reason: str | None = None


class VenueExpired(VenueEvent, frozen=True, tag="expired"):
    reason: str | None = None


class VenueCancelRefused(VenueEvent, frozen=True, tag="cancel-refused"):
    reason: str


class VenueAmended(VenueEvent, frozen=True, tag="amended"):
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


class VenueBusted(VenueEvent, frozen=True, tag="busted"):
    """The venue takes an execution back; it is reversed by a fill of the other side."""

    execution_id: str
    reason: str


AnyVenueEvent = (
    VenueAccepted
    | VenueRejected
    | VenueFilled
    | VenueTriggered
    | VenueCancelled
    | VenueExpired
    | VenueCancelRefused
    | VenueAmended
    | VenueBusted
)


class BrokerOrder(Struct, frozen=True, kw_only=True):
    """An order as the broker's own book shows it."""

    account_id: str
    venue_order_id: str
    venue_client_id: str | None
    instrument_id: str
    side: Side
    quantity: Decimal
    filled: Decimal
    kind: OrderKind
    state: OrderState
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    product: Product = Product.NONE


class BrokerPosition(Struct, frozen=True, kw_only=True):
    account_id: str
    instrument_id: str
    quantity: Decimal
    product: Product = Product.NONE
    average_price: Decimal | None = None


class BrokerBalance(Struct, frozen=True, kw_only=True):
    """Cash by currency, as the broker states it."""

    account_id: str
    cash: dict[str, Decimal]


class Lookup(Struct, frozen=True, kw_only=True):
    """The answer to "what became of this client id?": the order, or None = proven absent when `conclusive`."""

    order_id: str
    found: BrokerOrder | None
    conclusive: bool


class BrokerSnapshot(Struct, frozen=True, kw_only=True):
    """What one reconcile learned of an account. An incomplete one proves nothing and is never read as flat.

    `executions` are all of those at or after `since`; `booked` is how many fills the shard had when it was begun.
    `routine`: nothing had happened that asked for it.
    """

    account_id: str
    complete: bool
    since: int = 0
    booked: int | None = None
    reason: str | None = None
    orders: tuple[BrokerOrder, ...] = ()
    executions: tuple[VenueFilled, ...] = ()
    positions: tuple[BrokerPosition, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    routine: bool = False


class IntentOverdue(Struct, frozen=True, tag_field="n", tag="overdue"):
    """The runner did not send this order by its `send_by`; nothing has left the process."""

    order_id: str


class IntentDelayed(Struct, frozen=True, tag_field="n", tag="delayed"):
    """The order has waited longer than risk's view stays good (250 ms): it must pass risk again before it is sent."""

    order_id: str
    waited: int


class SendUncertain(Struct, frozen=True, tag_field="n", tag="uncertain"):
    """The send may or may not have reached the venue."""

    order_id: str
    reason: str


class SendFailed(Struct, frozen=True, tag_field="n", tag="failed"):
    """The send, or a cancel or modify, definitely did not reach the venue."""

    order_id: str
    what: str
    reason: str


class BrokerLink(Struct, frozen=True, tag_field="n", tag="link"):
    """An account's connection came up or went down. Down, or up but not reconciled, means NOT READY."""

    account_id: str
    connected: bool
    reason: str | None = None


class CursorAdvanced(Struct, frozen=True, tag_field="n", tag="cursor"):
    """The feed has been handed over up to `cursor`, and the strategies' states are as they were then.

    `places` (ns) are those of deployments whose states are of another moment, before it or after. `ended`: there is
    nothing after it. A cursor behind the one that stands leaves it where it is.
    """

    cursor: int
    states: dict[str, bytes] = {}
    ended: bool = False
    places: dict[str, int] = {}


class SliceMet(Struct, frozen=True, tag_field="n", tag="slice-met"):
    """The venues have shown what a slice makes of the orders in it, and not yet what it makes of exits."""

    market: MarketSlice


class SliceDone(Struct, frozen=True, tag_field="n", tag="slice-done"):
    """Everything that a slice makes of orders has been told: its bars lie behind."""

    market: MarketSlice


class RiskInputs(Struct, frozen=True, kw_only=True, tag_field="n", tag="risk-inputs"):
    """How daily returns of instruments went together over `days` of them up to `as_of` (ns).

    `correlations` has a row and a column for each of `instruments`, NaN where one did not move. Measurements, as
    prices are: they are kept in memory, and what a check saw of them is in its record.
    """

    as_of: int
    days: int
    instruments: tuple[str, ...]
    correlations: tuple[tuple[float, ...], ...]


class Started(Struct, frozen=True, tag_field="n", tag="started"):
    """A process has taken ownership and folded the journal. `wall` is outside what replays compare."""

    run: str
    version: str
    at: int
    wall: int = 0


class TimersDue(Struct, frozen=True, tag_field="n", tag="timers-due"):
    """A moment has come at which the engine has something to do, and the market is silent."""


class SessionsKnown(Struct, frozen=True, tag_field="n", tag="sessions"):
    """The coming sessions of an exchange and its time zone; none where nobody knows its calendar."""

    calendar: str
    zone: str
    sessions: tuple[SessionTimes, ...]


class Noticed(Struct, frozen=True, tag_field="n", tag="noticed"):
    """Something outside trading of which a person should know: it is told as an alert, and changes nothing."""

    level: str
    kind: str
    message: str
    account_id: str | None = None


class BrokerRests(Struct, frozen=True, tag_field="n", tag="broker-rests"):
    """A planned restart of a broker has begun and goes on `until` then (ns); 0: it is over."""

    broker: str
    until: int
    connected: bool = False


class AccountAway(Struct, frozen=True, tag_field="n", tag="account-away"):
    """An account has not been ready for so many seconds, and its market trades."""

    account_id: str
    seconds: int


class FeedSilent(Struct, frozen=True, tag_field="n", tag="feed-silent"):
    """The instruments of which no price has come for too long, with the seconds of session that went by; none where all
    speak. `limit` is what is too long, of `watched` instruments. `stalled`: for how long a replay has stood still.

    Measurements, as prices are: kept in memory alone.
    """

    seconds: dict[str, int]
    limit: int
    watched: int = 0
    stalled: int = 0


class PanicDue(Struct, frozen=True, tag_field="n", tag="panic-due"):
    """Nothing of what panics wait for has moved for a while: what was asked is to be asked again."""


class CopiesRead(Struct, frozen=True, tag_field="n", tag="copies-read"):
    """All records up to `cursor` have been read for what copy links follow, and nothing of that waits."""

    cursor: int


AnyNotice = (
    IntentOverdue
    | IntentDelayed
    | SendUncertain
    | SendFailed
    | BrokerLink
    | CursorAdvanced
    | SliceMet
    | SliceDone
    | RiskInputs
    | Started
    | PanicDue
    | BrokerRests
    | AccountAway
    | FeedSilent
    | Noticed
    | TimersDue
    | SessionsKnown
    | CopiesRead
)
