"""What the API says of an order's history: each thing that happened to it, who asked for it, and what was checked."""

from collections.abc import Mapping

from msgspec import Struct

from evenkeel.domain import clock
from evenkeel.domain.limits import Layer
from evenkeel.domain.orders import OrderState
from evenkeel.domain.provenance import Source
from evenkeel.domain.record import Check
from evenkeel.server.order_ports import OrderRow
from evenkeel.server.schemas import Amount, Id, Moment
from evenkeel.server.views import maybe


class CheckOut(Struct):
    """One risk check as it was made: `limit` is what it allowed, `value` what it saw; `reason` says why it failed."""

    rule: str
    layer: Layer
    limit: str
    value: str
    passed: bool
    reason: str | None


class OrderEventOut(Struct):
    """What happened to an order, with the `state` it had then. `actor` is who asked for it, `actor_name` what they are
    called now, and `source` the door; all are empty of what the broker or time has done. `at` is the desk's clock,
    `venue_at` the venue's.

    `rule`, `limit`, `value` and `layer` are of the check that has ended the order. `quantity` and `price` are those of
    a fill, a change or a split. `waited` is how many seconds an order had waited before it was checked anew.
    """

    id: Id
    at: Moment
    venue_at: Moment | None
    event: str
    state: OrderState
    actor: str | None
    actor_name: str | None
    source: Source | None
    reason: str | None
    rule: str | None
    limit: str | None
    value: str | None
    layer: Layer | None
    quantity: Amount | None
    price: Amount | None
    fill_id: Id | None
    waited: float | None
    checks: list[CheckOut]


def event_out(row: OrderRow, names: Mapping[str, str]) -> OrderEventOut:
    """`names` are those of the actors, by id."""
    return OrderEventOut(
        id=row.id,
        at=clock.iso(row.at),
        venue_at=None if row.venue_at is None else clock.iso(row.venue_at),
        event=row.event,
        state=OrderState(row.state),
        actor=row.actor or None,
        actor_name=names.get(row.actor) if row.actor else None,
        source=None if row.source is None else Source(row.source),
        reason=row.reason,
        rule=row.rule,
        limit=row.limit,
        value=row.value,
        layer=None if row.layer is None else Layer(row.layer),
        quantity=maybe(row.quantity),
        price=maybe(row.price),
        fill_id=row.fill_id,
        waited=None if row.waited is None else row.waited / clock.SECOND,
        checks=[check_out(one) for one in row.checks],
    )


def check_out(this: Check) -> CheckOut:
    return CheckOut(this.rule, this.layer, this.limit, this.value, this.reason is None, this.reason)
