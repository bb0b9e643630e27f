"""What a step asks the runner to do once its records are committed; nothing here has happened yet."""

from enum import IntEnum

from msgspec import Struct

from evenkeel.domain.errors import EvenkeelError
from evenkeel.trading.brokers.ports import Amendment, Cancellation, Ticket


class Lane(IntEnum):
    """What goes out first where not all can: what a panic asks, cancels, what takes risk off and changes, the rest."""

    PANIC = 0
    CANCEL = 1
    REDUCE = 2
    OPEN = 3


class SendOrder(Struct, frozen=True, gc=False):
    ticket: Ticket
    send_by: int
    lane: Lane = Lane.OPEN


class SendAmendment(Struct, frozen=True, gc=False):
    """Changes of one order keep their order: all take the same lane."""

    order_id: str
    amendment: Amendment
    lane: Lane = Lane.REDUCE


class SendCancel(Struct, frozen=True, gc=False):
    order_id: str
    cancellation: Cancellation
    lane: Lane = Lane.CANCEL


class WantReconcile(Struct, frozen=True, gc=False):
    """The account's picture is in question: take a snapshot and hand it in."""

    account_id: str
    reason: str
    again: bool = False
    routine: bool = False


Effect = SendOrder | SendAmendment | SendCancel | WantReconcile


class Part(Struct, frozen=True, gc=False):
    """What became of one order of a command over many. `error`: why nothing was done about it."""

    order_id: str
    created: bool = False
    error: EvenkeelError | None = None


class Outcome(Struct, frozen=True, gc=False):
    """The answer to a command: the id of what it made or changed, and whether it is new; of many, each `part`.

    `stopped` are composites that were told to place nothing more.
    """

    id: str
    created: bool = True
    parts: tuple[Part, ...] = ()
    stopped: tuple[str, ...] = ()
