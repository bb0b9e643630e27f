"""Prices of several assets in one table, from what people have at hand: frames of pandas or Polars, dicts, arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evenkeel.domain.clock import iso
from evenkeel.domain.errors import InvalidInput
from evenkeel.market.bars import Bars
from evenkeel.market.frames import moments, nanoseconds
from evenkeel.market.panel import Panel
from evenkeel.quant.analytics.series import Floats, Ints

if TYPE_CHECKING:
    import polars as pl

DAY = 86_400 * 10**9
YEAR = 365.25 * DAY
MISSING = ("fill", "skip", "drop", "refuse")
FILLED_ROWS, FILLED_TIME = 10, 10 * DAY  # a gap that is longer than both is not filled beyond them
_TIMES = ("date", "datetime", "time", "timestamp", "ts")


@dataclass(frozen=True)
class Prices:
    """`values` (t, n) of `assets`, the latest last; `times` (t,) in ns UTC, None where none were given. NaN is where an
    asset has no price, which only `prices_of(missing="skip")` leaves. Of those `is_filled` no gap is filled again."""

    assets: tuple[str, ...]
    values: Floats
    times: Ints | None = None
    is_filled: bool = False

    def standing(self) -> Floats:
        """The last price there was, at every row (t, n); before an asset's first one that first one."""
        present = np.isfinite(self.values)
        rows = np.arange(len(self.values))[:, None]
        last = np.maximum.accumulate(np.where(present, rows, 0), axis=0)
        return np.take_along_axis(self.values, np.maximum(last, present.argmax(axis=0)), axis=0)

    def returns(self) -> Floats:
        """Simple returns from row to row, shape (t - 1, n)."""
        found: Floats = self.values[1:] / self.values[:-1] - 1.0
        return found

    def periods(self) -> float:
        """How many rows make a year, as their times say: 252 of trading days. Without times they are taken for trading
        days, so who knows better has to say so."""
        if self.times is None or len(self.times) < 3:
            return 252.0
        gap = float(np.median(np.diff(self.times)))
        if 0.9 * DAY <= gap <= 1.1 * DAY:
            weekends = np.diff(self.times) > 2.5 * DAY
            return 252.0 if weekends.any() else 365.0
        steps = {52.0: 7 * DAY, 12.0: YEAR / 12, 4.0: YEAR / 4, 1.0: YEAR}
        for count, length in steps.items():
            if 0.85 * length <= gap <= 1.15 * length:
                return count
        return (len(self.times) - 1) / (float(self.times[-1] - self.times[0]) / YEAR)


def prices_of(given: Any, *, missing: str = "fill") -> Prices:
    """Prices from a frame with a column an asset (and an index or a column of times), a mapping of names to series or
    to bars, a panel (both: closes), or an array (t, n).

    Rows are put in the order of their times, each of which may be there once. Of gaps `missing` says: fill (the last
    price stays, for ten rows or ten days, whichever is longer; beyond that it is refused), drop (the row goes) or
    refuse; rows before every asset has its first price are left out. With skip gaps are filled alike, and what is
    beyond, and before the first price, is NaN. Raises InvalidInput.
    """
    if missing not in MISSING:
        raise InvalidInput(f"missing= is one of {', '.join(MISSING)}, not {missing!r}")
    assets, values, times = table(given)
    if len(set(assets)) != len(assets):
        twice = sorted({name for name in assets if assets.count(name) > 1})
        raise InvalidInput(f"more than one column is called {twice[0]!r}")
    if values.ndim != 2 or values.shape[1] == 0:
        raise InvalidInput("prices are a table: a row a period, a column an asset")
    is_filled = isinstance(given, Prices) and given.is_filled
    return _without_gaps(_in_order(Prices(tuple(assets), values, times, is_filled)), missing)


def year_of(prices: Prices | None, given: float | None) -> float:
    """How many periods make a year: as given, else as the prices' times say. Raises InvalidInput."""
    if given is None:
        return 252.0 if prices is None else prices.periods()
    if not 0.0 < given < np.inf:
        raise InvalidInput(f"a year has more than 0 periods, not {given:g}")
    return given


