"""The engine's state: everything that trading decides from, held in memory and made by folding records alone.

Market marks are the one exception: they are measurements, not facts of ours, and come from the feed again.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct, field

from evenkeel.domain.accounts import Account, Limits, Readiness, SendRate
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
from evenkeel.trading.engine.growth import Growth
from evenkeel.trading.engine.halts import Halt
from evenkeel.trading.engine.holdings import Holdings, Mark, Marks
from evenkeel.trading.engine.timers import Timers
from evenkeel.trading.engine.track import Track
from evenkeel.trading.engine.working import Working

__all__ = ["EXTERNAL", "AccountState", "DeploymentState", "Mark", "State"]

EXTERNAL = "broker"


@lru_cache(maxsize=16_384)
def _at_tick(price: float, tick: str) -> Decimal:
    """Cached by the tick as it is written: 0.01 and 0.010 are equal, and round to differently written prices."""
    return exact(price, Decimal(tick))


class Guard(Struct):
    """What guards a position of `side` 1 or -1: see `ProtectionChanged`.

    `exits` are its orders that work; `denied`: one was refused, or ended by another's hand, and is not placed again
    before the position changes.
    """

    link: str
    side: int
    best: float
    rule: str = ""
    since: int = 0
    denied: bool = False
    exits: dict[str, None] = field(default_factory=dict)


class AccountState(Struct, kw_only=True):
    """One account as it stands. `day` is open until `day_end`; `day_start_equity` carries deposits of the day.

    `night` is the end of a day that is charged next, where holding costs; `due` the time at which a day or a night is.
    `guards` are those of positions that have exits, `passing` the working orders that are good for one bar only.
    """

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
    passing: dict[str, None] = field(default_factory=dict)
    guards: dict[PositionKey, Guard] = field(default_factory=dict)
    day: date
    day_end: int
    night: int = 0
    due: int = 0
    day_start_equity: Decimal = ZERO
    growth: Growth = field(default_factory=Growth)
    trades_today: int = 0

    def cash_in(self, currency: str) -> Decimal:
        return self.cash.get(currency, ZERO)

    def take_payment(self, amount: Decimal, equity: Decimal | None) -> None:
        """Keeps a payment out of the growth; `equity` is from before it, None where only the day's start is known."""
        self.growth.paid(amount, self.day_start_equity if equity is None else equity)

    def open_day(self, at: int) -> None:
        """Moves to the account day that holds `at`."""
        zone, roll = self.account.time_zone, self.account.roll
        self.day = session_date(at, zone, roll)
        self.day_end = day_bounds(self.day, zone, roll)[1]
        self.trades_today = 0
        self._plan()

    def open_night(self, at: int) -> None:
        """Moves to the first end of a day at `at` or later: what falls on it is held over it."""
        zone, roll = self.account.time_zone, self.account.roll
        start, end = day_bounds(session_date(at, zone, roll), zone, roll)
        self.night = at if at == start else end
        self._plan()

    def _plan(self) -> None:
        self.due = self.day_end if self.account.financing is None else min(self.day_end, self.night + 1)


class DeploymentState(Struct, kw_only=True):
    """One deployment, made at `since`: its folded targets, what its strategy remembers, and how it has fared.

    `track` is kept where it has rules that may switch it.
    """

    deployment: Deployment
    since: int
    targets: dict[str, float] = field(default_factory=dict)
    memory: bytes | None = None
    track: Track | None = None
    last_signal: SignalRecorded | None = None
    orders: int = 0
    fills: int = 0
    refusals: int = 0

    @property
    def is_running(self) -> bool:
        this = self.deployment
        return this.enabled and this.paused is None and not this.removed


class State(Struct, kw_only=True):
    """All of one shard. `seq` counts folded records; `time` is engine time in ns. `guarded`: there are rules for exits.

    `halts` are the panics in force, by the key of their scope. `find_schedule` knows the cost schedules that accounts
    name; it raises NotFound. `rates` are how fast brokers may be sent to, by name: like marks, no facts of ours.
    `timers` are the moments at which something is due.
    `places` (ns) are up to where those deployments have been given the feed that are not at the cursor.
    """

    run: str = ""
    seq: int = 0
    time: int = 0
    cursor: int | None = None
    feed_ended: bool = False
    places: dict[str, int] = field(default_factory=dict)
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
    dividends_paid: set[tuple[str, date]] = field(default_factory=set)
    guarded: bool = False
    halts: dict[str, Halt] = field(default_factory=dict)
    timers: Timers = field(default_factory=Timers)
    rates: dict[str, SendRate] = field(default_factory=dict)
    find_schedule: Callable[[str], CostSchedule] = find_schedule

    @property
    def minds_bars(self) -> bool:
        """Whether the engine is to be told when the venues have met a slice, and when it lies behind."""
        return any(held.guards or held.passing for held in self.accounts.values())

    def account(self, account_id: str) -> AccountState:
        """Raises NotFound."""
        try:
            return self.accounts[account_id]
        except KeyError:
            raise NotFound(f"there is no account {account_id!r}") from None

    def rate_of(self, account: AccountState) -> SendRate | None:
        """How fast the account may send: its own limit, else its broker's; None where neither says."""
        return account.limits.rate or self.rates.get(account.account.broker)

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
