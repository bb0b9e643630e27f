"""Many runs of one task: in this process, in a pool of processes, or on Ray. Results come in order, one an item.

A task is a strategy and its bars; each process makes it ready once. The bars lie in memory that the processes share.
`EVENKEEL_COMPUTE=ray:HOST:PORT` takes that Ray cluster, `ray` the one that `RAY_ADDRESS` names, else one that it starts
here; without the variable it is processes.
"""

from __future__ import annotations

import os
import pickle
import signal
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, fields
from importlib import import_module
from multiprocessing import get_context, parent_process
from socket import create_connection
from threading import Thread
from types import TracebackType
from typing import Any, Generic, NamedTuple, Self, TypeVar

from evenkeel.domain.errors import EvenkeelError, FieldError, InvalidInput, NotReady
from evenkeel.market.bars import Bars
from evenkeel.research.shipping import SharedBars, StrategyReference
from evenkeel.trading.strategies.registry import AnyStrategy

T = TypeVar("T")
R = TypeVar("R")

VARIABLE = "EVENKEEL_COMPUTE"
KINDS = ("processes", "ray")
_AHEAD = 4
_PATIENCE = 5.0


Runner = Callable[[Sequence[T]], Iterator[R]]


@dataclass(frozen=True, kw_only=True)
class Task(ABC, Generic[T, R]):
    """What is run on every item. Fields beside these two must be picklable. `chunk`: most items handed over at once."""

    strategy: AnyStrategy
    series: tuple[Bars, ...]
    chunk: int = 32

    @abstractmethod
    def open(self) -> Runner[T, R]:
        """Makes ready, in the process that will run it. The runner gives the results of items in their order, and
        raises at the first that fails, after those before it."""


class Crew(ABC, Generic[T, R]):
    """Whoever does the work. A context: left early, by an error or Ctrl+C, it stops after the items under way."""

    @abstractmethod
    def map(self, items: Sequence[T]) -> Iterator[R]:
        """The results of the items, in their order, each as soon as those before it are done.

        Raises what the task raises, with a note that names the item.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of everything."""


def crew(task: Task[T, R], workers: int = 1) -> Crew[T, R]:
    """Whoever runs `task`: this process for one worker, else as `EVENKEEL_COMPUTE` says; 0 workers are one a core,
    of the cluster where it is one.

    Raises InvalidInput for a negative number, an unknown setting, and a strategy that cannot be sent to a process;
    NotReady where a cluster does not answer.
    """
    if isinstance(workers, bool) or int(workers) != workers or workers < 0:
        message = f"expected a number of processes, or 0 for one a core, not {workers!r}"
        raise InvalidInput(f"workers: {message}", errors=(FieldError("workers", message),))
    kind, _, address = (setting := os.environ.get(VARIABLE) or KINDS[0]).partition(":")
    if kind not in KINDS or (address and kind != "ray"):
        message = f"expected processes, ray or ray:HOST:PORT, not {setting!r}"
        raise InvalidInput(f"{VARIABLE}: {message}", errors=(FieldError(VARIABLE, message),))
    if kind == "ray":
        return _Ray(task, int(workers), address or os.environ.get("RAY_ADDRESS", ""))
    count = int(workers) or cores()
    return _Here(task) if count == 1 else _Processes(task, count)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Here(Crew[T, R]):
    """This process."""

    def __init__(self, task: Task[T, R]) -> None:
        self._run = task.open()

    def map(self, items: Sequence[T]) -> Iterator[R]:
        return _named(self._run, items)


def _named(run: Runner[T, R], items: Sequence[T]) -> Iterator[R]:
    """The results; an error gets a note that names its item."""
    done = 0
    try:
        for result in run(items):
            yield result
            done += 1
    except Exception as error:
        error.add_note(f"while running {items[done]}")
        raise


class _Batch(NamedTuple):
    """What came of a chunk: results up to the error, if there was one."""

    results: list[Any]
    error: Exception | None


def _run_chunk(run: Runner[Any, Any], items: Sequence[Any], stopped: Callable[[], bool]) -> _Batch:
    results: list[Any] = []
    try:
        for result in _named(run, items):
            results.append(result)
            if stopped():
                break
    except Exception as error:  # noqa: BLE001 - it is raised again where the results are read
        return _Batch(results, _portable(error))
    return _Batch(results, None)


