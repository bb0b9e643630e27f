"""What the API takes and says of order templates, and what an order from one comes to."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field, to_builtins

from evenkeel.domain import clock
from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import ONE, mul, plain, ratio, rounded, sub
from evenkeel.domain.order_templates import (
    MOST_TICKS,
    Offset,
    OrderTemplate,
    Prices,
    RiskPerTrade,
    SavedTemplate,
    TemplateSize,
    prices_of,
)
from evenkeel.domain.orders import OrderKind, Product, Side, TimeInForce
from evenkeel.domain.sizing import checked
from evenkeel.domain.strategies import Allocation, Deployment, Scalar, Signal
from evenkeel.server import wire
from evenkeel.server.bars import bars_as_known, seen_until
from evenkeel.server.configurations import ConfigurationName
from evenkeel.server.parts import AppParts
from evenkeel.server.requests import POSITIVE, TEXT, MaybeSigned, Reference, Symbol
from evenkeel.server.schemas import Amount, Id, Moment, OrderOut
from evenkeel.trading.engine.signals import desired_quantity
from evenkeel.trading.engine.state import AccountState, State

_SIZES = ["units", "cash", "percent-of-equity", "risk-per-trade", "volatility-target", "kelly"]
_Size = Annotated[
    Raw,
    Meta(
        extra_json_schema={
            "anyOf": [
                {"type": ["string", "number"], "pattern": POSITIVE, "exclusiveMinimum": 0, "exclusiveMaximum": 10**17},
                {"type": "object", "required": ["type"], "properties": {"type": {"enum": _SIZES}}},
            ]
        }
    ),
]
_Kind = Literal["MARKET", "LIMIT", "STOP", "STOP_LIMIT"]
_Lasts = Literal["DAY", "GTC", "IOC", "FOK"]
_Ticks = Annotated[int, Meta(ge=-MOST_TICKS, le=MOST_TICKS, description="a whole number of ticks")]
_Timeframe = Annotated[str, Meta(min_length=2, max_length=8, pattern=r"^[1-9][0-9]{0,3}(s|m|h|d|w|mo)$(?!\n)")]


class OffsetIn(Struct, forbid_unknown_fields=True):
    """A distance in ticks or in per cent (1 is one per cent), one of them."""

    ticks: _Ticks | None = None
    percent: MaybeSigned = field(default_factory=Raw)


class NewOrderTemplate(Struct, forbid_unknown_fields=True, kw_only=True):
    """`size` is a number of units, or a rule such as `{"type": "risk-per-trade", "share": "0.01"}`. `limit` and `stop`
    are told from the last price: above it for a buy where positive, below it for a sale. `stop_loss` and `take_profit`
    are distances from where it is expected to fill; with one of them it becomes a bracket."""

    name: ConfigurationName
    size: _Size
    kind: _Kind = "MARKET"
    symbol: Symbol | None = None
    venue: Symbol | None = None
    side: Side | None = None
    limit: OffsetIn | None = None
    stop: OffsetIn | None = None
    stop_loss: OffsetIn | None = None
    take_profit: OffsetIn | None = None
    time_in_force: _Lasts = "DAY"
    product: Product = Product.NONE
    book: Reference = "manual"
    timeframe: _Timeframe = "1d"
    description: Annotated[str, Meta(max_length=500, pattern=TEXT, description="at most 500 printable characters")] = ""


class OffsetOut(Struct):
    ticks: int | None
    percent: Amount | None


class OrderTemplateOut(Struct):
    """A saved template; `id` is its name."""

    id: str
    name: str
    kind: OrderKind
    size: dict[str, Scalar]
    symbol: str | None
    venue: str | None
    side: Side | None
    limit: OffsetOut | None
    stop: OffsetOut | None
    stop_loss: OffsetOut | None
    take_profit: OffsetOut | None
    time_in_force: TimeInForce
    product: Product
    book: str
    timeframe: str
    description: str
    created_at: Moment
    updated_at: Moment


class TemplatedOrder(Struct, forbid_unknown_fields=True, kw_only=True):
    """Uses a template; `symbol`, `venue` and `side` go before its own. With `dry_run` nothing is placed: the answer
    says what it would come to."""

    template: ConfigurationName
    account_id: Reference
    symbol: Symbol | None = None
    venue: Symbol | None = None
    side: Side | None = None
    client_order_id: Annotated[str, Meta(min_length=1, max_length=60, pattern=TEXT)] | None = None
    dry_run: bool = False


class TemplatedOut(Struct):
    """What a template came to. `order` is null for a dry run, and for a bracket, whose id is `composite_id`; `state`,
    `rule` and `reason` are of whichever was placed."""

    template: str
    symbol: str
    side: Side
    kind: OrderKind
    quantity: Amount
    last_price: Amount
    limit_price: Amount | None
    stop_price: Amount | None
    stop_loss: Amount | None
    take_profit: Amount | None
    order: OrderOut | None
    composite_id: Id | None
    state: str | None
    rule: str | None
    reason: str | None


def read(given: NewOrderTemplate, fields: wire.Fields) -> OrderTemplate:
    """A template as it was sent; what is wrong with its numbers goes to `fields`."""
    offsets = {name: _offset(name, getattr(given, name), fields=fields) for name in _OFFSETS}
    return OrderTemplate(
        kind=OrderKind(given.kind),
        size=_size(given.size, fields),
        symbol=given.symbol,
        venue=given.venue,
        side=given.side,
        time_in_force=TimeInForce(given.time_in_force),
        product=given.product,
        book=given.book,
        timeframe=given.timeframe,
        description=given.description,
        **offsets,
    )


_OFFSETS = ("limit", "stop", "stop_loss", "take_profit")


def _offset(name: str, given: OffsetIn | None, *, fields: wire.Fields) -> Offset | None:
    if given is None:
        return None
    return Offset(given.ticks, fields.number(f"{name}.percent", given.percent, "signed"))


def _size(raw: Raw, fields: wire.Fields) -> TemplateSize:
    nothing = RiskPerTrade(ONE)
    if not bytes(raw).startswith(b"{"):
        return fields.size("size", raw) or _missing(fields, nothing)
    try:
        rule: TemplateSize = msgspec.json.decode(raw, type=TemplateSize)
        return rule if isinstance(rule, RiskPerTrade) else checked(rule)
    except InvalidInput as error:
        fields.faults.extend(error.errors)
    except msgspec.MsgspecError as error:
        fields.fault("size", f"is not a size: {str(error)[:200]}")
    return nothing


def _missing(fields: wire.Fields, nothing: TemplateSize) -> TemplateSize:
    if not any(fault.field == "size" for fault in fields.faults):
        fields.fault("size", "is required")
    return nothing


def shown(saved: SavedTemplate) -> OrderTemplateOut:
    """A saved template as the API says it."""
    held = saved.template
    same: dict[str, Any] = {
        name: getattr(held, name) for name in OrderTemplate.__struct_fields__ if name not in ("size", *_OFFSETS)
    }
    same |= {name: _said(getattr(held, name)) for name in _OFFSETS}
    return OrderTemplateOut(
        id=saved.name,
        name=saved.name,
        size=to_builtins(held.size),
        created_at=clock.iso(saved.created_at),
        updated_at=clock.iso(saved.updated_at),
        **same,
    )


def _said(offset: Offset | None) -> OffsetOut | None:
    if offset is None:
        return None
    return OffsetOut(offset.ticks, None if offset.percent is None else plain(offset.percent))


class Sized(Struct, frozen=True):
    """What a template comes to at a last price."""

    quantity: Decimal
    last: Decimal
    prices: Prices


async def sized(
    parts: AppParts, template: OrderTemplate, *, account: AccountState, instrument: Instrument, side: Side
) -> Sized:
    """What a template comes to now, in one account. Raises InvalidInput where it comes to nothing."""
    fields, state = wire.Fields(), parts.runner.state
    last = state.mark(instrument.id)
    if last is None or last <= 0:
        fields.fault("symbol", f"{instrument.symbol} has no price yet")
        fields.check("the order is not valid")
    assert last is not None
    scale = await _scale(parts, template, instrument=instrument)
    prices = prices_of(template, side, last=last, tick=instrument.tick_size)
    quantity = _quantity(
        state, account, template=template, instrument=instrument, side=side, scale=scale, prices=prices
    )
    if not quantity:
        fields.fault("size", f"comes to less than a lot of {plain(instrument.lot_size)} at {plain(last)}")
    fields.check("the order is not valid")
    return Sized(quantity, last, prices)


async def _scale(parts: AppParts, template: OrderTemplate, *, instrument: Instrument) -> float:
    """What a size that follows the market finds in the bars stored until now; 1 for other sizes."""
    from evenkeel.trading.strategies.sizes import last_scale, window_of

    size = template.size
    if isinstance(size, RiskPerTrade) or not window_of(size):
        return 1.0
    at = seen_until(parts)
    try:
        bars = await asyncio.to_thread(bars_as_known, parts.bars, instrument, timeframe=template.timeframe, at=at)
    except NotFound:
        return 0.0
    return last_scale(size, bars) if len(bars) else 0.0


def _quantity(
    state: State,
    account: AccountState,
    *,
    template: OrderTemplate,
    instrument: Instrument,
    side: Side,
    scale: float,
    prices: Prices,
) -> Decimal:
    """Whole lots, 0 where it comes to less than one."""
    if isinstance(template.size, RiskPerTrade):
        assert prices.stop_loss is not None
        distance = mul(sub(prices.entry, prices.stop_loss).copy_abs(), instrument.multiplier)
        at_risk = mul(max(Decimal(0), state.equity(account)), template.size.share)
        return rounded(ratio(at_risk, distance), instrument.lot_size, "ROUND_DOWN") if distance else Decimal(0)
    nobody = Deployment("", "", "", "", {}, (instrument.id,), (), sizing=template.size)
    signal = Signal("", instrument.id, state.time, None, scale=scale, whole=True)
    share = Allocation(account.account.id, ONE)
    found = desired_quantity(state, account, share, nobody, signal=signal, target=float(side.sign))
    return Decimal(0) if found is None else found.copy_abs()
