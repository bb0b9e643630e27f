"""`evenkeel watchlist`: lists of instruments in an order of one's own, with notes, and quotes beside them."""

from typing import Annotated, Any

import typer

from evenkeel.cli.client import Client, find, path_of
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

ListArgument = Annotated[str, typer.Argument(metavar="LIST", help="Name, id, or beginning of the id.")]
SymbolArgument = Annotated[str, typer.Argument(metavar="SYMBOL", help="As `evenkeel market symbols` lists it.")]
NoteOption = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="A note on it.")]
_OPTIONS = {"name": "NAME", "symbol": "SYMBOL", "symbols": "SYMBOL", "note": "--note", "place": "PLACE"}


def _the_list(client: Client, wanted: str) -> dict[str, Any]:
    return find(client.get("/watchlists")["items"], wanted, what="watchlist")


def _entry(found: dict[str, Any], symbol: str) -> str:
    """The id of an instrument of a list. Raises NotFound."""
    for one in found["entries"]:
        if symbol.casefold() in (one["symbol"].casefold(), one["instrument_id"]):
            return str(one["instrument_id"])
    raise NotFound(f"{found['name']} does not have {symbol}")


@app.command("list", epilog=examples("evenkeel watchlist list"))
def list_watchlists(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """All lists."""
    with reporting(as_json=as_json):
        items = Client(resolve_home(home)).get("/watchlists")["items"]
        if as_json:
            print_items(items)
            return
        rows = [[one["name"], str(len(one["entries"])), one["id"]] for one in items]
        print_table(["name", "instruments", "id"], rows, empty="No watchlists yet: evenkeel watchlist create Mine AAPL")


@app.command("show", epilog=examples("evenkeel watchlist show Mine"))
def show(watchlist: ListArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One list with the last prices."""
    with reporting(as_json=as_json):
        _told(_the_list(Client(resolve_home(home)), watchlist), as_json=as_json)


def _told(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [
        [one["symbol"], one["bid"] or "", one["ask"] or "", one["last"] or "", one["at"] or "", one["note"]]
        for one in found["entries"]
    ]
    print_table(
        ["symbol", "bid", "ask", "last", "at", "note"],
        rows,
        empty=f"{found['name']} is empty. Add to it: evenkeel watchlist add --help",
    )


@app.command("create", epilog=examples("evenkeel watchlist create Mine AAPL MSFT"))
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    symbols: Annotated[list[str] | None, typer.Argument(metavar="SYMBOL…", help="In this order.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a list."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        _told(client.call("POST", "/watchlists", {"name": name, "symbols": symbols or []}), as_json=as_json)


@app.command("add", epilog=examples("evenkeel watchlist add Mine IBM --note 'reports on Thursday'"))
def add(
    watchlist: ListArgument,
    symbol: SymbolArgument,
    note: NoteOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an instrument at the end of a list."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        path = path_of("watchlists", _the_list(client, watchlist)["id"])
        _told(client.call("POST", path, {"symbol": symbol, "note": note or ""}), as_json=as_json)


@app.command("remove", epilog=examples("evenkeel watchlist remove Mine IBM", "evenkeel watchlist remove Mine"))
def remove(
    watchlist: ListArgument,
    symbol: Annotated[str | None, typer.Argument(metavar="[SYMBOL]", help="Without it, the whole list.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an instrument off a list, or forget the list."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        found = _the_list(client, watchlist)
        parts = ["watchlists", found["id"]] + ([] if symbol is None else [_entry(found, symbol)])
        after = client.call("DELETE", path_of(*parts))
        if symbol is not None:
            _told(after, as_json=as_json)
        elif as_json:
            print_json({"removed": found["id"]})
        else:
            print(f"{found['name']} is forgotten.")


@app.command("note", epilog=examples("evenkeel watchlist note Mine IBM 'reports on Thursday'"))
def note(
    watchlist: ListArgument,
    symbol: SymbolArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Empty takes the note away.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a note on an instrument of a list."""
    _change(watchlist, symbol, {"note": text}, home=home, as_json=as_json)


@app.command("move", epilog=examples("evenkeel watchlist move Mine IBM 1"))
def move(
    watchlist: ListArgument,
    symbol: SymbolArgument,
    place: Annotated[int, typer.Argument(metavar="PLACE", min=1, help="1 is the first.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move an instrument to another place of its list."""
    _change(watchlist, symbol, {"place": place - 1}, home=home, as_json=as_json)


def _change(watchlist: str, symbol: str, body: dict[str, Any], *, home: HomeOption, as_json: bool) -> None:
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        found = _the_list(client, watchlist)
        path = path_of("watchlists", found["id"], _entry(found, symbol))
        _told(client.call("PATCH", path, body), as_json=as_json)


@app.command("rename", epilog=examples("evenkeel watchlist rename Mine Tech"))
def rename(
    watchlist: ListArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Another name.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a list another name."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        path = path_of("watchlists", _the_list(client, watchlist)["id"])
        _told(client.call("PATCH", path, {"name": name}), as_json=as_json)
