"""`evenkeel feed`: look at the market's hand-over, hold it, let it go on, change its pace, start it over."""

from typing import Annotated, Any

import typer

from evenkeel.cli.client import Client
from evenkeel.cli.common import HomeOption, JsonOption, print_json, print_table, reporting, resolve_home

app = typer.Typer(name="feed", help="Steer the replay or simulated market.", no_args_is_help=True)


@app.command("show")
def show(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Where the feed stands."""
    with reporting(as_json=as_json):
        _print(Client(resolve_home(home)).get("/system/status")["feed"], as_json=as_json)


@app.command("pause")
def pause(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Hold the feed after the present moment."""
    _act({"action": "pause"}, home, as_json)


@app.command("resume")
def resume(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Go on."""
    _act({"action": "resume"}, home, as_json)


@app.command("speed")
def speed(
    value: Annotated[str, typer.Argument(help="Moments a second; 0 is as fast as possible.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the pace."""
    _act({"speed": value}, home, as_json)


@app.command("restart")
def restart(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start the demo over from its first day; the run so far is kept aside in the home's `runs` folder."""
    if not yes:
        typer.confirm("Start the demo over from its first day?", abort=True)
    _act({"action": "restart"}, home, as_json)


def _act(body: dict[str, str], home: Any, as_json: bool) -> None:
    with reporting(as_json=as_json):
        _print(Client(resolve_home(home, "home")).call("POST", "/system/feed", body), as_json=as_json)


def _print(feed: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(feed)
    else:
        print_table(["field", "value"], [[name, "" if value is None else str(value)] for name, value in feed.items()])
