"""What the API takes and says of many orders at once: baskets, cancelling by filter, changes in bulk."""

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct, field

from evenkeel.domain.errors import EvenkeelError, NotFound
from evenkeel.domain.limits import Layer
from evenkeel.domain.orders import OrderKind, OrderState, Product, Side
from evenkeel.domain.selections import MOST_TICKS
from evenkeel.server.refusals import Refusal, refusal_of
from evenkeel.server.requests import (
    MOMENT,
    MaybeNotNegative,
    MaybePositive,
    MaybeSigned,
    Name,
    NewOrder,
    Reference,
    Signed,
    Symbol,
)
from evenkeel.server.schemas import FieldFault, Id, OrderOut
from evenkeel.trading.engine.effects import Part
from evenkeel.trading.engine.state import State

MOST = 200
_ORDERS = Meta(min_length=1, max_length=MOST, description=f"1 to {MOST} orders")


class NewBasket(Struct, forbid_unknown_fields=True):
    """`mode` each: every order is judged by itself, in sequence. All: none is sent unless all are approved, each judged
    as if those before it had been placed. Orders without a client_order_id are named after `client_basket_id`. With
    `retry`, those of a basket sent before that came to nothing are placed anew, each as NAME:r1, NAME:r2 and so on; no
    others.
    """

    orders: Annotated[list[NewOrder], _ORDERS]
    mode: Literal["each", "all"] = "each"
    client_basket_id: Annotated[str, Meta(min_length=1, max_length=56, pattern=r"^[\x21-\x7e]+$")] | None = None
    retry: bool = False


class Verdict(Struct):
    """What became of one order; `rule`, `layer`, `limit`, `value` and `reason` say why it was refused.
    `created` is false for one that had been placed before."""

    id: Id
    client_order_id: str
    state: OrderState
    created: bool
    rule: str | None = None
    limit: str | None = None
    value: str | None = None
    reason: str | None = None
    layer: Layer | None = None


class BasketOut(Struct):
    """Every order as it stands, in the sequence asked for; `id` is null where all had been placed before."""

    id: str | None
    mode: Literal["each", "all"]
    accepted: int
    refused: int
    orders: list[Verdict]


def verdict(state: State, part: Part) -> Verdict:
    """One order of a basket."""
    order = state.orders[part.order_id]
    return Verdict(
        part.order_id,
        order.spec.client_order_id,
        order.state,
        part.created,
        order.rule,
        order.limit,
        order.value,
        order.reason,
        order.layer,
    )


class OrdersFilter(Struct, forbid_unknown_fields=True):
    """Working orders that fit everything given, of which something must be; with `all` alone, every one of yours.
    `book` is a strategy's id, or manual, `group` a group of accounts by name or id."""

    account_id: Reference | None = None
    group: Name | None = None
    book: Reference | None = None
    symbol: Symbol | None = None
    venue: Symbol | None = None
    side: Side | None = None
    kind: OrderKind | None = None
    product: Product | None = None
    all: bool = False


class Change(Struct, forbid_unknown_fields=True, kw_only=True):
    """How to change a working order. `quantity` is the new total, or `factor` times the present one, cut to whole lots.
    Prices are set, or moved by `ticks` or `percent` (1 is one per cent up), rounded to the tick. `at_market`: it is
    cancelled, and then a market order takes the place of what has not filled. A held order waits for `trigger_price`,
    a stop trails by `trail_amount` or `trail_percent`, with its limit `trail_limit_offset` beyond it where it has one;
    a GTD order ends at `expires_at`."""

    quantity: MaybePositive = field(default_factory=Raw)
    factor: MaybePositive = field(default_factory=Raw)
    limit_price: MaybePositive = field(default_factory=Raw)
    stop_price: MaybePositive = field(default_factory=Raw)
    ticks: Annotated[int, Meta(ge=-MOST_TICKS, le=MOST_TICKS, description="a whole number of ticks")] | None = None
    percent: MaybeSigned = field(default_factory=Raw)
    at_market: bool = False
    trigger_price: MaybePositive = field(default_factory=Raw)
    trail_amount: MaybePositive = field(default_factory=Raw)
    trail_percent: MaybePositive = field(default_factory=Raw)
    trail_limit_offset: MaybeNotNegative = field(default_factory=Raw)
    expires_at: Annotated[str, MOMENT] | None = None


