"""`evenkeel account`, beside trading: groups, labels, details, summaries, out of use and back, erased."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from evenkeel.cli.account import NO_POSITIONS, AccountArgument, GroupOption, app, the_account
from evenkeel.cli.client import Client, find, path_of
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
    typed_name,
)
from evenkeel.cli.user import app as users
from evenkeel.domain.accounts import AccountMode

LabelOption = Annotated[str | None, typer.Option("--label", metavar="LABEL", help="Only accounts with this label.")]
ModeOption = Annotated[AccountMode | None, typer.Option("--mode", case_sensitive=False, help="Only such accounts.")]
CurrencyOption = Annotated[
    str | None, typer.Option("--currency", metavar="CODE", help="Totals in it; default: your base currency.")
]
GroupArgument = Annotated[str, typer.Argument(metavar="GROUP", help="Its name or id.")]


class Positions(StrEnum):
    """What becomes of what an account holds when it goes out of use."""

    REFUSE = "refuse"
    CLOSE = "close"
    KEEP = "keep"


@app.command(
    "summary",
    epilog=examples(
        "evenkeel account summary",
        "evenkeel account summary --group Family --currency EUR",
        note="What no exchange rate leads to is left out of the total, and named. Rates: evenkeel fx list.",
    ),
)
def summary(
    group: GroupOption = None,
    label: LabelOption = None,
    mode: ModeOption = None,
    currency: CurrencyOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accounts with their figures, sums by currency, and the total in one, with the rates it was converted at."""
    with reporting(as_json=as_json):
        found = _in_one(home, "/accounts/summary", currency, group=group, label=label, mode=mode)
        if as_json:
            print_json(found)
            return
        headings = ["name", "mode", "currency", "cash", "equity", "day P&L", "share", "labels", "groups"]
        lines = [
            [a["name"], a["mode"], a["currency"], a["cash"], a["equity"], a["day_pnl"], a["share"] or "",
             ", ".join(a["labels"]), ", ".join(a["groups"])]
            for a in found["accounts"]
        ]  # fmt: skip
        print_table(headings, lines, empty="No such account. `evenkeel account list` shows all.")
        print()
        _print_totals(found)


def _in_one(home: HomeOption, path: str, currency: str | None, **wanted: str | None) -> Any:
    """A view of many accounts with its total in one currency."""
    client = Client(resolve_home(home), options={"currency": "--currency"})
    return client.get(path, currency=currency and currency.upper(), **wanted)


def _print_totals(found: dict[str, Any]) -> None:
    """Sums by currency, the total, and how it was converted."""
    names = ["cash", "equity", "long", "short", "net", "day_pnl", "unrealised"]
    if found["total"]["day_pnl"] is None:
        names.remove("day_pnl")  # the platform has none
    headings = ["currency", "accounts", *(name.replace("_pnl", " P&L") for name in names)]
    rows = [
        [one["currency"], str(one["accounts"]), *(one[name] for name in names)]
        for one in [*found["by_currency"], found["total"]]
    ]
    if rows:
        rows[-1][0] = f"total {rows[-1][0]}"
    print_table(headings, rows)
    for one in found["rates"]:
        if one["rate"] is None:
            print(f"{one['currency']}: no exchange rate is known, so it is not in the total")
            continue
        old = f", {one['age_days']} days old: STALE" if one["stale"] else f", {one['age_days']} days old"
        way = f" by way of {one['via']}" if one["via"] else ""
        print(f"{one['currency']}: {one['rate']} of {one['date']}{old}{way} ({', '.join(one['sources'])})")


