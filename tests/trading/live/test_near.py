"""A broker in this process: what is committed is with it before whoever asked is answered, under the same checks."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import pytest
from msgspec import structs

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import SendRate
from evenkeel.domain.errors import BrokerError, BrokerRejected, Forbidden, OutcomeUnknown
from evenkeel.domain.events import BrokerPosition
from evenkeel.domain.orders import OrderState, Side
from evenkeel.domain.records import Batch
from evenkeel.domain.risk import Approved
from evenkeel.domain.selections import Selection
from evenkeel.trading.brokers.handles import bind
from evenkeel.trading.brokers.ports import Broker, Ticket
from evenkeel.trading.brokers.simulated.adapter import SimulatedBroker
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.brokers.simulated.profile import IN_PROCESS
from evenkeel.trading.engine.effects import WantReconcile
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.runner import Runner
from tests.trading.live.desk import ACCOUNT, BY, MemoryJournal, buy, make_runner, market, opened


class Near(SimulatedBroker):
    """Notes what is placed at once, and what comes by a worker; `refused` names orders, `fault` befalls a request."""

    def __init__(self, *, rate: SendRate | None = None, latency: float = 0.0) -> None:
        super().__init__(Book(), profile=structs.replace(IN_PROCESS, rate=rate, most_at_once=1), latency=latency)
        self.at_once: list[list[str]] = []
        self.by_worker: list[str] = []
        self.refused: set[str] = set()
        self.fault: Exception | None = None
        self.slow = 0.0

    def place_now(self, tickets: Sequence[Ticket]) -> list[BrokerError | None]:
        self.at_once.append([ticket.spec.client_order_id for ticket in tickets])
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault
        answers = iter(super().place_now([one for one in tickets if one.spec.client_order_id not in self.refused]))
        return [
            BrokerRejected("not this one") if ticket.spec.client_order_id in self.refused else next(answers)
            for ticket in tickets
        ]

    async def place(self, ticket: Ticket) -> None:
        self.by_worker.append(ticket.spec.client_order_id)
        await super().place(ticket)

    async def positions(self, account_id: str) -> tuple[BrokerPosition, ...]:
        await asyncio.sleep(self.slow)
        return await super().positions(account_id)


async def desk(broker: Broker, *, deterministic: bool = False) -> Runner:
    def brokers(_state: State) -> Mapping[str, Broker]:
        return {"simulated": broker}

    runner = await opened(make_runner(MemoryJournal(), brokers, deterministic=deterministic))
    await runner.submit(buy("first"))  # by a worker: the venue is told of account and instrument
    await runner.quiet()
    if isinstance(broker, Near):
        broker.at_once.clear()
        broker.by_worker.clear()
    return runner


def states(runner: Runner) -> dict[str, OrderState]:
    return {order.spec.client_order_id: order.state for order in runner.state.orders.values()}


async def test_what_is_committed_together_is_placed_together_before_it_is_answered() -> None:
    broker = Near()
    runner = await desk(broker)
    await runner.post_all([buy(name) for name in "abc"])
    assert broker.at_once == [["a", "b", "c"]]
    await runner.quiet()
    assert {states(runner)[name] for name in "abc"} == {OrderState.ACCEPTED}
    assert broker.by_worker == []
    assert not runner.dispatcher.busy
    await runner.stop()


async def test_what_takes_risk_off_goes_first() -> None:
    broker = Near()
    runner = await desk(broker)
    slice_ = market(1)
    await runner.post_all([slice_])
    await broker.observe(slice_)
    await runner.quiet()
    await runner.post_all([buy("more"), buy("less", 5, Side.SELL)])
    assert broker.at_once == [["less", "more"]]
    await runner.stop()


async def test_each_order_is_answered_for_itself() -> None:
    broker = Near()
    runner = await desk(broker)
    broker.refused = {"b"}
    await runner.post_all([buy(name) for name in "abc"])
    await runner.quiet()
    assert [states(runner)[name] for name in "abc"] == [OrderState.ACCEPTED, OrderState.REJECTED, OrderState.ACCEPTED]
    await runner.stop()


async def test_another_number_of_answers_than_orders_tells_nothing_of_any() -> None:
    broker = Near()
    runner = await desk(broker)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broker, "place_now", lambda _tickets: [None])
        await runner.post_all([buy(name) for name in "ab"])
    await runner.quiet()
    assert runner.healthy
    assert [states(runner)[name] for name in "ab"] == [OrderState.EXPIRED_UNSENT] * 2
    await runner.stop()


@pytest.mark.parametrize("fault", [OutcomeUnknown("no answer"), RuntimeError("a fault of the adapter")])
async def test_a_request_whose_outcome_is_unknown_is_looked_up_and_not_sent_again(fault: Exception) -> None:
    broker = Near()
    runner = await desk(broker)
    broker.fault = fault
    await runner.post_all([buy(name) for name in "ab"])
    await runner.quiet()
    assert [states(runner)[name] for name in "ab"] == [OrderState.EXPIRED_UNSENT] * 2
    assert (broker.at_once, broker.by_worker) == ([["a", "b"]], [])
    await runner.stop()


async def test_a_broker_that_is_gone_takes_nothing_and_the_order_ends_unsent() -> None:
    broker = Near()
    runner = await desk(broker)
    outcome = asyncio.ensure_future(runner.submit(buy("a")))
    await asyncio.sleep(0)
    await broker.disconnect()
    await outcome
    await runner.quiet()
    assert states(runner)["a"] in (OrderState.EXPIRED_UNSENT, OrderState.REJECTED)
    assert broker.by_worker == []
    await runner.stop()


async def test_what_is_committed_while_the_desk_stops_does_not_go_out() -> None:
    broker = Near()
    runner = await desk(broker)
    append = runner.journal.append

    def slowly(body: bytes, first_seq: int, last_seq: int) -> Batch:
        time.sleep(0.2)
        return append(body, first_seq, last_seq)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner.journal, "append", slowly)
        outcome = asyncio.ensure_future(runner.submit(buy("a")))
        await asyncio.sleep(0.01)
        await runner.stop()
        await outcome
    assert states(runner)["a"] is OrderState.SUBMITTED, "it is looked up by the next start"
    assert (broker.at_once, broker.by_worker) == ([], [])


async def test_an_order_waits_for_a_reconcile_of_its_account() -> None:
    broker = Near()
    runner = await desk(broker)
    broker.slow = 0.05
    runner.dispatcher.put(WantReconcile(ACCOUNT.id, "a test"))
    await asyncio.sleep(0.01)
    await runner.submit(buy("a"))
    assert (broker.at_once, broker.by_worker) == ([], [])
    await runner.quiet()
    assert (broker.at_once, broker.by_worker) == ([], ["a"])
    await runner.stop()


async def test_what_is_cancelled_in_the_same_batch_does_not_go_out() -> None:
    broker = Near()
    runner = await desk(broker)
    await runner.post_all([buy("a"), c.CancelOrders(provenance=BY, selection=Selection((ACCOUNT.id,)))])
    await runner.quiet()
    assert states(runner)["a"] is OrderState.EXPIRED_UNSENT
    assert (broker.at_once, broker.by_worker) == ([], [])
    await runner.stop()


@pytest.mark.parametrize(
    ("broker", "deterministic"),
    [(Near(latency=0.01), False), (Near(rate=SendRate(1_000.0, 100)), False), (Near(), True)],
    ids=["far away", "limited", "a run that repeats itself"],
)
async def test_what_has_something_to_wait_for_goes_by_the_worker(broker: Near, *, deterministic: bool) -> None:
    runner = await desk(broker, deterministic=deterministic)
    await runner.submit(buy("a"))
    await runner.quiet()
    assert (broker.at_once, broker.by_worker) == ([], ["a"])
    await runner.stop()


async def test_a_door_lets_out_only_what_is_its_accounts_own() -> None:
    broker = Near()
    runner = await desk(broker)
    (order,) = runner.state.orders.values()
    ticket = structs.replace(_ticket(runner, order.id), spec=structs.replace(order.spec, account_id="another"))
    with pytest.raises(Forbidden, match="by the door of"):
        runner.dispatcher.handle_of(ACCOUNT.id).place_now([ticket])
    far = bind(ACCOUNT, Near(latency=1.0))
    assert not far.is_near
    with pytest.raises(Forbidden, match="does not answer at once"):
        far.place_now([_ticket(runner, order.id)])
    await runner.stop()


def _ticket(runner: Runner, order_id: str) -> Ticket:
    order = runner.state.orders[order_id]
    return Ticket(
        order_id=order_id,
        venue_client_id=order.venue_client_id,
        spec=order.spec,
        approval=Approved(()),
        at=order.created_at,
    )
