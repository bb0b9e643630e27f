"""`evenkeel copy`: links by which one account does what another does, how they stand, and bringing them in step."""

from decimal import Decimal
from typing import Annotated, Any

import typer

from evenkeel.cli.account import the_account
from evenkeel.cli.client import Client, find, path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    number,
    plain,
    print_fields,
    print_items,
    print_json,
    print_table,
    reporting,
    resolve_home,
)
from evenkeel.domain.copying import CopyMode, CopySide
from evenkeel.domain.errors import InvalidInput

app = typer.Typer(no_args_is_help=True)

LinkArgument = Annotated[
    str, typer.Argument(metavar="LINK", help="A link's id, its beginning, or its follower's name.")
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="RULE",
        help="equal, fixed=QUANTITY, multiplier=FACTOR, equity, free-margin or volatility[=REFERENCE].",
    ),
]
RiskOption = Annotated[
    Decimal | None, typer.Option("--risk", parser=number, metavar="FACTOR", help="Multiplies every size.")
]
SlippageOption = Annotated[
    str | None,
    typer.Option("--max-slippage", metavar="FRACTION|any", help="Open at most so much worse than the master."),
]
AgeOption = Annotated[
    float | None, typer.Option("--max-age", metavar="SECONDS", help="Open nothing of what is older than this.")
]
PreviewOption = Annotated[bool, typer.Option("--preview", help="Only say what would be ordered.")]
SymbolsOption = Annotated[
    list[str] | None, typer.Option("--symbol", metavar="SYMBOL", help="Only this one; may be repeated.")
]
_OPTIONS = {
    "sizing": "--size", "risk": "--risk", "max_slippage": "--max-slippage", "max_age": "--max-age",
    "symbols": "--symbol", "books": "--book", "symbol_map": "--map", "master_id": "MASTER", "follower_id": "FOLLOWER",
}  # fmt: skip
_PARAMETER = {"fixed": "quantity", "multiplier": "factor", "volatility": "reference"}
_LINK = "Small"
_IN_SYNC = {True: "yes", False: "no", None: ""}


