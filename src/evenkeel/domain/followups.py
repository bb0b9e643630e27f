"""Follow-ups: what is to be done with a position, or in an order's place, once the cancels it waits for are confirmed.

A crash loses none: they are recorded before anything is sent, and carried out from the orders and positions there are.
"""

from decimal import Decimal
from enum import StrEnum

from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.record import Record


class FollowUpKind(StrEnum):
    CLOSE = "close"
    REVERSE = "reverse"
    REPLACE = "replace"


class FollowUpSet(Record, frozen=True, tag="follow-up.set/1"):
    """Once none of the orders it `awaits` is being cancelled any more, and at `until` (ns) at the latest, the position
    of `key` is closed (`quantity` of it, or all) or reversed, or a market order takes the place of the one order."""

    id: str
    kind: FollowUpKind
    key: PositionKey
    awaits: tuple[str, ...]
    until: int
    client_order_id: str
    provenance: Provenance
    quantity: Decimal | None = None


class FollowUpDone(Record, frozen=True, tag="follow-up.done/1"):
    """It has been carried out, or given up for a `reason`."""

    id: str
    reason: str = ""


AnyFollowUpRecord = FollowUpSet | FollowUpDone
