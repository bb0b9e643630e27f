"""A lock in a file, for what several processes change in turn: it ends with its process, however that ends."""

import asyncio
import errno
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from evenkeel.domain.errors import NotReady

PATIENCE = 10.0
_AGAIN = 0.01
_NO_LOCKS = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK})


@contextmanager
def held(path: Path, *, patience: float = PATIENCE) -> Iterator[None]:
    """Holds the lock of `path`, a file of its own that is made where there is none; waits so many seconds for it.
    Whoever holds it may remove the file. On a disk that knows no locks everybody has it.

    Raises NotReady where another process keeps it, or where the file cannot be made.
    """
    until = time.monotonic() + patience
    while (fd := _taken(path)) is None:
        _check(path, until)
        time.sleep(_AGAIN)
    try:
        yield
    finally:
        os.close(fd)


@asynccontextmanager
async def held_async(path: Path, *, patience: float = PATIENCE) -> AsyncIterator[None]:
    """The same for an event loop, which goes on meanwhile."""
    until = time.monotonic() + patience
    while (fd := _taken(path)) is None:
        _check(path, until)
        await asyncio.sleep(_AGAIN)
    try:
        yield
    finally:
        os.close(fd)


def is_held(path: Path) -> bool:
    """Whether somebody has the lock of `path` now; asking makes no file."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held, or on a disk that knows no locks: then nobody can tell
        return True
    finally:
        os.close(fd)
    return False


def _taken(path: Path) -> int | None:
    """The file with its lock, None where somebody else has it."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise NotReady(
            f"{path} cannot be opened: {error.strerror}", hint="check the free space and the folder's permissions"
        ) from error
    if _locked(fd) and _is_still(path, fd):
        return fd
    os.close(fd)
    return None


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        return error.errno in _NO_LOCKS
    return True


def _is_still(path: Path, fd: int) -> bool:
    """Whether the file was not removed, or another put in its place, before its lock was taken."""
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except OSError:
        return False


def _check(path: Path, until: float) -> None:
    if time.monotonic() >= until:
        raise NotReady(f"another process holds {path}", hint="try again when it is done")
