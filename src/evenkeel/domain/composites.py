"""Composite orders: several orders that are one intention, and the terms they are placed on.

The engine holds the terms and places plain orders for them, its children. Each child names its composite as `parent`
and the part it plays as `leg`; how far a composite has come is worked out from its children and their fills.
"""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from evenkeel.domain.orders import OrderSpec, Trail


class CompositeState(StrEnum):
    """ACTIVE; PAUSED: a child was refused, and it tries again; CLOSING: what it holds is being closed; STOPPING: its
    children are being cancelled. The others are how it ended; what it has filled by then stays filled.
    """

    is_live: bool

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    CLOSING = "CLOSING"
    STOPPING = "STOPPING"
    DONE = "DONE"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


_LIVE = (CompositeState.ACTIVE, CompositeState.PAUSED, CompositeState.CLOSING, CompositeState.STOPPING)
for _state in CompositeState:
    _state.is_live = _state in _LIVE


class Bracket(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="bracket"):
    """An entry with exits that follow what it has filled: a stop, a profit target, or both.

    With a `trail` the stop keeps that far from the best price since, and never moves back; without a `stop_loss` it
    begins that far from the entry's average price.
    """

    entry: OrderSpec
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trail: Trail | None = None


class Cover(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="cover"):
    """An entry with a compulsory stop: where the stop cannot rest, what was entered is closed at the market."""

    entry: OrderSpec
    stop_loss: Decimal | None = None
    trail: Trail | None = None

    @property
    def take_profit(self) -> None:
        return None


class OneCancelsOther(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="oco"):
    """Two orders of which one is to fill. Of the same instrument, side and quantity, what one fills the other gives up;
    else the first fill of one cancels the other. With a trigger each they are a GTT-OCO."""

    first: OrderSpec
    second: OrderSpec

    @property
    def shares(self) -> bool:
        """Whether both are for the same quantity of the same thing."""
        one, other = self.first, self.second
        return (one.instrument_id, one.side, one.quantity, one.product) == (
            other.instrument_id,
            other.side,
            other.quantity,
            other.product,
        )


class Iceberg(Struct, frozen=True, tag_field="kind", tag="iceberg"):
    """A limit order of which at most `displayed` is at the venue at a time."""

    order: OrderSpec
    displayed: Decimal


class Parts(Struct, frozen=True, tag_field="pace", tag="parts"):
    """All at once, in orders of at most `size`, such as an exchange's freeze quantity."""

    size: Decimal


Spans = tuple[tuple[int, int], ...]
"""From when until when (ns) each slice may go out, where its exchange keeps hours."""


class Fixed(Struct, frozen=True, omit_defaults=True, tag_field="pace", tag="fixed"):
    """`count` equal slices `every` so often (ns), the first at once."""

    count: int
    every: int
    randomise: float = 0.0
    spans: Spans = ()


class Twap(Struct, frozen=True, omit_defaults=True, tag_field="pace", tag="twap"):
    """Equal slices `every` so often (ns) from `start` until before `end`, at which what is left is cancelled.

    `randomise` moves moments and sizes by up to that fraction, by numbers drawn from the composite's id.
    """

    start: int
    end: int
    every: int
    randomise: float = 0.0
    spans: Spans = ()


class Vwap(Struct, frozen=True, omit_defaults=True, tag_field="pace", tag="vwap"):
    """As `Twap`, each slice in proportion to what usually trades until the next: `profile` has one weight a slice."""

    start: int
    end: int
    every: int
    profile: tuple[float, ...] = ()
    randomise: float = 0.0
    spans: Spans = ()


class Participation(Struct, frozen=True, omit_defaults=True, tag_field="pace", tag="participation"):
    """After each bar of the instrument `share` of its volume, at most `most`, until `end` (ns), where there is one."""

    share: float
    most: Decimal | None = None
    end: int = 0


Pace = Parts | Fixed | Twap | Vwap | Participation


class Slices(Struct, frozen=True, tag_field="kind", tag="slices"):
    """One large order as many small ones, at a pace."""

    order: OrderSpec
    pace: Pace


class OnFailure(StrEnum):
    """What happens when a leg does not fill in full: nothing more; what was filled is closed; or the next leg."""

    STOP = "stop"
    UNWIND = "unwind"
    CONTINUE = "continue"


class Legs(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="legs"):
    """Orders one after the other, each once the one before has filled in full."""

    orders: tuple[OrderSpec, ...]
    on_failure: OnFailure = OnFailure.STOP


Terms = Bracket | Cover | OneCancelsOther | Iceberg | Slices | Legs

ENTRY, STOP, TARGET, CLOSE, CORRECTION = "entry", "stop", "target", "close", "correction"
EXITS = ("exit-1", "exit-2")
EITHER = ("entry-1", "entry-2")
SLICE = "slice"


def specs_of(terms: Terms) -> tuple[OrderSpec, ...]:
    """The orders that a composite was asked for with, the first of which names its account and book."""
    match terms:
        case Bracket() | Cover():
            return (terms.entry,)
        case OneCancelsOther():
            return terms.first, terms.second
        case Iceberg() | Slices():
            return (terms.order,)
        case Legs():
            return terms.orders


class Slot(Struct, frozen=True, gc=False):
    """A slice to come: its moment (ns), and its weight among those that are left."""

    at: int
    weight: float


class CompositeChange(Struct, frozen=True, omit_defaults=True):
    """What is to be otherwise; None keeps what stands. `limit_price` is that of an entry, of slices, or of the limit
    order of two; `stop_price` that of the stop order of two.
    """

    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trail: Trail | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    displayed: Decimal | None = None
    pace: Pace | None = None
