"""Records that move positions: fills, corrections by reconcile, and splits."""

from msgspec import to_builtins

from evenkeel.domain import records as r
from evenkeel.domain.accounts import LedgerKind
from evenkeel.domain.fills import Fill
from evenkeel.domain.money import add, mul, neg, sub, total
from evenkeel.domain.orders import Product
from evenkeel.domain.positions import PositionKey
from evenkeel.storage.projections import composites, holdings, orders, portfolios
from evenkeel.storage.projections.money import book_entries
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.projections.writing import Row
from evenkeel.storage.tables.reference import splits
from evenkeel.storage.tables.strategies import strategies
from evenkeel.storage.tables.trading import fills


def fill_booked(unit: Unit, place: Place, record: r.FillBooked) -> None:
    fill = record.fill
    multiplier = holdings.multiplier_of(unit, fill.instrument_id)
    order = orders.filled(unit, place, record, mul(mul(fill.quantity, fill.price), multiplier))
    unit.add(fills, _fill_row(record, order, place))
    if order["parent"]:
        composites.filled(unit, place, record, order)
    key = PositionKey(fill.account_id, fill.book, fill.instrument_id, Product(order["product"]))
    position = holdings.load(unit, key)
    position.book(fill.quantity if fill.side.sign > 0 else neg(fill.quantity), fill.price, multiplier)
    for entry in record.entries:
        if entry.kind is not LedgerKind.TRADE:
            position.charges = sub(position.charges, entry.amount)
    holdings.store(unit, place, position, at=record.at)
    book_entries(unit, place, record.entries, at=record.at, fill_id=fill.id)
    if unit.find(strategies, fill.book) is not None:
        unit.get(strategies, fill.book)["fills"] += 1


def _fill_row(record: r.FillBooked, order: Row, place: Place) -> Row:
    fill: Fill = record.fill
    return {
        "id": fill.id,
        "order_id": fill.order_id,
        "account_id": fill.account_id,
        "book": fill.book,
        "instrument_id": fill.instrument_id,
        "product": order["product"],
        "side": fill.side.value,
        "quantity": fill.quantity,
        "price": fill.price,
        "currency": fill.currency,
        "fees": total([charge.amount for charge in fill.charges]),
        "charges": [to_builtins(charge) for charge in fill.charges],
        "executed_at": fill.executed_at,
        "booked_at": record.at,
        "session_date": fill.session_date,
        "venue_execution_id": fill.venue_execution_id,
        "venue_order_id": record.venue_order_id,
        "reverses": fill.reverses,
        "synthetic": fill.synthetic,
        "seq": place.seq,
    }


def position_corrected(unit: Unit, place: Place, record: r.PositionCorrected) -> None:
    position = holdings.load(unit, record.key)
    position.book(record.quantity, record.price, holdings.multiplier_of(unit, record.key.instrument_id))
    holdings.store(unit, place, position, at=record.at, corrected=True)


def protection_changed(unit: Unit, place: Place, record: r.ProtectionChanged) -> None:
    """Has no table: what guards a position is live state, and its exits are orders."""


def split_applied(unit: Unit, place: Place, record: r.SplitApplied) -> None:
    change = record.split
    row = {
        "instrument_id": change.instrument_id,
        "ex_date": change.ex_date,
        "numerator": change.numerator,
        "denominator": change.denominator,
        "applied_at": record.at,
        "positions": len(record.positions),
        "orders": len(record.orders),
    }
    unit.put(splits, (change.instrument_id, change.ex_date), row)
    for part in record.positions:
        position = holdings.load(unit, part.key)
        position.realised = add(position.realised, sub(part.cash_in_lieu, part.cost_released))
        position.total_cost = sub(position.total_cost, part.cost_released)
        position.quantity = part.quantity
        holdings.store(unit, place, position, at=record.at)
    for order in record.orders:
        orders.split(unit, place, order, record.at)
    for composite in record.composites:
        composites.split(unit, place, composite)
    book_entries(unit, place, record.entries, at=record.at)
    portfolios.split(unit, place, record)
