"""What a committed batch has touched, by channel: collected once, published to every user who may see it."""

from collections.abc import Sequence

from evenkeel.domain import records as r
from evenkeel.domain.account_records import AccountRenamed, AccountSwitched
from evenkeel.domain.copy_records import CopyLinkSet, CopyTaken
from evenkeel.domain.held_records import OrderKept, OrderReleased
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.records import AnyRecord
from evenkeel.server.schemas import EquityOut, EventOut
from evenkeel.server.views import equity_point
from evenkeel.trading.engine.state import State


class Changes:
    """Keys in the order they were touched, each once (dicts serve as ordered sets)."""

    def __init__(self) -> None:
        self.orders: dict[str, None] = {}
        self.fills: dict[tuple[str, str], None] = {}
        self.positions: dict[PositionKey, None] = {}
        self.accounts: dict[str, None] = {}
        self.deployments: dict[str, None] = {}
        self.copies: dict[str, None] = {}
        self.equity: list[EquityOut] = []
        self.events: list[EventOut] = []
        self.system = False

    def take(self, state: State, records: Sequence[AnyRecord]) -> None:
        """Notes what the records touched; `state` holds them."""
        for record in records:
            self._take(state, record)

    def _take(self, state: State, record: AnyRecord) -> None:
        match record:
            case r.OrderDecided() | r.OrderAdopted():
                self._order(record.order_id, account_id=record.spec.account_id, book=record.spec.book)
            case r.OrderMoved() | r.IntentRechecked() | r.AmendRequested() | OrderKept() | OrderReleased():
                spec = state.orders[record.order_id].spec
                self._order(record.order_id, account_id=spec.account_id, book=spec.book)
            case r.FillBooked():
                self._fill(state, record)
            case CopyTaken():
                self.copies[record.link_id] = None
            case CopyLinkSet():
                self.copies[record.link.id] = None
            case r.PositionCorrected():
                self._position(record.key)
            case r.SplitApplied():
                for part in record.positions:
                    self._position(part.key)
                for change in record.orders:
                    self.orders[change.order_id] = None
            case r.DayClosed():
                self.accounts[record.account_id] = None
                self.equity.append(equity_point(state, record))
            case r.DeploymentChanged():
                self.deployments[record.deployment.id] = None
            case r.SignalRecorded():
                self.deployments[record.deployment_id] = None
            case r.CashBooked():
                self.accounts.update(dict.fromkeys(entry.account_id for entry in record.entries))
            case r.AccountOpened():
                self._account(record.account.id)
            case r.AlertRaised(kind="feed-silent" | "feed-stalled" | "feed-back" | "rejects-halted" | "rejects-lifted"):
                self.system = True
            case AccountSwitched() | AccountRenamed():
                self.accounts[record.account_id] = None
                self.system = True
            case r.LimitsChanged() | r.ReadinessChanged() | r.AccountReconciled():
                self._account(record.account_id)

    def _account(self, account_id: str) -> None:
        self.accounts[account_id] = None
        self.system = True

    def _order(self, order_id: str, *, account_id: str, book: str) -> None:
        self.orders[order_id] = None
        self.accounts[account_id] = None
        self.deployments[book] = None

    def _fill(self, state: State, record: r.FillBooked) -> None:
        fill = record.fill
        self._order(fill.order_id, account_id=fill.account_id, book=fill.book)
        self.fills[fill.account_id, fill.venue_execution_id] = None
        product = state.orders[fill.order_id].spec.product
        self._position(PositionKey(fill.account_id, fill.book, fill.instrument_id, product))

    def _position(self, key: PositionKey) -> None:
        self.positions[key] = None
        self.accounts[key.account_id] = None
        self.deployments[key.book] = None
