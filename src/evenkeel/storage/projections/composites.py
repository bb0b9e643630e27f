"""Records of composite orders, as rows that say how far each has come."""

from decimal import Decimal
from typing import Any

from msgspec import to_builtins

from evenkeel.domain import records as r
from evenkeel.domain.composite_records import CompositeEnded, CompositeMoved, CompositeStarted, SplitComposite
from evenkeel.domain.composites import CompositeState, Terms, specs_of
from evenkeel.domain.money import add, plain, sub
from evenkeel.storage.projections.orders import checks_of, explain
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.projections.writing import Row
from evenkeel.storage.tables.composites import composites
from evenkeel.trading.engine.composites.standing import reopened


def started(unit: Unit, place: Place, record: CompositeStarted) -> None:
    row: Row = {
        "id": record.id,
        "client_order_id": record.client_order_id,
        "account_id": record.account_id,
        "book": record.book,
        "closes": record.closes,
        "state": (CompositeState.ACTIVE if record.approved else CompositeState.REFUSED).value,
        **dict.fromkeys(("reason", "rule", "limit", "value")),
        "asked": to_builtins(record.terms),
        "filled": {},
        "checks": checks_of(record.checks),
        "actor": record.provenance.actor,
        "source": record.provenance.source.value,
        "created_at": record.at,
        "updated_at": record.at,
        "ended_at": None if record.approved else record.at,
        "updated_seq": place.seq,
        **_terms(record.terms),
    }
    if not record.approved:
        explain(row, record.checks[-1])
    unit.put(composites, (record.id,), row)


def _terms(terms: Terms) -> dict[str, Any]:
    lead = specs_of(terms)[0]
    return {
        "kind": str(terms.__struct_config__.tag),
        "terms": to_builtins(terms),
        "instrument_id": lead.instrument_id,
        "side": lead.side.value,
        "quantity": lead.quantity,
    }


def moved(unit: Unit, place: Place, record: CompositeMoved) -> None:
    row = unit.get(composites, record.id)
    row |= {"state": record.state.value, "reason": record.reason, "updated_at": record.at, "updated_seq": place.seq}
    if record.terms is not None:
        row |= _terms(record.terms)


def ended(unit: Unit, place: Place, record: CompositeEnded) -> None:
    row = unit.get(composites, record.id)
    row |= {
        "state": record.state.value,
        "reason": record.reason,
        "updated_at": record.at,
        "ended_at": record.at,
        "updated_seq": place.seq,
    }


def filled(unit: Unit, place: Place, record: r.FillBooked, order: Row) -> None:
    """A fill of one of its orders; one that had ended is brought back by it."""
    row = unit.get(composites, order["parent"])
    change = sub if record.fill.reverses is not None else add
    before = Decimal(row["filled"].get(order["leg"], "0"))
    row["filled"] = row["filled"] | {order["leg"]: plain(change(before, record.fill.quantity))}
    row["updated_seq"] = place.seq
    if row["ended_at"] is not None:
        row["state"] = reopened(row["kind"], CompositeState(row["state"])).value
        row["ended_at"] = None


def split(unit: Unit, place: Place, change: SplitComposite) -> None:
    row = unit.get(composites, change.id)
    row |= _terms(change.terms)
    row["filled"] = {leg: plain(quantity) for leg, quantity in change.filled.items()}
    row["updated_seq"] = place.seq
