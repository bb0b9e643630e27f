"""Records of copy links: what each is, and what became of every event."""

from msgspec import to_builtins

from evenkeel.domain.copy_records import CopyCursorMoved, CopyLinkSet, CopyTaken
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.projections.writing import Row
from evenkeel.storage.tables.copying import copies, copy_links


def link_set(unit: Unit, place: Place, record: CopyLinkSet) -> None:
    link, known = record.link, unit.find(copy_links, record.link.id)
    row: Row = {
        "id": link.id,
        "master_id": link.master_id,
        "follower_id": link.follower_id,
        "mode": link.mode.value,
        "proposed_by": link.proposed_by,
        "accepted": link.accepted,
        "paused": link.paused,
        "removed": link.removed,
        "link": to_builtins(link),
        "created_at": record.at if known is None else known["created_at"],
        "updated_at": record.at,
        "updated_seq": place.seq,
    }
    if known is None:
        unit.put(copy_links, (link.id,), row)
    else:
        known |= row


def taken(unit: Unit, place: Place, record: CopyTaken) -> None:
    row = {
        "seq": place.seq,
        "link_id": record.link_id,
        "at": record.at,
        "kind": record.kind.value,
        "source": record.source,
        "instrument_id": record.instrument_id,
        "held": record.held,
        "wanted": record.wanted,
        "carry": record.carry,
        "quantity": record.quantity,
        "master_order_id": record.master_order_id or None,
        "order_ids": list(record.orders),
        "skipped": record.skipped or None,
    }
    unit.add(copies, row)


def cursor_moved(unit: Unit, place: Place, record: CopyCursorMoved) -> None:
    """How far has been read is live state."""
