"""A whole desk without a loop: the engine, the simulated venue's book, and strategies as plain functions.

It does what the live runner does, in the same order: a slice goes to the engine, then to the venue, whose events come
back, then to the strategies; every effect is carried out before the next input. After each slice the two books are
compared, execution by execution. `held_back` keeps the venue's next events in the post, for those that come late.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Account, AccountType, Limits
from evenkeel.domain.clock import to_ns
from evenkeel.domain.errors import BrokerRejected
from evenkeel.domain.ids import Hashed
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice
from evenkeel.domain.orders import Order, OrderKind, Side, TimeInForce
from evenkeel.domain.strategies import Allocation, Deployment, Signal
from evenkeel.quant.costs import FillModel
from evenkeel.trading.brokers.simulated.book import STANDARD, Book
from evenkeel.trading.engine.effects import Effect, SendAmendment, SendCancel, SendOrder, WantReconcile
from evenkeel.trading.engine.engine import Engine, Input
from evenkeel.trading.engine.state import Mark
from evenkeel.trading.engine.turn import Step
from evenkeel.trading.live.simulated import standing
from tests.trading.engine.world import ACME, WHO, D, World, assert_sound, fold

Wish = Callable[[list[float]], float | None]
OPENS = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
HOURS = timedelta(hours=6, minutes=30)


def opens(day: int) -> int:
    return to_ns(OPENS + timedelta(days=day))


def closes(day: int) -> int:
    return to_ns(OPENS + timedelta(days=day) + HOURS)


def session(day: int, open_: float, high: float, low: float, close: float, volume: float = 1e6, of: Any = ACME) -> Bar:
    return Bar(of.id, opens(day), closes(day), open_, high, low, close, volume)


class Desk(World):
    """`World` with a venue behind it and strategies in front of it."""

    def __init__(
        self,
        *instruments: Instrument,
        model: FillModel = STANDARD,
        unlisted: Iterable[str] = (),
        start: int | None = None,
    ) -> None:
        self.book = Book(model=model)
        self.post: deque[e.AnyVenueEvent] = deque()
        self.held_back: list[e.AnyVenueEvent] | None = None
        self.compares = True
        self.strategies: dict[str, Wish] = {}
        self.history: dict[str, list[float]] = {}
        self.last: dict[str, Bar] = {}
        super().__init__(*instruments, start=start)
        for one in self.state.instruments.values():
            if one.id not in unlisted:
                self.book.list_instrument(one)

    def step(self, event: Input, when: int | None = None) -> Step:
        """One input, and all that follows from it: effects go to the venue, its answers come back."""
        step = super().step(event, when)
        for effect in step.effects:
            self._carry_out(effect)
        return step

    def open(self, name: str, cash: str, *, limits: Limits | None = None, **more: Any) -> None:
        """An account here and at the venue, reconciled."""
        base = {"user_id": "u", "broker": "simulated", "currency": "USD", "type": AccountType.CASH} | more
        account = Account(id=name, name=name, limits=limits or Limits(), **base)
        self.book.open_account(account, D(cash))
        self.step(c.OpenAccount(provenance=WHO, account=account, initial_cash=D(cash)))
        self.deliver()

    def run(self, name: str, wish: Wish, shares: Mapping[str, str], of: Iterable[Instrument]) -> None:
        """Deploys a strategy: `wish` makes a target of an instrument's closes, newest last."""
        self.strategies[name] = wish
        accounts = tuple(Allocation(account_id, D(share)) for account_id, share in shares.items())
        deployment = Deployment(name, name, name, "1", {}, tuple(one.id for one in of), accounts)
        self.step(c.Deploy(provenance=WHO, deployment=deployment))

    def deliver(self) -> None:
        while self.post:
            event = self.post.popleft()
            if self.held_back is None:
                self.step(event)
            else:
                self.held_back.append(event)

    def release(self) -> None:
        """Brings what was held back, and the post again as it comes."""
        late, self.held_back = self.held_back or [], None
        self.post.extend(late)
        self.deliver()

    def hand_over(self, market: MarketSlice) -> None:
        self.step(market, market.at)
        self.post.extend(self.book.observe(market))
        self.deliver()
        if self.state.minds_bars:
            self.step(e.SliceMet(market))
            self.post.extend(self.book.finish(market))
            self.deliver()
            self.step(e.SliceDone(market))
            self.deliver()
        self._decide(market)
        self.deliver()
        self.step(e.CursorAdvanced(market.at))
        if self.compares and self.held_back is None:
            self.assert_agreed()

    def day(self, *bars: Bar, splits: Any = ()) -> None:
        self.hand_over(MarketSlice(bars[0].close_ts, bars, splits=splits))

    def order(self, side: Side, quantity: str, account_id: str = "A", **more: Any) -> Order:
        """A manual order, good till cancelled, that has reached the venue."""
        kinds = {
            (0, 0): OrderKind.MARKET,
            (1, 0): OrderKind.LIMIT,
            (0, 1): OrderKind.STOP,
            (1, 1): OrderKind.STOP_LIMIT,
        }
        prices = {name: D(more.pop(name)) for name in ("limit_price", "stop_price") if name in more}
        more = {"time_in_force": TimeInForce.GTC} | more | prices
        kind = kinds["limit_price" in prices, "stop_price" in prices]
        placed = self.submit(side, quantity, account_id=account_id, kind=kind, **more)
        self.deliver()
        return placed

    def _decide(self, market: MarketSlice) -> None:
        for split in market.splits:
            ratio = float(split.denominator / split.numerator)
            self.history[split.instrument_id] = [close * ratio for close in self.history.get(split.instrument_id, [])]
        for bar in market.bars:
            self.history.setdefault(bar.instrument_id, []).append(bar.close)
            self.last[bar.instrument_id] = bar
        seen = {bar.instrument_id for bar in market.bars}
        for name, wish in self.strategies.items():
            for instrument_id in self.state.deployments[name].deployment.instrument_ids:
                if instrument_id in seen:
                    signal = Signal(name, instrument_id, market.at, wish(self.history[instrument_id]))
                    self.step(c.TakeSignal(provenance=WHO, signal=signal))

    def _carry_out(self, effect: Effect) -> None:
        try:
            match effect:
                case SendOrder():
                    self.post.extend(self.book.place(effect.ticket))
                case SendCancel():
                    self.post.extend(self.book.cancel(effect.cancellation))
                case SendAmendment():
                    self.post.extend(self.book.modify(effect.amendment))
                case WantReconcile():
                    self.deliver()
                    self.step(self.picture(effect.account_id))
        except BrokerRejected as error:
            if isinstance(effect, SendAmendment):
                self.step(e.SendFailed(effect.order_id, "modify", error.message))
                return
            assert isinstance(effect, SendOrder)
            ticket = effect.ticket
            account_id, client_id = ticket.spec.account_id, ticket.venue_client_id
            self.post.append(e.VenueRejected(account_id=account_id, venue_client_id=client_id, reason=error.message))

    def picture(self, account_id: str) -> e.BrokerSnapshot:
        """What the venue's book shows of an account now."""
        orders = self.book.open_orders(account_id)
        listed = {order.venue_client_id for order in orders}
        missing = [o for o in self.state.accounts[account_id].working.values() if o.venue_client_id not in listed]
        lookups = [
            e.Lookup(order_id=o.id, found=self.book.order_status(account_id, o.venue_client_id), conclusive=True)
            for o in missing
        ]
        return e.BrokerSnapshot(
            account_id=account_id,
            complete=True,
            orders=orders,
            executions=self.book.executions(account_id, 0),
            positions=self.book.positions(account_id),
            lookups=tuple(lookups),
        )

    def assert_agreed(self) -> None:
        """Our books and the venue's: cash to the cent, holdings, working orders and executions one by one."""
        for account_id, account in self.state.accounts.items():
            assert self.book.balance(account_id).cash == account.cash
            net = {name: quantity for name, quantity in account.net.items() if quantity}
            assert {held.instrument_id: held.quantity for held in self.book.positions(account_id)} == net
            theirs, ours = self.book.open_orders(account_id), account.working.values()
            assert sorted(map(_terms, theirs)) == sorted(map(_terms, ours))
        shown = [x for account_id in self.state.accounts for x in self.book.executions(account_id, 0)]
        booked = {key: (fill.side, fill.quantity, fill.price) for key, fill in self.state.fills.items()}
        assert booked == {(x.account_id, x.execution_id): (x.side, x.quantity, x.price) for x in shown}

    def restarted(self) -> "Desk":
        """The desk after a kill: the engine folded from the journal's bytes, the venue from what was folded."""
        desk = Desk.__new__(Desk)
        desk.__dict__ |= self.__dict__
        desk.engine = Engine(fold(self.records), Hashed("test"))
        desk.state.profiles = self.state.profiles
        desk.records, desk.effects = list(self.records), list(self.effects)
        for name, bar in self.last.items():
            desk.state.marks[name] = Mark(bar.close, bar.close_ts, bar.spread)
        desk.book = Book.restore(standing(desk.state, "simulated"), model=self.book.model)
        desk.history = {name: list(closes) for name, closes in self.history.items()}
        desk.last = dict(self.last)
        desk.post = deque()
        return desk

    def finish(self) -> None:
        self.assert_agreed()
        assert_sound(self)

    def journal(self) -> bytes:
        return r.encode(tuple(self.records))

    def equity(self, account_id: str = "A") -> Decimal:
        return self.state.equity(self.state.accounts[account_id])


def _terms(order: Any) -> str:
    stop_price = order.as_it_stands().stop_price if isinstance(order, Order) else order.stop_price
    return f"{order.venue_client_id} {order.quantity} {order.filled} {order.limit_price} {stop_price}"
