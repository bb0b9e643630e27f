"""The orders of a basket's file: which columns there are, and what they say in the words of a request."""

from pathlib import Path
from typing import Any

import typer

from evenkeel.cli import order_terms
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.orders import TimeInForce

Row = dict[str, Any]
NEEDED: tuple[str, ...] = ("account", "symbol", "side", "quantity")
COLUMNS: tuple[str, ...] = (
    *NEEDED, "kind", "limit_price", "stop_price", "trigger_price", "trail_amount", "trail_percent", "trail_atr",
    "trail_limit_offset", "time_in_force", "expires_at", "after_market", "reduce_only", "product", "book", "venue",
    "client_order_id",
)  # fmt: skip
_TRAILS = ("trail_amount", "trail_percent", "trail_atr")
_UPPER = ("side", "time_in_force", "product")
_SWITCHED = ("after_market", "reduce_only")
_SWITCHES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def checked(rows: list[Row], file: Path) -> list[Row]:
    """The rows as a request has them, with the kind and time in force that follow. Raises InvalidInput."""
    faults = [
        FieldError(name, f"is not one of {', '.join(COLUMNS)}")
        for name in dict.fromkeys(name for row in rows for name in row)
        if name not in COLUMNS
    ]
    found = [_read(row, f"order {place}", faults) for place, row in enumerate(rows, 1)]
    if not rows or faults:
        raise InvalidInput(f"{file} holds no orders" if not rows else f"{file} cannot be read", errors=tuple(faults))
    return found


def _read(row: Row, place: str, faults: list[FieldError]) -> Row:
    missing = ", ".join(name for name in NEEDED if not row.get(name))
    if missing:
        faults.append(FieldError(place, f"needs {missing}"))
    given = row | {name: str(row[name]).upper() for name in _UPPER if name in row}
    given |= {name: _switch(name, row[name], place, faults) for name in _SWITCHED if name in row}
    try:
        if "trail_atr" in row:
            given["trail_atr"] = _ranges(row["trail_atr"])
        given["kind"] = order_terms.kind(str(row["kind"])).value if "kind" in row else _kind(row)
    except typer.BadParameter as error:
        faults.append(FieldError(place, error.message))
    if "expires_at" in row:
        given.setdefault("time_in_force", TimeInForce.GTD.value)
    return given


def _kind(row: Row) -> str:
    if any(name in row for name in _TRAILS):
        offset = "trail_limit_offset" in row
        return order_terms.follows(has_offset=offset).value
    return order_terms.KINDS["limit_price" in row, "stop_price" in row].value


def _switch(name: str, value: Any, place: str, faults: list[FieldError]) -> bool:
    found = _SWITCHES.get(str(value).lower())
    if found is None:
        faults.append(FieldError(place, f"{name}: {value!r} is neither true nor false"))
    return bool(found)


def _ranges(value: Any) -> Any:
    """Average ranges as an object has them, or as `--trail` does: 3atr:14:1d. Raises typer.BadParameter."""
    if isinstance(value, dict):
        period = value.get("period")
        return value | ({"period": int(period)} if isinstance(period, str) and period.isdecimal() else {})
    found = order_terms.trail(str(value)).get("trail_atr")
    if found is None:
        raise typer.BadParameter(f"trail_atr: {value!r} is not such as 3atr:14:1d")
    return found
