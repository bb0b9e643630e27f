"""The lock of a home directory: an operating system lock that ends with its process, however that ends."""

import fcntl
import os
import time
from pathlib import Path
from typing import Self

from evenkeel.domain.errors import HomeInUse, InvalidInput
from evenkeel.storage.holder import Holder, decode_holder, this_process

_LOCK = "owner.lock"
_held: set[int] = set()


class HomeLock:
    """Held from construction to `release`. A second one, in this process or another, raises HomeInUse."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._fd = _open(home)
        if not _locked(self._fd):
            os.close(self._fd)
            raise in_use(home, owner(home))
        _held.add(self._fd)
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, (this_process().encode() + "\n").encode(), 0)

    def release(self) -> None:
        if self._fd in _held:
            _held.discard(self._fd)
            os.ftruncate(self._fd, 0)
            os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


def owner(home: Path) -> Holder | None:
    """The process that wrote the lock file last; whether it still runs, only the lock itself proves."""
    for _ in range(20):
        try:
            text = (home / _LOCK).read_text(encoding="utf-8")
        except OSError:
            return None
        if text.strip():
            return decode_holder(text)
        time.sleep(0.005)
    return None


def is_running(home: Path) -> bool:
    """Whether a process owns this home now; asking takes nothing away from it."""
    path = home / _LOCK
    if not path.exists():
        return False
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def in_use(what: object, holder: Holder | None) -> HomeInUse:
    if holder is None:
        return HomeInUse(f"{what} is in use by another process", hint="stop it first, or use another --home")
    return HomeInUse(
        f"{what} is in use by process {holder.pid} on {holder.host}",
        hint=f"use the running one, stop it first (kill {holder.pid} on {holder.host}), or name another --home",
    )


def _locked(fd: int) -> bool:
    """Takes the lock, giving way for a moment to a question of `is_running`."""
    for _ in range(5):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def _open(home: Path) -> int:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(home / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidInput(
            f"the home {home} cannot be used: {error.strerror}",
            hint="name a folder you can write with --home, or correct its owner and permissions",
        ) from error


def _let_go_in_child() -> None:
    """A forked child must not keep its parent's homes locked after the parent has died."""
    for fd in _held:
        os.close(fd)
    _held.clear()


os.register_at_fork(after_in_child=_let_go_in_child)
