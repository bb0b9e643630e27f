"""`evenkeel user`: the people of a home, with the server running or stopped."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
)
from evenkeel.cli.people import Home
from evenkeel.cli.place import DatabaseOption, the_database

if TYPE_CHECKING:
    from evenkeel.desk.ports import User

app = typer.Typer(no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(metavar="USERNAME", help="As `evenkeel user list` shows it, or the id.")]
RoleArgument = Annotated[str, typer.Argument(metavar="ROLE", help="super-admin, admin, trader or viewer.")]


@app.command("list", epilog=examples("evenkeel user list"))
def list_users(home: HomeOption = None, database_url: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Everybody who may sign in, or might again."""
    with reporting(as_json=as_json):
        people = Home(home, database_url).people()
        if as_json:
            print_items(people)
            return
        rows = [
            [one["username"], one["role"], "yes" if one["is_active"] else "no", minute(one["last_login"]), one["id"]]
            for one in people
        ]
        print_table(["username", "role", "active", "last login", "id"], rows)


@app.command("show", epilog=examples("evenkeel user show ann"))
def show(
    username: NameArgument, home: HomeOption = None, database_url: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """One person, and the sessions that go on."""
    with reporting(as_json=as_json):
        where = Home(home, database_url)
        found = where.one(username) | {"sessions": where.sessions(username)}
        if as_json:
            print_json(found)
        else:
            print_fields(found | {"sessions": [f"{minute(one['seen'])} {one['address']}" for one in found["sessions"]]})


@app.command("invite", epilog=examples("evenkeel user invite trader --email ann@example.com"))
def invite(
    role: RoleArgument,
    email: Annotated[str | None, typer.Option("--email", help="Their address, for a sign-in elsewhere.")] = None,
    hours: Annotated[int, typer.Option("--hours", min=1, max=720, help="How long the link works.")] = 72,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a link by which somebody becomes a person of that role. It works once, and is not shown again."""
    with reporting(as_json=as_json):
        made = Home(home, database_url).invite(role, email=email, hours=hours)
        if as_json:
            print_json(made)
        else:
            _print_link(made["link"])


@app.command("invitations", epilog=examples("evenkeel user invitations"))
def invitations(home: HomeOption = None, database_url: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """The invitations that can still be accepted."""
    with reporting(as_json=as_json):
        found = Home(home, database_url).invitations()
        if as_json:
            print_items(found)
            return
        rows = [[one["role"], one["email"] or "", minute(one["expires_at"]), one["id"]] for one in found]
        print_table(
            ["role", "email", "until", "id"],
            rows,
            empty="There is no open invitation. Make one: evenkeel user invite trader",
        )


@app.command("uninvite", epilog=examples("evenkeel user uninvite 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061"))
def uninvite(
    invitation: Annotated[str, typer.Argument(metavar="ID", help="As `evenkeel user invitations` shows it.")],
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an invitation back."""
    with reporting(as_json=as_json):
        Home(home, database_url).take_back(invitation)
        _done({"id": invitation}, "The invitation is taken back.", as_json=as_json)


@app.command("role", epilog=examples("evenkeel user role ann viewer"))
def role(
    username: NameArgument,
    role: RoleArgument,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a person another role; their sessions end. The last active super-admin stays one."""
    with reporting(as_json=as_json):
        changed = Home(home, database_url).change(username, {"role": role})
        _done(changed, f"{changed['username']} is {changed['role']}.", as_json=as_json)


@app.command(
    "networks",
    epilog=examples(
        "evenkeel user networks ann",
        "evenkeel user networks ann 192.0.2.0/24",
        "evenkeel user networks ann --any",
        note="What is given takes the place of all that was there.",
    ),
)
def networks(
    username: NameArgument,
    given: Annotated[
        list[str] | None, typer.Argument(metavar="[CIDR]...", help="Only from here; without any, it is only shown.")
    ] = None,
    anywhere: Annotated[bool, typer.Option("--any", help="From everywhere: takes the restriction away.")] = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where a person may come from, or say it anew: their sessions end then."""
    if given and anywhere:
        raise typer.BadParameter("goes with no networks: it means everywhere", param_hint="--any")
    with reporting(as_json=as_json):
        where = Home(home, database_url)
        found = where.change(username, {"networks": given or []}) if given or anywhere else where.one(username)
        told = ", ".join(found["networks"]) or "everywhere"
        _done(found, f"{found['username']} may come from {told}.", as_json=as_json)


@app.command("deactivate", epilog=examples("evenkeel user deactivate ann"))
def deactivate(
    username: NameArgument, home: HomeOption = None, database_url: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """End a person's sessions and refuse their sign-ins; nothing of theirs is deleted."""
    with reporting(as_json=as_json):
        changed = Home(home, database_url).switch(username, on=False)
        _done(changed, f"{changed['username']} may not sign in any more.", as_json=as_json)


@app.command("reactivate", epilog=examples("evenkeel user reactivate ann"))
def reactivate(
    username: NameArgument, home: HomeOption = None, database_url: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Let a person sign in again."""
    with reporting(as_json=as_json):
        changed = Home(home, database_url).switch(username, on=True)
        _done(changed, f"{changed['username']} may sign in again.", as_json=as_json)


@app.command("reset", epilog=examples("evenkeel user reset ann"))
def reset(
    username: NameArgument, home: HomeOption = None, database_url: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Print a link, for a day, by which a person sets their password anew. Two factors stay on."""
    with reporting(as_json=as_json):
        made = Home(home, database_url).reset(username)
        if as_json:
            print_json(made)
        else:
            _print_link(made)


@app.command("sessions", epilog=examples("evenkeel user sessions ann", "evenkeel user sessions ann --end"))
def sessions(
    username: NameArgument,
    end: Annotated[bool, typer.Option("--end", help="End all of them.")] = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """A person's sign-ins that go on."""
    with reporting(as_json=as_json):
        where = Home(home, database_url)
        if end:
            where.end_sessions(username)
        found = where.sessions(username)
        if as_json:
            print_items(found)
            return
        rows = [[minute(one["since"]), minute(one["seen"]), one["address"], one["agent"], one["id"]] for one in found]
        print_table(["since", "last seen", "address", "agent", "id"], rows, empty="No session goes on.")


@app.command("two-factor-off", epilog=examples("evenkeel user two-factor-off ann"))
def two_factor_off(
    username: NameArgument, home: HomeOption = None, database_url: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Take a person's second factor away, whose device and recovery codes are lost; their sessions end."""
    with reporting(as_json=as_json):
        Home(home, database_url).take_away_two_factor(username)
        _done({"username": username}, f"{username} signs in without a second factor.", as_json=as_json)


@app.command(
    "password",
    epilog=examples(
        "evenkeel user password owner",
        note="Asks for the password twice. Scripts set EVENKEEL_NEW_PASSWORD, so that it stands in no process list.",
    ),
)
def password(
    username: NameArgument,
    new: Annotated[
        str,
        typer.Option(
            "--password",
            metavar="PASSWORD",
            envvar="EVENKEEL_NEW_PASSWORD",
            prompt="New password",
            hide_input=True,
            confirmation_prompt=True,
            help="8 to 128 characters, 15 advised; asked for when it is not given.",
        ),
    ],
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a password anew; every session of that person ends. Two factors stay on."""
    with reporting(as_json=as_json):
        changed = Home(home, database_url).set_password(username, new)
        _forget_first(home, database_url, changed=changed)
        told = {"id": changed.id, "username": changed.username}
        _done(told, f"The password of {changed.username} is set.", as_json=as_json)


def _forget_first(home: Path | None, url: str | None, *, changed: "User") -> None:
    from evenkeel.desk.users import OWNER
    from evenkeel.storage.secrets import FirstPassword

    if changed.role == OWNER:
        FirstPassword(the_database(home, url).home).forget()


def _done(found: dict[str, Any], told: str, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        print(told)


def _print_link(link: dict[str, Any]) -> None:
    print(link["address"])
    print(f"It works once, until {minute(link['expires_at'])}, and is not shown again.")
