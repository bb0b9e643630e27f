"""Orders that go out together: in as few requests as the broker takes, in sequence, and each answered for itself."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from evenkeel.domain.errors import BrokerError, BrokerRejected, OutcomeUnknown
from evenkeel.domain.orders import OrderState
from evenkeel.trading.brokers.ports import Broker, Ticket
from evenkeel.trading.brokers.simulated.adapter import SimulatedBroker
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.brokers.simulated.profile import IN_PROCESS
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.runner import Runner
from tests.trading.live.desk import MemoryJournal, buy, make_runner, opened


class Counting(SimulatedBroker):
    """A simulated broker that notes its requests; `refused` names orders by their place in the next one."""

    is_far = True

    def __init__(self, most: int) -> None:
        super().__init__(Book(), profile=msgspec.structs.replace(IN_PROCESS, most_at_once=most))
        self.requests: list[list[str]] = []
        self.refused: set[int] = set()
        self.fault: Exception | None = None
        self.delay = 0.0

    async def place(self, ticket: Ticket) -> None:
        self.requests.append([ticket.spec.client_order_id])
        await super().place(ticket)

    async def place_all(self, tickets: Sequence[Ticket]) -> list[BrokerError | None]:
        self.requests.append([ticket.spec.client_order_id for ticket in tickets])
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.fault is not None:
            raise self.fault
        refused, self.refused = self.refused, set()
        answers = await super().place_all([one for place, one in enumerate(tickets) if place not in refused])
        rest = iter(answers)
        return [BrokerRejected("not this one") if place in refused else next(rest) for place in range(len(tickets))]


async def desk(broker: Broker, *, deterministic: bool = False) -> Runner:
    def brokers(_state: State) -> Mapping[str, Broker]:
        return {"simulated": broker}

    return await opened(make_runner(MemoryJournal(), brokers, deterministic=deterministic))


def states(runner: Runner) -> dict[str, OrderState]:
    return {order.spec.client_order_id: order.state for order in runner.state.orders.values()}


async def test_what_was_decided_together_goes_out_together() -> None:
    broker = Counting(most=3)
    runner = await desk(broker)
    await runner.post_all([buy(name) for name in "abcdefg"])
    await runner.quiet()
    assert broker.requests == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    assert set(states(runner).values()) == {OrderState.ACCEPTED}
    await runner.stop()


async def test_a_broker_that_takes_one_at_a_time_is_asked_one_at_a_time() -> None:
    broker = Counting(most=1)
    runner = await desk(broker, deterministic=True)
    await runner.post_all([buy(name) for name in "abc"])
    await runner.quiet()
    assert broker.requests == [["a"], ["b"], ["c"]]
    await runner.stop()


async def test_each_order_of_a_request_is_answered_for_itself() -> None:
    broker = Counting(most=10)
    runner = await desk(broker)
    broker.refused = {1}
    await runner.post_all([buy(name) for name in "abc"])
    await runner.quiet()
    assert states(runner) == {"a": OrderState.ACCEPTED, "b": OrderState.REJECTED, "c": OrderState.ACCEPTED}
    await runner.stop()


async def test_a_request_whose_outcome_is_unknown_puts_every_order_of_it_in_doubt_until_it_is_looked_up() -> None:
    broker = Counting(most=10)
    runner = await desk(broker)
    broker.fault = OutcomeUnknown("no answer")
    await runner.post_all([buy(name) for name in "ab"])
    await runner.quiet()
    assert states(runner) == dict.fromkeys("ab", OrderState.EXPIRED_UNSENT), "an exact lookup proved them absent"
    assert len(broker.requests) == 1, "and neither was sent again to find out"
    await runner.stop()


async def test_what_waited_too_long_is_judged_again_and_keeps_its_sequence() -> None:
    broker = Counting(most=2)
    runner = await desk(broker)
    broker.delay = 0.3
    await runner.post_all([buy(name) for name in "abcdef"])
    await runner.quiet()
    assert broker.requests == [["a", "b"], ["c", "d"], ["e", "f"]]
    assert set(states(runner).values()) == {OrderState.ACCEPTED}
    await runner.stop()
