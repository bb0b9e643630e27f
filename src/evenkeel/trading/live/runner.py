"""The live runner: takes what has arrived, steps the engine, commits the batch, and only then lets effects out.

One asyncio loop owns the engine. Commits run on one writer thread; while one is under way, inputs gather for the
next (group commit). If a commit fails for good, nothing of its batch gets out: the runner halts, and the state is
folded anew from what the journal holds, valued at the last prices that were seen before that batch.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import structlog
from msgspec import Struct

from evenkeel.domain.commands import AnyCommand
from evenkeel.domain.errors import CommitFailed, CommitUnknown, EvenkeelError, JournalError, NotReady
from evenkeel.domain.events import Started
from evenkeel.domain.ids import IdSource
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.records import AnyRecord, Batch, encode
from evenkeel.trading.brokers.ports import Broker
from evenkeel.trading.engine.effects import Effect, Outcome
from evenkeel.trading.engine.engine import Engine, Input
from evenkeel.trading.engine.holdings import Marks
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.dispatch import Dispatcher
from evenkeel.trading.live.hours import HoursWatch
from evenkeel.trading.live.links import Links
from evenkeel.trading.live.outbox import Sending
from evenkeel.trading.live.panics import PanicWatch
from evenkeel.trading.live.pictures import Failures
from evenkeel.trading.live.ports import Journal, Subscriber
from evenkeel.trading.live.recovery import recover
from evenkeel.trading.live.timers import TimerWatch
from evenkeel.trading.live.vigil import Vigil

log = structlog.get_logger(__name__)
MAX_BATCH = 2_000
COMMIT_ATTEMPTS = 4
ROUNDS = 2

Result = Outcome | EvenkeelError | None


class Item(Struct):
    """Inputs that are stepped in one batch, and the future of their results."""

    events: Sequence[Input]
    done: asyncio.Future[list[Result]] | None = None


class Clock:
    """Engine time: the wall clock, or, in a replay, the moment of the last slice. All that waits asks it, too."""

    def __init__(self, *, replay: bool = False) -> None:
        self.is_replay = replay
        self.at = 0

    def now(self) -> int:
        return self.at if self.is_replay else self.wall()

    def wall(self) -> int:
        """Nanoseconds of the wall clock."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


