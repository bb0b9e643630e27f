"""Records of copy links: how they were set, what became of each of the master's events, and how far all were read."""

from decimal import Decimal

from evenkeel.domain.copying import CopyKind, CopyLink
from evenkeel.domain.money import ZERO
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.record import Record


class CopyLinkSet(Record, frozen=True, tag="copy.link/1"):
    """A link as it is from now on."""

    link: CopyLink
    provenance: Provenance


class CopyTaken(Record, frozen=True, tag="copy.taken/1"):
    """What a link made of the event that record `source` tells of (0: of a person's wish).

    `held` is what the master holds of `instrument_id` with it, `wanted` what the follower is to hold, exactly; `carry`
    the part of a lot that waits, `owed` what is opened once something on its way has filled, of a trade of the master's
    `owed_at` (ns) and `owed_price`. `orders` are those placed or changed for it, `quantity` (signed) what they add up
    to; `skipped` says why they do not do all of it.

    Of a copied order `factor` is the follower's units for one that opens; `stale`: it could not be brought to where the
    master's stands.
    """

    link_id: str
    source: int
    kind: CopyKind
    instrument_id: str
    held: Decimal
    wanted: Decimal
    carry: Decimal = ZERO
    owed: Decimal = ZERO
    master_order_id: str = ""
    orders: tuple[str, ...] = ()
    quantity: Decimal = ZERO
    skipped: str = ""
    factor: Decimal = ZERO
    stale: bool = False
    owed_at: int = 0
    owed_price: Decimal = ZERO


class CopyCursorMoved(Record, frozen=True, tag="copy.cursor/1"):
    """Every record up to `cursor` has been read for copies, and those since the last one concern no link."""

    cursor: int


AnyCopyRecord = CopyLinkSet | CopyTaken | CopyCursorMoved
