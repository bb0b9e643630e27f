"""Virtual time: a plan of what happens when, and an event loop that jumps from one moment to the next.

The plan is the world's and outlives a process; the loop is one process's, and dies with it. Nothing here sleeps.
"""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import ceil
from typing import Any

from evenkeel.domain.clock import SECOND, iso
from evenkeel.trading.live.runner import Clock

MOST_TURNS = 20_000


class Stuck(AssertionError):
    """Nothing will ever happen again, or time has stopped while the process keeps turning."""


class Timeline:
    """The moment (ns since 1970), and what is planned, in order of time and then of planning."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.now = start
        self._plan: list[tuple[int, int, Callable[[], None]]] = []
        self._serial = count()

    def at(self, when: int, do: Callable[[], None]) -> None:
        heappush(self._plan, (max(when, self.now), next(self._serial), do))

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        self.at(self.now + round(seconds * SECOND), do)

    @property
    def next(self) -> int | None:
        return self._plan[0][0] if self._plan else None

    def step(self, until: int | None) -> None:
        """Moves to the next planned moment and does what is planned there, or to `until` where that is earlier."""
        due = self.next
        if due is None and until is None:
            raise Stuck("nothing will ever happen again")
        if due is None or (until is not None and until < due):
            self.now = max(self.now, until or 0)
            return
        self.now = due
        while self._plan and self._plan[0][0] == due:
            heappop(self._plan)[2]()

    def run(self, until: int) -> None:
        """Lets the world go on without a process."""
        while self.now < until:
            self.step(until)

    @property
    def seconds(self) -> float:
        return (self.now - self.start) / SECOND

    def __str__(self) -> str:
        return f"{iso(self.now)[11:19]}.{self.now // 1_000_000 % 1000:03}"


class VirtualClock(Clock):
    """What the runner asks for the time. `skew` (ns) is how far its wall clock is off."""

    def __init__(self, timeline: Timeline, skew: int = 0) -> None:
        super().__init__()
        self.timeline = timeline
        self.skew = skew

    def wall(self) -> int:
        return self.timeline.now + self.skew

    def monotonic(self) -> float:
        return self.timeline.seconds


class VirtualLoop(asyncio.BaseEventLoop):
    """One process's loop. It dies at the turn `killed_at`, or when told to; what dies does nothing any more.

    `execute` carries out what a thread would, in its own good time.
    """

    def __init__(self, timeline: Timeline, execute: Callable[[Callable[[], Any], asyncio.Future[Any]], None]) -> None:
        super().__init__()
        self._timeline = timeline
        self._execute = execute
        self._selector = self
        self.turns = 0
        self.killed_at: int | None = None
        self.is_dead = False
        self.faults: list[str] = []
        self._since = 0
        self.set_exception_handler(self._note)

    def time(self) -> float:
        return self._timeline.seconds

    def select(self, timeout: float | None) -> list[Any]:
        """Stands in for the wait for input and output: here a wait is over at once, and it is later."""
        self.turns += 1
        if self.turns == self.killed_at:
            self.kill()
        if self.is_dead:
            return []
        before = self._timeline.now
        if timeout != 0:
            until = None if timeout is None else before + ceil(timeout * SECOND)
            self._timeline.step(until)
        if self._timeline.now > before:
            self._since = self.turns
        elif self.turns - self._since > MOST_TURNS:
            raise Stuck(f"{MOST_TURNS} turns and no time has passed")
        return []

    def kill(self) -> None:
        """Kill -9: what runs now is finished in memory only, and nothing of it is seen outside."""
        self.is_dead = True
        self.stop()

    def bury(self) -> None:
        """Takes the dead process out of memory."""
        self.is_dead = True
        for _ in range(10):
            tasks = asyncio.all_tasks(self)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.call_soon(self.stop)
            self.run_forever()
        self.close()

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        future: asyncio.Future[Any] = self.create_future()
        self._execute(lambda: func(*args), future)
        return future

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not self.is_dead:
            self.faults.append(f"{context['message']}: {context.get('exception')!r}")

    def _process_events(self, event_list: list[Any]) -> None:
        del event_list

    def _write_to_self(self) -> None:
        """There is no other thread to be woken by."""
