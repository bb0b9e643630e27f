"""What crosses the boundary between the owner of accounts and strategy code: messages, in both directions."""

from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.commands import CancelOrder, SubmitOrder
from evenkeel.domain.strategies import Deployment, Signal


class Holding(Struct, frozen=True):
    """What a deployment holds of one instrument in one account: signed quantity."""

    account_id: str
    instrument_id: str
    quantity: Decimal


class DeployRequest(Struct, frozen=True, omit_defaults=True):
    """Starts a deployment, or replaces the one of that id and clears its fault.

    `anchor_ts` (ns) is where a path-dependent strategy's history begins for good; None: with the first bar it
    is warmed with. `state` is what `StrategyHost.state` gave before. `at` is engine time.
    """

    deployment: Deployment
    at: int = 0
    anchor_ts: int | None = None
    state: bytes | None = None
    holdings: tuple[Holding, ...] = ()


class HostFault(Struct, frozen=True):
    """A deployment whose strategy raised or was late. It is out until it is deployed again; no other is
    touched.
    """

    deployment_id: str
    reason: str


Output = Signal | SubmitOrder | CancelOrder | HostFault
