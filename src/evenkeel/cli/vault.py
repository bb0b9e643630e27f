"""`evenkeel vault`: the owner's vault on a running desk; and the server's keys, which are the home's."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from evenkeel.cli.client import Client
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    print_fields,
    print_items,
    print_json,
    print_table,
    reporting,
    resolve_home,
)
from evenkeel.cli.place import DatabaseOption, the_database
from evenkeel.cli.server_keys import KEYS_VARIABLE
from evenkeel.domain.errors import InvalidInput

app = typer.Typer(no_args_is_help=True)
SECRET_VARIABLE = "EVENKEEL_VAULT_SECRET"  # noqa: S105 - a name, and no secret
NEW_VARIABLE, CODE_VARIABLE = "EVENKEEL_NEW_VAULT_SECRET", "EVENKEEL_VAULT_CODE"
ServerOption = Annotated[bool, typer.Option("--server", help="The server's key in place of one's own.")]
PassphraseOption = Annotated[
    bool, typer.Option("--passphrase", help="Words for the vault alone, for people who sign in elsewhere.")
]


def asked(prompt: str, variable: str, *, confirm: bool = False) -> str:
    """A secret from the environment, or typed unseen. Raises InvalidInput where neither is possible."""
    given = os.environ.get(variable)
    if given:
        return given
    if not sys.stdin.isatty():
        raise InvalidInput(f"{prompt.lower()} is not given", hint=f"Set {variable}, or run this on a terminal.")
    found: str = typer.prompt(prompt, hide_input=True, confirmation_prompt=confirm)
    return found


@app.command(epilog=examples("evenkeel vault status", "evenkeel vault status --json"))
def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Whether the vault is there and open, and which accounts have credentials in it."""
    with reporting(as_json=as_json):
        found = Client(resolve_home(home)).get("/vault")
        if as_json:
            print_json(found)
            return
        print_fields({name: value for name, value in found.items() if name != "accounts"})
        rows = [
            [one["name"], one["broker"], one["custody"] or "not live", "locked" if one["locked"] else "open",
             "renew" if one["due"] else "", ", ".join(held["name"] for held in one["credentials"])]
            for one in found["accounts"]
        ]  # fmt: skip
        print()
        print_table(
            ["account", "broker", "custody", "state", "", "credentials"],
            rows,
            empty="No credentials yet. Seal some: evenkeel account credentials set --help",
        )


