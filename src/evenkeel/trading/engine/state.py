"""The engine's state: everything that trading decides from, held in memory and made by folding records alone.

Market marks are the one exception: they are measurements, not facts of ours, and come from the feed again.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct, field

from evenkeel.domain.accounts import Account, Limits, Readiness
from evenkeel.domain.clock import day_bounds, session_date
from evenkeel.domain.errors import NotFound
from evenkeel.domain.fills import Fill
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import ZERO, add, exact, mul
from evenkeel.domain.orders import Order
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.domain.records import SignalRecorded
from evenkeel.domain.strategies import Deployment
from evenkeel.quant.costs import CostSchedule, find_schedule
from evenkeel.trading.engine.holdings import Holdings, Mark, Marks
from evenkeel.trading.engine.working import Working

__all__ = ["EXTERNAL", "AccountState", "DeploymentState", "Mark", "State"]

EXTERNAL = "broker"


@lru_cache(maxsize=16_384)
def _at_tick(price: float, tick: str) -> Decimal:
    """Cached by the tick as it is written: 0.01 and 0.010 are equal, and round to differently written prices."""
    return exact(price, Decimal(tick))


class AccountState(Struct, kw_only=True):
    """One account as it stands. `day` is open until `day_end`; `day_start_equity` carries deposits of the day."""

    account: Account
    limits: Limits
    limits_version: int = 0
    readiness: Readiness = Readiness.NOT_READY
    readiness_reason: str | None = None
    cash: dict[str, Decimal] = field(default_factory=dict)
    contributed: Decimal = ZERO
    positions: Holdings = field(default_factory=Holdings)
    net: dict[str, Decimal] = field(default_factory=dict)
    working: Working = field(default_factory=Working)
    day: date
    day_end: int
    day_start_equity: Decimal = ZERO
    peak_equity: Decimal = ZERO
    trades_today: int = 0

    def cash_in(self, currency: str) -> Decimal:
        return self.cash.get(currency, ZERO)

    def open_day(self, at: int) -> None:
        """Moves to the account day that holds `at`."""
        zone, roll = self.account.time_zone, self.account.roll
        self.day = session_date(at, zone, roll)
        self.day_end = day_bounds(self.day, zone, roll)[1]
        self.trades_today = 0


class DeploymentState(Struct, kw_only=True):
    """One deployment, made at `since`: its folded targets, what its strategy remembers, and how it has fared."""

    deployment: Deployment
    since: int
    targets: dict[str, float] = field(default_factory=dict)
    memory: bytes | None = None
    last_signal: SignalRecorded | None = None
    orders: int = 0
    fills: int = 0
    refusals: int = 0

    @property
    def is_running(self) -> bool:
        return self.deployment.enabled and self.deployment.paused is None


class State(Struct, kw_only=True):
    """All of one shard. `seq` counts folded records; `time` is engine time in ns.

    `find_schedule` knows the cost schedules that accounts name; it raises NotFound.
    """

    run: str = ""
    seq: int = 0
    time: int = 0
    cursor: int | None = None
    accounts: dict[str, AccountState] = field(default_factory=dict)
    instruments: dict[str, Instrument] = field(default_factory=dict)
    deployments: dict[str, DeploymentState] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    fills: dict[tuple[str, str], Fill] = field(default_factory=dict)
    client_ids: dict[tuple[str, str], str] = field(default_factory=dict)
    venue_client_ids: dict[str, str] = field(default_factory=dict)
    venue_order_ids: dict[tuple[str, str], str] = field(default_factory=dict)
    marks: Marks = field(default_factory=Marks)
    bars_seen: dict[str, int] = field(default_factory=dict)
    splits_applied: set[tuple[str, date]] = field(default_factory=set)
    find_schedule: Callable[[str], CostSchedule] = find_schedule

    def account(self, account_id: str) -> AccountState:
        """Raises NotFound."""
        try:
            return self.accounts[account_id]
        except KeyError:
            raise NotFound(f"there is no account {account_id!r}") from None

    def order(self, order_id: str) -> Order:
        """Raises NotFound."""
        try:
            return self.orders[order_id]
        except KeyError:
            raise NotFound(f"there is no order {order_id!r}") from None

    def deployment(self, deployment_id: str) -> DeploymentState:
        """Raises NotFound."""
        try:
            return self.deployments[deployment_id]
        except KeyError:
            raise NotFound(f"there is no strategy {deployment_id!r}") from None

    def mark(self, instrument_id: str) -> Decimal | None:
        """The last price, rounded to the tick; None before the first one."""
        mark = self.marks.get(instrument_id)
        return _at_tick(mark.price, str(self.instruments[instrument_id].tick_size)) if mark else None

    def position(self, key: PositionKey) -> Position:
        """The position of a key; a flat one that is not kept where there is none."""
        held = self.accounts[key.account_id].positions.get(key)
        return held if held is not None else Position(key=key)

    def price_of(self, position: Position) -> Decimal:
        """What values a position: the last price, else its own average cost as a fallback."""
        mark = self.mark(position.key.instrument_id)
        if mark is not None:
            return mark
        instrument = self.instruments[position.key.instrument_id]
        average = position.average_price or ZERO
        return exact(float(average) / float(instrument.multiplier), instrument.tick_size)

    def positions_value(self, account: AccountState) -> Decimal:
        """Signed market value of all positions, in the account's currency (the only one it may hold)."""
        return account.positions.value(self.marks, self._value_of)

    def _value_of(self, position: Position) -> Decimal:
        multiplier = self.instruments[position.key.instrument_id].multiplier
        return position.market_value(self.price_of(position), multiplier)

    def equity(self, account: AccountState) -> Decimal:
        """Cash plus positions at the last prices."""
        return add(account.cash_in(account.account.currency), self.positions_value(account))

    def unrealised(self, position: Position) -> Decimal:
        if not position.quantity:
            return ZERO
        multiplier = self.instruments[position.key.instrument_id].multiplier
        return position.unrealised(self.price_of(position), multiplier)

    def notional(self, instrument_id: str, quantity: Decimal, price: Decimal) -> Decimal:
        return mul(mul(quantity, price), self.instruments[instrument_id].multiplier)
