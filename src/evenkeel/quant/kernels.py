"""Kernels: functions of numbers and arrays that run as plain Python and compiled alike, with the same bits.

`kernel` lets compiled code call a function that itself stays plain; `compiled` makes one whose calls run compiled.
Importing numba takes most of a second, so it is imported, and the code compiled or read from its cache, at the first
call. No fast-math: the same operations happen in the same order. Only a division by zero differs: compiled, it is
infinite or NaN; plain, it raises.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import platformdirs

log = logging.getLogger(__name__)
REMEDY = "set NUMBA_CACHE_DIR to a folder that can be written"
F = TypeVar("F", bound=Callable[..., Any])
Signature = Callable[[Any], Any]

KERNELS: list[Callable[..., Any]] = []
COMPILED: list[Compiled] = []
_REGISTERED: list[Callable[..., Any]] = []
# Kernels make no arrays, so that nothing counts references, and nobody calls them from Python.
_BARE = {
    "forceinline": True,
    "_nrt": False,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
_ROOT = Path(__file__).resolve().parent.parent
_SOURCES = ("quant", "research/backtest")


def kernel(function: F) -> F:
    """Lets compiled code call `function`; the function itself stays plain."""
    KERNELS.append(function)
    return function


class Compiled:
    """A function that is compiled, or read from the cache, at its first call. `plain` is its source.

    One that makes no arrays (`allocates=False`) runs without counting references.
    """

    __slots__ = ("_allocates", "_run", "_signature", "plain")

    def __init__(self, plain: Callable[..., Any], signature: Signature, *, allocates: bool = True) -> None:
        self.plain = plain
        self._signature = signature
        self._allocates = allocates
        self._run: Callable[..., Any] = self._first

    def __call__(self, *arguments: Any) -> Any:
        return self._run(*arguments)

    def dispatcher(self) -> Any:
        """numba's own object, callable from other compiled code."""
        if self._run == self._first:
            self._run = _compile(self.plain, self._signature(_types()), allocates=self._allocates)
        return self._run

    def _first(self, *arguments: Any) -> Any:
        return self.dispatcher()(*arguments)


def compiled(signature: Signature, *, allocates: bool = True) -> Callable[[Callable[..., Any]], Compiled]:
    """Compiles a function for one signature, such as `lambda t: t.float64(t.floats, t.int64)`.

    `t` has numba's types, and `floats`, `ints`, `flags` (C-ordered vectors that are only read: float64, int64, bool),
    `table` (a float64 matrix only read), and `out`, `out_ints`, `out_table` (those that are written to).
    """

    def made(function: Callable[..., Any]) -> Compiled:
        COMPILED.append(Compiled(function, signature, allocates=allocates))
        return COMPILED[-1]

    return made


def load() -> None:
    """Compiles, or reads from the cache, all kernels of the modules imported so far, so that no call has to."""
    for one in COMPILED:
        one.dispatcher()


def can_keep() -> bool:
    """Whether what is compiled can be kept: its folder is there, or could be made, and can be written."""
    return _usable(_base(os.environ.get("NUMBA_CACHE_DIR", "")) / _version())


def are_kept(*names: str) -> bool:
    """Whether the cache has compiled code of these, such as `critical_line.walk`, of the present text of all kernels;
    numba is not imported to know it."""
    folder = _base(os.environ.get("NUMBA_CACHE_DIR", "")) / _version()
    return all(any(folder.glob(f"*/{name}-*.nbi")) for name in names)


def _base(given: str) -> Path:
    return Path(given) if given else Path(platformdirs.user_cache_dir("evenkeel")) / "compiled"


@cache
def _types() -> Any:
    from numba import types

    def array(dtype: Any, dimensions: int, *, read: bool) -> Any:
        return types.Array(dtype, dimensions, "C", readonly=read)

    names = {name: getattr(types, name) for name in dir(types) if not name.startswith("_")}
    return SimpleNamespace(
        **names
        | {
            "floats": array(types.float64, 1, read=True),
            "ints": array(types.int64, 1, read=True),
            "flags": array(types.boolean, 1, read=True),
            "table": array(types.float64, 2, read=True),
            "out": array(types.float64, 1, read=False),
            "out_ints": array(types.int64, 1, read=False),
            "out_table": array(types.float64, 2, read=False),
        }
    )


def _compile(plain: Callable[..., Any], signature: Any, *, allocates: bool) -> Any:
    import numba

    config: Any = numba.config
    _register()
    options: dict[str, Any] = {"_nrt": allocates, "error_model": "numpy", "no_cfunc_wrapper": True}
    with _cached_by_source() as usable, suppress(OSError, RuntimeError):  # such as of a disk that is full
        if usable:
            return numba.njit(signature, cache=True, **options)(plain)
    _say_that_nothing_is_kept(_base(config.CACHE_DIR))
    return numba.njit(signature, **options)(plain)


def _register() -> None:
    from numba.extending import register_jitable

    for inner in KERNELS[len(_REGISTERED) :]:
        register_jitable(**_BARE)(inner)
        _REGISTERED.append(inner)


@contextmanager
def _cached_by_source() -> Iterator[bool]:
    """A folder named by the text of all kernels, and no other: numba itself would not notice a change in a function
    called by one. False where it cannot be written."""
    import numba

    config: Any = numba.config
    before = config.CACHE_DIR, getattr(config, "CACHE_LOCATOR_CLASSES", "")
    folder = _base(config.CACHE_DIR) / _version()
    usable = _usable(folder)
    if usable:
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = str(folder), "UserProvidedCacheLocator"
    try:
        yield usable
    finally:
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = before


def _usable(folder: Path) -> bool:
    """Whether a folder is there, or could be made, and it and what is in it can be written: not another user's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return all(os.access(one, os.W_OK | os.X_OK) for one in (folder, *folder.iterdir()))
    except OSError:
        return False


@cache
def _say_that_nothing_is_kept(folder: Path) -> None:
    log.warning("compiled code cannot be kept in %s, and is made again at each start: %s", folder, REMEDY)


@cache
def _version() -> str:
    digest = blake2b(digest_size=8)
    for room in _SOURCES:
        for path in sorted((_ROOT / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
