"""The demonstration's market: real raw daily bars of AAPL, GOOG, IBM and MSFT from March 2000 to March 2013.

They come with the public-domain package bokeh_sampledata and are read without pandas. Its `adj_close` knows the future
and is not used: the splits are dated rows here, each visible in the raw prices as a fall by its ratio.
"""

import csv
import gzip
from datetime import date
from decimal import Decimal
from importlib import resources
from io import TextIOWrapper
from typing import Any

import numpy as np
import numpy.typing as npt

from evenkeel.domain.errors import NotFound
from evenkeel.domain.instruments import AssetClass, Instrument, instrument_id
from evenkeel.domain.marketdata import Split
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import Calendar, calendar
from evenkeel.market.validation import refuse_bad_rows

SYMBOLS = {"AAPL": "XNAS", "GOOG": "XNAS", "IBM": "XNYS", "MSFT": "XNAS"}
SPLITS = (
    ("AAPL", date(2000, 6, 21), 2, 1),
    ("AAPL", date(2005, 2, 28), 2, 1),
    ("MSFT", date(2003, 2, 18), 2, 1),
)
_FIELDS = ("open", "high", "low", "close", "volume")


def sample_market() -> tuple[tuple[Instrument, ...], dict[str, Bars], tuple[Split, ...]]:
    """(instruments, raw daily bars by instrument id, splits). Volume is in shares.

    Raises NotFound where the sample package is not installed, DataRefused where its rows fail the checks of an import.
    """
    instruments = tuple(_instrument(symbol, venue) for symbol, venue in SYMBOLS.items())
    rows, sessions = _read(), calendar("XNYS")
    bars = {one.id: _bars(one, rows[one.symbol], sessions) for one in instruments}
    ids = {one.symbol: one.id for one in instruments}
    splits = tuple(Split(ids[symbol], day, Decimal(new), Decimal(old)) for symbol, day, new, old in SPLITS)
    return instruments, bars, splits


def _instrument(symbol: str, venue: str) -> Instrument:
    return Instrument(
        id=instrument_id(venue, symbol),
        symbol=symbol,
        venue=venue,
        asset_class=AssetClass.EQUITY,
        currency="USD",
        tick_size=Decimal("0.01"),
        lot_size=Decimal(1),
        calendar="XNYS",
    )


def _read() -> dict[str, list[list[str]]]:
    """Rows of (ticker, date, open, high, low, close, volume, adj_close) by ticker, in the file's order."""
    rows: dict[str, list[list[str]]] = {symbol: [] for symbol in SYMBOLS}
    try:
        source = resources.files("bokeh_sampledata").joinpath("_data", "stocks.csv.gz")
        with source.open("rb") as packed, gzip.open(packed) as plain:
            reader = csv.reader(TextIOWrapper(plain, encoding="utf-8", newline=""))
            next(reader)
            for row in reader:
                if row[0] in rows:
                    rows[row[0]].append(row)
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise NotFound(
            "the sample prices are missing: bokeh_sampledata is not installed, or has lost stocks.csv.gz",
            hint="Install bokeh_sampledata, or give your own files with --data.",
        ) from error
    return rows


def _bars(instrument: Instrument, rows: list[list[str]], sessions: Calendar) -> Bars:
    days = [date.fromisoformat(row[1]) for row in rows]
    found = [sessions.session(day) for day in days]
    values = np.array([row[2:7] for row in rows], dtype=np.float64)
    columns: dict[str, npt.NDArray[Any]] = dict(zip(_FIELDS, values.T, strict=True))
    columns["ts"] = np.array([s.open if s else sessions.day_start(d) for s, d in zip(found, days, strict=True)])
    columns["close_ts"] = np.array([s.close if s else 0 for s in found])
    refuse_bad_rows(columns, f"the sample prices of {instrument.symbol}")
    return Bars.of(instrument.id, "1d", columns)
