"""What every command shares: the home folder, output as text or JSON, errors without traceback, a progress bar.

Exit codes: 0 done, 1 refused or failed with the reason on stderr, 2 the command line itself is wrong, 130 stopped by
Ctrl-C. JSON answers go to stdout; what went wrong goes to stderr, in JSON too where `--json` asks for it.
"""

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from functools import wraps
from inspect import Parameter, Signature, signature
from math import isfinite
from pathlib import Path
from traceback import extract_tb
from typing import Annotated, Any, NoReturn

import typer

from evenkeel.domain.errors import ChangeRefused, EvenkeelError, FieldError, InvalidInput

HOME_VARIABLE = "EVENKEEL_HOME"
HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        envvar=HOME_VARIABLE,
        help="Folder of this installation's data.",
        show_default="in the user data folder",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many at most.")]
Tell = Callable[[str, int, int], None]
_BEYOND_CENTS = re.compile(r"^(-?[0-9][0-9,]*\.[0-9]{2}(?:[0-9]*[1-9])?)0+$")


def examples(*lines: str, note: str = "") -> str:
    """The closing part of a command's help: examples as typed, and a note below them."""
    shown = "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
    return f"{shown}\n\n{note}" if note else shown


def number(text: str) -> Decimal:
    """Reads an exact decimal of the command line; what it means is judged by the server."""
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise typer.BadParameter(f"{text!r} is not a number such as 10 or 0.5") from error
    if not value.is_finite():
        raise typer.BadParameter(f"{text!r} is not a finite number")
    return value


def share(text: str | Decimal) -> Decimal:
    """A part of a whole: 0.05, or 5%. A default comes here as it is."""
    word = str(text)
    return number(word.removesuffix("%")) / (100 if word.endswith("%") else 1)


