"""A real `evenkeel demo` for the browser: started on a free port in a short folder, killed and stopped by its pid."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.chaos.processes import Child
from tests.services import pick_port

EVENKEEL = str(Path(sys.executable).with_name("evenkeel"))
USER = "demo"
PASSWORD = "pw-For-demo-1"
T = TypeVar("T")


def until(
    condition: Callable[[], T], what: str, seconds: float = 150.0, *, about: Callable[[], object] | None = None
) -> T:
    """The first true answer of `condition`; AssertionError naming what did not come, and `about` or the last answer."""
    deadline = time.monotonic() + seconds
    while not (met := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain: {what}; last seen: {about() if about else met!r}")
        time.sleep(0.05)
    return met


class Demo:
    """One demo on one home and port. `arguments` follow `evenkeel demo`; without `password` it makes its own."""

    def __init__(self, folder: Path, *arguments: str, password: str | None = PASSWORD) -> None:
        self.port = pick_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = folder / "home"
        self.log = folder / "evenkeel.log"
        self._command = [EVENKEEL, "demo", "--home", str(self.home), "--port", str(self.port), "--no-open"]
        self._command += ["--log-level", "warning", "--log-format", "json", *arguments]
        self._command += ["--password", password] if password is not None else []
        self._child: Child | None = None
        self._clients: list[httpx.Client] = []

    @property
    def child(self) -> Child:
        assert self._child is not None
        return self._child

    def start(self) -> None:
        """Returns when it answers and has printed where it is."""
        self._child = Child(self._command, self.log)

        with httpx.Client(base_url=self.url, trust_env=False) as client:

            def answers() -> bool:
                assert self.child.is_alive, f"the demo ended: {self.child.said()[-3000:]}"
                try:
                    ready = client.get("/readyz").status_code == 200
                except httpx.TransportError:
                    return False
                return ready and "state is in" in self.child.said()

            until(answers, "the demo is ready", 60)

    def kill(self) -> None:
        self.child.kill()

    def hold(self) -> None:
        """Stops its clock without ending it, as a machine that has been put to sleep."""
        self.child.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.child.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        for client in self._clients:
            client.close()
        if self._child is not None and self._child.is_alive:
            self.wake()
            self._child.terminate()
        if self._child is not None:
            print(self._child.said()[-3000:])  # shown where a test has failed

    @property
    def link(self) -> str:
        """The one-time sign-in link that the last start printed."""
        return str(re.findall(r"http://\S+/link/\?token=\S+", self.child.said())[-1])

    def api(self, password: str = PASSWORD) -> "Api":
        client = httpx.Client(base_url=f"{self.url}/api/v2", trust_env=False, timeout=30)
        self._clients.append(client)
        answer = client.post("/auth/login", json={"username": USER, "password": password})
        client.headers["authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
        return Api(client)

    def doctor(self) -> dict[str, Any]:
        """What `evenkeel doctor --json` says of the home."""
        command = [EVENKEEL, "doctor", "--json", "--home", str(self.home)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.stdout, ran.stderr
        report: dict[str, Any] = json.loads(ran.stdout)
        return report


class Api:
    """The same desk seen through its API, to hold against what the page shows."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path, params=query).raise_for_status().json()

    def every(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get(path, limit=200, **query, **({"cursor": cursor} if cursor else {}))
            yield from page["items"]
            if (cursor := page["next_cursor"]) is None:
                return

    def steer(self, action: str, speed: str | None = None) -> None:
        body = {"action": action} | ({"speed": speed} if speed is not None else {})
        self.client.post("/system/feed", json=body).raise_for_status()

    @property
    def feed(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/system/status")["feed"]
        return found

    def account(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(one for one in self.get("/accounts")["items"] if one["name"] == name)
        return found

    def manual_orders(self, **like: str) -> list[dict[str, Any]]:
        """Orders placed by hand whose fields are as given."""
        orders = [one for one in self.every("/trading/orders") if one["strategy"] is None]
        return [one for one in orders if all(one[name] == value for name, value in like.items())]
