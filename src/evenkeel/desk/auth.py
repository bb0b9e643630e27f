"""Signing in: a short access token for requests, a rotating refresh cookie for the session behind it.

Each use of a refresh token replaces it. A used one still gives an access token for a few seconds (two tabs may race);
later, its use means that it was copied, and the whole session ends. The store holds hashes only. A session is looked
up once per process and then remembered, until it is ended here.
"""

import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from evenkeel.desk.passwords import Passwords
from evenkeel.desk.ports import RefreshToken, RefreshTokens, User, Users
from evenkeel.desk.throttle import Throttle
from evenkeel.desk.tokens import OneTime, digest
from evenkeel.desk.users import OWNER
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import InvalidInput, NotReady, Unauthenticated
from evenkeel.domain.ids import Random

ACCESS_SECONDS = 15 * 60
IDLE = 14 * 24 * 3600 * SECOND
ABSOLUTE = 90 * 24 * 3600 * SECOND
RACE = 20 * SECOND
LINK_SECONDS = 10 * 60
TICKET_SECONDS = 30
_AUDIENCE = "evenkeel"
_REMEMBERED = 10_000


class SignIn(Struct, frozen=True):
    """A fresh access token; `refresh` is the new cookie, None where the one just set elsewhere stays."""

    user: User
    access_token: str
    refresh: str | None


class Ticket(Struct, frozen=True):
    """What a stream ticket stands for."""

    user: User
    session_id: str


