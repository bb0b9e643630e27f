"""The journal's records: facts and decisions, each with its schema version in its tag. Recovery folds them.

A record holds results, never a rule to be run again: a fill carries its ledger entries, a split the positions
and orders it left behind, a verdict the numbers it saw. A field may be added with a default; any other change is
a new tag, and the old one keeps folding.
"""

from datetime import date
from decimal import Decimal
from hashlib import sha256

import msgspec
from msgspec import Struct, field

from evenkeel.domain.account_records import AnyAccountRecord
from evenkeel.domain.accounts import Account, LedgerEntry, Limits, Readiness
from evenkeel.domain.composite_records import AnyCompositeRecord, SplitComposite
from evenkeel.domain.copy_records import AnyCopyRecord
from evenkeel.domain.errors import JournalCorrupt
from evenkeel.domain.fills import Fill
from evenkeel.domain.followups import AnyFollowUpRecord
from evenkeel.domain.held_records import AnyHeldRecord
from evenkeel.domain.instruments import Instrument, SymbolAlias
from evenkeel.domain.limit_records import AnyLimitRecord
from evenkeel.domain.limits import Layer
from evenkeel.domain.live import AnyLiveRecord
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.domain.mtm_records import AnyMtmRecord
from evenkeel.domain.orders import Kept, OrderEvent, OrderSpec, OrderState
from evenkeel.domain.panic_records import AnyPanicRecord
from evenkeel.domain.panic_records import PanicEnded as PanicEnded
from evenkeel.domain.panic_records import PanicMoved as PanicMoved
from evenkeel.domain.panic_records import PanicStarted as PanicStarted
from evenkeel.domain.portfolios import AnyPortfolioRecord
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Arrival, Provenance
from evenkeel.domain.rebalance_schedules import AnyRebalanceRecord
from evenkeel.domain.record import Check as Check
from evenkeel.domain.record import Record
from evenkeel.domain.routing import AnyRouteRecord
from evenkeel.domain.routing import OrderRouted as OrderRouted
from evenkeel.domain.routing import RouteRemoved as RouteRemoved
from evenkeel.domain.routing import RouteSet as RouteSet
from evenkeel.domain.strategies import Action, Deployment
from evenkeel.domain.walkforward import AnySessionRecord


class RunStarted(Record, frozen=True, tag="run.started/1"):
    run: str
    version: str
    wall: int = 0


class InstrumentListed(Record, frozen=True, tag="instrument.listed/1"):
    instrument: Instrument
    aliases: tuple[SymbolAlias, ...] = ()


class AccountOpened(Record, frozen=True, tag="account.opened/1"):
    account: Account
    provenance: Provenance


class LimitsChanged(Record, frozen=True, tag="account.limits/1"):
    account_id: str
    limits: Limits
    version: int
    provenance: Provenance


class ReadinessChanged(Record, frozen=True, tag="account.readiness/1"):
    account_id: str
    readiness: Readiness
    reason: str | None = None


class CashBooked(Record, frozen=True, tag="cash.booked/1"):
    """Cash of one account; `equity` is what it was worth just before, None in the journals of 0.1.0, and `values` what
    the portfolio was that it concerns."""

    entries: tuple[LedgerEntry, ...]
    provenance: Provenance
    equity: Decimal | None = None
    values: dict[str, Decimal] = field(default_factory=dict)


class DeploymentChanged(Record, frozen=True, tag="strategy.deployment/1"):
    deployment: Deployment
    provenance: Provenance


class SignalRecorded(Record, frozen=True, tag="strategy.signal/1"):
    """`folded` is the target in force after this signal; `action` says what its change asked for.

    `price` is the last one then, for deployments that follow what signals are worth; `whole` and `rebalance` are its.
    """

    id: str
    deployment_id: str
    instrument_id: str
    target: float | None
    folded: float
    action: Action
    confidence: float
    details: dict[str, float | str] = field(default_factory=dict)
    price: float | None = None
    scale: float = 1.0
    whole: bool = False
    rebalance: bool = False


