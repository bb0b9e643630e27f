"""The doors of sign-in: cookies, tokens, waiting times, the second step, what comes from elsewhere, CSRF."""

from dataclasses import replace

import httpx
import pytest

from evenkeel.desk.admission import Policy
from evenkeel.desk.throttle import Throttle
from evenkeel.domain.clock import SECOND
from tests.server.people import AUTH, CSRF, Enrolled, csrf, enrolled, login
from tests.server.world import PASSWORD, World


async def test_sign_in_gives_a_token_and_a_cookie_no_script_can_read(nobody: httpx.AsyncClient) -> None:
    answer = await login(nobody)
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["user"]["username"]) == ("bearer", 900, "demo")
    session, readable = answer.headers.get_list("set-cookie")
    for part in ("evenkeel_session=", "HttpOnly", "SameSite=strict", "Path=/api/v2/auth"):
        assert part in session
    assert readable.startswith(f"evenkeel_csrf={body['csrf_token']};")
    assert "HttpOnly" not in readable
    me = await nobody.get(f"{AUTH}/me", headers={"authorization": f"Bearer {body['access_token']}"})
    assert me.json() == body["user"]
    assert body["user"]["permissions"] == ["read", "reduce", "trade", "manage", "self", "admin"]


async def test_the_cookie_renews_the_token_and_signing_out_ends_it(nobody: httpx.AsyncClient) -> None:
    await login(nobody)
    first = nobody.cookies["evenkeel_session"]
    answer = await nobody.post(f"{AUTH}/refresh", headers=csrf(nobody))
    assert answer.status_code == 200
    assert nobody.cookies["evenkeel_session"] != first
    assert (await nobody.post(f"{AUTH}/logout", headers=csrf(nobody))).status_code == 204
    assert not nobody.cookies
    assert (await nobody.post(f"{AUTH}/refresh")).status_code == 401


@pytest.mark.parametrize("door", ["refresh", "logout"])
async def test_the_cookie_alone_authorises_nothing(desk: World, nobody: httpx.AsyncClient, door: str) -> None:
    """CSRF: a page elsewhere makes the browser send the cookie, and cannot make the token that belongs to it."""
    await login(nobody)
    async with desk.client() as other:
        await login(other)
        for headers in ({}, {CSRF: "x"}, {CSRF: other.cookies["evenkeel_csrf"]}):
            assert (await nobody.post(f"{AUTH}/{door}", headers=headers)).status_code == 403
    elsewhere = csrf(nobody) | {"origin": "http://127.0.0.1:3000"}
    assert (await nobody.post(f"{AUTH}/{door}", headers=elsewhere)).status_code == 403
    here = csrf(nobody) | {"origin": "http://127.0.0.1:8000"}
    assert (await nobody.post(f"{AUTH}/{door}", headers=here)).status_code in (200, 204)


async def test_a_copied_cookie_used_later_ends_the_session_it_was_taken_from(
    desk: World, nobody: httpx.AsyncClient
) -> None:
    """Token theft: the thief's cookie and the owner's are the same family, and the second use of one ends it."""
    body = (await login(nobody)).json()
    stolen, token = nobody.cookies["evenkeel_session"], csrf(nobody)
    await nobody.post(f"{AUTH}/refresh", headers=token)
    wall = desk.auth.wall
    desk.auth.wall = lambda: wall() + 60 * SECOND
    async with desk.client(cookies={"evenkeel_session": stolen}) as thief:
        assert (await thief.post(f"{AUTH}/refresh", headers=token)).status_code == 401
    assert (await nobody.post(f"{AUTH}/refresh", headers=token)).status_code == 401
    me = await nobody.get(f"{AUTH}/me", headers={"authorization": f"Bearer {body['access_token']}"})
    assert me.status_code == 401


async def test_a_session_that_was_planted_is_not_signed_in(desk: World, nobody: httpx.AsyncClient) -> None:
    """Session fixation: signing in opens a session of its own, and ends the one the browser came with."""
    async with desk.client() as attacker:
        await login(attacker)
        planted = attacker.cookies["evenkeel_session"]
        nobody.cookies.set("evenkeel_session", planted, domain="127.0.0.1", path="/api/v2/auth")
        assert (await login(nobody)).status_code == 200
        assert nobody.cookies["evenkeel_session"] != planted
        assert (await attacker.post(f"{AUTH}/refresh", headers=csrf(attacker))).status_code == 401


