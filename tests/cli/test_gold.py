"""A sweep of 5,000 combinations with walk-forward on real gold by the hour, as a person runs it: it shows how far it
is, uses every core, is killed and goes on, and ends in a sheet that says how much of it is luck."""

import os
import pty
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evenkeel.research.compute import cores
from tests.server.test_jobs import parent_of, said_by

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")]
EVENKEEL = str(Path(sys.executable).with_name("evenkeel"))
GRID = ("--grid", "fast=5:54", "--grid", "slow=60:258:2")
COMBINATIONS, WINDOWS = 5_000, 2


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.pid, self._screen = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, {**os.environ, "COLUMNS": "120", "TERM": "xterm"})
        self.said = ""

    def read(self, until: Callable[[], bool] = lambda: False) -> str:
        """What it has said when the condition holds, or at its end."""
        while not until():
            try:
                chunk = os.read(self._screen, 1 << 16)
            except OSError:
                chunk = b""
            if not chunk:
                break
            self.said += chunk.decode(errors="replace")
        return self.said

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        self.read()
        os.close(self._screen)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def lines(study: Path) -> int:
    return study.read_bytes().count(b"\n") if study.exists() else 0


def pool_of(pid: int) -> dict[int, float]:
    """Worker processes of a program: pid to the seconds that each has computed."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    pool = [one for one in pids if parent_of(one) == pid and b"spawn_main" in said_by(one, "cmdline")]
    fields = {one: said_by(one, "stat").rpartition(b")")[2].split() for one in pool}
    ticks = os.sysconf("SC_CLK_TCK")
    return {one: (int(said[11]) + int(said[12])) / ticks for one, said in fields.items() if said}


def test_a_killed_walk_forward_goes_on_and_is_judged(shared_data: Path, tmp_path: Path) -> None:
    study, sheet = tmp_path / "gold.jsonl", tmp_path / "gold.html"
    gold = str(shared_data / "xauusd_1h.parquet")
    command = [
        EVENKEEL, "backtest", "walk-forward", "--strategy", "sma-crossover", "--data", gold, *GRID, "--fees-bps", "1",
        "--train", "50000", "--test", "13000", "--study", str(study), "--html", str(sheet),
    ]  # fmt: skip
    first = Terminal(command, tmp_path)
    first.read(lambda: lines(study) > COMBINATIONS // 2)
    pool = pool_of(first.pid)
    first.kill()
    said = first.read()
    assert first.wait() == -signal.SIGKILL
    kept = lines(study)
    assert COMBINATIONS // 2 < kept < COMBINATIONS * WINDOWS, "the kill came too late to show anything"
    if cores() > 1:
        assert len(pool) == cores()
        assert min(pool.values()) > 0.2 * max(pool.values()), "every core has its part"
    assert re.search(r"best sharpe .* \d+ % .*/10000", said), said[-2000:]
    assert re.search(r"0:\d\d:\d\d", said), "time left"
    deadline = time.monotonic() + 20
    while any(said_by(one, "cmdline") for one in pool) and time.monotonic() < deadline:
        time.sleep(0.05)
    again = Terminal(command, tmp_path)
    assert again.wait() == 0, again.said[-2000:]
    resumed = re.search(r"resumed +(\d+)", again.said)
    assert resumed is not None
    assert kept - 2 <= int(resumed[1]) <= kept, "all but a line that was torn"
    assert lines(study) == 1 + COMBINATIONS * WINDOWS
    assert "how much is luck" in again.said
    page = sheet.read_text(encoding="utf-8")
    for part in ("Deflated Sharpe", "Probability of overfitting", "Window by window", "After 5,000 trials"):
        assert part in page
    assert float(re.search(r"deflated sharpe +([\d.e-]+)", again.said)[1]) <= 1.0  # type: ignore[index]
