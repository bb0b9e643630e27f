"""`evenkeel strategy`: templates, their checks, and the deployments at work."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from evenkeel.cli import templates
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
    share,
    wrapped,
)
from evenkeel.cli.history import DataOption, SizeRule
from evenkeel.cli.library import the_configurations, the_registry, the_strategy
from evenkeel.cli.series import history_of
from evenkeel.cli.templates import ParametersOption, object_of, sizing
from evenkeel.domain.configurations import parsed
from evenkeel.domain.errors import EvenkeelError, FieldError, InvalidInput

app = typer.Typer(no_args_is_help=True)

StrategyArgument = Annotated[str, typer.Argument(metavar="STRATEGY", help="Name or id of a deployment.")]
RulesOption = Annotated[
    str | None,
    typer.Option(
        "--rules",
        metavar="JSON",
        help='When it is switched off and on again: {"max_drawdown": 0.1, "recovery": 0.03}; none for no rules.',
    ),
]
EntryOption = Annotated[
    str | None,
    typer.Option(
        "--entry",
        metavar="SHARE",
        help="Orders go out as limits so much better than the last price: 0.2%; none for market orders.",
    ),
]
_OPTIONS = {
    "name": "NAME", "template": "--template", "parameters": "--parameters", "allocation": "SHARE", "size": "--size",
    "rules": "--rules", "entry": "--entry", "protection.stop_loss": "--stop-loss",
    "protection.take_profit": "--take-profit", "protection.trailing_stop": "--trailing-stop",
}  # fmt: skip


app.command("save", epilog=templates.SAVE_EXAMPLES)(templates.save)
app.command("versions", epilog=templates.VERSIONS_EXAMPLES)(templates.versions)
app.command("diff", epilog=templates.DIFF_EXAMPLES)(templates.diff)
app.command("archive", epilog=templates.ARCHIVE_EXAMPLES)(templates.archive)
app.command("restore", epilog=templates.RESTORE_EXAMPLES)(templates.restore)


@app.command("templates", epilog=examples("evenkeel strategy templates"))
def list_templates(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What can be deployed, with parameters and ranges: code, and what you have saved. Needs no running server."""
    import msgspec

    from evenkeel.trading.strategies.configured import info_of

    with reporting(as_json=as_json):
        registry = the_registry(home)
        saved = [info_of(one, registry) for one in the_configurations(home) if registry.has(one.configuration.template)]
        infos = msgspec.to_builtins((*registry.infos(), *saved))
        if as_json:
            print_items(infos)
            return
        for info in infos:
            templates.print_template(info)


