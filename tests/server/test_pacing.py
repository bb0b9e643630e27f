"""Slices by the clock at an exchange that keeps hours: laid inside its sessions, and declined where there is none."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import httpx
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain.clock import from_ns
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.server import pacing
from tests.server.composites import BUY, COMPOSITES, body
from tests.server.world import World
from tests.trading.live.desk import BY

LISTED = Instrument("listed", "NYS", "XNYS", AssetClass.EQUITY, "USD", Decimal("0.01"), Decimal(1), calendar="XNYS")
ORDER = BUY | {"symbol": "NYS", "quantity": "1000", "kind": "LIMIT", "limit_price": "1"}
OVERNIGHT = {"every": 1800, "start": "2030-01-10T18:00Z", "end": "2030-01-11T15:30Z"}
EIGHT = [
    "10 18:00", "10 18:30", "10 19:00", "10 19:30", "10 20:00", "10 20:30", "11 14:30", "11 15:00",
]  # fmt: skip


@pytest.fixture(autouse=True)
async def listed(desk: World) -> None:
    await desk.runner.submit(c.ListInstrument(provenance=BY, instrument=LISTED))


def moments(desk: World) -> list[str]:
    (one,) = desk.runner.state.composites.values()
    return [f"{from_ns(slot.at):%d %H:%M}" for slot in one.slots]


async def place(client: httpx.AsyncClient, kind: str, **more: Any) -> httpx.Response:
    return await client.post(COMPOSITES, json=body(kind, ORDER, **more))


async def test_a_twap_over_a_night_has_equal_slices_while_the_exchange_is_open(
    desk: World, owner: httpx.AsyncClient
) -> None:
    answer = await place(owner, "twap", **OVERNIGHT)
    assert answer.status_code == 201, answer.text
    assert moments(desk) == EIGHT
    (one,) = desk.runner.state.composites.values()
    assert {slot.weight for slot in one.slots} == {1.0}


async def test_a_drawn_delay_leaves_no_slice_behind_the_close(desk: World, owner: httpx.AsyncClient) -> None:
    late = {"every": 7200, "start": "2030-01-10T18:30Z", "end": "2030-01-11T21:00Z", "randomise": 0.9}
    assert (await place(owner, "twap", **late)).status_code == 201
    (one,) = desk.runner.state.composites.values()
    for slot in one.slots:
        assert from_ns(slot.at).hour * 60 + from_ns(slot.at).minute in range(14 * 60 + 30, 21 * 60)


@pytest.mark.parametrize("kind", ["twap", "vwap"])
async def test_a_window_without_a_session_is_declined(desk: World, owner: httpx.AsyncClient, kind: str) -> None:
    closed = {"every": 1800, "start": "2030-01-10T21:00Z", "end": "2030-01-11T13:00Z"}
    answer = await place(owner, kind, **closed)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["field"] == "end"
    assert "opens next at 2030-01-11T14:30:00Z" in fault["message"]


async def test_of_one_slice_and_of_too_many_it_is_said(owner: httpx.AsyncClient) -> None:
    for end in ("2030-01-10T18:30Z", "2030-12-10T18:30Z"):
        answer = await place(owner, "twap", every=1800, start="2030-01-10T18:00Z", end=end)
        assert [fault["field"] for fault in answer.json()["errors"]] == ["every"], answer.text


async def test_a_count_of_slices_waits_for_the_open_and_is_found_again(desk: World, owner: httpx.AsyncClient) -> None:
    given = {"count": 3, "every": 1800, "client_order_id": "counted"}
    first, again = await place(owner, "slices", **given), await place(owner, "slices", **given)
    assert (first.status_code, again.status_code) == (201, 200), again.text
    assert moments(desk) == ["02 13:30", "02 14:00", "02 14:30"]


async def test_what_usually_trades_is_asked_for_open_hours_only(
    desk: World, owner: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def profile(parts: Any, instrument: Any, *, pace: Any, numbers: Sequence[int]) -> tuple[float, ...]:
        asked.extend(numbers)
        return (1.0,) * len(numbers)

    monkeypatch.setattr(pacing, "_profile", profile)
    assert (await place(owner, "vwap", **OVERNIGHT)).status_code == 201
    assert asked == [0, 1, 2, 3, 4, 5, 41, 42]
    assert moments(desk) == EIGHT


async def test_a_change_of_pace_keeps_hours_too(desk: World, owner: httpx.AsyncClient) -> None:
    made = (await place(owner, "twap", **OVERNIGHT)).json()
    path = f"{COMPOSITES}/{made['id']}"
    answer = await owner.patch(path, json=OVERNIGHT | {"every": 7200})
    assert answer.status_code == 200, answer.text
    assert moments(desk) == ["10 18:00", "10 20:00", "11 14:30"]
    assert (
        await owner.patch(path, json=OVERNIGHT | {"start": "2030-01-10T22:00Z", "end": "2030-01-11T14:00Z"})
    ).is_error
