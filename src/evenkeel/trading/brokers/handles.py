"""Send handles: the only way for an order to leave the process, bound once to one account and one broker.

A simulated account's handle is made of a simulated venue and of nothing else: its type asks for what only such a venue
offers, and its making asks the broker's profile and the account's mode as well. So whatever an account, a record, the
folded state or the table of brokers may say by mistake, an order of a simulated account has no way to a real broker.
"""

from collections.abc import Container, Sequence
from typing import Protocol, TypeGuard

from evenkeel.domain.accounts import Account
from evenkeel.domain.errors import BrokerError, BrokerUnavailable, Forbidden
from evenkeel.trading.brokers.ports import (
    Amendment,
    AnswersAtOnce,
    Broker,
    Cancellation,
    ManyAtOnce,
    SimulatedVenue,
    Ticket,
)

_OFFERS = ("open_account", "list_instrument", "observe", "finish", "backlog")


class Venue(Broker, SimulatedVenue, Protocol):
    """A broker that is a simulated venue."""


def is_venue(broker: Broker) -> TypeGuard[Venue]:
    """Whether a broker is a simulated venue, by its profile and by what it offers."""
    return broker.profile.is_simulated and all(hasattr(broker, name) for name in _OFFERS)


def _refusal(account: Account, broker: Broker) -> Forbidden:
    return Forbidden(f"a {account.mode} account cannot send to {broker.profile.name}")


class Handle:
    """What both kinds have in common. Use `SimulatedHandle` or `RealHandle`."""

    def __init__(self, account: Account, broker: Broker) -> None:
        self.account = account
        self.broker = broker
        self._near = broker if isinstance(broker, AnswersAtOnce) and not broker.is_far else None

    @property
    def is_near(self) -> bool:
        """Whether its broker takes orders without anything to wait for: see `place_now`."""
        return self._near is not None

    def check(self, account: Account, broker: Broker | None) -> None:
        """Raises Forbidden where the account is not what it was bound as, or would now be sent elsewhere."""
        bound = self.account
        if self.broker.profile.is_simulated is not bound.is_simulated:
            raise _refusal(bound, self.broker)
        if account is bound and broker is self.broker:
            return
        if (account.id, account.mode, account.broker) != (bound.id, bound.mode, bound.broker):
            raise Forbidden(
                f"{bound.name} was bound to {bound.broker} as a {bound.mode} account, and now says {account.broker} "
                f"and {account.mode}: nothing of it is sent"
            )
        if broker is not self.broker:
            raise Forbidden(f"{bound.name} was bound to another broker than the one now called {bound.broker}")

    def _own(self, account_id: str) -> None:
        if account_id != self.account.id:
            raise Forbidden(f"an order of account {account_id} was to leave by the door of {self.account.id}")

    async def place(self, ticket: Ticket) -> None:
        self._own(ticket.spec.account_id)
        await self.broker.place(ticket)

    async def place_all(self, tickets: Sequence[Ticket]) -> Sequence[BrokerError | None]:
        """Several in one request, of a broker that takes them so."""
        for ticket in tickets:
            self._own(ticket.spec.account_id)
        if not isinstance(self.broker, ManyAtOnce):
            raise Forbidden(f"{self.broker.profile.name} takes one order at a time")
        return await self.broker.place_all(tickets)

    def place_now(self, tickets: Sequence[Ticket]) -> Sequence[BrokerError | None]:
        """Several without waiting, of a broker that answers at once."""
        for ticket in tickets:
            self._own(ticket.spec.account_id)
        if self._near is None:
            raise Forbidden(f"{self.broker.profile.name} does not answer at once")
        return self._near.place_now(tickets)

    async def modify(self, amendment: Amendment) -> None:
        self._own(amendment.account_id)
        await self.broker.modify(amendment)

    async def cancel(self, cancellation: Cancellation) -> None:
        self._own(cancellation.account_id)
        await self.broker.cancel(cancellation)


class SimulatedHandle(Handle):
    """For paper and walk-forward accounts. Raises Forbidden for a live account and for a broker that is no venue."""

    def __init__(self, account: Account, venue: Venue) -> None:
        if not (account.is_simulated and is_venue(venue)):
            raise _refusal(account, venue)
        super().__init__(account, venue)


class RealHandle(Handle):
    """For live accounts. Raises Forbidden for any other account, and for a broker that simulates."""

    def __init__(self, account: Account, broker: Broker) -> None:
        if account.is_simulated or broker.profile.is_simulated:
            raise _refusal(account, broker)
        super().__init__(account, broker)


def bind(account: Account, broker: Broker, *, is_session: bool = False) -> SimulatedHandle | RealHandle:
    """The account's handle; that of a walk-forward session is simulated or there is none. Raises Forbidden."""
    if is_venue(broker):
        return SimulatedHandle(account, broker)
    if is_session:
        raise Forbidden(f"{account.name} is the account of a session, which never sends to {broker.profile.name}")
    return RealHandle(account, broker)


class Handles:
    """The handles of all accounts, each bound when it is first asked for, and looked at every time.

    `live` are the accounts for which live trading has been switched on, by id: whoever is not among them has no way to
    a real broker, whatever is recorded of it. It is asked every time, so it may be a view of what changes.
    """

    def __init__(self, live: Container[str] = ()) -> None:
        self._live = live
        self._bound: dict[str, Handle] = {}

    def of(self, account: Account, broker: Broker | None, *, is_session: bool) -> Handle:
        """Raises Forbidden, and BrokerUnavailable where there is no broker."""
        handle = self._bound.get(account.id)
        if handle is not None:
            handle.check(account, broker)
        elif broker is None:
            raise BrokerUnavailable(f"no broker {account.broker!r} is configured")
        else:
            handle = bind(account, broker, is_session=is_session)
        if isinstance(handle, RealHandle) and account.id not in self._live:
            raise Forbidden(f"live trading of {account.name} is off")
        return self._bound.setdefault(account.id, handle)
