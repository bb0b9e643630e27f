"""Records of what the engine sees to for an order: what it waits for, how its stop follows, that it has gone out."""

from datetime import date
from decimal import Decimal

from evenkeel.domain.orders import Kept
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.record import Check, Record


class OrderKept(Record, frozen=True, tag="order.kept/1"):
    """What is kept of an order is something else from now on: a stop that follows, a price that has been reached."""

    order_id: str
    kept: Kept
    provenance: Provenance | None = None


class OrderReleased(Record, frozen=True, tag="order.released/1"):
    """A held order with the verdict on it now. Approved, it is also the intent to send, written before sending.

    `quantity` is less than what was held where less is left to close. `triggered`: a price has set it off. The market
    counts from `since` (ns), which for an order for later is when it was to begin.
    """

    order_id: str
    venue_client_id: str
    session_date: date
    approved: bool
    checks: tuple[Check, ...]
    quantity: Decimal
    kept: Kept
    since: int
    send_by: int = 0
    triggered: bool = False


AnyHeldRecord = OrderKept | OrderReleased