class Auth:
    """All of sign-in for one process. `secret` signs access tokens: at least 32 bytes, kept in a private file.

    `on_login` is told of each sign-in by password.
    """

    def __init__(
        self,
        users: Users,
        tokens: RefreshTokens,
        passwords: Passwords,
        secret: bytes,
        *,
        throttle: Throttle | None = None,
        on_login: Callable[[User], None] | None = None,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        if len(secret) < 32:
            raise InvalidInput("the secret that signs tokens is shorter than 32 bytes")
        self.users, self.tokens, self.passwords = users, tokens, passwords
        self.throttle = throttle or Throttle()
        self.links: OneTime[str] = OneTime(LINK_SECONDS)
        self.tickets: OneTime[Ticket] = OneTime(TICKET_SECONDS)
        self._secret, self._wall, self._on_login = secret, wall, on_login
        self._live: dict[str, User] = {}
        self._verified: dict[str, dict[str, Any]] = {}

    async def login(self, username: str, password: str, *, address: str = "", agent: str = "") -> SignIn:
        """Signs in by password. Raises Unauthenticated, or TooManyAttempts after repeated failures."""
        self.throttle.check(username, address)
        user = await self.users.by_name(username) if "\0" not in username else None
        known = user if user is not None and user.is_active else None
        fits = await self.passwords.verify(known.password_hash if known else None, password)
        # Again: many may have begun at once, and each failure counts against those that come after it.
        self.throttle.check(username, address)
        if not fits or known is None:
            self.throttle.failed(username, address)
            raise Unauthenticated("the user name or the password is wrong")
        self.throttle.succeeded(username, address)
        if self.passwords.outdated(known.password_hash):
            known = msgspec.structs.replace(known, password_hash=await self.passwords.hash(password))
            await self.users.replace(known)
        if self._on_login is not None:
            self._on_login(known)
        return await self._open(known, address=address, agent=agent)

    def link_for(self, user: User) -> str:
        """A token for one sign-in without a password, within ten minutes."""
        return self.links.issue(user.id)

    async def login_by_link(self, token: str, *, address: str = "", agent: str = "") -> SignIn:
        """Raises Unauthenticated for a link that is unknown, used or too old."""
        self.throttle.check("", address)
        user_id = self.links.redeem(token)
        user = await self.users.by_id(user_id) if user_id is not None else None
        if user is None or not user.is_active:
            self.throttle.failed("", address)
            raise Unauthenticated("the sign-in link has been used, or is older than ten minutes")
        return await self._open(user, address=address, agent=agent)

    async def refresh(self, secret: str | None) -> SignIn:
        """Trades a refresh token for an access token and its successor. Raises Unauthenticated."""
        token = await self._token(secret)
        now = self._wall()
        user = await self.users.by_id(token.user_id)
        if user is None or not user.is_active or now >= min(token.expires_at, token.family_expires_at):
            raise Unauthenticated("the session has ended; sign in again")
        access = self._access(user, token.family_id)
        if token.used_at is None:
            renewed = secrets.token_urlsafe(32)
            successor = msgspec.structs.replace(
                token, token_hash=digest(renewed), created_at=now, expires_at=now + IDLE, used_at=None, replaced_by=None
            )
            replaced = await self.tokens.replace(token.token_hash, successor, now)
            return SignIn(user, access, renewed if replaced else None)
        if now - token.used_at < RACE:
            return SignIn(user, access, None)
        await self._end(token.family_id)
        raise Unauthenticated("the session has ended, since its cookie was used twice; sign in again")

    async def logout(self, secret: str | None) -> None:
        """Ends the session of a refresh token; an unknown one is no error."""
        try:
            token = await self._token(secret)
        except Unauthenticated:
            return
        await self._end(token.family_id)

    async def user_of(self, access_token: str) -> User:
        """The user of an access token. Raises Unauthenticated."""
        claims = self._claims(access_token)
        session_id = claims["sid"]
        user = self._live.get(session_id)
        if user is None:
            user = await self.users.by_id(claims["sub"])
            if user is None or not user.is_active or not await self.tokens.family_is_live(session_id):
                raise Unauthenticated("the session has ended; sign in again")
            self._remember(session_id, user)
        return user

    async def ticket_for(self, user: User, access_token: str | None) -> str:
        """A single-use ticket by which this user's browser may open one stream, within 30 seconds."""
        session_id = self._claims(access_token)["sid"] if access_token else ""
        return self.tickets.issue(Ticket(user, session_id))

    async def is_live(self, ticket: Ticket) -> bool:
        """Whether the session behind a ticket goes on; what the private socket opened has none, and does."""
        return not ticket.session_id or await self.tokens.family_is_live(ticket.session_id)

    async def owner(self) -> User:
        """The owner of this installation. Raises NotReady before there is one."""
        found = await self.users.by_role(OWNER)
        if not found:
            raise NotReady("there is no owner yet", hint="Start once with `evenkeel up`.")
        return found[0]

    async def _open(self, user: User, *, address: str, agent: str) -> SignIn:
        now, secret = self._wall(), secrets.token_urlsafe(32)
        token = RefreshToken(
            token_hash=digest(secret),
            family_id=Random().public(now, 0, "session"),
            user_id=user.id,
            created_at=now,
            expires_at=now + IDLE,
            family_expires_at=now + ABSOLUTE,
            user_agent=_printable(agent)[:200],
            address=address[:64],
        )
        await self.tokens.add(token)
        return SignIn(user, self._access(user, token.family_id), secret)

    async def _token(self, secret: str | None) -> RefreshToken:
        token = await self.tokens.by_hash(digest(secret)) if secret else None
        if token is None or token.revoked_at is not None:
            raise Unauthenticated("there is no session; sign in")
        return token

    async def _end(self, session_id: str) -> None:
        self._live.pop(session_id, None)
        await self.tokens.revoke_family(session_id, self._wall())

    def _remember(self, session_id: str, user: User) -> None:
        while len(self._live) >= _REMEMBERED:
            self._live.pop(next(iter(self._live)))
        self._live[session_id] = user

    def _access(self, user: User, session_id: str) -> str:
        import jwt

        now = self._wall() // SECOND
        claims = {
            "sub": user.id,
            "sid": session_id,
            "name": user.username,
            "role": user.role,
            "aud": _AUDIENCE,
            "iat": now,
            "exp": now + ACCESS_SECONDS,
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def _claims(self, token: str) -> dict[str, Any]:
        """What a token says; its signature is checked once, its age every time."""
        claims = self._verified.get(token)
        if claims is None:
            claims = self._decoded(token)
            while len(self._verified) >= _REMEMBERED:
                self._verified.pop(next(iter(self._verified)))
            self._verified[token] = claims
        if claims["exp"] <= self._wall() // SECOND:
            self._verified.pop(token, None)
            raise Unauthenticated("the access token has expired", hint="Refresh it, or sign in again.")
        return claims

    def _decoded(self, token: str) -> dict[str, Any]:
        import jwt

        required = ["sub", "sid", "exp", "aud"]
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                audience=_AUDIENCE,
                options={"require": required, "verify_exp": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthenticated("the access token is not valid; sign in again") from error
        return claims


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())
