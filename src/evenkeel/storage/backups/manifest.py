"""The manifest of a backup: what is in it, of which moment, with which hashes, and which keys it needs."""

from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct, field

from evenkeel.domain.audit import Break
from evenkeel.domain.errors import InvalidInput, NotFound

FILE = "manifest.json"
KEYS = "keys.sealed"
FORMAT = 1
_CHUNK = 1 << 20


class FileEntry(Struct, frozen=True):
    """`path` is relative to the backup's folder."""

    path: str
    size: int
    sha256: str


class ShardEnd(Struct, frozen=True):
    """Where a shard's journal ends in this backup."""

    last_seq: int
    hash: str


class TableEntry(Struct, frozen=True):
    """A table of PostgreSQL: its columns in the order of its file, and how many rows there are."""

    name: str
    columns: tuple[str, ...]
    rows: int
    path: str


class AuditEnd(Struct, frozen=True, omit_defaults=True):
    """Where the audit log ends in this backup, as `NUMBER:HASH`, and the breaks that were known of it."""

    head: str
    breaks: tuple[Break, ...] = ()


class Manifest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`kind` is sqlite or postgresql, `mode` what started the home (up, demo), `made_at` the wall clock in ns.

    `server_keys` are the fingerprints of the server keys that were in force; `has_keys`: they lie in it, sealed.
    `audit` is None where there was no audit log yet.
    """

    format: int = FORMAT
    made_at: int
    version: str
    kind: str
    mode: str
    schema: str | None
    shards: dict[str, ShardEnd] = field(default_factory=dict)
    server_keys: tuple[str, ...] = ()
    has_keys: bool = False
    audit: AuditEnd | None = None
    tables: tuple[TableEntry, ...] = ()
    files: tuple[FileEntry, ...] = ()

    @property
    def size(self) -> int:
        return sum(one.size for one in self.files)

    @property
    def records(self) -> int:
        return sum(one.last_seq for one in self.shards.values())


class Backup(Struct, frozen=True):
    """A backup where it lies."""

    path: Path
    manifest: Manifest


def write(folder: Path, manifest: Manifest) -> None:
    path = folder / FILE
    path.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    path.chmod(0o600)


def read(folder: Path) -> Manifest:
    """Raises NotFound where there is no backup, InvalidInput for one that this version does not read."""
    path = folder / FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFound(
            f"{folder} is no backup: it holds no {FILE}", hint="`evenkeel backup list` shows where backups lie."
        ) from error
    try:
        found = msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"{path} cannot be read: {error}", hint="take another backup") from error
    if found.format > FORMAT:
        raise InvalidInput(
            f"{folder} is of format {found.format}, and this version reads up to {FORMAT}",
            hint="restore it with the version that made it, or a newer one",
        )
    return found


def entry(folder: Path, path: Path) -> FileEntry:
    """What the manifest says of a file in the folder."""
    return FileEntry(path.relative_to(folder).as_posix(), path.stat().st_size, digest(path))


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    found = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def check_files(folder: Path, manifest: Manifest) -> None:
    """Raises InvalidInput naming a file that is missing or is not as it was written."""
    for one in manifest.files:
        _check(folder, one)


def keys_of(folder: Path) -> bytes:
    """The sealed keys of a backup, as they were written. Raises NotFound where it has none, and InvalidInput."""
    one = next((one for one in read(folder).files if one.path == KEYS), None)
    if one is None:
        raise NotFound(f"{folder} holds no keys", hint="Only a backup made with --with-keys does.")
    _check(folder, one)
    return (folder / KEYS).read_bytes()


def _check(folder: Path, one: FileEntry) -> None:
    path = folder / one.path
    if ".." in Path(one.path).parts or Path(one.path).is_absolute():
        raise InvalidInput(f"{folder} names a file outside itself: {one.path}")
    if not path.is_file():
        raise InvalidInput(f"{path} is missing from the backup", hint="take another backup")
    if path.stat().st_size != one.size or digest(path) != one.sha256:
        raise InvalidInput(f"{path} is not as it was written", hint="take another backup")