def _portable(error: Exception) -> Exception:
    """The error, or where it cannot travel between processes, one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - whatever a foreign class of errors does when copied
        plain = RuntimeError(f"{type(error).__name__}: {error}")
        for note in error.__notes__:
            plain.add_note(note)
        return plain
    return error


class _Elsewhere(Crew[T, R]):
    """Other processes, which get chunks of items; a few wait in front of each."""

    def __init__(self, task: Task[T, R], workers: int) -> None:
        self._workers, self._chunk = workers, task.chunk

    def map(self, items: Sequence[T]) -> Iterator[R]:
        size = max(1, min(self._chunk, len(items) // (_AHEAD * self._workers)))
        starts = iter(range(0, len(items), size))
        waiting: deque[Any] = deque()
        while True:
            while len(waiting) < _AHEAD * self._workers and (start := next(starts, None)) is not None:
                waiting.append(self._send(items[start : start + size]))
            if not waiting:
                return
            batch = self._receive(waiting.popleft())
            yield from batch.results
            if batch.error is not None:
                raise batch.error

    @abstractmethod
    def _send(self, items: Sequence[T]) -> Any:
        """Hands a chunk over; what it gives is for `_receive`."""

    @abstractmethod
    def _receive(self, sent: Any) -> _Batch:
        """Waits for a chunk."""


class _Parcel(NamedTuple):
    """A task on its way to another process."""

    kind: type[Task[Any, Any]]
    strategy: StrategyReference
    series: tuple[SharedBars | Bars, ...]
    rest: dict[str, Any]

    @classmethod
    def of(cls, task: Task[Any, Any], share: Callable[[Bars], SharedBars | Bars]) -> _Parcel:
        names = [field.name for field in fields(task) if field.name not in ("strategy", "series")]
        rest = {name: getattr(task, name) for name in names}
        reference = StrategyReference.of(task.strategy)
        return cls(type(task), reference, tuple(share(bars) for bars in task.series), rest)

    def task(self) -> Task[Any, Any]:
        series = tuple(bars.bars() if isinstance(bars, SharedBars) else bars for bars in self.series)
        return self.kind(strategy=self.strategy.load(), series=series, **self.rest)


class _Processes(_Elsewhere[T, R]):
    """New Python processes on this machine, which inherit nothing but the parcel."""

    def __init__(self, task: Task[T, R], workers: int) -> None:
        super().__init__(task, workers)
        if _worker.parcel is not None:
            raise InvalidInput(
                "a worker process wants worker processes of its own",
                hint='In a script, start the work below `if __name__ == "__main__":`, which its workers do not run.',
            )
        context = get_context("spawn")
        self._stop = context.Event()
        parcel = _Parcel.of(task, lambda bars: SharedBars.of(bars, context))
        self._pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(parcel, self._stop))

    def _send(self, items: Sequence[T]) -> Future[_Batch]:
        try:
            return self._pool.submit(_work, items)
        except BrokenProcessPool as error:
            raise _ended() from error

    def _receive(self, sent: Future[_Batch]) -> _Batch:
        try:
            return sent.result()
        except BrokenProcessPool as error:
            raise _ended() from error

    def close(self) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _ended() -> EvenkeelError:
    return EvenkeelError(
        "a worker process ended before its work was done",
        hint='Was memory short? In a script, start the work below `if __name__ == "__main__":`, as every worker '
        "runs the rest of the script when it begins.",
    )


class _Worker:
    """What a worker process holds."""

    parcel: _Parcel | None = None
    run: Runner[Any, Any] | None = None
    stop: Any = None


_worker = _Worker()


def _begin(parcel: _Parcel, stop: Any) -> None:
    """The first thing a worker does. Ctrl+C reaches it too, but is for the process that waits for the results."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker.parcel, _worker.stop = parcel, stop
    Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """A killed process cannot dismiss its workers, and they would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(items: Sequence[Any]) -> _Batch:
    if _worker.run is None:
        assert _worker.parcel is not None
        _worker.run = _worker.parcel.task().open()
    return _run_chunk(_worker.run, items, _worker.stop.is_set)


class _Ray(_Elsewhere[T, R]):
    """Actors of a Ray cluster, one a worker; bars lie in its object store."""

    def __init__(self, task: Task[T, R], workers: int, address: str) -> None:
        """`workers` of 0 are one for each core of the cluster at `address`; without that, of one started here."""
        self._ray = ray = _import_ray()
        parcel = _Parcel.of(task, lambda bars: bars)
        self._started = not ray.is_initialized()
        if self._started:
            _join(ray, address, workers)
        super().__init__(task, workers or max(1, int(ray.cluster_resources().get("CPU", 1))))
        shared, actor = ray.put(parcel), ray.remote(_RayWorker)
        self._actors = deque(actor.remote(shared) for _ in range(self._workers))

    def _send(self, items: Sequence[T]) -> Any:
        self._actors.rotate(-1)
        return self._actors[0].work.remote(list(items))

    def _receive(self, sent: Any) -> _Batch:
        try:
            batch: _Batch = self._ray.get(sent)
        except self._ray.exceptions.RayError as error:
            raise EvenkeelError(
                f"a worker on the Ray cluster did not end its work: {str(error).strip().splitlines()[0]}",
                hint="Its log is in Ray's session folder. Has every machine this version of evenkeel, and memory left?",
            ) from error
        return batch

    def close(self) -> None:
        for actor in self._actors:
            self._ray.kill(actor)
        if self._started:
            self._ray.shutdown()


def _join(ray: Any, address: str, workers: int) -> None:
    where = {"address": address} if address else {"num_cpus": workers or cores(), "include_dashboard": False}
    try:
        _call(address)
        ray.init(log_to_driver=False, logging_level="ERROR", **where)
    except (OSError, RuntimeError, ValueError) as error:
        raise NotReady(
            f"there is no Ray cluster to work on at {address or 'this machine'}: {str(error).strip().splitlines()[0]}",
            hint=f"`ray status` says whether it runs; unset {VARIABLE} to work with processes here.",
        ) from error


def _call(address: str) -> None:
    """Raises OSError where nobody listens at HOST:PORT: Ray itself would wait for minutes, and say so every second."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:
        create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()


class _RayWorker:
    """An actor. Opening can fail by a fault of the strategy, which is then told with the first chunk."""

    def __init__(self, parcel: _Parcel) -> None:
        self._parcel = parcel
        self._run: Runner[Any, Any] | None = None

    def work(self, items: list[Any]) -> _Batch:
        if self._run is None:
            try:
                self._run = self._parcel.task().open()
            except Exception as error:  # noqa: BLE001 - raised where the results are read
                return _Batch([], _portable(error))
        return _run_chunk(self._run, items, lambda: False)


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return import_module("ray")
    except ImportError:
        raise InvalidInput(
            f"{VARIABLE} is ray, and Ray is not installed",
            hint="Install it with the extra `evenkeel[ray]`, or unset the variable.",
        ) from None
