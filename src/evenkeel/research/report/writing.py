"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from evenkeel.domain.errors import FieldError, InvalidInput


def write_whole(path: Path, content: bytes) -> Path:
    """Writes beside `path` and renames, so that no reader meets half a file. Raises InvalidInput where it cannot."""
    try:
        check_place(path)
        _replace(path, content)
    except OSError as error:
        raise refused(path, error.strerror or str(error), hint="Name a file where you may write.") from error
    return path


def check_place(path: Path) -> None:
    """Raises InvalidInput where no file can be written there: to be said before work of hours, not after."""
    if path.is_dir():
        raise refused(path, "it is a folder", hint="Name a file in it.")
    if not path.parent.is_dir():
        raise refused(path, f"the folder {path.parent} does not exist", hint="Create it first, or name another.")
    if not os.access(path.parent, os.W_OK):
        raise refused(path, f"the folder {path.parent} is not writable", hint="Name a file where you may write.")


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise


def refused(path: Path, why: str, *, hint: str) -> InvalidInput:
    """The error that a path cannot be written, to be raised."""
    message = f"{path} cannot be written: {why}"
    return InvalidInput(message, errors=(FieldError("path", message),), hint=hint)
