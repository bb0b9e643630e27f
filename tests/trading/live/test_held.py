"""Held orders in the real runner: moments come though the market is silent, and a kill anywhere doubles nothing."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain.clock import SECOND
from evenkeel.domain.marketdata import MarketSlice, Quote
from evenkeel.domain.orders import Order, OrderKind, OrderSpec, Side, TimeInForce, Trail, Trigger
from evenkeel.domain.records import FillBooked
from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.runner import Clock, Runner
from tests.trading.live.desk import ACCOUNT, BY, DAY, START, STOCK, MemoryJournal, bar, in_process, make_runner, opened

GTC = TimeInForce.GTC


def asked(name: str, side: Side = Side.BUY, quantity: int = 10, **more: Any) -> c.SubmitOrder:
    terms = {"kind": OrderKind.MARKET, "time_in_force": GTC} | more
    spec = OrderSpec(
        account_id=ACCOUNT.id,
        book="manual",
        instrument_id=STOCK.id,
        side=side,
        quantity=Decimal(quantity),
        client_order_id=name,
        **terms,
    )
    return c.SubmitOrder(provenance=BY, spec=spec)


def named(runner: Runner, name: str) -> Order:
    return runner.state.orders[runner.state.client_ids[ACCOUNT.id, name]]


async def until(runner: Runner, name: str, state: str) -> None:
    async with asyncio.timeout(5):
        while named(runner, name).state != state:  # noqa: ASYNC110 - nobody tells of states
            await asyncio.sleep(0.005)


async def test_moments_come_while_the_market_is_silent() -> None:
    clock = Clock()
    runner = Runner(MemoryJournal(), in_process, ids=make_runner(MemoryJournal()).engine.ids.__class__, clock=clock)
    await opened(runner)
    soon = clock.now() + SECOND // 5
    limit: dict[str, Any] = {"kind": OrderKind.LIMIT, "limit_price": Decimal(5)}
    await runner.submit(asked("gtd", time_in_force=TimeInForce.GTD, expires_at=soon, **limit))
    await runner.submit(asked("later", not_before=soon, **limit))
    waiting = asked("waiting", time_in_force=TimeInForce.GTD, expires_at=soon, trigger=Trigger(Decimal(5)))
    await runner.submit(waiting)
    await until(runner, "gtd", "ACCEPTED")
    assert named(runner, "later").state == "HELD"
    await until(runner, "gtd", "EXPIRED")
    await until(runner, "later", "ACCEPTED")
    await until(runner, "waiting", "EXPIRED")
    await runner.stop()


async def life(runner: Runner) -> None:
    """An entry that waits for its price, and a stop that follows it out again."""
    control = FeedControl(runner, None, None)
    days = [(1, 9.0), (2, 9.2), (3, 12.0), (4, 11.8), (5, 10.0), (6, 10.0)]
    if (ACCOUNT.id, "in") not in runner.state.client_ids:
        await runner.submit(asked("in", trigger=Trigger(Decimal("9.50"))))
    for day, price in days:
        if START + day * DAY > runner.clock.at:
            await control.hand_over(MarketSlice(START + day * DAY, (bar(day, price),)))
        if day == 2 and (ACCOUNT.id, "out") not in runner.state.client_ids:
            trail = Trail(amount=Decimal(2))
            await runner.submit(asked("out", Side.SELL, kind=OrderKind.TRAILING_STOP, trail=trail))
        await runner.quiet()


def fates(runner: Runner) -> list[tuple[str, str, str]]:
    return [(one.spec.client_order_id, one.state, str(one.filled)) for one in runner.state.orders.values()]


async def run(journal: MemoryJournal) -> Runner:
    runner = make_runner(journal)
    if journal.batches:
        await runner.start(run="again", version="0")
        await runner.quiet()
        await runner.post_all([MarketSlice(runner.clock.at)])
    else:
        await opened(runner)
    await life(runner)
    await runner.stop()
    return runner


async def test_a_kill_after_any_batch_neither_loses_nor_doubles_an_order() -> None:
    whole = MemoryJournal()
    wanted = fates(await run(whole))
    assert wanted == [("in", "FILLED", "10"), ("out", "FILLED", "10")]
    compared = 0
    for kept in range(5, len(whole.batches) + 1):
        journal = MemoryJournal(whole.batches[:kept])
        runner = await run(journal)
        found = fates(runner)
        filled = [record.fill for record in journal.records() if isinstance(record, FillBooked)]
        assert len({fill.venue_execution_id for fill in filled}) == len(filled) <= 2
        assert runner.state.accounts[ACCOUNT.id].net.get(STOCK.id, Decimal(0)) >= 0
        if any(state in ("EXPIRED_UNSENT", "REFUSED") for _, state, _ in found):
            continue  # an entry that was let out and did not leave is not sent late
        compared += 1
        assert found == wanted, f"killed after batch {kept} of {len(whole.batches)}"
    assert compared > 10


@pytest.mark.parametrize("prices", [(9.9, 9.4, 9.3), (9.4, 9.9, 9.8)])
async def test_a_quote_sets_off_at_once_and_the_next_one_fills(prices: tuple[float, ...]) -> None:
    runner = await opened(make_runner(MemoryJournal()))
    await runner.submit(asked("in", trigger=Trigger(Decimal("9.50"))))
    control, filled = FeedControl(runner, None, None), []
    for number, price in enumerate(prices, 1):
        at = START + number * SECOND
        await control.hand_over(MarketSlice(at, (), (Quote(STOCK.id, at, price - 0.01, price + 0.01, price),)))
        await runner.quiet()
        filled.append(str(named(runner, "in").average_price or ""))
    reached = next(place for place, price in enumerate(prices) if price <= 9.5)
    assert filled[: reached + 1] == [""] * (reached + 1)
    assert filled[reached + 1] == f"{prices[reached + 1] + 0.01:.2f}"
    await runner.stop()


def test_specs_of_held_orders_survive_the_wire() -> None:
    spec = asked("x", trigger=Trigger(Decimal(9)), not_before=5).spec
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(spec), type=OrderSpec) == spec
