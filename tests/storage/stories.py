"""Journals of trading that might have happened: random but legal records, made against their own fold."""

import random
from datetime import date, time
from decimal import Decimal
from typing import Any

from evenkeel.domain import mtm
from evenkeel.domain import mtm_records as m
from evenkeel.domain import records as r
from evenkeel.domain.account_records import AccountRenamed, AccountSwitched, FxRatesSet
from evenkeel.domain.accounts import (
    UNASSIGNED,
    Account,
    AccountMode,
    FillTerms,
    LedgerEntry,
    LedgerKind,
    Limits,
    Readiness,
)
from evenkeel.domain.fills import Charge, Fill
from evenkeel.domain.fx import FxRate, RateSource
from evenkeel.domain.held_records import OrderKept, OrderReleased
from evenkeel.domain.instruments import AssetClass, Instrument, SymbolAlias, instrument_id
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.domain.money import ZERO, add, mul, neg, rounded
from evenkeel.domain.orders import (
    TRANSITIONS,
    Kept,
    Order,
    OrderEvent,
    OrderKind,
    OrderSpec,
    OrderState,
    Product,
    Side,
    TimeInForce,
    Trail,
    Trigger,
)
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Arrival, Provenance, Source
from evenkeel.domain.strategies import Action, Allocation, Deployment
from evenkeel.domain.walkforward import (
    SessionCompleted,
    SessionFigures,
    SessionMoved,
    SessionOpened,
    SessionStatus,
    WalkForwardSession,
)
from evenkeel.storage.database import Database
from evenkeel.storage.ownership import Owner
from evenkeel.storage.projector import Projector
from evenkeel.storage.schema import upgrade
from evenkeel.trading.engine.fold import apply
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.ports import Journal

SHARD = "user-1"
BY_USER = Provenance(actor=SHARD, source=Source.USER, received=1_700_000_000_000_000_000)
BY_SYSTEM = Provenance(actor="evenkeel", source=Source.SYSTEM)
INSTRUMENTS = (
    Instrument(
        id=instrument_id("XNAS", "AAPL"),
        symbol="AAPL",
        venue="XNAS",
        asset_class=AssetClass.EQUITY,
        currency="USD",
        tick_size=Decimal("0.01"),
        lot_size=Decimal(1),
    ),
    Instrument(
        id=instrument_id("CME", "ES"),
        symbol="ES",
        venue="CME",
        asset_class=AssetClass.FUTURE,
        currency="USD",
        tick_size=Decimal("0.25"),
        lot_size=Decimal(1),
        multiplier=Decimal(50),
        expiry=date(2006, 6, 16),
    ),
)


