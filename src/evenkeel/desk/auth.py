"""Signing in: a short access token for requests, a rotating refresh cookie for the session behind it.

A sign-in by password, link or another issuer comes to the same place, which asks for the second factor where there is
one and opens a new session, never one that was there before. Each use of a refresh token replaces it. A used one still
gives an access token for a few seconds (two tabs may race); later, its use means that it was copied, and the whole
session ends. The store holds hashes only. A session is looked up once per process and then remembered, until it is
ended here.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from evenkeel.desk.admission import Admission
from evenkeel.desk.passwords import Passwords
from evenkeel.desk.permissions import Principal, Role, person
from evenkeel.desk.ports import PasswordWatcher, RefreshToken, RefreshTokens, User, Users
from evenkeel.desk.throttle import Throttle
from evenkeel.desk.tokens import OneTime, digest
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, NotReady, Unauthenticated
from evenkeel.domain.ids import Random

ACCESS_SECONDS = 15 * 60
IDLE, ABSOLUTE = 14 * 24 * 3600 * SECOND, 90 * 24 * 3600 * SECOND
RACE = 20 * SECOND
LINK_SECONDS = 10 * 60
TICKET_SECONDS = 30
STEP_SECONDS = 5 * 60
FRESH = 10 * 60 * SECOND
_AUDIENCE, _REMEMBERED = "evenkeel", 10_000
T = TypeVar("T")


class SignIn(Struct, frozen=True):
    """A fresh access token; `refresh` is the new cookie, None where the one just set elsewhere stays. `csrf` goes with
    what the cookie alone authorises. `recovery_codes` are there once, where two factors were switched on by this."""

    user: User
    access_token: str
    refresh: str | None
    csrf: str = ""
    recovery_codes: tuple[str, ...] = ()


class Ticket(Struct, frozen=True):
    """What a stream ticket stands for."""

    by: Principal


class Pending(Struct, frozen=True):
    """A sign-in that has come as far as its second factor, with the password if there was one."""

    user: User
    how: str
    enrols: bool
    password: str | None = None

    def __repr__(self) -> str:
        return f"Pending({self.user.id}, {self.how})"


class TwoFactorNeeded(Unauthenticated):
    """The first step was right; `ticket` takes the second one within five minutes. With `enrols`, two factors are asked
    of this role and the person has none yet."""

    code = "two-factor-needed"

    def __init__(self, ticket: str, *, enrols: bool) -> None:
        super().__init__("a code is needed to sign in", hint="Send it with the ticket to /auth/two-factor.")
        self.ticket, self.enrols = ticket, enrols


class Auth:
    """All of sign-in for one process. `secret` signs access tokens: at least 32 bytes, kept in a private file.

    `on_login` is told of each sign-in by password, as are `watchers`, with the password.
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
        admission: Admission | None = None,
    ) -> None:
        if len(secret) < 32:
            raise InvalidInput("the secret that signs tokens is shorter than 32 bytes")
        self.users, self.tokens, self.passwords = users, tokens, passwords
        self.throttle = throttle or Throttle()
        self.admission = admission or Admission()
        self.watchers: list[PasswordWatcher] = []
        self.links: OneTime[str] = OneTime(LINK_SECONDS)
        self.pending: OneTime[Pending] = OneTime(STEP_SECONDS)
        self.tickets: OneTime[Ticket] = OneTime(TICKET_SECONDS)
        self.wall = wall
        self._secret, self.on_login = secret, on_login
        self._live: dict[str, User] = {}
        self._changes = 0
        self._verified: dict[str, dict[str, Any]] = {}
        self._confirmed: dict[str, int] = {}

    async def login(self, username: str, password: str, *, address: str = "", agent: str = "") -> SignIn:
        """Signs in by password. Raises Unauthenticated, TwoFactorNeeded where a code is to follow, or TooManyAttempts
        after repeated failures. A wrong name, a wrong password and a wrong address are told alike."""
        self.throttle.check(username, address)
        user = await self.users.by_name(username) if "\0" not in username else None
        known = user if user is not None and user.is_active else None
        fits = await self.passwords.verify(known.password_hash if known else None, password)
        # Again: many may have begun at once, and each failure counts against those that come after it.
        self.throttle.check(username, address)
        if not fits or known is None or not self.admission.policy.admits(known, address):
            self.throttle.failed(username, address)
            raise Unauthenticated("the user name or the password is wrong")
        self.throttle.succeeded(username, address)
        if self.passwords.outdated(known.password_hash):
            known = msgspec.structs.replace(known, password_hash=await self.passwords.rehash(password))
            await self.users.put_hash(known.id, known.password_hash)
        return await self.admit(known, how="password", address=address, agent=agent, password=password)

    def link_for(self, user: User) -> str:
        """A token for one sign-in without a password, within ten minutes."""
        return self.links.issue(user.id)

    async def login_by_link(self, token: str, *, address: str = "", agent: str = "") -> SignIn:
        """Raises Unauthenticated for a link that is unknown, used or too old, and as `admit` does."""
        self.throttle.check("", address)
        user_id = self.links.redeem(token)
        user = await self.users.by_id(user_id) if user_id is not None else None
        if user is None or not user.is_active or not self.admission.policy.admits(user, address):
            self.throttle.failed("", address)
            raise Unauthenticated("the sign-in link has been used, or is older than ten minutes")
        return await self.admit(user, how="link", address=address, agent=agent)

    async def admit(
        self, user: User, *, how: str, address: str = "", agent: str = "", password: str | None = None
    ) -> SignIn:
        """A session for a person whose first step was right. Raises TwoFactorNeeded where there is a second one."""
        factors = self.admission.factors
        is_on = factors is not None and await factors.is_on(user.id)
        enrols = factors is not None and not is_on and self.admission.policy.asks_two_factors(user)
        if is_on or enrols:
            raise TwoFactorNeeded(self.pending.issue(Pending(user, how, enrols, password)), enrols=enrols)
        return await self._open(Pending(user, how, False, password), address=address, agent=agent)

    async def waiting(self, ticket: str, address: str) -> Pending:
        """The sign-in behind a ticket of TwoFactorNeeded. Raises Unauthenticated where there is none any more."""
        self.throttle.check("", address)
        pending = self.pending.peek(ticket)
        user = await self.users.by_id(pending.user.id) if pending is not None else None
        unchanged = user is not None and pending is not None and user.password_hash == pending.user.password_hash
        if pending is None or user is None or not unchanged or not user.is_active:
            self.throttle.failed("", address)
            raise Unauthenticated("this sign-in has ended, or has taken longer than five minutes; begin it again")
        return msgspec.structs.replace(pending, user=user)

    async def second_step(self, ticket: str, code: str, *, address: str = "", agent: str = "") -> SignIn:
        """Completes a sign-in by a code of the person's device, or by a recovery code; where two factors are being
        switched on, by the device's first code. Raises Unauthenticated, TooManyAttempts."""
        pending, factors = await self.waiting(ticket, address), self.admission.factors
        user = pending.user
        self.throttle.check_code(user.id)
        codes: tuple[str, ...] = ()
        try:
            if factors is not None and pending.enrols:
                codes = await factors.confirm(user.id, code)
            fits = bool(codes) or (factors is not None and await factors.check(user.id, code))
        except (InvalidInput, NotFound, Conflict):
            fits = False
        self.throttle.check_code(user.id)  # again, as for a password
        if not fits or not self.admission.policy.admits(user, address):
            self.throttle.code_failed(user.id)
            self.throttle.failed("", address)
            raise Unauthenticated("the code is wrong, or was used before")
        if self.pending.redeem(ticket) is None:
            raise Unauthenticated("this sign-in was completed by another request")
        self.throttle.code_succeeded(user.id)
        opened = await self._open(pending, address=address, agent=agent)
        return msgspec.structs.replace(opened, recovery_codes=codes)

    async def refresh(self, secret: str | None, *, address: str = "", agent: str = "") -> SignIn:
        """Trades a refresh token for an access token and its successor. Raises Unauthenticated."""
        token = await self._token(secret)
        now = self.wall()
        user = await self.users.by_id(token.user_id)
        if user is None or not user.is_active or now >= min(token.expires_at, token.family_expires_at):
            raise Unauthenticated("the session has ended; sign in again")
        self.admission.policy.check(user, address)
        access, csrf = self._access(user, token.family_id), self.csrf_of(token.family_id)
        if token.used_at is None:
            renewed = secrets.token_urlsafe(32)
            successor = msgspec.structs.replace(
                token,
                token_hash=digest(renewed),
                created_at=now,
                expires_at=now + IDLE,
                used_at=None,
                replaced_by=None,
                user_agent=_printable(agent)[:200] or token.user_agent,
                address=address[:64] or token.address,
            )
            replaced = await self.tokens.replace(token.token_hash, successor, now)
            return SignIn(user, access, renewed if replaced else None, csrf)
        if now - token.used_at < RACE:
            return SignIn(user, access, None, csrf)
        await self.end(token.family_id)
        await self._note(user, "session.reused", session=token.family_id, address=address, agent=agent)
        raise Unauthenticated("the session has ended, since its cookie was used twice; sign in again")

    def csrf_of(self, session_id: str) -> str:
        """What has to come with a request that a session's cookie alone authorises: it cannot be made without our
        secret, nor taken from another session."""
        return hmac.new(self._secret, f"csrf {session_id}".encode(), "sha256").hexdigest()

    async def check_csrf(self, secret: str | None, given: str) -> None:
        """Raises Forbidden where a live cookie comes without the token that belongs to its session."""
        token = await self.tokens.by_hash(digest(secret)) if secret else None
        if token is not None and not hmac.compare_digest(self.csrf_of(token.family_id).encode(), given.encode()):
            raise Forbidden("this request did not come from the desk's own page", hint="Send X-CSRF-Token.")

    async def logout(self, secret: str | None) -> None:
        """Ends the session of a refresh token; an unknown one is no error."""
        try:
            token = await self._token(secret)
        except Unauthenticated:
            return
        await self.end(token.family_id)

    async def user_of(self, access_token: str) -> User:
        """The user of an access token, wherever it comes from. Raises Unauthenticated."""
        claims = self._claims(access_token)
        session_id = claims["sid"]
        user = self._live.get(session_id)
        while user is None:
            changes = self._changes
            found = await self.users.by_id(claims["sub"])
            if found is None or not found.is_active or not await self.tokens.family_is_live(session_id):
                raise Unauthenticated("the session has ended; sign in again")
            if changes == self._changes:  # else it may have been read before a change that ends it
                _remember(self._live, session_id, value=found)
                user = found
        return user

    async def principal(self, access_token: str, *, address: str) -> Principal:
        """Whoever an access token stands for, coming from `address`. Raises Unauthenticated, and Forbidden from where
        this person may not come."""
        user = await self.user_of(access_token)
        self.admission.policy.check(user, address)
        return person(user, session_id=self._claims(access_token)["sid"])

    def is_fresh(self, session_id: str) -> bool:
        """Whether the person has shown who they are within ten minutes, by signing in or again since; always on the
        private socket, which has no session."""
        return not session_id or self.wall() - self._confirmed.get(session_id, -FRESH) < FRESH

    def confirmed(self, session_id: str) -> None:
        """The person of this session has shown who they are, just now."""
        _remember(self._confirmed, session_id, value=self.wall())

    def forget(self, user_id: str) -> None:
        """What is remembered of a person is looked up again: they have changed."""
        self._changes += 1
        for session_id in [one for one, user in self._live.items() if user.id == user_id]:
            self._live.pop(session_id)

    def ticket_for(self, by: Principal) -> str:
        """A single-use ticket by which whoever asks may open one stream, within 30 seconds."""
        return self.tickets.issue(Ticket(by))

    async def is_live(self, ticket: Ticket) -> bool:
        """Whether the session behind a ticket goes on; what the private socket opened has none, and does."""
        session_id = ticket.by.session_id
        return not session_id or await self.tokens.family_is_live(session_id)

    async def owner(self) -> User:
        """The first super-admin who is active. Raises NotReady before there is one."""
        found = [user for user in await self.users.by_role(Role.SUPER_ADMIN) if user.is_active]
        if not found:
            raise NotReady("there is no owner yet", hint="Start once with `evenkeel up`.")
        return found[0]

    async def end(self, session_id: str) -> None:
        """Ends one session, wherever its tokens are."""
        await self.tokens.revoke_family(session_id, self.wall())
        self._forget_sessions(session_id)

    def _forget_sessions(self, *session_ids: str) -> None:
        self._changes += 1
        for one in session_ids:
            self._live.pop(one, None)
            self._confirmed.pop(one, None)

    async def _open(self, pending: Pending, *, address: str, agent: str) -> SignIn:
        user, now, secret = pending.user, self.wall(), secrets.token_urlsafe(32)
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
        # Again: a reset or a deactivation since the first step ended the sessions that were there, and not this one.
        now_is = await self.users.by_id(user.id)
        if now_is is None or not now_is.is_active or now_is.password_hash != user.password_hash:
            await self.end(token.family_id)
            raise Unauthenticated("this sign-in was overtaken by a change of the password; begin it again")
        self.confirmed(token.family_id)
        if pending.password is not None:
            if self.on_login is not None:
                self.on_login(user)
            for watcher in self.watchers:
                await watcher.proved(user, pending.password)
        await self._note(user, "session.open", session=token.family_id, address=address, agent=agent, how=pending.how)
        await self._crowd_out(user, token.family_id, address=address, agent=agent)
        return SignIn(user, self._access(user, token.family_id), secret, self.csrf_of(token.family_id))

    async def _crowd_out(self, user: User, opened: str, *, address: str, agent: str) -> None:
        """Ends the sessions beyond the most, those seen longest ago, and never the one just opened."""
        keep = self.admission.policy.sessions
        if ended := await self.tokens.revoke_beyond(user.id, self.wall(), keep=keep, first=opened):
            self._forget_sessions(*ended)
            await self._note(user, "session.crowded-out", session=",".join(ended), address=address, agent=agent)

    async def _note(self, user: User, action: str, *, session: str, address: str, agent: str, **after: str) -> None:
        await self.admission.audit.note(
            user.id, action, subject=session, after=after or None, address=address[:64], agent=_printable(agent)[:200]
        )

    async def _token(self, secret: str | None) -> RefreshToken:
        token = await self.tokens.by_hash(digest(secret)) if secret else None
        if token is None or token.revoked_at is not None:
            raise Unauthenticated("there is no session; sign in")
        return token

    def _access(self, user: User, session_id: str) -> str:
        import jwt

        now = self.wall() // SECOND
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
            _remember(self._verified, token, value=claims)
        if claims["exp"] <= self.wall() // SECOND:
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


def _remember(held: dict[str, T], name: str, *, value: T) -> None:
    while len(held) >= _REMEMBERED:
        held.pop(next(iter(held)))
    held[name] = value


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())
