"""A CSV or Parquet file as a table of recognised columns, each row with the number its reader sees.

CSV cells stay text, so that a bad one can be shown as it stands; rows are counted as lines are in an editor.
Parquet rows are counted from 1.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from evenkeel.domain.errors import DataRefused, FieldError
from evenkeel.market.columns import PRICES, Ints
from evenkeel.market.validation import Faults

if TYPE_CHECKING:
    import polars as pl

_SEPARATORS = (",", ";", "\t", "|")
_PARQUET = b"PAR1"
_GZIP = b"\x1f\x8b"
_SHOWN = 300
_SIDES = tuple(f"{side}_{name}" for side in ("bid", "ask") for name in PRICES)
_SYNONYMS = {
    "timestamp": ("timestamp", "datetime", "ts", "date_time", "gmt_time", "utc", "open_time", "timestamp_utc"),
    "date": ("date", "day"),
    "time": ("time",),
    "close_timestamp": ("close_timestamp", "close_ts"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c", "last"),
    "volume": ("volume", "vol", "v", "tickvol", "tick_volume"),
    "spread": ("spread",),
    "symbol": ("symbol", "ticker", "instrument"),
    "venue": ("venue", "exchange"),
    "timeframe": ("timeframe", "interval"),
}
_MEANINGS = {word: name for name, words in _SYNONYMS.items() for word in words} | {name: name for name in _SIDES}
_OPTION_COLUMNS = {"strike", "expiry", "right"}
_LOOKS_AHEAD = {"adj_close", "adjclose", "adjusted_close"}


class Table(Struct, frozen=True):
    """`columns` by recognised name; `faults` already holds rows that could not be split into cells."""

    columns: dict[str, pl.Series]
    faults: Faults
    notes: tuple[str, ...]

    @property
    def rows(self) -> Ints:
        return self.faults.rows

    @property
    def quoted(self) -> bool:
        """Whether prices are given as bid and ask."""
        return all(name in self.columns for name in _SIDES)


def read_table(path: Path) -> Table:
    """The table in `path`. Raises DataRefused where it cannot be read, is empty or has no columns of prices."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataRefused(f"{path} cannot be read: {error.strerror or error}") from error
    if raw[:2] == _GZIP:
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError) as error:
            raise DataRefused(f"{path.name} is not a whole gzip file: {error}") from error
    if not raw.strip():
        raise _empty(path)
    names, frame, faults = _parquet(raw, path) if raw[:4] == _PARQUET else _csv(raw, path)
    columns, notes = _recognised(frame, path.name)
    refuse_twice(names, path.name)
    if not len(frame):
        raise DataRefused(f"{path.name} names columns but has no rows")
    return Table(columns, faults, notes)


def header_names(line: str, separator: str = ",") -> list[str]:
    """The names in the first line of a CSV file, without the blanks around them. Raises DataRefused."""
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error as error:
        raise DataRefused(f"the first line cannot be read as CSV: {error}") from error


def refuse_twice(names: Iterable[str], source: str) -> None:
    """Raises DataRefused where two columns have one name: which of them is meant, only their author knows."""
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    if twice:
        raise DataRefused(
            f"{source} has more than one column named {', '.join(twice)}",
            errors=tuple(FieldError(name, "named more than once") for name in twice),
            hint="Remove or rename the others.",
        )


def _parquet(raw: bytes, path: Path) -> tuple[list[str], pl.DataFrame, Faults]:
    import polars as pl

    try:
        frame = pl.read_parquet(raw)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataRefused(f"{path.name} cannot be read as Parquet: {error}") from error
    return frame.columns, frame, Faults(np.arange(1, len(frame) + 1, dtype=np.int64))


def _csv(raw: bytes, path: Path) -> tuple[list[str], pl.DataFrame, Faults]:
    import polars as pl

    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataRefused(
            f"{path.name} is neither Parquet nor UTF-8 text (byte {error.start + 1} fits neither)",
            hint="Save it as CSV in UTF-8, or as Parquet.",
        ) from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    numbers = [number for number, line in enumerate(lines, start=1) if line.strip()]
    if not numbers:
        raise _empty(path)
    header = lines[numbers[0] - 1]
    separator = max(_SEPARATORS, key=header.count)
    faults = Faults(np.array(numbers[1:], dtype=np.int64))
    kept = _rectangular([lines[number - 1] for number in numbers], separator, faults)
    try:
        frame = pl.read_csv("\n".join(kept).encode(), separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise DataRefused(f"{path.name} cannot be read as CSV: {str(error).splitlines()[0]}") from error
    if len(frame) != len(faults.rows):
        raise DataRefused(f"{path.name} has quoted cells that run over several lines", hint="Remove those quotes.")
    return header_names(header, separator), frame, faults


def _empty(path: Path) -> DataRefused:
    return DataRefused(f"{path.name} is empty", hint="It should name its columns in the first line.")


def _rectangular(lines: list[str], separator: str, faults: Faults) -> list[str]:
    """The lines, with those of another number of cells than the header emptied and marked as faults."""
    wanted = lines[0].count(separator)
    ragged = np.array([line.count(separator) != wanted and '"' not in line for line in lines[1:]], dtype=np.bool_)
    if ragged.any():
        counts = [f"{line.count(separator) + 1} cells" for line in lines[1:]]
        faults.add(ragged, "cells", counts, f"the header has {wanted + 1}")
        blank = separator * wanted or '""'
        lines = [lines[0], *(blank if bad else line for line, bad in zip(lines[1:], ragged.tolist(), strict=True))]
    return lines


def meaning(name: str) -> str | None:
    """What a column of that name holds: timestamp, open, volume …; None where it is not known."""
    return _MEANINGS.get(_word(name))


def _word(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _recognised(frame: pl.DataFrame, source: str) -> tuple[dict[str, pl.Series], tuple[str, ...]]:
    plain = {name: _word(name) for name in frame.columns}
    if len(_OPTION_COLUMNS & set(plain.values())) > 1:
        raise DataRefused(
            f"{source} is an option chain, which is not a run of bars", hint="Import one contract a file."
        )
    columns: dict[str, pl.Series] = {}
    notes, ignored = [], []
    for name, word in plain.items():
        meaning = _MEANINGS.get(word)
        if word in _LOOKS_AHEAD:
            notes.append(f"{name} was left out: it is adjusted by what happened later; give splits as --adjustments")
        elif meaning is None:
            ignored.append(name)
        elif meaning in columns:
            raise DataRefused(f"{source} has two columns that mean {meaning}: {columns[meaning].name} and {name}")
        else:
            columns[meaning] = frame[name]
    if ignored:
        notes.append(f"columns not used: {', '.join(ignored)}")
    _require(columns, frame.columns, source)
    return columns, tuple(notes)


def _require(columns: dict[str, pl.Series], found: list[str], source: str) -> None:
    timed = any(name in columns for name in ("timestamp", "date", "time"))
    missing = [name for name in PRICES if name not in columns]
    priced = not missing or all(name in columns for name in _SIDES)
    if timed and priced:
        return
    wanted = [] if timed else [FieldError("timestamp", "no column of this or a like name (date, time, datetime, ts)")]
    if not priced:
        wanted += [FieldError(name, "no column of this name") for name in missing]
    names = ", ".join(found[:20])
    shown = names if len(names) <= _SHOWN else names[:_SHOWN] + " …"
    raise DataRefused(
        f"{source} has no columns that can be read as bars; its first line gives: {shown}",
        errors=tuple(wanted),
        hint="The first line must name timestamp, open, high, low, close (and volume, symbol), "
        "or bid_open … ask_close in place of the prices.",
    )
