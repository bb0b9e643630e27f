"""Work is done here, in processes or on Ray alike: in order, with errors told, and nothing left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evenkeel.domain.errors import EvenkeelError, InvalidInput, NotReady
from evenkeel.research import compute
from evenkeel.research.backtest.finding import find
from evenkeel.research.compute import VARIABLE, Runner, Task, crew
from evenkeel.research.search.sweep import sweep
from evenkeel.research.shipping import SharedBars, StrategyReference
from evenkeel.trading.strategies import SignalStrategy
from tests.research.searched import GRID, HOW, Steps, Waiting
from tests.research.worlds import walk
from tests.services import ROOT

BARS = walk(300, seed=5, gaps=0.1)


class Picky(Exception):
    """An error that pickle cannot build again."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


@dataclass(frozen=True, kw_only=True)
class Sums(Task[int, float]):
    """The sum of the first closes, in whichever process; some numbers are trouble."""

    patience: float = 0.0

    def open(self) -> Runner[int, float]:
        return lambda items: map(self._sum, items)

    def _sum(self, count: int) -> float:
        time.sleep(self.patience)
        if count == 13:
            raise Picky(1, 2)
        if count == 66:
            os._exit(3)
        return float(self.series[0].close[:count].sum())


def sums(**more: Any) -> Sums:
    return Sums(strategy=Waiting(), series=(BARS,), **more)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    items = list(range(100, 160))
    with crew(sums(chunk=7), workers) as hands:
        assert list(hands.map(items)) == [float(BARS.close[:count].sum()) for count in items]
        assert list(hands.map([2])) == [float(BARS.close[:2].sum())], "a crew works again"
        assert list(hands.map([])) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_results_before_an_error_arrive_and_the_error_says_where(workers: int) -> None:
    got: list[float] = []
    expected = Picky if workers == 1 else RuntimeError
    with crew(sums(), workers) as hands, pytest.raises(expected, match="1 and 2") as caught:
        got.extend(hands.map([1, 2, 13, 4]))
    assert len(got) == 2
    assert caught.value.__notes__ == ["while running 13"]


def test_a_process_that_dies_is_said() -> None:
    with crew(sums(), 2) as hands, pytest.raises(EvenkeelError, match="ended before its work") as caught:
        list(hands.map([1, 66]))
    assert "__main__" in (caught.value.hint or "")


def test_work_under_way_is_dropped_when_nobody_waits() -> None:
    began = time.monotonic()
    with crew(sums(patience=0.2, chunk=50), 2) as hands:
        assert next(hands.map(range(1, 401))) == BARS.close[0]
        began = time.monotonic()
    assert time.monotonic() - began < 5.0


def test_bars_are_shared_and_read_only() -> None:
    shared = SharedBars.of(BARS, get_context("spawn"))
    one, other = shared.bars(), shared.bars()
    assert one.equals(BARS)
    assert np.shares_memory(one.close, other.close)
    with pytest.raises(ValueError, match="read-only"):
        one.close[0] = 1.0


def test_no_bars_are_shared_as_no_bars() -> None:
    assert len(SharedBars.of(BARS.rows(0, 0), get_context("spawn")).bars()) == 0


def test_an_unknown_way_to_compute_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in ("cloud", "processes:127.0.0.1:6379"):
        monkeypatch.setenv(VARIABLE, setting)
        with pytest.raises(InvalidInput, match=f"expected processes, ray or ray:HOST:PORT, not '{setting}'"):
            crew(sums(), 2)


class NoCluster:
    """Ray as it is where nobody answers."""

    def is_initialized(self) -> bool:
        return False

    def init(self, **where: Any) -> None:
        raise ConnectionError(f"nothing at {where['address']}")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://nowhere"])
