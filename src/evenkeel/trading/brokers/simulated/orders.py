"""An order as the simulated venue holds it, and everything else its book is made of, as plain values."""

from datetime import date
from decimal import Decimal

from msgspec import Struct, field

from evenkeel.domain.accounts import Account
from evenkeel.domain.events import BrokerOrder, BrokerPosition, VenueFilled
from evenkeel.domain.fills import Fill
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import ZERO, ratio, sub
from evenkeel.domain.orders import WORKING, Order, OrderSpec, OrderState
from evenkeel.domain.positions import Position
from evenkeel.trading.brokers.simulated.ledger import HoldingKey, Ledger

OrderKey = tuple[str, str]


class VenueOrder(Struct, kw_only=True, gc=False):
    """`spec` is what was asked first; quantity and prices are as amended or split since.

    The market counts from `since` (ns) on. `notional` sums price x quantity; `day_end` is where a DAY order's
    session ends, 0 until it has met its first bar or quote; `ahead` is the volume that a resting limit waits behind,
    negative until the market has come to its price.
    """

    order_id: str
    venue_client_id: str
    venue_order_id: str
    spec: OrderSpec
    state: OrderState
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    since: int
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    triggered: bool = False
    day_end: int = 0
    reason: str | None = None
    ahead: float = -1.0

    @property
    def key(self) -> OrderKey:
        return self.spec.account_id, self.venue_client_id

    @property
    def remaining(self) -> Decimal:
        return sub(self.quantity, self.filled) if self.filled else self.quantity

    @property
    def is_working(self) -> bool:
        return self.state.is_working

    def amend(self, wanted: OrderSpec) -> None:
        """Takes another quantity and other prices; at another price, or for more, it goes to the back of the queue."""
        if wanted.limit_price != self.limit_price or wanted.quantity > self.quantity:
            self.ahead = -1.0
        self.quantity, self.limit_price, self.stop_price = wanted.quantity, wanted.limit_price, wanted.stop_price


class BookState(Struct, kw_only=True):
    """The whole book. `seen` is the time of the last bar close or quote per instrument, `prices` the last price."""

    accounts: dict[str, Account] = field(default_factory=dict)
    instruments: dict[str, Instrument] = field(default_factory=dict)
    orders: dict[OrderKey, VenueOrder] = field(default_factory=dict)
    executions: dict[str, list[VenueFilled]] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    references: set[str] = field(default_factory=set)
    seen: dict[str, int] = field(default_factory=dict)
    prices: dict[str, float] = field(default_factory=dict)
    splits: set[tuple[str, date]] = field(default_factory=set)

    @property
    def cash(self) -> dict[str, dict[str, Decimal]]:
        """Cash by account and currency."""
        return self.ledger.cash

    @property
    def positions(self) -> dict[HoldingKey, Position]:
        """Holdings of accounts, all books together."""
        return self.ledger.positions


def venue_order_id(venue_client_id: str) -> str:
    """The id this venue gives an account's order: the same for the same client id, in every run."""
    return f"V{venue_client_id}"


def execution_id(order: VenueOrder, moment: int) -> str:
    """An order executes at most once per bar or quote, so client id and moment (ns) name an account's execution."""
    return f"X{order.venue_client_id}.{moment}"


def shown(order: VenueOrder) -> BrokerOrder:
    """The order as `open_orders` and `order_status` show it."""
    return BrokerOrder(
        account_id=order.spec.account_id,
        venue_order_id=order.venue_order_id,
        venue_client_id=order.venue_client_id,
        instrument_id=order.spec.instrument_id,
        side=order.spec.side,
        quantity=order.quantity,
        filled=order.filled,
        kind=order.spec.kind,
        state=order.state,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        time_in_force=order.spec.time_in_force,
        product=order.spec.product,
    )


def shown_position(position: Position, instrument: Instrument | None) -> BrokerPosition:
    """The position as `positions` shows it; its average price is that of a unit."""
    key, cost = position.key, position.average_price
    return BrokerPosition(
        account_id=key.account_id,
        instrument_id=key.instrument_id,
        quantity=position.quantity,
        product=key.product,
        average_price=ratio(cost, instrument.multiplier) if instrument and cost is not None else cost,
    )


def from_journal(order: Order) -> VenueOrder:
    """The venue's side of one of our orders: what we only asked for (a cancel) it does not know yet."""
    state, there = order.state, order.spec if order.kept is None else order.as_it_stands()
    if state in WORKING:
        state = OrderState.PARTIALLY_FILLED if order.filled else OrderState.ACCEPTED
    return VenueOrder(
        order_id=order.id,
        venue_client_id=order.venue_client_id,
        venue_order_id=order.venue_order_id or venue_order_id(order.venue_client_id),
        spec=there,
        state=state,
        quantity=order.quantity,
        limit_price=order.limit_price,
        stop_price=order.stop_price if order.kept is None else there.stop_price,
        since=order.since or order.created_at,
        filled=order.filled,
        notional=order.notional,
        triggered=order.triggered,
        reason=order.reason,
    )


def execution_of(fill: Fill, order: VenueOrder) -> VenueFilled:
    """The execution that a booked fill came from."""
    return VenueFilled(
        account_id=fill.account_id,
        venue_client_id=order.venue_client_id,
        venue_order_id=order.venue_order_id,
        at=fill.executed_at,
        execution_id=fill.venue_execution_id,
        instrument_id=fill.instrument_id,
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        charges=fill.charges,
    )
