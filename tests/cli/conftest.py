"""The demo that the tests of this room share."""

from collections.abc import Iterator

import pytest

from tests.cli.desk import Desk, running_demo


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """A running demo, some days in."""
    with running_demo("--speed", "8") as found:
        yield found
