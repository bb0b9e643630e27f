"""What the world quotes: measurements in float64, times in nanoseconds UTC."""

from datetime import date
from decimal import Decimal

from msgspec import Struct


class Bar(Struct, frozen=True, gc=False):
    """One bar. `ts` is its open; it can be seen only at `close_ts`. `spread` is ask minus bid, 0 where unknown."""

    instrument_id: str
    ts: int
    close_ts: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    spread: float = 0.0


class Quote(Struct, frozen=True, gc=False):
    """Best bid and ask with the last trade at `ts`; NaN where a side is not quoted."""

    instrument_id: str
    ts: int
    bid: float
    ask: float
    last: float


class Split(Struct, frozen=True):
    """`numerator` new shares for `denominator` old ones, in force from the first bar of `ex_date`."""

    instrument_id: str
    ex_date: date
    numerator: Decimal
    denominator: Decimal


class Dividend(Struct, frozen=True):
    """Cash per share, in the instrument's currency, for holders before `ex_date`."""

    instrument_id: str
    ex_date: date
    amount: Decimal


class MarketSlice(Struct, frozen=True, gc=False):
    """All that becomes visible at one moment: bars closing at `at`, and what went ex before they opened."""

    at: int
    bars: tuple[Bar, ...] = ()
    quotes: tuple[Quote, ...] = ()
    splits: tuple[Split, ...] = ()
    dividends: tuple[Dividend, ...] = ()
