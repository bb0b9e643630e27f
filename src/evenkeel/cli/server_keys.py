"""What `evenkeel vault keys` does with the server's keys of a home, and how the keys of a backup are opened."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from evenkeel.domain.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from evenkeel.desk.server_keys import Needed
    from evenkeel.storage.database import Database

KEYS_VARIABLE = "EVENKEEL_KEYS_PASSPHRASE"


def found(where: "Database") -> tuple["Needed", ...]:
    """The keys that are here, and those that something needs and that are not. Raises NotReady."""
    from evenkeel.desk.server_keys import needs, server_secrets

    return needs(where, server_secrets(where.home, _given(where.home)))


def drop_key(where: "Database", fingerprint: str) -> None:
    """Takes a key that is free out of the secrets file. Raises InvalidInput for any other."""
    from evenkeel.desk.sealing import Key
    from evenkeel.storage.secrets import change_server_keys

    if _given(where.home):
        raise InvalidInput(
            "this home's server keys come from the settings", hint="Take it out of EVENKEEL_SERVER_KEY there."
        )
    here = [one for one in found(where) if one.is_here]
    if all(one.fingerprint != fingerprint or one.needed_by for one in here[1:]):
        needed = next((", ".join(one.needed_by) for one in here if one.fingerprint == fingerprint), "")
        raise InvalidInput(
            f"the key {fingerprint} cannot be dropped" + (f": it is needed by {needed}" if needed else ""),
            hint="Only a key that `evenkeel vault keys` lists, that opens and does not seal, and that nothing needs. "
            "API keys need it no more once rotated, vaults and second factors once their people have signed in.",
        )
    change_server_keys(
        where.home,
        lambda keys: tuple(key for key in keys if Key(bytes.fromhex(key)).fingerprint != fingerprint),
    )


def take_in(where: "Database", backup: Path) -> None:
    """Takes the keys of a backup into the home, after those that are here. Raises NotFound, Unauthenticated."""
    from evenkeel.storage.secrets import adopt_secrets

    if not where.home.is_dir():
        raise NotFound(f"there is no home {where.home}", hint="Name the right folder with --home.")
    adopt_secrets(where.home, opened(backup))
    print("The keys are here from the next start of the desk on.", file=sys.stderr)
    if _given(where.home):
        print("EVENKEEL_SERVER_KEY names others, which go before: take it out of the settings.", file=sys.stderr)


def make_key(where: "Database") -> None:
    """Makes a server key where there is none, whatever needed another. Raises Conflict where there is one, or where a
    desk runs, which has the old one in its memory."""
    from evenkeel.desk.server_keys import fingerprints
    from evenkeel.storage.homelock import is_running
    from evenkeel.storage.secrets import ensure_secrets

    if fingerprints(where.home, _given(where.home)):
        raise Conflict("there is a server key here", hint="To replace it: `evenkeel vault rotate --server`.")
    if is_running(where.home):
        raise Conflict("a desk runs on this home, with its keys in memory", hint="Stop it first.")
    ensure_secrets(where.home)


def passphrase(*, confirm: bool) -> str:
    """That of the keys of a backup, from the environment or typed unseen; to `confirm` is to set one.

    Without a terminal none is empty, and a new one InvalidInput.
    """
    given = os.environ.get(KEYS_VARIABLE)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        if confirm:
            raise InvalidInput("no passphrase for the keys is given", hint=f"Set {KEYS_VARIABLE}.")
        return ""
    asked: str = typer.prompt(
        "Passphrase of the keys", hide_input=True, confirmation_prompt=confirm, default=None if confirm else "",
        show_default=False,
    )  # fmt: skip
    return asked


def opened(backup: Path, words: str | None = None) -> bytes:
    """The secrets that lie sealed in a backup; the passphrase is asked for where it is not given. Raises NotFound,
    InvalidInput, Unauthenticated for another passphrase, SealBroken for what is damaged."""
    from evenkeel.desk.backups import open_keys
    from evenkeel.storage.backups.manifest import keys_of
    from evenkeel.storage.secrets import parse_secrets

    sealed = keys_of(backup)
    words = passphrase(confirm=False) if words is None else words
    if not words:
        raise InvalidInput("no passphrase for the keys is given", hint=f"Set {KEYS_VARIABLE}.")
    data = open_keys(sealed, words)
    parse_secrets(data)
    return data


def _given(home: Path) -> tuple[bytes, ...]:
    from evenkeel.settings import load

    return load(home)[0].server_keys()
