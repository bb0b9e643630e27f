"""Indicators are remembered per (series, arguments) for as long as the series lives.

Only read-only series are remembered, since a series that can be written to can change under its result; results
are read-only for the same reason, and so indicators of indicators are remembered, too.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from weakref import ref

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
P = ParamSpec("P")

BYTES_PER_SERIES = 128 * 2**20


class _Results:
    """What is known of one series: its results by key, oldest first, within `BYTES_PER_SERIES`."""

    def __init__(self) -> None:
        self.by_key: dict[Any, tuple[tuple[ref[Floats], ...], Floats]] = {}
        self.size = 0

    def find(self, key: Any, others: tuple[Floats, ...]) -> Floats | None:
        known = self.by_key.get(key)
        if known is None or any(r() is not other for r, other in zip(known[0], others, strict=True)):
            return None
        return known[1]

    def keep(self, key: Any, others: tuple[Floats, ...], result: Floats) -> None:
        if result.nbytes > BYTES_PER_SERIES:
            return
        replaced = self.by_key.pop(key, None)
        self.size += result.nbytes - (replaced[1].nbytes if replaced else 0)
        self.by_key[key] = (tuple(ref(other) for other in others), result)
        while self.size > BYTES_PER_SERIES:
            _, oldest = self.by_key.pop(next(iter(self.by_key)))
            self.size -= oldest.nbytes


_KNOWN: dict[int, tuple[ref[Floats], _Results]] = {}


def frozen(series: npt.ArrayLike) -> Floats:
    """A read-only float64 view of `series`, which the caller promises not to write to any more."""
    view = np.asarray(series, dtype=np.float64).view()
    view.flags.writeable = False
    return view


def memoised(
    function: Callable[Concatenate[Floats, P], Floats],
) -> Callable[Concatenate[Floats, P], Floats]:
    """Remembers `function` by its series (all leading array arguments) and its other arguments, if hashable."""

    @wraps(function)
    def remembering(series: Floats, /, *args: P.args, **kwargs: P.kwargs) -> Floats:
        others = tuple(a for a in args if isinstance(a, np.ndarray))
        if any(a.flags.writeable for a in (series, *others)):
            return _read_only(function(series, *args, **kwargs))
        plain = tuple(a for a in args if not isinstance(a, np.ndarray))
        key = (function, tuple(id(a) for a in others), plain, tuple(sorted(kwargs.items())))
        results = _results_of(series)
        found = results.find(key, others)
        if found is None:
            found = _read_only(function(series, *args, **kwargs))
            results.keep(key, others, found)
        return found

    return remembering


def _read_only(result: Floats) -> Floats:
    result.flags.writeable = False
    return result


def _results_of(series: Floats) -> _Results:
    name = id(series)
    known = _KNOWN.get(name)
    if known is not None and known[0]() is series:
        return known[1]
    results = _Results()
    _KNOWN[name] = (ref(series, lambda gone: _forget(name, gone)), results)
    return results


def _forget(name: int, gone: ref[Floats]) -> None:
    known = _KNOWN.get(name)
    if known is not None and known[0] is gone:
        del _KNOWN[name]
