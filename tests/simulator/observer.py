"""An eye on the journal from outside: it reads what is committed, keeps sums of its own, and says what must not be.

It knows the records' words and nothing of the engine. What it finds wrong it raises as `Broken`, at the moment at which
it happens; what can only be judged at rest is for `invariants`.
"""

from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct, field

from evenkeel.domain import records as r
from evenkeel.domain.accounts import AccountType, LedgerEntry, Limits, Readiness
from evenkeel.domain.held_records import OrderReleased
from evenkeel.domain.orders import OrderEvent, OrderSpec, OrderState, Side
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.trading.brokers.ports import Ticket
from tests.simulator.faults import Fault
from tests.simulator.words import spec_in_words

if TYPE_CHECKING:
    from tests.simulator.world import World

ZERO = Decimal(0)
ENDED = frozenset(
    {
        OrderState.FILLED,
        OrderState.CANCELLED,
        OrderState.REJECTED,
        OrderState.EXPIRED,
        OrderState.REFUSED,
        OrderState.EXPIRED_UNSENT,
    }
)
FOR_ORDERS = frozenset({"order-kind", "time-in-force", "lot-size", "tick-size", "currency", "halted", "mtm"})
"""The rules that may refuse a reduction: what is wrong with the order itself, and a strategy's while it is halted."""


class Broken(AssertionError):
    """An invariant does not hold. `rule` is its number in the table of invariants, I1 to I12."""

    def __init__(self, rule: str, words: str) -> None:
        super().__init__(f"{rule}: {words}")
        self.rule = rule


class Seen(Struct):
    """One order as the journal tells it. `worst_limit` is the least favourable limit it ever had."""

    spec: OrderSpec
    venue_client_id: str
    state: OrderState
    source: str
    worst_limit: Decimal | None
    filled: Decimal = ZERO
    quantity: Decimal = ZERO
    is_external: bool = False


class Held(Struct):
    """One account as the journal tells it; `paid` is the part of its cash that was paid in or out.

    `link` is the connection to the venue over which it was compared last.
    """

    type: AccountType
    limits: Limits
    readiness: Readiness = Readiness.NOT_READY
    cash: Decimal = ZERO
    paid: Decimal = ZERO
    link: int = -1
    net: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    trades: Counter[object] = field(default_factory=Counter)


