"""What clients may send: bodies and queries, from which decoding, faults and OpenAPI are made alike.

Numbers stay raw here (`Positive` and its kin): `wire.Fields` reads them digit by digit, from a JSON string or number,
so that nothing passes through a float.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from evenkeel.desk.backtests import Kind
from evenkeel.domain.accounts import AccountType
from evenkeel.domain.orders import OrderKind, Product, Side, TimeInForce
from evenkeel.domain.strategies import Action, Scalar
from evenkeel.server.terms import TermsIn

# Controls, format characters (Unicode's Cf) and separators of lines and paragraphs. Regular expressions of JSON Schema
# have no escape beyond U+FFFF that Python's know, so those are written as they are.
_UNSEEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)
END = r"$(?!\n)"  # Python's $ alone lets a newline follow
TEXT = rf"^[^{_UNSEEN}]*{END}"
_NAME = rf"^[^\s{_UNSEEN}]([^{_UNSEEN}]*[^\s{_UNSEEN}])?{END}"
POSITIVE = r"^(0\.[0-9]{0,17}[1-9]|[1-9][0-9]{0,16}(\.[0-9]{1,18})?|0\.[0-9]{0,9}[1-9]0{1,8})$"
NOT_NEGATIVE = r"^(0|[1-9][0-9]{0,16})(\.[0-9]{1,18})?$"
SIGNED = r"^-?(0|[1-9][0-9]{0,16})(\.[0-9]{1,18})?$"
SHARE = r"^(0(\.[0-9]{1,18})?|1(\.0{1,18})?)$"


def _exact(pattern: str, *, optional: bool = False, **bounds: float) -> Any:
    kinds = ["string", "number"] + (["null"] if optional else [])
    return Meta(extra_json_schema={"type": kinds, "pattern": pattern, **bounds})


_POSITIVE: Any = {"exclusiveMinimum": 0, "exclusiveMaximum": 10**17}
_SHARE: Any = {"minimum": 0, "maximum": 1}
Positive = Annotated[Raw, _exact(POSITIVE, **_POSITIVE)]
MaybePositive = Annotated[Raw, _exact(POSITIVE, optional=True, **_POSITIVE)]
Share = Annotated[Raw, _exact(SHARE, **_SHARE)]
MaybeShare = Annotated[Raw, _exact(SHARE, optional=True, **_SHARE)]
MaybeSpeed = Annotated[Raw, _exact(NOT_NEGATIVE, optional=True, minimum=0, maximum=1000)]
MaybeNotNegative = Annotated[Raw, _exact(NOT_NEGATIVE, optional=True, minimum=0, exclusiveMaximum=10**17)]
Signed = Annotated[Raw, _exact(SIGNED, exclusiveMinimum=-(10**17), exclusiveMaximum=10**17)]
MaybeSigned = Annotated[Raw, _exact(SIGNED, optional=True, exclusiveMinimum=-(10**17), exclusiveMaximum=10**17)]
Cash = Annotated[Raw, _exact(NOT_NEGATIVE, minimum=0, exclusiveMaximum=10**17)]

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=_NAME,
        description="1 to 64 printable characters, no space at either end",
    ),
]
Reference = Annotated[str, Meta(min_length=1, max_length=64, pattern=TEXT, description="1 to 64 printable characters")]
Symbol = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=TEXT, description="a symbol of 1 to 64 printable characters")
]
Currency = Annotated[
    str,
    Meta(
        pattern=rf"^[A-Z0-9]{{3,10}}{END}",
        description="three to ten capital letters or digits that name a currency, such as USD or USDT",
    ),
]
Secret = Annotated[str, Meta(min_length=1, max_length=256, description="1 to 256 characters")]


class Login(Struct, forbid_unknown_fields=True):
    username: Secret
    password: Secret


class LinkLogin(Struct, forbid_unknown_fields=True):
    token: Secret


Rate = Annotated[float, Meta(gt=-1, lt=100, description="a fraction a year, such as 0.05")]


class FinancingIn(Struct, forbid_unknown_fields=True):
    """Annual rates, ACT/365: `debit` on free cash below zero, `credit` above it, `borrow` on the value of shorts."""

    debit: Rate = 0.0
    credit: Rate = 0.0
    borrow: Rate = 0.0


class NewAccount(Struct, forbid_unknown_fields=True):
    """A paper account. `fees` names a cost schedule, or a variant of one such as `india-futures(brokerage=0.0002)`.
    Without `financing` holding overnight costs and earns nothing; without `terms` orders fill as the venue does."""

    name: Name
    cash: Cash
    currency: Currency = "USD"
    type: AccountType = AccountType.CASH
    fees: Reference = "zero"
    financing: FinancingIn | None = None
    terms: TermsIn | None = None


class RateIn(Struct, forbid_unknown_fields=True):
    """A token bucket: `burst` requests at once, filled at `per_second`. `queue` is how many orders may wait; null: as
    many as can be sent in time."""

    per_second: Annotated[float, Meta(gt=0, le=10_000, description="above 0, to 10000")]
    burst: Annotated[int, Meta(ge=1, le=10_000, description="1 to 10000")]
    reserved: Annotated[int, Meta(ge=0, le=10_000, description="0 to 10000")] = 2
    queue: Annotated[int, Meta(ge=0, le=1_000_000, description="0 to 1000000")] | None = None


class LimitsChange(Struct, forbid_unknown_fields=True):
    """What is left out stays as it is; null turns a check off. With `rate` null the broker's own holds."""

    max_position_share: MaybeShare = field(default_factory=Raw)
    daily_loss: MaybeShare = field(default_factory=Raw)
    max_trades_per_day: Annotated[int, Meta(ge=0, le=1_000_000, description="0 to 1000000")] | UnsetType | None = UNSET
    allow_short: bool | UnsetType = UNSET
    cash_check: bool | UnsetType = UNSET
    maintenance: MaybeShare = field(default_factory=Raw)
    rate: RateIn | UnsetType | None = UNSET


