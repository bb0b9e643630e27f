"""Commands: what a person, a strategy or another system asks the engine to do. Each says where it came from."""

from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.accounts import MANUAL, Account, LedgerKind, Limits
from evenkeel.domain.composites import CompositeChange, Terms
from evenkeel.domain.copying import CopyChange, CopyEvent, CopyLink, CopyTarget
from evenkeel.domain.fx import FxRate
from evenkeel.domain.instruments import Instrument, SymbolAlias
from evenkeel.domain.limits import LimitScope, RuleSet
from evenkeel.domain.live import Custody
from evenkeel.domain.money import ZERO
from evenkeel.domain.mtm import MtmRules
from evenkeel.domain.orders import OrderSpec, Product, Trail
from evenkeel.domain.panics import COOLDOWN, Scope
from evenkeel.domain.portfolios import Place, Portfolio, PortfolioChange
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.rebalance_schedules import Run, Schedule
from evenkeel.domain.rebalancing import Rebalance
from evenkeel.domain.routing import Route
from evenkeel.domain.selections import Edit, Selection
from evenkeel.domain.strategies import Allocation, Deployment, Revision, Signal
from evenkeel.domain.walkforward import WalkForwardSession


class Command(Struct, frozen=True, kw_only=True, tag_field="c", gc=False):
    provenance: Provenance


class SubmitOrder(Command, frozen=True, tag="order.submit"):
    spec: OrderSpec


class SetRoute(Command, frozen=True, tag="route.set"):
    route: Route


class RemoveRoute(Command, frozen=True, tag="route.remove"):
    user_id: str
    name: str


class RouteOrder(Command, frozen=True, tag="order.route"):
    """Places an order in the account, and at the venue, that a declared route prefers.

    `spec` names an account of the route and an instrument of the symbol; both may become others.
    """

    user_id: str
    name: str
    spec: OrderSpec


class CancelOrder(Command, frozen=True, tag="order.cancel"):
    order_id: str


class ResolveOrder(Command, frozen=True, tag="order.resolve"):
    """A person's word on an order in doubt: the venue never had it or, where it had spoken of it, has it no more."""

    order_id: str


class ModifyOrder(Command, frozen=True, tag="order.modify"):
    """New total quantity, prices and terms of an open order; None keeps what stands."""

    order_id: str
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trigger_price: Decimal | None = None
    trail: Trail | None = None
    expires_at: int | None = None


class SubmitBasket(Command, frozen=True, tag="basket.submit"):
    """Orders placed as one. `together`: none is sent unless every one is approved, each judged as if those before it
    had been placed; else each is judged by itself, in sequence."""

    orders: tuple[OrderSpec, ...]
    together: bool = False


class CancelOrders(Command, frozen=True, tag="orders.cancel"):
    """Asks for every working order that fits to be cancelled."""

    selection: Selection


class EditOrders(Command, frozen=True, tag="orders.edit"):
    """Changes working orders, each as it says; and by `edit` all that fit `selection`."""

    edits: tuple[tuple[str, Edit], ...] = ()
    selection: Selection | None = None
    edit: Edit | None = None


class ClosePosition(Command, frozen=True, tag="position.close"):
    """Closes what an account holds of an instrument, in each book and product that fits, by orders at the market.

    All of it, or `quantity` units or `share` of one position. With `cancel`, what works there is cancelled first.
    """

    account_id: str
    instrument_id: str
    client_order_id: str
    book: str | None = None
    product: Product | None = None
    quantity: Decimal | None = None
    share: Decimal | None = None
    cancel: bool = True


class ReversePosition(Command, frozen=True, tag="position.reverse"):
    """Turns a long into a short of the same size, or a short into a long, once what works there is cancelled."""

    account_id: str
    instrument_id: str
    client_order_id: str
    book: str | None = None
    product: Product | None = None


class TargetPosition(Command, frozen=True, tag="position.target"):
    """Brings a position to a signed quantity, counting what works. At the market, or at `limit_price`."""

    account_id: str
    instrument_id: str
    client_order_id: str
    quantity: Decimal
    book: str = MANUAL
    product: Product = Product.NONE
    limit_price: Decimal | None = None


