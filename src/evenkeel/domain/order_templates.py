"""Order templates: an order as somebody uses it again and again, under a name of their own.

Its size is a rule, its prices are told from the last price, and it may carry a stop and a target for what it opens.
What it comes to is worked out when it is used.
"""

from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.accounts import MANUAL
from evenkeel.domain.errors import FieldError
from evenkeel.domain.money import ONE, add, mul, ratio, rounded, sub
from evenkeel.domain.orders import NEEDS, OrderKind, Product, Side, TimeInForce
from evenkeel.domain.sizing import Sizing, exactly

HUNDRED = Decimal(100)
MOST_TICKS = 1_000_000


class RiskPerTrade(Struct, frozen=True, tag="risk-per-trade"):
    """As much as loses `share` of equity between entry and stop: equity * share / (distance * multiplier)."""

    share: Decimal

    def __post_init__(self) -> None:
        exactly(self, "share")


TemplateSize = Sizing | RiskPerTrade


class Offset(Struct, frozen=True, omit_defaults=True):
    """How far a price lies from another, in ticks or in per cent of it (1 is one per cent): above it for a buy where
    positive, and below it for a sale."""

    ticks: int | None = None
    percent: Decimal | None = None

    def of(self, price: Decimal, side: Side, *, tick: Decimal) -> Decimal:
        """The price that far from `price`, on the grid."""
        if self.ticks is not None:
            return add(price, mul(tick, Decimal(self.ticks * side.sign)))
        share = ratio(self.percent or Decimal(0), HUNDRED)
        factor = add(ONE, share) if side is Side.BUY else sub(ONE, share)
        return rounded(mul(price, factor), tick)


class OrderTemplate(Struct, frozen=True, omit_defaults=True):
    """What an order is to be. Without a symbol or a side, they are given when it is used.

    `limit` and `stop` are told from the last price. `stop_loss` and `take_profit` are distances from where it is
    expected to fill, against it and in its favour: with one of them it becomes a bracket. `timeframe` is of the bars
    that a size by volatility or Kelly looks at.
    """

    kind: OrderKind
    size: TemplateSize
    symbol: str | None = None
    venue: str | None = None
    side: Side | None = None
    limit: Offset | None = None
    stop: Offset | None = None
    stop_loss: Offset | None = None
    take_profit: Offset | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    product: Product = Product.NONE
    book: str = MANUAL
    timeframe: str = "1d"
    description: str = ""

    @property
    def has_exits(self) -> bool:
        return self.stop_loss is not None or self.take_profit is not None


class SavedTemplate(Struct, frozen=True):
    """A user's template under its name."""

    user_id: str
    name: str
    template: OrderTemplate
    created_at: int
    updated_at: int


class Prices(Struct, frozen=True):
    """What a template's prices come to; `entry` is where it is expected to fill."""

    entry: Decimal
    limit: Decimal | None
    stop: Decimal | None
    stop_loss: Decimal | None
    take_profit: Decimal | None


def prices_of(template: OrderTemplate, side: Side, *, last: Decimal, tick: Decimal) -> Prices:
    """The prices of a template for one side, at a last price."""
    limit = None if template.limit is None else template.limit.of(last, side, tick=tick)
    stop = None if template.stop is None else template.stop.of(last, side, tick=tick)
    entry = limit or stop or last
    loss, profit = template.stop_loss, template.take_profit
    return Prices(
        entry,
        limit,
        stop,
        None if loss is None else loss.of(entry, side.other, tick=tick),
        None if profit is None else profit.of(entry, side, tick=tick),
    )


def template_faults(template: OrderTemplate) -> list[FieldError]:
    """What makes no sense of a template, by field."""
    faults = [
        FieldError(name, f"a {template.kind} order {'needs one' if needs else 'has none'}")
        for name, needs in zip(("limit", "stop"), NEEDS[template.kind], strict=True)
        if needs is (getattr(template, name) is None)
    ]
    for name in ("limit", "stop", "stop_loss", "take_profit"):
        offset = getattr(template, name)
        if offset is not None:
            faults += _offset_faults(name, offset, is_distance=name in ("stop_loss", "take_profit"))
    if isinstance(template.size, RiskPerTrade):
        if template.stop_loss is None:
            faults.append(FieldError("stop_loss", "a size by risk per trade needs to know how far the stop is"))
        if not 0 < template.size.share <= 1:
            faults.append(FieldError("size.share", "expected a share of equity above 0, at most 1"))
    if template.venue is not None and template.symbol is None:
        faults.append(FieldError("venue", "goes with a symbol"))
    return faults


def _offset_faults(name: str, offset: Offset, *, is_distance: bool) -> list[FieldError]:
    if (offset.ticks is None) is (offset.percent is None):
        return [FieldError(name, "give either ticks or percent")]
    value = offset.ticks if offset.percent is None else offset.percent
    assert value is not None
    most = MOST_TICKS if offset.percent is None else HUNDRED
    if is_distance and not 0 < value <= most:
        return [FieldError(name, f"expected a distance above 0, at most {most}")]
    if not -most < value <= most:
        return [FieldError(name, f"expected a number between -{most} and {most}")]
    return []
