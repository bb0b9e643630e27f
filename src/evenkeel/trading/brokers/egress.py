"""From which address of this machine an adapter speaks to the broker of an account.

Some brokers take orders from a registered address only, one for each client. An adapter asks when it opens a
connection for an account, and binds its sockets to what it is told (httpx: `HTTPTransport(local_address=...)`).
"""

from typing import Protocol


class Egress(Protocol):
    def egress_of(self, account_id: str) -> str | None:
        """The account's source address; None where any will do."""


class AnyAddress:
    """For accounts that need none in particular."""

    def egress_of(self, account_id: str) -> str | None:
        return None
