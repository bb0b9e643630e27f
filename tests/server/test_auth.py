"""The sign-in routes: cookie, tokens, waiting times."""

import httpx

from tests.server.world import PASSWORD, World

AUTH = "/api/v2/auth"


async def _login(client: httpx.AsyncClient, password: str = PASSWORD) -> httpx.Response:
    return await client.post(f"{AUTH}/login", json={"username": "demo", "password": password})


async def test_sign_in_gives_a_token_and_a_cookie_no_script_can_read(nobody: httpx.AsyncClient) -> None:
    answer = await _login(nobody)
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["user"]["username"]) == ("bearer", 900, "demo")
    cookie = answer.headers["set-cookie"]
    for part in ("evenkeel_session=", "HttpOnly", "SameSite=strict", "Path=/api/v2/auth"):
        assert part in cookie
    me = await nobody.get(f"{AUTH}/me", headers={"authorization": f"Bearer {body['access_token']}"})
    assert me.json() == body["user"]


async def test_the_cookie_renews_the_token_and_signing_out_ends_it(nobody: httpx.AsyncClient) -> None:
    await _login(nobody)
    first = nobody.cookies["evenkeel_session"]
    answer = await nobody.post(f"{AUTH}/refresh")
    assert answer.status_code == 200
    assert nobody.cookies["evenkeel_session"] != first
    assert (await nobody.post(f"{AUTH}/logout")).status_code == 204
    assert "evenkeel_session" not in nobody.cookies
    assert (await nobody.post(f"{AUTH}/refresh")).status_code == 401


async def test_guessing_is_answered_429_with_the_time_to_wait(nobody: httpx.AsyncClient) -> None:
    for _ in range(5):
        assert (await _login(nobody, "wrong password")).status_code == 401
    answer = await _login(nobody)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["code"] == "too-many-attempts"


async def test_a_link_signs_in_once(desk: World, nobody: httpx.AsyncClient) -> None:
    token = desk.auth.link_for(desk.owner)
    assert (await nobody.post(f"{AUTH}/link", json={"token": token})).status_code == 200
    assert (await nobody.post(f"{AUTH}/link", json={"token": token})).status_code == 401


async def test_a_ticket_is_short_lived_and_for_one_user(desk: World, owner: httpx.AsyncClient) -> None:
    body = (await owner.post(f"{AUTH}/stream-ticket")).json()
    assert body["expires_in"] == 30
    found = desk.auth.tickets.redeem(body["ticket"])
    assert found is not None
    assert found.user == desk.owner


async def test_strange_authorisation_headers_are_no_sign_in(nobody: httpx.AsyncClient) -> None:
    for header in ("", "Bearer", "Bearer ", "Basic ZGVtbzpkZW1v", "Bearer a b", "bearer \xff", "Bearer " + "x" * 5_000):
        answer = await nobody.get(f"{AUTH}/me", headers={b"authorization": header.encode("latin-1")})
        assert answer.status_code == 401
