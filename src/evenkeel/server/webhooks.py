"""Webhooks as the API takes and shows them, the alert as it is sent, and what it is answered with."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from evenkeel.domain import clock
from evenkeel.domain.money import plain
from evenkeel.domain.orders import Product
from evenkeel.domain.webhooks import (
    LONGEST_AGE,
    LONGEST_WINDOW,
    MOST_A_MINUTE,
    MOST_NETWORKS,
    MOST_SYMBOLS,
    SHORTEST_WINDOW,
    Decision,
    Delivery,
    Webhook,
)
from evenkeel.server.contract import PREFIX
from evenkeel.server.requests import MaybePositive, Name, PageQuery, Reference, Symbol
from evenkeel.server.schemas import Amount, Id, Moment
from evenkeel.trading.engine.state import State

INBOUND = f"{PREFIX}/webhooks/in"
_Network = Annotated[str, Meta(min_length=1, max_length=64, description="an address, a network, or tradingview")]
_Networks = Annotated[list[_Network], Meta(max_length=MOST_NETWORKS)]
_Symbols = Annotated[dict[Symbol, Symbol], Meta(max_length=MOST_SYMBOLS)]
_Allowed = Annotated[list[Symbol], Meta(max_length=MOST_SYMBOLS)]
_PerMinute = Annotated[int, Meta(ge=1, le=MOST_A_MINUTE, description=f"1 to {MOST_A_MINUTE}")]
_MaxAge = Annotated[int, Meta(ge=1, le=LONGEST_AGE, description=f"1 to {LONGEST_AGE} seconds")]
_Window = Annotated[
    int, Meta(ge=SHORTEST_WINDOW, le=LONGEST_WINDOW, description=f"{SHORTEST_WINDOW} to {LONGEST_WINDOW} seconds")
]


class NewWebhook(Struct, forbid_unknown_fields=True, kw_only=True):
    """A webhook of an account. `symbols` maps what the sender writes to our symbols; `allowed` are the only ones it may
    trade; `quantity` is for alerts without one; `networks` may name `tradingview`."""

    name: Name
    account_id: Reference
    book: Reference = "manual"
    product: Product = Product.NONE
    networks: _Networks = []
    per_minute: _PerMinute = 60
    max_age: _MaxAge = 60
    window: _Window = 30
    in_order: bool = True
    quantity: MaybePositive = field(default_factory=Raw)
    symbols: _Symbols = {}
    allowed: _Allowed = []
    enabled: bool = True


class WebhookChange(Struct, forbid_unknown_fields=True, kw_only=True):
    """What is left out stays as it is; a null `quantity` takes it away."""

    name: Name | UnsetType = UNSET
    book: Reference | UnsetType = UNSET
    product: Product | UnsetType = UNSET
    networks: _Networks | UnsetType = UNSET
    per_minute: _PerMinute | UnsetType = UNSET
    max_age: _MaxAge | UnsetType = UNSET
    window: _Window | UnsetType = UNSET
    in_order: bool | UnsetType = UNSET
    quantity: MaybePositive = field(default_factory=Raw)
    symbols: _Symbols | UnsetType = UNSET
    allowed: _Allowed | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET

    @property
    def given(self) -> set[str]:
        """The fields that say something."""
        named = {name for name in self.__struct_fields__ if getattr(self, name) is not UNSET}
        return named if bytes(self.quantity) else named - {"quantity"}


class WebhookOut(Struct):
    id: Id
    name: str
    account_id: Id
    enabled: bool
    book: str
    product: Product
    networks: list[str]
    per_minute: int
    max_age: int
    window: int
    in_order: bool
    quantity: Amount | None
    symbols: dict[str, str]
    allowed: list[str]
    created_at: Moment
    updated_at: Moment
    rotated_at: Moment


class NewWebhookOut(Struct):
    """A webhook with what is shown of it once: its token, and the path of the address to send to."""

    webhook: WebhookOut
    token: str
    path: str


class AlertIn(Struct, kw_only=True):
    """What is sent to a webhook. Further fields that only describe are kept in the log; others are refused."""

    symbol: Annotated[str, Meta(min_length=1, max_length=64)]
    signal_type: Literal["entry", "exit"] = "entry"
    action: Literal["buy", "sell"] | None = None
    quantity: MaybePositive = field(default_factory=Raw)
    price: Literal["market", "limit"] | None = None
    limit_price: MaybePositive = field(default_factory=Raw)
    trigger_price: MaybePositive = field(default_factory=Raw)
    account_id: str | None = None
    timestamp: str | int | None = None
    id: Annotated[str, Meta(max_length=128)] | None = None
    strategy_id: str | None = None
    alert_name: str | None = None


class DeliveredOut(Struct):
    """What was made of an alert, the same however often it is sent: `ordered`, `refused` by a risk limit with its rule,
    limit and value, `closing` where cancels come first, or `nothing` where nothing was held."""

    webhook_id: Id
    identity: str
    decision: str
    client_order_id: str
    order_id: Id | None = None
    rule: str | None = None
    limit: str | None = None
    value: str | None = None
    reason: str | None = None


class DeliveriesQuery(PageQuery, forbid_unknown_fields=True):
    decision: Decision | None = None


class DeliveryOut(Struct):
    """One request to a webhook; its body without secrets."""

    id: Id
    webhook_id: Id
    received_at: Moment
    address: str
    body: str
    identity: str
    sent_at: Moment | None
    symbol: str | None
    decision: Decision
    order_id: Id | None
    client_order_id: str | None
    reason: str | None


def webhook(state: State, this: Webhook) -> WebhookOut:
    terms = this.terms
    return WebhookOut(
        id=this.id,
        name=this.name,
        account_id=this.account_id,
        enabled=this.enabled,
        book=terms.book,
        product=terms.product,
        networks=list(terms.networks),
        per_minute=terms.per_minute,
        max_age=terms.max_age,
        window=terms.window,
        in_order=terms.in_order,
        quantity=None if terms.quantity is None else plain(terms.quantity),
        symbols={theirs: _symbol(state, ours) or "" for theirs, ours in terms.symbols.items()},
        allowed=[_symbol(state, one) or "" for one in terms.allowed],
        created_at=clock.iso(this.created_at),
        updated_at=clock.iso(this.updated_at),
        rotated_at=clock.iso(this.rotated_at),
    )


def new_webhook(state: State, this: Webhook, token: str) -> NewWebhookOut:
    return NewWebhookOut(webhook(state, this), token, f"{INBOUND}/{token}")


def delivery(state: State, this: Delivery) -> DeliveryOut:
    return DeliveryOut(
        id=this.id,
        webhook_id=this.webhook_id,
        received_at=clock.iso(this.received_at),
        address=this.address,
        body=this.body,
        identity=this.identity,
        sent_at=None if this.sent_at is None else clock.iso(this.sent_at),
        symbol=_symbol(state, this.instrument_id),
        decision=this.decision,
        order_id=this.order_id or None,
        client_order_id=this.client_order_id or None,
        reason=this.reason or None,
    )


def _symbol(state: State, instrument_id: str) -> str | None:
    found = state.instruments.get(instrument_id)
    return None if found is None else found.symbol
