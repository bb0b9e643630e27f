"""A worker process as its server sees it: started with its work, heard line by line, killed when the context ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import msgspec

from evenkeel.server.jobs.job import Failed, Finished, Message, Progress

COMPUTE = "EVENKEEL_COMPUTE"
_COMMAND = ("-P", "-m", "evenkeel.server.jobs.worker")
_LONGEST_LINE = 16 * 1024 * 1024
# One run is one thread's work; libraries that would take every core leave them to trading.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
_DECODER = msgspec.json.Decoder(Message)


class WorkerProcess:
    """`work` are the bytes of `worker.parcel`; `heard` gets every message of progress."""

    def __init__(self, work: bytes, heard: Callable[[Progress], None]) -> None:
        self._work, self._heard = work, heard
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *_COMMAND, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=_environment(), limit=_LONGEST_LINE
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.kill()
        assert self._process is not None
        await self._process.wait()

    def kill(self) -> None:
        """Ends the process, whatever it does."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def outcome(self) -> Finished | Failed:
        """Hands the work over and waits for what comes of it. The pipe stays open: its end is the worker's."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(ConnectionError):  # it has ended already; below is said how
            process.stdin.write(self._work)
            await process.stdin.drain()
        async for line in process.stdout:
            message: Message = _DECODER.decode(line)
            if not isinstance(message, Progress):
                return message
            self._heard(message)
        code = await process.wait()
        why = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return Failed(f"its process ended before the backtest was done ({why}); was memory short?")


def _environment() -> dict[str, str]:
    """What a strategy's code may see: none of our settings, which hold secrets, but where to compute."""
    secret = ("EVENKEEL_", "DATABASE_URL", "JWT_SECRET")
    seen = {name: value for name, value in os.environ.items() if name == COMPUTE or not name.startswith(secret)}
    return seen | _ONE_THREAD