@app.command(
    "check",
    epilog=examples(
        "evenkeel strategy check rsi",
        "evenkeel strategy check my_strategy.py",
        "evenkeel strategy check my_strategy.py --data minutes.csv",
        "evenkeel strategy check my_strategy.py --symbol AAPL --home ~/desk",
        "evenkeel strategy check pairs --symbol AAPL --symbol MSFT",
        note="Without --data and --symbol it runs on made-up bars. What is checked: docs/strategies.md.",
    ),
)
def check(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="Name of a template, FILE.py, FILE.py:Class.")],
    parameters: ParametersOption = "{}",
    symbols: Annotated[
        list[str] | None,
        typer.Option("--symbol", help="On stored bars of this symbol, or of these of the file; repeat."),
    ] = None,
    data: DataOption = None,
    timeframe: Annotated[str | None, typer.Option("--timeframe", help="Of these bars: 1m, 1h, 1d …")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for look-ahead, changing results and unbounded memory. Exit code 1 when the strategy may not run."""
    import msgspec

    from evenkeel.research.backtest.finding import find
    from evenkeel.trading.strategies.report import check_strategy

    with reporting(as_json=as_json):
        values = object_of(parameters, "--parameters")
        named = the_strategy(home, template, values)
        kind = type(find(named.strategy))
        given = {"timeframe": timeframe, "start": None, "end": None}
        bars = history_of(home, data, symbols, **given) if data or symbols else None
        report = check_strategy(kind, bars, parameters=named.parameters)
        found = msgspec.to_builtins(report)
        if as_json:
            print_json(found)
        else:
            print_fields({key: value for key, value in found.items() if key not in ("faults", "notes")})
            for line in (*report.faults, *report.notes):
                print(wrapped(line, "  "))
        if not report.ok:
            raise EvenkeelError(f"{kind.name} may not run: {'; '.join(report.faults) or 'it looks ahead'}")


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


@app.command("show", epilog=examples("evenkeel strategy show Trend", "evenkeel strategy show slow@1 --template"))
def show(
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help="A deployment; or a template, with --template.")],
    template: Annotated[bool, typer.Option("--template", help="A template or configuration of that name.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """One deployment in full, or one template."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        if not template:
            _print(client, _find(client, strategy), as_json=as_json)
            return
        name, version = parsed(strategy)
        found = client.get(path_of("strategies", "templates", name), version=version)
        if as_json:
            print_json(found)
        elif found["configuration"] is None:
            templates.print_template(found)
        else:
            templates.print_configuration(found["configuration"])


@app.command(
    "deploy",
    epilog=examples(
        "evenkeel strategy deploy Slow --template sma-crossover --symbol AAPL --symbol MSFT \\",
        """    --account Main=0.2 --account Margin=0.1 --parameters '{"fast": 20, "slow": 100}'""",
        "evenkeel strategy deploy Guarded --template sma-crossover --symbol AAPL --account Main=0.2 \\",
        "    --entry 0.2% --stop-loss 5% --take-profit 15%",
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
    size: Annotated[str | None, SizeRule] = None,
    rules: RulesOption = None,
    entry: EntryOption = None,
    stop_loss: Annotated[
        Decimal | None,
        typer.Option("--stop-loss", parser=share, metavar="SHARE", help="Exit so far against the entry: 5%."),
    ] = None,
    take_profit: Annotated[
        Decimal | None,
        typer.Option("--take-profit", parser=share, metavar="SHARE", help="Exit so far in its favour: 10%."),
    ] = None,
    trailing_stop: Annotated[
        Decimal | None,
        typer.Option("--trailing-stop", parser=share, metavar="SHARE", help="Exit so far below the best since: 8%."),
    ] = None,
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
            "parameters": object_of(parameters, "--parameters"),
            "symbols": symbols,
            "accounts": [_allocation(client, text) for text in accounts],
            "enabled": not disabled,
            **_terms(size, rules, entry),
        }
        exits = {"stop_loss": stop_loss, "take_profit": take_profit, "trailing_stop": trailing_stop}
        guards = {key: float(value) for key, value in exits.items() if value is not None}
        body |= {"protection": guards} if guards else {}
        _print(client, client.call("POST", "/strategies", body), as_json=as_json)


def _terms(size: str | None, rules: str | None, entry: str | None) -> dict[str, Any]:
    """Size, rules and entry as a request has them, those that were given."""
    told: dict[str, Any] = {} if size is None else {"size": sizing(size)}
    if rules is not None:
        told["rules"] = None if rules == "none" else object_of(rules, "--rules")
    if entry is not None:
        told["entry"] = None if entry == "none" else {"offset": float(share(entry))}
    return told


@app.command(
    "change",
    epilog=examples(
        "evenkeel strategy change Trend --parameters '{\"fast\": 12}'",
        "evenkeel strategy change Trend --template slow@2",
        'evenkeel strategy change Trend --rules \'{"max_drawdown": 0.1, "recovery": 0.03}\'',
    ),
)
def change(
    strategy: StrategyArgument,
    template: Annotated[str | None, typer.Option("--template", help="Another one, or another version.")] = None,
    parameters: ParametersOption = "{}",
    size: Annotated[str | None, SizeRule] = None,
    rules: RulesOption = None,
    entry: EntryOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what a deployment runs with. With other parameters it begins anew, and its orders are cancelled."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        body = {"template": template, "parameters": object_of(parameters, "--parameters"), **_terms(size, rules, entry)}
        body = {key: value for key, value in body.items() if value or key in ("rules", "entry")}
        path = path_of("strategies", _find(client, strategy)["id"])
        _print(client, client.call("PATCH", path, body), as_json=as_json)


@app.command("remove", epilog=examples("evenkeel strategy remove Trend"))
def remove(strategy: StrategyArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """End a deployment that holds nothing, for good. Its signals, orders and fills stay on record."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        removed = client.call("DELETE", path_of("strategies", _find(client, strategy)["id"]))
        if as_json:
            print_json(removed)
        else:
            print(f"Removed {removed['name']}.")


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


@app.command(
    "signals",
    epilog=examples(
        "evenkeel strategy signals Trend --limit 20",
        "evenkeel strategy signals Trend --action BUY --symbol AAPL --start 2005-01-01",
    ),
)
def signals(
    strategy: StrategyArgument,
    action: Annotated[str | None, typer.Option("--action", help="BUY, SELL or HOLD only.")] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Of this symbol only.")] = None,
    start: Annotated[str | None, typer.Option("--start", metavar="TIME", help="From then on (UTC).")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="TIME", help="Before then (UTC).")] = None,
    limit: LimitOption = 50,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Its signals, newest first, HOLD and what came while it was switched off included."""
    with reporting(as_json=as_json):
        names = {name: f"--{name}" for name in ("action", "symbol", "start", "end")}
        client = Client(resolve_home(home), options=names)
        query = {
            "action": action.upper() if action else None, "symbol": symbol.upper() if symbol else None,
            "start": start, "end": end,
        }  # fmt: skip
        path = path_of("strategies", _find(client, strategy)["id"], "signals")
        items = client.pages(path, limit=limit, **query)
        if as_json:
            print_items(items)
            return
        rows = [
            [s["at"], s["symbol"], s["action"], _number(s["target"]), _number(s["confidence"]), _details(s["details"])]
            for s in items
        ]
        print_table(
            ["at", "symbol", "action", "target", "confidence", "details"],
            rows,
            empty="No signals yet: they come with the bars that it sees while it is on.",
        )


def _details(details: dict[str, Any]) -> str:
    return " ".join(f"{name}={_number(one) if isinstance(one, float) else one}" for name, one in details.items())


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
