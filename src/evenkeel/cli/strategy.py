"""`evenkeel strategy`: templates, their checks, and the deployments at work."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenkeel.cli.account import LimitOption, the_account
from evenkeel.cli.client import Client, find, path_of
from evenkeel.cli.common import HomeOption, JsonOption, print_json, print_table, reporting, resolve_home
from evenkeel.domain.errors import EvenkeelError, FieldError, InvalidInput

if TYPE_CHECKING:
    from evenkeel.trading.strategies.registry import Registry

app = typer.Typer(name="strategy", help="Templates, checks and deployments.", no_args_is_help=True)

StrategyArgument = Annotated[str, typer.Argument(metavar="STRATEGY", help="Name or id of a deployment.")]


def _registry(files: list[Path]) -> "Registry":
    from evenkeel.trading.strategies.registry import Registry

    registry = Registry()
    registry.load_entry_points()
    for file in files:
        registry.load(file)
    return registry


@app.command("templates")
def templates(as_json: JsonOption = False) -> None:
    """What can be deployed, with parameters and their ranges."""
    import msgspec

    with reporting(as_json=as_json):
        infos = _registry([]).infos()
        if as_json:
            print_json(msgspec.to_builtins(infos))
            return
        for info in infos:
            print(f"{info.name} {info.version}  {info.title}\n  {info.description}")
            for p in info.parameters:
                print(f"    {p.name} = {p.default}  ({p.minimum} to {p.maximum})  {p.description}")


@app.command("check")
def check(
    template: Annotated[str, typer.Argument(help="Name of a template, or a Python file that holds one.")],
    as_json: JsonOption = False,
) -> None:
    """Look for look-ahead and unbounded memory. Exit code 1 when the strategy peeks at the future."""
    import msgspec

    from evenkeel.trading.strategies.report import check_strategy

    with reporting(as_json=as_json):
        registry = _registry([])
        path = Path(template)
        name = registry.load(path).name if path.suffix == ".py" else template
        report = check_strategy(type(registry.create(name)))
        if as_json:
            print_json(msgspec.to_builtins(report))
        else:
            print_table(["field", "value"], [[k, str(v)] for k, v in msgspec.to_builtins(report).items()])
        if not report.ok:
            raise EvenkeelError(f"{name} does not pass the look-ahead check")


@app.command("list")
def list_deployments(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Deployments with their state, orders and last signal."""
    with reporting(as_json=as_json):
        items = Client(resolve_home(home)).get("/strategies")["items"]
        if as_json:
            print_json(items)
            return
        rows = [
            [d["name"], d["template"], d["status"], str(d["orders"]), str(d["fills"]), str(d["refusals"]),
             d["realised_pnl"], d["unrealised_pnl"], _signal(d["last_signal"]), d["id"]]
            for d in items
        ]  # fmt: skip
        headings = ["name", "template", "status", "orders", "fills", "refused", "realised", "unrealised", "last", "id"]
        print_table(headings, rows)


def _signal(signal: dict[str, Any] | None) -> str:
    return f"{signal['action']} {signal['symbol']} {signal['target']}" if signal else ""


@app.command("show")
def show(strategy: StrategyArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One deployment in full."""
    with reporting(as_json=as_json):
        _print(_find(Client(resolve_home(home)), strategy), as_json=as_json)


@app.command("deploy")
def deploy(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    template: Annotated[str, typer.Option("--template", help="Name of a template.")],
    symbols: Annotated[list[str], typer.Option("--symbol", help="Repeat for several.")],
    accounts: Annotated[list[str], typer.Option("--account", help="ACCOUNT=SHARE of its equity, e.g. Main=0.2.")],
    parameters: Annotated[str, typer.Option("--parameters", help='JSON, e.g. {"fast": 10}.')] = "{}",
    disabled: Annotated[bool, typer.Option("--disabled", help="Deploy without switching on.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a template to work."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        body = {
            "name": name,
            "template": template,
            "parameters": _parameters(parameters),
            "symbols": symbols,
            "accounts": [_allocation(client, text) for text in accounts],
            "enabled": not disabled,
        }
        _print(client.call("POST", "/strategies", body), as_json=as_json)


def _parameters(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidInput("the parameters are not JSON", errors=(FieldError("parameters", str(error)),)) from error
    if not isinstance(value, dict):
        raise InvalidInput("the parameters are not a JSON object", errors=(FieldError("parameters", text),))
    return value


def _allocation(client: Client, text: str) -> dict[str, str]:
    name, separator, share = text.rpartition("=")
    if not separator:
        raise InvalidInput("an account needs a share", errors=(FieldError("account", "write ACCOUNT=SHARE"),))
    return {"account_id": the_account(client, name)["id"], "allocation": share}


@app.command("enable")
def enable(strategy: StrategyArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Switch a deployment on; a paused one starts afresh."""
    _post(strategy, "enable", home, as_json)


@app.command("disable")
def disable(strategy: StrategyArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Switch a deployment off: it places no more orders, and keeps what it holds."""
    _post(strategy, "disable", home, as_json)


def _post(strategy: str, verb: str, home: Path | None, as_json: bool) -> None:
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        found = _find(client, strategy)
        _print(client.call("POST", path_of("strategies", found["id"], verb)), as_json=as_json)


@app.command("allocate")
def allocate(
    strategy: StrategyArgument,
    share: Annotated[str, typer.Argument(help="Share of equity, 0 to 1, in every account it trades.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a deployment's share; it takes effect at the next change of its target."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        found = _find(client, strategy)
        _print(client.call("PATCH", path_of("strategies", found["id"]), {"allocation": share}), as_json=as_json)


@app.command("signals")
def signals(
    strategy: StrategyArgument, limit: LimitOption = 50, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Its signals, newest first, HOLD included."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        items = client.pages(path_of("strategies", _find(client, strategy)["id"], "signals"), limit=limit)
        if as_json:
            print_json(items)
            return
        rows = [[s["at"], s["symbol"], s["action"], str(s["target"]), str(s["confidence"])] for s in items]
        print_table(["at", "symbol", "action", "target", "confidence"], rows)


def _find(client: Client, wanted: str) -> dict[str, Any]:
    return find(client.get("/strategies")["items"], wanted, what="strategy")


def _print(item: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(item)
    else:
        print_table(["field", "value"], [[name, "" if value is None else str(value)] for name, value in item.items()])
