"""A host in a process of its own: started when it is first asked, watched while it works, killed when it is late.

The event loop never waits on it: requests and answers travel over a socket, and what runs there is read off the board
that both share. A call that is still the same after its deadline has its process killed.
"""

import asyncio
import mmap
import os
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec
import structlog
from msgspec import Struct

from evenkeel.domain.errors import NotFound
from evenkeel.trading.live.hosting.ports import Death, Listener
from evenkeel.trading.strategies.answering import origin_of
from evenkeel.trading.strategies.messages import Answer, AnyRequest, Origin
from evenkeel.trading.strategies.process import prints, wire
from evenkeel.trading.strategies.process.board import NOBODY, Board
from evenkeel.trading.strategies.process.terms import Terms
from evenkeel.trading.strategies.registry import Registry

log = structlog.get_logger(__name__)
_COMMAND = ("-P", "-m", "evenkeel.trading.strategies.process")
# What a strategy may see of our surroundings: what Python and its libraries need, and nothing that may be a secret.
_KEPT = (
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONPATH", "PYTHONPYCACHEPREFIX", "VIRTUAL_ENV",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "EVENKEEL_COMPUTE",
)  # fmt: skip
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
_LOOKS_A_DEADLINE = 20
_LEAST_BETWEEN_LOOKS = 0.01
_LEAVES_WITHIN, _SAYS_WITHIN = 2.0, 1.0
_MOST_LINES, _LINES_PER = 200, 10.0


class Bounds(Struct, frozen=True):
    """What a host may use. `deadline` is seconds a call of one deployment (None: no end, for deterministic runs) and
    `start` seconds for starting one and working through its history; `memory` is MiB, `files` open at once.
    """

    deadline: float | None = 1.0
    start: float = 60.0
    memory: int = 2048
    files: int = 256


class ProcessHosts:
    """Hosts of the templates in `registry`, each in its own process."""

    def __init__(self, registry: Registry, bounds: Bounds | None = None) -> None:
        self._registry = registry
        self._bounds = bounds or Bounds()

    @property
    def patience(self) -> float | None:
        return self._bounds.deadline

    def open(self, listener: Listener) -> "HostProcess":
        return HostProcess(self._bounds, listener)

    def origin(self, template: str) -> Origin | None:
        """The class of a template by where it is defined; None for one that there is not, which the host says."""
        try:
            return origin_of(self._registry.template(template))
        except NotFound:
            return None


