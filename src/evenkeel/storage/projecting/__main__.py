"""The process that keeps a desk's tables. Started by `storage.projecting.process`, never by hand.

It ends with whoever started it: a line that breaks ends it whatever it does, and on Linux the kernel does so, too. The
transaction that was open is then taken back, and the next start goes on from the cursor.
"""

import ctypes
import gc
import os
import signal
import socket
import sys
import threading
from pathlib import Path

from evenkeel.storage.database import Database
from evenkeel.storage.projecting import wire
from evenkeel.storage.projector import Projector
from evenkeel.telemetry import logs

NICENESS = 2
SELDOM = 50_000, 20, 100
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>


def main(descriptor: int) -> None:
    """Follows the journal until it is told to stop."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)  # they are for the owner, which tells us
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    threading.excepthook = _leave
    with socket.socket(fileno=descriptor) as line, line.makefile("rb") as asked:
        terms = wire.terms(asked.readline())
        if os.getppid() != terms.parent:
            os._exit(1)
        os.nice(NICENESS)
        logs.configure(level=terms.log_level, style=terms.log_format)
        gc.freeze()
        gc.set_threshold(*SELDOM)  # rows are many, and none of them is garbage before its group is written
        worker = Worker(terms, line)
        for request in asked:
            if worker.is_done_with(wire.request(request)):
                return
        os._exit(1)


def _leave(unexpected: threading.ExceptHookArgs) -> None:
    """A projector that ends in a way that nobody foresaw ends the process: the desk begins another."""
    try:
        threading.__excepthook__(unexpected)
    finally:
        os._exit(1)


class Worker:
    """A projector that is told over a line what to follow, and tells over it how far it has come."""

    def __init__(self, terms: wire.Terms, line: socket.socket) -> None:
        self._line = line
        database = Database(Path(terms.home), terms.url)
        self._projector = Projector(database, terms.shard, self._tell, gives_way=False)
        self._projector.start()

    def is_done_with(self, request: wire.Request) -> bool:
        """Does what is asked; True once there is nothing more to do."""
        match request:
            case wire.Follow(seq):
                self._projector.follow(seq)
            case wire.Hasten():
                self._projector.hasten()
            case wire.Stop(seq, seconds):
                self._projector.follow(seq)
                self._projector.stop(seconds)
                return True
        return False

    def _tell(self) -> None:
        one = self._projector
        self._line.sendall(wire.line(wire.Progress(one.seq, one.is_placed, one.fault)))


if __name__ == "__main__":
    main(int(sys.argv[1]))
