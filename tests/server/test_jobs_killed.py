"""kill -9 of a real server while research runs: its workers go with it, and the next start says what came of all, or
goes on with it."""

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.processes import short_folder
from tests.e2e.desks import Api, Demo, until
from tests.server.test_jobs import parent_of, said_by

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")]

SLEEPER = """
import time

import numpy as np
import evenkeel as ek
from evenkeel.trading.strategies.parameters import whole


class Sleeper(ek.SignalStrategy):
    name = "sleeper"
    parameters = (whole("seconds", 0),)

    def warmup(self, params):
        return 0

    def signals(self, bars, params):
        time.sleep(params.whole("seconds"))
        return np.zeros(len(bars))


class Napper(Sleeper):
    name = "napper"
    parameters = (whole("first", 1, 1),)

    def signals(self, bars, params):
        time.sleep(0.05)
        return (np.arange(len(bars)) >= params.whole("first")).astype(float)
"""


def install(folder: Path) -> None:
    """Makes an installed package of the strategy, as an import path sees one."""
    about = folder / "sleeper-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "sleeper.py").write_text(SLEEPER, encoding="utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sleeper\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text(
        "[evenkeel.strategies]\nsleeper = sleeper:Sleeper\nnapper = sleeper:Napper\n", encoding="utf-8"
    )


def ask(api: Api, strategy: str, **parameters: Any) -> str:
    body = {"strategy": strategy, "symbols": ["AAPL"], "parameters": parameters}
    answer = api.client.post("/backtesting", json=body)
    assert answer.status_code == 202, answer.text
    found: str = answer.json()["id"]
    return found


def workers_of(server: int) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if parent_of(pid) == server and b"jobs.worker" in said_by(pid, "cmdline")]


def test_a_killed_server_takes_its_worker_along_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with short_folder() as folder:
        install(folder / "site")
        monkeypatch.setenv("PYTHONPATH", str(folder / "site"))
        demo = Demo(folder)
        try:
            demo.start()
            api = demo.api()
            running, waiting = ask(api, "sleeper", seconds=600), ask(api, "buy-and-hold")
            until(lambda: api.get(f"/backtesting/{running}")["stage"] == "running", "the backtest runs", 60)
            (worker,) = workers_of(demo.child.pid)
            demo.kill()
            until(lambda: not said_by(worker, "cmdline"), "the worker is gone", 20)
            demo.start()
            api = demo.api()
            found = api.get(f"/backtesting/{running}")
            assert (found["state"], found["error"]) == ("failed", "the server stopped")
            done = until(lambda: ended(api, waiting), "the one that waited is done", 120)
            assert (done["state"], done["summary"]["fills"]) == ("done", 1), done["error"]
            assert [path.name for path in (demo.home / "research").iterdir()] == [f"{waiting}.npz"]
            assert (demo.home / "research").stat().st_mode & 0o077 == 0
            running = ask(api, "sleeper", seconds=600)
            until(lambda: workers_of(demo.child.pid), "it runs again", 60)
            (worker,) = workers_of(demo.child.pid)
        finally:
            demo.stop()
        assert not said_by(worker, "cmdline"), "a server that stops in good order leaves none either"


def test_a_sweep_survives_a_killed_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with short_folder() as folder:
        install(folder / "site")
        monkeypatch.setenv("PYTHONPATH", str(folder / "site"))
        demo = Demo(folder)
        try:
            demo.start()
            api = demo.api()
            body = {"strategy": "napper", "symbols": ["AAPL"], "space": {"first": {"low": 1, "high": 200}}}
            answer = api.client.post("/backtesting/sweeps", json=body)
            assert answer.status_code == 202, answer.text
            name = answer.json()["id"]
            until(lambda: (api.get(f"/backtesting/{name}")["done"] or 0) >= 20, "twenty combinations are done", 120)
            (worker,) = workers_of(demo.child.pid)
            demo.kill()
            until(lambda: not said_by(worker, "cmdline"), "the worker is gone", 20)
            study = demo.home / "research" / f"{name}.jsonl"
            kept = len(study.read_bytes().split(b"\n")) - 2
            assert 20 <= kept < 200
            demo.start()
            api = demo.api()
            first = until(lambda: api.get(f"/backtesting/{name}")["done"], "it goes on", 120)
            assert first >= kept
            done = until(lambda: ended(api, name), "it is done", 240)
            assert done["state"] == "done", done["error"]
            assert done["summary"]["search"]["combinations"] == 200
            assert done["summary"]["search"]["verdict"] is not None
            assert not study.exists()
        finally:
            demo.stop()


def ended(api: Api, backtest_id: str) -> Any:
    found = api.get(f"/backtesting/{backtest_id}")
    return found if found["state"] in ("done", "failed") else None
