"""What has happened to an order, straight from a journal in memory."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from evenkeel.domain import records as r
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.records import AnyRecord
from evenkeel.storage.repositories.history import OrderLine


def order_lines(records: Iterable[AnyRecord], order_id: str) -> Iterator[OrderLine]:
    """The lines that the projections would hold of an order, oldest first."""
    for seq, record in enumerate(records, 1):
        match record:
            case r.OrderDecided() if record.order_id == order_id:
                yield _decided(seq, record)
            case r.OrderMoved() if record.order_id == order_id:
                yield _moved(seq, record)
            case r.FillBooked() if record.fill.order_id == order_id:
                yield _filled(seq, record)


def _decided(seq: int, record: r.OrderDecided) -> OrderLine:
    line = _by(_line(seq, record.at, "DECIDED", record.state), record.provenance)
    line = replace(line, checks=record.checks)
    if record.approved:
        return line
    failed = record.checks[-1]
    same = {name: getattr(failed, name) for name in ("reason", "rule", "limit", "value", "layer")}
    return replace(line, **same)


def _moved(seq: int, record: r.OrderMoved) -> OrderLine:
    line = _line(seq, record.at, record.event, record.state)
    line = replace(line, reason=record.reason, quantity=record.quantity, price=record.limit_price)
    return line if record.provenance is None else _by(line, record.provenance)


def _filled(seq: int, record: r.FillBooked) -> OrderLine:
    fill = record.fill
    line = _line(seq, record.at, "FILL", record.state)
    return replace(line, quantity=fill.quantity, price=fill.price, fill_id=fill.id, venue_at=fill.executed_at)


def _by(line: OrderLine, provenance: Provenance) -> OrderLine:
    return replace(line, actor=provenance.actor, source=provenance.source)


def _line(seq: int, at: int, event: str, state: str) -> OrderLine:
    blank: dict[str, Any] = dict.fromkeys(OrderLine.__struct_fields__)
    return OrderLine(**blank | {"id": str(seq), "at": at, "event": event, "state": state, "checks": ()})
