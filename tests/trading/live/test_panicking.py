"""Panics and limits on a running desk: a full queue, a slow broker, a dead line, an endless loop, a kill halfway."""

import asyncio
import time
from collections.abc import Mapping
from decimal import Decimal
from itertools import count

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Limits, SendRate
from evenkeel.domain.errors import BrokerUnavailable, QueueFull, RateLimited
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState, Side, TimeInForce
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.provenance import Source
from evenkeel.domain.records import AlertRaised, IntentRechecked
from evenkeel.trading.brokers.ports import Broker, Cancellation, Ticket
from evenkeel.trading.brokers.simulated.adapter import SimulatedBroker
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.engine.effects import Lane
from evenkeel.trading.engine.orders import wait_for_room
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.runner import Runner
from evenkeel.trading.live.simulated import standing
from tests.trading.live.desk import ACCOUNT, BY, STOCK, MemoryJournal, buy, make_runner, market, opened

MAIN = Scope(ScopeKind.ACCOUNT, ACCOUNT.id)
FREE = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=None, cash_check=False)
TEN = SendRate(10.0, 5, reserved=2)
TOO_LONG = SendRate(10.0, 5, reserved=2, queue=25)


class Watched(SimulatedBroker):
    """A simulated broker that notes when it is asked; `delay` seconds a request, and the next ones may fail."""

    is_far = True

    def __init__(self, book: Book | None = None, rate: SendRate | None = TEN) -> None:
        super().__init__(book or Book())
        self._profile = msgspec.structs.replace(self._profile, rate=rate, most_at_once=1)
        self.placed: list[tuple[float, str]] = []
        self.cancelled: list[tuple[float, str]] = []
        self.delay = 0.0
        self.faults: list[Exception] = []

    async def _fail(self) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.faults:
            raise self.faults.pop(0)

    async def place(self, ticket: Ticket) -> None:
        self.placed.append((time.monotonic(), ticket.order_id))
        await self._fail()
        await super().place(ticket)

    async def cancel(self, cancellation: Cancellation) -> None:
        self.cancelled.append((time.monotonic(), cancellation.venue_client_id))
        await self._fail()
        await super().cancel(cancellation)

    @property
    def asked(self) -> list[float]:
        return sorted(at for at, _ in (*self.placed, *self.cancelled))


async def desk(broker: Watched, journal: MemoryJournal | None = None) -> Runner:
    def brokers(_state: State) -> Mapping[str, Broker]:
        return {"simulated": broker}

    runner = make_runner(journal or MemoryJournal(), brokers, deterministic=False)
    await opened(runner)
    await runner.submit(c.SetLimits(provenance=BY, account_id=ACCOUNT.id, limits=FREE))
    return runner


def resting(name: str, side: Side = Side.BUY, price: str = "5") -> c.SubmitOrder:
    spec = OrderSpec(
        ACCOUNT.id, "manual", STOCK.id, side, Decimal(1), OrderKind.LIMIT, name, Decimal(price),
        time_in_force=TimeInForce.GTC,
    )  # fmt: skip
    return c.SubmitOrder(provenance=BY, spec=spec)


async def placed(runner: Runner, command: c.SubmitOrder) -> OrderState:
    return runner.state.orders[(await runner.submit(command)).id].state


async def until(runner: Runner, seconds: float = 20.0, *, orders_left: int = 0) -> None:
    """Waits until the panic has nothing, or so much, left to do; the market moves meanwhile."""
    async with asyncio.timeout(seconds):
        for day in count(1):
            halt = next(iter(runner.state.halts.values()))
            if halt.done_at or (orders_left and len(runner.state.accounts[ACCOUNT.id].working) <= orders_left):
                return
            await show(runner, day)
            await asyncio.sleep(0.02)


async def show(runner: Runner, day: int) -> None:
    for broker in runner.brokers.values():
        assert isinstance(broker, Watched)
        await broker.observe(market(day))


def paced(times: list[float], rate: SendRate) -> None:
    for first, begin in enumerate(times):
        for last, end in enumerate(times[first:], first):
            assert last - first + 1 <= rate.burst + rate.per_second * (end - begin) + 0.01


async def test_orders_go_out_as_fast_as_agreed_and_no_faster() -> None:
    """F29: the venue sees no storm; what could not be sent in time never goes, and what waits is judged again."""
    broker = Watched(rate=TOO_LONG)
    journal = MemoryJournal()
    runner = await desk(broker, journal)
    states = await asyncio.gather(*(placed(runner, resting(str(n))) for n in range(40)))
    assert states.count(OrderState.SUBMITTED) == TOO_LONG.most_waiting == 25
    refused = [order for order in runner.state.orders.values() if order.state is OrderState.REFUSED]
    assert {order.rule for order in refused} == {"queue-full"}
    standing_now = runner.sending(ACCOUNT.id)
    assert standing_now.waiting[Lane.OPEN] + len(broker.placed) == 25
    assert wait_for_room(runner.state, buy("more").spec) == pytest.approx(0.1, abs=0.11)
    await asyncio.sleep(2.6)
    await runner.quiet()
    paced(broker.asked, TEN)
    ended = [order.state for order in runner.state.orders.values() if order.state is not OrderState.REFUSED]
    assert set(ended) == {OrderState.ACCEPTED, OrderState.EXPIRED_UNSENT}
    assert ended.count(OrderState.ACCEPTED) == len(broker.placed) >= 20
    assert any(isinstance(record, IntentRechecked) for record in journal.records())
    await runner.stop()


