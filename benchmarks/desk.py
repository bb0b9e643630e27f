"""A running `evenkeel up` of its own: a process on a free port of 127.0.0.1 with its home in a given folder."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PASSWORD = "benchmarks only"
PROJECTOR, KEEPER = "projector", "evenkeel.storage.projecting"
START_SECONDS, STOP_SECONDS, LAG_SECONDS = 120.0, 60.0, 120.0


class Desk:
    """Use as a context. `args` go to `evenkeel up` or demo; `settings` are EVENKEEL_ variables without their prefix."""

    def __init__(
        self, home: Path, *args: str, mode: str = "up", database_url: str | None = None, **settings: str
    ) -> None:
        self.home, self.mode, self.args = home, mode, args
        self.database_url = database_url
        self.settings = {f"EVENKEEL_{name.upper()}": value for name, value in settings.items()}
        self.port = 0
        self.door_seconds = self.ready_seconds = 0.0
        self.token = ""

    def __enter__(self) -> Self:
        started = time.perf_counter()
        command = [sys.executable, "-m", "benchmarks.named", self.mode, "--home", str(self.home), "--port", "0"]
        self._log = (self.home.parent / f"{self.home.name}.log").open("a", encoding="utf-8")
        self._process = subprocess.Popen(
            [*command, "--password", PASSWORD, *self.args],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=self._environment(),
        )
        try:
            self._await_door()
            self.door_seconds = time.perf_counter() - started
            user = "demo" if self.mode == "demo" else "owner"
            self.token = self.call("POST", "/auth/login", username=user, password=PASSWORD)["access_token"]
            self._await_ready()
        except BaseException:
            self._end()
            raise
        self.ready_seconds = time.perf_counter() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EVENKEEL_")}
        kept.pop("DATABASE_URL", None)
        if self.database_url is not None:
            kept["EVENKEEL_DATABASE_URL"] = self.database_url
        return kept | self.settings

    def _await_door(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found[1])
                return
        raise RuntimeError(f"evenkeel did not start; see {self._log.name}")

    def _await_ready(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self._answer("GET", "/readyz")[0] == 200:
                return
            time.sleep(0.01)
        raise RuntimeError("evenkeel did not become ready")

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def kill(self) -> None:
        """Ends the process as a power cut would."""
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _answer(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def call(self, method: str, path: str, **body: Any) -> Any:
        """One call of the API v2. Raises RuntimeError with the answer where it is not a success."""
        status, data = self._answer(method, f"/api/v2{path}", body or None)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {data.decode()[:500]}")
        return json.loads(data) if data else None

    def metrics(self) -> str:
        """What `/metrics` says."""
        return self._answer("GET", "/metrics")[1].decode()

    def open_account(self, name: str = "Benchmark") -> str:
        """A paper account with more cash than any run spends; returns its id once it is ready."""
        account = self.call("POST", "/accounts", name=name, cash="1000000000000", type="cash", fees="zero")
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.call("GET", f"/accounts/{account['id']}")["readiness"] == "READY":
                return str(account["id"])
            time.sleep(0.02)
        raise RuntimeError("the account did not become ready")

    def status(self) -> Any:
        return self.call("GET", "/system/status")

    def catch_up(self) -> float:
        """Seconds until the projections hold everything committed. Raises RuntimeError after two minutes."""
        started = time.monotonic()
        while time.monotonic() - started < LAG_SECONDS:
            if self.status()["journal"]["lag"] == 0:
                return time.monotonic() - started
            time.sleep(0.25)
        raise RuntimeError("the projections did not catch up")

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far by thread name; `main` is the event loop. The process that keeps tables is one."""
        found: dict[str, float] = {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            label = "main" if task.name == str(self.pid) else _text(task / "comm").strip()
            found[label] = found.get(label, 0.0) + _on_cpu(task)
            for child in _text(task / "children").split():
                if KEEPER in _text(Path(f"/proc/{child}/cmdline")):
                    threads = Path(f"/proc/{child}/task").iterdir()
                    found[PROJECTOR] = found.get(PROJECTOR, 0.0) + sum(map(_on_cpu, threads))
        return found

    def memory_mib(self) -> float:
        """Resident memory of the process."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="utf-8").split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def _text(file: Path) -> str:
    """What a file of /proc says; nothing where the process or thread has just ended."""
    try:
        return file.read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _on_cpu(task: Path) -> float:
    """Seconds that a thread has been on a CPU."""
    return int((_text(task / "schedstat") or "0").split()[0]) / 1e9


def doctor(home: Path, database_url: str | None = None) -> dict[str, Any]:
    """What `evenkeel doctor --json` says. Raises RuntimeError unless it is content."""
    command = [sys.executable, "-m", "benchmarks.named", "doctor", "--home", str(home), "--json"]
    if database_url is not None:
        command += ["--database-url", database_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    if not report.get("ok"):
        raise RuntimeError(f"the doctor is not content: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return report


def used(before: dict[str, float], after: dict[str, float]) -> tuple[float, float]:
    """CPU seconds between two readings: of the desk without its projector, and of that."""
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    projector = spent.pop(PROJECTOR, 0.0)
    return sum(spent.values()), projector


def evenkeel(*args: str) -> str:
    """Runs one command of the command line and returns what it printed. Raises RuntimeError where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.named", *args], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"evenkeel {' '.join(args)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout
