"""The positions side: each key's position, and per account and instrument the sum of its books, kept as a row."""

from decimal import Decimal

from evenkeel.domain.money import ZERO, add, sub
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.storage.projections import totals
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.projections.writing import Row
from evenkeel.storage.tables.reference import instruments
from evenkeel.storage.tables.trading import position_totals, positions

_FIGURES = ("quantity", "total_cost", "realised", "charges")


def multiplier_of(unit: Unit, instrument_id: str) -> Decimal:
    row = unit.find(instruments, instrument_id)
    return row["multiplier"] if row is not None else Decimal(1)


def load(unit: Unit, key: PositionKey) -> Position:
    """The position of a key, flat where there is none yet."""
    row = unit.find(positions, *_row_key(key))
    if row is None:
        return Position(key=key)
    return Position(key=key, **{name: row[name] for name in _FIGURES})


def store(unit: Unit, place: Place, position: Position, *, at: int, corrected: bool = False) -> None:
    """Writes a position back, and moves the account's total by the same difference."""
    key = position.key
    row = unit.find_or(positions, _row_key(key), lambda: _empty(unit, key))
    total = unit.find_or(position_totals, (key.account_id, key.instrument_id), lambda: _empty_total(unit, key))
    before = {name: total[name] for name in _FIGURES}
    for name in _FIGURES:
        value = getattr(position, name)
        total[name] = add(total[name], sub(value, row[name]))
        row[name] = value
    row["updated_at"] = total["updated_at"] = at
    row["updated_seq"] = place.seq
    if corrected:
        total["corrected_at"] = at
    totals.held(unit, total, before=before, at=at)


def _row_key(key: PositionKey) -> tuple[str, ...]:
    return key.account_id, key.book, key.instrument_id, key.product.value, key.side.value if key.side else ""


def _empty(unit: Unit, key: PositionKey) -> Row:
    account_id, book, instrument_id, product, side = _row_key(key)
    return {
        "account_id": account_id,
        "book": book,
        "instrument_id": instrument_id,
        "product": product,
        "side": side,
        **dict.fromkeys(_FIGURES, ZERO),
        "currency": _currency(unit, instrument_id),
        "updated_at": 0,
        "updated_seq": 0,
    }


def _empty_total(unit: Unit, key: PositionKey) -> Row:
    return {
        "account_id": key.account_id,
        "instrument_id": key.instrument_id,
        **dict.fromkeys(_FIGURES, ZERO),
        "currency": _currency(unit, key.instrument_id),
        "corrected_at": None,
        "updated_at": 0,
    }


def _currency(unit: Unit, instrument_id: str) -> str:
    row = unit.find(instruments, instrument_id)
    return str(row["currency"]) if row is not None else ""
