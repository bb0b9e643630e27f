"""`evenkeel strategy`: templates, their checks, and the deployments at work."""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenkeel.cli.account import the_account
from evenkeel.cli.client import Client, find, path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    LimitOption,
    examples,
    number,
    print_fields,
    print_items,
    print_json,
    print_table,
    reporting,
    resolve_home,
    wrapped,
)
from evenkeel.domain.errors import EvenkeelError, FieldError, InvalidInput

if TYPE_CHECKING:
    from evenkeel.market.bars import Bars
    from evenkeel.trading.strategies.registry import Registry

app = typer.Typer(name="strategy", help="Templates, checks and deployments.", no_args_is_help=True)

StrategyArgument = Annotated[str, typer.Argument(metavar="STRATEGY", help="Name or id of a deployment.")]
ParametersOption = Annotated[
    str, typer.Option("--parameters", metavar="JSON", help='Such as {"fast": 10}; the others keep their defaults.')
]
_OPTIONS = {"name": "NAME", "template": "--template", "parameters": "--parameters", "allocation": "SHARE"}


def _registry() -> "Registry":
    from evenkeel.trading.strategies.registry import Registry

    registry = Registry()
    registry.load_entry_points()
    return registry


@app.command("templates", epilog=examples("evenkeel strategy templates"))
def templates(as_json: JsonOption = False) -> None:
    """What can be deployed, with parameters and their ranges. Needs no running server."""
    import msgspec

    with reporting(as_json=as_json):
        infos = _registry().infos()
        if as_json:
            print_items(msgspec.to_builtins(infos))
            return
        for info in infos:
            print(f"{info.name}  version {info.version}  {info.title}")
            print(wrapped(info.description, "  "))
            for p in info.parameters:
                between = "" if p.minimum is None else f" ({p.minimum} to {p.maximum})"
                default = str(p.default).lower() if isinstance(p.default, bool) else p.default
                print(wrapped(f"{p.name} = {default}{between}  {p.description}", "    "))
            print()


@app.command(
    "check",
    epilog=examples(
        "evenkeel strategy check rsi",
        "evenkeel strategy check my_strategy.py",
        "evenkeel strategy check my_strategy.py --symbol AAPL --home ~/desk",
        note="Without --symbol it runs on made-up bars. What is checked: docs/strategies.md.",
    ),
)
def check(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="Name of a template, or a Python file.")],
    parameters: ParametersOption = "{}",
    symbol: Annotated[str | None, typer.Option("--symbol", help="Check on stored bars of this symbol.")] = None,
    timeframe: Annotated[str, typer.Option("--timeframe", help="Of these bars: 1m, 1h, 1d …")] = "1d",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for look-ahead, changing results and unbounded memory. Exit code 1 when the strategy may not run."""
    import msgspec

    from evenkeel.trading.strategies.report import check_strategy

    with reporting(as_json=as_json):
        registry = _registry()
        path = Path(template)
        name = registry.load(path).name if path.suffix == ".py" else template
        bars = None if symbol is None else _stored(home, symbol, timeframe=timeframe)
        report = check_strategy(type(registry.create(name)), bars, parameters=_parameters(parameters))
        found = msgspec.to_builtins(report)
        if as_json:
            print_json(found)
        else:
            print_fields({key: value for key, value in found.items() if key not in ("faults", "notes")})
            for line in (*report.faults, *report.notes):
                print(wrapped(line, "  "))
        if not report.ok:
            raise EvenkeelError(f"{name} may not run: {'; '.join(report.faults) or 'it looks ahead'}")


def _stored(home: Path | None, symbol: str, *, timeframe: str) -> "Bars":
    from evenkeel.cli.data import the_instrument, the_store

    store = the_store(resolve_home(home))
    return store.read(the_instrument(store, symbol, None).id, timeframe)


@app.command("list", epilog=examples("evenkeel strategy list", "evenkeel strategy list --json"))
def list_deployments(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Deployments with their state, orders and last signal."""
    with reporting(as_json=as_json):
        items = Client(resolve_home(home)).get("/strategies")["items"]
        if as_json:
            print_items(items)
            return
        rows = [
            [d["name"], d["template"], d["status"], str(d["orders"]), str(d["fills"]), str(d["refusals"]),
             d["realised_pnl"], d["unrealised_pnl"], _signal(d["last_signal"]), d["id"]]
            for d in items
        ]  # fmt: skip
        headings = ["name", "template", "status", "orders", "fills", "refused", "realised", "unrealised", "last", "id"]
        print_table(headings, rows, empty="No strategy is deployed. See evenkeel strategy deploy --help.")


def _signal(signal: dict[str, Any] | None) -> str:
    return f"{signal['action']} {signal['symbol']} {signal['target']}" if signal else ""


