"""People by the API: who may, what it does at once, what it never says, and that nothing more can be set."""

import httpx
import pytest

from tests.server.people import AUTH, csrf, enrolled, login
from tests.server.world import PASSWORD, World

USERS = "/api/v2/users"


async def _invite(owner: httpx.AsyncClient, **body: object) -> tuple[str, str]:
    """The id and the token of a new invitation."""
    answer = await owner.post(f"{USERS}/invitations", json={"role": "trader", **body})
    assert answer.status_code == 201, answer.text
    return answer.json()["invitation"]["id"], answer.json()["link"]["address"].partition("/welcome/#")[2]


async def test_an_invitation_is_accepted_once_and_signs_in(owner: httpx.AsyncClient, nobody: httpx.AsyncClient) -> None:
    _, token = await _invite(owner, role="viewer", email="ann@example.com")
    assert token
    seen = (await nobody.post(f"{AUTH}/invitation", json={"token": token})).json()
    assert (seen["role"], seen["email"]) == ("viewer", "ann@example.com")
    body = {"token": token, "username": "ann", "password": "a new one of mine", "full_name": "Ann Smith"}
    weak = await nobody.post(f"{AUTH}/accept", json=body | {"password": "password1"})
    assert weak.status_code == 422
    done = await nobody.post(f"{AUTH}/accept", json=body)
    assert done.json()["user"]["role"] == "viewer"
    assert done.json()["user"]["permissions"] == ["read", "self"], "by which a page knows what to offer"
    assert (await nobody.post(f"{AUTH}/refresh", headers=csrf(nobody))).status_code == 200
    assert (await nobody.post(f"{AUTH}/accept", json=body | {"username": "bob"})).status_code == 401
    assert (await nobody.post(f"{AUTH}/invitation", json={"token": token})).status_code == 401


async def test_an_open_invitation_is_listed_without_its_token_and_taken_back(
    owner: httpx.AsyncClient, nobody: httpx.AsyncClient
) -> None:
    invitation, token = await _invite(owner)
    listed = await owner.get(f"{USERS}/invitations")
    assert [one["id"] for one in listed.json()["items"]] == [invitation]
    assert token not in listed.text
    assert (await owner.delete(f"{USERS}/invitations/{invitation}")).status_code == 204
    assert (await owner.delete(f"{USERS}/invitations/{invitation}")).status_code == 404
    assert (await nobody.post(f"{AUTH}/invitation", json={"token": token})).status_code == 401


@pytest.mark.parametrize(
    "more", [{"role": "super-admin"}, {"is_active": True}, {"id": "x"}, {"password_hash": "x"}, {"networks": []}]
)
async def test_who_accepts_cannot_set_more_than_a_name_and_a_password(
    owner: httpx.AsyncClient, nobody: httpx.AsyncClient, more: dict[str, object]
) -> None:
    """Mass assignment: what is not a field of the door is refused, and makes nobody."""
    _, token = await _invite(owner)
    body = {"token": token, "username": "ann", "password": "a new one of mine", **more}
    assert (await nobody.post(f"{AUTH}/accept", json=body)).status_code == 422
    assert len((await owner.get(USERS)).json()["items"]) == 2


@pytest.mark.parametrize(
    "more", [{"is_active": False}, {"id": "x"}, {"password_hash": "x"}, {"username": "x"}, {"last_login": None}]
)
async def test_a_change_takes_its_four_fields_and_no_more(
    desk: World, owner: httpx.AsyncClient, more: dict[str, object]
) -> None:
    answer = await owner.patch(f"{USERS}/{desk.other.id}", json={"full_name": "Tom", **more})
    assert answer.status_code == 422
    assert (await desk.people.one(desk.other.id)).full_name is None


