"""The server's keys: those that the settings name, else those of the home's secrets file. The first one seals."""

from pathlib import Path

from evenkeel.desk.sealing import Key, KeyRing
from evenkeel.storage.secrets import SECRETS, load_secrets


def server_secrets(home: Path, given: tuple[bytes, ...] = ()) -> tuple[bytes, ...]:
    """32 bytes each; `given` are those of the settings. Raises Forbidden, InvalidInput as the secrets file does."""
    return given or load_secrets(home).server_secrets


def server_ring(home: Path, given: tuple[bytes, ...] = ()) -> KeyRing:
    """The same, as keys that do not show."""
    return KeyRing(map(Key, server_secrets(home, given)))


def fingerprints(home: Path, given: tuple[bytes, ...] = ()) -> tuple[str, ...]:
    """The fingerprints of a home's keys, none where it has none: asking makes no file."""
    if not given and not (home / SECRETS).exists():
        return ()
    return server_ring(home, given).fingerprints
