"""Configurations of templates from the command line: saved under names of one's own, compared, archived.

These are the verbs of `evenkeel strategy` that are about templates; deployments are in `strategy`.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from evenkeel.cli.client import Client, path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    LimitOption,
    examples,
    print_fields,
    print_items,
    print_json,
    print_table,
    reporting,
    resolve_home,
    wrapped,
)
from evenkeel.cli.history import SizeRule, pairs, size_of
from evenkeel.domain.errors import FieldError, InvalidInput

ParametersOption = Annotated[
    str, typer.Option("--parameters", metavar="JSON", help='Such as {"fast": 10}; the others keep their defaults.')
]
ConfigurationArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of a configuration.")]
SAVE_EXAMPLES = examples(
    'evenkeel strategy save slow --template sma-crossover --parameters \'{"fast": 20, "slow": 100}\' \\',
    "    --range fast=10:40:5 --size 50% --description 'For index funds'",
    "evenkeel strategy save both --template ensemble --member slow*2 --member rsi",
    "evenkeel strategy save slow --file slow.json",
    note="It is then a template: deploy, backtest and check it by its name, `slow` or `slow@1`.",
)
VERSIONS_EXAMPLES = examples("evenkeel strategy versions slow")
DIFF_EXAMPLES = examples("evenkeel strategy diff slow", "evenkeel strategy diff slow 1 3")
ARCHIVE_EXAMPLES = examples("evenkeel strategy archive slow", note="evenkeel strategy restore slow takes it back.")
RESTORE_EXAMPLES = examples("evenkeel strategy restore slow")
_OPTIONS = {"name": "NAME", "template": "--template", "members": "--member", "description": "--description"}


def save(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it: small letters, digits, - and _.")],
    template: Annotated[str | None, typer.Option("--template", help="See evenkeel strategy templates.")] = None,
    parameters: ParametersOption = "{}",
    ranges: Annotated[
        list[str] | None,
        typer.Option("--range", metavar="NAME=LOW:HIGH[:STEP]", help="What a parameter may be set to; repeat."),
    ] = None,
    members: Annotated[
        list[str] | None,
        typer.Option("--member", metavar="TEMPLATE[*WEIGHT]", help="Of an ensemble: a template's name; repeat."),
    ] = None,
    size: Annotated[str | None, SizeRule] = None,
    description: Annotated[str, typer.Option("--description", help="A line about it.")] = "",
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="All of it, as JSON; the options go before it.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Save a template as you use it: a new name, or the next version of one. What was saved never changes."""
    with reporting(as_json=as_json):
        told: dict[str, Any] = {
            "template": template,
            "parameters": object_of(parameters, "--parameters"),
            "ranges": {key: _range(value) for key, value in pairs(ranges or [], "--range").items()},
            "members": [_member(text) for text in members or []],
            "size": None if size is None else sizing(size),
            "description": description,
        }
        body = {**_read(file), **{key: value for key, value in told.items() if value}, "name": name}
        saved = Client(resolve_home(home), options=_OPTIONS).call("POST", "/strategies/templates", body)
        if as_json:
            print_json(saved)
        else:
            print(f"Saved as {saved['id']}.")
            print_configuration(saved)


def _read(file: Path | None) -> dict[str, Any]:
    return {} if file is None else object_of(file.read_text(encoding="utf-8"), str(file))


