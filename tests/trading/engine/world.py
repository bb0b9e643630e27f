"""A small world for the engine: accounts, instruments, and a venue made of the events a test hands in.

`World` keeps every record and effect. `assert_sound` compares what the state says with what the records say,
by sums of its own and not by the engine's fold, and then with the fold as well.
"""

import copy
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Account, AccountType, LedgerEntry, Limits
from evenkeel.domain.clock import day_bounds, to_ns
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.held_records import OrderReleased
from evenkeel.domain.ids import Hashed
from evenkeel.domain.instruments import AssetClass, Instrument, instrument_id
from evenkeel.domain.marketdata import Bar, MarketSlice, Split
from evenkeel.domain.orders import TRANSITIONS, Order, OrderEvent, OrderKind, OrderSpec, OrderState, Side
from evenkeel.domain.portfolios import CashTransferred
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.strategies import Allocation, Deployment, Signal
from evenkeel.trading.engine.effects import Effect, SendOrder
from evenkeel.trading.engine.engine import Engine, Input
from evenkeel.trading.engine.fold import apply
from evenkeel.trading.engine.portfolios.worth import books_of, worth_of_book
from evenkeel.trading.engine.risk_views import risk_view
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Step

D = Decimal
WHO = Provenance("anna", Source.USER)
OPEN = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=None, allow_short=True, cash_check=False)
START = datetime(2024, 3, 4, 21, tzinfo=UTC)  # a Monday's close in New York


def at(day: int) -> int:
    """The close (ns) of day `day`, counted in calendar days from a Monday."""
    return to_ns(START + timedelta(days=day))


def instrument(symbol: str, *, tick: str = "0.01", lot: str = "1", multiplier: str = "1") -> Instrument:
    return Instrument(
        id=instrument_id("TEST", symbol),
        symbol=symbol,
        venue="TEST",
        asset_class=AssetClass.EQUITY,
        currency="USD",
        tick_size=D(tick),
        lot_size=D(lot),
        multiplier=D(multiplier),
    )


ACME, BOLT = instrument("ACME"), instrument("BOLT", lot="0.001")


def bar(of: Instrument, day: int, close: float, *, spread: float = 0.0) -> Bar:
    return Bar(of.id, at(day) - 23_400_000_000_000, at(day), close, close, close, close, 1e6, spread)


def split_slice(day: int, ratio: str = "2:1", of: Instrument = ACME) -> MarketSlice:
    new, old = map(Decimal, ratio.split(":"))
    return MarketSlice(at(day), splits=(Split(of.id, (START + timedelta(days=day)).date(), new, old),))


