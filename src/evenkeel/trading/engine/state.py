"""The engine's state: everything that trading decides from, held in memory and made by folding records alone.

Market marks are the one exception: they are measurements, not facts of ours, and come from the feed again.
"""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from itertools import chain

from msgspec import Struct, field

from evenkeel.domain.accounts import Account, Limits, Readiness, SendRate
from evenkeel.domain.clock import day_bounds, session_date
from evenkeel.domain.errors import NotFound
from evenkeel.domain.fills import Fill
from evenkeel.domain.followups import FollowUpSet
from evenkeel.domain.fx import Rates
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.live import Custody
from evenkeel.domain.money import ZERO, add, exact, mul
from evenkeel.domain.orders import Order
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.domain.records import OrderRouted, PositionCorrected, SignalRecorded, SplitApplied
from evenkeel.domain.routing import Route
from evenkeel.domain.strategies import Deployment
from evenkeel.quant.costs import CostSchedule, find_schedule
from evenkeel.trading.brokers.profiles import BrokerProfile
from evenkeel.trading.engine.cells import Cells
from evenkeel.trading.engine.composites.standing import Composites
from evenkeel.trading.engine.copying.links import Copying
from evenkeel.trading.engine.growth import Growth
from evenkeel.trading.engine.halts import Halt
from evenkeel.trading.engine.holdings import Holdings, Mark, Marks, at_tick
from evenkeel.trading.engine.layers import LayerState, OwnStanding
from evenkeel.trading.engine.mtm.levels import Hours, Levels
from evenkeel.trading.engine.portfolios.schedules import Schedules
from evenkeel.trading.engine.portfolios.standing import BookKey, PortfolioState
from evenkeel.trading.engine.portfolios.underway import Rebalances
from evenkeel.trading.engine.sessions import SessionState
from evenkeel.trading.engine.timers import Timers
from evenkeel.trading.engine.track import Track
from evenkeel.trading.engine.working import Working
from evenkeel.trading.risk.metrics import Correlations

__all__ = ["EXTERNAL", "AccountState", "DeploymentState", "Mark", "State"]

EXTERNAL = "broker"


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


class Compared(Struct):
    """How an account has been compared with its broker so far: how often, when last, and what differed then."""

    times: int = 0
    at: int = 0
    differences: int = 0