class HostProcess:
    """One process from its start to its end. Once dead it stays dead; open another."""

    def __init__(self, bounds: Bounds, listener: Listener) -> None:
        self._bounds = bounds
        self._listener = listener
        self._process: asyncio.subprocess.Process | None = None
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._board: Board | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._why: str | None = None
        self._is_asking = False
        self._has_ended = False

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def is_alive(self) -> bool:
        return not self._has_ended

    async def ask(self, request: AnyRequest) -> Answer | Death:
        """Its answer, or how it died over it."""
        self._is_asking = True
        try:
            if self._process is None:
                await self._start()
            return await self._exchange(wire.frame(wire.encode(request)))
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            return await self._death(error)
        except asyncio.CancelledError:
            self.kill("nobody waits for its answer any more")
            raise
        finally:
            self._is_asking = False

    def kill(self, reason: str) -> None:
        if self._why is None and not self._has_ended:
            self._why = reason
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def close(self) -> None:
        """Ends the process: it leaves when its line breaks, or is killed."""
        self._has_ended = True
        if self._line is not None:
            self._line[1].close()
        if self._process is not None:
            await self._gone(self._process, within=_LEAVES_WITHIN, else_why="it did not leave")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._board is not None:
            self._board.close()
            self._board = None

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as shared:
            shared.truncate(mmap.PAGESIZE)
            self._board = Board(shared.fileno())
            self._board.write(NOBODY, timed=False)
            self._line = await asyncio.open_unix_connection(sock=ours)
            bounds, descriptors = self._bounds, (theirs.fileno(), shared.fileno())
            terms = Terms(*descriptors, os.getpid(), bounds.deadline, bounds.memory, bounds.files)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *_COMMAND,
                msgspec.json.encode(terms).decode(),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=STDOUT,
                env=environment(os.environ),
                pass_fds=descriptors,
                start_new_session=True,  # Ctrl-C on the terminal is for the owner, even while this one still starts
            )
        assert self._process.stdout is not None
        self._tasks = [
            asyncio.create_task(self._listen(self._process.stdout), name="prints of a strategy host"),
            asyncio.create_task(self._await_end(self._process), name="end of a strategy host"),
        ]

    async def _exchange(self, request: bytes) -> Answer:
        assert self._line is not None
        reader, writer = self._line
        watch = self._watch()
        try:
            writer.write(request)
            await writer.drain()
            length = int.from_bytes(await reader.readexactly(wire.LENGTH), "big")
            if length > 2 * wire.MOST_BYTES:
                raise EOFError(f"{length:,} bytes are more than an answer may have")
            return wire.decode_answer(await reader.readexactly(length))
        finally:
            if watch is not None:
                watch.stop()

    def _watch(self) -> "_Watch | None":
        if self._bounds.deadline is None or self._board is None:
            return None
        return _Watch(self._board, deadline=self._bounds.deadline, start=self._bounds.start, kill=self.kill)

    async def _death(self, error: Exception) -> Death:
        """What has ended it. A process that runs on though its line is of no use is killed."""
        if self._process is None:
            self._has_ended = True
            return Death(f"its process could not be started: {error}", None)
        await self._gone(self._process, within=_SAYS_WITHIN, else_why=f"its process cannot be talked to: {error}")
        self._has_ended = True
        slot = self._board.read().slot if self._board is not None else NOBODY
        return Death(self._why or _ended_by(self._process.returncode), None if slot == NOBODY else slot)

    async def _gone(self, process: asyncio.subprocess.Process, *, within: float, else_why: str) -> None:
        try:
            async with asyncio.timeout(within):
                await process.wait()
        except TimeoutError:
            self.kill(else_why)
            await process.wait()

    async def _await_end(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        was_alive, self._has_ended = not self._has_ended, True
        if was_alive and not self._is_asking:
            self._listener.died()

    async def _listen(self, stream: asyncio.StreamReader) -> None:
        """Hands on what is printed, line by line; of a flood, the beginning."""
        clock = asyncio.get_running_loop().time
        begun, left, since, has_warned = b"", _MOST_LINES, clock(), False
        while chunk := await stream.read(1 << 16):
            *lines, begun = (begun + chunk).split(b"\n")
            begun = begun[: 2 * prints.LONGEST]
            if clock() - since > _LINES_PER:
                left, since, has_warned = _MOST_LINES, clock(), False
            for line in lines[:left]:
                self._listener.said(*prints.read(line))
            if left < len(lines) and not has_warned:
                has_warned = True
                log.warning("a strategy prints too much: the next seconds of it are not kept", pid=self.pid)
            left = max(0, left - len(lines))


class _Watch:
    """Looks at the board again and again, and kills when it has shown the same call for longer than that may take."""

    def __init__(self, board: Board, *, deadline: float, start: float, kill: Callable[[str], None]) -> None:
        self._board, self._deadline, self._start, self._kill = board, deadline, start, kill
        self._loop = asyncio.get_running_loop()
        self._pause = max(_LEAST_BETWEEN_LOOKS, deadline / _LOOKS_A_DEADLINE)
        self._note, self._since = board.read(), self._loop.time()
        self._next = self._loop.call_later(self._pause, self._look)

    def stop(self) -> None:
        self._next.cancel()

    def _look(self) -> None:
        note, now = self._board.read(), self._loop.time()
        if note != self._note:
            self._note, self._since = note, now
        most = self._deadline if note.timed and note.slot != NOBODY else self._start
        if now - self._since > most:
            whose = "its deadline of" if note.slot != NOBODY else "the time in which a host must answer,"
            self._kill(f"took longer than {whose} {most:g} s, and its process was ended")
        else:
            self._next = self._loop.call_later(self._pause, self._look)


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What of `ours` a strategy may see, with libraries held to one thread: the cores are for all users."""
    return {name: ours[name] for name in _KEPT if name in ours} | _ONE_THREAD


def _ended_by(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"its process was ended by {name}" + ("; was memory short?" if name == "SIGKILL" else "")
    return f"its process ended with exit code {code}"
