"""`evenkeel doctor`: proves that the journal, the tables and the money agree; read-only, on a running home too."""

from typing import Annotated

import typer

from evenkeel.cli.common import HomeOption, JsonOption, print_json, print_table, reporting, resolve_home
from evenkeel.domain.errors import EvenkeelError


def doctor(
    home: HomeOption = None,
    database_url: Annotated[
        str | None,
        typer.Option("--database-url", envvar=["EVENKEEL_DATABASE_URL", "DATABASE_URL"], help="PostgreSQL URL."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fold the journal and prove that orders, positions, ledger and tables agree. Exit code 1 when they do not."""
    import msgspec

    from evenkeel.storage.database import database
    from evenkeel.storage.doctor import examine

    with reporting(as_json=as_json):
        report = examine(database(resolve_home(home), database_url))
        if as_json:
            print_json(msgspec.to_builtins(report))
        else:
            _print(msgspec.to_builtins(report))
        if not report.ok:
            raise EvenkeelError(f"{len(report.differences)} differences; nothing was changed")


def _print(report: dict[str, object]) -> None:
    shown = {name: value for name, value in report.items() if not isinstance(value, list | dict)}
    settings = report.get("durability")
    rows = [[name, str(value)] for name, value in shown.items()]
    if isinstance(settings, dict):
        rows += [[f"durability: {name}", str(value)] for name, value in settings.items()]
    print_table(["field", "value"], rows)
    differences = report["differences"]
    if isinstance(differences, list):
        for line in differences:
            print(f"  differs: {line}")
