"""`evenkeel backup` and `evenkeel restore`: a home kept elsewhere, made while it runs, proved when it comes back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenkeel import __version__
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    print_items,
    print_json,
    print_table,
    reporting,
    resolve_home,
)
from evenkeel.cli.place import DatabaseOption, the_database
from evenkeel.cli.server_keys import KEYS_VARIABLE, opened, passphrase
from evenkeel.domain.errors import NotFound

if TYPE_CHECKING:
    from evenkeel.storage.backups.manifest import Backup, Manifest
    from evenkeel.storage.backups.restoring import Restored

app = typer.Typer()
ToOption = Annotated[
    Path | None, typer.Option("--to", metavar="DIR", help="Folder for backups.", show_default="as in the settings")
]
BackupArgument = Annotated[Path, typer.Argument(metavar="BACKUP", help="The folder of one backup.")]
EXAMPLES = examples(
    "evenkeel backup",
    "evenkeel backup --to /mnt/copies",
    "evenkeel backup list",
    "evenkeel backup check ~/desk/backups/evenkeel-20260412T033000123Z",
    note="The keys that seal secrets stay in the home; --with-keys takes them along, sealed under a passphrase.",
)
RESTORE_EXAMPLES = examples(
    "evenkeel restore ~/desk/backups/evenkeel-20260412T033000123Z --home ~/second",
    note="The home must be a new one. A desk that is started on it reconciles every account before it trades.",
)


@app.callback(invoke_without_command=True, epilog=EXAMPLES)
def backup(
    context: typer.Context,
    to: ToOption = None,
    with_keys: Annotated[
        bool,
        typer.Option("--with-keys", help=f"Take the keys along; asks for a passphrase, or reads {KEYS_VARIABLE}."),
    ] = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Back a home up into a new folder: of one moment, while orders run, and read back before it counts."""
    if context.invoked_subcommand is not None:
        return
    from evenkeel.storage.backups.making import check_something, make

    with reporting(as_json=as_json):
        where, folder, keys = _place(home, database_url, to)
        check_something(where)
        sealed = _sealed_keys(where.home) if with_keys else None
        made = make(where, folder, version=__version__, server_keys=keys, sealed_keys=sealed)
        if as_json:
            print_json(_shown(made))
            return
        told = made.manifest
        print(f"{made.path}  {told.size:,} bytes, {told.records:,} records of the journal, read back")
        print(_needs(told))


