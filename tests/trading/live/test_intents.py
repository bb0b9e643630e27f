"""What waits to be sent: since when, decided when, until when; and what a slow commit or another link makes of it."""

import asyncio
import time
from collections.abc import Iterable
from decimal import Decimal

from evenkeel.domain.accounts import Readiness
from evenkeel.domain.orders import OrderState
from evenkeel.domain.records import Batch
from evenkeel.trading.engine.effects import Effect, SendOrder, WantReconcile
from evenkeel.trading.live.intents import KEPT, Intent, Intents
from evenkeel.trading.live.runner import Runner
from tests.trading.live.desk import MemoryJournal, buy, make_runner, opened


def test_the_moment_until_which_counts_from_the_first_decision() -> None:
    intents = Intents()
    assert not intents.put("one", Intent(put=1.0, decided=0.5), longest=2.0)
    assert intents.take("one") == Intent(1.0, 0.5)
    assert intents.put("one", Intent(put=2.2, decided=2.0), longest=2.0), "judged again, it comes back"
    assert not intents.is_over("one", 2.5)
    assert intents.is_over("one", 2.6)
    assert intents.overdue(2.4) == []
    assert intents.overdue(2.6) == ["one"]


def test_what_is_being_judged_again_is_not_overdue_and_keeps_its_moment() -> None:
    intents = Intents()
    intents.put("one", Intent(put=0.0, decided=0.0), longest=2.0)
    intents.take("one")
    assert intents.overdue(3.0) == []
    intents.put("one", Intent(put=3.1, decided=3.0), longest=2.0)
    assert intents.is_over("one", 3.2), "it is sent by the moment it was first decided for, or not at all"
    assert intents.forget("one")
    assert not intents.forget("one")


def test_what_never_comes_back_is_forgotten() -> None:
    intents = Intents()
    intents.put("one", Intent(put=0.0, decided=0.0), longest=2.0)
    intents.take("one")
    assert intents.overdue(2.0 + KEPT + 1.0) == []
    assert not intents.put("one", Intent(put=100.0, decided=100.0), longest=2.0)


class Slow(MemoryJournal):
    """A journal that takes its time over every batch while `seconds` is set."""

    seconds = 0.0

    def append(self, body: bytes, first_seq: int, last_seq: int) -> Batch:
        if self.seconds:
            time.sleep(self.seconds)
        return super().append(body, first_seq, last_seq)


async def sent_of(runner: Runner) -> list[str]:
    venue = runner.brokers["simulated"]
    return [order.venue_client_id or "" for order in await venue.open_orders("acct")]


async def left(runner: Runner, order_id: str) -> None:
    """Waits until an order has been heard of, or has ended."""
    async with asyncio.timeout(5):
        while runner.state.orders[order_id].state is OrderState.SUBMITTED:  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.01)


async def test_an_order_whose_commit_took_longer_than_it_may_wait_is_not_sent() -> None:
    """Nothing is sent late, whatever it was that took so long."""
    journal = Slow()
    runner = await opened(make_runner(journal, deterministic=False))
    journal.seconds = 2.1
    outcome = await runner.submit(buy())
    journal.seconds = 0.0
    await left(runner, outcome.id)
    assert runner.state.orders[outcome.id].state is OrderState.EXPIRED_UNSENT
    assert await sent_of(runner) == []
    await runner.stop()


async def test_an_order_approved_in_the_batch_that_closed_its_account_is_judged_again() -> None:
    """I4: approved, and before it left the account was found to be cut off: it does not leave."""
    runner = await opened(make_runner(MemoryJournal(), deterministic=False))
    outcome = await runner.submit(buy("first"))
    await left(runner, outcome.id)
    before = await sent_of(runner)
    put, held = runner.dispatcher.put_all, runner.state.accounts["acct"]

    def cut_off(effects: Iterable[Effect]) -> None:
        if any(isinstance(effect, SendOrder) for effect in effects):
            held.readiness, held.readiness_reason = Readiness.NOT_READY, "the link is lost"
        put(effects)

    runner.dispatcher.put_all = cut_off  # type: ignore[method-assign]
    outcome = await runner.submit(buy("second", quantity=5))
    await left(runner, outcome.id)
    order = runner.state.orders[outcome.id]
    assert (order.state, order.rule) == (OrderState.EXPIRED_UNSENT, "account-ready")
    assert await sent_of(runner) == before
    assert held.net.get("stock", Decimal(0)) == 0
    await runner.stop()


async def test_whoever_asks_again_does_not_put_off_what_was_asked_before() -> None:
    """A reconcile that is due soon stays due soon, however often another reason for one comes up."""
    runner = await opened(make_runner(MemoryJournal(), deterministic=False))
    dispatcher = runner.dispatcher
    reconciled = runner.state.seq
    for _ in range(20):
        dispatcher.put(WantReconcile("acct", "again", again=True))
        await asyncio.sleep(0.05)
    assert runner.state.seq > reconciled
    await runner.stop()
