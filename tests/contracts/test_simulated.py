"""The contract suite on both forms of the simulated venue."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.broker_contract import BrokerContract, VenueUnderTest
from tests.contracts.venues import InProcess, OwnProcess


class TestInProcess(BrokerContract):
    @pytest.fixture
    async def venue(self) -> AsyncIterator[VenueUnderTest]:
        venue = InProcess()
        await venue.broker.connect()
        yield venue
        await venue.broker.disconnect()


class TestOwnProcess(BrokerContract):
    @pytest.fixture
    async def venue(self, tmp_path: Path) -> AsyncIterator[VenueUnderTest]:
        venue = OwnProcess(tmp_path)
        await venue.start()
        await venue.connect()
        yield venue
        assert await venue.stop() == 0