class CashMove(Struct, forbid_unknown_fields=True):
    """A deposit into, or a withdrawal from, a paper account, in its currency."""

    kind: Literal["deposit", "withdrawal"]
    amount: Positive


TIMEFRAME = Meta(min_length=2, max_length=8, pattern=rf"^[1-9][0-9]{{0,3}}(s|m|h|d|w|mo){END}")
MOMENT = Meta(max_length=40, extra_json_schema={"format": "date-time"})


class TrailRange(Struct, forbid_unknown_fields=True):
    """So many times the average true range (Wilder) over `period` stored bars, as it is when the order is placed."""

    multiple: Positive
    period: Annotated[int, Meta(ge=1, le=1000, description="1 to 1000")] = 14
    timeframe: Annotated[str, TIMEFRAME] = "1d"


class LegTerms(Struct, forbid_unknown_fields=True, kw_only=True):
    """`limit_price` and `stop_price` go with the kinds that have them; `venue` is for symbols listed twice.

    A TRAILING_STOP has one of `trail_amount`, `trail_percent` and `trail_atr`; a TRAILING_STOP_LIMIT has its limit
    `trail_limit_offset`, an amount of price, beyond its stop. Market and limit orders with a `trigger_price` are held
    until that is reached, `after_market` orders until their exchange opens next. A GTD order ends at `expires_at`, a
    moment with its time zone.
    """

    symbol: Symbol
    side: Side
    quantity: Positive
    kind: OrderKind = OrderKind.MARKET
    limit_price: MaybePositive = field(default_factory=Raw)
    stop_price: MaybePositive = field(default_factory=Raw)
    trigger_price: MaybePositive = field(default_factory=Raw)
    trail_amount: MaybePositive = field(default_factory=Raw)
    trail_percent: MaybePositive = field(default_factory=Raw)
    trail_atr: TrailRange | None = None
    trail_limit_offset: MaybeNotNegative = field(default_factory=Raw)
    time_in_force: TimeInForce = TimeInForce.DAY
    expires_at: Annotated[str, MOMENT] | None = None
    after_market: bool = False
    product: Product = Product.NONE
    venue: Symbol | None = None


