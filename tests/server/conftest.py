"""A started desk with its application for every test that asks."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.server.world import World, world


@pytest.fixture
async def desk() -> AsyncIterator[World]:
    async with world() as made:
        yield made


@pytest.fixture
async def owner(desk: World) -> AsyncIterator[httpx.AsyncClient]:
    async with await desk.signed_in() as client:
        yield client


@pytest.fixture
async def nobody(desk: World) -> AsyncIterator[httpx.AsyncClient]:
    async with desk.client() as client:
        yield client
