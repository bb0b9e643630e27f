"""`evenkeel account credentials` and `evenkeel account live`: what a real account needs, and its switch."""

import json
import os
import sys
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from evenkeel.cli.account import AccountArgument, app, the_account
from evenkeel.cli.client import Client, path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    number,
    print_json,
    print_table,
    reporting,
    resolve_home,
    typed_name,
    wrapped,
)
from evenkeel.domain.accounts import AccountType
from evenkeel.domain.errors import InvalidInput

credentials = typer.Typer(name="credentials", help="What an account's broker asks for, sealed.", no_args_is_help=True)
live = typer.Typer(name="live", help="Open accounts that trade for real, and switch them.", no_args_is_help=True)
app.add_typer(credentials)
app.add_typer(live)
VALUES_VARIABLE = "EVENKEEL_CREDENTIALS"


class CustodyKind(StrEnum):
    ATTENDED = "attended"
    UNATTENDED = "unattended"


@credentials.command("show", epilog=examples("evenkeel account credentials show Main"))
def show(account: AccountArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What the broker asks for, and what of it is saved: never a value."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        found = client.get(_path(client, account))
        if as_json:
            print_json(found)
            return
        rows = [
            [one["name"], one["label"], "secret" if one["is_secret"] else "plain",
             one["saved_at"] or ("missing" if one["is_required"] else "not given")]
            for one in found["fields"]
        ]  # fmt: skip
        print_table(["name", "what it is", "kind", "saved"], rows, empty=f"{found['broker']} takes no credentials.")


@credentials.command(
    "set",
    epilog=examples(
        "evenkeel account credentials set Main",
        note=f"Asks for each value. Scripts set {VALUES_VARIABLE} to a JSON object: no value stands in a process list.",
    ),
)
def save(account: AccountArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Seal credentials for an account, in place of those of the same names. The vault has to be open."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        path = _path(client, account)
        values = _values(client.get(path)["fields"])
        found = client.call("PUT", path, {"values": values})
        if as_json:
            print_json(found)
        else:
            print(f"Sealed: {', '.join(values)}")


@credentials.command("remove", epilog=examples("evenkeel account credentials remove Main --yes"))
def remove(
    account: AccountArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an account's credentials away: it cannot be connected again until they are saved anew."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        path = _path(client, account)
        if not yes:
            typer.confirm(f"Remove the credentials of {account}?", abort=True)
        client.call("DELETE", path)
        if as_json:
            print_json({"removed": True})
        else:
            print("Removed.")


@live.command(
    "open",
    epilog=examples("evenkeel account live open Kite --broker kite --number AB1234 --cash 500000 --currency INR"),
)
def open_live(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    broker: Annotated[str, typer.Option("--broker", metavar="BROKER", help="One of EVENKEEL_LIVE_BROKERS.")],
    account_number: Annotated[str, typer.Option("--number", metavar="NUMBER", help="The broker's for it.")],
    cash: Annotated[Decimal, typer.Option("--cash", parser=number, metavar="AMOUNT", help="What it holds now.")],
    currency: Annotated[str, typer.Option("--currency", metavar="CODE", help="Three letters.")] = "USD",
    kind: Annotated[AccountType, typer.Option("--type", case_sensitive=False, help="What it may do.")] = (
        AccountType.CASH
    ),
    fees: Annotated[str, typer.Option("--fees", metavar="SCHEDULE", help="A cost schedule.")] = "zero",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open an account whose orders are real. It is switched off until `evenkeel account live on`."""
    with reporting(as_json=as_json):
        body = {
            "name": name,
            "broker": broker,
            "number": account_number,
            "cash": f"{cash:f}",
            "currency": currency.upper(),
            "type": kind.value,
            "fees": fees,
        }
        opened = Client(resolve_home(home)).call("POST", "/accounts/live", body)
        if as_json:
            print_json(opened)
        else:
            print(f"Opened live account {opened['name']}, switched off: {opened['id']}")


@live.command(
    "on",
    epilog=examples("evenkeel account live on Kite --custody attended", note="Asks for the account's name, typed."),
)
def on(
    account: AccountArgument,
    custody: Annotated[CustodyKind, typer.Option("--custody", case_sensitive=False, help="Who opens its credentials.")],
    typed: Annotated[
        str | None, typer.Option("--type-name", metavar="NAME", help="The account's name, for scripts.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Switch an account live: says what that means, then asks for its name."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={"name": "--type-name"})
        path = path_of("accounts", the_account(client, account)["id"], "live")
        asked = client.call("POST", f"{path}/ask")
        if not as_json:
            print(wrapped(f"{custody.value}: {asked['meaning'][custody.value]}"))
        ask = f"Orders of {asked['name']} will be real, at {asked['broker']}. Type the account's name to go on"
        name = typed if typed is not None else typed_name(ask)
        body = {"token": asked["token"], "name": name, "custody": custody.value}
        switched = client.call("POST", path, body)
        if as_json:
            print_json(switched)
        else:
            print(f"{switched['name']} trades live, once it has been reconciled with {switched['broker']}.")


@live.command("off", epilog=examples("evenkeel account live off Kite"))
def off(account: AccountArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Stop an account from taking new risk, at once. What reduces it still passes."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        switched = client.call("DELETE", path_of("accounts", the_account(client, account)["id"], "live"))
        if as_json:
            print_json(switched)
        else:
            print(f"{switched['name']} takes no new risk. Close what it holds with `evenkeel position flatten`.")


def _path(client: Client, account: str) -> str:
    return path_of("accounts", the_account(client, account)["id"], "credentials")


def _values(fields: list[dict[str, Any]]) -> dict[str, str]:
    """From the environment, or typed one by one: unseen where they are secret, left as they are where empty."""
    given = os.environ.get(VALUES_VARIABLE)
    if given is not None:
        try:
            found = json.loads(given)
        except json.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise InvalidInput(f"{VALUES_VARIABLE} holds no JSON object of names and values")
        return {str(name): str(value) for name, value in found.items()}
    if not sys.stdin.isatty():
        raise InvalidInput("no values are given", hint=f"Set {VALUES_VARIABLE}, or run this on a terminal.")
    asked = {one["name"]: typer.prompt(one["label"], default="", hide_input=one["is_secret"], show_default=False)
             for one in fields}  # fmt: skip
    return {name: value for name, value in asked.items() if value}