async def test_people_are_made_changed_deactivated_and_let_in_again(
    desk: World, owner: httpx.AsyncClient, nobody: httpx.AsyncClient
) -> None:
    made = (await owner.post(USERS, json={"username": "ann", "role": "viewer", "email": "ann@example.com"})).json()
    token = made["link"]["address"].partition("/reset/#")[2]
    reset = {"token": token, "password": "a new one of mine"}
    assert (await nobody.post(f"{AUTH}/reset", json=reset)).status_code == 204
    assert (await nobody.post(f"{AUTH}/reset", json=reset)).status_code == 401
    signed = (await login(nobody, "ann", "a new one of mine")).json()
    headers = {"authorization": f"Bearer {signed['access_token']}"}
    person = made["person"]["id"]
    changed = await owner.patch(f"{USERS}/{person}", json={"role": "trader", "email": None})
    assert (changed.json()["role"], changed.json()["email"]) == ("trader", None)
    assert (await nobody.get(f"{AUTH}/me", headers=headers)).status_code == 401
    assert (await owner.post(f"{USERS}/{person}/deactivate")).json()["is_active"] is False
    assert (await login(nobody, "ann", "a new one of mine")).status_code == 401
    assert (await owner.post(f"{USERS}/{person}/reactivate")).json()["is_active"] is True
    assert (await login(nobody, "ann", "a new one of mine")).status_code == 200
    assert len((await owner.get(f"{USERS}/{person}/sessions")).json()["items"]) == 1
    assert (await owner.delete(f"{USERS}/{person}/sessions")).status_code == 204
    assert (await owner.get(f"{USERS}/{person}/sessions")).json()["items"] == []
    assert (await owner.post(f"{USERS}/{desk.owner.id}/deactivate")).status_code == 409


async def test_the_list_comes_in_pages_and_shows_no_secret(owner: httpx.AsyncClient) -> None:
    first = (await owner.get(USERS, params={"limit": 1})).json()
    second = await owner.get(USERS, params={"limit": 1, "cursor": first["next_cursor"]})
    assert [one["username"] for one in (*first["items"], *second.json()["items"])] == ["demo", "somebody"]
    assert second.json()["next_cursor"] is None
    assert "argon2" not in second.text
    assert (await owner.get(USERS, params={"cursor": "x"})).status_code == 422


async def test_traders_may_not_see_or_touch_people(desk: World) -> None:
    async with await desk.signed_in(desk.other) as other:
        for method, path in (("GET", USERS), ("POST", f"{USERS}/{desk.owner.id}/reset"), ("GET", f"{USERS}/x")):
            assert (await other.request(method, path)).status_code == 403


async def test_an_admin_may_not_reach_above_themselves(desk: World) -> None:
    admin = await desk.people.create("keeper", PASSWORD, role="admin")
    async with await desk.signed_in(admin) as client:
        owner = f"{USERS}/{desk.owner.id}"
        for method, path, body in (
            ("PATCH", owner, {"role": "viewer"}),
            ("PATCH", f"{USERS}/{admin.id}", {"role": "super-admin"}),
            ("POST", f"{owner}/reset", None),
            ("POST", f"{owner}/deactivate", None),
            ("DELETE", f"{owner}/sessions", None),
            ("DELETE", f"{USERS}/{desk.other.id}/two-factor", None),
            ("POST", f"{USERS}/invitations", {"role": "admin"}),
            ("POST", USERS, {"username": "more", "role": "super-admin"}),
        ):
            assert (await client.request(method, path, json=body)).status_code == 403, path
        assert (await client.patch(f"{USERS}/{desk.other.id}", json={"role": "viewer"})).status_code == 200


async def test_a_lost_device_is_taken_away_by_a_super_admin(
    desk: World, owner: httpx.AsyncClient, nobody: httpx.AsyncClient
) -> None:
    await enrolled(desk, desk.other)
    assert "two_factor" in (await login(nobody, "somebody")).json()
    assert (await owner.delete(f"{USERS}/{desk.other.id}/two-factor")).status_code == 204
    assert "access_token" in (await login(nobody, "somebody")).json()
    assert (await owner.delete(f"{USERS}/{desk.other.id}/two-factor")).status_code == 404
