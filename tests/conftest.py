"""Fixtures for every room of tests: shared market data, a real PostgreSQL, a browser, free ports, how hard to shake."""

import gc
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter  # pytest exports no public name for it
from hypothesis import settings

from tests.plan import ChaosPlan
from tests.postgres import OLDEST, PostgresCluster, find_binaries
from tests.services import ROOT, find_chromium, in_ci, pick_port, unavailable

# The HTTP client looks for this absent package at every request; two threads at once can trip over the import lock.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]

# Busy machines make single examples slow; the timeout of the whole test stands.
settings.register_profile("evenkeel", deadline=None, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("evenkeel"), derandomize=True)
settings.load_profile("ci" if in_ci() else "evenkeel")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("evenkeel")
    group.addoption("--seed", type=int, default=None, help="seed of the random kills and examples")
    group.addoption("--full-chaos", action="store_true", help="as many kills and examples as `make chaos`")
    group.addoption("--sqlite", type=int, default=None, metavar="N", help="kills under load on SQLite")
    group.addoption("--postgres", type=int, default=None, metavar="N", help="kills under load on PostgreSQL")
    group.addoption("--fuzz-examples", type=int, default=None, metavar="N", help="examples an operation of the API")


def pytest_configure(config: pytest.Config) -> None:
    full = bool(config.getoption("--full-chaos"))
    if (given := getattr(config, "workerinput", None)) is not None:
        config.option.seed = given["seed"]
    elif config.getoption("--seed") is None:
        # `make test` repeats itself; `make chaos` looks somewhere new each time and says where.
        config.option.seed = random.SystemRandom().randrange(2**31) if full else 1
    if full:
        config.option.timeout = 3600


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Parallel workers draw from the seed that the run announced."""
    node.workerinput["seed"] = node.config.getoption("--seed")


def pytest_collection_finish() -> None:
    """What is imported and collected stays to the end: to look through it for garbage only takes time from tests."""
    gc.collect()
    gc.freeze()


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed: {config.getoption('--seed')}"


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--full-chaos"):
        terminalreporter.write_line(f'seed: {config.getoption("--seed")} (repeat with ARGS="--seed ...")')


@pytest.fixture(scope="session")
def chaos_plan(pytestconfig: pytest.Config) -> ChaosPlan:
    """How many kills and examples this run asks for, and the seed they are drawn from."""
    seed = int(pytestconfig.getoption("--seed"))
    plan = ChaosPlan.full(seed) if pytestconfig.getoption("--full-chaos") else ChaosPlan.short(seed)
    return plan.altered(
        sqlite=pytestconfig.getoption("--sqlite"),
        postgres=pytestconfig.getoption("--postgres"),
        examples=pytestconfig.getoption("--fuzz-examples"),
    )


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real market data that lies beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        unavailable("real market data is missing: ../shared/data lies beside the checkout where it is used")
    return folder


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[PostgresCluster]:
    """One real server for the whole session."""
    binaries = find_binaries()
    if binaries is None:
        unavailable(f"PostgreSQL {OLDEST} or newer is not installed (Debian, Ubuntu: apt-get install postgresql)")
    cluster = PostgresCluster.start(binaries)
    yield cluster
    cluster.stop()


@pytest.fixture
def postgres_url(postgres_cluster: PostgresCluster) -> Iterator[str]:
    """The URL of a fresh, empty PostgreSQL database."""
    with postgres_cluster.database() as url:
        yield url


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The program of a real Chromium, for `playwright.chromium.launch(executable_path=...)`."""
    found = find_chromium()
    if found is None:
        unavailable("Chromium is not installed (Debian: apt-get install chromium; or set CHROMIUM to its program)")
    return found


@pytest.fixture
def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    return pick_port()
