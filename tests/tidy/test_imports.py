"""Import rules that need more than a module's name: the import contracts in pyproject.toml prove the rest."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.services import ROOT
from tests.tidy.sources import SRC, files, source_files, tree, where

PURE = (SRC / "quant", SRC / "trading" / "risk", SRC / "trading" / "engine")
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"}
CLOCK_OWNERS = {"time", "datetime", "date", "datetime.datetime", "datetime.date"}
CHANCE = {"random", "secrets", "uuid"}
OUTSIDE = {"open", "input", "print", "exec", "eval"}


def imported(path: Path) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, node.module or ""


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_domain_imports_the_standard_library_and_msgspec_only() -> None:
    allowed = {*sys.stdlib_module_names, "msgspec"}
    strangers = [
        f"{where(path, node)} {name}"
        for path in files(".py", under=SRC / "domain")
        for node, name in imported(path)
        if name.split(".")[0] not in allowed and not name.startswith("evenkeel.domain")
    ]
    assert strangers == []


def test_no_room_imports_the_facade_or_the_bootstrap() -> None:
    outermost = {SRC / "__init__.py", SRC / "__main__.py", SRC / "bootstrap" / "__init__.py"}
    found = [
        f"{where(path, node)} {name}"
        for path in source_files()
        if path not in outermost
        for node, name in imported(path)
        if name in {"evenkeel", "evenkeel.bootstrap"} and not only_version(node)
    ]
    assert found == []


def only_version(node: ast.Import | ast.ImportFrom) -> bool:
    return isinstance(node, ast.ImportFrom) and [alias.name for alias in node.names] == ["__version__"]


def test_pure_rooms_ask_no_clock_and_draw_no_chance() -> None:
    found = [
        f"{where(path, node)} {ast.unparse(node.func)}"
        for room in PURE
        for path in files(".py", under=room)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and is_impure(node)
    ]
    assert found == []


def is_impure(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id in OUTSIDE
    if not isinstance(call.func, ast.Attribute):
        return False
    owner = ast.unparse(call.func.value)
    return (owner in CLOCK_OWNERS and call.func.attr in CLOCKS) or owner in CHANCE


def test_the_engine_never_waits() -> None:
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for room in PURE
        for path in files(".py", under=room)
        for node in ast.walk(tree(path))
        if isinstance(node, waiting)
    ]
    assert found == []


def test_starting_the_command_line_imports_nothing_heavy() -> None:
    heavy = ("numpy", "polars", "pandas", "pyarrow", "numba", "sqlalchemy", "fastapi", "alembic", "talib")
    script = (
        "import sys; sys.argv = ['evenkeel', '--help']\n"
        "from evenkeel.bootstrap import main\n"
        "try:\n    main()\nexcept SystemExit:\n    sys.stdout.flush()\n"
        f"print('heavy:', [name for name in {heavy!r} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "heavy: []"