def test_a_cluster_that_is_not_there_is_said_at_once(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(compute, "import_module", lambda name: NoCluster())
    monkeypatch.setenv(VARIABLE, f"ray:{address}")
    with pytest.raises(NotReady, match=f"no Ray cluster to work on at {address}: ") as caught:
        crew(sums(), 2)
    assert "unset EVENKEEL_COMPUTE" in (caught.value.hint or "")


@pytest.mark.parametrize("workers", [-1, 1.5, True])
def test_a_number_of_workers_is_a_number(workers: Any) -> None:
    with pytest.raises(InvalidInput, match="workers: expected"):
        crew(sums(), workers)


def test_attributes_travel_with_the_class() -> None:
    strategy = Steps()
    strategy.__dict__["mood"] = {"fair": 1}
    copy = StrategyReference.of(strategy).load()
    assert (type(copy), vars(copy)) == (Steps, {"mood": {"fair": 1}})


def test_attributes_that_cannot_travel_are_refused() -> None:
    strategy = Steps()
    strategy.__dict__["connection"] = lambda: None
    with pytest.raises(InvalidInput, match="attributes of strategy steps cannot be copied"):
        StrategyReference.of(strategy)


def test_a_class_inside_a_function_is_refused() -> None:
    class Inner(Steps):
        name = "inner"

    with pytest.raises(InvalidInput, match="Inner is defined inside another block"):
        sweep(Inner, BARS, grid={"period": [2, 3]}, workers=2, check=False, **HOW)
    assert len(sweep(Inner, BARS, grid={"period": [2, 3]}, check=False, **HOW)) == 2


USER_FILE = """
import numpy as np
from evenkeel.trading.strategies import SignalStrategy, whole

class Mine(SignalStrategy):
    name = "mine"
    parameters = (whole("period", 3, 1),)
    def warmup(self, params):
        return params.whole("period")
    def signals(self, bars, params):
        period = params.whole("period")
        change = np.zeros(len(bars))
        change[period:] = bars.close[period:] - bars.close[:-period]
        return (change > 0).astype(float)
"""


def test_a_strategy_of_a_user_s_file_runs_in_workers(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(USER_FILE)
    alone, both = (sweep(str(file), BARS, grid={"period": [1, 2, 3]}, workers=w, check=False, **HOW) for w in (1, 2))
    assert alone.equals(both)
    assert isinstance(find(str(file)), SignalStrategy)


MAIN = USER_FILE + textwrap.dedent(
    """
    import sys
    import evenkeel as ek
    from evenkeel.research.search.sweep import sweep
    from tests.research.worlds import walk

    def main():
        table = sweep(Mine, walk(300, seed=5), grid={"period": [1, 2, 3]}, workers=2, check=False)
        print(table["period"].to_list())
    """
)


def run_script(tmp_path: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(text)
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_strategy_of_the_script_itself_runs_in_workers(tmp_path: Path) -> None:
    done = run_script(tmp_path, MAIN + 'if __name__ == "__main__":\n    main()\n')
    assert (done.stdout, done.returncode) == ("[1, 2, 3]\n", 0), done.stderr


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    done = run_script(tmp_path, MAIN + "main()\n")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "a worker process ended before its work was done" in done.stderr


def test_a_class_typed_into_no_file_is_refused() -> None:
    code = MAIN + "main()\n"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "the strategy class Mine is defined in no file" in done.stderr


INTERRUPTED = """
import sys
from evenkeel.research.search.sweep import sweep
from tests.research.searched import HOW
from tests.research.worlds import walk
if __name__ == "__main__":
    try:
        sweep("sma-crossover", walk(5000, seed=3), grid={"fast": range(2, 40), "slow": range(50, 90)}, workers=2,
              metrics=["win_rate"], study=sys.argv[1], progress=lambda *said: print(said[0], flush=True), **HOW)
    except KeyboardInterrupt:
        print("stopped", flush=True)
        raise SystemExit(130)
"""


@pytest.mark.chaos
def test_ctrl_c_stops_cleanly_and_keeps_what_is_done(tmp_path: Path) -> None:
    script, study = tmp_path / "script.py", tmp_path / "study.jsonl"
    script.write_text(INTERRUPTED)
    child = subprocess.Popen(
        [sys.executable, str(script), str(study)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    while child.stdout.readline() == "0\n":
        """It has only begun."""
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (130, "")
    assert out.endswith("stopped\n")
    done = len(study.read_text().splitlines()) - 1
    assert done > 0
    assert done == int(out.splitlines()[-2])


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: the extra evenkeel[ray] has it")
def test_a_ray_cluster_finds_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alone = sweep("sma-crossover", BARS, grid=GRID, **HOW)
    file = tmp_path / "mine.py"
    file.write_text(USER_FILE)
    mine = sweep(str(file), BARS, grid={"period": [1, 2, 3]}, check=False, **HOW)
    monkeypatch.setenv(VARIABLE, "ray")
    assert sweep("sma-crossover", BARS, grid=GRID, workers=2, **HOW).equals(alone)
    assert sweep(str(file), BARS, grid={"period": [1, 2, 3]}, workers=2, check=False, **HOW).equals(mine)


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_setting_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "ray")
    with pytest.raises(InvalidInput, match="Ray is not installed") as caught:
        sweep("sma-crossover", BARS, grid=GRID, **HOW)
    assert "evenkeel[ray]" in (caught.value.hint or "")
