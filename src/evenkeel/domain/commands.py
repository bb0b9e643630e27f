"""Commands: what a person, a strategy or another system asks the engine to do. Each says where it came from."""

from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.accounts import Account, LedgerKind, Limits
from evenkeel.domain.instruments import Instrument, SymbolAlias
from evenkeel.domain.orders import OrderSpec
from evenkeel.domain.panics import COOLDOWN, Scope
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.strategies import Allocation, Deployment, Revision, Signal


class Command(Struct, frozen=True, kw_only=True, tag_field="c", gc=False):
    provenance: Provenance


class SubmitOrder(Command, frozen=True, tag="order.submit"):
    spec: OrderSpec


class CancelOrder(Command, frozen=True, tag="order.cancel"):
    order_id: str


class ResolveOrder(Command, frozen=True, tag="order.resolve"):
    """A person's word on an order in doubt: the venue never had it. If the venue speaks of it all the same, ANOMALY."""

    order_id: str


class ModifyOrder(Command, frozen=True, tag="order.modify"):
    """New total quantity and prices of a working order; None keeps what stands."""

    order_id: str
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


class OpenAccount(Command, frozen=True, tag="account.open"):
    account: Account
    initial_cash: Decimal


class MoveCash(Command, frozen=True, tag="account.cash"):
    """Books a deposit (positive) or withdrawal (negative) of `amount` in the account's currency."""

    account_id: str
    amount: Decimal
    kind: LedgerKind = LedgerKind.DEPOSIT
    component: str = ""


class SetLimits(Command, frozen=True, tag="account.limits"):
    account_id: str
    limits: Limits


class ListInstrument(Command, frozen=True, tag="instrument.list"):
    instrument: Instrument
    aliases: tuple[SymbolAlias, ...] = ()


class Deploy(Command, frozen=True, tag="strategy.deploy"):
    deployment: Deployment


class ChangeDeployment(Command, frozen=True, tag="strategy.change"):
    """Switches a deployment on or off, sets its shares, or what it runs with; None keeps what stands.

    Switching on clears a pause, and what a rule has switched off.
    """

    deployment_id: str
    enabled: bool | None = None
    accounts: tuple[Allocation, ...] | None = None
    revision: Revision | None = None


class RemoveDeployment(Command, frozen=True, tag="strategy.remove"):
    """Ends a deployment that holds nothing and has no order working, for good; its name is free again."""

    deployment_id: str


class PauseDeployment(Command, frozen=True, tag="strategy.pause"):
    """Takes a deployment out of trading because of a fault, until somebody switches it on again."""

    deployment_id: str
    reason: str


class TakeSignal(Command, frozen=True, tag="strategy.signal"):
    """A strategy's evaluation of one bar; the engine folds the target and trades its changes."""

    signal: Signal


class Panic(Command, frozen=True, tag="risk.panic"):
    """Halts all trading of a scope: cancels what works and closes what is held, or keeps it.

    Trading begins again by `Resume` only, and not before `cooldown` (ns) has passed.
    """

    scope: Scope
    keep_positions: bool = False
    cooldown: int = COOLDOWN
    reason: str = ""


class Resume(Command, frozen=True, tag="risk.resume"):
    """Lets the scope of a panic trade again. `abandon`: even though it has not finished."""

    scope: Scope
    abandon: bool = False


AnyCommand = (
    SubmitOrder
    | CancelOrder
    | ResolveOrder
    | ModifyOrder
    | OpenAccount
    | MoveCash
    | SetLimits
    | ListInstrument
    | Deploy
    | ChangeDeployment
    | RemoveDeployment
    | PauseDeployment
    | TakeSignal
    | Panic
    | Resume
)
