"""A host ends with whoever started it, whatever it is doing, and however that one ended."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evenkeel.domain.strategies import Deployment
from evenkeel.trading.live.hosting.ports import Death
from evenkeel.trading.live.hosting.process import Bounds, HostProcess, ProcessHosts, environment
from evenkeel.trading.strategies.messages import Answer, AskLookback, Retire
from evenkeel.trading.strategies.registry import Registry

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")

OWNER = """
import asyncio, sys
from pathlib import Path
from evenkeel.domain.strategies import Deployment
from evenkeel.trading.live.hosting.process import Bounds, ProcessHosts
from evenkeel.trading.strategies.messages import AskLookback
from evenkeel.trading.strategies.registry import Registry

class Nobody:
    def said(self, slot, line): print(line, flush=True)
    def died(self): pass

async def main():
    hosts = ProcessHosts(Registry(), Bounds(deadline=None))
    host = hosts.open(Nobody())
    made = Deployment("d", "d", "stuck", "1", {}, ("i",), ())
    from evenkeel.trading.strategies.messages import Origin
    asking = asyncio.create_task(host.ask(AskLookback(0, made, Origin("stuck", "Stuck", sys.argv[1]))))
    await asking
asyncio.run(main())
"""
STUCK = """
import os
from evenkeel.trading.strategies import Strategy

class Stuck(Strategy):
    name = "stuck"

    def warmup(self, params):
        print("stuck in", os.getpid())
        {how}
"""
BUSY = "while True: pass"
HOLDING = "import re; re.match(r'(a+)+$', 'a' * 64 + 'b')"  # in C, without letting another thread run


@pytest.mark.parametrize("how", [BUSY, HOLDING])
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_owner(how: str, sign: signal.Signals, tmp_path: Path) -> None:
    if how == HOLDING and sys.platform != "linux":
        pytest.skip("only Linux ends a process that lets no other thread run")
    file = tmp_path / "stuck.py"
    file.write_text(STUCK.format(how=how), encoding="utf-8")
    command = [sys.executable, "-c", OWNER, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        line = owner.stdout.readline()
        assert line.startswith("stuck in ")
        pid = int(line.split()[-1])
        assert is_there(pid)
        owner.send_signal(sign)
        owner.wait(10)
    until = time.monotonic() + 5
    while is_there(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not is_there(pid)


def is_there(pid: int) -> bool:
    """Whether it runs; one that has ended may wait for somebody to ask how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Heard:
    """Notes what a host says by itself."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []
        self.deaths = 0

    def said(self, slot: int, line: str) -> None:
        self.lines.append((slot, line))

    def died(self) -> None:
        self.deaths += 1


async def asked(host: HostProcess) -> int:
    assert host.pid is None
    assert await host.ask(Retire("nobody")) == Answer()
    assert host.is_alive
    assert host.pid is not None
    return host.pid


async def test_one_that_is_closed_leaves() -> None:
    host = ProcessHosts(Registry()).open(Heard())
    pid = await asked(host)
    await host.close()
    assert not is_there(pid)
    assert not host.is_alive


async def test_whoever_stops_waiting_ends_it() -> None:
    """What would come later is an answer to nobody's question."""
    host = ProcessHosts(Registry()).open(Heard())
    pid = await asked(host)
    os.kill(pid, signal.SIGSTOP)
    asking = asyncio.create_task(host.ask(Retire("nobody")))
    await asyncio.sleep(0.05)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await host.close()
    assert not is_there(pid)


async def test_one_that_hangs_outside_of_any_strategy_is_killed_after_a_longer_time() -> None:
    host = ProcessHosts(Registry(), Bounds(deadline=0.1, start=5.0)).open(Heard())
    pid = await asked(host)
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    death = await host.ask(Retire("nobody"))
    assert isinstance(death, Death)
    assert death.slot is None
    assert "in which a host must answer, 5 s" in death.reason
    assert 5.0 <= time.monotonic() - began < 10.0
    await host.close()


async def test_one_that_dies_while_nobody_asks_says_so_once() -> None:
    heard = Heard()
    host = ProcessHosts(Registry()).open(heard)
    os.kill(await asked(host), signal.SIGKILL)
    async with asyncio.timeout(5):
        while host.is_alive:  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.01)
    assert heard.deaths == 1
    death = await host.ask(Retire("nobody"))
    assert isinstance(death, Death)
    await host.close()
    assert heard.deaths == 1


async def test_one_that_cannot_be_started_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    host = ProcessHosts(Registry()).open(Heard())
    death = await host.ask(AskLookback(0, Deployment("d", "d", "rsi", "1", {}, ("i",), ())))
    assert isinstance(death, Death)
    assert "could not be started" in death.reason
    assert not host.is_alive
    await host.close()


def test_its_surroundings_are_what_python_needs() -> None:
    ours = {"PATH": "/bin", "HOME": "/me", "EVENKEEL_JWT_SECRET_KEY": "s", "EVENKEEL_COMPUTE": "cpu", "TOKEN": "t"}
    seen = environment(ours)
    assert {name: seen[name] for name in seen if name in ours} == {
        "PATH": "/bin",
        "HOME": "/me",
        "EVENKEEL_COMPUTE": "cpu",
    }
    assert seen["OMP_NUM_THREADS"] == "1"


def test_a_template_that_there_is_not_has_no_origin() -> None:
    hosts = ProcessHosts(Registry())
    assert hosts.origin("no-such") is None
    found = hosts.origin("rsi")
    assert found is not None
    assert found.name == "RsiReversion"
