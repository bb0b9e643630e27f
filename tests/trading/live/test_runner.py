"""The runner: commits before it lets anything out, and lets nothing out that it could not commit."""

import asyncio
from datetime import date
from decimal import Decimal

import pytest

from evenkeel.domain.errors import (
    CommitFailed,
    CommitUnknown,
    IdempotencyConflict,
    JournalError,
    NotReady,
    StaleEpoch,
)
from evenkeel.domain.marketdata import MarketSlice, Split
from evenkeel.domain.orders import OrderState, Side
from evenkeel.domain.records import AlertRaised, AnyRecord, Batch, OrderDecided, chain_hash, encode
from evenkeel.trading.live.recovery import recover
from evenkeel.trading.live.runner import Runner
from tests.trading.live.desk import STOCK, MemoryJournal, bar, buy, in_process, make_runner, market, opened


async def test_an_order_is_committed_sent_accepted_and_filled_at_the_next_open() -> None:
    journal = MemoryJournal()
    runner = await opened(make_runner(journal))
    outcome = await runner.submit(buy())
    await runner.quiet()
    assert state_of(runner, outcome.id) is OrderState.ACCEPTED
    await runner.post_all([market(1, 11.0)])
    await runner.brokers["simulated"].observe(market(1, 11.0))  # type: ignore[attr-defined]
    await runner.quiet()
    assert state_of(runner, outcome.id) is OrderState.FILLED
    assert runner.state.orders[outcome.id].average_price == 11
    runner.state.marks.clear()
    runner.state.profiles.clear()
    assert recover(journal) == runner.state
    await runner.stop()


def state_of(runner: Runner, order_id: str) -> OrderState:
    return runner.state.orders[order_id].state


async def test_the_same_order_again_is_recalled_and_another_under_its_name_is_a_conflict() -> None:
    runner = await opened(make_runner(MemoryJournal()))
    first = await runner.submit(buy())
    again = await runner.submit(buy())
    assert (again.id, again.created) == (first.id, False)
    with pytest.raises(IdempotencyConflict):
        await runner.submit(buy(quantity=11))
    await runner.stop()


async def test_fifty_of_the_same_at_once_make_one_order() -> None:
    """F4: a double click, a reload and a second tab ask for the same order."""
    journal = MemoryJournal()
    runner = await opened(make_runner(journal))
    outcomes = await asyncio.gather(*(runner.submit(buy()) for _ in range(50)))
    assert len({outcome.id for outcome in outcomes}) == 1
    assert sum(outcome.created for outcome in outcomes) == 1
    assert sum(isinstance(record, OrderDecided) for record in journal.records()) == 1
    await runner.stop()


@pytest.mark.parametrize(("fault", "keeps"), [(CommitFailed, True), (CommitUnknown, True), (CommitUnknown, False)])
async def test_a_passing_commit_fault_loses_and_doubles_nothing(fault: type[CommitFailed], *, keeps: bool) -> None:
    journal = MemoryJournal(keeps=keeps)
    runner = await opened(make_runner(journal))
    journal.faults = [fault]
    outcome = await runner.submit(buy())
    await runner.quiet()
    assert runner.state.orders[outcome.id].state is OrderState.ACCEPTED
    assert sum(isinstance(record, OrderDecided) for record in journal.records()) == 1
    assert recover(journal).seq == runner.state.seq
    await runner.stop()


async def test_a_commit_that_keeps_failing_halts_and_lets_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.trading.live.runner.COMMIT_ATTEMPTS", 2)
    journal = MemoryJournal()
    runner = await opened(make_runner(journal))
    seq = journal.last_seq()
    journal.faults = [CommitFailed] * 10
    with pytest.raises(NotReady, match="halted"):
        await runner.submit(buy())
    book = runner.brokers["simulated"].book  # type: ignore[attr-defined]
    assert not book.open_orders("acct")
    assert not runner.healthy
    assert runner.state.seq == seq
    assert not runner.state.orders
    with pytest.raises(NotReady):
        await runner.submit(buy("two"))
    await runner.stop()


def split(day: int, price: float) -> MarketSlice:
    """Two shares for one, and what they cost after that."""
    return MarketSlice(
        market(day).at, (bar(day, price),), splits=(Split(STOCK.id, date(2005, 9, 3), Decimal(2), Decimal(1)),)
    )


async def holding(journal: MemoryJournal) -> Runner:
    """Ten shares bought at 11, and a last price of 14: equity is 30 above the cash."""
    runner = await opened(make_runner(journal))
    await runner.submit(buy())
    await runner.quiet()
    await runner.post_all([market(1, 11.0)])
    await runner.brokers["simulated"].observe(market(1, 11.0))  # type: ignore[attr-defined]
    await runner.quiet()
    await runner.post_all([market(2, 14.0)])
    assert figures(runner) == (14, 10, 100_030)
    return runner


def figures(runner: Runner) -> tuple[Decimal | None, Decimal, Decimal]:
    account = runner.state.accounts["acct"]
    return runner.state.mark(STOCK.id), account.net[STOCK.id], runner.state.equity(account)


async def test_a_halted_desk_keeps_the_last_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.trading.live.runner.COMMIT_ATTEMPTS", 1)
    journal = MemoryJournal()
    runner = await holding(journal)
    journal.faults = [CommitFailed] * 10
    with pytest.raises(NotReady):
        await runner.submit(buy("two"))
    assert figures(runner) == (14, 10, 100_030)
    assert runner.committed_seq == runner.state.seq == journal.last_seq()
    await runner.stop()