class OrderDecided(Record, frozen=True, tag="order.decided/1"):
    """A command to place an order with its verdict. Approved, it is also the intent to send, written before sending.

    The market counts from `since`, where that is not the moment of the decision: an exit works from its entry's fill.
    `held`: it is not to be sent before something that `kept` says has come. `together`: with its basket or not at all.
    """

    order_id: str
    spec: OrderSpec
    venue_client_id: str
    session_date: date
    approved: bool
    checks: tuple[Check, ...]
    provenance: Provenance
    arrival: Arrival
    send_by: int = 0
    since: int = 0
    held: bool = False
    kept: Kept | None = None
    together: bool = False

    @property
    def state(self) -> OrderState:
        """What the order is with that."""
        if not self.approved:
            return OrderState.REFUSED
        return OrderState.HELD if self.held else OrderState.SUBMITTED


class IntentRechecked(Record, frozen=True, tag="order.rechecked/1"):
    """The verdict on an order that waited to be sent. `quantity` is all that goes out where less is left to close."""

    order_id: str
    approved: bool
    checks: tuple[Check, ...]
    waited: int = 0
    quantity: Decimal | None = None


class OrderMoved(Record, frozen=True, tag="order.moved/1"):
    """An order's transition other than by a fill. `quantity` and prices are set by an amendment."""

    order_id: str
    event: OrderEvent
    state: OrderState
    reason: str | None = None
    rule: str | None = None
    limit: str | None = None
    value: str | None = None
    layer: Layer = Layer.ACCOUNT
    venue_order_id: str | None = None
    venue_at: int = 0
    bar: int = 0
    triggered: bool = False
    by_venue: bool = True
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    provenance: Provenance | None = None


class AmendRequested(Record, frozen=True, tag="order.amend/1"):
    """An approved wish to change a working order, written before it is sent."""

    order_id: str
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    checks: tuple[Check, ...]
    provenance: Provenance
    since: int = 0


class FillBooked(Record, frozen=True, tag="fill.booked/1"):
    """An execution, the order state it led to, and the ledger entries it made."""

    fill: Fill
    state: OrderState
    entries: tuple[LedgerEntry, ...]
    bar: int = 0
    venue_order_id: str | None = None


class OrderAdopted(Record, frozen=True, tag="order.adopted/1"):
    """An order found at the broker that did not come from here; it lives in the book `unassigned`. But one that the
    broker made beside an order of ours, which it is `twin_of`, lives in that one's book."""

    order_id: str
    spec: OrderSpec
    venue_client_id: str
    venue_order_id: str
    session_date: date
    state: OrderState
    twin_of: str = ""


class PositionCorrected(Record, frozen=True, tag="position.corrected/1"):
    """A difference from the broker's own figure, booked to `unassigned` at `price`, flagged as synthetic."""

    id: str
    key: PositionKey
    quantity: Decimal
    price: Decimal
    reason: str


class SplitPosition(Struct, frozen=True):
    """A position after a split: its new quantity, and the cost that left it with a fraction paid out in cash."""

    key: PositionKey
    quantity: Decimal
    cash_in_lieu: Decimal
    cost_released: Decimal


class SplitOrder(Struct, frozen=True, omit_defaults=True):
    """An open order after a split."""

    order_id: str
    quantity: Decimal
    filled: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    kept: Kept | None = None


class SplitApplied(Record, frozen=True, tag="split.applied/1"):
    split: Split
    positions: tuple[SplitPosition, ...]
    orders: tuple[SplitOrder, ...]
    entries: tuple[LedgerEntry, ...] = ()
    composites: tuple[SplitComposite, ...] = ()


class DividendPaid(Record, frozen=True, tag="dividend.paid/1"):
    """Cash for what was held before the ex-date, owed by shorts; one entry a book."""

    dividend: Dividend
    entries: tuple[LedgerEntry, ...] = ()


class NightsCharged(Record, frozen=True, tag="account.nights/1"):
    """Interest and borrow fees of `nights` ends of the account's day, on what was held over them."""

    account_id: str
    nights: int
    entries: tuple[LedgerEntry, ...] = ()