class Story:
    """Tells `count` steps; `records` and `state` are what came of them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.state = State()
        self.records: list[r.AnyRecord] = []
        self.at = 1_125_579_600_000_000_000
        self._begin()

    def tell(self, count: int) -> "Story":
        steps = (
            [self._decide] * 5
            + [self._fill] * 6
            + [self._move] * 5
            + [self._signal] * 3
            + [self._alert, self._cash, self._limits, self._readiness, self._deployment, self._correct, self._cursor]
            + [self._split, self._bust, self._adopt, self._recheck, self._amend, self._close_day, self._restart]
            + [self._hold, self._guard, self._control, self._walk]
            + [self._keep, self._release] * 2
            + [self._switch, self._rate]
        )
        for _ in range(count):
            self.random.choice(steps)()
        return self

    def emit(self, record: r.AnyRecord) -> None:
        apply(self.state, record)
        self.records.append(record)
        self.at += self.random.randrange(1, 10**12)

    def _id(self, tag: str) -> str:
        return f"{tag}-{len(self.records):06d}"

    def _begin(self) -> None:
        self.emit(r.RunStarted(at=self.at, run="story", version="0"))
        for one in INSTRUMENTS:
            alias = SymbolAlias(one.id, "evenkeel", one.symbol, date(2000, 1, 1))
            self.emit(r.InstrumentListed(at=self.at, instrument=one, aliases=(alias,)))
        for name in ("a", "b"):
            account = Account(id=f"account-{name}", user_id=SHARD, name=name, broker="simulated", currency="USD")
            self.emit(r.AccountOpened(at=self.at, account=account, provenance=BY_USER))
            self._deposit(account.id, Decimal("100000.00"))
        self._deploy(enabled=True)

    def _deploy(self, *, enabled: bool) -> None:
        deployment = Deployment(
            id="deployment-1",
            name="Crossing",
            template="sma",
            version="1",
            parameters={"fast": 10, "slow": 50, "label": "x"},
            instrument_ids=tuple(one.id for one in INSTRUMENTS),
            accounts=(Allocation("account-a", Decimal("0.5")), Allocation("account-b", Decimal("0.25"))),
            enabled=enabled,
            paused=None if enabled else "by a person",
        )
        self.emit(r.DeploymentChanged(at=self.at, deployment=deployment, provenance=BY_USER))

    def _deployment(self) -> None:
        self._deploy(enabled=self.random.random() < 0.5)

    def _deposit(self, account_id: str, amount: Decimal) -> None:
        kind = LedgerKind.DEPOSIT if amount > 0 else LedgerKind.WITHDRAWAL
        entry = LedgerEntry(account_id, "manual", "USD", kind, amount, date(2005, 9, 1))
        self.emit(r.CashBooked(at=self.at, entries=(entry,), provenance=BY_USER))

    def _cash(self) -> None:
        self._deposit(self._account(), Decimal(self.random.randrange(-5_000, 9_000)) / 100)

    def _hold(self) -> None:
        """A dividend, or a night: cash in some books."""
        name = self._account()
        entries = tuple(
            LedgerEntry(name, key.book, "USD", self.random.choice([LedgerKind.DIVIDEND, LedgerKind.BORROW]),
                        Decimal(self.random.randrange(-900, 900)) / 1000, date(2005, 9, 1), "a part")
            for key in self.state.accounts[name].positions
        )  # fmt: skip
        if self.random.random() < 0.5:
            self.emit(r.NightsCharged(at=self.at, account_id=name, nights=1, entries=entries))
            return
        day = date(2005, 1, 1 + len(self.state.dividends_paid) % 28)
        paid = Dividend(INSTRUMENTS[0].id, day, Decimal("0.35"))
        self.emit(r.DividendPaid(at=self.at, dividend=paid, entries=entries))

    def _guard(self) -> None:
        for key in tuple(self.state.accounts[self._account()].positions)[:1]:
            link = self.random.choice(["", "link-1"])
            self.emit(r.ProtectionChanged(at=self.at, key=key, link=link, side=1, best=10.5, rule="stop_loss"))

    def _walk(self) -> None:
        """A walk-forward session is opened, or goes on from where it stands."""
        if not self.state.walkforwards:
            terms = FillTerms(latency=250_000_000, spread=0.0005, queue=0.2)
            account = Account("account-w", SHARD, "w", "simulated", "USD", AccountMode.WALKFORWARD, terms=terms)
            session = WalkForwardSession("session-w", "w", SHARD, account.id, costs=True)
            self.emit(r.AccountOpened(at=self.at, account=account, provenance=BY_USER))
            self.emit(SessionOpened(at=self.at, session=session, provenance=BY_USER))
            return
        held = self.state.walkforwards["session-w"]
        if held.status is SessionStatus.COMPLETED:
            return
        if held.status is SessionStatus.CLOSING:
            figures = SessionFigures(Decimal("1000001.25"), Decimal("1000001.25"), 1.00000125, 2, 3, Decimal("0.75"))
            self.emit(SessionCompleted(at=self.at, session_id="session-w", figures=figures))
            return
        status = self.random.choice([SessionStatus.RUNNING, SessionStatus.STOPPED, SessionStatus.CLOSING])
        self.emit(SessionMoved(at=self.at, session_id="session-w", status=status, close=status != "running"))

    def _switch(self) -> None:
        """An account goes out of use, or comes back, or is called something else."""
        name, active = self._account(), self.random.random() < 0.5
        if self.random.random() < 0.3:
            self.emit(AccountRenamed(at=self.at, account_id=name, name=self._id("name"), provenance=BY_USER))
            return
        self.emit(AccountSwitched(at=self.at, account_id=name, active=active, reason="a rest", provenance=BY_USER))

    def _rate(self) -> None:
        day, value = date(2005, 9, self.random.randrange(1, 6)), Decimal(self.random.randrange(9_000, 14_000)) / 10_000
        one = FxRate("EUR", "USD", day, value, self.random.choice(list(RateSource)))
        self.emit(FxRatesSet(at=self.at, rates=(one,), provenance=BY_USER))

    def _account(self) -> str:
        return self.random.choice(sorted(self.state.accounts))

    def _limits(self) -> None:
        account = self.state.accounts[self._account()]
        limits = Limits(max_position_share=None, daily_loss=Decimal("0.05"), allow_short=True)
        self.emit(
            r.LimitsChanged(
                at=self.at,
                account_id=account.account.id,
                limits=limits,
                version=account.limits_version + 1,
                provenance=BY_USER,
            )
        )

    def _readiness(self) -> None:
        if self.random.random() < 0.5:
            self.emit(r.AccountReconciled(at=self.at, account_id=self._account()))
        else:
            self.emit(
                r.ReadinessChanged(
                    at=self.at, account_id=self._account(), readiness=Readiness.BLOCKED, reason="an order is in doubt"
                )
            )

    def _restart(self) -> None:
        self.emit(r.RunStarted(at=self.at, run="story", version="1", wall=self.at))

    def _alert(self) -> None:
        self.emit(
            r.AlertRaised(at=self.at, id=self._id("alert"), level="warning", kind="late", message="ein später Füll")
        )

    def _signal(self) -> None:
        target = self.random.choice([None, float("nan"), 1.0, -0.5, 0.1 + 0.2])
        self.emit(
            r.SignalRecorded(
                at=self.at,
                id=self._id("signal"),
                deployment_id="deployment-1",
                instrument_id=INSTRUMENTS[0].id,
                target=target,
                folded=self.random.random(),
                action=self.random.choice(list(Action)),
                confidence=0.75,
                details={"fast": 1.25, "slow": float("nan"), "why": "crossed"},
            )
        )

    def _cursor(self) -> None:
        self.emit(r.CursorMoved(at=self.at, cursor=self.at, states={"deployment-1": b"\x00memory"}))

    def _close_day(self) -> None:
        account = self.state.accounts[self._account()]
        held = [position for position in account.positions.values() if position.quantity]
        marks = {p.key.instrument_id: self._price(p.key.instrument_id) for p in held}
        cash = account.cash_in("USD")
        value = sum((mul(marks[p.key.instrument_id], p.quantity) for p in held), ZERO)
        self.emit(
            r.DayClosed(
                at=self.at,
                id=self._id("day"),
                account_id=account.account.id,
                session_date=account.day,
                cash=cash,
                equity=cash + value,
                marks=marks,
                fx={"USD": Decimal(1)},
            )
        )

    def _price(self, instrument: str) -> Decimal:
        tick = self.state.instruments[instrument].tick_size
        return mul(tick, Decimal(self.random.randrange(100, 9_000)))

    def _decide(self) -> None:
        approved = self.random.random() < 0.8
        listed = self.random.choice(INSTRUMENTS)
        kind = self.random.choice(list(OrderKind))
        price = self._price(listed.id)
        spec = OrderSpec(
            account_id=self._account(),
            book=self.random.choice(["manual", "deployment-1"]),
            instrument_id=listed.id,
            side=self.random.choice(list(Side)),
            quantity=Decimal(self.random.randrange(1, 300)),
            kind=kind,
            client_order_id=self._id("client"),
            limit_price=price if "LIMIT" in kind else None,
            stop_price=price if "STOP" in kind else None,
            time_in_force=self.random.choice(list(TimeInForce)),
            product=self.random.choice([Product.NONE, Product.CNC]),
            link=self.random.choice(["", "link-1"]),
            trigger=self.random.choice([None, Trigger(price)]),
            trail=Trail(Decimal("1.50")) if kind is OrderKind.TRAILING_STOP else None,
            expires_at=self.random.choice([0, self.at + 10**15]),
            not_before=self.random.choice([0, self.at + 10**13]),
        )
        kept = self._kept(spec) if kind is OrderKind.TRAILING_STOP or self.random.random() < 0.3 else None
        why = None if approved else "the order is too large"
        self.emit(
            r.OrderDecided(
                at=self.at,
                order_id=self._id("order"),
                spec=spec,
                venue_client_id=f"V{len(self.records):019d}",
                session_date=self.state.accounts[spec.account_id].day,
                approved=approved,
                checks=(r.Check("max_position_share", "0.10", "0.12", why),),
                provenance=BY_USER,
                arrival=Arrival(bid=float("nan"), ask=10.5, last=10.25, quote_age=5, limits_version=1),
                send_by=self.at + 2 * 10**9,
                since=self.random.choice([0, self.at - 1]),
                held=kept is not None and self.random.random() < 0.7,
                kept=kept,
            )
        )

    def _kept(self, spec: OrderSpec) -> Kept:
        return Kept(
            kind=self.random.choice([None, OrderKind.MARKET, OrderKind.STOP]),
            begins=self.random.choice([0, spec.not_before]),
            level=self.random.choice([None, self._price(spec.instrument_id)]),
            since=self.at,
            trail=spec.trail,
            best=self.random.choice([0.0, 12.5]),
            until=self.random.choice([0, spec.expires_at]),
            closes=self.random.random() < 0.5,
            reduces=self.random.random() < 0.5,
            reached=self.random.random() < 0.2,
        )

    def _keep(self) -> None:
        orders = [order for order in self.state.orders.values() if order.kept is not None and order.is_open]
        if orders:
            order = self.random.choice(orders)
            who = self.random.choice([None, BY_USER])
            self.emit(OrderKept(at=self.at, order_id=order.id, kept=self._kept(order.spec), provenance=who))

    def _release(self) -> None:
        orders = [order for order in self.state.orders.values() if order.state is OrderState.HELD]
        if not orders:
            return
        order, approved = self.random.choice(orders), self.random.random() < 0.8
        self.emit(
            OrderReleased(
                at=self.at,
                order_id=order.id,
                venue_client_id=self.random.choice([order.venue_client_id, f"W{len(self.records):019d}"]),
                session_date=self.state.accounts[order.spec.account_id].day,
                approved=approved,
                checks=(r.Check("cash", "10.00", "12.00", None if approved else "too dear"),),
                quantity=self.random.choice([order.quantity, Decimal(1)]),
                kept=self._kept(order.spec),
                since=self.at - 1,
                send_by=self.at + 2 * 10**9,
                triggered=self.random.random() < 0.5,
            )
        )

    def _adopt(self) -> None:
        spec = OrderSpec(
            account_id=self._account(),
            book=UNASSIGNED,
            instrument_id=INSTRUMENTS[0].id,
            side=Side.BUY,
            quantity=Decimal(7),
            kind=OrderKind.MARKET,
            client_order_id=self._id("adopted"),
        )
        self.emit(
            r.OrderAdopted(
                at=self.at,
                order_id=self._id("order"),
                spec=spec,
                venue_client_id=f"A{len(self.records):019d}",
                venue_order_id=self._id("venue"),
                session_date=date(2005, 9, 1),
                state=OrderState.ACCEPTED,
            )
        )

    def _working(self) -> Order | None:
        orders = [order for order in self.state.orders.values() if order.is_working]
        return self.random.choice(orders) if orders else None

    def _recheck(self) -> None:
        order = self._working()
        if order is not None:
            checks = (r.Check("daily_loss", "0.02", "0.03", "the day's loss is too large"),)
            self.emit(r.IntentRechecked(at=self.at, order_id=order.id, approved=False, checks=checks, waited=300))
            left = add(order.filled, min(order.remaining, Decimal(1)))
            self.emit(r.IntentRechecked(at=self.at, order_id=order.id, approved=True, checks=(), quantity=left))

    def _amend(self) -> None:
        order = self._working()
        if order is not None:
            self.emit(
                r.AmendRequested(
                    at=self.at,
                    order_id=order.id,
                    quantity=order.quantity,
                    limit_price=order.limit_price,
                    stop_price=None,
                    checks=(),
                    provenance=BY_USER,
                )
            )

    def _move(self) -> None:
        order = self._working()
        if order is None:
            return
        fills = {OrderEvent.FILL, OrderEvent.PARTIAL_FILL, OrderEvent.BUST}
        if order.kept is None:
            fills.add(OrderEvent.HOLD)
        choices = [(e, after) for (state, e), after in TRANSITIONS.items() if state is order.state and e not in fills]
        event, after = self.random.choice(choices)
        amended = event is OrderEvent.AMEND
        self.emit(
            r.OrderMoved(
                at=self.at,
                order_id=order.id,
                event=event,
                state=after if self.random.random() < 0.95 else OrderState.ANOMALY,
                reason=self.random.choice([None, "the venue says so"]),
                venue_order_id=self.random.choice([None, self._id("venue")]),
                venue_at=self.at,
                triggered=self.random.random() < 0.1,
                by_venue=event is not OrderEvent.CANCEL_REQUEST,
                quantity=order.quantity + 1 if amended else None,
                limit_price=self._price(order.spec.instrument_id) if amended else None,
                provenance=BY_USER if event is OrderEvent.CANCEL_REQUEST else None,
            )
        )

    def _fill(self) -> None:
        order = self._working()
        if order is None:
            return
        left = order.remaining or Decimal(1)
        quantity = left if self.random.random() < 0.5 else Decimal(self.random.randrange(1, int(left) + 1))
        whole = order.filled + quantity >= order.quantity
        after = TRANSITIONS[order.state, OrderEvent.FILL if whole else OrderEvent.PARTIAL_FILL]
        self._book(order, order.spec.side, quantity, self._price(order.spec.instrument_id), after)

    def _bust(self) -> None:
        reversed_ids = {fill.reverses for fill in self.state.fills.values()}
        fills = [f for f in self.state.fills.values() if not f.reverses and f.venue_execution_id not in reversed_ids]
        if not fills:
            return
        fill = self.random.choice(fills)
        order = self.state.orders[fill.order_id]
        if order.filled < fill.quantity:
            return
        other = Side.SELL if fill.side is Side.BUY else Side.BUY
        self._book(order, other, fill.quantity, fill.price, OrderState.ANOMALY, reverses=fill.venue_execution_id)

    def _book(
        self,
        order: Order,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        after: OrderState,
        reverses: str | None = None,
    ) -> None:
        account, instrument = order.spec.account_id, order.spec.instrument_id
        value = mul(mul(quantity, price), self.state.instruments[instrument].multiplier)
        charges = (Charge("commission", Decimal("1.05")), Charge("stamp", Decimal("0.01"), "tax"))
        fill = Fill(
            id=self._id("fill"),
            order_id=order.id,
            account_id=account,
            book=order.spec.book,
            instrument_id=instrument,
            side=side,
            quantity=quantity,
            price=price,
            currency="USD",
            executed_at=self.at,
            session_date=date(2005, 9, 2),
            venue_execution_id=self._id("execution"),
            charges=charges,
            reverses=reverses,
        )
        amounts = [(LedgerKind.TRADE, neg(value) if side is Side.BUY else value, "")]
        amounts += [(LedgerKind(charge.kind), neg(charge.amount), charge.component) for charge in charges]
        entries = tuple(
            LedgerEntry(account, fill.book, "USD", kind, amount, fill.session_date, component, order.id)
            for kind, amount, component in amounts
        )
        self.emit(r.FillBooked(at=self.at, fill=fill, state=after, entries=entries, venue_order_id=self._id("venue")))

    def _correct(self) -> None:
        key = PositionKey(self._account(), UNASSIGNED, INSTRUMENTS[1].id)
        self.emit(
            r.PositionCorrected(
                at=self.at,
                id=self._id("correction"),
                key=key,
                quantity=Decimal(self.random.choice([-3, 2])),
                price=self._price(key.instrument_id),
                reason="the broker says so",
            )
        )

    def _control(self) -> None:
        """Rules of a level, a breach of them, and what that stops; then it is let go."""
        scope = Scope(ScopeKind.ACCOUNT, self._account())
        held, amount = self.state.accounts[scope.id], Decimal(self.random.randrange(1, 999))
        rules = mtm.MtmRules(stop_loss=mtm.Measure(amount), day=mtm.DayRules(square_off_at=time(15, 15)))
        level: dict[str, Any] = {"scope": scope, "equity": held.day_start_equity, "base": neg(amount)}
        more: dict[str, Any] = {"at": self.at, "version": 1, "currency": "USD", "provenance": BY_USER}
        self.emit(m.MtmRulesSet(rules=rules, day=held.day, **level, **more))
        name, rule, value = self._id("breach"), mtm.Rule.STOP_LOSS, neg(amount)
        seen: dict[str, Any] = {"rule": rule, "limit": value, "value": value, "peak": ZERO, "version": 1}
        seen |= {"action": mtm.BreachAction.CLOSE}
        self.emit(m.MtmBreached(at=self.at, id=name, currency="USD", **level, **seen))
        stop: dict[str, Any] = {"id": name, "key": f"mtm:{scope.key}", "scope": scope, "rule": rule, "reason": ""}
        self.emit(m.MtmStopped(at=self.at, until=self.at, cooldown=0, provenance=BY_USER, **stop))
        self.emit(r.PanicEnded(at=self.at, id=name, orders=0, positions=0, provenance=BY_USER))
        self.emit(m.MtmBased(at=self.at, why="re-armed", day=held.day, **level))

    def _split(self) -> None:
        listed = INSTRUMENTS[0]
        day = date(2005, 1, 1).replace(year=2005 + len(self.state.splits_applied))
        held = [
            position
            for account in self.state.accounts.values()
            for position in account.positions.values()
            if position.key.instrument_id == listed.id and position.quantity
        ]
        positions = tuple(
            r.SplitPosition(
                p.key, mul(p.quantity, Decimal(2)), Decimal("1.23"), rounded(p.total_cost, Decimal(1)) / 100
            )
            for p in held
        )
        orders = tuple(
            r.SplitOrder(
                order.id,
                order.quantity * 2,
                order.filled * 2,
                order.limit_price,
                order.stop_price,
                None if order.kept is None else self._kept(order.spec),
            )
            for order in self.state.orders.values()
            if order.is_open and order.spec.instrument_id == listed.id
        )
        entries = tuple(
            LedgerEntry(p.key.account_id, p.key.book, "USD", LedgerKind.TRADE, p.cash_in_lieu, day, "cash in lieu")
            for p in positions
        )
        split = Split(listed.id, day, Decimal(2), Decimal(1))
        self.emit(r.SplitApplied(at=self.at, split=split, positions=positions, orders=orders, entries=entries))


def commit(journal: Journal, records: list[r.AnyRecord], seed: int = 1) -> int:
    """Appends records in batches of uneven size and returns the last sequence."""
    sizes = random.Random(seed)
    seq = journal.last_seq()
    rest = records
    while rest:
        size = sizes.randrange(1, 40)
        part, rest = tuple(rest[:size]), rest[size:]
        journal.append(r.encode(part), seq + 1, seq + len(part))
        seq += len(part)
    return seq


def projected(database: Database, records: list[r.AnyRecord]) -> None:
    """A home whose journal has these records, and whose rows follow from them."""
    with Owner(database) as owner:
        upgrade(database)
        journal = owner.journal(SHARD)
        commit(journal, records)
        journal.close()
    projector = Projector(database, SHARD)
    projector.catch_up()
    projector.close()
