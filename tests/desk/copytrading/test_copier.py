"""The live consumer copies what is committed; a kill at any boundary of the journal loses and doubles nothing."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from evenkeel.desk.copytrading.copier import NOTE_AFTER, Copier
from evenkeel.domain import commands as c
from evenkeel.domain.accounts import AccountType, FillTerms, Limits, Readiness
from evenkeel.domain.copy_records import CopyCursorMoved, CopyTaken
from evenkeel.domain.copying import CopyKind, CopyLink, CopyMode, CopyTerms, Multiplier
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState, Side, TimeInForce
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Source
from evenkeel.domain.records import AlertRaised, OrderDecided, RunStarted, decode, encode
from evenkeel.trading.engine.state import Mark
from evenkeel.trading.live.recovery import recover
from evenkeel.trading.live.runner import Runner
from tests.trading.live.desk import ACCOUNT, BY, START, STOCK, MemoryJournal, make_runner, market

LIMITS = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=None, allow_short=True)
FOLLOWERS = {"f1": "1", "f2": "0.25"}


def copying(journal: MemoryJournal) -> Runner:
    runner = make_runner(journal)
    runner.subscribe(Copier(runner, volatility=lambda name, window: None))
    return runner


def account(name: str) -> c.OpenAccount:
    one = replace(ACCOUNT, id=name, name=name, type=AccountType.MARGIN, limits=LIMITS, terms=FillTerms())
    return c.OpenAccount(provenance=BY, account=one, initial_cash=Decimal(1_000_000))


def linked(name: str, mode: CopyMode) -> c.OpenCopyLink:
    link = CopyLink(
        id=f"link-{name}",
        master_id="m",
        follower_id=name,
        mode=mode,
        proposed_by="user",
        accepted=True,
        terms=CopyTerms(Multiplier(Decimal(FOLLOWERS[name]))),
    )
    return c.OpenCopyLink(provenance=BY, link=link)


def order(name: str, side: Side, quantity: int, *, limit: str | None = None) -> c.SubmitOrder:
    kind, lasts = (OrderKind.MARKET, TimeInForce.DAY) if limit is None else (OrderKind.LIMIT, TimeInForce.GTC)
    price = None if limit is None else Decimal(limit)
    spec = OrderSpec("m", "manual", STOCK.id, side, Decimal(quantity), kind, name, price, time_in_force=lasts)
    return c.SubmitOrder(provenance=BY, spec=spec)


async def slices(runner: Runner, *days: int, price: float = 10.0) -> None:
    for day in days:
        venue = runner.brokers["simulated"]
        await runner.post_all([market(day, price)])
        await venue.observe(market(day, price))  # type: ignore[attr-defined]
        await runner.quiet()


async def open_desk(mode: CopyMode, journal: MemoryJournal | None = None) -> tuple[Runner, MemoryJournal]:
    journal = journal or MemoryJournal()
    runner = copying(journal)
    await runner.start(run="test", version="0")
    await runner.submit(c.ListInstrument(provenance=BY, instrument=STOCK))
    for name in ("m", *FOLLOWERS):
        await runner.submit(account(name))
    await slices(runner, 0)
    for name in FOLLOWERS:
        await runner.submit(linked(name, mode))
    return runner, journal


async def trade(runner: Runner) -> None:
    await runner.submit(order("one", Side.BUY, 40))
    await slices(runner, 1, 2)
    await runner.submit(order("two", Side.SELL, 60))
    await slices(runner, 3, 4)
    await runner.submit(order("three", Side.BUY, 8, limit="9"))
    await runner.quiet()


def holds(runner: Runner, name: str) -> Decimal:
    return runner.state.position(PositionKey(name, f"link-{name}", STOCK.id)).quantity


async def test_copies_are_placed_after_the_commit_and_say_where_they_come_from() -> None:
    runner, journal = await open_desk(CopyMode.FILLS)
    await trade(runner)
    assert (holds(runner, "f1"), holds(runner, "f2")) == (Decimal(-20), Decimal(-5))
    decided = [one for one in journal.records() if isinstance(one, OrderDecided) and one.spec.account_id == "f1"]
    assert [(one.spec.side, one.spec.quantity) for one in decided] == [
        (Side.BUY, Decimal(40)),
        (Side.SELL, Decimal(40)),
        (Side.SELL, Decimal(20)),
    ]
    master = [one.order_id for one in journal.records() if isinstance(one, OrderDecided) and one.spec.account_id == "m"]
    first = decided[0].provenance
    assert (first.actor, first.source, first.parent_id) == ("link-f1", Source.COPY_LINK, master[0])
    assert first.cause_id is not None
    assert decided[0].spec.client_order_id == f"copy:link-f1:{first.cause_id}"
    assert {one.spec.book for one in decided} == {"link-f1"}
    await runner.stop()


@pytest.mark.parametrize("mode", list(CopyMode))
async def test_a_kill_at_every_boundary_loses_and_doubles_nothing(mode: CopyMode) -> None:
    runner, journal = await open_desk(mode)
    begun = len(journal.batches)
    await trade(runner)
    whole = {name: holds(runner, name) for name in FOLLOWERS}
    await runner.stop()
    assert whole == {"f1": Decimal(-20), "f2": Decimal(-5)}
    for kept in range(begun, len(journal.batches) + 1):
        again = MemoryJournal(journal.batches[:kept])
        await _goes_on(again)


async def _goes_on(journal: MemoryJournal) -> None:
    """A start on what was committed; the master asks again, and its followers hold their share of what it then has."""
    runner = copying(journal)
    runner.state.marks[STOCK.id] = Mark(10.0, runner.state.time)
    await runner.start(run="test", version="0")
    await runner.quiet()
    await slices(runner, 11, 12)
    for day, (name, side, quantity) in enumerate((("one", Side.BUY, 40), ("two", Side.SELL, 60))):
        await runner.submit(order(name, side, quantity))
        await slices(runner, 13 + 2 * day, 14 + 2 * day)
    held = runner.state.position(PositionKey("m", "manual", STOCK.id)).quantity
    for name, share in FOLLOWERS.items():
        aim, has = held * Decimal(share), holds(runner, name)
        if _was_not_sent(runner, name):  # and nothing is sent late: what it was to open shows as drift
            assert min(aim, Decimal(0)) <= has <= max(aim, Decimal(0))
        else:
            assert has == aim
    taken = Counter((one.link_id, one.source) for one in journal.records() if isinstance(one, CopyTaken) and one.source)
    assert set(taken.values()) == {1}
    await runner.stop()


def _was_not_sent(runner: Runner, name: str) -> bool:
    orders = [one for one in runner.state.orders.values() if one.spec.account_id == name]
    return any(one.state is OrderState.EXPIRED_UNSENT for one in orders)


async def test_one_followers_failure_is_its_own() -> None:
    runner, _ = await open_desk(CopyMode.FILLS)
    bound = replace(LIMITS, max_order_quantity=Decimal(1))
    await runner.submit(c.SetLimits(provenance=BY, account_id="f1", limits=bound))
    await runner.submit(order("one", Side.BUY, 40))
    await slices(runner, 1, 2)
    assert (holds(runner, "f1"), holds(runner, "f2")) == (Decimal(0), Decimal(10))
    skip = runner.state.copying.links["link-f1"].last_skip
    assert skip is not None
    assert skip.kind is CopyKind.FILL
    assert "max-order-quantity" in skip.skipped
    await runner.stop()


async def test_what_concerns_no_link_is_noted_now_and_then() -> None:
    runner, journal = await open_desk(CopyMode.FILLS)
    told = AlertRaised(at=runner.clock.now(), id="a", level="info", kind="test", message="nothing of ours")
    cursor = runner.state.copying.cursor
    copier = next(one for one in runner._subscribers if isinstance(one, Copier))
    batch = journal.batches[-1]
    copier.committed(replace(batch, last_seq=batch.last_seq + NOTE_AFTER + 1, body=encode((told,))), (told,))
    await runner.quiet()
    assert runner.state.copying.cursor > cursor + NOTE_AFTER
    assert [one for one in journal.records() if isinstance(one, CopyCursorMoved)]
    await runner.stop()


class Waiting:
    """A runner on a journal, whose accounts nobody has reconciled."""

    def __init__(self, journal: MemoryJournal) -> None:
        self.journal, self.state = journal, recover(journal)
        self.posted: list[c.TakeCopy] = []

    def post_batch(self, events: Sequence[Any]) -> None:
        self.posted += events


async def _with_a_fill_not_copied() -> MemoryJournal:
    runner, journal = await open_desk(CopyMode.FILLS)
    await runner.submit(order("one", Side.BUY, 40))
    await slices(runner, 1, 2)
    await runner.stop()
    kinds = [[type(record) for record in decode(batch.body)] for batch in journal.batches]
    return MemoryJournal(journal.batches[: next(n for n, kind in enumerate(kinds) if CopyTaken in kind)])


async def test_after_a_start_it_waits_for_its_followers_but_not_for_long() -> None:
    journal = await _with_a_fill_not_copied()
    started = RunStarted(at=START, run="test", version="0")
    for patience, is_ready in ((0.02, False), (60.0, True)):
        runner = Waiting(journal)
        for held in runner.state.accounts.values():
            held.readiness = Readiness.READY if is_ready else Readiness.NOT_READY
        copier = Copier(runner, volatility=lambda name, window: None, patience=patience)
        batch = replace(journal.batches[-1], first_seq=journal.last_seq() + 1, last_seq=journal.last_seq() + 1)
        copier.committed(batch, (started,))
        assert [one.link_id for one in runner.posted] == (["link-f1", "link-f2"] if is_ready else [])
        await asyncio.sleep(0.05)
        assert [one.link_id for one in runner.posted] == ["link-f1", "link-f2"]
        copier.stop()
