"""Orders: what was asked (`OrderSpec`), how far it has come (`Order`), and the one table of transitions.

`TRANSITIONS` maps (state, event) to state. Our own event outside it raises IllegalTransition. A venue's event
outside it never raises: `venue_transition` answers ANOMALY, the fill is booked all the same, and a person is told.
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from evenkeel.domain.errors import IllegalTransition
from evenkeel.domain.money import ZERO, ratio, sub


class Side(StrEnum):
    """`sign` is 1 for what adds to a position, -1 for what takes from it."""

    sign: int

    BUY = "BUY"
    SELL = "SELL"

    def __init__(self, name: str) -> None:
        self.sign = 1 if name == "BUY" else -1

    @property
    def other(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderKind(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"


NEEDS = {
    OrderKind.MARKET: (False, False),
    OrderKind.LIMIT: (True, False),
    OrderKind.STOP: (False, True),
    OrderKind.STOP_LIMIT: (True, True),
}
"""Whether an order of each kind has a limit price, and a stop price."""


class TimeInForce(StrEnum):
    """How long an order works. BAR: through the next bar of its instrument, at whose close the engine cancels it."""

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    BAR = "BAR"


class Product(StrEnum):
    """What the order's position is for: delivery, intraday, carried margin, or no such distinction."""

    NONE = "NONE"
    CNC = "CNC"
    MIS = "MIS"
    NRML = "NRML"


class OrderState(StrEnum):
    """`is_working`: the order may still fill, as far as is known."""

    is_working: bool

    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    CANCEL_PENDING = "CANCEL_PENDING"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    REFUSED = "REFUSED"
    EXPIRED_UNSENT = "EXPIRED_UNSENT"
    IN_DOUBT = "IN_DOUBT"
    ANOMALY = "ANOMALY"


class OrderEvent(StrEnum):
    APPROVE = "APPROVE"
    REFUSE = "REFUSE"
    ACCEPT = "ACCEPT"
    REJECT = "REJECT"
    PARTIAL_FILL = "PARTIAL_FILL"
    FILL = "FILL"
    CANCEL_REQUEST = "CANCEL_REQUEST"
    CANCEL_REFUSED = "CANCEL_REFUSED"
    CANCEL_REFUSED_PARTIAL = "CANCEL_REFUSED_PARTIAL"
    CANCEL = "CANCEL"
    EXPIRE = "EXPIRE"
    AMEND = "AMEND"
    UNSENT = "UNSENT"
    DOUBT = "DOUBT"
    BUST = "BUST"


_S, _E = OrderState, OrderEvent
WORKING = frozenset({_S.SUBMITTED, _S.ACCEPTED, _S.PARTIALLY_FILLED, _S.CANCEL_PENDING, _S.IN_DOUBT})
for _state in OrderState:
    _state.is_working = _state in WORKING
TERMINAL = frozenset({_S.FILLED, _S.CANCELLED, _S.REJECTED, _S.EXPIRED, _S.REFUSED, _S.EXPIRED_UNSENT, _S.ANOMALY})

# A refused cancel changes nothing but a pending one; it may come twice, or after the order has moved on.
_NOT_CANCELLED = (_E.CANCEL_REFUSED, _E.CANCEL_REFUSED_PARTIAL)


def _stays(state: OrderState, *events: OrderEvent) -> dict[OrderEvent, OrderState]:
    return dict.fromkeys(events, state)


