"""Four strategies on three accounts over real prices of 2005, AAPL's split of 28 February among them."""

from collections.abc import Iterator
from datetime import UTC, datetime, time
from decimal import Decimal

from evenkeel.domain.accounts import AccountType, Limits
from evenkeel.domain.clock import to_ns
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice
from evenkeel.market.sample import sample_market
from evenkeel.quant.costs import FillModel, Slippage
from tests.scenarios.desk import Desk

START, END = (to_ns(datetime(2005, month, 3, tzinfo=UTC)) for month in (1, 9))
BOLD = Limits(Decimal("0.3"), Decimal("0.01"), 6, allow_short=True)
MODEL = FillModel(slippage=Slippage(bps=2.0), participation=0.00004)


def slices() -> Iterator[MarketSlice]:
    """One slice a session: every bar that closes then, and the split with the first bar of its day."""
    instruments, columns, splits = sample_market()
    by_close: dict[int, list[Bar]] = {}
    for one in instruments:
        for bar in columns[one.id]:
            if START < bar.close_ts <= END:
                by_close.setdefault(bar.close_ts, []).append(bar)
    done: set[object] = set()
    for at in sorted(by_close):
        day = datetime.fromtimestamp(at / 1e9, UTC).date()
        due = tuple(s for s in splits if to_ns(datetime.combine(s.ex_date, time(), UTC)) > START and s.ex_date <= day)
        new = tuple(split for split in due if split not in done)
        done.update(new)
        yield MarketSlice(at, tuple(by_close[at]), splits=new)


def trend(closes: list[float]) -> float | None:
    """Long above the mean of twenty closes, flat below it."""
    if len(closes) < 20:
        return None
    return 1.0 if closes[-1] > sum(closes[-20:]) / 20 else 0.0


def breakout(closes: list[float]) -> float | None:
    if len(closes) < 11:
        return None
    window = closes[-11:-1]
    return 1.0 if closes[-1] > max(window) else -0.5 if closes[-1] < min(window) else None


def reversal(closes: list[float]) -> float | None:
    """Buys two falls in a row, sells two rises."""
    if len(closes) < 3:
        return None
    a, b, c = closes[-3:]
    return 0.5 if a > b > c else 0.0 if a < b < c else None


def steady(closes: list[float]) -> float | None:
    """More each quarter of a hundred sessions; nothing in the last one."""
    return (1 + len(closes) // 25) / 8 if len(closes) < 140 else 0.0


def desk() -> Desk:
    instruments: tuple[Instrument, ...] = sample_market()[0]
    desk = Desk(*instruments, model=MODEL, start=START)
    desk.open("small", "25000", costs="us-per-share")
    desk.open("middle", "100000.00", costs="percent", limits=Limits(max_position_share=Decimal("0.25")))
    desk.open("large", "1000000", type=AccountType.MARGIN, limits=BOLD)
    desk.run("trend", trend, {"small": "0.3", "middle": "0.5", "large": "0.4"}, instruments)
    desk.run("breakout", breakout, {"middle": "0.3", "large": "0.8"}, instruments)
    desk.run("reversal", reversal, {"small": "0.5", "middle": "0.2", "large": "0.2"}, instruments)
    desk.run("steady", steady, {"large": "0.9"}, instruments[:2])
    return desk
