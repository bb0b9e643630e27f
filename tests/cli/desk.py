"""One running demo for the tests of commands that speak to a server, and the command line as a user types it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from typer.testing import CliRunner, Result

from evenkeel.cli.doors import Doors, PanicPlan, PanicReport, ServePlan
from evenkeel.cli.main import app
from tests.services import compiled_code, pick_port

EVENKEEL = Path(sys.executable).parent / "evenkeel"
PASSWORD = "pw-For-tests-1"
READY_SECONDS = 60


def clean_environment(home: Path) -> dict[str, str]:
    """A user of their own: no setting of the caller's reaches the command."""
    kept = {name: value for name, value in os.environ.items() if not re.match(r"EVENKEEL_|DATABASE_URL$", name)}
    return {**kept, **compiled_code(), "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "COLUMNS": "100"}


def evenkeel(*arguments: object, code: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
    """The installed command, as its own process."""
    command = [str(EVENKEEL), *(str(one) for one in arguments)]
    options = {"stdin": subprocess.DEVNULL, **options}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


class Served(list[ServePlan]):
    """Stands in for the server: keeps the plans it was asked to run."""

    def __call__(self, plan: ServePlan) -> int:
        self.append(plan)
        return 0


class Panicked(list[PanicPlan]):
    """Stands in for the rescue of a home on which nothing runs."""

    def __call__(self, plan: PanicPlan) -> PanicReport:
        self.append(plan)
        return PanicReport("account Main", done=False, rests=False, left=("Main: order X 1, it is ACCEPTED",))


def invoke(*arguments: object, code: int = 0, **options: Any) -> Result:
    """A command in this process. What it serves goes to `served`, where one is given."""
    served, panicked = options.pop("served", Served()), options.pop("panicked", Panicked())
    options = {"env": {"EVENKEEL_HOME": None, "COLUMNS": "100"}, **options}
    result = CliRunner().invoke(
        app, [str(one) for one in arguments], obj=Doors(serve=served, panic=panicked), **options
    )
    assert result.exit_code == code, f"exit {result.exit_code}\n{result.output}"
    assert "Traceback" not in result.output
    return result


class Desk:
    """A running demo, and commands that speak to it."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port

    def run(self, *arguments: object, code: int = 0) -> Result:
        return invoke(*arguments, "--home", self.home, code=code)

    def ask(self, *arguments: object, code: int = 0) -> Any:
        """The answer of a command in JSON."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def items(self, *arguments: object) -> list[Any]:
        found = self.ask(*arguments)["items"]
        assert isinstance(found, list)
        return found

    def refused(self, *arguments: object, code: int = 1) -> str:
        """What a command that fails says on stderr."""
        return self.run(*arguments, code=code).stderr

    def problem(self, *arguments: object) -> Any:
        """What a command that fails says on stderr in JSON."""
        return json.loads(self.run(*arguments, "--json", code=1).stderr)


@contextmanager
def running_demo(
    *options: str, stop: int = signal.SIGINT, begun: Path | None = None, keep: Path | None = None
) -> Iterator[Desk]:
    """A demo in a home with a short path; stopped by `stop`, after which it must have said nothing unseemly.

    With `begun` it goes on from a copy of that home, which is quicker than beginning; `keep` is where its own is copied
    to at the end.
    """
    port = pick_port()
    with TemporaryDirectory(prefix="ek-") as folder, (Path(folder) / "log").open("w+", encoding="utf-8") as log:
        home = Path(folder) / "home"
        if begun is not None:
            shutil.copytree(begun, home)
        command = [EVENKEEL, "demo", "--home", home, "--port", port, "--no-open", "--password", PASSWORD, *options]
        process = subprocess.Popen(
            [str(one) for one in command],
            env=clean_environment(Path(folder)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            wait_until_ready(process, port, Path(folder) / "log")
            yield Desk(home, port)
        finally:
            process.send_signal(stop)
            try:
                code = process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        log.seek(0)
        printed = log.read()
        assert (code, "Traceback" in printed) == (0, False), printed
        if keep is not None:
            shutil.copytree(home, keep)


def wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"it did not become ready:\n{log.read_text(encoding='utf-8')}")


def until(found: Any, *, seconds: float = 30.0) -> Any:
    """Asks `found` again until it answers with something true."""
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)
    return answer