_LIVE = {
    _E.REJECT: _S.REJECTED,
    _E.PARTIAL_FILL: _S.PARTIALLY_FILLED,
    _E.FILL: _S.FILLED,
    _E.CANCEL: _S.CANCELLED,
    _E.EXPIRE: _S.EXPIRED,
    _E.CANCEL_REQUEST: _S.CANCEL_PENDING,
    _E.DOUBT: _S.IN_DOUBT,
}
_BY_STATE: dict[OrderState | None, dict[OrderEvent, OrderState]] = {
    None: {_E.APPROVE: _S.SUBMITTED, _E.REFUSE: _S.REFUSED},
    _S.SUBMITTED: {
        **_LIVE,
        **_stays(_S.SUBMITTED, _E.AMEND, *_NOT_CANCELLED),
        _E.ACCEPT: _S.ACCEPTED,
        _E.UNSENT: _S.EXPIRED_UNSENT,
    },
    _S.ACCEPTED: {**_LIVE, **_stays(_S.ACCEPTED, _E.ACCEPT, _E.AMEND, *_NOT_CANCELLED)},
    _S.PARTIALLY_FILLED: {
        **_LIVE,
        **_stays(_S.PARTIALLY_FILLED, _E.ACCEPT, _E.AMEND, _E.BUST, *_NOT_CANCELLED),
    },
    _S.CANCEL_PENDING: {
        **_LIVE,
        **_stays(_S.CANCEL_PENDING, _E.ACCEPT, _E.PARTIAL_FILL, _E.AMEND, _E.BUST),
        _E.CANCEL_REFUSED: _S.ACCEPTED,
        _E.CANCEL_REFUSED_PARTIAL: _S.PARTIALLY_FILLED,
        _E.UNSENT: _S.EXPIRED_UNSENT,
    },
    _S.IN_DOUBT: {
        **_LIVE,
        **_stays(_S.IN_DOUBT, _E.CANCEL_REQUEST, _E.BUST, *_NOT_CANCELLED),
        _E.ACCEPT: _S.ACCEPTED,
        _E.AMEND: _S.ACCEPTED,
        _E.UNSENT: _S.EXPIRED_UNSENT,
    },
    # A fill may overtake, or be overtaken by, the message that ends the order: both orders of arrival agree.
    _S.FILLED: _stays(_S.FILLED, _E.ACCEPT, _E.AMEND, _E.CANCEL, _E.EXPIRE, _E.BUST, *_NOT_CANCELLED),
    _S.CANCELLED: {
        **_stays(_S.CANCELLED, _E.ACCEPT, _E.AMEND, _E.CANCEL, _E.PARTIAL_FILL, _E.BUST, *_NOT_CANCELLED),
        _E.EXPIRE: _S.EXPIRED,
        _E.FILL: _S.FILLED,
    },
    _S.EXPIRED: {
        **_stays(_S.EXPIRED, _E.ACCEPT, _E.AMEND, _E.EXPIRE, _E.CANCEL, _E.PARTIAL_FILL, _E.BUST, *_NOT_CANCELLED),
        _E.FILL: _S.FILLED,
    },
    _S.REJECTED: _stays(_S.REJECTED, _E.REJECT, _E.ACCEPT, *_NOT_CANCELLED),
    _S.REFUSED: {},
    _S.EXPIRED_UNSENT: _stays(_S.EXPIRED_UNSENT, *_NOT_CANCELLED),
    # What it is will not be known again from messages; a person can still have it cancelled.
    _S.ANOMALY: _stays(_S.ANOMALY, _E.CANCEL_REQUEST),
}
TRANSITIONS: dict[tuple[OrderState | None, OrderEvent], OrderState] = {
    (state, event): after for state, events in _BY_STATE.items() for event, after in events.items()
}


def transition(state: OrderState | None, event: OrderEvent) -> OrderState:
    """The state after one of our own events. Raises IllegalTransition outside the table."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"an order in state {state} cannot {event}") from None


def venue_transition(state: OrderState, event: OrderEvent) -> OrderState:
    """The state after a venue's event: ANOMALY outside the table, and for good."""
    return TRANSITIONS.get((state, event), OrderState.ANOMALY)


class OrderSpec(Struct, frozen=True, omit_defaults=True, gc=False):
    """What was asked, as it was asked. Prices and quantity are raw: ticks and lots of the instrument.

    Orders with the same `link` are exits of one position: what one of them fills, the others give up.
    """

    account_id: str
    book: str
    instrument_id: str
    side: Side
    quantity: Decimal
    kind: OrderKind
    client_order_id: str
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    product: Product = Product.NONE
    link: str = ""


class Order(Struct, kw_only=True, gc=False):
    """One order as it stands. Only the fold of the journal changes it."""

    id: str
    spec: OrderSpec
    venue_client_id: str
    state: OrderState
    session_date: date
    created_at: int
    updated_at: int
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    venue_order_id: str | None = None
    reason: str | None = None
    rule: str | None = None
    limit: str | None = None
    value: str | None = None
    source: str = ""
    send_by: int = 0
    triggered: bool = False
    has_venue_event: bool = False
    since: int = 0

    @property
    def remaining(self) -> Decimal:
        return max(ZERO, sub(self.quantity, self.filled)) if self.filled else self.quantity

    @property
    def is_working(self) -> bool:
        return self.state.is_working

    @property
    def average_price(self) -> Decimal | None:
        """Mean fill price to 28 digits, for display; None before the first fill."""
        return ratio(self.notional, self.filled) if self.filled else None