class ProtectionChanged(Record, frozen=True, tag="position.protection/1"):
    """What guards a position: the `link` of its exits, the best price since entry, and the rule behind the stop.

    `side` is 1 for a long and -1 for a short; `since` (ns) the last fill of ours that changed it, from which its trail
    counts. Without a `link` it is guarded no more.
    """

    key: PositionKey
    link: str = ""
    side: int = 0
    best: float = 0.0
    rule: str = ""
    since: int = 0


class DayClosed(Record, frozen=True, tag="account.day-closed/1"):
    """The end-of-day mark of every position held and the rates used, with the equity they give.

    `growth` is time-weighted, from 1, `drawdown` its fall from the highest, positive; the last three: None in 0.1.0.
    """

    id: str
    account_id: str
    session_date: date
    cash: Decimal
    equity: Decimal
    marks: dict[str, Decimal]
    fx: dict[str, Decimal] = field(default_factory=dict)
    contributed: Decimal | None = None
    growth: float | None = None
    drawdown: float | None = None


class CursorMoved(Record, frozen=True, tag="feed.cursor/1"):
    """The feed up to `cursor` has been seen, and what the strategies remember of it; `ended` where that was all.

    `places` (ns) are up to where those deployments have been given it that are not at the cursor.
    """

    cursor: int
    states: dict[str, bytes] = field(default_factory=dict)
    ended: bool = False
    places: dict[str, int] = field(default_factory=dict)


class AccountReconciled(Record, frozen=True, tag="account.reconciled/1"):
    """`differences` is how many positions were not as the broker has them. `routine`: it was done by schedule, and
    changes nothing of what was given up."""

    account_id: str
    differences: int = 0
    routine: bool = False


class AlertRaised(Record, frozen=True, tag="alert.raised/1"):
    """Something a person should see: `level` is info, warning or critical."""

    id: str
    level: str
    kind: str
    message: str
    account_id: str | None = None
    order_id: str | None = None
    deployment_id: str | None = None


AnyRecord = (
    RunStarted
    | InstrumentListed
    | AccountOpened
    | LimitsChanged
    | ReadinessChanged
    | CashBooked
    | DeploymentChanged
    | SignalRecorded
    | OrderDecided
    | IntentRechecked
    | OrderMoved
    | AmendRequested
    | FillBooked
    | OrderAdopted
    | PositionCorrected
    | SplitApplied
    | DividendPaid
    | NightsCharged
    | ProtectionChanged
    | AnyPanicRecord
    | AnyRouteRecord
    | DayClosed
    | CursorMoved
    | AccountReconciled
    | AlertRaised
    | AnyFollowUpRecord
    | AnyMtmRecord
    | AnySessionRecord
    | AnyLimitRecord
    | AnyCompositeRecord
    | AnyHeldRecord
    | AnyCopyRecord
    | AnyPortfolioRecord
    | AnyRebalanceRecord
    | AnyAccountRecord
    | AnyLiveRecord
)

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(tuple[AnyRecord, ...])


def encode(records: tuple[AnyRecord, ...]) -> bytes:
    """The body of one journal batch (MessagePack)."""
    return _ENCODER.encode(records)


def decode(body: bytes) -> tuple[AnyRecord, ...]:
    """The records of one journal batch. Raises JournalCorrupt naming what does not decode."""
    try:
        return _DECODER.decode(body)
    except msgspec.MsgspecError as error:
        raise JournalCorrupt(f"a journal batch does not decode: {error}") from error


class Batch(Struct, frozen=True):
    """One committed transaction of one shard: records `first_seq`..`last_seq`, chained by hash to the one before."""

    shard: str
    epoch: int
    first_seq: int
    last_seq: int
    prev_hash: bytes
    body: bytes


GENESIS = bytes(32)


def chain_hash(batch: Batch) -> bytes:
    """The hash that the next batch names as its `prev_hash` (SHA-256 over the row's fields)."""
    head = f"{batch.shard}|{batch.epoch}|{batch.first_seq}|{batch.last_seq}|".encode()
    return sha256(head + batch.prev_hash + batch.body).digest()
