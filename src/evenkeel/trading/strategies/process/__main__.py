"""The worker: runs one user's strategies, and nothing else. Started by `trading.live.hosting`, never by hand.

It has no account, no secret and no setting, bounded memory and files, and it ends with whoever started it: a line that
breaks ends it whatever it does, and on Linux the kernel does so, too.
"""

import ctypes
import faulthandler
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from evenkeel.trading.strategies.process.terms import Terms

NICENESS = 1
_MIB = 1024 * 1024
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>


def main(argument: str) -> None:
    """Answers requests until the line ends."""
    terms = msgspec.json.decode(argument, type=Terms)
    _end_with_parent(terms)
    _bound(terms)
    _serve(terms)


def _end_with_parent(terms: Terms) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the owner
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != terms.parent:
        os._exit(1)
    threading.Thread(target=_leave_when_broken, args=(terms.line,), daemon=True).start()


def _leave_when_broken(line: int) -> None:
    """A killed owner cannot end its workers; the line that it held breaks instead."""
    waiting = select.poll()
    waiting.register(line, 0)
    waiting.poll()
    os._exit(1)


def _bound(terms: Terms) -> None:
    """Should the processor or the memory run short, they are for whoever owns accounts."""
    os.nice(NICENESS)
    bounds = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, terms.files)]
    bounds += [(resource.RLIMIT_AS, terms.memory * _MIB)] if sys.platform == "linux" else []
    for name, wanted in bounds:
        _, hard = resource.getrlimit(name)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(name, (most, most))
    with suppress(OSError):  # systems without this file choose by size, which is as well
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _serve(terms: Terms) -> None:
    from evenkeel.quant import kernels
    from evenkeel.trading.strategies.answering import Answering
    from evenkeel.trading.strategies.host import DEADLINE, StrategyHost
    from evenkeel.trading.strategies.messages import AskLookback, Start
    from evenkeel.trading.strategies.process import wire
    from evenkeel.trading.strategies.process.board import NOBODY, Board
    from evenkeel.trading.strategies.process.prints import Prints
    from evenkeel.trading.strategies.registry import Registry

    board, slots = Board(terms.board), dict[str, int]()

    def watch(deployment_id: str | None, timed: bool) -> None:
        board.write(NOBODY if deployment_id is None else slots.get(deployment_id, NOBODY), timed=timed)

    faulthandler.enable(2)
    kernels.load()  # which takes longer than a call may
    sys.stdout = sys.stderr = Prints(2, lambda: board.read().slot)
    registry = Registry()
    clock = None if terms.deadline is None else time.monotonic_ns
    deadline = DEADLINE if terms.deadline is None else round(terms.deadline * 1e9)
    answering = Answering(StrategyHost(registry, monotonic=clock, deadline=deadline, watch=watch), registry)
    with socket.socket(fileno=terms.line) as line, line.makefile("rb") as asked:
        while len(length := asked.read(wire.LENGTH)) == wire.LENGTH:
            request = wire.decode_request(asked.read(int.from_bytes(length, "big")))
            if isinstance(request, AskLookback):
                slots[request.deployment.id] = request.slot
            elif isinstance(request, Start):
                slots[request.request.deployment.id] = request.slot
            line.sendall(wire.frame(answering.answer(request)))


if __name__ == "__main__":
    main(sys.argv[1])