def sample_prices() -> Prices:
    """Real daily closes of AAPL, GOOG, IBM and MSFT from 2004 to 2013, which come along; splits are taken out.

    Raises NotFound where the sample package is not installed.
    """
    from evenkeel.market.sample import sample_market

    instruments, bars, splits = sample_market()
    lines = {one.symbol: bars[one.id] for one in sorted(instruments, key=lambda one: one.symbol)}
    return prices_of({name: one.adjusted(splits, as_of=int(one.close_ts[-1])) for name, one in lines.items()})


def read_prices(
    path: Path,
    *,
    assets: Sequence[str] | None = None,
    start: int | None = None,
    end: int | None = None,
    missing: str = "fill",
) -> Prices:
    """Prices of a CSV or Parquet file: a column of dates and a column an asset, or bars with symbols: their closes.

    `assets` are those wanted, None: all; `start` and `end` (ns UTC) bound the times, the end left out. Raises
    InvalidInput.
    """

    if not path.is_file():
        raise InvalidInput(f"there is no file {path}")
    frame = _frame(path)
    if any(name.lower() == "close" for name in frame.columns):
        from evenkeel.market.reading import read_all_bars

        names, values, times = table(read_all_bars(path))
    else:
        names, values, times = table(_dated(frame))
    absent = [name for name in assets or () if name not in names]
    if absent:
        raise InvalidInput(f"{path} has no {absent[0]!r}; it has {', '.join(names[:20])}")
    chosen = values[:, [names.index(name) for name in assets]] if assets else values
    if times is not None:
        kept = np.ones(len(times), bool) if start is None else times >= start
        kept &= True if end is None else times < end
        chosen, times = chosen[kept], times[kept]
    elif start is not None or end is not None:
        raise InvalidInput(f"{path} has no column of dates, so --start and --end say nothing of it")
    if not len(chosen):
        raise InvalidInput(f"{path} has no prices at these times")
    return prices_of(Prices(tuple(assets or names), chosen, times), missing=missing)


def _frame(path: Path) -> pl.DataFrame:
    import polars as pl

    empty = ["", "NA", "NaN", "nan", "null", "n/a"]
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        _check_header(path)
        return pl.read_csv(path, try_parse_dates=True, infer_schema_length=None, null_values=empty)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read as a table: {error}") from error


def _check_header(path: Path) -> None:
    """Raises InvalidInput where two columns of a CSV file have one name: nothing says which of them is meant."""
    import polars as pl

    first = pl.read_csv(path, has_header=False, n_rows=1, infer_schema=False)
    names = [str(name or "").strip() for row in first.iter_rows() for name in row]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        columns = ", ".join(str(place) for place, name in enumerate(names, 1) if name == twice[0])
        raise InvalidInput(
            f"{path} has more than one column called {twice[0]!r}: columns {columns}",
            hint="Give each column a name of its own, or leave one out.",
        )


