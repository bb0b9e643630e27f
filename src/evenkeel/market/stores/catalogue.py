"""The one file that says what a Parquet store holds. Replacing it is the moment at which an import happens.

Everything it names (manifests, Parquet files, check reports, adjustments) is written and synced before, under a name
made of its content, and never changed. So a kill at any instant leaves either the old catalogue or the new one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from evenkeel.domain.errors import Conflict, InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Dividend, Split

NAME = "catalogue.json"
VERSION = 1
_LOCK = "catalogue.lock"
_PATIENCE = 10.0
_T = TypeVar("_T")


class DataFile(Struct, frozen=True):
    """One immutable Parquet file of a series."""

    name: str
    rows: int
    first_ts: int
    last_ts: int
    last_close_ts: int


class Manifest(Struct, frozen=True):
    """The files of one version of a series, in time order, and its check report."""

    files: tuple[DataFile, ...]
    report: str


class Entry(Struct, frozen=True):
    """One series: its folder, the manifest in force and the one before a replacement."""

    instrument_id: str
    timeframe: str
    folder: str
    manifest: str
    rows: int
    first_ts: int
    last_close_ts: int
    previous: str | None = None


class Adjustments(Struct, frozen=True):
    splits: tuple[Split, ...] = ()
    dividends: tuple[Dividend, ...] = ()


class Catalogue(Struct, frozen=True):
    version: int = VERSION
    instruments: tuple[Instrument, ...] = ()
    series: tuple[Entry, ...] = ()
    adjustments: dict[str, str] = {}


def load(root: Path) -> Catalogue:
    """The catalogue of the store at `root`; an empty one where there is none. Raises InvalidInput if damaged."""
    try:
        raw = (root / NAME).read_bytes()
    except FileNotFoundError:
        return Catalogue()
    catalogue = decode(raw, Catalogue, root / NAME)
    if catalogue.version != VERSION:
        raise InvalidInput(
            f"the bars in {root} were written by a newer version of Evenkeel (catalogue version {catalogue.version})",
            hint="Update Evenkeel, or use another --home.",
        )
    return catalogue


def decode(raw: bytes, kind: type[_T], path: Path) -> _T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        raise InvalidInput(
            f"{path} is damaged: {error}",
            hint="Restore it from a backup, or remove the data folder and import again.",
        ) from error


def save(root: Path, catalogue: Catalogue) -> None:
    """Puts `catalogue` in force, atomically and durably."""
    write(root / NAME, msgspec.json.format(msgspec.json.encode(catalogue), indent=1))


def write(path: Path, content: bytes) -> None:
    """Writes a file whole: a temporary beside it, synced, renamed, and the folder synced."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()


def folder_of(instrument: Instrument, timeframe: str) -> str:
    """The hive-style folder of a series, relative to the store."""
    return f"bars/venue={_safe(instrument.venue)}/symbol={_safe(instrument.symbol)}/timeframe={timeframe}"


def _safe(text: str) -> str:
    quoted = quote(text, safe=" ")
    return quoted if quoted.strip(". ") else quoted.replace(".", "%2E").replace(" ", "%20")


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Holds the right to change the store; the system gives it back when the process ends, however it ends.

    Raises Conflict where another process keeps it for ten seconds.
    """
    root.mkdir(parents=True, exist_ok=True)
    until = monotonic() + _PATIENCE
    with (root / _LOCK).open("a+b") as file:
        while not _try_lock(file.fileno()):
            if monotonic() > until:
                raise Conflict(
                    f"another process is importing into {root}", hint="Wait until it has finished, then try again."
                )
            sleep(0.05)
        yield


if os.name == "nt":  # pragma: no cover
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
