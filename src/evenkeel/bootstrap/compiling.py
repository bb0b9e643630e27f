"""Has what optimisers run compiled beside the server, so that the first who asks for weights does not wait for it.

The critical line alone takes a core a third of a minute, once for each release: what is compiled is kept. A process of
its own does it, when nothing else wants the core; in the server it would hold up the loop.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

AHEAD = ("critical_line.walk", "hierarchy._halve", "long_only.descend", "parity.descend")
_COMMAND = ("-P", "-m", "evenkeel.bootstrap.compiling")
_NICENESS = 19
_VARIABLE, _FOLDER = "NUMBA_CACHE_DIR", "cache/compiled"
log = structlog.get_logger(__name__)


def keep_compiled(home: Path) -> None:
    """Has compiled code kept in the home, where its own folder cannot be written; says so, as where that cannot be
    either. To be called before numba is imported; processes that are started from here go by it."""
    from evenkeel.quant import kernels

    if kernels.can_keep():
        return
    before, spare = os.environ.get(_VARIABLE), home / _FOLDER
    with suppress(OSError):
        spare.mkdir(mode=0o700, parents=True, exist_ok=True)
        spare.chmod(0o700)  # what lies there is run
        os.environ[_VARIABLE] = str(spare)
        if kernels.can_keep():
            log.warning("compiled code is kept in the home: its own folder cannot be written", folder=str(spare))
            return
    os.environ.pop(_VARIABLE, None)
    if before is not None:
        os.environ[_VARIABLE] = before
    log.warning("compiled code cannot be kept, and is compiled again at each start", hint=kernels.REMEDY)


@asynccontextmanager
async def compiled_ahead() -> AsyncIterator[None]:
    """While the context lasts, what is not compiled yet is compiled, if there is time for it and the machine can."""
    task = asyncio.create_task(compile_missing(), name="compiling ahead")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await task


async def compile_missing() -> int | None:
    """Runs the process that compiles, unless all is kept already; its exit code."""
    from evenkeel.quant import kernels
    from evenkeel.trading.live.hosting.process import environment

    if await asyncio.to_thread(kernels.are_kept, *AHEAD):
        return None
    process = await asyncio.create_subprocess_exec(
        sys.executable, *_COMMAND, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, env=environment(os.environ)
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def main() -> None:
    """Compiles into the cache, at its leisure."""
    from evenkeel.quant import kernels
    from evenkeel.quant.portfolio import objectives

    os.nice(_NICENESS)
    assert objectives.OBJECTIVES
    kernels.load()


if __name__ == "__main__":
    main()
