"""API keys over HTTP: made after a fresh sign-in, shown once, used in either header, signed, and named in what they
do."""

import asyncio
import json
import runpy
from typing import Any
from urllib.error import HTTPError

import httpx
import pytest
from msgspec.structs import replace

from evenkeel.desk.keys import KeyTerms
from evenkeel.desk.permissions import Permission, person
from evenkeel.desk.signing import signed_headers
from evenkeel.domain.provenance import Source
from tests.server.test_streams import served
from tests.server.world import OTHER_ACCOUNT, OWN_ACCOUNT, World, decided, order
from tests.services import ROOT

KEYS = "/api/v2/auth/keys"
ORDERS = "/api/v2/trading/orders"


async def made(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post(KEYS, json={"name": "robot", "scope": "trade"} | changes)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
async def test_a_key_is_made_shown_once_and_used(desk: World, owner: httpx.AsyncClient, header: str) -> None:
    key = await made(owner)
    listed = await owner.get(KEYS)
    assert [one["prefix"] for one in listed.json()["items"]] == [key["key"]["prefix"]]
    assert key["secret"] not in listed.text
    assert key["signing_secret"] not in listed.text
    given = key["secret"] if header == "x-api-key" else f"Bearer {key['secret']}"
    async with desk.client(headers={header: given}) as robot:
        assert (await robot.get("/api/v2/auth/me")).json()["username"] == "demo"
        placed = await robot.post(ORDERS, json=order())
    assert placed.status_code == 201
    provenance = decided(desk, placed.json()["id"])
    assert (provenance.source, provenance.actor, provenance.cause_id) == (
        Source.API_KEY,
        desk.owner.id,
        key["key"]["id"],
    )
    [seen] = (await owner.get(KEYS)).json()["items"]
    assert (seen["last_address"], seen["state"]) == ("127.0.0.1", "live")


async def test_revoking_and_rotating_end_a_key_at_once(desk: World, owner: httpx.AsyncClient) -> None:
    key = await made(owner)
    async with desk.client(headers={"x-api-key": key["secret"]}) as robot:
        assert (await robot.get("/api/v2/accounts")).status_code == 200
        new = (await owner.post(f"{KEYS}/{key['key']['id']}/rotate", json={})).json()
        assert (await robot.get("/api/v2/accounts")).status_code == 401
    async with desk.client(headers={"x-api-key": new["secret"]}) as robot:
        assert (await robot.get("/api/v2/accounts")).status_code == 200
        ended = await owner.delete(f"{KEYS}/{new['key']['id']}")
        assert ended.json()["state"] == "revoked"
        assert (await robot.get("/api/v2/accounts")).status_code == 401


async def test_making_a_key_needs_a_sign_in_of_a_moment_ago(
    desk: World, owner: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.auth, "is_fresh", lambda session_id: False)
    answer = await owner.post(KEYS, json={"name": "robot", "scope": "read"})
    assert (answer.status_code, answer.json()["code"]) == (403, "sign-in-again")
    assert (await owner.get(KEYS)).status_code == 200


async def test_a_key_cannot_be_made_for_what_is_not_ones_own(desk: World, owner: httpx.AsyncClient) -> None:
    answer = await owner.post(KEYS, json={"name": "x", "scope": "read", "accounts": [OWN_ACCOUNT, OTHER_ACCOUNT]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "accounts.1"
    async with await desk.signed_in(desk.other) as other:
        assert (await other.post(KEYS, json={"name": "x", "scope": "admin"})).status_code == 403
        assert (await other.post(KEYS, json={"name": "x", "scope": "self"})).status_code == 422


async def test_a_key_touches_no_key_and_nothing_of_its_person(desk: World, owner: httpx.AsyncClient) -> None:
    key = await made(owner, scope="admin")
    async with desk.client(headers={"x-api-key": key["secret"]}) as robot:
        for method, path in (("GET", KEYS), ("POST", KEYS), ("DELETE", f"{KEYS}/{key['key']['id']}")):
            assert (await robot.request(method, path)).status_code == 403


async def test_a_key_from_elsewhere_is_refused(desk: World, owner: httpx.AsyncClient) -> None:
    key = await made(owner, networks=["192.0.2.0/24"])
    transport = httpx.ASGITransport(app=desk.app, client=("192.0.2.9", 1))
    for client, status in ((desk.client(), 403), (httpx.AsyncClient(transport=transport), 200)):
        async with client:
            headers = {"x-api-key": key["secret"], "x-forwarded-for": "192.0.2.9", "host": "127.0.0.1"}
            answer = await client.get("http://127.0.0.1/api/v2/accounts", headers=headers)
            assert answer.status_code == status


class Robot:
    """Asks with a key that demands signatures."""

    def __init__(self, desk: World, key: dict[str, Any]) -> None:
        self.desk, self.key = desk, key

    def sign(self, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        made = signed_headers(self.key["secret"], self.key["signing_secret"], method=method, url=path, body=body)
        return {"content-type": "application/json", **made}

    async def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> int:
        async with self.desk.client() as client:
            return (await client.request(method, path, content=body, headers=headers)).status_code


@pytest.fixture
async def robot(desk: World, owner: httpx.AsyncClient) -> Robot:
    return Robot(desk, await made(owner, signed=True, scope="manage"))


async def test_signed_requests_pass_once(robot: Robot) -> None:
    body = json.dumps(order()).encode()
    headers = robot.sign("POST", ORDERS, body)
    assert robot.key["secret"] not in str(headers)
    assert await robot.ask("POST", ORDERS, body, headers) == 201
    assert await robot.ask("POST", ORDERS, body, headers) == 401, "it was used"
    listed = f"{ORDERS}?limit=5&status=open"
    assert await robot.ask("GET", listed, b"", robot.sign("GET", listed)) == 200


async def test_what_was_not_signed_does_not_pass(robot: Robot) -> None:
    body = json.dumps(order()).encode()
    other = json.dumps(order(quantity="1000")).encode()
    for method, path, sent in (("POST", ORDERS, other), ("POST", f"{ORDERS}?a=1", body), ("PUT", ORDERS, body)):
        assert await robot.ask(method, path, sent, robot.sign("POST", ORDERS, body)) in (401, 405)
    plain = {"x-api-key": robot.key["secret"], "content-type": "application/json"}
    assert await robot.ask("POST", ORDERS, body, plain) == 401


async def test_a_signed_body_is_bounded(robot: Robot) -> None:
    body = b" " * (1024 * 1024 + 1)
    assert await robot.ask("POST", ORDERS, body, robot.sign("POST", ORDERS, body)) == 413


async def test_a_signed_request_counts_as_a_fresh_sign_in_and_an_unsigned_one_does_not(
    desk: World, owner: httpx.AsyncClient, robot: Robot
) -> None:
    body = json.dumps({"account_id": OWN_ACCOUNT, "username": "somebody", "permission": "read"}).encode()
    assert await robot.ask("POST", "/api/v2/shares", body, robot.sign("POST", "/api/v2/shares", body)) == 201
    plain = await made(owner, scope="manage")
    async with desk.client(headers={"x-api-key": plain["secret"]}) as client:
        answer = await client.post("/api/v2/shares", json=json.loads(body))
    assert (answer.status_code, answer.json()["code"]) == (403, "sign-in-again")


async def test_the_documented_example_places_an_order(desk: World, owner: httpx.AsyncClient) -> None:
    key = await made(owner, signed=True)
    place = runpy.run_path(str(ROOT / "examples" / "signed_order.py"))["place"]
    async with served(desk) as address:
        placed = await asyncio.to_thread(place, f"http://{address}", key, order())
        assert placed["state"] in ("ACCEPTED", "SUBMITTED", "FILLED")
        with pytest.raises(HTTPError):
            await asyncio.to_thread(place, f"http://{address}", key | {"signing_secret": "evs_x"}, order())


async def test_what_is_costly_is_asked_for_now_and_then(desk: World, owner: httpx.AsyncClient) -> None:
    costly = "/api/v2/risk/metrics?scope=user"
    answer = await owner.get(costly)
    for _ in range(200):
        if answer.status_code != 429:
            answer = await owner.get(costly)
    assert answer.json()["code"] == "too-many-requests"
    assert int(answer.headers["retry-after"]) >= 1
    assert (await owner.post(ORDERS, json=order())).status_code == 201, "orders have lanes of their own"
    async with await desk.signed_in(desk.other) as other:
        assert (await other.get(costly)).status_code != 429


async def test_a_key_of_somebody_who_is_no_longer_here_ends(desk: World) -> None:
    key = await desk.parts.keys.create(person(desk.other), KeyTerms(name="robot", scope=Permission.READ))
    async with desk.client(headers={"x-api-key": key.secret}) as robot:
        assert (await robot.get("/api/v2/accounts")).status_code == 200
        await desk.parts.keys.users.replace(replace(desk.other, is_active=False))
        desk.parts.keys.forget(desk.other.id)
        assert (await robot.get("/api/v2/accounts")).status_code == 401
