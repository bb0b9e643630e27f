"""What optimisers run is compiled beside the server, once, and a server that stops does not wait for it."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from evenkeel.bootstrap.compiling import AHEAD, compile_missing, compiled_ahead, keep_compiled
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


def test_where_nothing_can_be_kept_the_home_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a_file = tmp_path / "file"
    a_file.touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(a_file / "below"))
    assert not kernels.can_keep()
    home = tmp_path / "home"
    home.mkdir()
    with capture_logs() as told:
        keep_compiled(home)
    assert os.environ["NUMBA_CACHE_DIR"] == str(home / "cache/compiled")
    assert (home / "cache/compiled").stat().st_mode & 0o777 == 0o700
    assert kernels.can_keep()
    assert [one["folder"] for one in told] == [str(home / "cache/compiled")]
    with capture_logs() as told:
        keep_compiled(home)
    assert told == [], "it can be kept now"


def test_where_the_home_cannot_either_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a_file = tmp_path / "file"
    a_file.touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(a_file / "below"))
    with capture_logs() as told:
        keep_compiled(a_file)
    assert ["NUMBA_CACHE_DIR" in one["hint"] for one in told] == [True]
    assert os.environ["NUMBA_CACHE_DIR"] == str(a_file / "below")
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(a_file))
    keep_compiled(a_file)
    assert "NUMBA_CACHE_DIR" not in os.environ


def test_a_folder_that_can_be_written_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "own"))
    with capture_logs() as told:
        keep_compiled(tmp_path)
    assert told == []
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "own")
    assert not (tmp_path / "cache").exists()


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
