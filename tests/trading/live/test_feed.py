"""The feed's driver: the same market gives the same journal, and a stop at any batch changes nothing in the end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account
from evenkeel.domain.clock import parse_iso
from evenkeel.domain.commands import AnyCommand
from evenkeel.domain.errors import CommitFailed, Conflict, InvalidInput, NotReady
from evenkeel.domain.events import CursorAdvanced
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.records import CursorMoved, FillBooked, OrderDecided, SignalRecorded, decode, encode
from evenkeel.domain.strategies import Allocation, Deployment
from evenkeel.market.feeds.replay import ReplayFeed
from evenkeel.market.sample import sample_market
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.hosting.inline import InlineHosts
from evenkeel.trading.live.hosting.ports import HostStatus
from evenkeel.trading.live.runner import Runner
from evenkeel.trading.live.strategies import StrategyDesk
from evenkeel.trading.strategies.registry import Registry
from tests.trading.live.desk import BY, MemoryJournal, buy, make_runner, market, opened

INSTRUMENTS, BARS, SPLITS = sample_market()
IDS = tuple(one.id for one in INSTRUMENTS)
FIRST, LAST = parse_iso("2004-12-20"), parse_iso("2005-03-15")


def feed() -> ReplayFeed:
    return ReplayFeed(MemoryStore(INSTRUMENTS, BARS.values(), splits=SPLITS), start=FIRST, end=LAST)


async def started(journal: MemoryJournal) -> tuple[Runner, FeedControl]:
    source = feed()
    runner = make_runner(journal, start=source.start)
    is_new = runner.state.seq == 0
    strategies = StrategyDesk(InlineHosts(Registry()), source, runner)
    runner.subscribe(strategies)
    await runner.start(run="test", version="0")
    if is_new:
        await set_up(runner)
    return runner, FeedControl(runner, source, strategies, kind="replay", speed=Decimal(0))


async def set_up(runner: Runner) -> None:
    for instrument in INSTRUMENTS:
        await runner.submit(c.ListInstrument(provenance=BY, instrument=instrument))
    for name, cash in (("one", 100_000), ("two", 30_000)):
        account = Account(name, "user", name, "simulated", "USD", costs="us-per-share")
        await runner.submit(c.OpenAccount(provenance=BY, account=account, initial_cash=Decimal(cash)))
    shares = (Allocation("one", Decimal("0.3")), Allocation("two", Decimal("0.3")))
    for name in Registry().names():
        deployment = Deployment(name, name, name, "1", {}, IDS, shares)
        await runner.submit(c.Deploy(provenance=BY, deployment=deployment))
    await runner.quiet()


async def replay(journal: MemoryJournal) -> Runner:
    runner, control = await started(journal)
    control.launch()
    async with asyncio.timeout(60):
        while control.state == "running":  # noqa: ASYNC110 - the control has no event to wait for
            await asyncio.sleep(0.01)
    await control.stop()
    await runner.stop()
    assert control.state == "ended"
    return runner


def bodies(journal: MemoryJournal) -> bytes:
    return b"".join(encode((record,)) for record in journal.records())


async def test_the_same_replay_gives_the_same_journal() -> None:
    one, two = MemoryJournal(), MemoryJournal()
    await replay(one)
    await replay(two)
    kinds = {type(record) for record in one.records()}
    assert {OrderDecided, FillBooked, SignalRecorded, CursorMoved} <= kinds
    assert bodies(one) == bodies(two)


async def test_the_end_of_a_feed_is_recorded_once() -> None:
    journal = MemoryJournal()
    await replay(journal)
    (ended,) = [record for record in journal.records() if isinstance(record, CursorMoved) and record.ended]
    assert ended.cursor == feed().end
    again = MemoryJournal(journal.batches)
    await replay(again)
    assert sum(isinstance(record, CursorMoved) and record.ended for record in again.records()) == 1


async def test_a_stop_after_any_batch_ends_where_an_undisturbed_run_ends() -> None:
    whole = MemoryJournal()
    state = (await replay(whole)).state
    wanted = _figures(state)
    assert state.splits_applied, "the split of AAPL lies in this market"
    begun = next(n for n, batch in enumerate(whole.batches, 1) if isinstance(decode(batch.body)[-1], CursorMoved))
    for kept in range(begun, len(whole.batches), len(whole.batches) // 12):
        again = MemoryJournal(whole.batches[:kept])
        runner = await replay(again)
        unsent = [o for o in runner.state.orders.values() if o.state == "EXPIRED_UNSENT"]
        if not unsent:
            assert _figures(runner.state) == wanted, f"stopped after batch {kept}"
        executions = [r.fill.venue_execution_id for r in again.records() if isinstance(r, FillBooked)]
        assert len(executions) == len(set(executions))


def _figures(state: State) -> tuple[object, ...]:
    accounts = {name: (held.cash, held.net) for name, held in state.accounts.items()}
    targets = {name: held.targets for name, held in state.deployments.items()}
    return accounts, targets, len(state.orders), len(state.fills)


async def test_pause_resume_and_speed() -> None:
    runner, control = await started(MemoryJournal())
    control.set_speed(Decimal(25))
    control.launch()
    await asyncio.sleep(0.3)
    control.pause()
    await asyncio.sleep(0.1)
    held = control.cursor
    await asyncio.sleep(0.15)
    assert control.cursor == held
    control.resume()
    await asyncio.sleep(1.2)
    assert control.cursor != held
    control.set_speed(Decimal("0.001"))
    await asyncio.sleep(0.1)
    slow = control.cursor
    control.set_speed(Decimal(0))
    async with asyncio.timeout(10):
        while control.cursor == slow:  # noqa: ASYNC110 - a new speed counts at once
            await asyncio.sleep(0.01)
    for wrong in ("-1", "1001", "NaN"):
        with pytest.raises(InvalidInput):
            control.set_speed(Decimal(wrong))
    with pytest.raises(Conflict):
        await control.restart()
    await control.stop()
    await runner.stop()


async def test_without_a_source_there_is_nothing_to_steer() -> None:
    runner = make_runner(MemoryJournal())
    control = FeedControl(runner, None, None)
    control.launch()
    assert (control.kind, control.state, control.start, control.end) == ("none", "none", None, None)
    with pytest.raises(Conflict):
        control.pause()
    await control.stop()


class Answering:
    """Strategies that answer one fill by an order, and count what they have done in their memory."""

    deliver: Callable[[Sequence[AnyCommand], CursorAdvanced], Awaitable[None]] | None = None
    is_late = False

    def __init__(self) -> None:
        self.done = 0

    def prepare(self, before: int) -> None:
        pass

    async def on_slice(self, market: MarketSlice) -> Sequence[AnyCommand]:
        return ()

    async def react(self) -> Sequence[AnyCommand]:
        if self.done:
            return ()
        self.done += 1
        return (buy("answer"),)

    def cursor(self, at: int, *, ended: bool = False) -> CursorAdvanced:
        return CursorAdvanced(at, {"it": bytes([self.done])}, ended)

    async def caught_up(self) -> None:
        pass

    def hosts(self) -> Sequence[HostStatus]:
        return ()

    async def close(self) -> None:
        pass


async def test_what_a_strategy_answers_to_a_fill_is_committed_with_its_memory() -> None:
    """Else a kill right after would have it answer once more; the slice itself is still to be handed over."""
    journal = MemoryJournal()
    runner = await opened(make_runner(journal))
    await FeedControl(runner, None, Answering()).hand_over(market(1))
    (batch,) = (b for b in journal.batches if any(isinstance(r, OrderDecided) for r in decode(b.body)))
    assert CursorMoved(at=market(1).at, cursor=market(1).at - 1, states={"it": b"\x01"}) in decode(batch.body)
    await runner.stop()


async def test_a_feed_that_failed_goes_on_when_it_is_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    runner, control = await started(MemoryJournal())
    whole = control.hand_over
    failed: list[int] = []

    async def once(market: MarketSlice) -> None:
        if not failed:
            failed.append(market.at)
            raise RuntimeError("a passing fault")
        await whole(market)

    monkeypatch.setattr(control, "hand_over", once)
    control.launch()
    async with asyncio.timeout(10):
        while control.state != "paused":  # noqa: ASYNC110 - the control has no event to wait for
            await asyncio.sleep(0.01)
        control.resume()
        while control.state == "running":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert control.state == "ended"
    await control.stop()
    await runner.stop()


async def test_a_feed_says_that_trading_has_halted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.trading.live.runner.COMMIT_ATTEMPTS", 1)
    journal = MemoryJournal()
    runner, control = await started(journal)
    control.set_speed(Decimal("0.001"))
    control.launch()
    assert control.state == "running"
    journal.faults = [CommitFailed] * 10
    with pytest.raises(NotReady):
        await runner.submit(c.PauseDeployment(provenance=BY, deployment_id="sma-crossover", reason="a test"))
    assert control.state == "halted"
    for steer in (control.pause, control.resume):
        with pytest.raises(Conflict, match="trading has halted"):
            steer()
    await control.stop()
    await runner.stop()
