"""The one door to data: a Tenant is all that one user may see, and every route and stream reads through one.

What belongs to somebody else does not exist here: it answers NotFound, never Forbidden.
"""

from collections.abc import Iterator

from fastapi import Depends, Request

from evenkeel.desk.ports import User
from evenkeel.domain.errors import Forbidden, NotFound, Unauthenticated
from evenkeel.domain.orders import Order
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.server.parts import AppParts
from evenkeel.server.schemas import EventOut
from evenkeel.trading.engine.state import AccountState, DeploymentState, State

OWNER = "owner"
LOCAL = "evenkeel.local"


class Tenant:
    """One user's view of the state, taken after everything in it has been committed."""

    def __init__(self, user: User, state: State) -> None:
        self.user = user
        self.state = state

    @property
    def is_owner(self) -> bool:
        return self.user.role == OWNER

    def require_owner(self) -> None:
        """Raises Forbidden for anyone but the owner of this installation."""
        if not self.is_owner:
            raise Forbidden("only the owner of this installation may do this")

    def owns(self, account_id: str | None) -> bool:
        held = self.state.accounts.get(account_id) if account_id is not None else None
        return held is not None and held.account.user_id == self.user.id

    def account_ids(self) -> set[str]:
        return {held.account.id for held in self.accounts()}

    def accounts(self) -> Iterator[AccountState]:
        return (held for held in self.state.accounts.values() if held.account.user_id == self.user.id)

    def account(self, account_id: str) -> AccountState:
        """Raises NotFound."""
        if not self.owns(account_id):
            raise NotFound(f"there is no account {account_id!r}")
        return self.state.accounts[account_id]

    def order(self, order_id: str) -> Order:
        """Raises NotFound."""
        order = self.state.orders.get(order_id)
        if order is None or not self.owns(order.spec.account_id):
            raise NotFound(f"there is no order {order_id!r}")
        return order

    def sees(self, held: DeploymentState) -> bool:
        """A deployment belongs to whom its accounts belong to; one without accounts, to the owner."""
        if not held.deployment.accounts:
            return self.is_owner
        return all(self.owns(allocation.account_id) for allocation in held.deployment.accounts)

    def deployments(self) -> Iterator[DeploymentState]:
        """Those that were removed are left out."""
        return (held for held in self.state.deployments.values() if not held.deployment.removed and self.sees(held))

    def deployment(self, deployment_id: str) -> DeploymentState:
        """Raises NotFound."""
        held = self.state.deployments.get(deployment_id)
        if held is None or not self.sees(held):
            raise NotFound(f"there is no strategy {deployment_id!r}")
        return held

    def sees_event(self, event: EventOut) -> bool:
        """Whether an event is of the user's accounts or strategies; one of the whole installation is the owner's."""
        if event.account_id is not None:
            return self.owns(event.account_id)
        held = self.state.deployments.get(event.deployment_id) if event.deployment_id is not None else None
        return self.sees(held) if held is not None else self.is_owner

    def provenance(self, received: int) -> Provenance:
        """Where this user's commands come from; `received` is the wall clock in ns."""
        return Provenance(actor=self.user.id, source=Source.USER, received=received)


async def parts_of(request: Request) -> AppParts:
    parts = request.app.state.parts
    assert isinstance(parts, AppParts)
    return parts


async def signed_in(request: Request, parts: AppParts = Depends(parts_of)) -> User:
    """The user of the bearer token, or the owner on the private socket. Raises Unauthenticated."""
    if request.scope.get(LOCAL):
        return await parts.auth.owner()
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("sign in first", hint="Send the access token as `Authorization: Bearer …`.")
    return await parts.auth.user_of(token.strip())


async def tenant(user: User = Depends(signed_in), parts: AppParts = Depends(parts_of)) -> Tenant:
    """What the signed-in user may see. Waits until memory is not ahead of the journal."""
    runner = parts.runner
    if runner.state.seq > runner.committed_seq:
        await runner.settled()
    return Tenant(user, runner.state)