@pytest.mark.parametrize(("is_kept", "expected"), [(False, (14, 10, 100_030)), (True, (7, 20, 100_030))])
async def test_prices_follow_a_split_only_where_the_journal_holds_it(
    monkeypatch: pytest.MonkeyPatch, is_kept: bool, expected: tuple[int, int, int]
) -> None:
    """A batch may have been written though nobody could tell: what counts is what is read back in the end."""
    monkeypatch.setattr("evenkeel.trading.live.runner.COMMIT_ATTEMPTS", 1)
    journal = MemoryJournal(keeps=is_kept)
    runner = await holding(journal)
    monkeypatch.setattr(runner, "_read_back", lambda body, first: None)
    journal.faults = [CommitUnknown]
    with pytest.raises(NotReady):
        await runner.post_all([split(3, 8.0)])
    assert figures(runner) == expected
    assert bool(runner.state.splits_applied) is is_kept
    assert runner.committed_seq == runner.state.seq == journal.last_seq()
    await runner.stop()


async def test_another_owner_of_the_shard_halts_this_one_at_once() -> None:
    """F20: the loser of a lease can commit nothing, and therefore send nothing."""
    journal = MemoryJournal()
    runner = await opened(make_runner(journal))
    journal.faults = [StaleEpoch]
    with pytest.raises(NotReady):
        await runner.submit(buy())
    assert isinstance(runner.failure, StaleEpoch)
    await runner.stop()


class Overtaken(MemoryJournal):
    """A journal that another owner has written to while a commit of ours was under way: as many records as ours."""

    overtaken = False

    def append(self, body: bytes, first_seq: int, last_seq: int) -> Batch:
        if not self.overtaken:
            return super().append(body, first_seq, last_seq)
        if self.last_seq() < last_seq:
            count = last_seq - first_seq + 1
            note = AlertRaised(at=1, id="theirs", level="info", kind="theirs", message="theirs")
            previous = chain_hash(self.batches[-1])
            self.batches.append(Batch(self.shard, 2, first_seq, last_seq, previous, encode((note,) * count)))
            raise CommitUnknown("the connection broke while committing")
        raise StaleEpoch("another owner has the shard")


async def test_a_batch_of_another_owner_is_not_taken_for_ours() -> None:
    journal = Overtaken()
    runner = await opened(make_runner(journal))
    journal.overtaken = True
    with pytest.raises(NotReady):
        await runner.submit(buy())
    book = runner.brokers["simulated"].book  # type: ignore[attr-defined]
    assert not book.open_orders("acct")
    assert isinstance(runner.failure, StaleEpoch)
    await runner.stop()


class Unreachable(MemoryJournal):
    """A journal that keeps a batch, loses the connection, and cannot be read the first time after."""

    gone = False

    def append(self, body: bytes, first_seq: int, last_seq: int) -> Batch:
        if super().last_seq() >= first_seq:
            raise CommitFailed("the journal has another end")
        try:
            return super().append(body, first_seq, last_seq)
        except CommitUnknown:
            self.gone = True
            raise

    def last_seq(self) -> int:
        if self.gone:
            self.gone = False
            raise JournalError("no connection yet")
        return super().last_seq()


async def test_a_journal_that_cannot_be_read_back_at_once_is_asked_again() -> None:
    journal = Unreachable(keeps=True)
    runner = await opened(make_runner(journal))
    journal.faults = [CommitUnknown]
    outcome = await runner.submit(buy())
    await runner.quiet()
    assert state_of(runner, outcome.id) is OrderState.ACCEPTED
    assert sum(isinstance(record, OrderDecided) for record in journal.records()) == 1
    await runner.stop()


class Clumsy:
    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        raise KeyError("a bug in a view")


async def test_a_view_that_fails_stops_no_trading() -> None:
    runner = await opened(make_runner(MemoryJournal()))
    runner.subscribe(Clumsy())
    outcome = await runner.submit(buy())
    await runner.quiet()
    assert runner.healthy
    assert state_of(runner, outcome.id) is OrderState.ACCEPTED
    await runner.stop()


async def test_an_unexpected_fault_of_the_engine_halts(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = await opened(make_runner(MemoryJournal()))

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(runner.engine, "step", broken)
    with pytest.raises(NotReady):
        await runner.submit(buy())
    assert not runner.healthy
    await runner.stop()


async def test_what_was_committed_and_not_sent_ends_unsent_after_a_restart() -> None:
    journal = MemoryJournal()
    runner = await opened(make_runner(journal))
    await runner.dispatcher.stop()
    outcome = await runner.submit(buy())
    assert runner.state.orders[outcome.id].state is OrderState.SUBMITTED
    again = make_runner(MemoryJournal(journal.batches))
    await again.start(run="test", version="0")
    await again.quiet()
    order = again.state.orders[outcome.id]
    assert order.state is OrderState.EXPIRED_UNSENT
    assert order.reason == "the broker never received it"
    await again.stop()
    await runner.stop()


async def test_reading_is_not_starved_by_steady_work() -> None:
    runner = await opened(make_runner(MemoryJournal()))
    busy = True

    async def work() -> None:
        number = 0
        while busy:
            number += 1
            await asyncio.gather(*(runner.submit(buy(f"{number}-{part}", side=Side.SELL)) for part in range(3)))

    workers = [asyncio.create_task(work()) for _ in range(4)]
    async with asyncio.timeout(5):
        for _ in range(20):
            await runner.settled()
            assert runner.committed_seq == runner.state.seq
            await asyncio.sleep(0.001)
    busy = False
    await asyncio.gather(*workers)
    await runner.stop()


async def test_reading_waits_for_the_commit() -> None:
    runner = await opened(make_runner(MemoryJournal(), in_process))
    submitting = asyncio.create_task(runner.submit(buy()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await runner.settled()
    assert runner.committed_seq == runner.state.seq
    await submitting
    await runner.stop()