def _dated(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its column of dates called so, wherever it stands first under another name or none."""
    import polars as pl

    first = frame.columns[0]
    if isinstance(frame.schema[first], pl.Date | pl.Datetime) and first.lower() not in _TIMES:
        return frame.rename({first: "date"})
    return frame


def table(given: Any) -> tuple[list[str], Floats, Ints | None]:
    """The columns' names, their values (t, n), and the rows' times where there are any. Raises InvalidInput."""
    if isinstance(given, Prices):
        return list(given.assets), given.values, given.times
    if isinstance(given, Mapping) and given and all(isinstance(one, Bars) for one in given.values()):
        given = Panel.of(given)
    if isinstance(given, Panel):
        return list(given.instrument_ids), given.close, given.close_ts
    if hasattr(given, "iloc"):  # pandas
        index = given.index
        dated = getattr(index, "dtype", None) is not None and index.dtype.kind == "M"
        columns = {str(name): given[name].to_numpy() for name in given.columns}
        return _columns(columns, nanoseconds(index) if dated else None)
    if hasattr(given, "to_dict") and hasattr(given, "columns"):  # Polars
        return _columns({name: given[name].to_numpy() for name in given.columns}, None)
    if isinstance(given, Mapping):
        return _columns({str(name): np.asarray(values) for name, values in given.items()}, None)
    values = _numbers("prices", given)
    if values.ndim != 2:
        raise InvalidInput("an array of prices has two dimensions: periods and assets")
    return [f"asset-{place}" for place in range(values.shape[1])], values, None


def _columns(columns: dict[str, Any], times: Ints | None) -> tuple[list[str], Floats, Ints | None]:
    for name in [one for one in columns if one.lower() in _TIMES]:
        times = moments(columns.pop(name))
    if not columns:
        raise InvalidInput("there is no column of prices")
    lengths = {len(one) for one in columns.values()}
    if len(lengths) > 1:
        raise InvalidInput(f"the series have different lengths: {', '.join(map(str, sorted(lengths)))}")
    values = np.column_stack([_numbers(name, one) for name, one in columns.items()])
    return list(columns), values, times


def _numbers(name: str, values: Any) -> Floats:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name}: expected numbers") from error


def _in_order(prices: Prices) -> Prices:
    """The oldest row first, as many files do not have it. Raises InvalidInput where two rows are of one time."""
    times = prices.times
    if times is None or np.all(np.diff(times) > 0):
        return prices
    order = np.argsort(times, kind="stable")
    times = times[order]
    again = np.flatnonzero(np.diff(times) == 0)
    if len(again):
        raise InvalidInput(
            f"there is more than one row of {iso(int(times[again[0]]))}",
            hint="Give each date once, with a column an asset, or bars with a column of symbols and one of closes.",
        )
    return replace(prices, values=prices.values[order], times=times)


def _without_gaps(prices: Prices, missing: str) -> Prices:
    values, times = prices.values, prices.times
    bad = np.isinf(values) | (values <= 0.0)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise InvalidInput(f"{prices.assets[column]} has a price of {values[row, column]:g} in row {row}")
    present = ~np.isnan(values)
    never = [prices.assets[place] for place in np.flatnonzero(~present.any(axis=0))]
    if never:
        raise InvalidInput(f"{never[0]} has no price at all")
    first = int(present.argmax(axis=0).max())
    is_filled = prices.is_filled or missing in ("fill", "skip")
    if is_filled and not prices.is_filled:
        values = _filled(values, times)
    if missing in ("fill", "refuse"):
        _check_whole(prices, values[first:], first=first)
    whole = np.isfinite(values)
    kept = np.flatnonzero(whole.any(axis=1) if missing == "skip" else whole.all(axis=1))
    return Prices(prices.assets, values[kept], None if times is None else times[kept], is_filled)


def _filled(values: Floats, times: Ints | None) -> Floats:
    """Gaps with the last price before them, as far as that is near; what comes later does not matter to it."""
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, rows), axis=0)
    near = rows - last <= FILLED_ROWS
    if times is not None:
        near |= times[:, None] - times[np.maximum(last, 0)] <= FILLED_TIME
    return np.where((last >= 0) & near, np.take_along_axis(values, np.maximum(last, 0), axis=0), np.nan)


def _check_whole(prices: Prices, values: Floats, *, first: int) -> None:
    """Raises InvalidInput where a price is not there, naming the first and how long it stays so."""
    absent = np.isnan(values)
    if not absent.any():
        return
    row, column = np.argwhere(absent)[0]
    length = int((~absent[row:, column]).argmax()) or len(values) - int(row)
    when = f"in row {first + row}" if prices.times is None else f"on {iso(int(prices.times[first + row]))[:10]}"
    raise InvalidInput(
        f"{prices.assets[column]} has no price {when}, nor for {length - 1} rows after it"
        if length > 1
        else f"{prices.assets[column]} has no price {when}",
        hint="Leave it out, or start later; missing='drop' leaves out all rows that lack a price.",
    )
