"""Processes are killed here in the middle of everything, and what that leaves behind stays in its file."""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is tested runs in processes of its own; here is only the client, whose tasks are cut off as they connect."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left_to_the_next_file() -> Iterator[None]:
    """A client cut off while it connects leaves its socket to the garbage collector, which would warn much later."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
