"""The home's own secrets: made at its first start, kept in a file that only its owner may read."""

import os
import secrets
import stat
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from evenkeel.domain.errors import Forbidden, InvalidInput

log = structlog.get_logger(__name__)
_FILE = "secrets.json"
_FIRST = "first-password"


class Secrets(Struct, frozen=True, forbid_unknown_fields=True):
    """`token_key` signs access tokens: 64 hex digits."""

    token_key: str

    @property
    def token_secret(self) -> bytes:
        return bytes.fromhex(self.token_key)

    def __repr__(self) -> str:
        return "Secrets(…)"


def load_secrets(home: Path) -> Secrets:
    """The secrets of a home, made where there are none.

    Raises Forbidden for a file that others may read, InvalidInput for one that cannot be read as secrets.
    """
    path = home / _FILE
    if not path.exists():
        _make(path)
    return _load(path)


class FirstPassword:
    """The password that was made for the owner of a home, kept until its first use.

    A start may be killed, or its words lost, before anybody has read them. The file is as private as the home's
    secrets, with which one could sign in as well.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / _FIRST

    def keep(self, password: str) -> None:
        """Keeps it on the disk, in place of one whose start came to nothing. Raises InvalidInput."""
        self.forget()
        _write(self.path, password.encode() + b"\n")

    def read(self) -> str | None:
        """None where there is none, or none that can be read."""
        try:
            return self.path.read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            return None

    def forget(self) -> None:
        """It is of no further use, or never was."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("the file of the first password cannot be removed", path=str(self.path), reason=error.strerror)


def _make(path: Path) -> None:
    fresh = Secrets(secrets.token_hex(32))
    _write(path, msgspec.json.encode(fresh) + b"\n")


def _write(path: Path, data: bytes) -> None:
    """Complete or not at all, and never over a file that came first."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        except FileExistsError:
            return
        finally:
            part.unlink()
        _sync(path.parent)
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be written: {error.strerror}",
            hint="name a folder you can write with --home",
        ) from error


def _sync(folder: Path) -> None:
    """Has the names in a folder on the disk, as fsync of a file has its content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _load(path: Path) -> Secrets:
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}", hint="check its owner and permissions"
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise Forbidden(
            f"{path} may be read by others (mode {stat.S_IMODE(mode):04o}, expected 0600)",
            hint=f"run: chmod 600 {path}; if others could have read it, delete it: all sessions then end",
        )
    found = _read(data)
    if found is None:
        raise InvalidInput(
            f"{path} does not hold this home's secrets: a token_key of 64 hex digits",
            hint="restore it from a copy, or delete it: all sessions then end",
        )
    return found


def _read(data: bytes) -> Secrets | None:
    try:
        found = msgspec.json.decode(data, type=Secrets)
        return found if len(found.token_secret) == 32 else None
    except (msgspec.MsgspecError, ValueError):
        return None