class OrderChange(Change, forbid_unknown_fields=True, kw_only=True):
    order_id: Reference


class OrdersChange(Struct, forbid_unknown_fields=True):
    """Either `orders`, each with its own change, or one `change` of all that `select` fits."""

    orders: Annotated[list[OrderChange], Meta(max_length=MOST, description=f"at most {MOST} orders")] = []
    select: OrdersFilter | None = None
    change: Change | None = None


class Fault(Refusal):
    """Why nothing was done about an order; `rule`, `layer`, `limit` and `value` where risk refuses it."""

    code: str
    detail: str
    errors: list[FieldFault]
    hint: str | None = None


class Changed(Struct):
    """One order as it stands after what was asked; `fault` is null where that was done."""

    id: str
    state: OrderState | None
    fault: Fault | None


class ManyOut(Struct):
    """What became of each order, and of how many nothing could be done. `stopped` are the composite orders that place
    no more of them."""

    items: list[Changed]
    done: int
    failed: int
    stopped: list[Id]


def many(state: State, parts: tuple[Part, ...], *, stopped: tuple[str, ...] = ()) -> ManyOut:
    """The answer to a command over many orders."""
    items = [_changed(state, part) for part in parts]
    failed = sum(1 for one in items if one.fault is not None)
    return ManyOut(items, len(items) - failed, failed, list(stopped))


def _changed(state: State, part: Part) -> Changed:
    if isinstance(part.error, NotFound):
        return Changed(part.order_id, None, _fault(part.error))
    fault = None if part.error is None else _fault(part.error)
    return Changed(part.order_id, state.orders[part.order_id].state, fault)


def _fault(error: EvenkeelError) -> Fault:
    faults = [FieldFault(one.field, one.message) for one in getattr(error, "errors", ())]
    return Fault(error.code, error.message, faults, error.hint, **refusal_of(error))


class NewClosing(Struct, forbid_unknown_fields=True, kw_only=True):
    """Closes what is held of a symbol, all of it or `quantity` units or a `share` of one position. With `cancel`, what
    works there is cancelled first. Without `book` and `product`, each of them is closed by an order of its own."""

    account_id: Reference
    symbol: Symbol
    venue: Symbol | None = None
    book: Reference | None = None
    product: Product | None = None
    quantity: MaybePositive = field(default_factory=Raw)
    share: MaybePositive = field(default_factory=Raw)
    cancel: bool = True
    client_order_id: Reference | None = None


class NewReversal(Struct, forbid_unknown_fields=True, kw_only=True):
    account_id: Reference
    symbol: Symbol
    venue: Symbol | None = None
    book: Reference | None = None
    product: Product | None = None
    client_order_id: Reference | None = None


class NewTarget(Struct, forbid_unknown_fields=True, kw_only=True):
    """Brings a position to a signed quantity, counting what works: at the market, or by a limit order."""

    account_id: Reference
    symbol: Symbol
    quantity: Signed
    venue: Symbol | None = None
    book: Reference = "manual"
    product: Product = Product.NONE
    limit_price: MaybePositive = field(default_factory=Raw)
    client_order_id: Reference | None = None


class NewFlattening(Struct, forbid_unknown_fields=True):
    """Closes every position that fits. `side` is BUY for longs and SELL for shorts, `group` a group of accounts by name
    or id; with no filter at all, `all` says that everything you hold is meant."""

    account_id: Reference | None = None
    group: Name | None = None
    book: Reference | None = None
    symbol: Symbol | None = None
    venue: Symbol | None = None
    side: Side | None = None
    product: Product | None = None
    all: bool = False
    cancel: bool = True


class MovedOut(Struct):
    """The orders placed, those being cancelled, and how many positions wait for cancels before they are closed.
    `stopped` are the composite orders that place nothing more there."""

    orders: list[OrderOut]
    cancelling: list[Id]
    waiting: int
    stopped: list[Id]
