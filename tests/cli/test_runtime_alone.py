"""What a user installs is enough: the demo and the commands run where the developers' packages cannot be imported."""

import json
import signal
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from packaging.utils import canonicalize_name

from tests.cli.desk import clean_environment, wait_until_ready
from tests.services import pick_port
from tests.tidy.test_dependencies import locked

ABSENT = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from evenkeel.bootstrap import main
main()
"""


def developers_only() -> set[str]:
    """Modules that only packages beyond the runtime lock bring."""
    runtime = set(locked("runtime.txt"))
    return {
        module
        for module, packages in packages_distributions().items()
        if not {canonicalize_name(package) for package in packages} & (runtime | {"evenkeel", "setuptools", "pip"})
    }


def command(*arguments: object) -> list[str]:
    script = f"BLOCKED = {sorted(developers_only())!r}\n{ABSENT}"
    return [sys.executable, "-c", script, *(str(one) for one in arguments)]


def test_the_developers_packages_are_really_out_of_reach() -> None:
    assert {"pytest", "hypothesis", "playwright"} <= developers_only()


@pytest.mark.slow
def test_a_demo_runs_on_the_runtime_alone() -> None:
    port = pick_port()
    with TemporaryDirectory(prefix="ek-") as folder:
        home, log = Path(folder) / "home", Path(folder) / "log"
        environment = clean_environment(Path(folder))
        with log.open("wb") as printed:
            demo = command("demo", "--home", home, "--port", port, "--no-open", "--speed", "50")
            process = subprocess.Popen(demo, env=environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed)
            try:
                wait_until_ready(process, port, log)
                asked = command("doctor", "--home", home, "--json")
                told = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False, timeout=60)
                assert json.loads(told.stdout)["ok"], told.stderr
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(30)
        assert "Traceback" not in log.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_backtest_runs_on_the_runtime_alone(tmp_path: Path) -> None:
    script = "import evenkeel as ek; ek.sample_bars('IBM').to_polars().write_csv('IBM.csv')"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    asked = command(
        "backtest",
        "sweep",
        "--strategy",
        "rsi",
        "--data",
        "IBM.csv",
        "--grid",
        "period=7,14",
        "--html",
        "s.html",
        "--json",
    )
    told = subprocess.run(
        asked, cwd=tmp_path, env=clean_environment(tmp_path), capture_output=True, text=True, check=False, timeout=120
    )
    assert json.loads(told.stdout)["combinations"] == 2, told.stderr
