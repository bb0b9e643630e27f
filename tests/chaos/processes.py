"""Evenkeel and the simulated venue as processes of their own: started, waited for, killed and stopped by their pid."""

import asyncio
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from evenkeel.trading.brokers.simulated.orders import BookState
from evenkeel.trading.brokers.simulated.process.store import Store
from tests.services import ROOT, pick_port

EVENKEEL = str(Path(sys.executable).with_name("evenkeel"))
VENUE = "evenkeel.trading.brokers.simulated.process"
_PR_SET_PDEATHSIG = 1
PASSWORD = "pw-For-chaos-1"
SETTINGS = ("EVENKEEL_", "DATABASE_URL", "JWT_SECRET", "MAX_", "RISK_", "ENABLE_")


@contextmanager
def short_folder() -> Iterator[Path]:
    """A temporary folder whose path is short enough for unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="ek-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def surroundings(**extra: str) -> dict[str, str]:
    """The environment without any setting of Evenkeel's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)} | extra


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Waits for a condition; AssertionError naming it when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while True:
        met = condition()
        if met if isinstance(met, bool) else await met:
            return
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain: {what}"
        await asyncio.sleep(0.02)


def _die_with_parent() -> None:
    """Linux: should the tests themselves be killed, nothing they started lives on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """One child process in a session of its own, with its output in a file."""

    def __init__(self, command: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [*command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env=dict(env) if env is not None else surroundings(),
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - it takes no lock
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if self.is_alive:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self, seconds: float = 30) -> int:
        """SIGTERM; returns the exit code. Kills it and raises TimeoutExpired when it does not end in time."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def said(self) -> str:
        return self.log.read_text(errors="replace")


class Venue:
    """The simulated broker as its own process, with its own durable book, behind `socket`."""

    def __init__(self, folder: Path) -> None:
        self.socket = str(folder / "venue.sock")
        self._folder = folder
        self._book = folder / "book.db"
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        assert self._child is not None
        return self._child

    async def start(self) -> None:
        """Returns when it listens."""
        log = self._folder / f"venue-{time.monotonic_ns()}.log"
        self._child = Child([sys.executable, "-m", VENUE, "--book", str(self._book), "--socket", self.socket], log)

        def listens() -> bool:
            assert self.child.is_alive, self.child.said()
            return '"listening"' in self.child.said()

        await until(listens, "the venue listens")

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    def stop(self) -> None:
        if self._child is not None and self._child.is_alive:
            self._child.terminate()

    def book(self) -> BookState:
        """Everything in its book, read from a copy of its files: the living process holds them exclusively."""
        copy = self._folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for file in (self._book, self._book.with_name("book.db-wal")):
            if file.exists():
                shutil.copy(file, copy / file.name)
        store = Store(copy / self._book.name)
        try:
            return store.load()
        finally:
            store.close()


class Desk:
    """Evenkeel on one home and port, started as often as it is killed. `arguments` follow `evenkeel`."""

    def __init__(self, folder: Path, arguments: Sequence[str], *, database_url: str | None = None) -> None:
        self.home = folder / "home"
        self.port = pick_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.username = "demo" if "demo" in arguments else "owner"
        self.log = folder / "evenkeel.log"
        self._folder = folder
        self._env = surroundings(**({"EVENKEEL_DATABASE_URL": database_url} if database_url else {}))
        self._command = [EVENKEEL, *arguments, "--home", str(self.home), "--port", str(self.port)]
        self._command += ["--password", PASSWORD, "--no-open", "--log-level", "warning", "--log-format", "json"]
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        assert self._child is not None
        return self._child

    def spawn(self, *wrapped: str) -> None:
        """Starts the process, `wrapped` in another program where one is named."""
        assert self._child is None or not self._child.is_alive
        self._child = Child([*wrapped, *self._command], self.log, env=self._env)

    async def ready(self, seconds: float = 120) -> None:
        """Returns when every account is reconciled."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:

            async def is_ready() -> bool:
                assert self.child.is_alive, f"Evenkeel ended: {self.child.said()[-3000:]}"
                try:
                    return (await client.get("/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(is_ready, "Evenkeel is ready", seconds)

    async def start(self) -> None:
        self.spawn()
        await self.ready()

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    def stop(self) -> None:
        if self._child is not None and self._child.is_alive:
            self._child.terminate()

    async def doctor(self) -> dict[str, Any]:
        """What `evenkeel doctor --json` says, read-only, on a running home or one just killed."""
        command = [EVENKEEL, "doctor", "--json", "--home", str(self.home)]
        ran = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, env=self._env, cwd=ROOT, check=False
        )
        assert ran.stdout, ran.stderr
        report: dict[str, Any] = json.loads(ran.stdout)
        assert (ran.returncode == 0) is report["ok"]
        return report