async def test_a_full_queue_is_sent_in_time_however_often_it_is_filled() -> None:
    """F29: what is let in is sent, from a full bucket and from an empty one."""
    broker = Watched()
    runner = await desk(broker)
    names = count()
    taken = 0
    for _ in range(16):
        await asyncio.gather(*(placed(runner, resting(str(next(names)))) for _ in range(TEN.most_waiting)))
        taken = max(taken, len(runner.state.accounts[ACCOUNT.id].working.unheard))
        await asyncio.sleep(0.25)
    await asyncio.sleep(2.0)
    await runner.quiet()
    assert taken == TEN.most_waiting == 17
    sent = [order.state for order in runner.state.orders.values() if order.state is not OrderState.REFUSED]
    assert len(sent) > 2 * TEN.most_waiting
    assert set(sent) == {OrderState.ACCEPTED}
    paced(broker.asked, TEN)


async def test_a_cancel_of_what_waits_is_never_sent() -> None:
    broker = Watched(rate=SendRate(1.0, 1, reserved=0, queue=10))
    runner = await desk(broker)
    first, second = [(await runner.submit(resting(name))).id for name in ("a", "b")]
    await asyncio.sleep(0.05)
    await runner.submit(c.CancelOrder(provenance=BY, order_id=second))
    await runner.post_all(())
    await runner.post_all(())
    assert runner.state.orders[second].state is OrderState.EXPIRED_UNSENT
    assert [order_id for _, order_id in broker.placed] == [first]
    assert not broker.cancelled
    await runner.stop()


async def test_a_cancel_of_what_has_ended_while_it_waited_is_not_sent_either() -> None:
    broker = Watched(rate=SendRate(2.0, 1, reserved=0, queue=10))
    runner = await desk(broker)
    order = (await runner.submit(buy("one"))).id
    await asyncio.sleep(0.05)
    await runner.submit(c.CancelOrder(provenance=BY, order_id=order))
    await show(runner, 1)
    await asyncio.sleep(0.7)
    assert runner.state.orders[order].state is OrderState.FILLED
    assert not broker.cancelled
    assert runner.sending(ACCOUNT.id).tokens == 1.0, "and costs nothing"
    await runner.stop()


async def test_a_limited_account_does_not_hold_up_the_market() -> None:
    runner = await desk(Watched(rate=SendRate(0.5, 1, reserved=0, queue=10)))
    await asyncio.gather(*(runner.submit(resting(str(n))) for n in range(5)))
    async with asyncio.timeout(1):
        await runner.answered()
    await runner.stop()


async def test_a_panic_goes_before_a_full_queue_and_an_endless_loop() -> None:
    """F28: a runaway keeps asking; the panic cancels and closes at the rate agreed, from the tokens at hand on."""
    broker = Watched()
    runner = await desk(broker)
    await runner.submit(buy("held"))
    await asyncio.sleep(0.05)
    await show(runner, 1)
    await runner.post_all(())
    assert runner.state.accounts[ACCOUNT.id].net[STOCK.id] == 10
    for number in range(12):
        await runner.submit(resting(f"rests-{number}"))
    await asyncio.sleep(1.4)
    numbers = count()

    async def run_away() -> None:
        while True:
            await runner.submit(resting(f"loop-{next(numbers)}"))

    loop = asyncio.create_task(run_away())
    await asyncio.sleep(0.3)
    tokens = runner.sending(ACCOUNT.id).tokens
    assert tokens is not None
    begun, asked = time.monotonic(), len(broker.asked)
    await runner.submit(c.Panic(provenance=BY, scope=MAIN))
    await until(runner)
    took, sent = time.monotonic() - begun, len(broker.asked) - asked
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    least = max(0.0, sent - tokens - 1) / TEN.per_second
    assert least <= took <= least + 1.0, (took, least, sent)
    assert not runner.state.accounts[ACCOUNT.id].net[STOCK.id]
    assert not runner.state.accounts[ACCOUNT.id].working
    assert next(numbers) > 20
    paced(broker.asked, TEN)
    await runner.stop()


async def test_a_slow_broker_is_asked_for_many_things_at_once() -> None:
    broker = Watched(rate=None)
    runner = await desk(broker)
    for number in range(10):
        await runner.submit(resting(str(number)))
    await runner.quiet()
    broker.delay = 0.3
    begun = time.monotonic()
    await runner.submit(c.Panic(provenance=BY, scope=MAIN))
    await until(runner)
    assert time.monotonic() - begun < 1.5, "one after the other would be three seconds"
    await runner.stop()


