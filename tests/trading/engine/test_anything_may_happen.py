"""Any sequence of commands, venue messages, surprises, slices and reports leaves the books right.

A state machine draws them; the world checks after each that nothing was dropped and that a refusal changed nothing,
and at the end that every sum and the fold of the journal agree with the state.
"""

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.accounts import LedgerKind, Limits
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.fills import Charge
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.orders import TRANSITIONS, Order, OrderEvent, OrderKind, OrderState, Side
from evenkeel.domain.strategies import Revision, SwitchRules
from evenkeel.trading.engine.effects import SendOrder
from evenkeel.trading.engine.engine import Input
from tests.trading.engine.world import ACME, BOLT, WHO, World, assert_sound, at, bar, split_slice, theirs

ACCOUNTS = ("A", "B")
accounts = st.sampled_from(ACCOUNTS)
instruments = st.sampled_from([ACME, BOLT])
sides = st.sampled_from(list(Side))
prices = st.integers(1, 4_000).map(lambda cents: Decimal(cents).scaleb(-2))
quantities = st.integers(1, 300).map(Decimal)
parts = st.sampled_from(["0.001", "0.5", "1", "1.5"]).map(Decimal)
picks = st.integers(0, 10**6)
How = tuple[OrderKind, bool | None]
HOW: list[How] = [(kind, reduce_only) for kind in OrderKind for reduce_only in (None, True, False)]
reasons = st.sampled_from(["no", "the market is closed"])
odd_numbers = st.sampled_from(["NaN", "sNaN", "Infinity", "0", "-5", "1E+30", "1E-30", "1E+999999"]).map(Decimal)
KINDS = {
    e.VenueAccepted: OrderEvent.ACCEPT,
    e.VenueTriggered: OrderEvent.ACCEPT,
    e.VenueRejected: OrderEvent.REJECT,
    e.VenueCancelled: OrderEvent.CANCEL,
    e.VenueExpired: OrderEvent.EXPIRE,
    e.VenueAmended: OrderEvent.AMEND,
}