class AccountState(Struct, kw_only=True):
    """One account as it stands. `day` is open until `day_end`; `day_start_equity` carries deposits of the day.

    `night` is the end of a day that is charged next, where holding costs; `due` the time at which a day or a night is.
    `paid_in` is what was contributed, by book.
    `earned` is what no trade has made, by book and instrument: dividends, interest, corrections ("" where of none).
    `guards` are those of positions that have exits, `passing` the working orders that are good for one bar only, `held`
    those that rest here and at no venue. `retired` says why the account is out of use, empty where it is in use.
    `is_off`: it is a live one that is switched off; `custody`: who opens its credentials, None if it was never on.
    """

    account: Account
    limits: Limits
    limits_version: int = 0
    readiness: Readiness = Readiness.NOT_READY
    readiness_reason: str | None = None
    compared: Compared = field(default_factory=Compared)
    cash: dict[str, Decimal] = field(default_factory=dict)
    contributed: Decimal = ZERO
    paid_in: dict[str, Decimal] = field(default_factory=dict)
    earned: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    positions: Holdings = field(default_factory=Holdings)
    net: dict[str, Decimal] = field(default_factory=dict)
    working: Working = field(default_factory=Working)
    cells: Cells = field(default_factory=Cells)
    held: dict[str, Order] = field(default_factory=dict)
    passing: dict[str, None] = field(default_factory=dict)
    guards: dict[PositionKey, Guard] = field(default_factory=dict)
    day: date
    day_end: int
    night: int = 0
    due: int = 0
    day_start_equity: Decimal = ZERO
    growth: Growth = field(default_factory=Growth)
    standing: OwnStanding = field(default_factory=OwnStanding)
    trades_today: int = 0
    session: SessionState | None = None
    retired: str = ""
    is_off: bool = False
    custody: Custody | None = None

    def open_orders(self) -> Iterator[Order]:
        """What is held here, and what works."""
        return chain(self.held.values(), self.working.values())

    @property
    def is_idle(self) -> bool:
        """Whether it is the account of a walk-forward session that does not run."""
        return self.session is not None and not self.session.is_running

    @property
    def never_live(self) -> bool:
        """Whether it is a live account that was never switched on: it has no way to its broker, not even to ask."""
        return self.is_off and self.custody is None

    @property
    def is_closing(self) -> bool:
        """Whether all that it holds is being closed for its session."""
        return self.session is not None and self.session.closing

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
        self.standing.tallies.clear()
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

    `halts` are the panics in force, by the key of their scope, `routes` those declared, by user and name, `routed` why
    orders went where they went. `find_schedule` knows the cost schedules that accounts
    name; it raises NotFound. `profiles` say what brokers take, and how fast: like marks, no facts of ours. `resting`
    brokers restart as planned until then (ns).
    `watched` are the open orders that prices are followed for, by instrument, `reducing` the working ones that are
    reduce-only, `composites` those that others are placed for.
    `correlations` of instruments are measurements, too; None before the first ones.
    `layers` are the limits beside those of accounts, by the key of their scope; `tiered`: some have drawdown tiers.
    `mtm` are the levels with rules on what they make, by the key of their scope, `hours` the sessions to come, by
    calendar.
    `timers` are the moments at which something is due, `follow_ups` what waits for cancels, `together` the orders that
    were placed with all of their basket or not at all.
    `twins` are orders that brokers have made beside ours, by account and venue's id: their ids, and whose they are.
    `restated` is what has changed positions besides fills, each with the number of fills before it.
    `by_bar` are the accounts that finished bars alone value, `real` the brokers, by name, whose orders are no
    simulation. `walkforwards` are sessions by id, `closing_sessions` those whose positions are being closed.
    `owners` are the portfolios that books belong to, `schedules` when portfolios are rebalanced by themselves.
    `places` (ns) are up to where those deployments have been given the feed that are not at the cursor.
    `rates` are the newest exchange rates, `pairs` the currencies of the spot pairs listed, by instrument.
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
    composites: Composites = field(default_factory=Composites)
    copying: Copying = field(default_factory=Copying)
    layers: dict[str, LayerState] = field(default_factory=dict)
    tiered: bool = False
    mtm: Levels = field(default_factory=Levels)
    hours: dict[str, Hours] = field(default_factory=dict)
    routes: dict[tuple[str, str], Route] = field(default_factory=dict)
    routed: dict[str, OrderRouted] = field(default_factory=dict)
    timers: Timers = field(default_factory=Timers)
    follow_ups: dict[str, FollowUpSet] = field(default_factory=dict)
    together: set[str] = field(default_factory=set)
    twins: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    restated: list[tuple[int, SplitApplied | PositionCorrected]] = field(default_factory=list)
    watched: dict[str, dict[str, Order]] = field(default_factory=dict)
    reducing: dict[str, dict[str, Order]] = field(default_factory=dict)
    profiles: dict[str, BrokerProfile] = field(default_factory=dict)
    resting: dict[str, int] = field(default_factory=dict)
    by_bar: set[str] = field(default_factory=set)
    real: frozenset[str] = frozenset()
    walkforwards: dict[str, SessionState] = field(default_factory=dict)
    closing_sessions: dict[str, SessionState] = field(default_factory=dict)
    portfolios: dict[str, PortfolioState] = field(default_factory=dict)
    owners: dict[BookKey, str] = field(default_factory=dict)
    rebalances: Rebalances = field(default_factory=Rebalances)
    schedules: Schedules = field(default_factory=Schedules)
    correlations: Correlations | None = None
    rates: Rates = field(default_factory=Rates)
    pairs: dict[str, tuple[str, str]] = field(default_factory=dict)
    find_schedule: Callable[[str], CostSchedule] = find_schedule

    @property
    def minds_bars(self) -> bool:
        """Whether the engine is to be told when the venues have met a slice, and when it lies behind."""
        if self.watched or self.composites:
            return True
        return any(held.guards or held.passing for held in self.accounts.values())

    def account(self, account_id: str) -> AccountState:
        """Raises NotFound."""
        try:
            return self.accounts[account_id]
        except KeyError:
            raise NotFound(f"there is no account {account_id!r}") from None

    def rate_of(self, account: AccountState) -> SendRate | None:
        """How fast the account may send: its own limit, else its broker's; None where neither says."""
        if account.limits.rate is not None:
            return account.limits.rate
        profile = self.profiles.get(account.account.broker)
        return None if profile is None else profile.rate

    def free_name(self, account_id: str, name: str) -> str:
        """A client order id that names no order, and no composite, of the account: this, or the next free one after."""
        free, number = name, 0
        while (account_id, free) in self.client_ids or (account_id, free) in self.composites.names:
            number += 1
            free = f"{name}:{number}"
        return free

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

    def portfolio(self, portfolio_id: str) -> PortfolioState:
        """Raises NotFound."""
        try:
            return self.portfolios[portfolio_id]
        except KeyError:
            raise NotFound(f"there is no portfolio {portfolio_id!r}") from None

    def mark(self, instrument_id: str) -> Decimal | None:
        """The last price, rounded to the tick; None before the first one."""
        if instrument_id not in self.marks:
            return None
        return self.marks.on_grid(instrument_id, self.instruments[instrument_id].tick_size)

    def position(self, key: PositionKey) -> Position:
        """The position of a key; a flat one that is not kept where there is none."""
        held = self.accounts[key.account_id].positions.get(key)
        return held if held is not None else Position(key=key)

    def price_of(self, position: Position) -> Decimal:
        """What values a position: the last price, else its own average cost as a fallback."""
        mark = self.mark(position.key.instrument_id)
        if self.by_bar and position.key.account_id in self.by_bar:
            mark = self._closing_mark(position.key.instrument_id) or mark
        if mark is not None:
            return mark
        instrument = self.instruments[position.key.instrument_id]
        average = position.average_price or ZERO
        return exact(float(average) / float(instrument.multiplier), instrument.tick_size)

    def _closing_mark(self, instrument_id: str) -> Decimal | None:
        mark = self.marks.closes.get(instrument_id)
        return None if mark is None else at_tick(mark.price, self.instruments[instrument_id].tick_size)

    def positions_value(self, account: AccountState) -> Decimal:
        """Signed market value of all positions, in the account's currency (the only one it may hold)."""
        return account.positions.value(self.marks, self.value_of)

    def value_of(self, position: Position) -> Decimal:
        """The signed market value of a position."""
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
