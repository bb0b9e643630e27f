"""Sign-ins by the doors, and a device that shows codes."""

import time
from dataclasses import dataclass

import httpx
import pyotp

from evenkeel.desk.ports import User
from tests.server.world import PASSWORD, World

AUTH, CSRF = "/api/v2/auth", "x-csrf-token"


@dataclass
class Enrolled:
    """A device with its secret, and the recovery codes."""

    secret: str
    codes: tuple[str, ...]
    shown: int = 0

    def code(self) -> str:
        """One that was not shown before: that of the step after each."""
        step = max(int(time.time()) // 30, self.shown + 1)
        self.shown = step
        return pyotp.TOTP(self.secret).at(step * 30)


async def login(client: httpx.AsyncClient, username: str = "demo", password: str = PASSWORD) -> httpx.Response:
    return await client.post(f"{AUTH}/login", json={"username": username, "password": password})


def csrf(client: httpx.AsyncClient) -> dict[str, str]:
    """The header that a page makes of its readable cookie."""
    return {CSRF: client.cookies["evenkeel_csrf"]}


async def enrolled(desk: World, user: User | None = None) -> Enrolled:
    """A person's device, switched on."""
    chosen, factors = user or desk.owner, desk.auth.admission.factors
    assert factors is not None
    device = Enrolled((await factors.begin(chosen)).secret, ())
    device.codes = await factors.confirm(chosen.id, device.code())
    return device


# What the doors of people are sent by the tests that call every route, and what comes of it.
BODIES: dict[str, dict[str, object]] = {
    "two_factor": {"ticket": "none", "code": "000000"},
    "begin_at_sign_in": {"ticket": "none"},
    "look_at_invitation": {"token": "none"},
    "accept_invitation": {"token": "none", "username": "ann", "password": "a new one of mine"},
    "reset_password": {"token": "none", "password": "a new one of mine"},
    "complete_elsewhere": {"state": "none", "code": "none"},
    "change_password": {"present": PASSWORD, "password": "a new one of mine"},
    "confirm_myself": {"password": PASSWORD},
    "switch_on_two_factor": {"code": "000000"},
    "renew_recovery_codes": {"code": "000000"},
    "switch_off_two_factor": {"password": PASSWORD, "code": "000000"},
    "create_person": {"username": "ann", "role": "viewer"},
    "change_person": {"full_name": "Ann"},
    "invite_person": {"role": "viewer"},
}
OTHERS = {
    "two_factor": 401,
    "begin_at_sign_in": 401,
    "look_at_invitation": 401,
    "accept_invitation": 401,
    "reset_password": 401,
    "complete_elsewhere": 401,
    "change_password": 204,
    "confirm_myself": 204,
    "switch_on_two_factor": 404,
    "renew_recovery_codes": 422,
    "switch_off_two_factor": 422,
    "end_other_sessions": 204,
}
# There is nobody, no device and no issuer of that name in their world.
DECLINED = {
    "switch_on_two_factor", "renew_recovery_codes", "switch_off_two_factor", "end_session", "begin_link", "unlink",
    "get_person", "change_person", "deactivate_person", "reactivate_person", "reset_person", "list_sessions_of",
    "end_sessions_of", "take_away_two_factor", "revoke_invitation",
}  # fmt: skip
