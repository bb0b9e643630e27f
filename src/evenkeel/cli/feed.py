"""`evenkeel feed`: look at the market's hand-over, hold it, let it go on, change its pace, start it over."""

from pathlib import Path
from typing import Annotated, Any

import typer

from evenkeel.cli.client import Client
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    number,
    print_fields,
    print_json,
    reporting,
    resolve_home,
)

app = typer.Typer(no_args_is_help=True)


@app.command("show", epilog=examples("evenkeel feed show"))
def show(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Where the feed stands: its kind, state, speed and moment, and of what no price has come for too long."""
    with reporting(as_json=as_json):
        _print(Client(resolve_home(home)).get("/system/status")["feed"], as_json=as_json)


@app.command("pause", epilog=examples("evenkeel feed pause"))
def pause(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Hold the feed after the present moment. Orders are still taken."""
    _act({"action": "pause"}, home, as_json=as_json)


@app.command("resume", epilog=examples("evenkeel feed resume"))
def resume(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Go on."""
    _act({"action": "resume"}, home, as_json=as_json)


@app.command("speed", epilog=examples("evenkeel feed speed 20", "evenkeel feed speed 0.5", "evenkeel feed speed 0"))
def speed(
    value: Annotated[str, typer.Argument(metavar="SPEED", help="Moments a second, to 1000; 0 is flat out.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the pace. With daily bars, a moment is a trading day."""
    _act({"speed": f"{number(value):f}"}, home, as_json=as_json)


@app.command("restart", epilog=examples("evenkeel feed restart", "evenkeel feed restart --yes"))
def restart(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start the demo over from its first day; the run so far is kept aside in the home's `runs` folder."""
    if not yes:
        typer.confirm("Start the demo over from its first day?", abort=True, err=True)
    _act({"action": "restart"}, home, as_json=as_json)


def _act(body: dict[str, str], home: Path | None, *, as_json: bool) -> None:
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={"speed": "SPEED"})
        _print(client.call("POST", "/system/feed", body), as_json=as_json)


def _print(feed: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(feed)
    else:
        shown = {name: value for name, value in feed.items() if name not in ("id", "silent", "stalled")}
        silent = ", ".join(feed["silent"]) or "none"
        print_fields(shown | {"silent": silent} | ({"stalled": "yes"} if feed["stalled"] else {}))