def finite(text: str | float) -> float:
    """Reads a finite number of the command line. A default comes here as it is."""
    try:
        value = float(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a number such as 10 or 0.5") from error
    if not isfinite(value):
        raise typer.BadParameter(f"{text!r} is not a finite number")
    return value


def taking(
    shared: Callable[..., None], *, after: str, first: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of `shared`, behind its own `after`; it reads them from its context's `params`. Those
    named `first` come right there, the rest behind all of its own."""

    def given(command: Callable[..., None]) -> Callable[..., None]:
        own, more = signature(command).parameters, signature(shared).parameters
        place = list(own).index(after) + 1
        front = [one for name, one in more.items() if not first or name in first]
        back = [one for name, one in more.items() if first and name not in first]
        ordered = [*list(own.values())[:place], *front, *list(own.values())[place:], *back]

        @wraps(command)
        def with_shared(**values: Any) -> None:
            command(**{name: values[name] for name in own})

        named = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in ordered]
        vars(with_shared)["__signature__"] = Signature(named, return_annotation=None)
        with_shared.__annotations__ = command.__annotations__ | shared.__annotations__
        return with_shared

    return given


def minute(text: str | None, *, never: str = "never") -> str:
    """A moment as tables show it: to the minute, in UTC."""
    return f"{text[:16].replace('T', ' ')}Z" if text else never


def second(text: str) -> str:
    """A moment to the second, in UTC."""
    return f"{text[:19].replace('T', ' ')}Z"


def plain(value: Decimal | None) -> str | None:
    """A number as a request has it."""
    return None if value is None else f"{value:f}"


def neat(text: str) -> str:
    """A number of an answer as people read it: without zeros beyond its cents. JSON keeps it as it is."""
    return _BEYOND_CENTS.sub(r"\1", text)


def typed_name(ask: str) -> str:
    """A name that a person has to type before something that cannot be taken back. Raises InvalidInput where nobody is
    there to type it."""
    try:
        found: str = typer.prompt(ask, err=True)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise InvalidInput("the name is not typed", hint="Give it with --type-name.") from None
    return found


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
            **(error.told() if isinstance(error, ChangeRefused) else {}),
        }
        print(json.dumps(problem, ensure_ascii=False, indent=2), file=sys.stderr)
    else:
        print("\n".join([*_lines(error.message, fields), *([error.hint] if error.hint else [])]), file=sys.stderr)
    raise typer.Exit(1)


def _lines(message: str, faults: Sequence[FieldError]) -> list[str]:
    """The message and its faults; one that says the same is said once, with the name of what is at fault."""
    told = [one for one in map(_told, faults) if one not in message]
    if told and told[0].endswith(f": {message}"):
        message = told.pop(0)
    return [f"Error: {message}", *(f"  {one}" for one in told)]


def _told(fault: FieldError) -> str:
    return f"{fault.field}: {fault.message}" if fault.field else fault.message


@contextmanager
def reporting(*, as_json: bool = False) -> Iterator[None]:
    """Turns the errors of the tree, and those of the file system, into `fail`."""
    try:
        yield
        sys.stdout.flush()
    except EvenkeelError as error:
        fail(error, as_json=as_json)
    except BrokenPipeError:
        # The reader of our pipe has seen enough. What is still buffered goes nowhere, without a word at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        fail(EvenkeelError(f"{place}{error.strerror or error}"), as_json=as_json)
    except Exception as error:
        if (where := _own_line(error)) is None:
            raise
        said = "; ".join((f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())))
        fail(EvenkeelError(f"{where} raised {said}"), as_json=as_json)


def _own_line(error: Exception) -> str | None:
    """The line of a person's own file, such as a strategy's, where this was raised; None where it was not in one."""
    ours = (str(Path(__file__).parents[1]), sys.prefix, sys.base_prefix, "<")
    frames = [frame for frame in extract_tb(error.__traceback__) if not frame.filename.startswith(ours)]
    return f"{Path(frames[-1].filename).name} line {frames[-1].lineno}, in {frames[-1].name}," if frames else None


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_items(items: Sequence[Mapping[str, Any]]) -> None:
    """A list in the form every list has: an object with `items`."""
    print_json({"items": list(items)})


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str = "") -> None:
    """Aligned columns, never cut off: numbers to the right, words to the left. `empty` is said in place of no rows."""
    if not rows and empty:
        print(empty)
        return
    rows = [[neat(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    numeric = [bool(rows) and all(_is_number(row[column]) for row in rows) for column in range(len(headings))]
    for row in (headings, *rows):
        cells = zip(row, widths, numeric, strict=True)
        print("  ".join(f"{cell:>{width}}" if right else f"{cell:<{width}}" for cell, width, right in cells).rstrip())


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").replace("-", "").isdigit()


def print_fields(item: Mapping[str, Any]) -> None:
    """One object, a field a line; what is nested is written out below its name."""
    rows = list(_fields(item))
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        print(f"{name:<{width}}  {value}".rstrip())


def _fields(item: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, str]]:
    for name, value in item.items():
        shown = f"{under}{name.replace('_', ' ')}"
        match value:
            case Mapping() if value:
                yield from _fields(value, f"{shown}: ")
            case list() | tuple():
                yield shown, ", ".join(_flat(one) for one in value) or "none"
            case _:
                yield shown, _flat(value)


def _flat(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return " ".join(f"{name.replace('_', ' ')} {_flat(part)}" for name, part in value.items()) or "none"
    return neat(str(value))


def wrapped(text: str, indent: str = "") -> str:
    """A paragraph no wider than the terminal."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Tell]:
    """A function to tell (what, done, of), drawn as a bar on a terminal; silent in a pipe or when `quiet`."""
    if quiet or not sys.stderr.isatty():
        yield lambda what, done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    shown = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    columns = (SpinnerColumn(), *shown, MofNCompleteColumn(), TimeRemainingColumn(elapsed_when_finished=True))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(what: str, done: int, of: int) -> None:
            if done < bar.tasks[0].completed:
                bar.reset(task)  # another stretch of work, with a pace of its own
            bar.update(task, description=what, completed=done, total=of)

        yield tell