def object_of(text: str, where: str) -> dict[str, Any]:
    """A JSON object. Raises InvalidInput."""
    hint = """Write it as '{"name": value}', in single quotes for the shell."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{where} is not JSON", errors=(FieldError(where, str(error)),), hint=hint) from error
    if not isinstance(value, dict):
        raise InvalidInput(f"{where} is not a JSON object", errors=(FieldError(where, text[:80]),), hint=hint)
    return value


def _range(text: str) -> dict[str, Any]:
    parts = text.split(":")
    try:
        numbers = [json.loads(part) for part in parts]
    except ValueError:
        numbers = []
    if not 2 <= len(numbers) <= 3 or not all(isinstance(one, int | float) for one in numbers):
        message = f"expected LOW:HIGH or LOW:HIGH:STEP, not {text!r}"
        raise InvalidInput(f"--range: {message}", errors=(FieldError("--range", message),))
    return dict(zip(("minimum", "maximum", "step"), numbers, strict=False))


def _member(text: str) -> dict[str, Any]:
    name, star, weight = text.partition("*")
    try:
        return {"template": name.strip(), "weight": float(weight)} if star else {"template": name.strip()}
    except ValueError:
        message = f"expected TEMPLATE or TEMPLATE*WEIGHT, not {text!r}"
        raise InvalidInput(f"--member: {message}", errors=(FieldError("--member", message),)) from None


def sizing(text: str) -> dict[str, Any]:
    """The sizing rule that --size names, as a request has it. Raises InvalidInput."""
    from msgspec import to_builtins

    rule: dict[str, Any] = to_builtins(size_of(text))
    return {key: f"{value:f}" if isinstance(value, Decimal) else value for key, value in rule.items()}


def print_configuration(item: Mapping[str, Any]) -> None:
    """One version, without what it does not have."""
    shown = {key: value for key, value in item.items() if value not in ({}, [], None, "", item["name"])}
    shown["ranges"] = {
        key: f"{one['minimum']} to {one['maximum']}" + (f" by {one['step']}" if one["step"] is not None else "")
        for key, one in item["ranges"].items()
    }
    members = [f"{one['configuration'] or one['template']} * {one['weight']:g}" for one in item["members"]]
    print_fields({key: value for key, value in {**shown, "members": members}.items() if value})


def versions(
    name: ConfigurationArgument, limit: LimitOption = 50, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Every version of a configuration, newest first."""
    with reporting(as_json=as_json):
        items = Client(resolve_home(home)).pages(path_of("strategies", "templates", name, "versions"), limit=limit)
        if as_json:
            print_items(items)
            return
        rows = [[one["id"], one["created_at"], one["template"], _said(one["parameters"])] for one in items]
        print_table(["version", "saved at", "template", "parameters"], rows)


def _said(parameters: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in parameters.items())


def diff(
    name: ConfigurationArgument,
    before: Annotated[int | None, typer.Argument(min=1, help="A version; else the one before AFTER.")] = None,
    after: Annotated[int | None, typer.Argument(min=1, help="A version; else the newest.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What differs between two versions of a configuration."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={"before": "BEFORE", "after": "AFTER"})
        path = path_of("strategies", "templates", name, "difference")
        found = client.get(path, before=before, after=after)
        if as_json:
            print_json(found)
            return
        rows = [[one["field"], _cell(one["before"]), _cell(one["after"])] for one in found["changes"]]
        print_table(["field", found["before"]["id"], found["after"]["id"]], rows, empty="Nothing differs.")


def _cell(value: Any) -> str:
    return "–" if value is None else str(value)


def archive(name: ConfigurationArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Take a configuration, with all its versions, out of use. What runs with it goes on."""
    _moved(name, "archive", home=home, as_json=as_json)


def restore(name: ConfigurationArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Take an archived configuration back into use."""
    _moved(name, "restore", home=home, as_json=as_json)


def _moved(name: str, verb: str, *, home: Path | None, as_json: bool) -> None:
    with reporting(as_json=as_json):
        found = Client(resolve_home(home)).call("POST", path_of("strategies", "templates", name, verb))
        if as_json:
            print_json(found)
        else:
            print(f"{'Archived' if found['archived_at'] else 'Restored'} {found['name']}.")


def print_template(info: Mapping[str, Any]) -> None:
    """A template as it is listed, with its parameters and their ranges."""
    print(f"{info['name']}  version {info['version']}  {info['title']}")
    print(wrapped(info["description"], "  "))
    for one in info["parameters"]:
        between = "" if one.get("minimum") is None else f" ({one['minimum']} to {one['maximum']})"
        default = str(one["default"]).lower() if isinstance(one["default"], bool) else one["default"]
        print(wrapped(f"{one['name']} = {default}{between}  {one.get('description', '')}", "    "))
    print()