@app.command("show", epilog=examples("evenkeel strategy show Trend"))
def show(strategy: StrategyArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One deployment in full."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        _print(client, _find(client, strategy), as_json=as_json)


@app.command(
    "deploy",
    epilog=examples(
        "evenkeel strategy deploy Slow --template sma-crossover --symbol AAPL --symbol MSFT \\",
        """    --account Main=0.2 --account Margin=0.1 --parameters '{"fast": 20, "slow": 100}'""",
    ),
)
def deploy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    template: Annotated[str, typer.Option("--template", help="See evenkeel strategy templates.")],
    symbols: Annotated[list[str], typer.Option("--symbol", help="Repeat for several.")],
    accounts: Annotated[
        list[str], typer.Option("--account", metavar="ACCOUNT=SHARE", help="Share of its equity, 0 to 1; repeat.")
    ],
    parameters: ParametersOption = "{}",
    disabled: Annotated[bool, typer.Option("--disabled", help="Deploy without switching on.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a template to work on symbols, with a share of each account."""
    with reporting(as_json=as_json):
        options = {f"accounts.{place}.allocation": f"--account {text}" for place, text in enumerate(accounts)}
        options |= {f"symbols.{place}": f"--symbol {symbol}" for place, symbol in enumerate(symbols)}
        client = Client(resolve_home(home), options={**_OPTIONS, **options})
        body = {
            "name": name,
            "template": template,
            "parameters": _parameters(parameters),
            "symbols": symbols,
            "accounts": [_allocation(client, text) for text in accounts],
            "enabled": not disabled,
        }
        _print(client, client.call("POST", "/strategies", body), as_json=as_json)


def _parameters(text: str) -> dict[str, Any]:
    hint = """Write them as '{"name": value}', in single quotes for the shell."""
    try:
        value = json.loads(text)
    except ValueError as error:
        faults = (FieldError("--parameters", str(error)),)
        raise InvalidInput("the parameters are not JSON", errors=faults, hint=hint) from error
    if not isinstance(value, dict):
        raise InvalidInput(
            "the parameters are not a JSON object", errors=(FieldError("--parameters", text),), hint=hint
        )
    return value


def _allocation(client: Client, text: str) -> dict[str, str]:
    name, separator, share = text.rpartition("=")
    if not separator:
        fault = FieldError("--account", f"{text!r} has no share: write ACCOUNT=SHARE, such as {text or 'Main'}=0.2")
        raise InvalidInput("an account needs a share", errors=(fault,))
    return {"account_id": the_account(client, name)["id"], "allocation": share}


@app.command("enable", epilog=examples("evenkeel strategy enable Trend"))
def enable(strategy: StrategyArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Switch a deployment on; a paused one starts afresh."""
    _post(strategy, "enable", home=home, as_json=as_json)


@app.command("disable", epilog=examples("evenkeel strategy disable Trend"))
def disable(strategy: StrategyArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Switch a deployment off: it places no more orders, and keeps what it holds."""
    _post(strategy, "disable", home=home, as_json=as_json)


def _post(strategy: str, verb: str, *, home: Path | None, as_json: bool) -> None:
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        found = _find(client, strategy)
        _print(client, client.call("POST", path_of("strategies", found["id"], verb)), as_json=as_json)


@app.command(
    "allocate",
    epilog=examples("evenkeel strategy allocate Trend 0.15", "evenkeel strategy allocate Trend 0.3 --account Main"),
)
def allocate(
    strategy: StrategyArgument,
    share: Annotated[Decimal, typer.Argument(metavar="SHARE", parser=number, help="Share of equity, 0 to 1.")],
    account: Annotated[
        str | None, typer.Option("--account", metavar="ACCOUNT", help="Only in this one; without it, in every account.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a deployment's share of its accounts; it takes effect at the next change of its target."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        found = _find(client, strategy)
        body: dict[str, Any] = {"allocation": f"{share:f}"}
        if account is not None:
            wanted = the_account(client, account)["id"]
            others = [one for one in found["accounts"] if one["account_id"] != wanted]
            body = {"accounts": [*others, {"account_id": wanted, "allocation": f"{share:f}"}]}
        _print(client, client.call("PATCH", path_of("strategies", found["id"]), body), as_json=as_json)


@app.command("signals", epilog=examples("evenkeel strategy signals Trend --limit 20"))
def signals(
    strategy: StrategyArgument, limit: LimitOption = 50, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Its signals, newest first, HOLD included."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        items = client.pages(path_of("strategies", _find(client, strategy)["id"], "signals"), limit=limit)
        if as_json:
            print_items(items)
            return
        rows = [[s["at"], s["symbol"], s["action"], _number(s["target"]), _number(s["confidence"])] for s in items]
        print_table(["at", "symbol", "action", "target", "confidence"], rows, empty="No signals yet.")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _find(client: Client, wanted: str) -> dict[str, Any]:
    return find(client.get("/strategies")["items"], wanted, what="strategy")


def _print(client: Client, item: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(item)
        return
    names = {one["id"]: one["name"] for one in client.get("/accounts")["items"]}
    shares = [f"{names.get(one['account_id'], one['account_id'])} {one['allocation']}" for one in item["accounts"]]
    print_fields({**item, "accounts": shares})
