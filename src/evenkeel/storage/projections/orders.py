"""Records of orders: the row as it stands, with one line of history per record."""

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite
from typing import Any

from msgspec import to_builtins

from evenkeel.domain import records as r
from evenkeel.domain.money import ZERO, add, sub
from evenkeel.domain.orders import Kept, OrderSpec, OrderState
from evenkeel.domain.provenance import Provenance
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.projections.writing import Row
from evenkeel.storage.tables.strategies import strategies
from evenkeel.storage.tables.trading import order_events, orders
from evenkeel.trading.engine.keeping import limit_of, stop_of


def order_decided(unit: Unit, place: Place, record: r.OrderDecided) -> None:
    row = _new_row(record, record.spec, record.state, place)
    source, arrival = record.provenance, record.arrival
    row |= {
        "kept": kept_of(record.kept),
        "limit_price": limit_of(record.spec, record.kept),
        "stop_price": stop_of(record.spec, record.kept),
        "send_by": record.send_by,
        "since": record.since,
        "checks": checks_of(record.checks),
        "actor": source.actor,
        "source": source.source.value,
        "cause_id": source.cause_id,
        "parent_id": source.parent_id,
        "strategy_version": source.strategy_version,
        "parameter_hash": source.parameter_hash,
        "received_at": source.received or None,
        "arrival_bid": measured(arrival.bid),
        "arrival_ask": measured(arrival.ask),
        "arrival_last": measured(arrival.last),
        "arrival_quote_age": arrival.quote_age,
        "limits_version": arrival.limits_version,
    }
    if not record.approved:
        explain(row, record.checks[-1])
    unit.put(orders, (record.order_id,), row)
    details = {"checks": row["checks"], **source_of(source)}
    history(unit, place, row, "DECIDED", at=record.at, actor=source.actor, details=details)
    deployment = unit.find(strategies, record.spec.book)
    if deployment is not None:
        deployment = unit.get(strategies, record.spec.book)
        deployment["orders"] += 1
        deployment["refusals"] += not record.approved


def order_adopted(unit: Unit, place: Place, record: r.OrderAdopted) -> None:
    row = _new_row(record, record.spec, record.state, place)
    row |= {
        "venue_order_id": record.venue_order_id,
        "source": "broker",
        "reason": "placed outside Evenkeel",
        "has_venue_event": True,
        "acknowledged_at": record.at,
    }
    unit.put(orders, (record.order_id,), row)
    history(unit, place, row, "ADOPTED", at=record.at)


def intent_rechecked(unit: Unit, place: Place, record: r.IntentRechecked) -> None:
    row = unit.get(orders, record.order_id)
    if not record.approved:
        explain(row, record.checks[-1])
    if record.quantity is not None:
        row["quantity"] = record.quantity
    row["updated_seq"] = place.seq
    details = {"approved": record.approved, "waited": record.waited, "checks": checks_of(record.checks)}
    history(unit, place, row, "RECHECKED", at=record.at, quantity=record.quantity, details=details)


def order_moved(unit: Unit, place: Place, record: r.OrderMoved) -> None:
    row = unit.get(orders, record.order_id)
    row["triggered"] = row["triggered"] or record.triggered
    if record.by_venue:
        row["has_venue_event"] = True
        row["acknowledged_at"] = row["acknowledged_at"] or record.at
    if record.reason is not None:
        row |= {"reason": record.reason, "rule": record.rule, "limit": record.limit, "value": record.value}
        row["layer"] = record.layer.value if record.rule is not None else None
    if record.quantity is not None:
        row |= {"quantity": record.quantity, "limit_price": record.limit_price, "stop_price": record.stop_price}
        row["kept"] = _without_change(row["kept"])
    move(row, place, record.state, at=record.at, venue_order_id=record.venue_order_id)
    history(
        unit,
        place,
        row,
        record.event.value,
        at=record.at,
        venue_at=record.venue_at or None,
        actor=record.provenance.actor if record.provenance else None,
        quantity=record.quantity,
        price=record.limit_price,
        reason=record.reason,
        details=source_of(record.provenance),
    )


_MINDED = ("trail", "reduces")
"""What is kept of an order of which a change under way is kept in mind: see `keeping.minds_change`."""


def amend_requested(unit: Unit, place: Place, record: r.AmendRequested) -> None:
    row = unit.get(orders, record.order_id)
    row["updated_at"], row["updated_seq"] = record.at, place.seq
    if row["link"]:
        row["since"] = record.since or record.at
    if row["kept"] and not row["kept"].keys().isdisjoint(_MINDED) and row["state"] != OrderState.HELD:
        row["kept"] = row["kept"] | {"asked": to_builtins(record.quantity)}
    history(
        unit,
        place,
        row,
        "AMEND_REQUESTED",
        at=record.at,
        actor=record.provenance.actor,
        quantity=record.quantity,
        price=record.limit_price,
        details={"checks": checks_of(record.checks), **source_of(record.provenance)},
    )