@app.command(epilog=examples("evenkeel vault create", note=f"Scripts set {SECRET_VARIABLE}: it is asked for else."))
def create(passphrase: PassphraseOption = False, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Make the vault, opened by the password one signs in with. Its recovery codes are shown this once."""
    with reporting(as_json=as_json):
        kind = "passphrase" if passphrase else "password"
        secret = asked(f"The vault's {kind}", SECRET_VARIABLE, confirm=passphrase)
        _show_codes(_client(home).call("POST", "/vault", {"secret": secret, "kind": kind}), as_json=as_json)


@app.command(epilog=examples("evenkeel vault unlock", "evenkeel vault unlock --code", note=f"{SECRET_VARIABLE} and "
             f"{CODE_VARIABLE} are read where they are set."))  # fmt: skip
def unlock(
    code: Annotated[bool, typer.Option("--code", help="By a recovery code, which is spent.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Unlock the vault: attended accounts connect. With a code, the secret given opens it from then on."""
    with reporting(as_json=as_json):
        body = {"code": asked("Recovery code", CODE_VARIABLE)} if code else {}
        prompt = "Password or passphrase from now on" if code else "Password or passphrase"
        body["secret"] = asked(prompt, SECRET_VARIABLE)
        _client(home).call("POST", "/vault/unlock", body)
        _done("The vault is open.", as_json=as_json, unlocked=True)


@app.command(epilog=examples("evenkeel vault lock"))
def lock(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Lock the vault. Accounts that are connected stay so until their connection is lost."""
    with reporting(as_json=as_json):
        _client(home).call("POST", "/vault/lock")
        _done("The vault is locked.", as_json=as_json, unlocked=False)


@app.command(epilog=examples("evenkeel vault secret --passphrase", note=f"Scripts set {SECRET_VARIABLE} and "
             f"{NEW_VARIABLE}."))  # fmt: skip
def secret(passphrase: PassphraseOption = False, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Have another secret open the vault: a passphrase of its own, or the password again."""
    with reporting(as_json=as_json):
        kind = "passphrase" if passphrase else "password"
        present = asked("What opens the vault now", SECRET_VARIABLE)
        new = asked(f"The {kind} that opens it from now on", NEW_VARIABLE, confirm=passphrase)
        _client(home).call("POST", "/vault/secret", {"present": present, "new": new, "kind": kind})
        _done(f"The vault is opened by the {kind}.", as_json=as_json, secret=kind)


@app.command(epilog=examples("evenkeel vault codes"))
def codes(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """New recovery codes in the place of all there were, shown this once."""
    with reporting(as_json=as_json):
        _show_codes(_client(home).call("POST", "/vault/codes"), as_json=as_json)


@app.command(epilog=examples("evenkeel vault rotate", "evenkeel vault rotate --server", note="The server's new key "
             "seals from the next start on; `evenkeel vault keys` says when the old one is free."))  # fmt: skip
def rotate(server: ServerOption = False, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """New keys for every credential, and new recovery codes; or, with --server, a new key of the server."""
    with reporting(as_json=as_json):
        if server:
            _rotate_server(home, as_json=as_json)
            return
        secret = asked("Password or passphrase", SECRET_VARIABLE)
        _show_codes(_client(home).call("POST", "/vault/rotate", {"secret": secret}), as_json=as_json)


@app.command(epilog=examples("evenkeel vault forget --yes"))
def forget(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the vault away with every credential in it: they have to be entered again."""
    with reporting(as_json=as_json):
        if not yes:
            typer.confirm("Every credential in it is gone then. Go on?", abort=True)
        _client(home).call("DELETE", "/vault")
        _done("The vault is gone.", as_json=as_json, forgotten=True)


@app.command(
    epilog=examples(
        "evenkeel vault keys",
        "evenkeel vault keys --drop 0123456789abcdef",
        "evenkeel vault keys --from ~/desk/backups/evenkeel-20260412T033000123Z",
        "evenkeel vault keys --new",
        note="A key that something needs and that is not here is listed as missing: --from puts it back, --new gives "
        "up what it alone opens.",
    )
)
def keys(
    drop: Annotated[str | None, typer.Option("--drop", metavar="KEY", help="Remove a key that is free.")] = None,
    backup: Annotated[
        Path | None,
        typer.Option("--from", metavar="BACKUP", help=f"Take in the keys of a backup; {KEYS_VARIABLE} opens them."),
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Make a key where there is none, giving up the old ones.")] = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """The server's keys by fingerprint, the one that seals first, and what still needs each; asking changes nothing."""
    from evenkeel.cli.server_keys import drop_key, found, make_key, take_in
    from evenkeel.desk.server_keys import WAY_OUT

    if sum((drop is not None, backup is not None, new)) > 1:
        raise typer.BadParameter("one of --drop, --from and --new at a time")
    with reporting(as_json=as_json):
        where = the_database(home, database_url)
        if drop is not None:
            drop_key(where, drop)
        elif backup is not None:
            take_in(where, backup)
        elif new:
            make_key(where)
        rows = found(where)
        if as_json:
            print_items(
                [{"key": one.fingerprint, "seals": place == 0 and one.is_here, "here": one.is_here,
                  "needed_by": ", ".join(one.needed_by)} for place, one in enumerate(rows)]
            )  # fmt: skip
            return
        shown = [
            [one.fingerprint or "(not named)", _does(place, is_here=one.is_here), ", ".join(one.needed_by) or "nothing"]
            for place, one in enumerate(rows)
        ]
        print_table(["key", "what it does", "needed by"], shown, empty="No key yet: the first start makes one.")
        if not all(one.is_here for one in rows):
            print(WAY_OUT, file=sys.stderr)


def _does(place: int, *, is_here: bool) -> str:
    if not is_here:
        return "MISSING"
    return "seals" if place == 0 else "opens"


def _rotate_server(home: Path | None, *, as_json: bool) -> None:
    from evenkeel.desk.server_keys import fingerprints
    from evenkeel.settings import load
    from evenkeel.storage.secrets import add_server_key

    where = resolve_home(home)
    if load(where)[0].server_keys():
        raise InvalidInput(
            "this home's server keys come from the settings",
            hint="Put a new key before the others in EVENKEEL_SERVER_KEY, and start the desk again.",
        )
    add_server_key(where)
    newest = fingerprints(where)[0]
    _done(f"The key {newest} seals from the next start of the desk on.", as_json=as_json, key=newest)


def _client(home: Path | None) -> Client:
    return Client(resolve_home(home), options={"secret": SECRET_VARIABLE, "code": CODE_VARIABLE, "new": NEW_VARIABLE})


def _done(said: str, *, as_json: bool, **facts: Any) -> None:
    if as_json:
        print_json(facts)
    else:
        print(said)


def _show_codes(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    print("Recovery codes, each for one use, shown this once. Keep them where the password is not:")
    for code in answer["codes"]:
        print(f"  {code}")
