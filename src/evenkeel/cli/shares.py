"""`evenkeel share`: accounts lent to other people."""

from typing import Annotated, Any

import typer

from evenkeel.cli.account import the_account
from evenkeel.cli.client import Client, path_of
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
from evenkeel.domain.errors import NotFound

app = typer.Typer(no_args_is_help=True)
_OPTIONS = {"account_id": "ACCOUNT", "username": "USERNAME", "permission": "--to"}
AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Name or id of the account.")]
UserArgument = Annotated[str, typer.Argument(metavar="USERNAME", help="Whom it is lent to.")]


@app.command("add", epilog=examples("evenkeel share add Main anna", "evenkeel share add Main anna --to trade"))
def add(
    account: AccountArgument,
    username: UserArgument,
    permission: Annotated[str, typer.Option("--to", help="read, reduce (cancel, close, halt), or trade.")] = "read",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lend an account, or change what somebody may do in it."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home, "home"), options=_OPTIONS)
        body = {"account_id": the_account(client, account)["id"], "username": username, "permission": permission}
        made = client.call("POST", "/shares", body)
        if as_json:
            print_json(made)
        else:
            print(f"{made['username']} may {made['permission']} in {made['account']}.")


@app.command("list", epilog=examples("evenkeel share list"))
def list_shares(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What you have lent, and what was lent to you."""
    with reporting(as_json=as_json):
        items = Client(resolve_home(home, "home")).get("/shares")["items"]
        if as_json:
            print_items(items)
            return
        rows = [[one["account"], one["owner"], one["username"], _may(one), one["id"]] for one in items]
        print_table(
            ["account", "of", "lent to", "to", "id"],
            rows,
            empty="No account is shared. Lend one: evenkeel share add Main USERNAME",
        )


def _may(share: dict[str, Any]) -> str:
    """What was lent, and what is left of it under the role of whom it was lent to."""
    lent, left = str(share["permission"]), share["in_force"]
    if left == lent:
        return lent
    return f"{lent}, but their role allows {left} only" if left else f"{lent}, but their role allows nothing"


@app.command("remove", epilog=examples("evenkeel share remove Main anna"))
def remove(
    account: AccountArgument, username: UserArgument, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """End a share at once."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home, "home"))
        account_id = the_account(client, account)["id"]
        found = [
            x for x in client.get("/shares")["items"] if (x["account_id"], x["username"]) == (account_id, username)
        ]
        if not found:
            raise NotFound(f"{account} is not lent to {username!r}", hint="`evenkeel share list` shows what is.")
        client.call("DELETE", path_of("shares", found[0]["id"]))
        if as_json:
            print_json({"id": found[0]["id"]})
        else:
            print(f"{account} is not lent to {username} any more.")
