"""The queue of research: single backtests in one lane, searches in the other, each one at a time, oldest first, in a
process of its own; whoever asked is told how it goes.

A worker that crashes, hangs or is cancelled costs its own work and nothing else. What waits survives a restart. A
search that ran when the server stopped goes on with its study; a single backtest has failed. The study of a search that
has failed, as on a full disk, stays for whoever resumes it. Everything here happens on one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from evenkeel.desk.backtests import Backtest, BacktestState, BacktestStore
from evenkeel.domain.errors import Conflict, EvenkeelError, NotFound, NotReady
from evenkeel.server.jobs.job import STUDY, Failed, Finished, Progress, Work
from evenkeel.server.jobs.process import WorkerProcess
from evenkeel.server.ports import BarSource, Templates

log = structlog.get_logger(__name__)
DEADLINE = 900.0
SEARCH_DEADLINE = 86_400.0
MOST_WAITING = 20
STOPPED = "the server stopped"
_RETRY, _TRIES = 2.0, 100

Told = Callable[[Backtest, Progress | None], None]


class _Lane:
    """What waits for one kind of work, and what is under way."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.waiting: OrderedDict[str, Backtest] = OrderedDict()
        self.current: _Current | None = None
        self.wake = asyncio.Event()

    def put(self, backtest: Backtest) -> None:
        self.waiting[backtest.id] = backtest
        self.wake.set()

    async def next(self) -> Backtest:
        """The oldest, once there is one."""
        while not self.waiting:
            self.wake.clear()
            await self.wake.wait()
        _, backtest = self.waiting.popitem(last=False)
        return backtest