async def test_a_slow_order_on_its_way_is_cancelled_once_it_has_arrived() -> None:
    broker = Watched(rate=None)
    broker.delay = 0.2
    runner = await desk(broker)
    order = (await runner.submit(resting("slow"))).id
    await asyncio.sleep(0.05)
    await runner.submit(c.Panic(provenance=BY, scope=MAIN))
    await until(runner)
    assert runner.state.orders[order].state is OrderState.CANCELLED
    assert broker.cancelled[0][0] - broker.placed[0][0] >= 0.2
    await runner.stop()


async def test_too_many_requests_are_asked_again_where_that_is_safe() -> None:
    """F29: a 429 to an order is a definite no; a cancel is asked again, when the venue said."""
    broker = Watched()
    runner = await desk(broker)
    rests = (await runner.submit(resting("rests"))).id
    await asyncio.sleep(0.05)
    broker.faults = [RateLimited("429", retry_after=0.2)]
    refused = (await runner.submit(resting("refused"))).id
    await asyncio.sleep(0.05)
    assert runner.state.orders[refused].state is OrderState.EXPIRED_UNSENT
    assert len(broker.placed) == 2, "never sent twice"
    broker.faults = [RateLimited("429", retry_after=0.2)]
    await runner.submit(c.CancelOrder(provenance=BY, order_id=rests))
    async with asyncio.timeout(5):
        while runner.state.orders[rests].state is not OrderState.CANCELLED:  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.01)
    (first, _), (second, _) = broker.cancelled
    assert second - first >= 0.2
    await runner.stop()


async def test_what_could_not_be_cancelled_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.trading.live.panics.FIRST", 0.05)
    broker, journal = Watched(), MemoryJournal()
    runner = await desk(broker, journal)
    await runner.submit(resting("rests"))
    await asyncio.sleep(0.05)
    broker.faults = [BrokerUnavailable("busy"), BrokerUnavailable("busy")]
    await runner.submit(c.Panic(provenance=BY, scope=MAIN))
    await until(runner)
    assert len(broker.cancelled) == 3
    alerts = [record.kind for record in journal.records() if isinstance(record, AlertRaised)]
    assert alerts == ["panic", "panic-done"]
    await runner.stop()


async def test_with_the_feed_down_it_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order that closes waits at the venue for a price; it is not sent again, and a person is told."""
    monkeypatch.setattr("evenkeel.trading.live.panics.FIRST", 0.01)
    monkeypatch.setattr("evenkeel.trading.live.panics.LAST", 0.02)
    broker, journal = Watched(), MemoryJournal()
    runner = await desk(broker, journal)
    await runner.submit(buy("held"))
    await asyncio.sleep(0.05)
    await show(runner, 1)
    await runner.post_all(())
    runner.state.marks.clear()
    await runner.submit(c.Panic(provenance=BY, scope=MAIN))
    async with asyncio.timeout(5):
        while not runner.state.halts[MAIN.key].stuck:  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.01)
    await runner.settled()
    assert len(broker.placed) == 2
    told = [record.message for record in journal.records() if isinstance(record, AlertRaised)][-1]
    assert "Main: position STK 10, the order that closes it is ACCEPTED" in told
    await show(runner, 2)
    await until(runner)
    await runner.stop()


async def test_after_a_kill_in_the_middle_it_completes() -> None:
    """No stop, no goodbye: the next process has the journal, and the venue what the journal says."""
    journal = MemoryJournal()
    broker = Watched(rate=SendRate(20.0, 3, reserved=1, queue=100))
    runner = await desk(broker, journal)
    await runner.submit(buy("held"))
    await asyncio.sleep(0.05)
    await show(runner, 1)
    for number in range(10):
        await runner.submit(resting(str(number)))
    await asyncio.sleep(0.7)
    await runner.submit(c.Panic(provenance=BY, scope=MAIN))
    await until(runner, orders_left=6)
    killed = MemoryJournal(journal.batches)
    await runner.stop()
    after: dict[str, Watched] = {}

    def brokers(state: State) -> Mapping[str, Broker]:
        after["simulated"] = Watched(Book.restore(standing(state, "simulated")))
        return after

    again = make_runner(killed, brokers, deterministic=False)
    (halt,) = again.state.halts.values()
    assert not halt.done_at
    assert again.state.accounts[ACCOUNT.id].working
    await again.start(run="again", version="0")
    await until(again)
    assert not again.state.accounts[ACCOUNT.id].net[STOCK.id]
    assert not after["simulated"].book.open_orders(ACCOUNT.id)
    assert not after["simulated"].book.positions(ACCOUNT.id)
    closing = [order for order in again.state.orders.values() if order.source == Source.PANIC]
    assert sum(order.filled for order in closing) == 10, "closed once, and not through zero"
    await again.stop()


def test_a_full_queue_says_when_to_come_back() -> None:
    error = QueueFull("30 orders wait", retry_after=0.3)
    assert (error.code, error.retry_after) == ("queue-full", 0.3)
