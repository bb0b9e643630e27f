"""The project's own files as the house rules see them: what git tracks or would track, and nothing that is built."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.services import ROOT

SRC = ROOT / "src" / "evenkeel"
PYTHON_ROOMS = ("src", "tests", "tools", "benchmarks", "examples")
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def project_files() -> tuple[Path, ...]:
    """Every file git tracks or would add; without git, every file outside the folders that are built."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        built = {".venv", ".cache", ".git", "node_modules", ".next", "out", "static", "__pycache__"}
        found = [path for path in ROOT.rglob("*") if not built.intersection(path.relative_to(ROOT).parts)]
    else:
        found = [ROOT / name for name in listing.split("\0") if name]
    return tuple(sorted(path for path in found if path.is_file()))


def files(*suffixes: str, under: Path = ROOT) -> list[Path]:
    return [path for path in project_files() if path.suffix in suffixes and path.is_relative_to(under)]


@cache
def python_files() -> tuple[Path, ...]:
    """All Python sources, tests included."""
    return tuple(path for path in files(".py") if path.relative_to(ROOT).parts[0] in PYTHON_ROOMS)


@cache
def source_files() -> tuple[Path, ...]:
    """The Python sources of the package itself."""
    return tuple(files(".py", under=SRC))


@cache
def text(path: Path) -> str:
    """The file's text; empty for a file that is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path), filename=str(path))


def functions(path: Path) -> Iterator[FunctionNode]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, FunctionNode))


def where(path: Path, node: ast.stmt | ast.expr | ast.excepthandler | int) -> str:
    """`file:line`, as terminals and editors open it."""
    return f"{path.relative_to(ROOT)}:{node if isinstance(node, int) else node.lineno}"


def decorators(node: FunctionNode) -> list[str]:
    """The decorators' dotted names, without their arguments."""
    return [ast.unparse(item.func if isinstance(item, ast.Call) else item) for item in node.decorator_list]


def code_strings(path: Path) -> Iterator[ast.Constant]:
    """String literals that are not docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {id(body[0].value) for node in ast.walk(tree(path)) if isinstance(node, documented) and (body := node.body)
            and isinstance(body[0], ast.Expr)}  # fmt: skip
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node
