"""What a step asks the runner to do once its records are committed; nothing here has happened yet."""

from msgspec import Struct

from evenkeel.trading.brokers.ports import Amendment, Cancellation, Ticket


class SendOrder(Struct, frozen=True):
    ticket: Ticket
    send_by: int


class SendAmendment(Struct, frozen=True):
    order_id: str
    amendment: Amendment


class SendCancel(Struct, frozen=True):
    order_id: str
    cancellation: Cancellation


class WantReconcile(Struct, frozen=True):
    """The account's picture is in question: take a snapshot and hand it in."""

    account_id: str
    reason: str
    again: bool = False


Effect = SendOrder | SendAmendment | SendCancel | WantReconcile


class Outcome(Struct, frozen=True):
    """The answer to a command: the id of what it made or changed, and whether it is new."""

    id: str
    created: bool = True
