"""Whoever waits for a position goes on once a thread has reached it, once it is given up, or once time is up."""

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from evenkeel.storage.milestones import Milestones


async def test_what_is_passed_already_is_not_waited_for() -> None:
    found = Milestones()
    found.reach(5)
    for seq in (0, 4, 5):
        assert await found.passed(seq, within=0.0)


async def test_a_thread_releases_those_whose_position_it_reaches() -> None:
    found = Milestones()
    waiting = [asyncio.create_task(found.passed(seq, within=60.0)) for seq in (1, 2, 2, 3)]
    await asyncio.sleep(0)
    await asyncio.to_thread(found.reach, 2)
    assert await asyncio.gather(*waiting[:3]) == [True, True, True]
    assert not waiting[3].done()
    await asyncio.to_thread(found.give_up)
    assert not await waiting[3]


async def test_a_wait_ends_when_time_is_up_or_it_is_cancelled() -> None:
    found = Milestones()
    began = time.monotonic()
    assert not await found.passed(1, within=0.02)
    assert time.monotonic() - began < 5.0
    waiting = asyncio.create_task(found.passed(1, within=60.0))
    await asyncio.sleep(0)
    waiting.cancel()
    assert await asyncio.gather(waiting, return_exceptions=True) != [True]
    await asyncio.to_thread(found.reach, 1)
    assert await found.passed(1, within=0.0)


@given(st.lists(st.integers(1, 30), max_size=12), st.lists(st.integers(1, 10), min_size=1, max_size=8))
def test_nobody_is_left_waiting_whatever_the_steps(wanted: list[int], steps: list[int]) -> None:
    async def told() -> list[bool]:
        found = Milestones()
        waiting = [asyncio.create_task(found.passed(seq, within=60.0)) for seq in wanted]

        def go() -> None:
            for step in steps:
                found.reach(found.seq + step)
            found.give_up()

        await asyncio.to_thread(go)
        # Who began to wait after that is told by the next step.
        await asyncio.sleep(0)
        found.give_up()
        return await asyncio.gather(*waiting)

    assert asyncio.run(told()) == [seq <= sum(steps) for seq in wanted]
