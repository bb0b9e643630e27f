"""What the API takes and says of composite orders.

One body serves every kind: `orders` are what it consists of, and beside them stand the fields that its kind has. What
is to be worked out, from the clock or from stored bars, is worked out at the door, and is in the terms from then on.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct, field, to_builtins

from evenkeel.domain import clock
from evenkeel.domain import composites as d
from evenkeel.domain.composites import CompositeState, OnFailure
from evenkeel.domain.limits import Layer
from evenkeel.domain.money import ZERO, sub
from evenkeel.domain.orders import Side
from evenkeel.server import views
from evenkeel.server.requests import MOMENT, LegTerms, MaybePositive, PageQuery, Reference, TrailRange
from evenkeel.server.schemas import Amount, Id, Moment, OrderOut
from evenkeel.trading.engine.composites import children, exits, pacing
from evenkeel.trading.engine.composites.standing import Composite
from evenkeel.trading.engine.state import State

Kind = Literal["bracket", "cover", "oco", "iceberg", "parts", "slices", "twap", "vwap", "participation", "legs"]
ORDERS_OF: dict[str, tuple[int, int]] = {"oco": (2, 2), "legs": (2, 20)}
_TRAIL = ("trail_amount", "trail_percent", "trail_atr")
FIELDS_OF: dict[str, tuple[str, ...]] = {
    "bracket": ("stop_loss", "take_profit", *_TRAIL),
    "cover": ("stop_loss", *_TRAIL),
    "oco": (),
    "iceberg": ("displayed",),
    "parts": ("size",),
    "slices": ("count", "every", "randomise"),
    "twap": ("start", "end", "every", "randomise"),
    "vwap": ("start", "end", "every", "randomise"),
    "participation": ("share", "most", "end"),
    "legs": ("on_failure",),
}
_WHEN = Annotated[str, MOMENT]
_SHARE = Annotated[float, Meta(gt=0, le=1, description="a share of the volume above 0, to 1")]


class Pacing(Struct, forbid_unknown_fields=True, kw_only=True):
    """How slices follow each other: `size` of parts; `count` slices `every` so many seconds; from `start` (now) until
    `end`; `share` of what trades, at most `most` a bar. `randomise` moves moments and sizes by up to that fraction."""

    size: MaybePositive = field(default_factory=Raw)
    count: Annotated[int, Meta(ge=2, le=pacing.MOST_SLICES, description="2 to 1000")] | None = None
    every: Annotated[int, Meta(ge=1, le=86_400 * 7, description="1 to 604800 seconds")] | None = None
    start: _WHEN | None = None
    end: _WHEN | None = None
    randomise: Annotated[float, Meta(ge=0, le=0.9, description="a fraction from 0 to 0.9")] | None = None
    share: _SHARE | None = None
    most: MaybePositive = field(default_factory=Raw)


class Guards(Pacing, forbid_unknown_fields=True, kw_only=True):
    """Exits of an entry: a `stop_loss`, a `take_profit`, one way for the stop to trail. `displayed`: of an iceberg."""

    stop_loss: MaybePositive = field(default_factory=Raw)
    take_profit: MaybePositive = field(default_factory=Raw)
    trail_amount: MaybePositive = field(default_factory=Raw)
    trail_percent: MaybePositive = field(default_factory=Raw)
    trail_atr: TrailRange | None = None
    displayed: MaybePositive = field(default_factory=Raw)


class NewComposite(Guards, forbid_unknown_fields=True, kw_only=True):
    """`orders`: the entry of a bracket or cover; the two of an oco; the whole of an iceberg or of slices; the legs, in
    sequence. Beside them go the fields of the kind, and no others: `stop_loss`, `take_profit` and a trail with a
    bracket, all but the second with a cover, `displayed` with an iceberg, `size` with parts, `count` and `every` with
    slices, `start`, `end` and `every` with twap and vwap, `share`, `most` and `end` with participation, `on_failure`
    with legs."""

    kind: Kind
    account_id: Reference
    orders: Annotated[list[LegTerms], Meta(min_length=1, max_length=20, description="1 to 20 orders")]
    on_failure: OnFailure | None = None
    book: Reference = "manual"
    client_order_id: Reference | None = None


class CompositeChange(Guards, forbid_unknown_fields=True, kw_only=True):
    """What is left out stays. `limit_price` is that of an entry, of slices, or of the limit order of an oco,
    `stop_price` that of its stop order. A pace is changed as a whole."""

    limit_price: MaybePositive = field(default_factory=Raw)
    stop_price: MaybePositive = field(default_factory=Raw)


_Status = Literal[
    "live", "ended", "ACTIVE", "PAUSED", "CLOSING", "STOPPING", "DONE", "CANCELLED", "EXPIRED", "REFUSED", "FAILED"
]


class CompositesQuery(PageQuery, forbid_unknown_fields=True):
    """`status` is live, ended, or a state."""

    account_id: Reference | None = None
    status: _Status | None = None


class Cancelling(Struct, forbid_unknown_fields=True):
    """With `close`, what a bracket or cover has entered is closed at the market."""

    close: bool = False


class LegOut(Struct):
    """One part that its orders play: how many there were, what they have filled, and what is still at work."""

    leg: str
    orders: int
    filled_quantity: Amount
    working_quantity: Amount


class CompositeOut(Struct):
    """A composite order as it stands. `quantity` is that of its first order; `open_quantity` what it has entered and
    not left, or has still to fill, 0 once it has ended; `terms` what it was asked for, as that stands now; `next_at`
    when it goes on."""

    id: Id
    kind: Kind
    client_order_id: str
    account_id: Id
    book: str
    strategy: str | None
    symbol: str
    side: Side
    quantity: Amount
    filled_quantity: Amount
    open_quantity: Amount
    state: CompositeState
    reason: str | None
    rule: str | None
    layer: Layer | None
    limit: str | None
    value: str | None
    legs: list[LegOut]
    terms: dict[str, Any]
    next_at: Moment | None
    created_at: Moment
    updated_at: Moment
    ended_at: Moment | None


class WholeComposite(CompositeOut):
    """With its orders, oldest first."""

    orders: list[OrderOut]


def kind_of(terms: d.Terms) -> Kind:
    """The kind under which the API knows such terms."""
    if not isinstance(terms, d.Slices):
        return terms.__struct_config__.tag  # type: ignore[return-value]
    return "slices" if isinstance(terms.pace, d.Fixed) else terms.pace.__struct_config__.tag  # type: ignore[return-value]


def _figures(state: State, one: Composite) -> dict[str, Any]:
    lead = one.lead
    legs = [
        LegOut(
            leg,
            len(names),
            views.text(one.filled_of(leg)),
            views.text(children.on_the_way(state, one, leg)),
        )
        for leg, names in one.legs.items()
    ]
    filled = _filled(one)
    return {
        "id": one.id,
        "kind": kind_of(one.terms),
        "client_order_id": one.client_order_id,
        "account_id": one.account_id,
        "book": one.book,
        "strategy": views.strategy_name(state, one.book),
        "symbol": state.instruments[lead.instrument_id].symbol,
        "side": lead.side,
        "quantity": views.text(lead.quantity),
        "filled_quantity": views.text(filled),
        "open_quantity": views.text(_open(one, filled)),
        "state": one.state,
        "reason": one.reason,
        "rule": one.rule,
        "layer": one.layer,
        "limit": one.limit,
        "value": one.value,
        "legs": legs,
        "terms": to_builtins(one.terms),
        "next_at": clock.iso(one.wake) if one.wake else None,
        "created_at": clock.iso(one.created_at),
        "updated_at": clock.iso(one.updated_at),
        "ended_at": clock.iso(one.ended_at) if one.ended_at else None,
    }


def _filled(one: Composite) -> Decimal:
    """What its first order has filled, by whichever of its children."""
    match one.terms:
        case d.Bracket() | d.Cover():
            return one.filled_of(d.ENTRY)
        case d.OneCancelsOther():
            return one.filled_of(*(d.EXITS if one.closes else d.EITHER))
        case d.Legs():
            return one.filled_of("leg-1")
        case _:
            return one.filled_of(d.SLICE)


def _open(one: Composite, filled: Decimal) -> Decimal:
    if not one.state.is_live:
        return ZERO
    return max(ZERO, exits.held_of(one) if one.guards else sub(one.lead.quantity, filled))


def composite(state: State, one: Composite) -> CompositeOut:
    """A composite order in a list."""
    return CompositeOut(**_figures(state, one))


def whole(state: State, one: Composite) -> WholeComposite:
    """A composite order with its orders."""
    found = [state.orders[name] for names in one.legs.values() for name in names]
    orders = [views.order(state, order) for order in sorted(found, key=lambda order: (order.created_at, order.id))]
    return WholeComposite(**_figures(state, one), orders=orders)
