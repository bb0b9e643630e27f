"""Small markets for the tests of this room."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np

from evenkeel.domain.instruments import AssetClass, Instrument, instrument_id
from evenkeel.market.bars import Bars, utc_midnight
from evenkeel.market.calendars import calendar

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE


def instrument(symbol: str = "ACME", *, venue: str = "XNYS", days: str = "XNYS") -> Instrument:
    return Instrument(
        id=instrument_id(venue, symbol),
        symbol=symbol,
        venue=venue,
        asset_class=AssetClass.EQUITY,
        currency="USD",
        tick_size=Decimal("0.01"),
        lot_size=Decimal(1),
        calendar=days,
    )


def walk(rows: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Open, high, low, close and volume of `rows` made-up bars around 100."""
    random = np.random.default_rng(seed)
    close = np.round(100 + np.cumsum(random.normal(0, 0.3, rows)), 2)
    opening = np.concatenate(([100.0], close[:-1]))
    high = np.round(np.maximum(opening, close) + random.uniform(0, 0.5, rows), 2)
    low = np.round(np.minimum(opening, close) - random.uniform(0, 0.5, rows), 2)
    volume = random.integers(0, 10_000, rows).astype(np.float64)
    return {"open": opening, "high": high, "low": low, "close": close, "volume": volume}


def daily(of: Instrument, start: date, end: date, *, seed: int = 1) -> Bars:
    """Daily bars for every session from `start` to `end`."""
    sessions = calendar(of.calendar).sessions(start, end)
    times = {"ts": sessions.opens, "close_ts": sessions.closes}
    return Bars.of(of.id, "1d", times | walk(len(sessions), seed))


def intraday(of: Instrument, start: date, end: date, *, span: int = MINUTE, name: str = "1m", seed: int = 1) -> Bars:
    """Bars of `span` ns through every session from `start` to `end`."""
    opens = [
        np.arange(session.open, session.close, span, dtype=np.int64)
        for session in calendar(of.calendar).sessions(start, end)
    ]
    ends = [np.full(len(part), part[-1] + span) for part in opens]
    ts, limit = np.concatenate(opens), np.concatenate(ends)
    closes = np.minimum(ts + span, limit)
    sessions = calendar(of.calendar).around(int(ts[0]), int(ts[-1]))
    closes = np.minimum(closes, sessions.closes[np.searchsorted(sessions.closes, ts, side="right")])
    return Bars.of(of.id, name, {"ts": ts, "close_ts": closes} | walk(len(ts), seed))


def day(year: int, month: int, number: int) -> int:
    return utc_midnight(date(year, month, number))


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
