"""The mark of a kernel: a function of floats, ints and booleans that runs as plain Python and compiled alike."""

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

KERNELS: list[Callable[..., Any]] = []


def kernel(function: F) -> F:
    """Lets compiled code call `function`; the function itself stays plain."""
    KERNELS.append(function)
    return function
