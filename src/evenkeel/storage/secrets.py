"""The home's own secrets: made at its first start, kept in a file that only its owner may read."""

import os
import secrets
import stat
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from evenkeel.domain.errors import Conflict, Forbidden, InvalidInput

log = structlog.get_logger(__name__)
SECRETS = "secrets.json"
_FIRST = "first-password"


class Secrets(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`token_key` signs access tokens; the first of `server_keys` seals, all of them open. Each has 64 hex digits."""

    token_key: str
    server_keys: tuple[str, ...] = ()

    @property
    def token_secret(self) -> bytes:
        return bytes.fromhex(self.token_key)

    @property
    def server_secrets(self) -> tuple[bytes, ...]:
        """The server keys, 32 bytes each, the current one first."""
        return tuple(map(bytes.fromhex, self.server_keys))

    def __repr__(self) -> str:
        return "Secrets(…)"


def load_secrets(home: Path) -> Secrets:
    """The secrets of a home, made where there are none; a file of before there were server keys gets one.

    Raises Forbidden for a file that others may read, InvalidInput for one that cannot be read as secrets.
    """
    path = home / SECRETS
    if not path.exists():
        _make(path)
    found = _load(path)
    return found if found.server_keys else keep_server_keys(home, (_key(),))


def add_server_key(home: Path) -> Secrets:
    """Makes a server key that seals from now on; the ones before it still open. Raises as `load_secrets` does."""
    return keep_server_keys(home, (_key(), *load_secrets(home).server_keys))


def keep_server_keys(home: Path, keys: tuple[str, ...]) -> Secrets:
    """Has the file hold these server keys and no others. Raises InvalidInput where it cannot be written."""
    path = home / SECRETS
    changed = msgspec.structs.replace(_load(path), server_keys=keys)
    write_private(path, msgspec.json.encode(changed) + b"\n", over=True)
    return changed


def write_secrets(home: Path, data: bytes) -> Secrets:
    """Puts the secrets of another home into one that has none. Raises InvalidInput for what are none, and Conflict."""
    if _read(data) is None:
        raise InvalidInput("these are not the secrets of a home")
    if (home / SECRETS).exists():
        raise Conflict(f"{home / SECRETS} is there already", hint="a home's secrets are never written over")
    write_private(home / SECRETS, data)
    return _load(home / SECRETS)


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
        write_private(self.path, password.encode() + b"\n")

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
    fresh = Secrets(_key(), (_key(),))
    write_private(path, msgspec.json.encode(fresh) + b"\n")


def _key() -> str:
    return secrets.token_hex(32)


def write_private(path: Path, data: bytes, *, over: bool = False) -> None:
    """Complete or not at all; unless told to go `over` it, never in the place of a file that came first."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            if over:
                part.replace(path)
            else:
                os.link(part, path)
        except FileExistsError:
            return
        finally:
            part.unlink(missing_ok=True)
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
            hint=f"run: chmod 600 {path}; if others could have read it: `evenkeel vault rotate --server`",
        )
    found = _read(data)
    if found is None:
        raise InvalidInput(
            f"{path} does not hold this home's secrets: a token_key and server_keys of 64 hex digits",
            hint="restore it from a copy; deleted, all sessions end, and vaults open with recovery codes only",
        )
    return found


def _read(data: bytes) -> Secrets | None:
    try:
        found = msgspec.json.decode(data, type=Secrets)
        keys = (found.token_secret, *found.server_secrets)
        return found if all(len(key) == 32 for key in keys) else None
    except (msgspec.MsgspecError, ValueError):
        return None
