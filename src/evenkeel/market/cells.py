"""Cells of a table as numbers: prices, or bid and ask as their middle and distance, with what is wrong noted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evenkeel.market.columns import PRICES, Floats
from evenkeel.market.tables import Table

if TYPE_CHECKING:
    import polars as pl

_MOST_PLACES = 10


def measures(table: Table) -> tuple[dict[str, Floats], list[str]]:
    """(open, high, low, close and, where given, volume and spread by row; notes). Faults go into the table's list."""
    notes = []
    found = {}
    if all(name in table.columns for name in PRICES):
        found = {name: _numbers(table, name) for name in PRICES}
        if table.quoted:
            notes.append("bid and ask columns were left out, since open, high, low and close are given")
        if "spread" in table.columns:
            found["spread"] = _numbers(table, "spread")
    else:
        found = _middle(table)
    if "volume" not in table.columns or _blank(table.columns["volume"]):
        notes.append("there is no volume: it is kept as 0")
    else:
        found["volume"] = _numbers(table, "volume")
    return found, notes


def _numbers(table: Table, name: str) -> Floats:
    import polars as pl

    raw = table.columns[name]
    text = raw.dtype == pl.String
    values = (raw.str.strip_chars() if text else raw).cast(pl.Float64, strict=False)
    table.faults.add(values.is_null().to_numpy(), name, raw, "is not a number")
    return values.fill_null(float("nan")).to_numpy()


def _blank(raw: pl.Series) -> bool:
    import polars as pl

    return bool((raw.str.strip_chars().fill_null("") == "").all()) if raw.dtype == pl.String else raw.is_null().all()


def _middle(table: Table) -> dict[str, Floats]:
    """The middle of bid and ask, and their distance at the close."""
    bid = {name: _numbers(table, f"bid_{name}") for name in PRICES}
    ask = {name: _numbers(table, f"ask_{name}") for name in PRICES}
    for label, side in (("bid", bid), ("ask", ask)):
        _check_side(table, label, side)
    for name in PRICES:
        table.faults.add(bid[name] > ask[name], f"bid_{name}", bid[name], f"the bid is above the ask_{name}")
    places = _places(*bid.values(), *ask.values())
    middle = {name: _on_grid((bid[name] + ask[name]) / 2, places + 1) for name in PRICES}
    return middle | {"spread": _on_grid(ask["close"] - bid["close"], places)}


def _places(*columns: Floats) -> int:
    """How many decimal places the prices are written with, at most _MOST_PLACES."""
    prices = np.concatenate(columns)
    prices = prices[np.isfinite(prices)]
    return next((p for p in range(_MOST_PLACES) if (np.round(prices, p) == prices).all()), _MOST_PLACES)


def _on_grid(values: Floats, places: int) -> Floats:
    """The decimals meant: halves and differences of decimals are not always the nearest floats to theirs."""
    return np.round(values, places)


def _check_side(table: Table, label: str, side: dict[str, Floats]) -> None:
    wrong = np.zeros(len(table.rows), dtype=np.bool_)
    for name, values in side.items():
        impossible = ~(np.isfinite(values) & (values > 0))
        table.faults.add(impossible, f"{label}_{name}", table.columns[f"{label}_{name}"], "is not a price above zero")
        wrong |= impossible
    crossed = ~wrong & (side["high"] < side["low"])
    table.faults.add(crossed, f"{label}_high", side["high"], f"the high is below the {label}_low")
    for name in ("open", "close"):
        outside = ~wrong & ~crossed & ((side[name] > side["high"]) | (side[name] < side["low"]))
        table.faults.add(outside, f"{label}_{name}", side[name], f"the {name} lies outside {label}_low to {label}_high")
