"""What optimisers run is compiled beside the server, once, and a server that stops does not wait for it."""

import asyncio
import time
from pathlib import Path

import pytest

from evenkeel.bootstrap.compiling import AHEAD, compile_missing, compiled_ahead
from evenkeel.quant import kernels
from evenkeel.quant.portfolio import objectives


def test_all_that_the_optimisers_run_is_compiled_ahead() -> None:
    assert objectives.OBJECTIVES
    room = objectives.__name__.rpartition(".")[0]
    found = {
        f"{one.plain.__module__.rpartition('.')[2]}.{one.plain.__name__}"
        for one in kernels.COMPILED
        if one.plain.__module__.startswith(room)
    }
    assert found == set(AHEAD)


async def test_what_is_kept_is_not_compiled_again() -> None:
    for one in kernels.COMPILED:
        if one.plain.__module__.startswith("evenkeel.quant.portfolio"):
            one.dispatcher()
    assert kernels.are_kept(*AHEAD)
    assert await compile_missing() is None


async def test_a_server_that_stops_ends_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert not kernels.are_kept(*AHEAD)
    began = time.monotonic()
    async with compiled_ahead():
        await asyncio.sleep(0.3)
    assert time.monotonic() - began < 10.0


async def test_a_machine_that_cannot_goes_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        await compile_missing()
    async with compiled_ahead():
        await asyncio.sleep(0.1)