class World:
    """An engine with its journal. `now` is engine time; steps taken through it are recorded."""

    def __init__(self, *instruments: Instrument, start: int | None = None) -> None:
        self.engine = Engine(State(), Hashed("test"))
        self.records: list[r.AnyRecord] = []
        self.effects: list[Effect] = []
        self.now = at(0) if start is None else start
        self._serial = 0
        for one in instruments or (ACME, BOLT):
            self.step(c.ListInstrument(provenance=WHO, instrument=one))

    @property
    def state(self) -> State:
        return self.engine.state

    def step(self, event: Input, when: int | None = None) -> Step:
        self.now = max(self.now, when or (event.at if isinstance(event, MarketSlice) else 0))
        step = self.engine.step(event, self.now)
        self.records += step.records
        self.effects += step.effects
        return step

    def declined(self, event: Input) -> EvenkeelError:
        """Steps what must be declined, and sees that nothing has changed by it."""
        before, seq = repr(self.state), self.state.seq
        try:
            self.engine.step(event, self.now)
        except EvenkeelError as error:
            assert repr(self.state) == before
            assert self.state.seq == seq
            return error
        raise AssertionError(f"{event} was taken")

    def account(
        self, name: str = "A", cash: str = "100000", *, limits: Limits = OPEN, ready: bool = True, **more: Any
    ) -> AccountState:
        more = {"type": AccountType.MARGIN, "broker": "sim"} | more
        account = Account(id=name, user_id="u", name=name, currency="USD", limits=limits, **more)
        self.step(c.OpenAccount(provenance=WHO, account=account, initial_cash=D(cash)))
        if ready:
            self.step(e.BrokerSnapshot(account_id=name, complete=True))
        return self.state.accounts[name]

    def price(self, of: Instrument, close: float, day: int = 0) -> Step:
        return self.step(MarketSlice(at(day), bars=(bar(of, day, close),)), at(day))

    def spec(self, side: Side = Side.BUY, quantity: str = "100", **more: Any) -> OrderSpec:
        self._serial += 1
        more.setdefault("client_order_id", f"mine-{self._serial}")
        more = {"account_id": "A", "book": "manual", "instrument_id": ACME.id, "kind": OrderKind.MARKET} | more
        return OrderSpec(side=side, quantity=D(quantity), **more)

    def submit(self, side: Side = Side.BUY, quantity: str = "100", **more: Any) -> Order:
        step = self.step(c.SubmitOrder(provenance=WHO, spec=self.spec(side, quantity, **more)))
        assert step.outcome is not None
        return self.state.orders[step.outcome.id]

    def resting(self, side: Side = Side.BUY, quantity: str = "100", **more: Any) -> Order:
        order = self.submit(side, quantity, **more)
        self.step(self.said(e.VenueAccepted, order))
        return order

    def holding(self, quantity: str, price: str = "10", **more: Any) -> Order:
        side = Side.BUY if D(quantity) > 0 else Side.SELL
        order = self.resting(side, str(abs(D(quantity))), **more)
        self.fill(order, str(order.quantity), price)
        return order

    def said(self, kind: type[e.VenueEvent], order: Order, **more: Any) -> Any:
        more = {"venue_order_id": f"V-{order.id[-6:]}", "venue_client_id": order.venue_client_id} | more
        return kind(account_id=order.spec.account_id, **more)

    def execution(self, order: Order, quantity: str, price: str = "10", **more: Any) -> e.VenueFilled:
        self._serial += 1
        more = {"execution_id": f"X{self._serial}", "side": order.spec.side} | more
        more = {"instrument_id": order.spec.instrument_id, "at": self.now} | more
        event: e.VenueFilled = self.said(e.VenueFilled, order, quantity=D(quantity), price=D(price), **more)
        return event

    def fill(self, order: Order, quantity: str, price: str = "10", **more: Any) -> e.VenueFilled:
        event = self.execution(order, quantity, price, **more)
        self.step(event)
        return event

    def cancel(self, order: Order) -> Step:
        return self.step(c.CancelOrder(provenance=WHO, order_id=order.id))

    def snapshot(self, account_id: str = "A", **more: Any) -> e.BrokerSnapshot:
        """What the broker would show if it agreed with us in everything."""
        held: dict[tuple[str, Any], Decimal] = defaultdict(Decimal)
        for key, position in self.state.accounts[account_id].positions.items():
            held[key.instrument_id, key.product] += position.quantity
        more = {
            "orders": tuple(map(theirs, self.state.accounts[account_id].working.values())),
            "positions": tuple(
                e.BrokerPosition(account_id=account_id, instrument_id=i, product=p, quantity=q)
                for (i, p), q in held.items()
            ),
        } | more
        return e.BrokerSnapshot(account_id=account_id, complete=True, **more)

    def position(self, book: str = "manual", of: Instrument = ACME, account_id: str = "A") -> Decimal:
        return self.state.position(PositionKey(account_id, book, of.id)).quantity

    def deploy(
        self,
        *shares: tuple[str, str],
        book: str = "trend",
        of: Iterable[Instrument] = (ACME,),
        **more: Any,
    ) -> None:
        """More: sizing, entry, protection and the like."""
        accounts = tuple(Allocation(account_id, D(share)) for account_id, share in shares)
        deployment = Deployment(book, book, "sma", "1", {}, tuple(one.id for one in of), accounts, **more)
        self.step(c.Deploy(provenance=WHO, deployment=deployment))

    def signal(self, target: float | None, book: str = "trend", of: Instrument = ACME) -> Step:
        return self.step(c.TakeSignal(provenance=WHO, signal=Signal(book, of.id, self.now, target)))

    def of(self, record_type: type[Any]) -> list[Any]:
        return [record for record in self.records if isinstance(record, record_type)]

    def alerts(self) -> list[str]:
        return [record.kind for record in self.of(r.AlertRaised)]

    def sent(self) -> list[tuple[str, Decimal]]:
        """Account and signed quantity of every order let out, in sequence."""
        tickets = [effect.ticket for effect in self.effects if isinstance(effect, SendOrder)]
        return [(t.spec.account_id, t.spec.side.sign * t.spec.quantity) for t in tickets]


