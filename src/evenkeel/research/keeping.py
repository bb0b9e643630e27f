"""What is kept of a finished backtest or search: one compressed file of columns, with its tables and its tear sheet.

A file rather than rows, so that nothing large goes through the process that trades or through its database, whose
write lock the projections share; the worker writes it, whole or not at all, readable by the owner alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from evenkeel.domain.errors import NotFound

if TYPE_CHECKING:
    import polars as pl

    from evenkeel.research.backtest.result import BacktestResult

_FILL = ("bar", "at", "instrument", "side", "quantity", "price", "fee", "why")
_TRADE = (
    "side", "quantity", "entry_ts", "entry_price", "exit_ts", "exit_price", "gross", "fees", "net", "returns", "mae",
    "mfe", "bars_held",
)  # fmt: skip


class Rows(NamedTuple):
    """Some rows as columns by name; the first is row `start` of `total`. `symbols` are those of the result."""

    start: int
    total: int
    symbols: list[str]
    columns: dict[str, list[Any]]


def keep(result: BacktestResult, report: str, path: Path, *, table: pl.DataFrame | None = None) -> None:
    """Writes the file; `table` has the combinations or windows of a search.

    Raises OSError where the disk says no; no half file stays.
    """
    outcome, fills, trades = result.outcome, result.fills, result.trades
    columns: dict[str, Any] = {
        "symbols": np.array([one.symbol for one in result.instruments], dtype=np.str_),
        "at": outcome.at,
        "equity": outcome.equity,
        "cash": outcome.cash,
        "positions": np.atleast_2d(outcome.positions),
        **{f"fill_{name}": getattr(fills, name) for name in _FILL},
        **{f"trade_{name}": getattr(trades, name) for name in _TRADE},
        "trade_symbol": np.array(list(trades.symbol), dtype=np.str_),
        "report": np.frombuffer(report.encode(), dtype=np.uint8),
        **({} if table is None else {"table": np.frombuffer(_as_parquet(table), dtype=np.uint8)}),
    }
    part = path.with_suffix(".part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            np.savez_compressed(file, **columns)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _as_parquet(frame: pl.DataFrame) -> bytes:
    content = BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


def table(path: Path) -> pl.DataFrame:
    """What a search tried: a row a combination, in the order tried, or a window. Raises NotFound where none is kept."""
    import polars as pl

    with _opened(path) as file:
        if "table" not in file:
            raise NotFound("no table is kept with it: a single backtest has none")
        return pl.read_parquet(BytesIO(bytes(file["table"])))


def equity(path: Path, start: int, count: int) -> Rows:
    """`at`, `equity`, `cash` and `positions` (one list an instrument) at the end of bars from `start` on."""
    with _opened(path) as file:
        return _rows(file, "equity", start=start, stop=start + count)


def spread_equity(path: Path, points: int) -> tuple[list[int], Rows]:
    """At most `points` bars at even distances, the first and the last among them: (their indices, their rows)."""
    with _opened(path) as file:
        total = len(file["at"])
        chosen = np.unique(np.linspace(0, total - 1, min(points, total)).round().astype(np.int64))
        columns = {name: file[name][..., chosen].tolist() for name in ("at", "equity", "cash", "positions")}
        return chosen.tolist(), Rows(0, total, file["symbols"].tolist(), columns)


def fills(path: Path, start: int, count: int) -> Rows:
    """The columns of `Fills` from row `start` on, oldest first."""
    with _opened(path) as file:
        return _rows(file, "fills", start=start, stop=start + count)


def trades(path: Path, start: int, count: int) -> Rows:
    """The columns of closed trades from row `start` on, in order of exit."""
    with _opened(path) as file:
        return _rows(file, "trades", start=start, stop=start + count)


def report(path: Path) -> bytes:
    """The tear sheet: a whole HTML page in UTF-8."""
    with _opened(path) as file:
        return bytes(file["report"])


_COLUMNS = {
    "equity": {name: name for name in ("at", "equity", "cash", "positions")},
    "fills": {name: f"fill_{name}" for name in _FILL},
    "trades": {name: f"trade_{name}" for name in ("symbol", *_TRADE)},
}


def _rows(file: Any, kind: str, *, start: int, stop: int) -> Rows:
    columns = {name: file[stored] for name, stored in _COLUMNS[kind].items()}
    total = next(iter(columns.values())).shape[-1]
    part = {name: column[..., start:stop].tolist() for name, column in columns.items()}
    return Rows(start, total, file["symbols"].tolist(), part)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Raises NotFound where the file is gone or damaged."""
    try:
        file = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise NotFound(
            "the columns of this backtest are gone: its file is not in the home's research folder",
            hint="Restore the folder with the database, or run the backtest again.",
        ) from None
    except (OSError, ValueError, BadZipFile) as error:
        raise NotFound(
            f"the columns of this backtest cannot be read, its file is damaged: {error}",
            hint="Restore the home's research folder, or run the backtest again.",
        ) from error
    with file:
        yield file
