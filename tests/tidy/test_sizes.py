"""Sizes of files, functions and signatures: walls nobody passes, and wishes whose exceptions may only become fewer."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tests.services import ROOT
from tests.tidy.sources import SRC, FunctionNode, decorators, files, functions, python_files, source_files, text, where

FILE_WALL, FILE_WISH = 600, 400
BODY_WALL, BODY_WISH = 70, 30
PARAMETER_WALL = 8
POSITIONAL_WISH = 2
TSX_WALL = 250

ROUTES = {"get", "post", "put", "patch", "delete", "websocket"}
OPTION = re.compile(r"typer\.|\w(Option|Argument)\b")
COMPILED = {"kernel", "compiled", "njit", "jit", "vectorize", "guvectorize"}
COLUMN_CONSTRUCTORS = SRC / "storage" / "tables"
FACADES = {SRC / "__init__.py", *(SRC / f"research/portfolio/{name}.py" for name in ("optimize", "rebalancing"))}


def lines(path: Path) -> int:
    return len(text(path).splitlines())


def body_length(node: FunctionNode) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = node.body[1:] if ast.get_docstring(node) is not None and len(node.body) > 1 else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def positional(node: FunctionNode) -> list[str]:
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def parameters(path: Path, node: FunctionNode) -> int:
    """How many parameters count: all of them, and in tests, whose builders name every field, those by position."""
    return len(positional(node)) + (0 if path.is_relative_to(ROOT / "tests") else len(node.args.kwonlyargs))


def may_be_wide(path: Path, node: FunctionNode) -> bool:
    """Compiled kernels, typer commands, column constructors and the public façades take what they take."""
    names = {name.rsplit(".", 1)[-1] for name in decorators(node)}
    command = path.is_relative_to(SRC / "cli") and OPTION.search(ast.unparse(node.args)) is not None
    return bool(names & COMPILED) or command or path.is_relative_to(COLUMN_CONSTRUCTORS) or path in FACADES


def recorded(measure: str) -> float:
    """How many a thousand lines of the package may have."""
    table = tomllib.loads((Path(__file__).parent / "ratchet.toml").read_text(encoding="utf-8"))
    return float(table[measure]["src"])


def test_no_file_passes_the_wall() -> None:
    assert [f"{where(path, 1)} has {lines(path)} lines" for path in python_files() if lines(path) > FILE_WALL] == []


def test_no_web_component_passes_the_wall() -> None:
    assert [f"{where(path, 1)} has {lines(path)} lines" for path in files(".tsx") if lines(path) > TSX_WALL] == []


def test_no_function_body_passes_the_wall() -> None:
    found = [(path, node) for path in python_files() for node in functions(path) if body_length(node) > BODY_WALL]
    assert [f"{where(path, node)} {node.name} has {body_length(node)} lines" for path, node in found] == []


def test_no_signature_passes_the_wall() -> None:
    wide = [
        f"{where(path, node)} {node.name} takes {count}"
        for path in python_files()
        for node in functions(path)
        if (count := len(positional(node)) + len(node.args.kwonlyargs)) > PARAMETER_WALL and not may_be_wide(path, node)
    ]
    assert wide == []


def test_every_function_states_what_it_returns() -> None:
    bare = [
        f"{where(path, node)} {node.name}"
        for path in python_files()
        for node in functions(path)
        if node.returns is None
    ]
    assert bare == []


def called_by_name(node: FunctionNode) -> bool:
    """Route handlers, whose framework names every argument, and protocol methods such as `__exit__`."""
    return node.name.startswith("__") or bool({name.rsplit(".", 1)[-1] for name in decorators(node)} & ROUTES)


def loose_signatures() -> list[str]:
    return [
        f"{where(path, node)} {node.name}({', '.join(positional(node))})"
        for path in source_files()
        for node in functions(path)
        if len(positional(node)) > POSITIONAL_WISH and not may_be_wide(path, node) and not called_by_name(node)
    ]


def long_files() -> list[str]:
    return [f"{where(path, 1)} {lines(path)}" for path in source_files() if lines(path) > FILE_WISH]


def long_functions() -> list[str]:
    return [
        f"{where(path, node)} {node.name} {body_length(node)}"
        for path in source_files()
        for node in functions(path)
        if body_length(node) > BODY_WISH
    ]


@pytest.mark.parametrize(
    ("measure", "offenders"),
    [
        ("positional_parameters", loose_signatures),
        ("long_files", long_files),
        ("long_functions", long_functions),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wishes_only_come_closer(measure: str, offenders: object) -> None:
    assert callable(offenders)
    found: list[str] = offenders()
    allowed = recorded(measure) * sum(lines(path) for path in source_files()) / 1_000
    ratchet = Path(__file__).with_name("ratchet.toml").relative_to(ROOT)
    said = f"{measure}: {len(found)} where {ratchet} allows {allowed:.1f}"
    assert len(found) <= allowed, said + ":\n" + "\n".join(found)
