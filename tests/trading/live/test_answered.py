"""While others keep the desk busy, the market still moves, and what it brings on is booked before the next slice."""

import asyncio
from itertools import count

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Limits
from evenkeel.domain.orders import OrderState
from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.runner import Runner
from tests.trading.live.desk import ACCOUNT, BY, MemoryJournal, buy, make_runner, market, opened

FREE = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=None, cash_check=False)


async def busy(deterministic: bool) -> Runner:
    runner = await opened(make_runner(MemoryJournal(), deterministic=deterministic))
    await runner.submit(c.SetLimits(provenance=BY, account_id=ACCOUNT.id, limits=FREE))
    return runner


async def keep_posting(runner: Runner, names: "count[int]") -> None:
    while True:
        await runner.submit(buy(f"more-{next(names)}", 1))


async def test_a_busy_desk_still_gets_its_market() -> None:
    runner = await busy(deterministic=False)
    names = count()
    crowd = [asyncio.create_task(keep_posting(runner, names)) for _ in range(8)]
    control = FeedControl(runner, None, None)
    async with asyncio.timeout(20):
        for day in range(1, 6):
            name = f"mine-{day}"
            mine = (await runner.submit(buy(name))).id
            await runner.answered()
            await control.hand_over(market(day))
            assert runner.state.orders[mine].state is OrderState.FILLED
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    await runner.quiet()
    await runner.stop()
    assert next(names) > 5


async def test_when_quiet_nothing_is_waited_for() -> None:
    runner = await busy(deterministic=False)
    await runner.submit(buy())
    await runner.answered()
    assert [order.state for order in runner.state.orders.values()] == [OrderState.ACCEPTED]
    await runner.stop()
