"""Processes are killed here in the middle of everything, and what that leaves behind stays in its file."""

import gc
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left_to_the_next_file() -> Iterator[None]:
    """A client cut off while it connects leaves its socket to the garbage collector, which would warn much later."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
