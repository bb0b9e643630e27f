"""What makes a row of prices impossible, and the list of rows shown to the person who has to repair them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from evenkeel.domain.clock import iso
from evenkeel.domain.errors import DataRefused, FieldError
from evenkeel.market.columns import PRICES, Ints

SHOWN = 50
MOST = 1e12  # money is exact to 38 digits: price x quantity has to fit
Mask = npt.NDArray[np.bool_]


class Fault(Struct, frozen=True):
    """One fault: `row` as the user counts it in the file, the column, the value found there and what is wrong."""

    row: int
    column: str
    value: str
    reason: str


class Faults:
    """The faults of one table. `rows` holds each row's number as the user counts; `bad` marks rows at fault."""

    def __init__(self, rows: Ints) -> None:
        self.rows = rows
        self.bad: Mask = np.zeros(len(rows), dtype=np.bool_)
        self._found: dict[tuple[int, str], Fault] = {}

    def add(self, mask: Mask, column: str, values: Any, reason: str) -> None:
        """Marks the rows of `mask`; `values` (indexable by row) are what stands there. First reasons are kept."""
        self.bad |= mask
        for index in np.flatnonzero(mask)[:SHOWN].tolist():
            row = int(self.rows[index])
            self._found.setdefault((row, column), Fault(row, column, _shown(values[index]), reason))

    def part(self, index: Ints) -> "Faults":
        """A list of its own for the rows at `index`, which knows those already bad."""
        part = Faults(self.rows[index])
        part.bad = self.bad[index]
        within = set(part.rows.tolist())
        part._found = {key: fault for key, fault in self._found.items() if key[0] in within}
        return part

    def absorb(self, part: "Faults", index: Ints) -> None:
        """Takes over the faults of a part made for the rows at `index`."""
        self.bad[index] |= part.bad
        for key, fault in part._found.items():
            self._found.setdefault(key, fault)

    def __bool__(self) -> bool:
        return bool(self.bad.any())

    @property
    def total(self) -> int:
        """The number of rows at fault."""
        return int(self.bad.sum())

    def first(self) -> list[Fault]:
        """The faults of the first rows, at most `SHOWN`."""
        return sorted(self._found.values(), key=lambda fault: (fault.row, fault.column))[:SHOWN]

    def refusal(self, source: str, *, hint: str | None = None) -> DataRefused:
        """The error that refuses `source` as a whole."""
        listed = self.first()
        errors = [FieldError(f"row {f.row}, {f.column}", f"{f.value}: {f.reason}") for f in listed]
        rows_listed = len({fault.row for fault in listed})
        count = f"{self.total} of {len(self.rows)} rows are wrong"
        more = f"; the first {rows_listed} are listed" if self.total > rows_listed else ""
        return DataRefused(
            f"{source} was refused and nothing of it was kept: {count}{more}",
            errors=tuple(errors),
            hint=hint,
        )


def check(columns: Mapping[str, npt.NDArray[Any]], faults: Faults) -> None:
    """Adds to `faults` every row that cannot be a bar.

    `columns` holds `ts`, `close_ts` (int64 ns) and `open`, `high`, `low`, `close`, and may hold `volume` and `spread`
    (float64). Rows already bad are not judged again, nor are others judged by them.
    """
    good = np.flatnonzero(~faults.bad)
    table = {name: values[good] for name, values in columns.items()}
    view = _View(faults, good, columns)
    _check_prices(table, view)
    if "volume" in table:
        view.add(~np.isfinite(table["volume"]) | (table["volume"] < 0), "volume", "volume cannot be negative")
    if "spread" in table:
        view.add(~(table["spread"] >= 0), "spread", "the bid is above the ask")
    _check_times(table, view)


def refuse_bad_rows(columns: Mapping[str, npt.NDArray[Any]], source: str) -> None:
    """Raises DataRefused listing the rows of `columns` that cannot be bars, counted from 1."""
    faults = Faults(np.arange(1, len(columns["ts"]) + 1))
    check(columns, faults)
    if faults:
        raise faults.refusal(source)


class _View:
    """Adds faults found among the rows `good` to the table they were taken from."""

    def __init__(self, faults: Faults, good: Ints, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        self.faults, self.good, self.columns = faults, good, columns

    def add(self, mask: Mask, column: str, reason: str) -> None:
        if mask.any():
            whole = np.zeros(len(self.faults.rows), dtype=np.bool_)
            whole[self.good[mask]] = True
            values = self.columns[column]
            self.faults.add(whole, column, _Times(values) if column == "ts" else values, reason)

    def row(self, position: int) -> int:
        return int(self.faults.rows[self.good[position]])


class _Times:
    def __init__(self, values: Ints) -> None:
        self._values = values

    def __getitem__(self, index: int) -> str:
        return iso(int(self._values[index]))


def _check_prices(table: dict[str, npt.NDArray[Any]], view: _View) -> None:
    wrong = np.zeros(len(table["ts"]), dtype=np.bool_)
    for name in PRICES:
        impossible = ~(np.isfinite(table[name]) & (table[name] > 0))
        view.add(impossible, name, "a price must be a number above zero")
        absurd = ~impossible & (table[name] >= MOST)
        view.add(absurd, name, f"a price must be below {MOST:.0e}")
        wrong |= impossible | absurd
    crossed = ~wrong & (table["high"] < table["low"])
    view.add(crossed, "high", "the high is below the low")
    wrong |= crossed
    for name in ("open", "close"):
        outside = ~wrong & ((table[name] > table["high"]) | (table[name] < table["low"]))
        view.add(outside, name, f"the {name} lies outside low to high")


def _check_times(table: dict[str, npt.NDArray[Any]], view: _View) -> None:
    ts, close_ts = table["ts"], table["close_ts"]
    if not len(ts):
        return
    view.add(close_ts <= ts, "ts", "the bar closes before it opens, or lies outside every session")
    latest = np.concatenate((ts[:1], np.maximum.accumulate(ts)[:-1]))
    first_seen = np.ones(len(ts), dtype=np.bool_)
    if (np.diff(ts) <= 0).any():
        first_seen[:] = False
        first_seen[np.unique(ts, return_index=True)[1]] = True
    view.add(~first_seen, "ts", "a bar of this time is already in the file")
    unsorted = first_seen & (ts < latest)
    view.add(unsorted, "ts", "earlier than a row above it: times must rise")
    in_order = np.flatnonzero(first_seen & ~unsorted)
    overlap = np.zeros(len(ts), dtype=np.bool_)
    overlap[in_order[1:]] = ts[in_order[1:]] < close_ts[in_order[:-1]]
    view.add(overlap, "ts", "opens before the bar above it has closed: rows are closer than the timeframe")


def _shown(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "empty" if value is None or value == "" else str(value)