@app.command("consolidated", epilog=examples("evenkeel account consolidated", "evenkeel account consolidated --json"))
def consolidated(
    group: GroupOption = None,
    label: LabelOption = None,
    mode: ModeOption = None,
    currency: CurrencyOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """All accounts as one: positions by instrument, cash by currency, and totals."""
    with reporting(as_json=as_json):
        found = _in_one(home, "/portfolio/consolidated", currency, group=group, label=label, mode=mode)
        if as_json:
            print_json(found)
            return
        names = {one["id"]: one["name"] for one in found["accounts"]}
        rows = [
            [p["symbol"], p["currency"], p["quantity"], p["last_price"] or "", p["market_value"],
             p["base_value"] or "", p["unrealised"],
             ", ".join(f"{names[one['account_id']]} {one['quantity']}" for one in p["accounts"])]
            for p in found["positions"]
        ]  # fmt: skip
        headings = ["symbol", "currency", "quantity", "last", "value", found["base_currency"], "unrealised", "in"]
        print_table(headings, rows, empty=NO_POSITIONS)
        print()
        _print_totals(found)


@app.command("platform", epilog=examples("evenkeel account platform --currency EUR"))
def platform(currency: CurrencyOption = None, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Sums over everybody's accounts, for administrators: nothing of it is one person's."""
    with reporting(as_json=as_json):
        found = _in_one(home, "/portfolio/platform", currency)
        if as_json:
            print_json(found)
            return
        counts = f"people {found['users']}, accounts in use {found['active_accounts']}"
        late = f"; {found['lag']} records are not counted yet" if found["lag"] else ""
        print(f"{counts}, open positions {found['total']['positions']}{late}")
        _print_totals(found)


@app.command("groups", epilog=examples("evenkeel account groups"))
def groups(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Your groups of accounts."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        items = client.get("/accounts/groups")["items"]
        if as_json:
            print_items(items)
            return
        names = {one["id"]: one["name"] for one in client.get("/accounts")["items"]}
        rows = [[one["name"], ", ".join(names[each] for each in one["account_ids"]), one["id"]] for one in items]
        empty = "No groups yet. Make one: evenkeel account group Family --add Main"
        print_table(["name", "accounts", "id"], rows, empty=empty)


@app.command(
    "group",
    epilog=examples(
        "evenkeel account group Family --add Main --add Pension",
        "evenkeel account group Family",
        "evenkeel account group Family --remove Pension --name Parents",
        "evenkeel account group Family --delete",
    ),
)
def group(
    name: GroupArgument,
    add: Annotated[list[str], typer.Option("--add", metavar="ACCOUNT", help="Put it in; makes the group.")] = [],  # noqa: B006
    remove: Annotated[list[str], typer.Option("--remove", metavar="ACCOUNT", help="Take it out.")] = [],  # noqa: B006
    rename: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Call it this.")] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Take the group away; its accounts stay.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make, change or show a group of accounts: its health and its total."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={"name": "GROUP", "account_ids": "--add", "add": "--add"})
        known = {one["name"].casefold(): one for one in client.get("/accounts/groups")["items"]}
        found = known.get(name.casefold()) or next((one for one in known.values() if one["id"] == name), None)
        ins, outs = ([the_account(client, one)["id"] for one in given] for given in (add, remove))
        if found is None and (add and not (remove or delete)):
            found = client.call("POST", "/accounts/groups", {"name": rename or name, "account_ids": ins})
        path = path_of("accounts", "groups", found["id"] if found is not None else name)
        if delete:
            client.call("DELETE", path)
            print_json({"deleted": name}) if as_json else print(f"The group {name} is gone; its accounts stay.")
            return
        if add or remove or rename:
            change = {"add": ins, "remove": outs} | ({"name": rename} if rename else {})
            client.call("PATCH", path, change)
        shown = client.get(path)
        if as_json:
            print_json(shown)
        else:
            _print_group(client, shown)


def _print_group(client: Client, shown: dict[str, Any]) -> None:
    names = {one["id"]: one["name"] for one in client.get("/accounts")["items"]}
    rows = [
        [names[one["id"]], one["readiness"], one["halted"] or "", one["readiness_reason"] or ""]
        for one in shown["health"]
    ]
    total = shown["total"]
    print_table(
        ["account", "state", "halted by", "because"], rows, empty="No account is in it. Put one in with --add ACCOUNT."
    )
    left = f", without {', '.join(total['left_out'])}" if total["left_out"] else ""
    print(f"{shown['name']}: equity {total['equity']} {total['currency']}, today {total['day_pnl']}{left}")


@app.command("panic-group", epilog=examples("evenkeel account panic-group Family --reason drill"))
def panic_group(
    name: GroupArgument,
    keep: Annotated[bool, typer.Option("--keep-positions", help="Cancel, but close nothing.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Recorded with it.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Let them trade again instead.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """A panic of every account of a group at once, or its end."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        verb, body = ("resume", {}) if resume else ("panic", {"keep_positions": keep, "reason": reason})
        found = client.call("POST", path_of("accounts", "groups", name, verb), body)
        if as_json:
            print_items(found["items"])
            return
        rows = [[one["name"], one["state"], str(one["orders_left"]), str(one["positions_left"])]
                for one in found["items"]]  # fmt: skip
        print_table(
            ["account", "state", "orders left", "positions left"], rows, empty="None was halted: no account is in it."
        )


@app.command("label", epilog=examples("evenkeel account label Main pension long-term", "evenkeel account label Main"))
def label(
    account: AccountArgument,
    labels: Annotated[list[str] | None, typer.Argument(metavar="[LABEL]...", help="To add.")] = None,
    remove: Annotated[list[str], typer.Option("--remove", metavar="LABEL", help="To take away.")] = [],  # noqa: B006
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add labels to an account, or take some away; `account list --label` finds them."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={"labels": "LABEL"})
        path = path_of("accounts", the_account(client, account)["id"], "details")
        found = client.get(path)
        if labels or remove:
            kept = [one for one in dict.fromkeys([*found["labels"], *(labels or ())]) if one not in remove]
            found = client.call("PATCH", path, {"labels": kept})
        if as_json:
            print_json(found["labels"])
        else:
            print(", ".join(found["labels"]) or "No labels.")


@app.command(
    "details",
    epilog=examples(
        "evenkeel account details Main",
        'evenkeel account details Main --number U1234567 --notes "of the joint account"',
        "evenkeel account details Main --egress 203.0.113.7",
        note='An empty text ("") takes one away. None of this is in the journal.',
    ),
)
def details(
    account: AccountArgument,
    number: Annotated[str | None, typer.Option("--number", metavar="NUMBER", help="The broker's.")] = None,
    notes: Annotated[str | None, typer.Option("--notes", metavar="TEXT", help="Yours.")] = None,
    egress: Annotated[
        str | None, typer.Option("--egress", metavar="ADDRESS", help="Of this machine, to speak to the broker from.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is said of an account, or change what is given."""
    with reporting(as_json=as_json):
        options = {"number": "--number", "notes": "--notes", "egress": "--egress"}
        client = Client(resolve_home(home), options=options)
        path = path_of("accounts", the_account(client, account)["id"], "details")
        given = {"number": number, "notes": notes, "egress": egress}
        change = {name: value for name, value in given.items() if value is not None}
        found = client.call("PATCH", path, change) if change else client.get(path)
        print_json(found) if as_json else print_fields(found)


@app.command(
    "deactivate",
    epilog=examples(
        "evenkeel account deactivate Old",
        "evenkeel account deactivate Old --positions close --reason moved",
        note="Nothing is deleted: history stays, and `account activate` puts it back into use.",
    ),
)
def deactivate(
    account: AccountArgument,
    positions: Annotated[
        Positions, typer.Option("--positions", case_sensitive=False, help="Refuse while any are open, or do this.")
    ] = Positions.REFUSE,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Recorded with it.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an account out of use: it takes no new risk, and its working orders are cancelled."""
    body = {"reason": reason, "close": positions is Positions.CLOSE, "keep": positions is Positions.KEEP}
    _switch(account, "deactivate", body=body, home=home, as_json=as_json)


@app.command("activate", epilog=examples("evenkeel account activate Old"))
def activate(account: AccountArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Put an account back into use."""
    _switch(account, "activate", home=home, as_json=as_json)


@app.command("rename", epilog=examples('evenkeel account rename Main "Long term"'))
def rename_account(
    account: AccountArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an account another name."""
    _switch(account, "rename", body={"name": name}, home=home, as_json=as_json)


def _switch(account: str, verb: str, *, body: dict[str, Any] | None = None, home: Any, as_json: bool) -> None:
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={"name": "NAME", "keep": "--positions"})
        found = client.call("POST", path_of("accounts", the_account(client, account)["id"], verb), body)
        if as_json:
            print_json(found)
        else:
            said = "in use" if found["is_active"] else found["inactive_reason"].removeprefix("the account is ")
            print(f"{found['name']} is {said}")


TypedOption = Annotated[str | None, typer.Option("--type-name", metavar="NAME", help="The name, for scripts.")]


@app.command(
    "purge",
    epilog=examples(
        "evenkeel account purge Old",
        note="Deactivate the account first. Asks for its name, typed; scripts give it with --type-name.",
    ),
)
def purge(
    account: AccountArgument, typed: TypedOption = None, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Erase the name, number, labels, notes and groups of an account out of use, for good. Its history stays."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={"confirm": "--type-name"})
        done = _purge(client, path_of("accounts", the_account(client, account)["id"], "purge"), typed)
        print_json(done) if as_json else print(f"Erased. The account is called {done['name']} from now on.")


@users.command(
    "purge",
    epilog=examples(
        "evenkeel user purge somebody",
        note="Deactivate them and their accounts first. Asks for their name, typed; scripts give it with --type-name.",
    ),
)
def purge_user(
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="As `evenkeel user list` shows it.")],
    typed: TypedOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase all that is personal of a deactivated person and their accounts, for good. What they traded stays."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={"confirm": "--type-name"})
        done = _purge(client, path_of("users", _person(client, username), "purge"), typed)
        print_json(done) if as_json else print(f"Erased. This person is called {done['name']} from now on.")


def _person(client: Client, username: str) -> str:
    """The id of a person."""
    people = [{**one, "name": one["username"]} for one in client.pages("/users", limit=100_000)]
    return str(find(people, username, what="user")["id"])


def _purge(client: Client, path: str, typed: str | None) -> Any:
    """Asks first whether it may be done at all, then for the name."""
    may = client.get(path)
    ask = f"All that is personal of {may['confirm']} is erased, and nothing brings it back. Type the name to go on"
    return client.call("POST", path, {"confirm": typed if typed is not None else typed_name(ask)})