@app.command("list", epilog=examples("evenkeel backup list", "evenkeel backup list --to /mnt/copies --json"))
def list_backups(
    to: ToOption = None,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Backups in a folder, newest first: their sizes, and which keys they need."""
    from evenkeel.storage.backups.making import backups_in

    with reporting(as_json=as_json):
        found = backups_in(_place(home, database_url, to)[1])
        if as_json:
            print_items([_shown(one) for one in found])
            return
        rows = [
            [one.path.name, f"{one.manifest.size:,}", f"{one.manifest.records:,}", one.manifest.kind,
             one.manifest.version, ", ".join(one.manifest.server_keys) or "none"]
            for one in found
        ]  # fmt: skip
        print_table(["name", "bytes", "records", "database", "version", "needs keys"], rows, empty="No backups yet.")


@app.command(epilog=examples("evenkeel backup check ~/desk/backups/evenkeel-20260412T033000123Z"))
def check(folder: BackupArgument, as_json: JsonOption = False) -> None:
    """Read a backup back: every file's hash, the journal's hash chain, and on SQLite what the doctor says."""
    from evenkeel.storage.backups.making import verify
    from evenkeel.storage.backups.manifest import Backup

    with reporting(as_json=as_json):
        told = verify(folder)
        if as_json:
            print_json(_shown(Backup(folder, told)))
            return
        print(f"{folder} is whole: {told.size:,} bytes, {told.records:,} records of the journal")
        print(_needs(told))


def restore(
    folder: BackupArgument,
    home: Annotated[Path, typer.Option("--home", metavar="DIR", help="Folder of the new home.")],
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a backup into a new home, and prove it: the doctor has to find no difference."""
    from evenkeel.storage.backups.manifest import read
    from evenkeel.storage.backups.restoring import restore as bring_back
    from evenkeel.storage.database import database

    with reporting(as_json=as_json):
        where = database(resolve_home(home), database_url)
        words = passphrase(confirm=False) if read(folder).has_keys else ""
        secrets = opened(folder, words) if words else None
        found = bring_back(folder, where, secrets=secrets)
        keys = secrets is not None
        left = _later(folder, where.home) if found.manifest.has_keys and not keys else ""
        if as_json:
            print_json(_restored(found, where.shown, keys=keys, left=left))
            return
        told = found.report
        print(f"{where.shown}: restored and sound, in {found.seconds:.1f} s")
        if told is not None:
            print(f"{told.records:,} records, {told.orders:,} orders, {told.fills:,} fills, {told.accounts} accounts")
        print("Its keys came along." if keys else _needs(found.manifest))
        if left:
            print(f"They were NOT opened: no passphrase was given. Before you start this home: {left}")
        print("Stop the old desk before you start this one: no account trades until it has been reconciled.")


def _later(folder: Path, home: Path) -> str:
    """The command that opens the keys of a backup in a home that was restored without them."""
    import shlex

    return shlex.join(["evenkeel", "vault", "keys", "--from", str(folder), "--home", str(home)])


def _place(home: Path | None, url: str | None, to: Path | None) -> tuple[Any, Path, tuple[str, ...]]:
    """The home's database, the folder of its backups, and the fingerprints of its keys."""
    from evenkeel.desk.server_keys import needed_by_copy
    from evenkeel.settings import load
    from evenkeel.storage.backups.making import FOLDER

    where = the_database(home, url)
    settings = load(where.home)[0]
    named = Path(settings.backup_folder) if settings.backup_folder else where.home / FOLDER
    return where, (to or named).expanduser(), needed_by_copy(where, settings.server_keys())


def _sealed_keys(home: Path) -> bytes:
    """The home's secrets with the server keys that are in force: those of the settings, where it has them."""
    import msgspec

    from evenkeel.desk.backups import seal_keys
    from evenkeel.desk.server_keys import server_secrets
    from evenkeel.settings import load
    from evenkeel.storage.secrets import fresh_secrets, read_secrets

    keys = tuple(key.hex() for key in server_secrets(home, load(home)[0].server_keys()))
    if not keys:
        raise NotFound(f"{home} has no server key to take along", hint="`evenkeel vault keys` says which it needs.")
    secrets = msgspec.structs.replace(read_secrets(home) or fresh_secrets(), server_keys=keys)
    return seal_keys(msgspec.json.encode(secrets) + b"\n", passphrase(confirm=True))


def _needs(told: "Manifest") -> str:
    if told.has_keys:
        return "The keys lie in it, sealed under the passphrase."
    if not told.server_keys:
        return "It needs no keys."
    named = ", ".join(told.server_keys)
    return f"It needs the server key {named} (secrets.json of its home, or EVENKEEL_SERVER_KEY): keep that elsewhere."


def _shown(one: "Backup") -> dict[str, Any]:
    import msgspec

    told = one.manifest
    kept = msgspec.to_builtins({name: getattr(told, name) for name in ("made_at", "version", "kind", "mode", "schema")})
    rest = {"size": told.size, "records": told.records, "server_keys": list(told.server_keys)}
    return {"path": str(one.path), "name": one.path.name, **kept, **rest, "has_keys": told.has_keys,
            "files": [file.path for file in told.files]}  # fmt: skip


def _restored(found: "Restored", shown: str, *, keys: bool, left: str) -> dict[str, Any]:
    import msgspec

    return {
        "database": shown,
        "seconds": round(found.seconds, 3),
        "server_keys": list(found.manifest.server_keys),
        "keys_restored": keys,
        "open_keys_with": left or None,
        "doctor": msgspec.to_builtins(found.report),
    }
