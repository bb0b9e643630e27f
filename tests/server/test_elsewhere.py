"""Signing in elsewhere by the doors: the browser's cookie, the second step, linking, and what comes of a bad start."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from evenkeel.desk.providers import Client
from tests.desk.issuer import CLIENT_ID, CLIENT_SECRET, Issuer, issuer
from tests.server.people import AUTH, enrolled
from tests.server.world import World, world


@pytest.fixture
def there() -> Iterator[Issuer]:
    with issuer() as made:
        yield made


@pytest.fixture
async def desk(there: Issuer) -> AsyncIterator[World]:
    async with world(clients=(Client("oidc", "The issuer", there.address, CLIENT_ID, CLIENT_SECRET),)) as made:
        yield made


async def _back(client: httpx.AsyncClient, there: Issuer, path: str = "elsewhere/oidc") -> dict[str, str]:
    left = await client.post(f"{AUTH}/{path}")
    cookie = left.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    state, code = there.authorise(left.json()["address"])
    return {"state": state, "code": code}


async def test_an_identity_is_linked_and_signs_in(desk: World, there: Issuer, owner: httpx.AsyncClient) -> None:
    assert (await owner.get(f"{AUTH}/providers")).json() == {"items": [{"name": "oidc", "title": "The issuer"}]}
    linked = await owner.post(f"{AUTH}/elsewhere", json=await _back(owner, there, "identities/oidc"))
    assert linked.status_code == 204
    assert [one["provider"] for one in (await owner.get(f"{AUTH}/identities")).json()["items"]] == ["oidc"]
    async with desk.client() as browser:
        signed = await browser.post(f"{AUTH}/elsewhere", json=await _back(browser, there))
        assert signed.json()["user"]["username"] == "demo"
        assert "evenkeel_session" in browser.cookies
    assert (await owner.delete(f"{AUTH}/identities/oidc")).status_code == 204
    async with desk.client() as browser:
        refused = await browser.post(f"{AUTH}/elsewhere", json=await _back(browser, there))
        assert refused.status_code == 401


async def test_another_browser_cannot_complete_it(desk: World, there: Issuer, nobody: httpx.AsyncClient) -> None:
    await desk.people.create("ann", None, email="ann@example.com")
    body = await _back(nobody, there)
    async with desk.client() as victim:
        assert (await victim.post(f"{AUTH}/elsewhere", json=body)).status_code == 401
        assert "evenkeel_session" not in victim.cookies
    assert (await nobody.post(f"{AUTH}/elsewhere", json=body)).status_code == 401, "it was used up"


async def test_the_second_step_follows(desk: World, there: Issuer, nobody: httpx.AsyncClient) -> None:
    ann = await desk.people.create("ann", None, email="ann@example.com")
    device = await enrolled(desk, ann)
    first = await nobody.post(f"{AUTH}/elsewhere", json=await _back(nobody, there))
    code = {"ticket": first.json()["two_factor"], "code": device.code()}
    assert (await nobody.post(f"{AUTH}/two-factor", json=code)).json()["user"]["username"] == "ann"


async def test_an_issuer_that_is_not_set_up_is_not_found(nobody: httpx.AsyncClient) -> None:
    assert (await nobody.post(f"{AUTH}/elsewhere/google")).status_code == 404
