"""The one door to data: a Tenant is all that one person may see and do, and every route and stream reads through one.

What belongs to somebody else does not exist here: it answers NotFound, never Forbidden, unless it was shared.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from fastapi import Depends, Request

from evenkeel.desk.permissions import Door, Permission, Principal, up_to
from evenkeel.desk.ports import User
from evenkeel.domain.errors import Forbidden, NotFound
from evenkeel.domain.orders import Order
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.server.parts import AppParts
from evenkeel.server.schemas import EventOut
from evenkeel.trading.engine.portfolios.standing import PortfolioState
from evenkeel.trading.engine.state import AccountState, DeploymentState, State

LOCAL = "evenkeel.local"
PRINCIPAL, NEEDS = "evenkeel.principal", "evenkeel.needs"
_NOTHING: Mapping[str, Permission] = MappingProxyType({})


class Tenant:
    """One person's view of the state, taken after everything in it has been committed.

    Accounts are theirs, or `shared` with them; a key may confine it to some. `needs` is what is about to be done: an
    account is here only where they may do that.
    """

    def __init__(
        self,
        by: Principal,
        state: State,
        *,
        needs: Permission = Permission.READ,
        shared: Mapping[str, Permission] = _NOTHING,
    ) -> None:
        self.by, self.user, self.state, self.needs = by, by.user, state, needs
        self._shared, self._only = shared, by.accounts

    def at(self, state: State) -> "Tenant":
        """The same person's view of another state."""
        return Tenant(self.by, state, needs=self.needs, shared=self._shared)

    def to(self, needs: Permission) -> "Tenant":
        """The same person's view of what they may do that for."""
        return Tenant(self.by, self.state, needs=needs, shared=self._shared)

    @property
    def is_admin(self) -> bool:
        return self.by.is_admin

    def require_admin(self) -> None:
        """Raises Forbidden for anyone who does not keep this installation."""
        if not self.by.is_admin:
            raise Forbidden(f"this needs the permission {Permission.ADMIN}: it is for the whole installation")

    def require_everything(self) -> None:
        """Raises Forbidden for a key that is confined to some accounts."""
        if self._only is not None:
            raise Forbidden("this API key is confined to some accounts, and this is about all of them")

    def is_self(self, user_id: str) -> bool:
        """Whether something is this person's as a whole, and not for a key that is confined to some accounts."""
        return user_id == self.user.id and self._only is None

    def owns(self, account_id: str | None) -> bool:
        """Whether this may be done in an account: it is theirs, or shared with them for that."""
        held = self.state.accounts.get(account_id) if account_id is not None else None
        if held is None or (self._only is not None and account_id not in self._only):
            return False
        return held.account.user_id == self.user.id or (bool(self._shared) and self._may(held.account.id))

    def _may(self, account_id: str) -> bool:
        lent = self._shared.get(account_id)
        return lent is not None and self.needs in up_to(lent)

    def account_ids(self) -> set[str]:
        return {held.account.id for held in self.accounts()}

    def accounts(self) -> Iterator[AccountState]:
        return (held for held in self.state.accounts.values() if self.owns(held.account.id))

    def account(self, account_id: str) -> AccountState:
        """Raises NotFound, or Forbidden for one that is shared for less than this needs."""
        if not self.owns(account_id):
            self.require_shared(account_id)
            raise NotFound(f"there is no account {account_id!r}")
        return self.state.accounts[account_id]

    def require_shared(self, account_id: str | None) -> None:
        """Raises Forbidden for an account that is seen but may not be used for this."""
        lent = self._shared.get(account_id) if account_id is not None else None
        if lent is not None and (self._only is None or account_id in self._only) and self.needs not in up_to(lent):
            raise Forbidden(f"this account is shared with you to {lent}; this needs the permission {self.needs}")

    def order(self, order_id: str) -> Order:
        """Raises NotFound, or Forbidden for one of an account that is shared for less than this needs."""
        order = self.state.orders.get(order_id)
        if order is None or not self.owns(order.spec.account_id):
            self.require_shared(order.spec.account_id if order is not None else None)
            raise NotFound(f"there is no order {order_id!r}")
        return order

    def sees(self, held: DeploymentState) -> bool:
        """A deployment belongs to whom its accounts belong to; one without accounts, to whoever keeps the home."""
        if not held.deployment.accounts:
            return self.by.is_admin
        return all(self.owns(allocation.account_id) for allocation in held.deployment.accounts)

    def deployments(self) -> Iterator[DeploymentState]:
        """Those that were removed are left out."""
        return (held for held in self.state.deployments.values() if not held.deployment.removed and self.sees(held))

    def deployment(self, deployment_id: str) -> DeploymentState:
        """Raises NotFound, or Forbidden for one of an account that is shared for less than this needs."""
        held = self.state.deployments.get(deployment_id)
        if held is None or not self.sees(held):
            if held is not None and self.to(Permission.READ).sees(held) and held.deployment.accounts:
                raise Forbidden(f"its account is shared with you for less: this needs the permission {self.needs}")
            raise NotFound(f"there is no strategy {deployment_id!r}")
        return held

    def sees_portfolio(self, held: PortfolioState) -> bool:
        """A portfolio is here where all of its accounts are."""
        return all(self.owns(account_id) for account_id in held.portfolio.account_ids)

    def portfolios(self) -> Iterator[PortfolioState]:
        """Those that are archived, too."""
        return (held for held in self.state.portfolios.values() if self.sees_portfolio(held))

    def portfolio(self, portfolio_id: str) -> PortfolioState:
        """Raises NotFound, or Forbidden for one whose accounts are shared for less than this needs."""
        held = self.state.portfolios.get(portfolio_id)
        if held is None or not self.sees_portfolio(held):
            if held is not None and self.to(Permission.READ).sees_portfolio(held):
                raise Forbidden(f"its accounts are shared with you for less: this needs the permission {self.needs}")
            raise NotFound(f"there is no portfolio {portfolio_id!r}")
        return held

    def sees_event(self, event: EventOut) -> bool:
        """Whether an event is of the user's accounts or strategies; one of the whole home is its keeper's."""
        if event.account_id is not None:
            return self.owns(event.account_id)
        held = self.state.deployments.get(event.deployment_id) if event.deployment_id is not None else None
        return self.sees(held) if held is not None else self.by.is_admin

    def provenance(self, received: int) -> Provenance:
        """Where this person's commands come from; `received` is the wall clock in ns."""
        if self.by.door is Door.KEY:
            return Provenance(actor=self.user.id, source=Source.API_KEY, cause_id=self.by.key_id, received=received)
        return Provenance(actor=self.user.id, source=Source.USER, received=received)


async def parts_of(request: Request) -> AppParts:
    parts = request.app.state.parts
    assert isinstance(parts, AppParts)
    return parts


def principal(request: Request) -> Principal:
    """Whoever asks, as the gate has found out."""
    found = request.scope[PRINCIPAL]
    assert isinstance(found, Principal)
    return found


async def signed_in(request: Request) -> User:
    """The person who asks, as the gate has found out."""
    return principal(request).user


async def tenant(request: Request, parts: AppParts = Depends(parts_of)) -> Tenant:
    """What whoever asks may see and do. Waits until memory is not ahead of the journal."""
    runner, by = parts.runner, principal(request)
    if runner.state.seq > runner.committed_seq:
        await runner.settled()
    return Tenant(by, runner.state, needs=request.scope[NEEDS], shared=parts.shares.received(by.user.id))
