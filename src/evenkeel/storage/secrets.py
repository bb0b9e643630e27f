"""The home's own secrets: made at its first start, kept in a file that only its owner may read."""

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from evenkeel.domain.errors import Forbidden, InvalidInput, NotFound
from evenkeel.storage.filelock import held

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


def read_secrets(home: Path) -> Secrets | None:
    """The secrets of a home, None where there are none; it makes nothing.

    Raises Forbidden for a file that others may read, InvalidInput for one that cannot be read as secrets.
    """
    path = home / SECRETS
    return _load(path) if path.exists() else None


def ensure_secrets(home: Path, *, sealing: bool = True) -> Secrets:
    """The secrets of a home, made where there are none; `sealing`: with a server key, if it has none yet. Only for whom
    nothing needs an older key. Raises as `read_secrets` does."""
    with _changing(home):
        found = read_secrets(home)
        if found is None or (sealing and not found.server_keys):
            token = found.token_key if found is not None else _key()
            found = _write(home, Secrets(token, (_key(),) if sealing else ()))
        return found


def change_server_keys(home: Path, change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Secrets:
    """Has the file hold the server keys that `change` makes of those it holds. Raises NotFound where there is no file,
    and as `read_secrets` does."""
    with _changing(home):
        found = read_secrets(home)
        if found is None:
            raise NotFound(f"{home} holds no {SECRETS}", hint="`evenkeel vault keys` says what it would have to hold.")
        return _write(home, msgspec.structs.replace(found, server_keys=change(found.server_keys)))


def add_server_key(home: Path) -> Secrets:
    """Makes a server key that seals from now on; the ones before it still open. Raises as `change_server_keys` does."""
    return change_server_keys(home, lambda keys: (_key(), *keys))


def adopt_secrets(home: Path, data: bytes) -> Secrets:
    """Takes the secrets of another home in: its server keys open here from now on, after those that are here; all of it
    where there is nothing here. Raises InvalidInput for what are no secrets."""
    with _changing(home):
        given, found = parse_secrets(data), read_secrets(home)
        if found is None:
            return _write(home, given)
        keys = tuple(dict.fromkeys((*found.server_keys, *given.server_keys)))
        return _write(home, msgspec.structs.replace(found, server_keys=keys))


def fresh_secrets() -> Secrets:
    """New ones without a server key, in no file yet."""
    return Secrets(_key())


def parse_secrets(data: bytes) -> Secrets:
    """Raises InvalidInput for what are no secrets of a home."""
    found = _read(data)
    if found is None:
        raise InvalidInput("these are not the secrets of a home")
    return found


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


@contextmanager
def _changing(home: Path) -> Iterator[None]:
    """Nobody else changes the file meanwhile: a key that two writers lost between them would open nothing any more."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(home / SECRETS, error) from error
    with held(home / f".{SECRETS}.lock"):
        yield


def _write(home: Path, secrets: Secrets) -> Secrets:
    write_private(home / SECRETS, msgspec.json.encode(secrets) + b"\n", over=True)
    return _load(home / SECRETS)


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
        raise not_written(path, error) from error


def not_written(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput(f"{path} cannot be written: {error.strerror}", hint="name a folder you can write with --home")


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
            hint="restore it from a copy, or see `evenkeel vault keys`; without it vaults open by recovery codes only",
        )
    return found


def _read(data: bytes) -> Secrets | None:
    try:
        found = msgspec.json.decode(data, type=Secrets)
        keys = (found.token_secret, *found.server_secrets)
        return found if all(len(key) == 32 for key in keys) else None
    except (msgspec.MsgspecError, ValueError):
        return None
