"""Stored bars for requests, and the moments that these name. Nothing later than the feed's clock is shown."""

import time
from typing import TYPE_CHECKING

from msgspec import Struct

from evenkeel.domain import clock
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.instruments import Instrument
from evenkeel.server import wire
from evenkeel.server.parts import AppParts
from evenkeel.server.ports import BarSource
from evenkeel.server.schemas import Moment

if TYPE_CHECKING:
    from evenkeel.market.bars import Bars

_EARLIEST, _YEAR_2262 = -9_223_372_036_854_775_807, 9_223_372_036_854_775_807


class SeriesOut(Struct):
    """Bars that are kept of a symbol: the open of the first, and the close of the last; in a replay, its clock."""

    id: str
    symbol: str
    timeframe: str
    start: Moment
    end: Moment


def moment_of(name: str, text: str | None, fields: wire.Fields) -> int | None:
    """The time in ns; None where none was given, and where it is none, which is a fault."""
    if text is None:
        return None
    try:
        moment = clock.parse_iso(text)
    except (EvenkeelError, OverflowError) as error:
        fields.fault(name, str(error))
        return None
    return min(moment, _YEAR_2262)


def storable(at: int | None) -> int | None:
    """The time as a database can hold it."""
    return at if at is None else max(at, _EARLIEST)


def seen_until(parts: AppParts) -> int:
    """The moment up to which the market may be seen: the feed's clock, where there is one, else the wall clock."""
    feed = parts.feed
    if feed.kind == "none":
        return time.time_ns()
    return feed.cursor if feed.cursor is not None else feed.start or 0


def bars_as_known(
    source: BarSource, instrument: Instrument, *, timeframe: str, at: int, adjusted: bool = True
) -> "Bars":
    """Stored bars of an instrument as they were known at `at`. It reads the store, and is not for the event loop."""
    bars = source.read(instrument.id, timeframe, end=at).as_of(at)
    if not adjusted:
        return bars
    from evenkeel.market.calendars import calendar

    splits, dividends = source.splits(instrument.id), source.dividends(instrument.id)
    if not splits and not dividends:
        return bars
    return bars.adjusted(splits, dividends, as_of=at, day_start=calendar(instrument.calendar).day_start)
