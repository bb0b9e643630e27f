"""`evenkeel apikey`: keys for programs. Their secrets are shown once."""

from typing import Annotated, Any

import typer

from evenkeel.cli.account import the_account
from evenkeel.cli.client import Client, find, path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    minute,
    print_fields,
    print_items,
    print_json,
    print_table,
    reporting,
    resolve_home,
)
from evenkeel.desk.permissions import LADDER

app = typer.Typer(no_args_is_help=True)
_PATH = "/auth/keys"
_OPTIONS = {
    "name": "NAME",
    "scope": "--scope",
    "days": "--days",
    "accounts": "--account",
    "networks": "--from",
    "overlap_hours": "--overlap",
}
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Its name, its id, or the beginning of its id.")]


@app.command(
    "create",
    epilog=examples(
        "evenkeel apikey create reporting --scope read",
        "evenkeel apikey create robot --scope trade --account Main --from 192.0.2.0/24 --days 30 --signed",
        note="A scope holds those before it: read, reduce (cancel, close, halt), trade, manage, admin.",
    ),
)
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    scope: Annotated[str, typer.Option("--scope", help=f"{', '.join(LADDER)}.")],
    days: Annotated[int, typer.Option("--days", help="How long it lasts: 1 to 366.")] = 90,
    account: Annotated[
        list[str] | None, typer.Option("--account", help="Confine it to this account; may be given again.")
    ] = None,
    networks: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="NETWORK", help="Where it may come from: 192.0.2.7 or 192.0.2.0/24."),
    ] = None,
    signed: Annotated[bool, typer.Option("--signed", help="Have every request signed.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key, and show its secrets for the only time."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home, "home"), options=_OPTIONS)
        body = {
            "name": name,
            "scope": scope,
            "days": days,
            "accounts": [the_account(client, one)["id"] for one in account or ()],
            "networks": list(networks or ()),
            "signed": signed,
        }
        _show_once(client.call("POST", _PATH, body), as_json=as_json)


@app.command("list", epilog=examples("evenkeel apikey list", "evenkeel apikey list --json"))
def list_keys(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Your keys, those that have ended too, and when and from where each was last used."""
    with reporting(as_json=as_json):
        items = Client(resolve_home(home, "home")).get(_PATH)["items"]
        if as_json:
            print_items(items)
            return
        headings = ["name", "key", "scope", "state", "expires", "last used", "from", "id"]
        rows = [
            [
                one["name"],
                one["prefix"] + "…",
                one["scope"] + (" (signed)" if one["signed"] else ""),
                one["state"],
                one["expires_at"][:10],
                minute(one["last_used_at"]),
                one["last_address"] or "",
                one["id"],
            ]
            for one in items
        ]
        print_table(headings, rows, empty="There is no key. `evenkeel apikey create` makes one.")


@app.command("revoke", epilog=examples("evenkeel apikey revoke robot"))
def revoke(key: KeyArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """End a key at once."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home, "home"))
        ended = client.call("DELETE", path_of("auth", "keys", _the_key(client, key)["id"]))
        if as_json:
            print_json(ended)
        else:
            print(f"The key {ended['name']} ({ended['prefix']}…) has ended.")


@app.command(
    "rotate",
    epilog=examples("evenkeel apikey rotate robot", "evenkeel apikey rotate robot --overlap 24"),
)
def rotate(
    key: KeyArgument,
    overlap: Annotated[int, typer.Option("--overlap", metavar="HOURS", help="The old one goes on for 0 to 72.")] = 0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new key on the same terms, and end the old one."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home, "home"), options=_OPTIONS)
        path = path_of("auth", "keys", _the_key(client, key)["id"], "rotate")
        _show_once(client.call("POST", path, {"overlap_hours": overlap}), as_json=as_json)


def _the_key(client: Client, wanted: str) -> dict[str, Any]:
    """The key of that name or id; of several of one name, the one that is live."""
    items = client.get(_PATH)["items"]
    live = [one for one in items if one["state"] == "live"]
    return find(live if any(one["name"] == wanted for one in live) else items, wanted, what="key")


def _show_once(made: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    print_fields({name: made["key"][name] for name in ("name", "scope", "expires_at", "id")})
    print_fields({"key": made["secret"], "signing secret": made["signing_secret"]})
    print("Keep both now: they are not shown again.")