def theirs(order: Order, **more: Any) -> e.BrokerOrder:
    """One of our orders as the broker's book shows it."""
    state = OrderState.PARTIALLY_FILLED if order.filled else OrderState.ACCEPTED
    shown = e.BrokerOrder(
        account_id=order.spec.account_id,
        venue_order_id=order.venue_order_id or f"V-{order.id[-6:]}",
        venue_client_id=order.venue_client_id,
        instrument_id=order.spec.instrument_id,
        side=order.spec.side,
        quantity=order.quantity,
        filled=order.filled,
        kind=order.spec.kind,
        state=state,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        time_in_force=order.spec.time_in_force,
        product=order.spec.product,
    )
    return msgspec.structs.replace(shown, **more)


def fold(records: Iterable[r.AnyRecord]) -> State:
    """The state of a restart: the records go through the journal's bytes."""
    state = State()
    for record in r.decode(r.encode(tuple(records))):
        apply(state, record)
    return state


def comparable(state: State) -> State:
    """A state without what is not journalled: marks, adapters, and the time of inputs that left no record."""
    return msgspec.structs.replace(copy.copy(state), marks={}, time=0, profiles={}, real=frozenset(), resting={})


def entries(records: Iterable[r.AnyRecord]) -> list[LedgerEntry]:
    kinds = (r.CashBooked, CashTransferred, r.FillBooked, r.SplitApplied, r.DividendPaid, r.NightsCharged)
    return [entry for record in records if isinstance(record, kinds) for entry in record.entries]


def assert_sound(world: World) -> None:
    """Balances, positions, totals, working sets, transitions, and the fold of every record."""
    state = world.state
    cash: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for entry in entries(world.records):
        cash[entry.account_id, entry.currency] += entry.amount
    assert cash == {(a, ccy): n for a, held in state.accounts.items() for ccy, n in held.cash.items()}
    assert _quantities(world.records) == {
        key: held.quantity for account in state.accounts.values() for key, held in account.positions.items()
    }
    for account_id, account in state.accounts.items():
        _assert_totals(state, account_id, account)
    booked = world.of(r.FillBooked)
    assert len({(b.fill.account_id, b.fill.venue_execution_id) for b in booked}) == len(booked) == len(state.fills)
    _assert_transitions(world.records)
    folded = fold(world.records)
    assert folded.time <= state.time
    assert comparable(folded) == comparable(state)
    folded.marks = state.marks
    for account_id in state.accounts:
        for one in state.instruments.values():
            _assert_same_risk(state, folded, account_id, one)


def _quantities(records: Iterable[r.AnyRecord]) -> dict[PositionKey, Decimal]:
    held: dict[PositionKey, Decimal] = {}
    products: dict[str, Any] = {}
    for record in records:
        match record:
            case r.OrderDecided() | r.OrderAdopted():
                products[record.order_id] = record.spec.product
            case r.FillBooked(fill=fill):
                key = PositionKey(fill.account_id, fill.book, fill.instrument_id, products[fill.order_id])
                held[key] = held.get(key, D(0)) + fill.side.sign * fill.quantity
            case r.PositionCorrected():
                held[record.key] = held.get(record.key, D(0)) + record.quantity
            case r.SplitApplied():
                held |= {part.key: part.quantity for part in record.positions}
    return held


