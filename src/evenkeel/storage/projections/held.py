"""Records of what the engine sees to for orders: what is kept of each stands in its row."""

from evenkeel.domain.held_records import OrderKept, OrderReleased
from evenkeel.domain.orders import Kept, OrderState, Side
from evenkeel.storage.projections.orders import checks_of, explain, history, kept_of, move, source_of
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.projections.writing import Row
from evenkeel.storage.tables.trading import orders


def order_kept(unit: Unit, place: Place, record: OrderKept) -> None:
    row = unit.get(orders, record.order_id)
    row |= {"kept": kept_of(record.kept), "updated_at": record.at, "updated_seq": place.seq}
    if record.kept.trail is not None and row["state"] == OrderState.HELD:
        _follow(row, record.kept)
    actor, details = record.provenance.actor if record.provenance else None, source_of(record.provenance)
    history(unit, place, row, "KEPT", at=record.at, price=record.kept.level, actor=actor, details=details)


def _follow(row: Row, kept: Kept) -> None:
    """Prices that follow the market stand where that has put them."""
    row["stop_price"] = kept.level
    row["limit_price"] = None if kept.trail is None else kept.trail.limit_at(Side(row["side"]), kept.level)


def order_released(unit: Unit, place: Place, record: OrderReleased) -> None:
    row = unit.get(orders, record.order_id)
    row |= {
        "kept": kept_of(record.kept),
        "quantity": record.quantity,
        "venue_client_id": record.venue_client_id,
        "since": record.since,
        "session_date": record.session_date,
        "send_by": record.send_by,
        "triggered": row["triggered"] or record.triggered,
    }
    if record.kept.trail is not None:
        _follow(row, record.kept)
    if not record.approved:
        explain(row, record.checks[-1])
    after = OrderState.SUBMITTED if record.approved else OrderState.REFUSED
    move(row, place, after, at=record.at, venue_order_id=None)
    details = {"checks": checks_of(record.checks)}
    history(unit, place, row, "RELEASED", at=record.at, quantity=record.quantity, details=details)