class BacktestQueue:
    """`bars` and `templates` give those of the moment a backtest begins. Files lie in `folder`, one a result."""

    def __init__(
        self,
        stored: BacktestStore,
        folder: Path,
        *,
        bars: Callable[[], BarSource],
        templates: Callable[[], Templates],
        deadline: float = DEADLINE,
        search_deadline: float = SEARCH_DEADLINE,
    ) -> None:
        self._stored, self._folder, self._bars, self._templates = stored, folder, bars, templates
        self._single, self._searches = self._lanes = _Lane(deadline), _Lane(search_deadline)
        self._arriving: Counter[str] = Counter()
        self._resuming: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._changes = 0
        self.on_change: Told | None = None

    async def start(self) -> None:
        """Settles what an earlier process left behind, and begins. Raises NotReady without a database."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:  # each backtest says so; trading need not wait for it
            log.warning("there is no folder for backtests", folder=str(self._folder), reason=error.strerror)
        for backtest in await self._stored.unfinished():
            await self._take_up(backtest)
        studied = {name for lane in self._lanes for name in lane.waiting} | set(await self._stored.failed_ids())
        await asyncio.to_thread(self._sweep, await self._stored.finished_ids(), studied)
        self._tasks = [asyncio.create_task(self._work(lane), name="backtests") for lane in self._lanes]

    async def _take_up(self, backtest: Backtest) -> None:
        """What an earlier process left waiting or running."""
        if backtest.state == BacktestState.RUNNING and not backtest.is_search:
            await self._stored.replace(backtest.ended(BacktestState.FAILED, STOPPED))
            return
        waiting = msgspec.structs.replace(backtest, state=BacktestState.QUEUED, started_at=None)
        if waiting != backtest:
            await self._stored.replace(waiting)
        self._lane_of(waiting).put(waiting)

    def _lane_of(self, backtest: Backtest) -> _Lane:
        return self._searches if backtest.is_search else self._single

    async def stop(self) -> None:
        """Ends the workers. What ran is found as running by the next start, which says what becomes of it."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def submit(self, backtest: Backtest) -> None:
        """Stores it and puts it at the end. Raises Conflict where as many of the user's wait as may."""
        await self._enter(backtest, self._stored.add)

    async def resume(self, user_id: str, backtest_id: str) -> Backtest:
        """Puts a search that has failed at the end again, where it goes on with what it had done. Raises NotFound, and
        Conflict for what is no such search, and as `submit` does.
        """
        if backtest_id in self._resuming:
            raise Conflict(f"backtest {backtest_id!r} is just being resumed")
        self._resuming.add(backtest_id)
        try:
            found = await self.one(user_id, backtest_id)
            if not found.is_search or found.state != BacktestState.FAILED:
                said = f"a {found.kind} that is {found.state} cannot be resumed"
                raise Conflict(said, hint="Sweeps and walk-forwards that have failed can; else ask anew.")
            fresh: dict[str, None] = dict.fromkeys(("started_at", "finished_at", "error"))
            waiting = msgspec.structs.replace(found, state=BacktestState.QUEUED, **fresh)
            await self._enter(waiting, self._stored.replace)
        finally:
            self._resuming.discard(backtest_id)
        return waiting

    async def _enter(self, backtest: Backtest, store: Callable[[Backtest], Awaitable[None]]) -> None:
        user = backtest.user_id
        mine = sum(one.user_id == user for lane in self._lanes for one in lane.waiting.values()) + self._arriving[user]
        if mine >= MOST_WAITING:
            raise Conflict(
                f"{mine} of your backtests wait already, and no more may",
                hint="Wait until one is done, or cancel one.",
            )
        self._arriving[user] += 1
        try:
            await store(backtest)
        finally:
            self._arriving[user] -= 1
        self._lane_of(backtest).put(backtest)
        self._tell(backtest)

    async def one(self, user_id: str, backtest_id: str) -> Backtest:
        """Raises NotFound."""
        found = await self._stored.some(user_id, (backtest_id,))
        if backtest_id not in found:
            raise NotFound(f"there is no backtest {backtest_id!r}")
        return found[backtest_id]

    async def some(self, user_id: str, ids: Collection[str]) -> Mapping[str, Backtest]:
        """The user's backtests with these ids. Raises NotFound, naming the first that is not there."""
        found = await self._stored.some(user_id, ids)
        for name in ids:
            if name not in found:
                raise NotFound(f"there is no backtest {name!r}")
        return found

    async def page(
        self,
        user_id: str,
        *,
        kind: str | None,
        strategy: str | None,
        state: str | None,
        limit: int,
        cursor: str | None,
    ) -> tuple[Sequence[Backtest], str | None]:
        """The user's, newest first, and the cursor of the next page."""
        return await self._stored.page(user_id, kind=kind, strategy=strategy, state=state, limit=limit, cursor=cursor)

    async def newest(self, user_id: str, limit: int) -> Sequence[Backtest]:
        """The user's newest, the newest last; on return, every change told before is in them."""
        while True:
            before = self._changes
            rows, _ = await self._stored.page(user_id, limit=limit)
            if self._changes == before:
                return rows[::-1]

    def progress_of(self, backtest: Backtest) -> Progress | None:
        """How far it is, where it runs."""
        current = self._lane_of(backtest).current
        return current.progress if current is not None and current.backtest.id == backtest.id else None

    def file_of(self, backtest: Backtest) -> Path:
        """Where its columns and report lie once it is done."""
        return self._folder / f"{backtest.id}.npz"

    async def drop(self, user_id: str, backtest_id: str) -> Backtest | None:
        """Cancels what waits or runs and answers with it; removes what has ended. Raises NotFound, Conflict."""
        found = await self.one(user_id, backtest_id)
        lane = self._lane_of(found)
        if backtest_id in lane.waiting:
            return await self._cancel(lane.waiting.pop(backtest_id))
        current = lane.current
        if current is not None and current.backtest.id == backtest_id:
            current.cancel()
            return await asyncio.shield(current.ended)
        if not found.has_ended:
            found = await self.one(user_id, backtest_id)
        if not found.has_ended:
            raise Conflict(f"backtest {backtest_id!r} is just being taken up", hint="Try again in a moment.")
        await self._stored.remove(user_id, backtest_id)
        for path in (self.file_of(found), self.file_of(found).with_suffix(STUDY)):
            await asyncio.to_thread(_unlink, path)
        self._tell(msgspec.structs.replace(found, state=BacktestState.DELETED))
        return None

    async def _cancel(self, backtest: Backtest) -> Backtest:
        ended = backtest.ended(BacktestState.CANCELLED)
        try:
            await self._stored.replace(ended)
        except EvenkeelError:
            self._lane_of(backtest).put(backtest)
            raise
        await asyncio.to_thread(self._clear, ended)
        self._tell(ended)
        return ended

    async def _work(self, lane: _Lane) -> None:
        while True:
            lane.current = current = _Current(await lane.next())
            try:
                await self._run(current, lane.deadline)
            except Exception:
                log.exception("a backtest could not be seen to its end", backtest=current.backtest.id)
                await self._give_up(current)
            finally:
                current.settle()
                lane.current = None

    async def _run(self, current: _Current, deadline: float) -> None:
        now = time.time_ns()
        current.backtest = msgspec.structs.replace(current.backtest, state=BacktestState.RUNNING, started_at=now)
        await self._save(current.backtest)
        self._tell(current.backtest)
        outcome = await self._outcome(current, deadline)
        current.backtest = concluded(current.backtest, outcome)
        if current.backtest.state != BacktestState.DONE:
            await asyncio.to_thread(self._clear, current.backtest)
        await self._save(current.backtest)
        if current.backtest.state == BacktestState.DONE:  # not before: a study outlives a kill until its result does
            await asyncio.to_thread(self._clear, current.backtest)
        current.progress = None
        self._tell(current.backtest)

    async def _give_up(self, current: _Current) -> None:
        """Says that it has failed, where the database takes that; else the next start says it."""
        current.progress = None
        current.backtest = current.backtest.ended(BacktestState.FAILED, "an unexpected fault; the log tells more")
        with suppress(EvenkeelError):
            await self._stored.replace(current.backtest)
        self._tell(current.backtest)

    async def _save(self, backtest: Backtest) -> None:
        """Writes it, if need be again and again for some minutes. Raises NotReady after that."""
        for _ in range(_TRIES):
            try:
                await self._stored.replace(backtest)
            except NotReady as error:
                log.warning("a backtest waits for the database", backtest=backtest.id, reason=error.message)
                await asyncio.sleep(_RETRY)
            else:
                return
        raise NotReady("the database did not take what came of a backtest")

    async def _outcome(self, current: _Current, deadline: float) -> Finished | Failed | None:
        """What came of it; None where it was cancelled."""
        try:
            work = await asyncio.to_thread(self._work_of, current.backtest)
        except EvenkeelError as error:
            return Failed(error.message)
        except Exception as error:
            log.exception("a backtest could not be handed over", backtest=current.backtest.id)
            return Failed(f"it could not be handed to a worker: {error}")

        def heard(progress: Progress) -> None:
            current.progress = progress
            self._tell(current.backtest, stored=False)

        try:
            async with asyncio.timeout(deadline), WorkerProcess(work, heard) as process:
                current.process = process
                outcome = None if current.is_cancelled else await process.outcome()
        except TimeoutError:
            outcome = Failed(f"it took longer than {deadline:g} seconds and was stopped")
        except OSError as error:
            outcome = Failed(f"its process could not be started: {error.strerror or error}")
        if current.is_cancelled:
            return None
        if isinstance(outcome, Failed):
            log.warning("a backtest failed", backtest=current.backtest.id, reason=outcome.error, trace=outcome.trace)
        return outcome

    def _work_of(self, backtest: Backtest) -> bytes:
        """Raises NotFound and InvalidInput where the strategy is no longer there, or cannot be sent."""
        from evenkeel.research.shipping import StrategyReference
        from evenkeel.server.jobs.worker import parcel

        work = Work(
            strategy=StrategyReference.of(self._templates().create(backtest.strategy)),
            parameters=backtest.parameters,
            asked=backtest.asked,
            store=self._bars(),
            file=self.file_of(backtest),
        )
        return parcel(work)

    def _tell(self, backtest: Backtest, *, stored: bool = True) -> None:
        self._changes += stored
        if self.on_change is not None:
            self.on_change(backtest, self.progress_of(backtest))

    def _clear(self, backtest: Backtest) -> None:
        """Removes what an end leaves behind: the study that nobody may resume, and without a result all else."""
        gone = {BacktestState.DONE: (STUDY,), BacktestState.FAILED: (".npz", ".part")}
        for suffix in gone.get(BacktestState(backtest.state), (STUDY, ".npz", ".part")):
            _unlink(self.file_of(backtest).with_suffix(suffix))

    def _sweep(self, finished: Collection[str], studied: Collection[str]) -> None:
        """Removes files that no row speaks of: left by a worker that was killed, or by a removal cut short."""
        for path in self._folder.glob("*"):
            known = {".npz": finished, STUDY: studied, ".part": ()}.get(path.suffix)
            if known is not None and path.stem not in known:
                _unlink(path)


def _unlink(path: Path) -> None:
    """Removes it. What the disk keeps, a later start sweeps away; until then it costs room and nothing else."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("a file of a backtest could not be removed", file=str(path), reason=error.strerror)


class _Current:
    """The backtest under way."""

    def __init__(self, backtest: Backtest) -> None:
        self.backtest = backtest
        self.progress: Progress | None = Progress("starting")
        self.process: WorkerProcess | None = None
        self.is_cancelled = False
        self.ended: asyncio.Future[Backtest] = asyncio.get_running_loop().create_future()

    def cancel(self) -> None:
        self.is_cancelled = True
        if self.process is not None:
            self.process.kill()

    def settle(self) -> None:
        if not self.ended.done():
            self.ended.set_result(self.backtest)


def concluded(backtest: Backtest, outcome: Finished | Failed | None) -> Backtest:
    """The backtest with what came of it."""
    if outcome is None:
        return backtest.ended(BacktestState.CANCELLED)
    if isinstance(outcome, Failed):
        return backtest.ended(BacktestState.FAILED, outcome.error)
    return backtest.done(outcome.summary)