async def test_guessing_is_answered_429_with_the_time_to_wait(nobody: httpx.AsyncClient) -> None:
    for _ in range(5):
        assert (await login(nobody, password="wrong password")).status_code == 401
    answer = await login(nobody)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["code"] == "too-many-attempts"


async def test_a_flood_at_a_public_door_is_turned_away_before_anything_is_looked_up(
    desk: World, nobody: httpx.AsyncClient
) -> None:
    desk.auth.throttle = Throttle(rates={"sign-in": (3.0, 0.01), "session": (1.0, 0.01), "provider": (1.0, 0.01)})
    answers = [await nobody.post(f"{AUTH}/link", json={"token": str(one)}) for one in range(5)]
    assert [one.status_code for one in answers] == [401, 401, 401, 429, 429]
    assert int(answers[-1].headers["retry-after"]) > 1
    assert (await nobody.post(f"{AUTH}/refresh")).status_code == 401
    assert (await nobody.post(f"{AUTH}/refresh")).status_code == 429


async def test_a_link_signs_in_once(desk: World, nobody: httpx.AsyncClient) -> None:
    token = desk.auth.link_for(desk.owner)
    assert (await nobody.post(f"{AUTH}/link", json={"token": token})).status_code == 200
    assert (await nobody.post(f"{AUTH}/link", json={"token": token})).status_code == 401


async def test_a_ticket_is_short_lived_and_for_one_user(desk: World, owner: httpx.AsyncClient) -> None:
    body = (await owner.post(f"{AUTH}/stream-ticket")).json()
    assert body["expires_in"] == 30
    found = desk.auth.tickets.redeem(body["ticket"])
    assert found is not None
    assert found.by.user.id == desk.owner.id


async def test_strange_authorisation_headers_are_no_sign_in(nobody: httpx.AsyncClient) -> None:
    for header in ("", "Bearer", "Bearer ", "Basic ZGVtbzpkZW1v", "Bearer a b", "bearer \xff", "Bearer " + "x" * 5_000):
        answer = await nobody.get(f"{AUTH}/me", headers={b"authorization": header.encode("latin-1")})
        assert answer.status_code == 401


async def test_the_second_step_is_asked_for_and_gives_nothing_before_it(desk: World, nobody: httpx.AsyncClient) -> None:
    device = await enrolled(desk)
    first = await login(nobody)
    assert first.status_code == 200
    assert set(first.json()) == {"two_factor", "enrols"}
    assert "set-cookie" not in first.headers
    ticket = first.json()["two_factor"]
    refused = await nobody.get(f"{AUTH}/me", headers={"authorization": f"Bearer {ticket}"})
    assert refused.status_code == 401
    wrong = await nobody.post(f"{AUTH}/two-factor", json={"ticket": ticket, "code": "000000"})
    assert wrong.status_code == 401
    done = await nobody.post(f"{AUTH}/two-factor", json={"ticket": ticket, "code": device.code()})
    assert done.json()["user"]["username"] == "demo"
    assert "evenkeel_session" in nobody.cookies
    again = await nobody.post(f"{AUTH}/two-factor", json={"ticket": ticket, "code": device.codes[0]})
    assert again.status_code == 401


async def test_a_device_is_enrolled_shown_once_and_switched_off(desk: World, owner: httpx.AsyncClient) -> None:
    setup = (await owner.post(f"{AUTH}/two-factor/device")).json()
    assert setup["uri"].startswith("otpauth://")
    device = Enrolled(setup["secret"], ())
    assert (await owner.post(f"{AUTH}/two-factor/on", json={"code": "000000"})).status_code == 422
    codes = (await owner.post(f"{AUTH}/two-factor/on", json={"code": device.code()})).json()["recovery_codes"]
    assert len(codes) == 10
    assert (await owner.get(f"{AUTH}/two-factor")).json() | {"since": ""} == {
        "is_on": True, "since": "", "codes_left": 10,
    }  # fmt: skip
    new = await owner.post(f"{AUTH}/two-factor/recovery-codes", json={"code": codes[0]})
    assert new.status_code == 200
    body = {"password": PASSWORD, "code": new.json()["recovery_codes"][0]}
    assert (await owner.post(f"{AUTH}/two-factor/off", json=body | {"code": codes[1]})).status_code == 422
    assert (await owner.post(f"{AUTH}/two-factor/off", json=body)).status_code == 204
    written = repr(desk.parts.trail.rows.__dict__)
    for secret in (setup["secret"], *codes, PASSWORD):
        assert secret not in written