def _assert_totals(state: State, account_id: str, account: AccountState) -> None:
    net: dict[str, Decimal] = defaultdict(Decimal)
    for key, position in account.positions.items():
        assert key.account_id == account_id
        net[key.instrument_id] += position.quantity
        assert position.quantity or not position.total_cost, "what is flat has cost nothing"
    assert net == account.net
    working = {order.id for order in state.orders.values() if order.spec.account_id == account_id and order.is_working}
    assert set(account.working) == working
    assert all(account.working[name] is state.orders[name] for name in working)
    held = {one.id for one in state.orders.values() if one.spec.account_id == account_id and one.state == "HELD"}
    assert set(account.held) == held
    assert all(account.held[name] is state.orders[name] for name in held)
    books = [worth_of_book(state, account, book) for book in books_of(account)]
    assert sum((book.cash for book in books), D(0)) == account.cash_in(account.account.currency)
    assert sum((book.value for book in books), D(0)) == state.equity(account)
    zone, roll = account.account.time_zone, account.account.roll
    assert account.day_end == day_bounds(account.day, zone, roll)[1]


def _assert_same_risk(live: State, folded: State, account_id: str, of: Instrument) -> None:
    """What risk is shown from running sums is what a new count of the same orders gives."""
    spec = OrderSpec(account_id, "manual", of.id, Side.BUY, of.lot_size, OrderKind.MARKET, "probe")
    seen, anew = (risk_view(state, state.accounts[account_id], spec, spec.quantity) for state in (live, folded))
    assert seen == anew
    known = live.accounts[account_id].working.values()
    working = [order for order in known if order.spec.instrument_id == of.id and not order.spec.is_exit]
    assert seen.working_buys == sum(order.remaining for order in working if order.spec.side is Side.BUY)
    assert seen.working_sells == sum(order.remaining for order in working if order.spec.side is Side.SELL)
    for left_out in working:
        without = risk_view(live, live.accounts[account_id], spec, spec.quantity, without=(left_out.id,))
        buys = seen.working_buys - (left_out.remaining if left_out.spec.side is Side.BUY else 0)
        assert without.working_buys == buys
        assert without.reserved <= seen.reserved


def _assert_transitions(records: Iterable[r.AnyRecord]) -> None:
    """Every recorded move is one of the table, or an anomaly, or an amendment to what has filled."""
    states: dict[str, OrderState] = {}
    for record in records:
        match record:
            case r.OrderDecided():
                event = OrderEvent.HOLD if record.held else OrderEvent.APPROVE
                states[record.order_id] = TRANSITIONS[None, event if record.approved else OrderEvent.REFUSE]
            case OrderReleased():
                event = OrderEvent.RELEASE if record.approved else OrderEvent.REFUSE
                states[record.order_id] = TRANSITIONS[states[record.order_id], event]
            case r.OrderAdopted():
                states[record.order_id] = record.state
            case r.OrderMoved():
                expected = TRANSITIONS.get((states[record.order_id], record.event), OrderState.ANOMALY)
                allowed = {expected, OrderState.ANOMALY}
                if record.event is OrderEvent.AMEND:
                    allowed.add(OrderState.FILLED)
                assert record.state in allowed, (states[record.order_id], record)
                states[record.order_id] = record.state
            case r.FillBooked():
                before = states[record.fill.order_id]
                fits = {TRANSITIONS.get((before, event), OrderState.ANOMALY) for event in _FILLS}
                assert record.state in fits | {OrderState.ANOMALY}
                states[record.fill.order_id] = record.state


_FILLS = (OrderEvent.PARTIAL_FILL, OrderEvent.FILL, OrderEvent.BUST)
