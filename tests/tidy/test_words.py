"""What no committed file may hold: unfinished work, swallowed errors, secrets, registries, paths of one machine."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.services import ROOT
from tests.tidy.sources import SRC, files, functions, project_files, python_files, text, tree, where

HERE = Path(__file__).parent
UNFINISHED = re.compile(r"\b(TODO|FIXME|HACK)\b|coming soon")
UNWRITTEN = re.compile("NotImplementedError")
SECRETS = {
    "a private key": re.compile("-----BEGIN [A-Z ]*PRIVATE " + "KEY-----"),
    "an access key of a cloud": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a platform token": re.compile(
        r"\b(gh[pousr]_[A-Za-z0-9]{36,}|xox[abpr]-[A-Za-z0-9-]{20,}|sk_live_[A-Za-z0-9]{16,})"
    ),
    "a password or key with its value": re.compile(
        r"""(?ix) \b [a-z_]* (password|passwd|secret|api_?key|auth_token) ["']? \s* [=:] \s*
        ["'] (?=[^"']*\d) [A-Za-z0-9+/_-]{20,} ["']"""
    ),
}
SHARED_FOLDERS = {Path(name) for name in ("/", "/home", "/tmp", "/srv", "/opt", "/usr", "/var", "/mnt", "/builds")}


def hits(pattern: re.Pattern[str], *, within: list[Path]) -> list[str]:
    return [
        f"{where(path, number)} {line.strip()[:100]}"
        for path in within
        for number, line in enumerate(text(path).splitlines(), start=1)
        if pattern.search(line)
    ]


def test_nothing_is_left_unfinished() -> None:
    code = [path for path in files(".py", ".ts", ".tsx", ".mjs", ".css", ".sh", "") if HERE not in path.parents]
    assert hits(UNFINISHED, within=code) + hits(UNWRITTEN, within=files(".py", under=SRC)) == []


def test_no_error_is_swallowed() -> None:
    handlers = [
        where(path, node)
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and all(is_nothing(statement) for statement in node.body)
    ]
    assert handlers == []


def is_nothing(statement: ast.stmt) -> bool:
    bare = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass) or bare


def test_no_function_is_a_stub() -> None:
    """An empty body belongs to a protocol, an overload or an abstract method; anywhere else it is unfinished work."""
    stubs = []
    for path in python_files():
        declared = {
            id(method)
            for node in ast.walk(tree(path))
            if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases)
            for method in node.body
        }
        for node in functions(path):
            marked = {"overload", "abstractmethod"} & {
                ast.unparse(item).rsplit(".", 1)[-1] for item in node.decorator_list
            }
            only_dots = all(isinstance(part, ast.Expr) and is_ellipsis(part) for part in node.body)
            if only_dots and not marked and id(node) not in declared:
                stubs.append(f"{where(path, node)} {node.name}")
    assert stubs == []


def is_ellipsis(statement: ast.Expr) -> bool:
    return isinstance(statement.value, ast.Constant) and statement.value.value is ...


def test_no_secret_is_committed() -> None:
    kept = [path for path in project_files() if not path.is_relative_to(ROOT / "requirements")]
    found = {name: hits(pattern, within=kept) for name, pattern in SECRETS.items()}
    assert {name: places for name, places in found.items() if places} == {}


def test_no_package_registry_is_named() -> None:
    hosts = registry_hosts()
    pattern = re.compile("|".join(re.escape(host) for host in sorted(hosts)) or r"(?!)", re.IGNORECASE)
    assert hits(pattern, within=list(project_files())) == []


def registry_hosts() -> set[str]:
    """Hosts of the registries this machine's package managers would ask, as they tell themselves."""
    ask_pip = "from pip._internal.models.index import PyPI; print(PyPI.netloc); print(PyPI.file_storage_domain)"
    told = [
        said([sys.executable, "-c", ask_pip]),
        said([sys.executable, "-m", "pip", "config", "get", "global.index-url"]),
        said(["npm", "config", "get", "registry"]),
    ]
    apt = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    told += [path.read_text(encoding="utf-8", errors="replace") for path in apt if path.is_file()]
    words = " ".join(told).split()
    bare = {re.sub(r"^\w+://([^@/]*@)?|[:/].*$", "", word) for word in words if "://" in word or word.count(".") == 1}
    plain = {word for word in told[0].split() if "." in word}
    return {host for host in bare | plain if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host)}


def said(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT).stdout


def test_no_path_of_this_machine_is_named() -> None:
    places = {ROOT.parent, Path.home()} - SHARED_FOLDERS
    pattern = re.compile("|".join(re.escape(f"{place}/") for place in sorted(places)) or r"(?!)")
    assert hits(pattern, within=list(project_files())) == []


def test_lock_files_hold_hashes_and_no_addresses() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        lines = text(lock).splitlines()
        pins = [line for line in lines if line and not line.startswith((" ", "#"))]
        assert [line for line in lines if "://" in line or "index-url" in line] == [], lock.name
        assert [pin for pin in pins if "==" not in pin] == [], lock.name
        assert text(lock).count("--hash=sha256:") >= len(pins), lock.name


def test_the_web_lock_holds_no_addresses() -> None:
    packages = json.loads(text(ROOT / "web" / "package-lock.json"))["packages"]
    assert [name for name, entry in packages.items() if "resolved" in entry and "://" in entry["resolved"]] == []
    unsealed = [name for name, entry in packages.items() if name and not entry.get("link") and "integrity" not in entry]
    assert unsealed == []


def test_every_room_says_what_it_is_for() -> None:
    silent = [
        where(path, 1) for path in files(".py", under=SRC) if text(path).strip() and not ast.get_docstring(tree(path))
    ]
    assert silent == []
