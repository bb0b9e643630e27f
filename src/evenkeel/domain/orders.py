"""Orders: what was asked (`OrderSpec`), how far it has come (`Order`), and the one table of transitions.

`TRANSITIONS` maps (state, event) to state. Our own event outside it raises IllegalTransition. A venue's event
outside it never raises: `venue_transition` answers ANOMALY, the fill is booked all the same, and a person is told.
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec
from msgspec import Struct

from evenkeel.domain.errors import IllegalTransition
from evenkeel.domain.limits import Layer
from evenkeel.domain.money import ZERO, add, ratio, sub


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
    TRAILING_STOP = "TRAILING_STOP"
    TRAILING_STOP_LIMIT = "TRAILING_STOP_LIMIT"


NEEDS = {
    OrderKind.MARKET: (False, False),
    OrderKind.LIMIT: (True, False),
    OrderKind.STOP: (False, True),
    OrderKind.STOP_LIMIT: (True, True),
    OrderKind.TRAILING_STOP: (False, False),
    OrderKind.TRAILING_STOP_LIMIT: (False, False),
}
"""Whether an order of each kind has a limit price, and a stop price."""
FOLLOWS = {OrderKind.TRAILING_STOP: OrderKind.STOP, OrderKind.TRAILING_STOP_LIMIT: OrderKind.STOP_LIMIT}
"""The kinds whose stop follows the price, and what each is wherever that stop stands."""


class TimeInForce(StrEnum):
    """How long an order works. GTD: until the moment it names.

    BAR: through the next bar of its instrument, at whose close the engine cancels it.
    """

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    BAR = "BAR"
    GTD = "GTD"


class Product(StrEnum):
    """What the order's position is for: delivery, intraday, carried margin, or no such distinction."""

    NONE = "NONE"
    CNC = "CNC"
    MIS = "MIS"
    NRML = "NRML"


