"""Splits and dividends from a file: dated events, or cumulative factors from which the events are worked out.

Events: columns `symbol`, `ex_date`, and `numerator` with `denominator` for a split, `amount` for a dividend.
Factors: columns `symbol`, `date`, `price_factor`, `split_factor`, `reference_price` (the raw close of `date`); a row's
factors hold up to and including its date, so that the event between two rows goes ex at the session after the first.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from evenkeel.domain.errors import DataRefused, FieldError
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.market.calendars import Calendar, calendar
from evenkeel.market.tables import header_names, refuse_twice

if TYPE_CHECKING:
    import polars as pl

_FACTORS = {"symbol", "date", "price_factor", "split_factor", "reference_price"}
_PAIR = ("split_factor", "price_factor")
_EVENTS = {"symbol", "ex_date"}
_SIMPLE = 20
_CLOSE_ENOUGH = 5e-4
_NOTHING = 1e-9
_CENT_OF_CENT = Decimal("0.0001")


class Found(Struct):
    """The events of one instrument."""

    splits: tuple[Split, ...] = ()
    dividends: tuple[Dividend, ...] = ()


def read_adjustments(
    path: Path,
    venue: str | None,
    known: Callable[[str, str | None], tuple[Instrument, ...]],
    *,
    cache: Path | None = None,
) -> dict[str, Found]:
    """Events by instrument id; symbols not `known` are passed over. Raises DataRefused with the rows at fault."""
    frame = _read(path)
    columns = set(frame.columns)
    if not (columns >= _FACTORS or columns >= _EVENTS):
        raise DataRefused(
            f"{path.name} holds no adjustments; its columns are {', '.join(frame.columns)}",
            hint="Give symbol, ex_date, numerator, denominator, amount; or symbol, date, price_factor, split_factor, "
            "reference_price.",
        )
    found = {}
    for (symbol,), rows in frame.with_row_index("row", offset=1).group_by(["symbol"], maintain_order=True):
        for instrument in known(str(symbol), venue):
            sessions = calendar(instrument.calendar, cache=cache)
            records = rows.to_dicts()
            read = _from_factors if columns >= _FACTORS else _from_events
            found[instrument.id] = read(path.name, instrument.id, records, sessions)
    return found


def _read(path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        raw = path.read_bytes()
        parquet = raw[:4] == b"PAR1"
        frame = pl.read_parquet(raw) if parquet else pl.read_csv(raw, infer_schema=False)
        names = frame.columns if parquet else header_names(raw.partition(b"\n")[0].decode("utf-8-sig").strip())
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise DataRefused(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    refuse_twice((name.lower() for name in names), path.name)
    return frame.rename({name: name.strip().lower() for name in frame.columns})


def _from_events(source: str, instrument_id: str, rows: list[dict[str, object]], sessions: Calendar) -> Found:
    found = Found()
    for row in rows:
        day = _day(source, row, "ex_date")
        amount, new, old = (_number(source, row, name) for name in ("amount", "numerator", "denominator"))
        if amount is None and new is None:
            raise _refused(source, row, "numerator", "a row needs an amount, or numerator and denominator")
        if new is not None:
            found.splits += (Split(instrument_id, day, new, old or Decimal(1)),)
        if amount is not None:
            found.dividends += (Dividend(instrument_id, day, amount),)
    return found


def _from_factors(source: str, instrument_id: str, rows: list[dict[str, object]], sessions: Calendar) -> Found:
    found = Found()
    for row, following in pairwise(rows):
        split, price, reference = (_factor(source, row, name) for name in (*_PAIR, "reference_price"))
        after, price_after = (_factor(source, following, name) for name in _PAIR)
        day = sessions.next_session(_day(source, row, "date")).date
        if split != after:
            new, old = _ratio(after / split)
            found.splits += (Split(instrument_id, day, new, old),)
        lost = 1.0 - price / price_after
        if lost > _NOTHING:
            per_share = reference * lost * split / after
            amount = Decimal(repr(per_share)).quantize(_CENT_OF_CENT)
            found.dividends += (Dividend(instrument_id, day, amount),) if amount else ()
    return found


def _ratio(value: float) -> tuple[Decimal, Decimal]:
    """The simple fraction at `value`, or else six digits of it over 1."""
    near = Fraction(value).limit_denominator(_SIMPLE)
    if near and abs(float(near) / value - 1) < _CLOSE_ENOUGH and near != 1:
        return Decimal(near.numerator), Decimal(near.denominator)
    return Decimal(repr(value)).quantize(Decimal("0.000001")), Decimal(1)


def _day(source: str, row: dict[str, object], name: str) -> date:
    value = row.get(name)
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError as error:
        raise _refused(source, row, name, f"{value!r} is not a date such as 2005-02-28") from error


def _factor(source: str, row: dict[str, object], name: str) -> float:
    number = _number(source, row, name)
    if number is None and name != "reference_price":
        raise _refused(source, row, name, "missing")
    return float(number or 0)


def _number(source: str, row: dict[str, object], name: str) -> Decimal | None:
    value = row.get(name)
    if value is None or str(value).strip() == "" or (name == "reference_price" and float(str(value)) == 0):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation as error:
        raise _refused(source, row, name, f"{value!r} is not a number") from error
    if not number.is_finite() or number <= 0:
        raise _refused(source, row, name, f"{value!r} is not above zero")
    return number


def _refused(source: str, row: dict[str, object], name: str, message: str) -> DataRefused:
    return DataRefused(
        f"{source} was refused and nothing of it was kept",
        errors=(FieldError(f"row {row['row']}, {name}", message),),
    )
