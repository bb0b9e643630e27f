"""Where tests find the services and data they need, and what happens when one is not there.

On a developer's machine a missing service skips its tests and says why. Under CI=true it fails them, so that a green
run there means that everything ran.
"""

import os
import shutil
import socket
from pathlib import Path
from typing import NoReturn

import platformdirs
import pytest

ROOT = Path(__file__).resolve().parent.parent


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def unavailable(reason: str) -> NoReturn:
    """Skip the calling test, or fail it under CI=true."""
    if in_ci():
        pytest.fail(f"{reason} (missing services fail under CI=true)", pytrace=False)
    pytest.skip(reason)


def compiled_code() -> dict[str, str]:
    """The variable by which processes with a home of their own find what was compiled before, and do not do it again;
    code whose text has changed is compiled all the same."""
    own = os.environ.get("NUMBA_CACHE_DIR")
    return {"NUMBA_CACHE_DIR": own or str(platformdirs.user_cache_path("evenkeel") / "compiled")}


def pick_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def find_chromium() -> str | None:
    """The machine's Chromium or Chrome; `CHROMIUM` names another."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)
