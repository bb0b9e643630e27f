"""A split that becomes effective while the desk is down: it comes first when the desk starts again (F26).

Two runners one after the other on one journal, the simulated broker made anew of it each time.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from evenkeel.domain import records as r
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.clock import to_ns
from evenkeel.domain.commands import SubmitOrder
from evenkeel.domain.ids import Hashed
from evenkeel.domain.marketdata import Dividend, MarketSlice, Quote, Split
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState, Side, TimeInForce, Trigger
from evenkeel.trading.live.missed import missed_actions
from evenkeel.trading.live.runner import Clock, Runner
from tests.trading.live.desk import ACCOUNT, BY, STOCK, MemoryJournal, buy, in_process, opened

BEFORE = to_ns(datetime(2024, 3, 5, 21, tzinfo=UTC))
AFTER = to_ns(datetime(2024, 3, 8, 15, tzinfo=UTC))
SPLIT = Split(STOCK.id, date(2024, 3, 7), Decimal(2), Decimal(1))


class Store:
    """Recorded actions: one split before the desk was shut, one after it, one still to come."""

    def splits(self, instrument_id: str) -> Iterable[Split]:
        days = (date(2024, 3, 4), SPLIT.ex_date, date(2024, 4, 1))
        return [msgspec.structs.replace(SPLIT, ex_date=day) for day in days]

    def dividends(self, instrument_id: str) -> Iterable[Dividend]:
        return [Dividend(STOCK.id, date(2024, 3, 6), Decimal("0.50"))]


class At(Clock):
    """A clock of the wall that stands still."""

    def __init__(self, moment: int) -> None:
        super().__init__()
        self._moment = moment

    def wall(self) -> int:
        return self._moment


def runner_at(journal: MemoryJournal, moment: int) -> Runner:
    return Runner(journal, in_process, ids=lambda state: Hashed(f"at {state.seq}"), clock=At(moment))


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not done():  # noqa: ASYNC110 - what it waits for tells nobody
            await asyncio.sleep(0.005)


def order(name: str, kind: OrderKind, **more: Any) -> SubmitOrder:
    spec = OrderSpec(
        ACCOUNT.id, "manual", STOCK.id, Side.SELL, Decimal(5), kind, name, time_in_force=TimeInForce.GTC, **more
    )
    return SubmitOrder(provenance=BY, spec=spec)


async def before() -> MemoryJournal:
    """Holds 10 at 10, with a stop at 8 at the venue and an order here that a price of 12 sets off; then it is shut."""
    journal = MemoryJournal()
    runner = await opened(runner_at(journal, BEFORE))
    await until(lambda: runner.state.accounts[ACCOUNT.id].readiness is Readiness.READY)
    await runner.submit(buy())
    (venue,) = runner.brokers.values()
    await runner.quiet()
    later = BEFORE + 10**9
    market = MarketSlice(later, quotes=(Quote(STOCK.id, later, 10.0, 10.0, 10.0),))
    await runner.post_all([market])
    await venue.observe(market)  # type: ignore[attr-defined]
    await runner.quiet()
    await runner.submit(order("stop", OrderKind.STOP, stop_price=Decimal(8)))
    await runner.submit(order("high", OrderKind.MARKET, trigger=Trigger(Decimal(12))))
    await runner.quiet()
    await runner.stop()
    return journal


async def test_it_comes_before_anything_else_and_the_broker_agrees() -> None:
    """F26: positions, a stop at the venue and an order held here are all adjusted, and nothing differs afterwards."""
    journal = await before()
    runner = runner_at(MemoryJournal(journal.batches), AFTER)
    seq = runner.state.seq
    missed = missed_actions(runner.state, Store(), at=AFTER)
    assert [(one.splits, len(one.dividends)) for one in missed] == [((), 1), ((SPLIT,), 0)]
    await runner.start(run="again", version="0", missed=missed)
    await until(lambda: runner.state.accounts[ACCOUNT.id].readiness is Readiness.READY)
    await runner.quiet()
    held = runner.state.accounts[ACCOUNT.id]
    assert held.net[STOCK.id] == 20
    by_name = {one.spec.client_order_id: one for one in runner.state.orders.values()}
    assert (by_name["stop"].quantity, by_name["stop"].stop_price) == (Decimal(10), Decimal(4))
    assert by_name["high"].kept is not None
    assert (by_name["high"].state, by_name["high"].kept.level) == (OrderState.HELD, Decimal(6))
    assert isinstance(runner.journal, MemoryJournal)
    records = runner.journal.records()[seq:]
    kinds = [type(one) for one in records]
    assert kinds[0] is r.RunStarted
    assert kinds.index(r.SplitApplied) < kinds.index(r.AccountReconciled)
    assert not set(kinds[: kinds.index(r.SplitApplied)]) & {r.OrderDecided, r.OrderMoved, r.FillBooked}
    assert [one.differences for one in records if isinstance(one, r.AccountReconciled)] == [0]
    assert r.PositionCorrected not in kinds
    await runner.stop()


async def test_it_is_applied_once_however_often_the_desk_starts() -> None:
    journal = await before()
    runner = runner_at(MemoryJournal(journal.batches), AFTER)
    await runner.start(run="again", version="0", missed=missed_actions(runner.state, Store(), at=AFTER))
    await until(lambda: runner.state.accounts[ACCOUNT.id].readiness is Readiness.READY)
    assert missed_actions(runner.state, Store(), at=AFTER) == []
    await runner.stop()
    assert isinstance(runner.journal, MemoryJournal)
    once_more = runner_at(runner.journal, AFTER)
    assert missed_actions(once_more.state, Store(), at=AFTER) == []
    assert once_more.state.accounts[ACCOUNT.id].net[STOCK.id] == 20


async def test_what_is_neither_held_nor_ordered_is_passed_over() -> None:
    runner = runner_at(MemoryJournal(), BEFORE)
    await opened(runner)
    assert missed_actions(runner.state, Store(), at=AFTER) == []
    await runner.stop()