class Flatten(Command, frozen=True, tag="positions.flatten"):
    """Closes every position that fits, each in its book, by an order of its own; trading goes on.

    With `cancel`, the working orders that fit are cancelled first, and each position is closed once its own are gone.
    """

    selection: Selection
    cancel: bool = True


class SubmitComposite(Command, frozen=True, tag="composite.submit"):
    """Several orders that are one intention; `client_order_id` names them as it names an order."""

    client_order_id: str
    terms: Terms


class ModifyComposite(Command, frozen=True, tag="composite.modify"):
    composite_id: str
    change: CompositeChange


class CancelComposite(Command, frozen=True, tag="composite.cancel"):
    """Cancels what has not been entered yet. Exits of what has been stay, unless all of it is to be closed."""

    composite_id: str
    close: bool = False


class OpenAccount(Command, frozen=True, tag="account.open"):
    account: Account
    initial_cash: Decimal


class OpenLiveAccount(Command, frozen=True, tag="account.open-live"):
    """Opens an account whose orders are real; it begins switched off. A mistake in `OpenAccount` never becomes one.

    `cash` is what the broker holds for it.
    """

    account: Account
    cash: Decimal


class MoveCash(Command, frozen=True, tag="account.cash"):
    """Books a deposit (positive) or withdrawal (negative) of `amount` in the account's currency."""

    account_id: str
    amount: Decimal
    kind: LedgerKind = LedgerKind.DEPOSIT
    component: str = ""
    book: str = MANUAL


class TransferCash(Command, frozen=True, tag="cash.transfer"):
    """Moves cash from one book to another, of one account or between two of one person and one currency."""

    source: Place
    target: Place
    amount: Decimal
    note: str = ""


class CreatePortfolio(Command, frozen=True, tag="portfolio.create"):
    """Makes a portfolio with the limits of its layer, moves `cash` to its book in the first of its accounts, and has it
    adopt strategies' books: all of it or nothing."""

    portfolio: Portfolio
    rules: RuleSet
    cash: Decimal = ZERO
    adopt: tuple[Place, ...] = ()


class ChangePortfolio(Command, frozen=True, tag="portfolio.change"):
    portfolio_id: str
    change: PortfolioChange


class ArchivePortfolio(Command, frozen=True, tag="portfolio.archive"):
    """Takes a portfolio that holds nothing out of use; with `restore`, puts it back."""

    portfolio_id: str
    restore: bool = False


class AdoptBook(Command, frozen=True, tag="portfolio.adopt"):
    """Has a strategy's book in an account count as a part of a portfolio from now on, or with `release` no more."""

    portfolio_id: str
    account_id: str
    book: str
    release: bool = False


class RebalancePortfolio(Command, frozen=True, tag="portfolio.rebalance"):
    """Places the trades of a rebalance, in each account sales first. With `retry`, those that came to nothing anew."""

    rebalance: Rebalance
    retry: bool = False


class SetRebalanceSchedule(Command, frozen=True, tag="portfolio.schedule"):
    """Has a portfolio rebalanced by a schedule from now on, or by none."""

    portfolio_id: str
    schedule: Schedule | None = None


class RecordRebalanceRun(Command, frozen=True, tag="portfolio.run"):
    """What becomes of a moment that was due by the schedule that was set at `since` (ns)."""

    run: Run
    since: int


class AnswerRebalanceRun(Command, frozen=True, tag="portfolio.answer"):
    """Approves of a proposed rebalance, or declines it."""

    portfolio_id: str
    run_id: str
    approve: bool = True


class DeactivateAccount(Command, frozen=True, tag="account.deactivate"):
    """Takes an account out of use: it takes no new risk, and its working orders are cancelled.

    Where it holds positions, it is declined unless `close` has them closed or `keep` leaves them and what guards them.
    """

    account_id: str
    reason: str = ""
    close: bool = False
    keep: bool = False


class ReactivateAccount(Command, frozen=True, tag="account.reactivate"):
    account_id: str