class OrderTerms(LegTerms, forbid_unknown_fields=True, kw_only=True):
    """`reduce_only`: it never opens or adds to a position. Without it, orders that wait for a price are, which are over
    no more than is held."""

    reduce_only: bool | None = None
    book: Reference = "manual"
    client_order_id: Reference | None = None


class NewOrder(OrderTerms, forbid_unknown_fields=True, kw_only=True):
    account_id: Reference


class AllocationIn(Struct, forbid_unknown_fields=True):
    account_id: Reference
    allocation: Share


_ACCOUNTS = Meta(max_length=200)


_SIZES = ["units", "cash", "percent-of-equity", "volatility-target", "kelly"]
Size = Annotated[
    Raw,
    Meta(
        extra_json_schema={
            "anyOf": [
                {"type": ["string", "number", "null"], "pattern": POSITIVE, **_POSITIVE},
                {"type": "object", "required": ["type"], "properties": {"type": {"enum": _SIZES}}},
            ]
        }
    ),
]
Fraction = Annotated[float, Meta(gt=0, le=1, description="a fraction above 0, to 1")]
Inside = Annotated[float, Meta(gt=0, lt=1, description="a fraction of price above 0, below 1")]


class RulesIn(Struct, forbid_unknown_fields=True):
    """When it is switched off for losing, and on again for having recovered; one of the first three at least.

    Off: its own result lies `max_drawdown` of what it was allotted below its best; `max_losses` closed trades in a row
    have lost; its own result of the last `return_days` days is below `min_return`. On: what its signals would have made
    has risen by `recovery` since its lowest. Between two switches lie `min_days` days.
    """

    max_drawdown: Fraction | None = None
    max_losses: Annotated[int, Meta(ge=1, le=1000, description="1 to 1000")] | None = None
    min_return: Annotated[float, Meta(ge=-1, lt=1, description="a fraction from -1, below 1")] | None = None
    return_days: Annotated[int, Meta(ge=1, le=3660, description="1 to 3660")] = 20
    recovery: Fraction | None = None
    min_days: Annotated[float, Meta(ge=0, le=3660, description="0 to 3660")] = 1.0


class EntryIn(Struct, forbid_unknown_fields=True):
    """Orders go out as limits `offset` better than the last price, good for the next bar."""

    offset: Annotated[float, Meta(ge=0, lt=1, description="a fraction of price from 0, below 1")] = 0.0


class ProtectionIn(Struct, forbid_unknown_fields=True):
    """Exits that go out with every position: fractions of the price of entry, the trailing one of the best since."""

    stop_loss: Inside | None = None
    take_profit: Annotated[float, Meta(gt=0, le=1000, description="a fraction of price above 0")] | None = None
    trailing_stop: Inside | None = None


class NewDeployment(Struct, forbid_unknown_fields=True):
    """`template` names one, or a configuration (`my-trend`, `my-trend@3`), whose size is used where none is given."""

    name: Name
    template: Reference
    symbols: Annotated[list[Symbol], Meta(min_length=1, max_length=200)]
    parameters: dict[Reference, Scalar] = {}
    accounts: Annotated[list[AllocationIn], _ACCOUNTS] = []
    enabled: bool = True
    size: Size = field(default_factory=Raw)
    rules: RulesIn | None = None
    entry: EntryIn | None = None
    protection: ProtectionIn | None = None


class DeploymentChange(Struct, forbid_unknown_fields=True):
    """What is left out stays as it is. Shares by account, or one for all accounts the strategy already trades.

    With another `template`, parameters begin from its own; without one, from those in force. With `size` null it is the
    allocated share of equity; with `rules` null there are none; with `entry` null its orders go out at the market.
    """

    accounts: Annotated[list[AllocationIn], _ACCOUNTS] | None = None
    allocation: MaybeShare = field(default_factory=Raw)
    template: Reference | None = None
    parameters: dict[Reference, Scalar] = {}
    size: Size = field(default_factory=Raw)
    rules: RulesIn | UnsetType | None = UNSET
    entry: EntryIn | UnsetType | None = UNSET


