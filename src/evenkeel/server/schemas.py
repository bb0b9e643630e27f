"""What the API says: one Struct per object, from which both the wire format and OpenAPI are made.

Amounts leave as exact decimal strings and times as ISO 8601 in UTC.
"""

from typing import Annotated, Generic, Literal, TypeVar

from msgspec import Meta, Struct

from evenkeel.desk.permissions import Permission
from evenkeel.domain.accounts import AccountMode, AccountType, Readiness
from evenkeel.domain.instruments import AssetClass, OptionRight
from evenkeel.domain.limits import Layer
from evenkeel.domain.orders import OrderKind, OrderState, Product, Side, TimeInForce
from evenkeel.domain.strategies import Action, Scalar
from evenkeel.server.refusals import Refusal
from evenkeel.server.terms import TermsOut

T = TypeVar("T")

_DECIMAL = r"^-?[0-9]+(\.[0-9]+)?$"
Amount = Annotated[str, Meta(pattern=_DECIMAL, description="An exact decimal.", examples=["1234.56"])]
Moment = Annotated[
    str,
    Meta(extra_json_schema={"format": "date-time"}, description="UTC, ISO 8601.", examples=["2005-09-01T20:00:00Z"]),
]
Day = Annotated[str, Meta(extra_json_schema={"format": "date"}, examples=["2005-09-01"])]
Id = Annotated[str, Meta(description="Stable and opaque.", examples=["01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061"])]


class Page(Struct, Generic[T]):
    """One page of a list; `next_cursor` asks for the next one, null at the end."""

    items: list[T]
    next_cursor: str | None = None


class FieldFault(Struct):
    field: str
    message: str


class ProblemBody(Refusal):
    """What went wrong (RFC 9457). `code` is stable; `errors` names every field at fault. Where risk refuses a change,
    `rule`, `layer`, `limit` and `value` say why, as they do of a refused order; else they are null."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldFault]
    hint: str | None = None
    request_id: str | None = None


class UserOut(Struct):
    """Who is signed in, and what they may do in what is theirs: `permissions` are those of their role, or of the key
    that asks."""

    id: Id
    username: str
    role: str
    permissions: list[Permission]


class SignedIn(Struct):
    """`csrf_token` goes as X-CSRF-Token with what the session cookie alone authorises; `recovery_codes` are there where
    this sign-in has switched two factors on, and are not shown again."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int
    user: UserOut
    csrf_token: str
    recovery_codes: list[str] | None = None


class StreamTicket(Struct):
    ticket: str
    expires_in: int


class RateOut(Struct):
    """A token bucket of `burst` that fills at `per_second`, `reserved` of it for panics and cancels."""

    per_second: float
    burst: int
    reserved: int
    queue: int


class LimitsOut(Struct):
    """The account's limits; null is a check that has been turned off. `rate` null: as its broker says."""

    max_position_share: Amount | None
    daily_loss: Amount | None
    max_trades_per_day: int | None
    allow_short: bool
    cash_check: bool
    maintenance: Amount | None
    rate: RateOut | None


class AccountOut(Struct):
    """`live`: whether a live account is switched on; null of an account that simulates. `inactive_reason` says since
    when, and why, an account is out of use."""

    id: Id
    name: str
    broker: str
    mode: AccountMode
    type: AccountType
    currency: str
    fees: str
    time_zone: str
    readiness: Readiness
    readiness_reason: str | None
    is_active: bool
    cash: Amount
    equity: Amount
    positions_value: Amount
    day_pnl: Amount
    day_return: Amount
    total_return: Amount
    realised_pnl: Amount
    unrealised_pnl: Amount
    drawdown: Amount
    initial_balance: Amount
    session_date: Day
    trades_today: int
    open_orders: int
    positions: int
    limits: LimitsOut
    terms: TermsOut | None
    live: bool | None = None
    inactive_reason: str | None = None


class TrailRangeOut(Struct):
    multiple: Amount
    period: int
    timeframe: str


class OrderOut(Struct):
    """`rests_at`: the broker that has an open order, or "evenkeel", which holds it until `not_before` or until its
    price is reached. The stop price of a trailing stop is where it stands now."""

    id: Id
    client_order_id: str
    venue_order_id: str | None
    account_id: Id
    book: str
    strategy: str | None
    portfolio: str | None
    instrument_id: Id
    symbol: str
    venue: str
    side: Side
    quantity: Amount
    filled_quantity: Amount
    kind: OrderKind
    limit_price: Amount | None
    stop_price: Amount | None
    trigger_price: Amount | None
    trail_amount: Amount | None
    trail_percent: Amount | None
    trail_atr: TrailRangeOut | None
    trail_limit_offset: Amount | None
    time_in_force: TimeInForce
    expires_at: Moment | None
    not_before: Moment | None
    reduce_only: bool
    product: Product
    state: OrderState
    rests_at: str | None
    reason: str | None
    rule: str | None
    limit: str | None
    value: str | None
    layer: Layer | None
    average_price: Amount | None
    source: str
    parent: str | None
    leg: str | None
    created_at: Moment
    updated_at: Moment
    session_date: Day