def filled(unit: Unit, place: Place, record: r.FillBooked, notional: Decimal) -> Row:
    """The order's side of a fill worth `notional`; a bust takes back what it reverses. Returns the order's row."""
    fill = record.fill
    row = unit.get(orders, fill.order_id)
    change = sub if fill.reverses is not None else add
    row["filled"] = change(row["filled"], fill.quantity)
    row["notional"] = change(row["notional"], notional)
    row["has_venue_event"] = True
    row["acknowledged_at"] = row["acknowledged_at"] or record.at
    if record.state is OrderState.FILLED:
        row["filled_at"] = row["filled_at"] or record.at
    move(row, place, record.state, at=record.at, venue_order_id=record.venue_order_id)
    history(
        unit,
        place,
        row,
        "BUST" if fill.reverses is not None else "FILL",
        at=record.at,
        venue_at=fill.executed_at or None,
        quantity=fill.quantity,
        price=fill.price,
        details={"fill_id": fill.id},
    )
    return row


def split(unit: Unit, place: Place, change: r.SplitOrder, at: int) -> None:
    row = unit.get(orders, change.order_id)
    row |= {
        "quantity": change.quantity,
        "filled": change.filled,
        "limit_price": change.limit_price,
        "stop_price": change.stop_price,
        "kept": row["kept"] if change.kept is None else kept_of(change.kept),
        "updated_seq": place.seq,
    }
    history(unit, place, row, "SPLIT", at=at, quantity=change.quantity, price=change.limit_price)


def move(row: Row, place: Place, after: OrderState, *, at: int, venue_order_id: str | None) -> None:
    row["venue_order_id"] = row["venue_order_id"] or venue_order_id
    row["state"], row["is_open"] = after.value, after.is_open
    row["updated_at"], row["updated_seq"] = at, place.seq


def kept_of(kept: Kept | None) -> dict[str, Any] | None:
    """What is kept of an order, as its row has it."""
    return None if kept is None else dict(to_builtins(kept))


def _without_change(kept: dict[str, Any] | None) -> dict[str, Any] | None:
    """What is kept once no change is under way any more."""
    return kept and {name: value for name, value in kept.items() if name != "asked"}


def measured(value: float | None) -> float | None:
    """A measurement as a database takes it: what is not a number is nothing."""
    return value if value is not None and isfinite(value) else None


def _new_row(record: r.OrderDecided | r.OrderAdopted, spec: OrderSpec, state: OrderState, place: Place) -> Row:
    return {
        "id": record.order_id,
        "client_order_id": spec.client_order_id,
        "venue_client_id": record.venue_client_id,
        "venue_order_id": None,
        "account_id": spec.account_id,
        "book": spec.book,
        "instrument_id": spec.instrument_id,
        "side": spec.side.value,
        "kind": spec.kind.value,
        "time_in_force": spec.time_in_force.value,
        "product": spec.product.value,
        "asked_quantity": spec.quantity,
        "asked_limit_price": spec.limit_price,
        "asked_stop_price": spec.stop_price,
        "quantity": spec.quantity,
        "limit_price": spec.limit_price,
        "stop_price": spec.stop_price,
        "filled": ZERO,
        "notional": ZERO,
        "state": state.value,
        "is_open": state.is_open,
        **dict.fromkeys(("reason", "rule", "limit", "value", "layer")),
        "triggered": False,
        "has_venue_event": False,
        "link": spec.link,
        "parent": spec.parent,
        "leg": spec.leg,
        "trigger_price": None if spec.trigger is None else spec.trigger.price,
        "trail": None if spec.trail is None else to_builtins(spec.trail),
        "expires_at": spec.expires_at,
        "not_before": spec.not_before,
        "kept": None,
        "since": 0,
        "session_date": record.session_date,
        "send_by": 0,
        "checks": [],
        "actor": "",
        "source": "",
        **dict.fromkeys(("cause_id", "parent_id", "strategy_version", "parameter_hash")),
        **dict.fromkeys(("arrival_bid", "arrival_ask", "arrival_last", "arrival_quote_age")),
        "limits_version": 0,
        "received_at": None,
        "created_at": record.at,
        "committed_at": place.committed_at,
        "acknowledged_at": None,
        "filled_at": None,
        "updated_at": record.at,
        "updated_seq": place.seq,
    }


def explain(row: Row, check: r.Check) -> None:
    row |= {"reason": check.reason, "rule": check.rule, "limit": check.limit, "value": check.value}
    row["layer"] = check.layer.value


def checks_of(checks: Sequence[r.Check]) -> list[Any]:
    return [to_builtins(check) for check in checks]


def source_of(provenance: Provenance | None) -> dict[str, str]:
    """By which door a line of history came, where it came by one."""
    return {} if provenance is None else {"source": provenance.source.value}


def history(unit: Unit, place: Place, row: Row, event: str, *, at: int, **more: Any) -> None:
    refused = row["state"] == OrderState.REFUSED
    unit.add(
        order_events,
        {
            "seq": place.seq,
            "order_id": row["id"],
            "event": event,
            "state": row["state"],
            "at": at,
            "venue_at": None,
            "reason": row["reason"] if refused else None,
            "rule": row["rule"],
            "limit": row["limit"],
            "value": row["value"],
            "layer": row["layer"],
            "quantity": None,
            "price": None,
            "actor": None,
            "details": {},
        }
        | more,
    )
