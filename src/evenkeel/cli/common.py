"""What every command shares: the home folder, output as text or JSON, errors without traceback, a progress bar.

Exit codes: 0 done, 1 refused or failed with the reason on stderr, 2 the command line itself is wrong.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from evenkeel.domain.errors import EvenkeelError, InvalidInput

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="Folder of this installation's data.", show_default="user data folder"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Tell = Callable[[str, int, int], None]


def resolve_home(home: Path | None, name: str = "home") -> Path:
    """The home folder: the one given, else `name` inside the user data folder of evenkeel. It need not exist."""
    if home is not None:
        return home.expanduser().absolute()
    import platformdirs

    return platformdirs.user_data_path("evenkeel", appauthor=False) / name


def fail(error: EvenkeelError, *, as_json: bool = False) -> NoReturn:
    """Says on stderr what was wrong and what to do, as text or as a problem in JSON, and exits with code 1."""
    fields = error.errors if isinstance(error, InvalidInput) else ()
    if as_json:
        problem = {
            "title": error.code.replace("-", " ").capitalize(),
            "code": error.code,
            "detail": error.message,
            "errors": [{"field": one.field, "message": one.message} for one in fields],
            "hint": error.hint,
        }
        print(json.dumps(problem, ensure_ascii=False, indent=2), file=sys.stderr)
    else:
        lines = [f"Error: {error.message}", *(f"  {one.field}: {one.message}" for one in fields)]
        print("\n".join([*lines, *([error.hint] if error.hint else [])]), file=sys.stderr)
    raise typer.Exit(1)


@contextmanager
def reporting(*, as_json: bool = False) -> Iterator[None]:
    """Turns the errors of the tree, and those of the file system, into `fail`."""
    try:
        yield
    except EvenkeelError as error:
        fail(error, as_json=as_json)
    except BrokenPipeError:
        # The reader of our pipe has seen enough; nothing is left to say to it.
        sys.stderr.close()
        raise typer.Exit(0) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        fail(EvenkeelError(f"{place}{error.strerror or error}"), as_json=as_json)


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns, never cut off: numbers to the right, words to the left."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    numeric = [bool(rows) and all(_is_number(row[column]) for row in rows) for column in range(len(headings))]
    for row in (headings, *rows):
        cells = zip(row, widths, numeric, strict=True)
        print("  ".join(f"{cell:>{width}}" if right else f"{cell:<{width}}" for cell, width, right in cells).rstrip())


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").replace("-", "").isdigit()


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Tell]:
    """A function to tell (what, done, of), drawn as a bar on a terminal; silent in a pipe or when `quiet`."""
    if quiet or not sys.stderr.isatty():
        yield lambda what, done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(what: str, done: int, of: int) -> None:
            bar.update(task, description=what, completed=done, total=of)

        yield tell