class FillOut(Struct):
    id: Id
    order_id: Id
    account_id: Id
    book: str
    strategy: str | None
    portfolio: str | None
    instrument_id: Id
    symbol: str
    side: Side
    quantity: Amount
    price: Amount
    fees: Amount
    currency: str
    executed_at: Moment
    session_date: Day
    venue_execution_id: str


class PositionOut(Struct):
    id: Id
    account_id: Id
    book: str
    strategy: str | None
    portfolio_id: str | None
    portfolio: str | None
    instrument_id: Id
    symbol: str
    product: Product
    quantity: Amount
    average_price: Amount | None
    total_cost: Amount
    last_price: Amount | None
    market_value: Amount
    unrealised_pnl: Amount
    realised_pnl: Amount
    currency: str


class EquityOut(Struct):
    id: Id
    account_id: Id
    at: Moment
    equity: Amount
    cash: Amount
    contributed: Amount
    total_return: Amount


class LedgerOut(Struct):
    id: Id
    at: Moment
    value_date: Day
    kind: str
    component: str
    amount: Amount
    currency: str
    book: str
    order_id: str | None


class AllocationOut(Struct):
    account_id: Id
    allocation: Amount


class LastSignal(Struct):
    at: Moment
    symbol: str
    target: float | None
    action: Action
    confidence: float


class SwitchOut(Struct):
    """The last time a rule, or a person after one, switched it, with the rule's limit and what it saw."""

    on: bool
    at: Moment
    rule: str
    limit: str
    value: str


class RulesOut(Struct):
    """When it is switched off for losing, and on again; null is a rule that is not used."""

    max_drawdown: float | None
    max_losses: int | None
    min_return: float | None
    return_days: int
    recovery: float | None
    min_days: float


class EntryOut(Struct):
    offset: float


class ProtectionOut(Struct):
    stop_loss: float | None
    take_profit: float | None
    trailing_stop: float | None


class DeploymentOut(Struct):
    id: Id
    name: str
    template: str
    version: str
    parameters: dict[str, Scalar]
    symbols: list[str]
    mode: Literal["paper", "live"]
    enabled: bool
    status: Literal["running", "disabled", "paused", "switched-off", "removed"]
    status_reason: str | None
    configuration: str | None
    size: dict[str, Scalar] | None
    rules: RulesOut | None
    entry: EntryOut | None
    protection: ProtectionOut | None
    switch: SwitchOut | None
    accounts: list[AllocationOut]
    orders: int
    fills: int
    refusals: int
    realised_pnl: Amount
    unrealised_pnl: Amount
    last_signal: LastSignal | None


class ParameterOut(Struct):
    name: str
    type: str
    default: Scalar
    minimum: int | float | None
    maximum: int | float | None
    description: str


class SignalOut(Struct):
    id: Id
    at: Moment
    deployment_id: Id
    symbol: str
    target: float | None
    action: Action
    confidence: float
    details: dict[str, float | str]


class InstrumentOut(Struct):
    id: Id
    symbol: str
    venue: str
    asset_class: AssetClass
    currency: str
    tick_size: Amount
    lot_size: Amount
    multiplier: Amount
    expiry: Day | None
    strike: Amount | None
    right: OptionRight | None
    last_price: Amount | None


class BarOut(Struct):
    id: str
    ts: Moment
    close_ts: Moment
    open: Amount
    high: Amount
    low: Amount
    close: Amount
    volume: Amount


class QuoteOut(Struct):
    id: Id
    symbol: str
    bid: Amount | None
    ask: Amount | None
    last: Amount | None
    at: Moment | None
    age: float | None
    silent: bool


class FeedOut(Struct):
    id: str
    kind: Literal["replay", "simulated", "none"]
    state: Literal["running", "paused", "ended", "halted", "none"]
    speed: Amount
    cursor: Moment | None
    start: Moment | None
    end: Moment | None
    stalled: bool
    silent: list[str]


class EventOut(Struct):
    id: str
    at: Moment
    level: Literal["info", "warning", "critical"]
    kind: str
    message: str
    account_id: str | None
    order_id: str | None
    deployment_id: str | None