async def test_sensitive_doors_ask_for_a_sign_in_of_a_moment_ago(desk: World, owner: httpx.AsyncClient) -> None:
    wall = desk.auth.wall
    desk.auth.wall = lambda: wall() + 700 * SECOND
    assert (await owner.post(f"{AUTH}/two-factor/device")).status_code == 403
    assert (await owner.post(f"{AUTH}/confirm", json={"password": "a guess"})).status_code == 422
    assert (await owner.post(f"{AUTH}/two-factor/device")).status_code == 403
    assert (await owner.post(f"{AUTH}/confirm", json={"password": PASSWORD})).status_code == 204
    assert (await owner.post(f"{AUTH}/two-factor/device")).status_code == 200


async def test_sessions_come_in_pages(desk: World, owner: httpx.AsyncClient) -> None:
    for _ in range(4):
        await desk.token(desk.owner)
    page = (await owner.get(f"{AUTH}/sessions?limit=2")).json()
    found = list(page["items"])
    while page["next_cursor"] is not None:
        page = (await owner.get(f"{AUTH}/sessions?limit=2&cursor={page['next_cursor']}")).json()
        found += page["items"]
    assert len({one["id"] for one in found}) == 5
    assert [one["seen"] for one in found] == sorted((one["seen"] for one in found), reverse=True)
    assert (await owner.get(f"{AUTH}/sessions?limit=0")).status_code == 422
    page = (await owner.get(f"/api/v2/users/{desk.owner.id}/sessions?limit=2")).json()
    assert len(page["items"]) == 2
    assert page["next_cursor"]


async def test_a_program_that_signs_in_at_each_run_piles_nothing_up(desk: World, owner: httpx.AsyncClient) -> None:
    desk.auth.admission = replace(desk.auth.admission, policy=Policy(sessions=3))
    last = owner
    for _ in range(6):
        last = await desk.signed_in()
    found = (await last.get(f"{AUTH}/sessions")).json()["items"]
    assert [one["current"] for one in found] == [True, False, False]
    assert (await owner.get(f"{AUTH}/me")).status_code == 401


async def test_ones_sessions_are_ones_own(desk: World, owner: httpx.AsyncClient) -> None:
    async with await desk.signed_in(desk.other) as other:
        theirs = (await other.get(f"{AUTH}/sessions")).json()["items"]
        assert [one["current"] for one in theirs] == [True]
        assert (await owner.delete(f"{AUTH}/sessions/{theirs[0]['id']}")).status_code == 404
        await desk.token(desk.owner)
        mine = (await owner.get(f"{AUTH}/sessions")).json()["items"]
        assert sorted(one["current"] for one in mine) == [False, True]
        assert (await owner.delete(f"{AUTH}/sessions")).status_code == 204
        assert [one["current"] for one in (await owner.get(f"{AUTH}/sessions")).json()["items"]] == [True]
        assert (await other.delete(f"{AUTH}/sessions/{theirs[0]['id']}")).status_code == 204
        assert (await other.get(f"{AUTH}/me")).status_code == 401


async def test_ones_password_is_changed(desk: World, owner: httpx.AsyncClient) -> None:
    body = {"present": PASSWORD, "password": "a new one of mine"}
    weak = await owner.post(f"{AUTH}/password", json=body | {"password": "password1"})
    assert weak.status_code == 422
    assert "guesses" in weak.json()["errors"][0]["message"]
    assert "password1" not in weak.text
    assert (await owner.post(f"{AUTH}/password", json=body | {"present": "a guess"})).status_code == 422
    assert (await owner.post(f"{AUTH}/password", json=body)).status_code == 204
    assert (await owner.get(f"{AUTH}/me")).status_code == 200


async def test_header_injection_ends_in_no_header(desk: World, nobody: httpx.AsyncClient) -> None:
    agent = "Mozilla\r\nSet-Cookie: evil=1"
    answer = await nobody.post(
        f"{AUTH}/login", json={"username": "demo", "password": PASSWORD}, headers={b"user-agent": agent.encode()}
    )
    assert all(not one.startswith("evil") for one in answer.headers.get_list("set-cookie"))
    ((session, *_), _) = await desk.parts.household.own_sign_in.sessions(desk.owner.id)
    assert "\n" not in session.user_agent
    refused = await nobody.post(f"{AUTH}/elsewhere/x%0d%0aset-cookie:evil=1", json={})
    assert refused.status_code == 404
    assert "set-cookie" not in refused.headers
