"""People and sign-in over stores in memory, with a clock that tests move."""

import time
from collections.abc import Mapping
from typing import Any

import pyotp
from argon2 import PasswordHasher

from evenkeel.desk.admission import Admission, Policy
from evenkeel.desk.auth import Auth, TwoFactorNeeded
from evenkeel.desk.household import House as Asked
from evenkeel.desk.household import Household
from evenkeel.desk.passwords import Passwords
from evenkeel.desk.ports import User
from evenkeel.desk.providers import Client
from evenkeel.desk.sealing import Key, KeyRing
from evenkeel.desk.throttle import Throttle
from evenkeel.domain.clock import SECOND
from tests.desk.memory import MemoryFactors, MemoryIdentities, MemoryLinks, MemoryTokens, MemoryUsers, memory_stores

SECRET = b"thirty-two bytes, at the very least"
PASSWORD = "a password of tests"


class Clock:
    """Wall-clock ns that tests move."""

    def __init__(self) -> None:
        self.at = time.time_ns()

    def __call__(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / SECOND

    def skip(self, seconds: float) -> None:
        self.at += round(seconds * SECOND)


class Heard:
    """An audit log in memory."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, Mapping[str, Any], Mapping[str, Any]]] = []

    async def note(
        self,
        actor: str,
        action: str,
        *,
        subject: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        address: str = "",
        agent: str = "",
    ) -> None:
        self.rows.append((actor, action, subject, before or {}, after or {}))

    @property
    def actions(self) -> list[str]:
        return [action for _, action, *_ in self.rows]


class House:
    """All that concerns people. `ring` seals second factors."""

    def __init__(
        self, secret: bytes = SECRET, *, policy: Policy | None = None, clients: tuple[Client, ...] = ()
    ) -> None:
        self.clock, self.heard = Clock(), Heard()
        self.users = MemoryUsers()
        self.stores = memory_stores(self.users)
        self.ring = KeyRing([Key(b"k" * 32)])
        self.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        asked = Asked(secret, self.ring, policy or Policy(), clients)
        throttle = Throttle(clock=self.clock.monotonic)
        self.all = Household(
            self.stores, asked, passwords=self.passwords, throttle=throttle, audit=self.heard, wall=self.clock
        )
        self.people, self.auth, self.invitations = self.all.people, self.all.auth, self.all.invitations
        self.own_sign_in, self.elsewhere = self.all.own_sign_in, self.all.elsewhere
        self.all_factors = self.auth.admission.factors

    @property
    def tokens(self) -> MemoryTokens:
        assert isinstance(self.stores.tokens, MemoryTokens)
        return self.stores.tokens

    @property
    def links(self) -> MemoryLinks:
        assert isinstance(self.stores.links, MemoryLinks)
        return self.stores.links

    @property
    def factors(self) -> MemoryFactors:
        assert isinstance(self.stores.factors, MemoryFactors)
        return self.stores.factors

    @property
    def identities(self) -> MemoryIdentities:
        assert isinstance(self.stores.identities, MemoryIdentities)
        return self.stores.identities

    def new_auth(self, secret: bytes = SECRET) -> Auth:
        """Another process over the same stores, without a second factor."""
        throttle = Throttle(clock=self.clock.monotonic)
        return Auth(self.users, self.tokens, self.passwords, secret, throttle=throttle, wall=self.clock)

    def admission(self, policy: Policy) -> Admission:
        return Admission(policy, self.all_factors, self.heard)

    def code(self, secret: str) -> str:
        """What an authenticator shows now."""
        return pyotp.TOTP(secret).at(self.clock.at // SECOND)

    async def enrolled(self, user: User) -> tuple[str, tuple[str, ...]]:
        """A person's secret and recovery codes, with two factors on; the code that did it is used up."""
        assert self.all_factors is not None
        setup = await self.all_factors.begin(user)
        codes = await self.all_factors.confirm(user.id, self.code(setup.secret))
        self.clock.skip(30)
        return setup.secret, codes

    async def ticket(self, username: str, password: str = PASSWORD, **where: str) -> str:
        """That of a sign-in which waits for its second step."""
        try:
            await self.auth.login(username, password, **where)
        except TwoFactorNeeded as needed:
            return needed.ticket
        raise AssertionError("no second step was asked for")