class FeedChange(Struct, forbid_unknown_fields=True):
    action: Literal["pause", "resume", "restart"] | None = None
    speed: MaybeSpeed = field(default_factory=Raw)


_Limit = Annotated[int, Meta(ge=1, le=5000, description="1 to 5000")]
Cursor = Annotated[
    str,
    Meta(min_length=1, max_length=128, pattern=rf"^[A-Za-z0-9_.:-]+{END}", description="a next_cursor of this list"),
]


class PageQuery(Struct, forbid_unknown_fields=True):
    limit: _Limit = 100
    cursor: Cursor | None = None


_Status = Literal[
    "open", "closed", "HELD", "SUBMITTED", "ACCEPTED", "PARTIALLY_FILLED", "CANCEL_PENDING", "FILLED", "CANCELLED",
    "REJECTED", "EXPIRED", "REFUSED", "EXPIRED_UNSENT", "IN_DOUBT", "ANOMALY",
]  # fmt: skip


class TradedQuery(PageQuery, forbid_unknown_fields=True):
    """What fits everything given. `group` is a group of accounts, `strategy` a deployment, each by name or id; `book`
    is an id, or manual. A `symbol` without a `venue` is that of every venue. `start` is inclusive, `end` exclusive."""

    account_id: Reference | None = None
    group: Name | None = None
    status: _Status | None = None
    book: Reference | None = None
    strategy: Name | None = None
    symbol: Symbol | None = None
    venue: Symbol | None = None
    side: Side | None = None
    kind: OrderKind | None = None
    product: Product | None = None
    start: Annotated[str, MOMENT] | None = None
    end: Annotated[str, MOMENT] | None = None


class OrdersQuery(TradedQuery, forbid_unknown_fields=True):
    """Times are those at which orders were decided on."""


class FillsQuery(TradedQuery, forbid_unknown_fields=True):
    """`status`, `kind` and `product` are those of the fill's order; times are those of execution."""

    order_id: Reference | None = None


class PositionsQuery(PageQuery, forbid_unknown_fields=True):
    """Open positions unless `status` asks for those that are closed, or for all."""

    limit: _Limit = 500
    account_id: Reference | None = None
    group: Name | None = None
    status: Literal["open", "closed", "all"] = "open"


class BarsQuery(Struct, forbid_unknown_fields=True):
    """`start` is inclusive, `end` exclusive; without them, the newest bars."""

    symbol: Symbol
    timeframe: Annotated[str, TIMEFRAME] = "1d"
    start: Annotated[str, MOMENT] | None = None
    end: Annotated[str, MOMENT] | None = None
    limit: Annotated[int, Meta(ge=1, le=5000, description="1 to 5000")] = 500
    adjusted: bool = True


class QuotesQuery(Struct, forbid_unknown_fields=True):
    symbols: Annotated[str, Meta(max_length=4000, pattern=TEXT, description="symbols, separated by commas")] = ""


class SignalsQuery(PageQuery, forbid_unknown_fields=True):
    """`start` is inclusive, `end` exclusive."""

    action: Action | None = None
    symbol: Symbol | None = None
    start: Annotated[str, MOMENT] | None = None
    end: Annotated[str, MOMENT] | None = None


class BacktestsQuery(PageQuery, forbid_unknown_fields=True):
    kind: Kind | None = None
    strategy: Reference | None = None
    state: Literal["queued", "running", "done", "failed", "cancelled"] | None = None


class BacktestEquityQuery(PageQuery, forbid_unknown_fields=True):
    """With `points`, at most so many bars at even distances instead of a page of all."""

    points: Annotated[int, Meta(ge=2, le=5000, description="2 to 5000")] | None = None


class ComparisonQuery(Struct, forbid_unknown_fields=True):
    ids: Annotated[
        str, Meta(min_length=1, max_length=1300, pattern=TEXT, description="1 to 20 ids, separated by commas")
    ]


class NoQuery(Struct, forbid_unknown_fields=True):
    pass
