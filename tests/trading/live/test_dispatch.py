"""Sending: at most once, never late, and an unknown outcome is looked up instead of being sent again."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.errors import BrokerRejected, BrokerUnavailable, Conflict, OutcomeUnknown
from evenkeel.domain.events import BrokerOrder
from evenkeel.domain.orders import OrderState
from evenkeel.domain.records import AlertRaised, IntentRechecked, OrderMoved
from evenkeel.trading.brokers.ports import Broker, Cancellation, Ticket
from evenkeel.trading.brokers.profiles import LookupKind
from evenkeel.trading.brokers.simulated.adapter import SimulatedBroker
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.runner import Runner
from tests.trading.live.desk import BY, MemoryJournal, buy, make_runner, market, opened


class Troubled(SimulatedBroker):
    """A simulated broker whose next `place` goes wrong: `fault` is raised before or after the order is taken."""

    is_far = True

    def __init__(self) -> None:
        super().__init__(Book())
        self._profile = msgspec.structs.replace(self._profile, settle_time=0, place_timeout=200_000_000, most_at_once=1)
        self.fault: Exception | None = None
        self.takes = True
        self.delay = 0.0
        self.placed: list[str] = []

    async def place(self, ticket: Ticket) -> None:
        self.placed.append(ticket.venue_client_id)
        if self.delay:
            await asyncio.sleep(self.delay)
        fault, self.fault = self.fault, None
        if fault is None or self.takes:
            await super().place(ticket)
        if fault is not None:
            raise fault

    async def cancel(self, cancellation: Cancellation) -> None:
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault
        await super().cancel(cancellation)


async def desk(broker: Broker, *, deterministic: bool = True) -> tuple[Runner, MemoryJournal]:
    def brokers(_state: State) -> Mapping[str, Broker]:
        return {"simulated": broker}

    journal = MemoryJournal()
    return await opened(make_runner(journal, brokers, deterministic=deterministic)), journal


async def test_a_timeout_after_the_broker_took_the_order_is_found_again_and_never_sent_twice() -> None:
    broker = Troubled()
    runner, _ = await desk(broker)
    broker.fault = OutcomeUnknown("no answer")
    outcome = await runner.submit(buy())
    await runner.quiet()
    assert runner.state.orders[outcome.id].state is OrderState.ACCEPTED
    assert len(broker.placed) == 1
    assert len(broker.book.open_orders("acct")) == 1
    await runner.stop()


async def test_a_lost_request_is_proved_absent_and_ends_unsent() -> None:
    broker = Troubled()
    runner, journal = await desk(broker)
    broker.fault, broker.takes = OutcomeUnknown("no answer"), False
    outcome = await runner.submit(buy())
    await runner.quiet()
    order = runner.state.orders[outcome.id]
    assert (order.state, order.reason) == (OrderState.EXPIRED_UNSENT, "the broker never received it")
    states = [record.state for record in journal.records() if isinstance(record, OrderMoved)]
    assert states == [OrderState.IN_DOUBT, OrderState.EXPIRED_UNSENT]
    assert len(broker.placed) == 1
    await runner.stop()


async def test_without_a_lookup_the_order_stays_in_doubt_and_is_shown() -> None:
    broker = Troubled()
    broker._profile = msgspec.structs.replace(broker.profile, lookup=LookupKind.NONE)
    runner, journal = await desk(broker)
    broker.fault, broker.takes = OutcomeUnknown("no answer"), False
    outcome = await runner.submit(buy())
    await runner.quiet()
    assert runner.state.orders[outcome.id].state is OrderState.IN_DOUBT
    alerts = [record.kind for record in journal.records() if isinstance(record, AlertRaised)]
    assert alerts == ["order-in-doubt"]
    blocked = runner.state.orders[(await runner.submit(buy("another"))).id]
    assert (blocked.state, blocked.rule, blocked.value) == (OrderState.REFUSED, "nothing-in-doubt", outcome.id)
    await runner.submit(c.ResolveOrder(provenance=BY, order_id=outcome.id))
    assert runner.state.orders[outcome.id].state is OrderState.EXPIRED_UNSENT
    with pytest.raises(Conflict):
        await runner.submit(c.ResolveOrder(provenance=BY, order_id=outcome.id))
    again = runner.state.orders[(await runner.submit(buy("yet another"))).id]
    assert again.state is OrderState.SUBMITTED
    await runner.stop()


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (BrokerRejected("no margin"), OrderState.REJECTED),
        (BrokerUnavailable("no link"), OrderState.EXPIRED_UNSENT),
        (RuntimeError("a bug in the adapter"), OrderState.EXPIRED_UNSENT),
    ],
)
async def test_every_other_answer_ends_in_a_known_state(fault: Exception, state: OrderState) -> None:
    broker = Troubled()
    runner, _ = await desk(broker)
    broker.fault, broker.takes = fault, False
    outcome = await runner.submit(buy())
    await runner.quiet()
    order = runner.state.orders[outcome.id]
    assert order.state is state
    assert order.reason
    assert len(broker.placed) == 1
    await runner.stop()


async def test_a_slow_broker_is_an_unknown_outcome_too() -> None:
    broker = Troubled()
    broker.delay = 0.5
    runner, _ = await desk(broker)
    outcome = await runner.submit(buy())
    await runner.quiet()
    assert runner.state.orders[outcome.id].state is OrderState.EXPIRED_UNSENT
    assert len(broker.placed) == 1
    await runner.stop()


async def test_an_intent_that_waited_is_judged_again_and_one_too_old_is_never_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("evenkeel.trading.live.dispatch.SEND_BY", 350_000_000)
    monkeypatch.setattr("evenkeel.trading.live.placing.RECHECK_AFTER", 0.05)
    broker = Troubled()
    broker.delay = 0.15
    runner, journal = await desk(broker, deterministic=False)
    outcomes = await asyncio.gather(*(runner.submit(buy(str(n))) for n in range(6)))
    await runner.quiet()
    states = [runner.state.orders[outcome.id].state for outcome in outcomes]
    assert states[0] is OrderState.ACCEPTED
    assert OrderState.EXPIRED_UNSENT in states
    assert any(isinstance(record, IntentRechecked) and record.approved for record in journal.records())
    sent = {runner.state.orders[outcome.id].venue_client_id for outcome in outcomes} & set(broker.placed)
    unsent = [order for order in runner.state.orders.values() if order.state is OrderState.EXPIRED_UNSENT]
    assert len(broker.placed) == len(sent)
    assert all(order.venue_client_id not in broker.placed for order in unsent)
    await runner.stop()


async def test_a_cancel_that_did_not_arrive_leaves_the_order_working() -> None:
    broker = Troubled()
    runner, _ = await desk(broker)
    outcome = await runner.submit(buy())
    await runner.quiet()
    broker.fault = BrokerUnavailable("no link")
    await runner.submit(c.CancelOrder(provenance=BY, order_id=outcome.id))
    await runner.quiet()
    assert runner.state.orders[outcome.id].state is OrderState.ACCEPTED
    await runner.submit(c.CancelOrder(provenance=BY, order_id=outcome.id))
    await runner.quiet()
    assert runner.state.orders[outcome.id].state is OrderState.CANCELLED
    await runner.stop()


async def test_a_paper_account_never_sends_to_a_real_venue() -> None:
    broker = Troubled()
    runner, _ = await desk(broker)
    broker._profile = msgspec.structs.replace(broker.profile, is_simulated=False)
    outcome = await runner.submit(buy())
    await runner.quiet()
    order = runner.state.orders[outcome.id]
    assert order.state is OrderState.EXPIRED_UNSENT
    assert order.reason == "a paper account cannot send to simulated"
    assert not broker.placed
    await runner.stop()


async def until_ready(runner: Runner) -> None:
    while runner.state.accounts["acct"].readiness is not Readiness.READY:  # noqa: ASYNC110 - seen from outside
        await asyncio.sleep(0.01)


class Mute(Troubled):
    """A broker whose open orders cannot be read while `mute`."""

    mute = False

    async def open_orders(self, account_id: str) -> tuple[BrokerOrder, ...]:
        if self.mute:
            raise BrokerUnavailable("the order book does not answer")
        return await super().open_orders(account_id)


async def test_a_lost_link_closes_the_gate_until_a_reconcile_has_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.trading.live.links.RECONNECT_FIRST", 0.01)
    monkeypatch.setattr("evenkeel.trading.live.pictures.FIRST", 0.02)
    broker = Mute()
    runner, _ = await desk(broker)
    resting = await runner.submit(buy("resting"))
    await runner.quiet()
    broker.mute = True
    await broker.disconnect()
    await asyncio.sleep(0.005)
    await broker.observe(market(1))
    assert runner.state.accounts["acct"].readiness is Readiness.NOT_READY
    refused = runner.state.orders[(await runner.submit(buy("meanwhile"))).id]
    assert (refused.state, refused.rule) == (OrderState.REFUSED, "account-ready")
    await asyncio.sleep(0.1)
    assert runner.state.accounts["acct"].readiness is Readiness.NOT_READY
    broker.mute = False
    async with asyncio.timeout(5):
        await until_ready(runner)
    assert runner.state.orders[resting.id].state is OrderState.FILLED
    assert runner.state.accounts["acct"].net["stock"] == Decimal(10)
    await runner.stop()


async def test_the_orders_of_one_basket_go_out_one_after_another_in_its_sequence() -> None:
    """F22: an account has one worker, so that none of a group overtakes another, however slow the broker is."""
    broker = Troubled()
    runner, _ = await desk(broker, deterministic=False)
    await runner.quiet()
    at_once, most = 0, 0
    place = broker.place

    async def watched(ticket: Ticket) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.02 if len(broker.placed) == 0 else 0)
        await place(ticket)
        at_once -= 1

    broker.place = watched  # type: ignore[method-assign]
    group = tuple(buy(f"leg-{number}", quantity=1).spec for number in range(8))
    outcome = await runner.submit(c.SubmitBasket(provenance=BY, orders=group))
    await runner.quiet()
    sent = [runner.state.orders[part.order_id].venue_client_id for part in outcome.parts]
    assert broker.placed == sent
    assert most == 1
    await runner.stop()
