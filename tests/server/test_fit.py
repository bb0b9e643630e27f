"""A template that cannot trade what it is put to is refused before it is deployed, and before it is changed so."""

from typing import Any

import httpx
import pytest

from tests.server.world import OWN_ACCOUNT


def body(template: str, **parameters: Any) -> dict[str, Any]:
    return {
        "name": "Mine",
        "template": template,
        "symbols": ["STK"],
        "parameters": parameters,
        "accounts": [{"account_id": OWN_ACCOUNT, "allocation": "0.25"}],
    }


@pytest.mark.parametrize(
    ("asked", "field", "says"),
    [
        (body("pairs"), "instruments", "it trades 2, not 1"),
        (body("rebalanced-weights", weights="0.5, 0.5"), "instruments", "it trades 2, not 1"),
        (body("trend-filter", timeframe="1d"), "timeframe", "1d is no higher timeframe than 1d"),
    ],
)
async def test_what_does_not_fit_is_not_deployed(
    owner: httpx.AsyncClient, asked: dict[str, Any], field: str, says: str
) -> None:
    answer = await owner.post("/api/v2/strategies", json=asked)
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["errors"]
    assert fault["field"] == field
    assert says in fault["message"]


async def test_what_does_not_fit_is_not_changed_to(owner: httpx.AsyncClient) -> None:
    made = await owner.post("/api/v2/strategies", json=body("rebalanced-weights"))
    assert made.status_code == 201, made.text
    path = made.headers["location"]
    answer = await owner.patch(path, json={"parameters": {"weights": "0.5, 0.5"}})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == "instruments"
    assert (await owner.patch(path, json={"parameters": {"weights": "0.5"}})).status_code == 200
