"""`evenkeel fx`: exchange rates, by which totals over several currencies are converted."""

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from evenkeel.cli.client import Client
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    number,
    print_items,
    print_json,
    print_table,
    reporting,
    resolve_home,
)
from evenkeel.domain.errors import FieldError, InvalidInput

app = typer.Typer(no_args_is_help=True)
_COLUMNS = ("date", "base", "quote", "rate")
_AT_ONCE = 5_000


@app.command("list", epilog=examples("evenkeel fx list"))
def list_rates(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """The newest rate of every pair."""
    with reporting(as_json=as_json):
        items = Client(resolve_home(home)).get("/portfolio/rates")["items"]
        if as_json:
            print_items(items)
            return
        rows = [[f"1 {one['base']}", one["rate"], one["quote"], one["date"], one["source"]] for one in items]
        empty = "No rates yet. Give one: evenkeel fx set EUR USD 1.0832"
        print_table(["unit", "is", "currency", "date", "source"], rows, empty=empty)


@app.command("set", epilog=examples("evenkeel fx set EUR USD 1.0832", "evenkeel fx set EUR USD 1.08 --date 2026-01-30"))
def set_rate(
    base: Annotated[str, typer.Argument(metavar="BASE", help="One unit of it …")],
    quote: Annotated[str, typer.Argument(metavar="QUOTE", help="… in units of this one.")],
    rate: Annotated[Decimal, typer.Argument(metavar="RATE", parser=number, help="How many.")],
    day: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="Default: the desk's day, UTC.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record a rate by hand. It is for everybody here, and stays on record."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_options("RATE"))
        row = {"base": base.upper(), "quote": quote.upper(), "date": day or _today(client), "rate": f"{rate:f}"}
        done = client.call("POST", "/portfolio/rates", {"rates": [row], "source": "hand"})
        print_json(done) if as_json else print(f"1 {row['base']} is {row['rate']} {row['quote']} on {row['date']}")


def _today(client: Client) -> str:
    """The day on the desk's clock, which a demo's runs through the years of its prices."""
    return str(client.get("/system/status")["clock"][:10])


def _options(rate: str) -> dict[str, str]:
    return {"rates.base": "BASE", "rates.quote": "QUOTE", "rates.date": "--date", "rates.rate": rate}


@app.command(
    "import",
    epilog=examples(
        "evenkeel fx import rates.csv",
        note="A CSV file with the columns date, base, quote and rate: 2026-01-30,EUR,USD,1.0832 says that one euro was "
        "worth 1.0832 dollars that day. All of a file is taken, or nothing of it up to the first 5000 rows at fault.",
    ),
)
def import_rates(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="CSV with a heading.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record the rates of a CSV file."""
    with reporting(as_json=as_json):
        rows, client, taken = _rows(file), Client(resolve_home(home)), 0
        for start in range(0, len(rows), _AT_ONCE):
            body = {"rates": rows[start : start + _AT_ONCE], "source": "import"}
            taken += client.call("POST", "/portfolio/rates", body)["taken"]
        print_json({"taken": taken}) if as_json else print(f"{taken} rates taken from {file}")


def _rows(file: Path) -> list[dict[str, Any]]:
    """The rows of the file as requests have them. Raises InvalidInput, naming lines at fault."""
    faults, found = list[FieldError](), list[dict[str, Any]]()
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.DictReader(text)
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            fault = FieldError("heading", f"expected date,base,quote,rate; missing: {', '.join(missing)}")
            raise InvalidInput(f"{file} cannot be read", errors=(fault,))
        for line, row in enumerate(reader, start=2):
            given = {name: (row[name] or "").strip() for name in _COLUMNS}
            try:
                date.fromisoformat(given["date"])
            except ValueError:
                faults.append(FieldError(f"line {line}", f"{given['date']!r} is no day such as 2026-01-30"))
            found.append({**given, "base": given["base"].upper(), "quote": given["quote"].upper()})
    if not found:
        faults.append(FieldError("", "has no rates"))
    if faults:
        raise InvalidInput(f"{file} cannot be read", errors=tuple(faults))
    return found
