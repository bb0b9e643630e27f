"""Folders under way: what is made under another name until it is whole, and what one that was killed has left.

Whoever makes one holds a lock in a file beside it, which ends with its process. So what nobody holds is a leftover.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evenkeel.domain.errors import EvenkeelError, NotReady
from evenkeel.storage.filelock import held, is_held

SUFFIX, _LOCK = ".part", ".lock"


def part_of(target: Path) -> Path:
    """Where the folder `target` is made, beside it."""
    return target.with_name(f".{target.name}{SUFFIX}")


@contextmanager
def written(target: Path) -> Iterator[None]:
    """Tells of what cannot be written within. Raises EvenkeelError for OSError."""
    try:
        yield
    except OSError as error:
        raise EvenkeelError(
            f"{error.filename or target} cannot be written: {error.strerror}",
            hint="check the free space and the folder's permissions",
        ) from error


@contextmanager
def under_way(target: Path) -> Iterator[Path]:
    """The empty folder in which `target` is to be made; what is still there at the end is removed. Raises NotReady
    where another process makes the same, OSError where it cannot be made."""
    part = part_of(target)
    with _locked(part):
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(mode=0o700)
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)


def leftovers(folder: Path, pattern: str) -> tuple[Path, ...]:
    """What lies in a folder half made, and nobody makes any more; `pattern` is that of the finished names."""
    return tuple(one for one in sorted(folder.glob(f".{pattern}{SUFFIX}")) if not is_held(_lock_of(one)))


def sweep(folder: Path, pattern: str) -> tuple[Path, ...]:
    """Removes those, and returns what is gone."""
    found = leftovers(folder, pattern)
    locks = [one for one in folder.glob(f".{pattern}{_LOCK}") if not is_held(one)]
    for part in {*found, *(one.with_suffix(SUFFIX) for one in locks)}:
        try:
            with _locked(part):
                shutil.rmtree(part, ignore_errors=True)
        except NotReady:
            continue
    return tuple(part for part in found if not part.exists())


def settle(folder: Path) -> None:
    """Has all files of a folder on the disk, with their names. Raises OSError."""
    for path in (*folder.rglob("*"), folder):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            continue
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


@contextmanager
def _locked(part: Path) -> Iterator[None]:
    lock = _lock_of(part)
    with held(lock, patience=0.0):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _lock_of(part: Path) -> Path:
    return part.with_suffix(_LOCK)
