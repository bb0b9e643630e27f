"""The desk's side: starts the process that keeps its tables, tells it what was committed, and starts it again.

A commit costs a comparison here, and a line only where the process has come to what it was last told. A thread waits
for what it answers.
"""

import os
import socket
import subprocess
import sys
import threading
import time

import structlog
from sqlalchemy.exc import SQLAlchemyError

from evenkeel.storage.database import Database
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.following import Follower
from evenkeel.storage.projecting import wire
from evenkeel.storage.projector import stored_cursor

log = structlog.get_logger(__name__)
_COMMAND = ("-P", "-m", "evenkeel.storage.projecting")
LONGEST_WAIT, LASTED = 30.0, 10.0
LEAVES_WITHIN = 5.0


class ProjectorProcess(Follower):
    """Keeps one shard's projections in a process of its own: `start` it as a subscriber of the runner."""

    def __init__(self, database: Database, shard: str, *, log_level: str = "info", log_format: str = "auto") -> None:
        super().__init__(shard)
        self._database = database
        home = str(database.home.absolute())
        self._terms = wire.Terms(os.getpid(), home, database.url, shard, log_level, log_format)
        self._told = 0
        self._has_hastened = False
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def follows(self) -> bool:
        return self._thread is not None

    @property
    def pid(self) -> int | None:
        """The process that runs at present."""
        return None if self._process is None else self._process.pid

    def follow(self, seq: int) -> None:
        self._target = seq
        if self._done.seq >= self._told:
            self._tell()

    def hasten(self) -> None:
        if not self._has_hastened:
            self._has_hastened = True
            self._say(wire.Hasten())

    def start(self) -> None:
        self._thread = threading.Thread(target=self._keep, name="evenkeel-projector", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._say(wire.Stop(self._target, timeout))
        thread.join(timeout + LEAVES_WITHIN)
        if thread.is_alive() and self._process is not None:
            self._process.kill()
            thread.join()
        self._done.give_up()
        if self.lag:
            self._left_behind()

    def _keep(self) -> None:
        """Has a process run until told to stop. The kernel ends it with the thread that started it: this one."""
        failures = 0
        self._look_up()
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                why = f"it ended with exit code {self._accompany()}"
            except Exception as error:  # noqa: BLE001 - whatever it is, another process is tried
                why = str(error) or type(error).__name__
            if self._stopping.is_set():
                return
            failures = 1 if time.monotonic() - began > LASTED else failures + 1
            self._stumbled(f"the process that keeps the tables: {why}")
            self._stopping.wait(min(LONGEST_WAIT, 0.1 * 2 ** min(failures, 10)))

    def _look_up(self) -> None:
        """Where the tables stand, which the process says only once it has come up; without them, it says why."""
        engine = sync_engine(self._database, "read")
        try:
            with engine.connect() as connection:
                stored = stored_cursor(connection, self.shard)
        except SQLAlchemyError as error:
            log.debug("the tables cannot be read yet", error=str(error))
            return
        finally:
            engine.dispose()
        if stored is not None and self._line is None:
            self._done.reach(stored.seq)

    def _accompany(self) -> int:
        """Starts a process, and hears what it says until it ends; its exit code."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._process = process = subprocess.Popen(  # noqa: S603 - our own module, and a number
                    [sys.executable, *_COMMAND, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    process_group=0,  # Ctrl-C on the terminal is for the owner
                )
            try:
                self._begin(ours)
                with ours.makefile("rb") as told:
                    for line in told:
                        self._heard(wire.progress(line))
            finally:
                with self._lock:
                    self._line = None
                ours.close()  # whatever it is doing, it leaves now
                code = process.wait()
        return code

    def _begin(self, line: socket.socket) -> None:
        with self._lock:
            self._line = line
            line.sendall(wire.line(self._terms))
        self._tell()
        if self._stopping.is_set():  # told before there was anybody to tell
            self._say(wire.Stop(self._target, LEAVES_WITHIN))

    def _heard(self, progress: wire.Progress) -> None:
        self._has_hastened = False
        self.is_placed, self.fault = progress.is_placed, progress.fault
        self._done.reach(progress.seq)
        if self.fault is not None:
            self._done.give_up()
        if self._target > self._told <= progress.seq:
            self._tell()

    def _stumbled(self, why: str) -> None:
        self.fault, self.is_placed = why, False
        self._done.give_up()
        log.error("projections are late", shard=self.shard, seq=self.seq, error=why)

    def _tell(self) -> None:
        with self._lock:
            self._told = self._target
            self._send(wire.Follow(self._told))

    def _say(self, request: wire.Request) -> None:
        with self._lock:
            self._send(request)

    def _send(self, request: wire.Request) -> None:
        """To whoever is there. One that has just died hears nothing, and its successor is told anew."""
        if self._line is not None:
            try:
                self._line.sendall(wire.line(request))
            except OSError as error:
                log.debug("nobody hears", error=str(error))
