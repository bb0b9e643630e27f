"""What opens and closes the gate: pictures taken across a lost link, lookups in flight, orders that have ended."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.errors import OutcomeUnknown, StaleEpoch
from evenkeel.domain.events import BrokerOrder, BrokerPosition
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.orders import OrderKind, OrderState, Side
from evenkeel.domain.records import Batch
from evenkeel.trading.brokers.ports import Broker
from evenkeel.trading.engine.effects import WantReconcile
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.runner import Runner
from tests.trading.live.desk import BY, MemoryJournal, buy, make_runner, market, opened
from tests.trading.live.test_dispatch import Troubled, until_ready


async def desk(broker: Broker, journal: MemoryJournal | None = None) -> Runner:
    def brokers(_state: State) -> Mapping[str, Broker]:
        return {"simulated": broker}

    return await opened(make_runner(journal or MemoryJournal(), brokers))


class Held(Troubled):
    """A broker whose answer to `positions` waits while `held`."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.go.set()
        self.asked = asyncio.Event()

    async def positions(self, account_id: str) -> tuple[BrokerPosition, ...]:
        found = await super().positions(account_id)
        self.asked.set()
        await self.go.wait()
        return found


async def test_a_picture_taken_before_the_link_was_lost_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.trading.live.links.RECONNECT_FIRST", 30.0)
    broker = Held()
    runner = await desk(broker)
    broker.go.clear()
    broker.asked.clear()
    runner.dispatcher.put(WantReconcile("acct", "a test"))
    await broker.asked.wait()
    assert broker._stream is not None
    broker._stream.close()
    await asyncio.sleep(0.05)
    assert runner.state.accounts["acct"].readiness is Readiness.NOT_READY
    broker.go.set()
    await asyncio.sleep(0.05)
    assert runner.state.accounts["acct"].readiness is Readiness.NOT_READY
    await runner.stop()


async def test_a_link_that_is_back_closes_the_gate_until_the_account_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Held()
    runner = await desk(broker)
    broker.go.clear()
    runner.links._announce("simulated", connected=True)
    await asyncio.sleep(0.02)
    assert runner.state.accounts["acct"].readiness is Readiness.NOT_READY
    broker.go.set()
    async with asyncio.timeout(5):
        await until_ready(runner)
    await runner.stop()


class Hasty(Troubled):
    """A broker that fills what it is asked about, right before it answers, and tells of it late."""

    slice: MarketSlice | None = None

    async def order_status(self, account_id: str, venue_client_id: str) -> BrokerOrder | None:
        if self.slice is not None:
            self.book.observe(self.slice)
        return await super().order_status(account_id, venue_client_id)

    async def open_orders(self, account_id: str) -> tuple[BrokerOrder, ...]:
        return ()


async def test_a_fill_between_the_reads_is_no_missing_execution() -> None:
    broker = Hasty()
    runner = await desk(broker)
    broker.fault, broker.slice = OutcomeUnknown("no answer"), market(1)
    broker.delay = 0.0
    outcome = await runner.submit(buy())
    await runner.quiet()
    order = runner.state.orders[outcome.id]
    assert (order.state, order.filled) == (OrderState.FILLED, Decimal(10))
    await runner.stop()


class Crowded(Troubled):
    """A broker that works an order of somebody else, without a client id."""

    async def open_orders(self, account_id: str) -> tuple[BrokerOrder, ...]:
        other = BrokerOrder(
            account_id=account_id, venue_order_id="E1", venue_client_id=None, instrument_id="stock", side=Side.BUY,
            quantity=Decimal(1), filled=Decimal(0), kind=OrderKind.MARKET, state=OrderState.ACCEPTED,
        )  # fmt: skip
        return (*await super().open_orders(account_id), other)


async def test_an_order_of_somebody_else_hides_none_of_ours() -> None:
    broker = Crowded()
    runner = await desk(broker)
    broker.fault, broker.takes = OutcomeUnknown("no answer"), False
    outcome = await runner.submit(buy())
    await runner.quiet()
    assert runner.state.orders[outcome.id].state is OrderState.EXPIRED_UNSENT
    await runner.stop()


async def test_an_intent_cancelled_before_its_turn_is_not_sent() -> None:
    broker = Troubled()
    runner = await desk(broker)
    broker.delay = 0.1
    first = await runner.submit(buy("first"))
    second = await runner.submit(buy("second"))
    await runner.submit(c.CancelOrder(provenance=BY, order_id=second.id))
    await runner.quiet()
    assert runner.state.orders[second.id].state is OrderState.EXPIRED_UNSENT
    assert broker.placed == [runner.state.orders[first.id].venue_client_id]
    await runner.stop()


class SlowJournal(MemoryJournal):
    """A journal whose next commit waits while `held`."""

    def __init__(self) -> None:
        super().__init__()
        self.held = False

    def append(self, body: bytes, first_seq: int, last_seq: int) -> Batch:
        import time

        until = time.monotonic() + 5
        while self.held and time.monotonic() < until:
            time.sleep(0.001)
        return super().append(body, first_seq, last_seq)


async def test_an_intent_whose_commit_is_under_way_is_not_looked_up() -> None:
    journal, broker = SlowJournal(), Held()
    runner = await desk(broker, journal)
    broker.go.clear()
    broker.asked.clear()
    runner.dispatcher.put(WantReconcile("acct", "a test"))
    await broker.asked.wait()
    journal.held = True
    submitting = asyncio.create_task(runner.submit(buy()))
    await asyncio.sleep(0.02)
    assert runner.state.orders, "decided, and not yet committed"
    broker.go.set()
    await asyncio.sleep(0.02)
    journal.held = False
    order = runner.state.orders[(await submitting).id]
    await runner.quiet()
    assert order.state is OrderState.ACCEPTED
    assert broker.placed == [order.venue_client_id]
    await runner.stop()


async def test_what_is_committed_while_stopping_is_not_sent_any_more() -> None:
    journal, broker = SlowJournal(), Troubled()
    runner = await desk(broker, journal)
    journal.held = True
    submitting = asyncio.create_task(runner.submit(buy()))
    await asyncio.sleep(0.02)
    stopping = asyncio.create_task(runner.stop())
    await asyncio.sleep(0.02)
    journal.held = False
    outcome = await submitting
    await stopping
    await asyncio.sleep(0.02)
    assert runner.state.orders[outcome.id].state is OrderState.SUBMITTED
    assert not broker.placed
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("send ")]


async def test_a_halted_shard_lets_nothing_out_that_still_waited() -> None:
    journal, broker = MemoryJournal(), Troubled()
    runner = await desk(broker, journal)
    broker.delay = 0.1
    await asyncio.gather(*(runner.submit(buy(str(n))) for n in range(3)))
    journal.faults = [StaleEpoch] * 5
    runner.post(
        c.SetLimits(
            provenance=BY,
            account_id="acct",
            limits=msgspec.structs.replace(runner.state.accounts["acct"].limits, max_trades_per_day=7),
        )
    )
    await asyncio.sleep(0.6)
    assert not runner.healthy
    assert len(broker.placed) == 1
    await runner.stop()
