"""Whether, how much and at what price an order fills on one bar or quote.

The assumptions, the same in every engine. A market order fills at the open of the first bar after it arrived.
A limit fills at the better of open and limit once the bar touches it. A stop fills at the worse of open and
stop, so a gap through it costs. A stop-limit follows a path through the bar: open, the extreme nearer to it,
the other extreme, close; when both are equally near, the path on which the order does worse. What triggered
but did not fill comes back as triggered and rests as a limit (stop-limit) or goes to the next open (stop).
Bars are mid prices: with a spread, buys see the bar shifted up and sells down. Slippage moves only what takes
liquidity, and never past the order's limit.
"""

from math import floor, inf, isnan, nan, sqrt
from typing import Any, NamedTuple, Required, TypedDict, Unpack

from msgspec import Struct

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.marketdata import Bar, Quote
from evenkeel.domain.orders import OrderKind, Side
from evenkeel.quant.kernels import kernel

MARKET, LIMIT, STOP, STOP_LIMIT = 0, 1, 2, 3
COUNTED = 2.0**53  # lots; beyond it every float is whole, and no integer of a machine
HAIR = 8e-15  # of a count of lots: what sums and quotients may be below the one meant
KINDS = {
    OrderKind.MARKET: MARKET,
    OrderKind.LIMIT: LIMIT,
    OrderKind.STOP: STOP,
    OrderKind.STOP_LIMIT: STOP_LIMIT,
}


_WHOLE = 10_000.0


class Slippage(Struct, frozen=True, omit_defaults=True):
    """How far taking liquidity moves the price; the three add up and all are zero by default.

    `bps` of the price; `spread_share` of the bar's spread (0.5 = from mid to the touch); `impact`: the
    fraction of the price that trading the bar's whole volume would move it, scaled by sqrt(quantity / volume):
    the square-root law of market impact, Y x sigma x sqrt(Q / V), with `impact` = Y x sigma over one bar
    (Almgren et al. 2005; Tóth et al. 2011). Where the volume is unknown, impact counts as if the order were
    the whole volume. Raises InvalidInput for what is not zero or more, and for basis points of more than all of it.
    """

    bps: float = 0.0
    spread_share: float = 0.0
    impact: float = 0.0

    def __post_init__(self) -> None:
        figures: dict[str, Any] = {"bps": self.bps, "spread_share": self.spread_share, "impact": self.impact}
        faults = [
            FieldError(name, f"expected a finite number from zero, not {figure}")
            for name, figure in figures.items()
            if not (isinstance(figure, int | float) and 0.0 <= figure < inf)
        ]
        if not faults and self.bps > _WHOLE:
            faults.append(FieldError("bps", f"expected basis points of price, {_WHOLE:,.0f} at most, not {self.bps}"))
        if faults:
            said = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
            raise InvalidInput(f"the slippage is not valid: {said}", errors=tuple(faults))


class FillModel(Struct, frozen=True, omit_defaults=True):
    """Slippage, and the share of a bar's volume that one order may take (None: no cap).

    A bar without volume (0 or NaN: many FX feeds) has an unknown one and is not capped.
    """

    slippage: Slippage = Slippage()
    participation: float | None = None


NO_FRICTION = FillModel()


class Attempt(NamedTuple):
    """What one bar does to an order: `price` is NaN and `quantity` 0 where nothing fills.

    `taker`: whether the fill took liquidity; False for a limit that the market came to (and where nothing fills).
    """

    price: float
    quantity: float
    triggered: bool
    taker: bool = False


@kernel
def limit_touch(side: int, limit: float, open_: float, high: float, low: float) -> tuple[float, bool]:
    """(price, takes liquidity) of a limit order working from the open; the price is NaN if never touched."""
    if side > 0:
        if open_ <= limit:
            return open_, True
        return (limit, False) if low <= limit else (nan, False)
    if open_ >= limit:
        return open_, True
    return (limit, False) if high >= limit else (nan, False)


@kernel
def stop_limit_touch(
    side: int, limit: float, stop: float, open_: float, high: float, low: float, close: float
) -> tuple[float, bool, bool]:
    """(price, triggered, takes liquidity) of a stop-limit not yet triggered before this bar."""
    if side < 0:
        price, triggered, taker = stop_limit_touch_buy(-limit, -stop, -open_, -low, -high, -close)
        return -price, triggered, taker
    return stop_limit_touch_buy(limit, stop, open_, high, low, close)


@kernel
def stop_limit_touch_buy(
    limit: float, stop: float, open_: float, high: float, low: float, close: float
) -> tuple[float, bool, bool]:
    """`stop_limit_touch` of a buy; a sell is the same with every price negated."""
    if open_ >= stop:
        if open_ <= limit:
            return open_, True, True
        return (limit, True, False) if low <= limit else (nan, True, False)
    if high < stop:
        return nan, False, False
    if stop <= limit:
        return stop, True, True
    high_first = high - open_ < open_ - low
    last_low = low if high_first else close
    return (limit, True, False) if last_low <= limit else (nan, True, False)