class Runner:
    """Owns one shard. Build it, `start` it, `submit` commands; `state` is live and only to be read.

    `deterministic` turns off everything that runs on real time (send_by, re-checks, the wall clock in records).
    """

    def __init__(
        self,
        journal: Journal,
        brokers: Callable[[State], Mapping[str, Broker]],
        *,
        ids: Callable[[State], IdSource],
        clock: Clock,
        deterministic: bool = False,
        on_stage: Callable[[str, float], None] | None = None,
    ) -> None:
        self.journal = journal
        self.clock = clock
        self.deterministic = deterministic
        self.state = recover(journal)
        self.clock.at = self.state.time
        self.engine = Engine(self.state, ids(self.state))
        self.committed_seq = self.state.seq
        self._sure = (self.state.seq, Marks())
        self.last_market: MarketSlice | None = None
        self.failure: BaseException | None = None
        self.decided_at = 0.0
        self.on_stage = on_stage or (lambda stage, seconds: None)
        self.brokers = brokers(self.state)
        self.state.profiles = {name: broker.profile for name, broker in self.brokers.items()}
        self.state.real = frozenset(name for name, one in self.brokers.items() if not one.profile.is_simulated)
        self.dispatcher = Dispatcher(self, self.brokers)
        self.links = Links(self, self.brokers)
        self._panics, self._timers, self._hours = PanicWatch(self), TimerWatch(self), HoursWatch(self)
        self.vigil = Vigil(self)
        self._subscribers: list[Subscriber] = [self._hours]
        self._subscribers += [] if deterministic else [self._panics, self._timers]
        self._inbox: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        self._in_turn = False
        self._stopping = False
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._task: asyncio.Task[None] | None = None

    @property
    def healthy(self) -> bool:
        return self.failure is None and self._task is not None and not self._task.done()

    def subscribe(self, subscriber: Subscriber) -> None:
        """Tells `subscriber` of every batch from now on, after its commit and before its effects go out."""
        self._subscribers.append(subscriber)

    async def start(self, *, run: str, version: str, missed: Sequence[MarketSlice] = ()) -> None:
        """Takes over: records the start, connects the brokers and reconciles every account.

        What was `missed` while nothing ran comes before anything else does, and brokers that simulate are shown it.
        """
        self._task = asyncio.create_task(self._run(), name="runner")
        wall = 0 if self.deterministic else self.clock.wall()
        await self.post_all([Started(run=run, version=version, at=self.clock.now(), wall=wall), *missed])
        self.last_market = missed[-1] if missed else self.last_market
        self.dispatcher.start()
        if not self.deterministic:
            await self.vigil.start()
        self.links.start()

    async def stop(self) -> None:
        """Lets what has been taken finish its commit, then stops. What is not yet sent is looked up next time."""
        self._stopping = True
        self._panics.stop()
        self._timers.stop()
        self._hours.stop()
        await self.vigil.stop()
        await self.links.stop()
        await self.dispatcher.stop()
        if self._task is not None:
            while self.healthy and (self._inbox or self._in_turn):
                await self._wait_for_change()
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._writer.shutdown(wait=True)

    async def submit(self, command: AnyCommand) -> Outcome:
        """Steps one command and answers once it is committed.

        Raises the EvenkeelError by which the engine declined it (nothing changed), or NotReady when halted.
        """
        result = (await self.post_all([command]))[0]
        if isinstance(result, EvenkeelError):
            raise result
        return result or Outcome("", created=False)

    async def post_all(self, events: Sequence[Input]) -> list[Result]:
        """Steps several inputs in one batch and answers, after the commit, with each one's outcome or error."""
        self._check_running()
        done: asyncio.Future[list[Result]] = asyncio.get_running_loop().create_future()
        self._put(Item(events, done))
        return await done

    def post(self, event: Input) -> None:
        """Hands in what has happened outside; nobody waits for it."""
        if self.failure is None:
            self._put(Item((event,)))

    def post_batch(self, events: Sequence[Input]) -> None:
        """The same of several inputs, which are stepped and committed in one batch."""
        if self.failure is None:
            self._put(Item(events))

    def failures(self, account_id: str) -> Failures:
        """How often the account could not be compared with its broker since the start."""
        return self.dispatcher.pictures.failures(account_id)

    def away(self, account_id: str) -> float | None:
        """Seconds for which the account has not been ready; None where it is."""
        return self.vigil.readiness.away(account_id)

    def sending(self, account_id: str) -> Sending:
        """How the account's requests to its broker stand. Raises NotFound."""
        return self.dispatcher.sending(account_id)

    async def settled(self) -> None:
        """Returns when memory is not ahead of the journal, so that what is read from it is committed."""
        while self.failure is None and self.state.seq > self.committed_seq:
            await self._wait_for_change()

    async def quiet(self) -> None:
        """Returns when nothing is waiting: no input, no effect under way, no broker event not yet taken."""
        while self.failure is None and not self._is_quiet():
            await self._wait_for_change()

    async def answered(self) -> None:
        """Returns when what is under way has been answered, and what has followed from it at once.

        Unlike `quiet` it comes to an end while others keep the desk busy. A deterministic run waits for quiet.
        """
        if self.deterministic:
            await self.quiet()
            return
        for _ in range(ROUNDS):
            if self._is_quiet() or not await self._one_round():
                return

    async def _one_round(self) -> bool:
        """Waits for the effects queued now, then for the events heard by then, then for the inbox; False if halted."""
        queued = self.dispatcher.queued()
        while self.failure is None and not self.dispatcher.has_done(queued):
            await self._wait_for_change()
        heard = self.links.heard + self.links.pending()
        while self.failure is None and self.links.pending() and self.links.heard < heard:
            await self._wait_for_change()
        if self.failure is None:
            await self.post_all(())
        return self.failure is None

    def _is_quiet(self) -> bool:
        return not (self._inbox or self._in_turn or self.dispatcher.busy or self.links.backlog())

    def changed(self) -> None:
        """Wakes whoever waits for `quiet` or `settled`."""
        self._changed.set()

    async def _wait_for_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _check_running(self) -> None:
        if self.failure is not None:
            raise NotReady(
                f"trading has halted: {self.failure}", hint="See the log; restart to recover from the journal."
            )

        if self._stopping:
            raise NotReady("the desk is stopping", hint="Try again in a moment.")

    def _put(self, item: Item) -> None:
        self._inbox.append(item)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._inbox:
                self._in_turn = True
                try:
                    await self._turn()
                except Exception as error:  # noqa: BLE001 - whatever it is, trading stops and says so
                    self._halt(error)
                    return
                finally:
                    self._in_turn = False
                    self.changed()
                # Whoever waits to read committed state gets to, before memory runs ahead of the journal again.
                await asyncio.sleep(0)

    async def _turn(self) -> None:
        started, self.decided_at = time.perf_counter(), self.clock.monotonic()
        items = [self._inbox.popleft() for _ in range(min(len(self._inbox), MAX_BATCH))]
        self._current = items
        self._sure = (self.state.seq, Marks(self.state.marks))
        records: list[AnyRecord] = []
        effects: list[Effect] = []
        now, wall = self.clock.now(), 0 if self.deterministic else self.clock.wall()
        results = [[self._step(event, records, effects, now=now, wall=wall) for event in item.events] for item in items]
        decided = time.perf_counter()
        if records:
            batch = await self._commit(tuple(records))
            self.committed_seq = batch.last_seq
            for subscriber in self._subscribers:
                self._tell(subscriber, batch, tuple(records))
            self.on_stage("decided", decided - started)
            self.on_stage("committed", time.perf_counter() - decided)
        if effects:
            self.dispatcher.put_all(effects)
        for item, result in zip(items, results, strict=True):
            if item.done is not None and not item.done.done():
                item.done.set_result(result)
        self._current = []

    @staticmethod
    def _tell(subscriber: Subscriber, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        """What is committed stays so, and what follows from it goes out, whatever befalls those who only watch."""
        try:
            subscriber.committed(batch, records)
        except Exception:
            log.exception("a subscriber failed", subscriber=type(subscriber).__name__, first_seq=batch.first_seq)

    def _step(self, event: Input, records: list[AnyRecord], effects: list[Effect], *, now: int, wall: int) -> Result:
        """Takes one input of a turn; all of them come at the moment of the turn, but slices at their own."""
        try:
            step = self.engine.step(event, event.at if isinstance(event, MarketSlice) else now, wall)
        except EvenkeelError as error:
            log.info("declined", input=type(event).__name__, reason=error.message)
            return error
        records.extend(step.records)
        effects.extend(step.effects)
        return step.outcome

    async def _commit(self, records: tuple[AnyRecord, ...]) -> Batch:
        body = encode(records)
        last = self.state.seq
        first = last - len(records) + 1
        loop = asyncio.get_running_loop()
        failure: JournalError | None = None
        for attempt in range(COMMIT_ATTEMPTS):
            try:
                return await loop.run_in_executor(self._writer, self.journal.append, body, first, last)
            except (CommitFailed, CommitUnknown) as error:
                log.warning("commit failed", error=error.message, attempt=attempt + 1, first_seq=first)
                found = await loop.run_in_executor(self._writer, self._read_back, body, first)
                if found is not None:
                    return found
                failure = error
                await asyncio.sleep(0.05 * 4**attempt)
        raise failure or CommitFailed("the batch was not committed")

    def _read_back(self, body: bytes, first: int) -> Batch | None:
        """Our batch, when the journal holds it after all; None when it does not, or cannot be read yet.

        To append once more is safe then: the journal checks its end and its owner in the same transaction.
        """
        with suppress(JournalError):
            if self.journal.last_seq() >= first:
                found = next(iter(self.journal.read(after_seq=first - 1)))
                return found if (found.body, found.epoch) == (body, self.journal.epoch) else None
        return None

    def _halt(self, error: BaseException) -> None:
        """Stops trading. Memory ahead of the journal is discarded, and everyone who waits is told."""
        log.critical("trading halted", error=str(error), exc_info=error)
        self.failure = error
        told = NotReady(f"trading has halted: {error}", hint="Restart to recover from the journal.")
        for item in (*self._current, *self._inbox):
            if item.done is not None and not item.done.done():
                item.done.set_exception(told)
        self._inbox.clear()
        seq, marks = self._sure
        with suppress(JournalError):
            self.state = recover(self.journal, marks=marks, as_of=seq)
            self.committed_seq = self.state.seq
        self.changed()

    _current: Sequence[Item] = ()
