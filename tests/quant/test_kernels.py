"""Where compiled code cannot be kept it runs all the same, and that is said once."""

import os
from pathlib import Path

import numba
import pytest
from numba.core import caching

from evenkeel.quant import kernels
from evenkeel.quant.kernels import Compiled


def _doubled(value: float) -> float:
    return 2.0 * value


def _halved(value: float) -> float:
    return value / 2.0


def _made(plain: object) -> Compiled:
    return Compiled(plain, lambda t: t.float64(t.float64), allocates=False)  # type: ignore[arg-type]


def test_it_is_said_once_where_nothing_can_be_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    a_file = tmp_path / "file"
    a_file.touch()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(a_file / "below"))
    assert (_made(_doubled)(1.5), _made(_halved)(1.5)) == (3.0, 0.75)
    (told,) = [one.getMessage() for one in caplog.records if one.name == kernels.__name__]
    assert str(a_file) in told
    assert "set NUMBA_CACHE_DIR" in told
    assert not list(Path(__file__).parent.rglob("test_kernels._doubled*")), "nor is it kept beside its text"


def test_what_is_kept_is_found_by_the_text_of_all_kernels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert kernels.can_keep()
    assert not kernels.are_kept("test_kernels._doubled")
    assert _made(_doubled)(1.5) == 3.0
    assert kernels.are_kept("test_kernels._doubled")
    assert not [one for one in caplog.records if one.name == kernels.__name__]


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), RuntimeError("no locator available")])
def test_what_cannot_be_kept_after_all_runs_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    def full(*_: object) -> None:
        raise fault

    before = vars(numba.config).get("CACHE_LOCATOR_CLASSES")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(caching.UserProvidedCacheLocator, "ensure_cache_path", full)
    assert _made(_doubled)(1.5) == 3.0
    (told,) = [one.getMessage() for one in caplog.records if one.name == kernels.__name__]
    assert str(tmp_path) in told
    assert not list(Path(__file__).parent.rglob("test_kernels._doubled*"))
    assert vars(numba.config).get("CACHE_LOCATOR_CLASSES") == before


def test_a_folder_of_which_a_part_is_somebody_elses_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert kernels.can_keep()
    (theirs,) = tmp_path.iterdir()
    (theirs / "portfolio_1").mkdir()
    assert kernels.can_keep()
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "portfolio_1" and may(path, mode))
    assert not kernels.can_keep()