class OrderState(StrEnum):
    """`is_working`: a venue may still fill the order, as far as is known. `is_open`: it works, or is held here."""

    is_working: bool
    is_open: bool

    HELD = "HELD"
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
    HOLD = "HOLD"
    RELEASE = "RELEASE"
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
OPEN = WORKING | {_S.HELD}
for _state in OrderState:
    _state.is_working, _state.is_open = _state in WORKING, _state in OPEN
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
    None: {_E.APPROVE: _S.SUBMITTED, _E.REFUSE: _S.REFUSED, _E.HOLD: _S.HELD},
    # Held here: no venue knows it, so that all that befalls it is our own doing.
    _S.HELD: {
        _E.RELEASE: _S.SUBMITTED,
        _E.REFUSE: _S.REFUSED,
        _E.CANCEL: _S.CANCELLED,
        _E.EXPIRE: _S.EXPIRED,
        _E.AMEND: _S.HELD,
    },
    _S.SUBMITTED: {
        **_LIVE,
        **_stays(_S.SUBMITTED, _E.AMEND, *_NOT_CANCELLED),
        _E.ACCEPT: _S.ACCEPTED,
        _E.UNSENT: _S.EXPIRED_UNSENT,
        _E.HOLD: _S.HELD,
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
        _E.HOLD: _S.HELD,
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


class AverageRange(Struct, frozen=True, omit_defaults=True, gc=False):
    """So many times the average true range over `period` bars of a timeframe."""

    multiple: Decimal
    period: int
    timeframe: str


class Trail(Struct, frozen=True, omit_defaults=True, gc=False):
    """How far a trailing stop stays behind the best price: an amount of price, or a fraction of that best price.

    `average_range` is what the amount was made of, where it was. A trailing stop-limit has its limit `limit_offset`, an
    amount of price, beyond its stop.
    """

    amount: Decimal | None = None
    fraction: Decimal | None = None
    average_range: AverageRange | None = None
    limit_offset: Decimal | None = None

    def limit_at(self, side: Side, level: Decimal | None) -> Decimal | None:
        """The limit of an order whose stop stands at `level`: above it for a buy, below it, if that is a price, for a
        sale; None where it has none, or stands nowhere yet."""
        if self.limit_offset is None or level is None:
            return None
        if side is Side.BUY:
            return add(level, self.limit_offset)
        return sub(level, self.limit_offset) if level > self.limit_offset else level


class Trigger(Struct, frozen=True, omit_defaults=True, gc=False):
    """The price that sets an order off, by rising to it or by falling; None: whichever it takes from the last price."""

    price: Decimal
    rises: bool | None = None


class Kept(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the engine itself sees to for an order: when it goes out and as what, what its stop follows, when it ends.

    `kind` and `time_in_force` are what it is at the venue, where that is not what was asked. While it is held it waits
    until `begins`, then for `level`, which is reached by rising where it `rises`, by prices after `since`. With a
    `trail` the level follows the `best` price, 0 before the first, held here or as the stop of the venue's order.
    It is ended at `until`; with `day`, at the end of the day on which it first meets the market. `closes`: let out, it
    closes what its book holds at most; `reduces`: it is reduce-only, at its venue too. `reached`: its price has been,
    and it waits to go out, tried `again` at that moment. `asked` is the quantity of a change under way. (0: never.)
    """

    kind: OrderKind | None = None
    time_in_force: TimeInForce | None = None
    begins: int = 0
    level: Decimal | None = None
    rises: bool = False
    since: int = 0
    trail: Trail | None = None
    best: float = 0.0
    until: int = 0
    day: bool = False
    closes: bool = False
    reduces: bool = False
    reached: bool = False
    again: int = 0
    asked: Decimal | None = None


ENTRY_LEG = "entry"
"""How the names of those legs begin that open a position."""


class OrderSpec(Struct, frozen=True, omit_defaults=True, gc=False):
    """What was asked, as it was asked. Prices and quantity are raw: ticks and lots of the instrument.

    Of orders with the same `link` one fills in the others' place: they are exits of one position, or the entries of an
    either-or. An order that a composite has placed names it as `parent`, and the part it plays as `leg`.

    Held until `not_before`, then its `trigger`; GTD ends at `expires_at` (ns, 0: never); `reduce_only` None: undecided.
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
    parent: str = ""
    leg: str = ""
    trigger: Trigger | None = None
    trail: Trail | None = None
    expires_at: int = 0
    not_before: int = 0
    reduce_only: bool | None = None

    @property
    def is_exit(self) -> bool:
        """Whether it is one of the exits of a position, of which only one fills."""
        return bool(self.link) and not self.leg.startswith(ENTRY_LEG)


class Order(Struct, kw_only=True, gc=False):
    """One order as it stands. Only the fold of the journal changes it.

    `kept` is what the engine sees to for it; None for one that goes to its venue as it was asked, and is the venue's.
    """

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
    layer: Layer | None = None
    source: str = ""
    send_by: int = 0
    triggered: bool = False
    has_venue_event: bool = False
    since: int = 0
    kept: Kept | None = None

    @property
    def remaining(self) -> Decimal:
        return max(ZERO, sub(self.quantity, self.filled)) if self.filled else self.quantity

    @property
    def is_working(self) -> bool:
        return self.state.is_working

    @property
    def is_open(self) -> bool:
        return self.state.is_open

    @property
    def kind(self) -> OrderKind:
        """What it is at the venue, or will be once it is there."""
        return self.spec.kind if self.kept is None else self.kept.kind or self.spec.kind

    def stands_as(self, spec: OrderSpec) -> bool:
        """Whether this is what the venue is asked: see `as_it_stands`."""
        if self.kept is None and spec is self.spec:
            terms = (spec.quantity, spec.limit_price, spec.stop_price)
            return terms == (self.quantity, self.limit_price, self.stop_price)
        return self.as_it_stands() == spec

    def as_it_stands(self) -> OrderSpec:
        """What the venue is asked: in the kind it goes out as, with what splits and amendments have made of it."""
        if self.kept is None:
            return msgspec.structs.replace(
                self.spec, quantity=self.quantity, limit_price=self.limit_price, stop_price=self.stop_price
            )
        kind, lasts = self.kind, self.kept.time_in_force or self.spec.time_in_force
        return msgspec.structs.replace(
            self.spec,
            quantity=self.quantity,
            limit_price=self.limit_price if NEEDS[kind][0] else None,
            stop_price=self.stop_price if NEEDS[kind][1] else None,
            kind=kind,
            time_in_force=lasts,
            trigger=None,
            trail=self.spec.trail if kind in FOLLOWS else None,
            expires_at=self.spec.expires_at if lasts is TimeInForce.GTD else 0,
            not_before=0,
            reduce_only=self.kept.reduces or self.spec.reduce_only,
        )

    @property
    def average_price(self) -> Decimal | None:
        """Mean fill price to 28 digits, for display; None before the first fill."""
        return ratio(self.notional, self.filled) if self.filled else None
