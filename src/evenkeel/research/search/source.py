"""The code that a strategy's figures depend on, as text: a study of other code is another study.

That is its class, with the bases that are not the platform's, and what these name in their own module and in modules
beside it: functions, classes and plain values; of a file beside it that is imported as they run, the whole. Libraries
are not followed; the platform's version is told apart. The text is the same in every process: it has no addresses, no
order of sets, and nothing that a module fills as it runs.
"""

import ast
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property, partial
from hashlib import sha256
from inspect import getattr_static, getsource, isclass, isfunction, ismodule
from pathlib import Path
from sys import modules
from textwrap import dedent
from types import CodeType
from typing import Any

import numpy as np

from evenkeel.trading.strategies.registry import AnyStrategy

_PLATFORM = __name__.partition(".")[0]
_PLAIN = (bool, int, float, str, tuple, list, dict, set, frozenset, np.ndarray, Decimal, date, timedelta)
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
_EMPTY = r"^{}\b[^=\n]*=\s*(\{{\s*\}}|\[\s*\]|[\w.]+\([a-z]*\))\s*(#.*)?$"


def source_of(strategy: AnyStrategy) -> str:
    """The text of its class and of all that is reached from it, and what its attributes hold."""
    mine, found, seen, texts = type(strategy), set[str](), set[int](), list[str]()
    waiting: list[Any] = [one for one in mine.__mro__ if _belongs(one, mine)]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        texts.append(_text(one))
        found.add(f"{one.__qualname__} {texts[-1]}")
        for name, value in _named(one):
            if (isclass(value) or isfunction(value)) and _belongs(value, mine):
                waiting.append(value)
            elif ismodule(value) and _folder(value.__name__) == _folder(mine.__module__):
                texts.append(_text(value))
                found.add(f"{name} {texts[-1]}")
            elif isinstance(value, _PLAIN):
                found.add(f"{one.__qualname__} {name} {_said(value)}")
    found.update(f"{path.name} {text}" for path, text in _imported_late(texts, _folder(mine.__module__)).items())
    return f"{sorted(found)}{sorted((name, _said(value)) for name, value in vars(strategy).items())}"


def _imported_late(texts: list[str], folder: Path) -> dict[Path, str]:
    """The files in a folder that pieces of code import, with their texts, and those that these import."""
    files: dict[Path, str] = {}
    waiting = list(texts)
    while waiting:
        for path in _imports(waiting.pop(), folder):
            if path not in files:
                files[path] = path.read_text(encoding="utf-8", errors="replace")
                waiting.append(files[path])
    return files


def _imports(text: str, folder: Path) -> Iterator[Path]:
    """The files in a folder that a piece of code imports by name, wherever in it."""
    try:
        nodes = list(ast.walk(ast.parse(dedent(text))))
    except (SyntaxError, ValueError):  # a piece that does not stand by itself, such as a lambda's line
        return
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level < 2:
            inside = f"{node.module}." if node.module else ""
            names += [node.module or "", *(f"{inside}{alias.name}" for alias in node.names)]
    for name in names:
        path = folder.joinpath(*name.split("."))
        yield from (file for file in (path.with_suffix(".py"), path / "__init__.py") if name and file.is_file())


def _belongs(one: Any, mine: type) -> bool:
    """Whether a class or function is of the strategy's module, or stands beside it and is not the platform's."""
    # A decorator of a library gives its own function the name and module of the one decorated.
    module = str(one.__globals__.get("__name__") if isfunction(one) else one.__module__)
    if module == mine.__module__:
        return True
    return module.partition(".")[0] != _PLATFORM and _folder(module) == _folder(mine.__module__)


def _text(one: Any) -> str:
    try:
        return getsource(one.__code__ if isfunction(one) else one)
    except (OSError, TypeError):
        return str(getattr(one, "__module__", ""))


def _named(one: Any) -> Iterator[tuple[str, Any]]:
    """The names of its module that the code of a class or function speaks of, and a class's own values, with what they
    stand for, and with the functions and classes within these.
    """
    parts = vars(one).items() if isclass(one) else ((one.__name__, one),)
    for name, part in parts:
        if isclass(part) or (isinstance(part, _PLAIN) and not name.startswith("__")):
            yield from ((name, inner) for inner in _within(part, ()))
        for plain in filter(isfunction, _layers(part)):
            known = plain.__globals__
            for word in sorted(_names(plain.__code__) & known.keys()):
                if not _begins_empty(word, known):
                    yield from ((word, inner) for inner in _within(known[word], ()))


def _names(code: CodeType) -> set[str]:
    inner = [_names(one) for one in code.co_consts if isinstance(one, CodeType)]
    return set(code.co_names).union(*inner)


def _within(value: Any, around: tuple[int, ...]) -> Iterator[Any]:
    """The value, every function that it wraps, and those in what it holds."""
    yield from _layers(value)
    if isinstance(value, list | tuple | dict | set | frozenset) and id(value) not in around:
        for inner in value.values() if isinstance(value, dict) else value:
            if not isinstance(inner, _PLAIN) or isinstance(inner, list | tuple | dict):
                yield from (one for one in _within(inner, (*around, id(value))) if isclass(one) or isfunction(one))


def _layers(value: Any) -> list[Any]:
    """The value and what it wraps: the function of a property, of a cache, of a compiled one."""
    found: list[Any] = []
    while value is not None and not any(value is one for one in found):
        found.append(value)
        match value:
            case property():
                value = value.fget
            case classmethod() | staticmethod():
                value = value.__func__
            case cached_property() | partial():
                value = value.func
            case _:
                # Statically: some objects of libraries answer to every name.
                value = getattr_static(value, "__wrapped__", getattr_static(value, "py_func", None))
    return found


def _begins_empty(name: str, known: dict[str, Any]) -> bool:
    """Whether a module's list, dict or set is empty in its text: what it holds is remembered as the code runs."""
    if not isinstance(known[name], list | dict | set):
        return False
    module = modules.get(known.get("__name__", ""))
    return module is not None and re.search(_EMPTY.format(re.escape(name)), _text(module), re.MULTILINE) is not None


def _said(value: Any, around: tuple[int, ...] = ()) -> str:
    """A value in words that every process finds for it."""
    if id(value) in around:
        return "..."
    inside = (*around, id(value))
    match value:
        case dict():
            return f"{{{', '.join(f'{_said(name, inside)}: {_said(one, inside)}' for name, one in value.items())}}}"
        case set() | frozenset():
            return f"{{{', '.join(sorted(_said(one, inside) for one in value))}}}"
        case list() | tuple():
            return f"{type(value).__name__}({', '.join(_said(one, inside) for one in value)})"
        case np.ndarray() if value.dtype.kind != "O":
            return f"{value.dtype}{value.shape}{sha256(value.tobytes()).hexdigest()}"
        case _:
            return _ADDRESS.sub("", repr(value))


def _folder(module: str) -> Path:
    return Path(getattr(modules.get(module), "__file__", None) or f"/{module}/no file").parent