@app.command("list", epilog=examples("evenkeel copy list", "evenkeel copy list --json"))
def list_links(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Every link from or to an account of yours."""
    with reporting(as_json=as_json):
        items = Client(resolve_home(home)).get("/accounts/copy")["items"]
        if as_json:
            print_items(items)
            return
        rows = [
            [_who(o, "master"), _who(o, "follower"), o["mode"], _size(o["sizing"]), _standing(o),
             _IN_SYNC[o["in_sync"]], f"{o['events']}", f"{o['skips']}", o["id"]]
            for o in items
        ]  # fmt: skip
        headings = ["master", "follower", "copies", "size", "status", "in sync", "events", "skips", "id"]
        print_table(headings, rows, empty="No copy links. Make one: evenkeel copy create MASTER FOLLOWER")


def _standing(link: dict[str, Any]) -> str:
    """A proposal with who asks, as it is for the other side to accept."""
    asks = link["status"] == "proposed" and link["proposed_by"]
    return f"proposed by {asks}" if asks else str(link["status"])


def _who(link: dict[str, Any], side: str) -> str:
    return link[side] or f"another's ({link[f'{side}_id']})"


def _size(sizing: dict[str, Any]) -> str:
    value = sizing.get(_PARAMETER.get(sizing["by"], ""))
    return sizing["by"] if value is None else f"{sizing['by']} {value}"


@app.command("show", epilog=examples(f"evenkeel copy show {_LINK}"))
def show(link: LinkArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """A link's terms."""
    with reporting(as_json=as_json):
        found = _the_link(Client(resolve_home(home)), link)
        if as_json:
            print_json(found)
            return
        print_fields({name: value for name, value in found.items() if name != "legs"})


@app.command("status", epilog=examples("evenkeel copy status", f"evenkeel copy status {_LINK} --json"))
def status(
    link: Annotated[str | None, typer.Argument(metavar="LINK", help="One link; all without it.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """How followers stand: each position beside the master's, its drift, and why it was last skipped."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        links = client.get("/accounts/copy")["items"] if link is None else [_the_link(client, link)]
        if as_json:
            print_items(links)
            return
        rows = [
            [_who(one, "follower"), leg["symbol"], leg["master_quantity"], leg["target"], leg["position"],
             leg["working"], leg["drift"], (leg["last_skip"] or {}).get("reason", "")]
            for one in links
            for leg in one["legs"]
        ]  # fmt: skip
        headings = ["follower", "symbol", "master", "target", "holds", "working", "drift", "last skip"]
        print_table(
            headings,
            rows,
            empty="Nothing is copied yet. `evenkeel copy list` shows the links, and who has to accept them.",
        )


def _the_link(client: Client, wanted: str) -> dict[str, Any]:
    """A link by its id, the beginning of that, or the name of its follower. Raises NotFound."""
    links = client.get("/accounts/copy")["items"]
    named = [{"id": one["id"], "name": one["follower"] or one["id"]} for one in links]
    wanted_id = find(named, wanted, what="copy link")["id"]
    return next(one for one in links if one["id"] == wanted_id)


@app.command(
    "create",
    epilog=examples(
        "evenkeel copy create Main Small --size equity",
        "evenkeel copy create Main Small --mode orders --size multiplier=0.5 --max-slippage 0.002",
        "evenkeel copy create Main Small --symbol AAPL --side long --map AAPL=AAPL.L --max-age 5",
        note="FOLLOWER may be the id of somebody else's account, or MASTER: it copies once they have accepted. "
        "docs/copy-trading.md tells what each size and filter does.",
    ),
)
def create(
    master: Annotated[str, typer.Argument(metavar="MASTER", help="The account to be followed.")],
    follower: Annotated[str, typer.Argument(metavar="FOLLOWER", help="The account that follows.")],
    mode: Annotated[CopyMode, typer.Option("--mode", help="Copy orders as they are placed, or fills.")] = (
        CopyMode.FILLS
    ),
    size: SizeOption = None,
    risk: RiskOption = None,
    max_slippage: SlippageOption = None,
    max_age: AgeOption = None,
    symbols: SymbolsOption = None,
    books: Annotated[
        list[str] | None, typer.Option("--book", metavar="BOOK", help="Only this strategy's, or manual.")
    ] = None,
    side: Annotated[CopySide, typer.Option("--side", help="Which positions are opened.")] = CopySide.BOTH,
    symbol_map: Annotated[
        list[str] | None, typer.Option("--map", metavar="SYMBOL=OTHER", help="Trade another in its place.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have an account follow another."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        body = {
            "master_id": _account(client, master),
            "follower_id": _account(client, follower),
            "mode": mode.value,
            "side": side.value,
            "symbols": symbols or [],
            "books": [_book(client, book) for book in books or ()],
            "symbol_map": [_mapped(text) for text in symbol_map or ()],
            **_terms(size, risk, slippage=max_slippage, age=max_age),
        }
        _tell(client.call("POST", "/accounts/copy", body), as_json=as_json)


def _account(client: Client, wanted: str) -> str:
    """An account of one's own by its name; anything else is taken for the id of somebody else's."""
    mine = client.get("/accounts")["items"]
    if len(wanted) == 36 and wanted not in {one["id"] for one in mine}:
        return wanted
    return str(the_account(client, wanted)["id"])


def _book(client: Client, wanted: str) -> str:
    strategies = client.get("/strategies")["items"]
    return next((one["id"] for one in strategies if wanted in (one["id"], one["name"])), wanted)


def _mapped(text: str) -> dict[str, str]:
    symbol, has, other = text.partition("=")
    if not has or not symbol or not other:
        raise InvalidInput(f"{text!r} is not SYMBOL=OTHER", hint="For example --map ES=MES.")
    return {"symbol": symbol, "to": other}


def _terms(size: str | None, risk: Decimal | None, *, slippage: str | None, age: float | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if size is not None:
        by, has, value = size.partition("=")
        if has and by not in _PARAMETER:
            raise InvalidInput(f"{by} takes no number", hint="fixed, multiplier and volatility do.")
        if by in ("fixed", "multiplier") and not has:
            raise InvalidInput(f"{by} takes a number", hint=f"For example --size {by}=2.")
        sizing: dict[str, Any] = {"by": by}
        if has:
            sizing[_PARAMETER[by]] = float(number(value)) if by == "volatility" else plain(number(value))
        found["sizing"] = sizing
    if risk is not None:
        found["risk"] = plain(risk)
    if slippage is not None:
        found["max_slippage"] = None if slippage == "any" else plain(number(slippage))
    if age is not None:
        found["max_age"] = age
    return found


def _tell(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print(f"{_who(found, 'follower')} follows {_who(found, 'master')}: {_standing(found)} ({found['id']})")
    if found["status"] == "proposed":
        print("Nothing is copied until the owner of the other account accepts it: evenkeel copy accept")


@app.command("change", epilog=examples(f"evenkeel copy change {_LINK} --size equity --risk 0.5 --max-slippage any"))
def change(
    link: LinkArgument,
    size: SizeOption = None,
    risk: RiskOption = None,
    max_slippage: SlippageOption = None,
    max_age: AgeOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a link's terms from the next event on."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        path = path_of("accounts", "copy", _the_link(client, link)["id"])
        _tell(client.call("PATCH", path, _terms(size, risk, slippage=max_slippage, age=max_age)), as_json=as_json)


def _do(link: str, what: str, *, home: Any, as_json: bool) -> None:
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        path = path_of("accounts", "copy", _the_link(client, link)["id"])
        found = client.call("DELETE", path) if what == "remove" else client.call("POST", f"{path}/{what}")
        _tell(found, as_json=as_json)


@app.command("accept", epilog=examples(f"evenkeel copy accept {_LINK}"))
def accept(link: LinkArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Accept a link that somebody has proposed to an account of yours."""
    _do(link, "accept", home=home, as_json=as_json)


@app.command("pause", epilog=examples(f"evenkeel copy pause {_LINK}", note="What the master closes still follows."))
def pause(link: LinkArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Have a link open nothing until it is resumed."""
    _do(link, "pause", home=home, as_json=as_json)


@app.command("resume", epilog=examples(f"evenkeel copy resume {_LINK}"))
def resume(link: LinkArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Have a paused link copy everything again."""
    _do(link, "resume", home=home, as_json=as_json)


@app.command("remove", epilog=examples(f"evenkeel copy remove {_LINK}", note="Positions and working orders stay."))
def remove(link: LinkArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """End a link for good, or decline one."""
    _do(link, "remove", home=home, as_json=as_json)


@app.command("resync", epilog=examples(f"evenkeel copy resync {_LINK} --preview", f"evenkeel copy resync {_LINK}"))
def resync(
    link: LinkArgument,
    symbols: SymbolsOption = None,
    preview: PreviewOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a follower to where it would be had it followed from the beginning, by orders at the market."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        path = path_of("accounts", "copy", _the_link(client, link)["id"])
        found = client.call("POST", f"{path}/resync", {"symbols": symbols or [], "preview": preview})
        _tell_steps([found], as_json=as_json)


@app.command(
    "replicate",
    epilog=examples("evenkeel copy replicate Main AAPL --preview", f"evenkeel copy replicate Main AAPL --link {_LINK}"),
)
def replicate(
    master: Annotated[str, typer.Argument(metavar="MASTER", help="The account whose position it is.")],
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="What it holds.")],
    links: Annotated[
        list[str] | None, typer.Option("--link", metavar="LINK", help="Only this link; may be repeated.")
    ] = None,
    preview: PreviewOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have followers hold one position of their master as it is now."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        body = {
            "master_id": _account(client, master),
            "symbol": symbol,
            "link_ids": [_the_link(client, link)["id"] for link in links or ()],
            "preview": preview,
        }
        found = client.call("POST", "/accounts/copy/replicate", body)["items"]
        _tell_steps(found, as_json=as_json)


def _tell_steps(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_items(found)
        return
    rows = [
        [one["follower"] or one["follower_id"], step["symbol"], step["position"], step["target"], step["side"] or "",
         step["close"], step["open"]]
        for one in found
        for step in one["steps"]
    ]  # fmt: skip
    print_table(
        ["follower", "symbol", "holds", "target", "side", "close", "open"],
        rows,
        empty="Nothing to order: each holds what it is to hold.",
    )
    for one in found:
        for left in one["unsized"]:
            print(f"{one['follower'] or one['follower_id']}: {left['symbol']} has no target: {left['reason']}")


@app.command("events", epilog=examples(f"evenkeel copy events {_LINK} --skipped"))
def events(
    link: LinkArgument,
    skipped: Annotated[bool, typer.Option("--skipped", help="Only what was not copied in full.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")] = 50,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a link has made of each event of its master, newest first."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        path = path_of("accounts", "copy", _the_link(client, link)["id"], "events")
        items = client.pages(path, limit=limit, skipped=str(skipped).lower())
        if as_json:
            print_items(items)
            return
        rows = [
            [o["at"], o["event"], o["symbol"], o["master_quantity"], o["wanted"], o["quantity"], o["skipped"] or ""]
            for o in items
        ]
        empty = "Nothing was skipped." if skipped else "No events yet: they come with the master's next order or fill."
        print_table(["at", "event", "symbol", "master", "wanted", "ordered", "skipped"], rows, empty=empty)