@kernel
def touch(
    kind: int,
    side: int,
    limit: float,
    stop: float,
    triggered: bool,
    open_: float,
    high: float,
    low: float,
    close: float,
) -> tuple[float, bool, bool]:
    """(price, triggered, takes liquidity) on a bar as this side sees it; NaN where the order does not fill.

    `side` is 1 or -1; `limit` and `stop` are read only by the kinds that have them.
    """
    if kind == MARKET or (kind == STOP and triggered):
        return open_, triggered, True
    if kind == STOP_LIMIT and not triggered:
        return stop_limit_touch(side, limit, stop, open_, high, low, close)
    level = stop if kind == STOP else limit
    price, taker = plain_touch(LIMIT if kind == STOP_LIMIT else kind, side, level, open_, high, low)
    return price, triggered or (kind == STOP and not isnan(price)), taker


@kernel
def plain_touch(kind: int, side: int, level: float, open_: float, high: float, low: float) -> tuple[float, bool]:
    """(price, takes liquidity) of a market order, a limit or a stop at `level`; NaN where it does not fill."""
    if kind == MARKET:
        return open_, True
    if kind == LIMIT:
        return limit_touch(side, level, open_, high, low)
    if side > 0:
        return (max(open_, level), True) if high >= level else (nan, False)
    return (min(open_, level), True) if low <= level else (nan, False)


@kernel
def capped_quantity(quantity: float, volume: float, participation: float, lot: float) -> float:
    """`quantity`, or if less the whole lots within `participation` x `volume` (participation inf: all)."""
    if isnan(volume) or volume <= 0.0 or participation == inf:
        return quantity
    lots = participation * volume / lot
    if lots < COUNTED:
        lots = floor(lots + min(lots * HAIR + 1e-9, 0.5))
    return min(quantity, lots * lot)


@kernel
def slipped(price: float, side: int, quantity: float, volume: float, bps: float, impact: float) -> float:
    """`price` moved against the order by `bps` and by impact, a sale's to zero at most; see `Slippage`."""
    fraction = bps / 10_000.0
    if impact > 0.0:
        known = volume > 0.0
        fraction += impact * sqrt(quantity / volume) if known else impact
    return price * max(1.0 + side * fraction, 0.0)


@kernel
def fill(
    kind: int,
    side: int,
    limit: float,
    stop: float,
    triggered: bool,
    quantity: float,
    lot: float,
    open_: float,
    high: float,
    low: float,
    close: float,
    volume: float,
    spread: float,
    participation: float,
    bps: float,
    spread_share: float,
    impact: float,
) -> tuple[float, float, bool, bool]:
    """(price, quantity, triggered, takes liquidity) of an order on one bar: the whole model in one kernel.

    `price` is unrounded and NaN, with quantity 0, where nothing fills. `volume` is what the bar has left for
    this order: a caller matching several orders on one bar subtracts what the others took.
    """
    shift = side * spread_share * spread if spread_share > 0.0 else 0.0
    price, triggered, taker = touch(
        kind, side, limit, stop, triggered, open_ + shift, high + shift, low + shift, close + shift
    )
    if isnan(price):
        return nan, 0.0, triggered, False
    size = capped_quantity(quantity, volume, participation, lot)
    if size <= 0.0:
        return nan, 0.0, triggered, False
    if taker:
        cap = limit if kind in (LIMIT, STOP_LIMIT) else nan
        price = taken_at(price, side, cap, size, volume, bps, impact)
    return price, size, triggered, taker


@kernel
def taken_at(price: float, side: int, limit: float, quantity: float, volume: float, bps: float, impact: float) -> float:
    """`slipped`, and never past the order's limit, NaN where it has none."""
    moved = slipped(price, side, quantity, volume, bps, impact)
    if isnan(limit):
        return moved
    return min(moved, limit) if side > 0 else max(moved, limit)


class Working(TypedDict, total=False):
    """An order as a bar meets it; `limit` and `stop` are NaN, `lot` is 1, where they are left out.

    `volume` overrides the bar's where other orders already took part of it.
    """

    side: Required[Side]
    quantity: Required[float]
    limit: float
    stop: float
    triggered: bool
    lot: float
    model: FillModel
    volume: float | None


def fill_at_bar(bar: Bar, kind: OrderKind, **order: Unpack[Working]) -> Attempt:
    """`fill` for domain objects."""
    model = order.get("model", NO_FRICTION)
    volume = order.get("volume")
    return Attempt(
        *fill(
            KINDS[kind],
            order["side"].sign,
            order.get("limit", nan),
            order.get("stop", nan),
            order.get("triggered", False),
            order["quantity"],
            order.get("lot", 1.0),
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume if volume is None else volume,
            bar.spread,
            inf if model.participation is None else model.participation,
            model.slippage.bps,
            model.slippage.spread_share,
            model.slippage.impact,
        )
    )


def fill_at_quote(
    quote: Quote,
    kind: OrderKind,
    *,
    side: Side,
    quantity: float,
    limit: float = nan,
    stop: float = nan,
    triggered: bool = False,
    model: FillModel = NO_FRICTION,
) -> Attempt:
    """The same on one quote: a buy meets the ask, a sell the bid; nothing fills where that side is not
    quoted.

    The quote carries the spread already and no volume, so only `bps` of the model applies.
    """
    price = quote.ask if side is Side.BUY else quote.bid
    if isnan(price):
        return Attempt(nan, 0.0, triggered)
    moment = Bar(quote.instrument_id, quote.ts, quote.ts, price, price, price, price)
    taker = FillModel(Slippage(bps=model.slippage.bps))
    return fill_at_bar(
        moment, kind, side=side, quantity=quantity, limit=limit, stop=stop, triggered=triggered, model=taker
    )
