"""Fills, trades and equity as files for other programs."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.quant.analytics import RoundTrips
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.report.scales import Ints
from evenkeel.research.report.writing import refused, write_whole

if TYPE_CHECKING:
    import polars as pl

Format = Literal["csv", "parquet"]


def export(result: BacktestResult, folder: str | Path, *, format: Format = "csv") -> list[Path]:  # noqa: A002
    """Writes fills, trades and equity (one row a bar) to `folder`, which is made where it is missing; their paths.

    Times are UTC, to the nanosecond. Each file appears whole or not at all. Raises InvalidInput for an unknown format
    and where it cannot write.
    """
    if format not in get_args(Format):
        message = f"expected {' or '.join(get_args(Format))}, not {format!r}"
        raise InvalidInput(f"format: {message}", errors=(FieldError("format", message),))
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(place, error.strerror or str(error), hint="Name a folder where you may write.") from error
    frames = {"fills": result.fills.to_polars(), "trades": trades_frame(result.trades), "equity": result.to_polars()}
    return [write_whole(place / f"{name}.{format}", _bytes(frame, format)) for name, frame in frames.items()]


def trades_frame(trades: RoundTrips) -> pl.DataFrame:
    """Closed trades as a frame, in order of exit; money in currency, `return`, `mae` and `mfe` as fractions."""
    import polars as pl

    return pl.DataFrame(
        {
            "symbol": [str(name) for name in trades.symbol],
            "side": ["LONG" if side > 0 else "SHORT" for side in trades.side.tolist()],
            "quantity": trades.quantity,
            "entry_at": _moments(trades.entry_ts),
            "entry_price": trades.entry_price,
            "exit_at": _moments(trades.exit_ts),
            "exit_price": trades.exit_price,
            "gross": trades.gross,
            "fees": trades.fees,
            "net": trades.net,
            "return": _or_null(trades.returns),
            "mae": _or_null(trades.mae),
            "mfe": _or_null(trades.mfe),
            "bars_held": _or_null(trades.bars_held),
        },
        schema_overrides={"symbol": pl.String, "side": pl.String},
    )


def _moments(at: Ints) -> pl.Series:
    import polars as pl

    return pl.Series(at, dtype=pl.Int64).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")


def _or_null(values: np.ndarray) -> pl.Series:
    import polars as pl

    return pl.Series(values, dtype=pl.Float64).fill_nan(None)


def _bytes(frame: pl.DataFrame, format: Format) -> bytes:  # noqa: A002
    if format == "csv":
        return frame.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.9fZ").encode()
    buffer = BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
