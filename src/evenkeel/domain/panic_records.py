"""Records of panics: one is pressed, how far it is, and that a person lets its scope trade again."""

from evenkeel.domain.panics import Scope
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.record import Record


class PanicStarted(Record, frozen=True, tag="panic.started/1"):
    """Trading of a scope is halted, or asked to be once more. `wall` is the wall clock, 0 in a deterministic run."""

    id: str
    scope: Scope
    keep_positions: bool
    cooldown: int
    provenance: Provenance
    reason: str = ""
    wall: int = 0


class PanicMoved(Record, frozen=True, tag="panic.moved/1"):
    """How far a panic is: the orders and positions that are left, and how often what was asked was asked again.

    `stuck`: it has given up asking until something changes; `done`: nothing is left.
    """

    id: str
    orders: int
    positions: int
    round: int = 0
    stuck: bool = False
    done: bool = False


class PanicEnded(Record, frozen=True, tag="panic.ended/1"):
    """A person lets the scope trade again, with what was left then."""

    id: str
    orders: int
    positions: int
    provenance: Provenance


AnyPanicRecord = PanicStarted | PanicMoved | PanicEnded