class RenameAccount(Command, frozen=True, tag="account.rename"):
    """Gives an account another name. `erase`: the new one stands for a name that was removed, of an account out of
    use."""

    account_id: str
    name: str
    erase: bool = False


class SetFxRates(Command, frozen=True, tag="fx.rates"):
    rates: tuple[FxRate, ...]


class SwitchLive(Command, frozen=True, tag="account.live"):
    """Lets a live account trade, or stops it from taking new risk."""

    account_id: str
    on: bool
    custody: Custody = Custody.ATTENDED


class SetLimits(Command, frozen=True, tag="account.limits"):
    account_id: str
    limits: Limits


class SetScopeLimits(Command, frozen=True, tag="limits.scope"):
    """The whole set of rules of a layer other than an account's; none at all takes the layer away."""

    scope: LimitScope
    rules: RuleSet


class LiftHalt(Command, frozen=True, tag="limits.lift"):
    """A person's word that a scope whose drawdown has halted entries may trade again; it is measured anew from now."""

    scope: LimitScope


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


class OpenSession(Command, frozen=True, tag="walkforward.open"):
    """Opens a walk-forward session, stopped, with an account of its own and its strategies: all of it or nothing."""

    session: WalkForwardSession
    account: Account
    deployments: tuple[Deployment, ...] = ()


class StartSession(Command, frozen=True, tag="walkforward.start"):
    session_id: str


class StopSession(Command, frozen=True, tag="walkforward.stop"):
    """Has a session trade no more; with `close` what it holds is closed, else kept."""

    session_id: str
    close: bool = False


class CompleteSession(Command, frozen=True, tag="walkforward.complete"):
    """Ends a session for good: what it holds is closed, and its figures are frozen."""

    session_id: str


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


class SetMtmRules(Command, frozen=True, tag="mtm.rules"):
    """Sets the rules on what a level makes, and its times; empty ones take it away."""

    scope: Scope
    rules: MtmRules


class RearmMtm(Command, frozen=True, tag="mtm.re-arm"):
    """Lets a level that a rule has closed trade again before its day is over, and counts anew from now."""

    scope: Scope


class OpenCopyLink(Command, frozen=True, tag="copy.open"):
    link: CopyLink


class ChangeCopyLink(Command, frozen=True, tag="copy.change"):
    link_id: str
    change: CopyChange


class TakeCopy(Command, frozen=True, tag="copy.take"):
    """Has a link copy what record `source` tells of its master or its follower; once, however often it is asked."""

    link_id: str
    source: int
    event: CopyEvent


class AlignCopy(Command, frozen=True, tag="copy.align"):
    """Brings positions of a follower to what it is to hold, by orders at the market."""

    link_id: str
    targets: tuple[CopyTarget, ...]


AnyCommand = (
    SubmitOrder
    | SetRoute
    | RemoveRoute
    | RouteOrder
    | CancelOrder
    | ResolveOrder
    | ModifyOrder
    | SubmitComposite
    | ModifyComposite
    | CancelComposite
    | SubmitBasket
    | CancelOrders
    | EditOrders
    | ClosePosition
    | ReversePosition
    | TargetPosition
    | Flatten
    | OpenAccount
    | OpenLiveAccount
    | MoveCash
    | TransferCash
    | CreatePortfolio
    | ChangePortfolio
    | ArchivePortfolio
    | AdoptBook
    | RebalancePortfolio
    | SetRebalanceSchedule
    | RecordRebalanceRun
    | AnswerRebalanceRun
    | DeactivateAccount
    | ReactivateAccount
    | RenameAccount
    | SetFxRates
    | SwitchLive
    | SetLimits
    | SetScopeLimits
    | LiftHalt
    | ListInstrument
    | Deploy
    | ChangeDeployment
    | RemoveDeployment
    | PauseDeployment
    | TakeSignal
    | OpenSession
    | StartSession
    | StopSession
    | CompleteSession
    | Panic
    | Resume
    | SetMtmRules
    | RearmMtm
    | OpenCopyLink
    | ChangeCopyLink
    | TakeCopy
    | AlignCopy
)