class Observer:
    """`sent` counts what has left for the venue, by our id for it; `executions` are those booked, with their orders."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.orders: dict[str, Seen] = {}
        self.accounts: dict[str, Held] = {}
        self.intents: dict[str, str] = {}
        self.send_by: dict[str, int] = {}
        self.sent: Counter[str] = Counter()
        self.executions: dict[tuple[str, str], str] = {}
        self.corrected = 0
        self.alerts: Counter[str] = Counter()
        self.seq = 0
        self._at = 0

    def anew(self) -> "Observer":
        """Another one that has read what lies on the disk now, and knows what has ever been sent."""
        other = Observer(self.world)
        other.alerts = self.alerts
        other.sent = self.sent
        for batch in self.world.disk.batches:
            other.committed(r.decode(batch.body))
        return other

    def sending(self, ticket: Ticket, *, is_connected: bool) -> None:
        """An order is about to leave: it is in the journal, leaves for the first time, and its account is compared."""
        name = ticket.venue_client_id
        if self.intents.get(name) != ticket.order_id:
            raise Broken("I2", f"{self._words(ticket.spec)} leaves and is not in the journal")
        if not is_connected:
            return
        until = self.send_by[name]
        if until and self.world.timeline.now > until and not self.world.weather.struck[Fault.CLOCK_SET]:
            raise Broken("late", f"{self._words(ticket.spec)} leaves after the moment until which it might")
        self.sent[name] += 1
        if self.sent[name] > 1:
            raise Broken("I1", f"{self._words(ticket.spec)} leaves for the {self.sent[name]}. time")
        account = self.accounts[ticket.spec.account_id]
        is_compared = account.readiness is Readiness.READY and account.link == self.world.venue.link
        if not is_compared and self._raises_risk(ticket.spec):
            raise Broken("I4", f"{self._words(ticket.spec)} leaves on a link over which nothing was compared yet")

    def committed(self, records: tuple[r.AnyRecord, ...]) -> None:
        for record in records:
            self.seq += 1
            if record.at < self._at:
                raise Broken("I12", f"record {self.seq} is of a moment before the one before it")
            self._at = record.at
            self._see(record)

    def _see(self, record: r.AnyRecord) -> None:
        match record:
            case r.OrderDecided():
                self._decided(record)
            case r.OrderMoved():
                self._moved(record)
            case r.FillBooked():
                self._filled(record)
            case r.AmendRequested():
                self._names_who(record.provenance)
                self._loosen(self.orders[record.order_id], record.limit_price)
            case OrderReleased():
                self._released(record)
            case r.OrderAdopted():
                seen = Seen(record.spec, record.venue_client_id, record.state, "broker", record.spec.limit_price)
                seen.is_external, seen.quantity = True, record.spec.quantity
                self.orders[record.order_id] = seen
            case r.RunStarted():
                for account in self.accounts.values():
                    account.readiness = Readiness.NOT_READY
            case r.ReadinessChanged():
                self.accounts[record.account_id].readiness = record.readiness
            case r.AccountReconciled():
                self.accounts[record.account_id].readiness = Readiness.READY
                self.accounts[record.account_id].link = self.world.venue.link
            case r.AccountOpened(account=account):
                self._names_who(record.provenance)
                self.accounts[account.id] = Held(account.type, account.limits)
            case r.LimitsChanged():
                self._names_who(record.provenance)
                self.accounts[record.account_id].limits = record.limits
            case r.PositionCorrected(key=key):
                self.corrected += 1
                self.accounts[key.account_id].net[key.instrument_id] += record.quantity
            case r.SplitApplied():
                self._split(record)
            case r.CashBooked():
                self._names_who(record.provenance)
                self._book(record.entries)
                for entry in record.entries:
                    self.accounts[entry.account_id].paid += entry.amount
            case r.DividendPaid() | r.NightsCharged():
                self._book(record.entries)
            case r.AlertRaised():
                self.alerts[record.kind] += 1
                self.world.story.tell("  alert ({}): {}", record.level, record.message)

    def _decided(self, record: r.OrderDecided) -> None:
        spec, account = record.spec, self.accounts[record.spec.account_id]
        self._names_who(record.provenance)
        if record.order_id in self.orders or record.venue_client_id in self.intents:
            raise Broken("I5", f"{self._words(spec)} has an id that another order has")
        if not record.checks:
            raise Broken("I12", f"{self._words(spec)} was decided and no check is kept")
        source = record.provenance.source
        if record.approved:
            if account.readiness is not Readiness.READY and self._raises_risk(spec):
                raise Broken("I4", f"{self._words(spec)} was approved while the account is {account.readiness}")
            self._within_limits(record, account)
        elif self._only_reduces(spec) and record.checks[-1].rule not in FOR_ORDERS:
            raise Broken("I8", f"{self._words(spec)} only reduces, and {record.checks[-1].rule} has refused it")
        state = OrderState.SUBMITTED if record.approved else OrderState.REFUSED
        if record.held and record.approved:
            state = OrderState.HELD
        seen = Seen(spec, record.venue_client_id, state, source, spec.limit_price, quantity=spec.quantity)
        self.orders[record.order_id] = seen
        self.intents[record.venue_client_id] = record.order_id
        self.send_by[record.venue_client_id] = record.send_by
        if record.approved and not record.held and not spec.link:
            account.trades[record.session_date] += 1
        verdict = "approved" if record.approved else f"refused: {record.checks[-1].reason}"
        self.world.story.tell("  {} {} from {}: {}", record.venue_client_id[:6], self._words(spec), source, verdict)

    def _released(self, record: OrderReleased) -> None:
        """A held order goes out, judged as one that is new."""
        seen = self.orders[record.order_id]
        self.intents[record.venue_client_id], self.send_by[record.venue_client_id] = record.order_id, record.send_by
        seen.venue_client_id = record.venue_client_id
        seen.state = OrderState.SUBMITTED if record.approved else OrderState.REFUSED
        seen.quantity = record.quantity
        account, spec = self.accounts[seen.spec.account_id], seen.spec
        if record.approved and account.readiness is not Readiness.READY and self._raises_risk(spec):
            raise Broken("I4", f"{self._words(spec)} was let go while the account is {account.readiness}")
        if record.approved and not spec.link:
            account.trades[record.session_date] += 1

    def _within_limits(self, record: r.OrderDecided, account: Held) -> None:
        """No approved order exceeds a limit that can be counted here."""
        spec, limits = record.spec, account.limits
        if spec.link or self._only_reduces(spec):
            return
        most = limits.max_trades_per_day
        if most is not None and account.trades[record.session_date] >= most:
            raise Broken("limits", f"{self._words(spec)} is one more than the {most} trades of a day")
        if spec.side is Side.SELL and not (limits.allow_short and account.type is AccountType.MARGIN):
            left = account.net[spec.instrument_id] - self._working(spec) - spec.quantity
            if left < 0:
                raise Broken("limits", f"{self._words(spec)} could leave the account {left} short")

    def _working(self, spec: OrderSpec) -> Decimal:
        """What works on the same side of the same instrument, without the exits of positions."""
        where, whole = (spec.account_id, spec.instrument_id, spec.side), ZERO
        for seen in self.orders.values():
            one = seen.spec
            if seen.state.is_working and (one.account_id, one.instrument_id, one.side) == where and not one.is_exit:
                whole += seen.quantity - seen.filled
        return whole

    def _only_reduces(self, spec: OrderSpec) -> bool:
        """Whether it closes what is held and not being closed already."""
        held = self.accounts[spec.account_id].net[spec.instrument_id] * -spec.side.sign
        return 0 < spec.quantity <= held - self._working(spec)

    def _raises_risk(self, spec: OrderSpec) -> bool:
        """Whether it opens or adds to a position, whatever else works."""
        return self.accounts[spec.account_id].net[spec.instrument_id] * spec.side.sign >= 0

    def _moved(self, record: r.OrderMoved) -> None:
        seen = self.orders[record.order_id]
        if not record.by_venue and record.provenance is None and record.reason is None:
            raise Broken("I12", f"{self._words(seen.spec)} became {record.state}, and nobody says why")
        if record.provenance is not None:
            self._names_who(record.provenance)
        if seen.state in ENDED and record.state is not seen.state:
            is_venues = record.by_venue and record.state in (OrderState.ANOMALY, OrderState.EXPIRED, OrderState.FILLED)
            if not is_venues:
                raise Broken("terminal", f"{self._words(seen.spec)} was {seen.state} and became {record.state}")
        if record.event is OrderEvent.AMEND:
            seen.quantity = record.quantity or seen.quantity
            self._loosen(seen, record.limit_price)
        if seen.state is not record.state:
            self.world.story.tell("  {} is {}: {}", seen.venue_client_id[:6], record.state, record.reason or "")
        seen.state = record.state

    def _filled(self, record: r.FillBooked) -> None:
        fill, seen = record.fill, self.orders[record.fill.order_id]
        key = fill.account_id, fill.venue_execution_id
        if key in self.executions:
            raise Broken("I3", f"execution {fill.venue_execution_id} is booked twice")
        self.executions[key] = fill.order_id
        sign = fill.side.sign
        limit, is_undone = seen.worst_limit, fill.reverses is not None
        if not is_undone and limit is not None and (fill.price - limit) * sign > 0 and not seen.is_external:
            raise Broken("limit price", f"{self._words(seen.spec)} was filled at {fill.price}, beyond {limit}")
        seen.filled += -fill.quantity if is_undone else fill.quantity
        self.accounts[fill.account_id].net[fill.instrument_id] += sign * fill.quantity
        seen.state = record.state
        self._book(record.entries)

    def _book(self, entries: tuple[LedgerEntry, ...]) -> None:
        for entry in entries:
            self.accounts[entry.account_id].cash += entry.amount

    def _split(self, record: r.SplitApplied) -> None:
        name = record.split.instrument_id
        for account_id in {part.key.account_id for part in record.positions}:
            parts = [part.quantity for part in record.positions if part.key.account_id == account_id]
            self.accounts[account_id].net[name] = sum(parts, ZERO)
        for change in record.orders:
            seen = self.orders[change.order_id]
            seen.quantity, seen.filled, seen.worst_limit = change.quantity, change.filled, change.limit_price
        self._book(record.entries)

    @staticmethod
    def _loosen(seen: Seen, limit: Decimal | None) -> None:
        if limit is not None and seen.worst_limit is not None:
            keep = max if seen.spec.side is Side.BUY else min
            seen.worst_limit = keep(seen.worst_limit, limit)

    @staticmethod
    def _names_who(provenance: Provenance) -> None:
        if not provenance.actor or provenance.source not in tuple(Source):
            raise Broken("I12", "a decision does not say whose it is")

    def _words(self, spec: OrderSpec) -> str:
        return spec_in_words(self.world, spec)
