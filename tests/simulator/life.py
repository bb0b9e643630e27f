"""One process of ours, from its start to its death: the real runner on a virtual loop, with one journal and one line.

Whoever asks for something while it dies gets no answer, and does not know what came of it.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from evenkeel.domain.commands import AnyCommand
from evenkeel.domain.errors import Conflict, EvenkeelError, JournalError, NotReady
from evenkeel.domain.ids import layout, venue_text
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.runner import Runner
from tests.simulator.disk import Dead, Handle
from tests.simulator.door import Door
from tests.simulator.faults import Fault
from tests.simulator.timeline import VirtualClock, VirtualLoop
from tests.simulator.venue import NAME

if TYPE_CHECKING:
    from tests.simulator.world import World

Answer = Callable[[Outcome | None, EvenkeelError | None], None]


class SeededIds:
    """Ids as a home that trades has them, which no restored journal can mint again, and the same for the same seed."""

    def __init__(self, world: "World") -> None:
        self._draw = world.random("ids")

    def public(self, at: int, _sequence: int, _tag: str) -> str:
        return layout(at, self._draw.randbytes(10))

    def venue(self, _at: int, _sequence: int, _tag: str) -> str:
        return venue_text(self._draw.randbytes(13))


class Life:
    """`killed` says when it died, empty while it lives."""

    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.number = number
        self.killed = ""
        self.loop = VirtualLoop(world.timeline, self._execute)
        self.clock = VirtualClock(world.timeline, world.skew)
        self.door = Door(world.venue, self)
        self.runner = Runner(
            Handle(world, self), lambda _state: {NAME: self.door}, ids=lambda _state: world.ids, clock=self.clock
        )
        self.copier = None if world.copies is None else world.copies.join(self)
        self._draw = world.random(f"life {number}")
        self._tasks: set[asyncio.Task[None]] = set()
        self._slices: asyncio.Queue[MarketSlice] = asyncio.Queue()
        self.is_open = False

    @property
    def is_dead(self) -> bool:
        return self.loop.is_dead

    @property
    def has_failed(self) -> bool:
        """Whether trading has halted of itself. A journal may bring that about; nothing else."""
        failure = self.runner.failure
        if failure is not None and not isinstance(failure, JournalError):
            raise AssertionError(f"trading has halted: {failure!r}") from failure
        return failure is not None

    @property
    def is_quiet(self) -> bool:
        runner = self.runner
        return (
            self.is_open
            and not runner.dispatcher.busy
            and not runner.links.backlog()
            and not self._tasks
            and self._slices.empty()
            and not (self.copier is not None and self.copier.waits)
            and runner.state.seq == runner.committed_seq == self.world.disk.last_seq
        )

    @property
    def waits(self) -> str:
        """What is still waited for, in words for whoever looks into it."""
        runner = self.runner
        seqs = f"{runner.state.seq}, {runner.committed_seq}, {self.world.disk.last_seq}"
        return f"{len(self._tasks)} requests and {self._slices.qsize()} slices wait; records {seqs}"

    def kill(self, when: str) -> None:
        if not self.is_dead:
            self.killed = when
            self.world.story.tell("KILLED {}", when)
            self.loop.kill()

    def run(self) -> None:
        """Lives until it dies, or the world is over."""
        starting = self.loop.create_task(self._start())
        self.loop.run_forever()
        if not self.is_dead and starting.done():
            starting.result()
        if self.loop.faults:
            raise AssertionError("; ".join(self.loop.faults))

    async def _start(self) -> None:
        await self.runner.start(run=f"life {self.number}", version="simulated")
        control = FeedControl(self.runner, None, None)
        for command in self.world.opening:
            if self.runner.failure is None:
                await self._submit(command, self._opened)
        self.is_open = True
        while self.runner.failure is None:
            market = await self._slices.get()
            try:
                await control.hand_over(market)
            except EvenkeelError as error:
                self.world.story.tell("the feed stops: {}", error.message)

    def _opened(self, _outcome: Outcome | None, error: EvenkeelError | None) -> None:
        if error is not None and not isinstance(error, Conflict | NotReady):
            raise AssertionError(f"the desk could not be set up: {error.message}") from error

    def show(self, market: MarketSlice) -> None:
        self._slices.put_nowait(market)

    def submit(self, command: AnyCommand, answer: Answer) -> None:
        """Asks for something as a client does; `answer` is told, unless the process dies before."""
        task = self.loop.create_task(self._submit(command, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _submit(self, command: AnyCommand, answer: Answer) -> None:
        try:
            outcome, error = await self.runner.submit(command), None
        except EvenkeelError as caught:
            outcome, error = None, caught
        if not self.is_dead:
            answer(outcome, error)

    def _execute(self, do: Callable[[], Any], future: "asyncio.Future[Any]") -> None:
        """What the writer thread does, after as long as a disk takes."""
        weather = self.world.weather
        delay = 0.0002 + 0.003 * self._draw.random()
        if weather.strikes(Fault.SLOW_COMMIT):
            delay = 0.1 + 2.4 * weather.draw(Fault.SLOW_COMMIT).random()
            self.world.story.tell("the disk takes {:.2f} s", delay)

        def run() -> None:
            if self.is_dead:
                return
            try:
                result, error = do(), None
            except Dead:
                return
            except Exception as caught:  # noqa: BLE001 - whatever it is, whoever waits for it gets it
                result, error = None, caught
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self.world.timeline.after(delay, run)