class Everything(RuleBasedStateMachine):
    @initialize(first=prices, second=prices)
    def begin(self, first: Decimal, second: Decimal) -> None:
        self.world = World()
        self.day = 0
        self.seen: list[e.VenueFilled] = []
        self.world.account("A")
        self.world.account("B", "5000", limits=Limits(), costs="us-per-share")
        self.world.deploy(("A", "0.5"), ("B", "0.2"), of=(ACME, BOLT))
        self.bars(first, second)

    def order(self, pick: int) -> Order | None:
        orders = list(self.world.state.orders.values())
        return orders[pick % len(orders)] if orders else None

    def take(self, event: Input) -> None:
        """One input: declined, it changes nothing; anything but an EvenkeelError is a fault."""
        before = repr(self.world.state)
        try:
            step = self.world.step(event)
        except EvenkeelError:
            assert repr(self.world.state) == before
            return
        if isinstance(event, e.VenueEvent) and not step.records:
            self.assert_known(event)
        for effect in step.effects:
            if isinstance(effect, SendOrder):
                assert self.world.state.orders[effect.ticket.order_id].state is OrderState.SUBMITTED

    def assert_known(self, event: e.VenueEvent) -> None:
        """An event that left no record was one that tells nothing: the order is where it says already."""
        if isinstance(event, e.VenueFilled):
            assert (event.account_id, event.execution_id) in self.world.state.fills
        elif isinstance(event, e.VenueBusted):
            assert (event.account_id, f"bust:{event.execution_id}") in self.world.state.fills
        else:
            state = self.world.state
            order = state.orders[state.venue_client_ids[event.venue_client_id or ""]]
            kind = KINDS.get(type(event), OrderEvent.CANCEL_REFUSED)
            assert TRANSITIONS.get((order.state, kind), OrderState.ANOMALY) is order.state

    @rule(a=accounts, i=instruments, side=sides, q=quantities, p=prices, r=prices, how=st.sampled_from(HOW))
    def submit(self, a: str, i: Any, side: Side, q: Decimal, p: Decimal, r: Decimal, how: How) -> None:
        kind, reduce_only = how
        more: dict[str, Any] = {"reduce_only": reduce_only}
        if kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT):
            more["limit_price"] = p
        if kind in (OrderKind.STOP, OrderKind.STOP_LIMIT):
            more["stop_price"] = r
        spec = self.world.spec(side, str(q), account_id=a, instrument_id=i.id, kind=kind, **more)
        self.take(c.SubmitOrder(provenance=WHO, spec=spec))

    @rule(q=odd_numbers, p=odd_numbers, side=sides)
    def submit_nonsense(self, q: Decimal, p: Decimal, side: Side) -> None:
        spec = self.world.spec(side, str(q), kind=OrderKind.LIMIT, limit_price=p)
        self.take(c.SubmitOrder(provenance=WHO, spec=spec))

    @rule(pick=picks)
    def submit_again(self, pick: int) -> None:
        if order := self.order(pick):
            seq = self.world.state.seq
            self.take(c.SubmitOrder(provenance=WHO, spec=order.spec))
            assert self.world.state.seq == seq

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        if order := self.order(pick):
            self.take(c.CancelOrder(provenance=WHO, order_id=order.id))

    @rule(pick=picks, q=quantities, p=prices)
    def modify(self, pick: int, q: Decimal, p: Decimal) -> None:
        if order := self.order(pick):
            limit = None if order.limit_price is None else p
            self.take(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=q, limit_price=limit))

    @rule(pick=picks, kind=st.sampled_from([e.VenueAccepted, e.VenueTriggered, e.VenueCancelled, e.VenueExpired]))
    def say(self, pick: int, kind: type[e.VenueEvent]) -> None:
        if order := self.order(pick):
            self.take(self.world.said(kind, order))

    @rule(pick=picks, kind=st.sampled_from([e.VenueRejected, e.VenueCancelRefused]), reason=reasons)
    def say_no(self, pick: int, kind: type[e.VenueEvent], reason: str) -> None:
        if order := self.order(pick):
            self.take(self.world.said(kind, order, reason=reason))

    @rule(pick=picks, q=quantities, p=prices)
    def say_amended(self, pick: int, q: Decimal, p: Decimal) -> None:
        if order := self.order(pick):
            limit = None if order.limit_price is None else p
            self.take(self.world.said(e.VenueAmended, order, quantity=q, limit_price=limit))

    @rule(pick=picks, part=parts, p=prices, fee=st.sampled_from(["0", "1.05", "-0.2"]), by=st.sampled_from([0, 1, 2]))
    def fill(self, pick: int, part: Decimal, p: Decimal, fee: str, by: int) -> None:
        if order := self.order(pick):
            quantity = max(Decimal("0.001"), (order.quantity * part).quantize(Decimal("0.001")))
            ids = ({}, {"venue_client_id": None}, {"venue_order_id": None})[by]
            charges = (Charge("commission", Decimal(fee)),)
            event = self.world.execution(order, str(quantity), str(p), charges=charges, **ids)
            self.seen.append(event)
            self.take(event)

    @precondition(lambda self: self.seen)
    @rule(pick=picks)
    def fill_again(self, pick: int) -> None:
        seq = self.world.state.seq
        self.take(self.seen[pick % len(self.seen)])
        assert self.world.state.seq == seq

    @precondition(lambda self: self.seen)
    @rule(pick=picks)
    def bust(self, pick: int) -> None:
        fill = self.seen[pick % len(self.seen)]
        event = e.VenueBusted(account_id=fill.account_id, execution_id=fill.execution_id, reason="an error")
        self.take(event)

    @rule(q=odd_numbers, p=odd_numbers, account=st.sampled_from(["A", "nobody"]), name=st.sampled_from([ACME.id, "no"]))
    def fill_nonsense(self, q: Decimal, p: Decimal, account: str, name: str) -> None:
        seq = self.world.state.seq
        event = e.VenueFilled(
            account_id=account, execution_id="odd", instrument_id=name, side=Side.BUY, quantity=q, price=p
        )
        self.take(event)
        assert self.world.state.seq > seq

    @rule(a=accounts, i=instruments, side=sides, q=quantities, p=prices, n=st.integers(0, 3))
    def fill_elsewhere(self, a: str, i: Any, side: Side, q: Decimal, p: Decimal, n: int) -> None:
        event = e.VenueFilled(
            account_id=a,
            venue_order_id=f"E{n}",
            venue_client_id="SOMEBODYELSE",
            execution_id=f"E{n}-{q}-{p}-{i.symbol}-{side}",
            instrument_id=i.id,
            side=side,
            quantity=q,
            price=p,
        )
        self.take(event)

    @rule(a=accounts, n=st.integers(0, 3))
    def speak_of_another(self, a: str, n: int) -> None:
        self.take(e.VenueCancelled(account_id=a, venue_order_id=f"N{n}"))

    @rule(first=prices, second=prices)
    def bars(self, first: Decimal, second: Decimal) -> None:
        self.day += 1
        pair = (bar(ACME, self.day, float(first)), bar(BOLT, self.day, float(second), spread=0.02))
        self.world.step(MarketSlice(at(self.day), bars=pair), at(self.day))

    @rule(ratio=st.sampled_from(["2:1", "3:2", "1:10", "7:1", "1:3"]), of=instruments)
    def split(self, ratio: str, of: Any) -> None:
        self.day += 1
        self.world.step(split_slice(self.day, ratio, of), at(self.day))

    @rule(pick=picks, kind=st.sampled_from(["overdue", "delayed", "uncertain", "place", "cancel", "modify"]))
    def report(self, pick: int, kind: str) -> None:
        order = self.order(pick)
        if order is None:
            return
        notices: dict[str, e.AnyNotice] = {
            "overdue": e.IntentOverdue(order.id),
            "delayed": e.IntentDelayed(order.id, 300),
            "uncertain": e.SendUncertain(order.id, "no answer"),
        }
        self.take(notices.get(kind) or e.SendFailed(order.id, kind, "the line is dead"))

    @rule(a=accounts, connected=st.booleans())
    def link(self, a: str, connected: bool) -> None:
        self.take(e.BrokerLink(a, connected))

    @rule(a=accounts, agrees=st.booleans(), found=st.sampled_from([None, *OrderState]), conclusive=st.booleans())
    def reconcile(self, a: str, agrees: bool, found: OrderState | None, conclusive: bool) -> None:
        more: dict[str, Any] = {}
        if not agrees:
            working = tuple(self.world.state.accounts[a].working.values())
            answers = [None if found is None else theirs(order, state=found) for order in working]
            lookups = [
                e.Lookup(order_id=order.id, found=answer, conclusive=conclusive)
                for order, answer in zip(working, answers, strict=True)
            ]
            held = e.BrokerPosition(account_id=a, instrument_id=ACME.id, quantity=Decimal(7))
            more = {"orders": (), "positions": (held,), "lookups": tuple(lookups)}
        snapshot = self.world.snapshot(a, **more)
        self.take(snapshot)
        agreeing = self.world.snapshot(a)
        self.take(agreeing)
        before = self.world.state.seq
        self.take(agreeing)
        assert self.world.state.seq == before + 1, "what agrees is taken as it is"

    @rule(a=accounts, n=st.integers(1, 10**6), kind=st.sampled_from([LedgerKind.DEPOSIT, LedgerKind.WITHDRAWAL]))
    def move_cash(self, a: str, n: int, kind: LedgerKind) -> None:
        amount = Decimal(n).scaleb(-2) * (1 if kind is LedgerKind.DEPOSIT else -1)
        self.take(c.MoveCash(provenance=WHO, account_id=a, amount=amount, kind=kind))

    @rule(a=accounts, q=odd_numbers)
    def move_nonsense(self, a: str, q: Decimal) -> None:
        self.take(c.MoveCash(provenance=WHO, account_id=a, amount=q, kind=LedgerKind.INTEREST))
        self.take(c.SetLimits(provenance=WHO, account_id=a, limits=Limits(daily_loss=q, max_position_share=q)))

    @rule(wish=st.sampled_from([None, -1.0, -0.3, 0.0, 0.5, 1.0, float("nan"), 2.0]), of=instruments)
    def signal(self, wish: float | None, of: Any) -> None:
        try:
            self.world.signal(wish, of=of)
        except EvenkeelError:
            assert wish is not None
            assert not -1 <= wish <= 1

    @rule(enabled=st.booleans())
    def switch(self, enabled: bool) -> None:
        self.take(c.ChangeDeployment(provenance=WHO, deployment_id="trend", enabled=enabled))

    @rule(fall=st.sampled_from([None, 0.0001, 0.05, -1.0]), fast=st.sampled_from([1, 2]))
    def revise(self, fall: float | None, fast: int) -> None:
        rules = None if fall is None else SwitchRules(fall, 2, min_return=-0.1, recovery=0.0001, min_days=0.0)
        revision = Revision("sma", "1", {"fast": fast}, rules=rules)
        self.take(c.ChangeDeployment(provenance=WHO, deployment_id="trend", revision=revision))

    @rule()
    def restart(self) -> None:
        self.take(e.Started(run="again", version="2", at=self.world.now))

    def teardown(self) -> None:
        if hasattr(self, "world"):
            assert_sound(self.world)


Everything.TestCase.settings = settings(
    max_examples=50, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
test_the_books_are_right_whatever_happens = Everything.TestCase
