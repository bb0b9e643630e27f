"""Records of composite orders. Their children have records of their own, as every order has."""

from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.composites import CompositeState, Slot, Terms
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.record import Check, Record


class CompositeStarted(Record, frozen=True, tag="composite.started/1"):
    """A composite was asked for, with the verdict on it as a whole; approved, its children follow.

    `closes`: its two orders are exits of what the book holds. `slots` are its slices to come; `wake` (ns) is when it is
    next to be looked at though nothing happens, 0 for never.
    """

    id: str
    account_id: str
    book: str
    client_order_id: str
    terms: Terms
    approved: bool
    checks: tuple[Check, ...]
    provenance: Provenance
    closes: bool = False
    slots: tuple[Slot, ...] = ()
    wake: int = 0


class CompositeMoved(Record, frozen=True, tag="composite.moved/1"):
    """A composite goes on otherwise than before. `slots` and `terms` are those from now on, None where they stay.

    `step` is the number of the next slot or, without slots, how many failures in a row it has waited out. One that is
    STOPPING ends as `ending`. Where terms become others that nobody asked for, risk refused to change the orders
    `unmoved`, and they are those that stand.
    """

    id: str
    state: CompositeState
    step: int = 0
    wake: int = 0
    ending: CompositeState = CompositeState.CANCELLED
    reason: str | None = None
    terms: Terms | None = None
    slots: tuple[Slot, ...] | None = None
    provenance: Provenance | None = None
    unmoved: tuple[str, ...] = ()


class CompositeEnded(Record, frozen=True, tag="composite.ended/1"):
    """Nothing of a composite works any more. A late fill of one of its orders brings it back."""

    id: str
    state: CompositeState
    reason: str | None = None


class SplitComposite(Struct, frozen=True):
    """A composite after a split of one of its instruments: its terms, and what its legs have filled and lost."""

    id: str
    terms: Terms
    filled: dict[str, Decimal]
    lost: dict[str, Decimal]


AnyCompositeRecord = CompositeStarted | CompositeMoved | CompositeEnded
