"""Signing in elsewhere: a browser is sent to an issuer and comes back with a code.

Who may come in so is who was linked to that identity, who was invited under that verified e-mail address, or who has
it here already; nobody else, whatever an issuer says. State, nonce and verifier are random and used once, and the
state belongs to the browser that began: it brings a second secret in a cookie.
"""

import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable

from msgspec import Struct

from evenkeel.desk.auth import Auth, SignIn
from evenkeel.desk.invitations import Invitations
from evenkeel.desk.ports import Actor, Identities, Identity, User
from evenkeel.desk.providers import Asked, Claims, Client, Provider, provider_of
from evenkeel.desk.tokens import OneTime, digest
from evenkeel.domain.errors import Conflict, NotFound, Unauthenticated

SECONDS = 10 * 60
_REFUSED = "nobody here is known by this sign-in"


class Begun(Struct, frozen=True):
    """A sign-in that has left for an issuer. `links_to` is the person who asked for a link, None for a sign-in."""

    provider: str
    asked: Asked
    browser: str
    links_to: str | None


class Departure(Struct, frozen=True):
    """Where the browser goes, and the secret that it keeps meanwhile."""

    address: str
    browser: str


class Elsewhere:
    """Sign-ins by issuers of the settings."""

    def __init__(
        self,
        clients: Iterable[Client],
        identities: Identities,
        auth: Auth,
        invitations: Invitations,
        *,
        make: Callable[[Client], Provider] = provider_of,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self.providers = {client.name: make(client) for client in clients}
        self.identities, self.auth, self.invitations, self._wall = identities, auth, invitations, wall
        self._begun: OneTime[Begun] = OneTime(SECONDS)

    @property
    def clients(self) -> tuple[Client, ...]:
        return tuple(one.client for one in self.providers.values())

    async def begin(self, provider: str, home: str, *, links_to: User | None = None) -> Departure:
        """Where to send a browser whose desk is at `home`. Raises NotFound for an issuer that is not set up, NotReady
        for one that does not answer."""
        chosen = self._provider(provider)
        asked = Asked(f"{home}/elsewhere/", secrets.token_urlsafe(32), secrets.token_urlsafe(48))
        browser = secrets.token_urlsafe(32)
        state = self._begun.issue(Begun(provider, asked, digest(browser), links_to.id if links_to else None))
        return Departure(await chosen.address(asked, state), browser)

    async def complete(
        self, state: str, code: str, *, browser: str, address: str = "", agent: str = ""
    ) -> SignIn | Identity:
        """What came of it: a sign-in, or the link that was asked for.

        Raises Unauthenticated for a state that is unknown, used, or another browser's, and for an identity that nobody
        here has; TwoFactorNeeded as for every sign-in; Conflict for an identity that is linked already.
        """
        self.auth.throttle.check("", address)
        begun = self._begun.redeem(state)
        if begun is None or not hmac.compare_digest(begun.browser, digest(browser)):
            self.auth.throttle.failed("", address)
            raise Unauthenticated("this sign-in has ended, or was begun in another browser; begin it again")
        claims = await self._provider(begun.provider).claims(begun.asked, code)
        if begun.links_to is not None:
            return await self._linked(begun.links_to, claims, address=address, agent=agent)
        user = await self._person(claims, address=address, agent=agent)
        if not user.is_active or not self.auth.admission.policy.admits(user, address):
            raise Unauthenticated(_REFUSED)
        return await self.auth.admit(user, how=begun.provider, address=address, agent=agent)

    async def of(self, user_id: str) -> tuple[Identity, ...]:
        """The identities that a person may sign in by."""
        return await self.identities.of(user_id)

    async def unlink(self, user: User, provider: str, *, address: str = "", agent: str = "") -> None:
        """Raises NotFound where there is no such link, Conflict where it is the only way in that is left."""
        client, held = self._provider(provider).client, await self.identities.of(user.id)
        if all(one.issuer != client.issuer for one in held):
            raise NotFound(f"there is no link to {client.title}")
        if not user.password_hash and len(held) == 1:
            raise Conflict("this is the only way you can sign in", hint="Have a password set by a reset link first.")
        await self._note(user.id, "identity.unlink", issuer=client.issuer, address=address, agent=agent)
        await self.identities.remove(user.id, client.issuer)

    async def _linked(self, user_id: str, claims: Claims, *, address: str, agent: str) -> Identity:
        user, held = await self.auth.users.by_id(user_id), await self.identities.find(claims.issuer, claims.subject)
        if user is None or not user.is_active:
            raise Unauthenticated(_REFUSED)
        if held is not None:
            raise Conflict("this identity is linked already", hint="Unlink it there first.")
        return await self._link(user, claims, address=address, agent=agent)

    async def _person(self, claims: Claims, *, address: str, agent: str) -> User:
        held = await self.identities.find(claims.issuer, claims.subject)
        user = await self.auth.users.by_id(held.user_id) if held is not None else None
        if user is not None:
            return user
        if claims.email is None:
            raise Unauthenticated(_REFUSED)
        user = await self.auth.users.by_email(claims.email)
        if user is None:
            user = await self._invited(claims, address=address, agent=agent)
        if user.is_active:
            await self._link(user, claims, address=address, agent=agent)
        return user

    async def _invited(self, claims: Claims, *, address: str, agent: str) -> User:
        wanted = str(claims.email).casefold()
        links = [one for one in await self.invitations.pending() if (one.email or "").casefold() == wanted]
        if not links:
            raise Unauthenticated(_REFUSED)
        by = Actor("", "", address, agent)
        name = re.sub(r"[^A-Za-z0-9_.@-]", "_", wanted)[:64]
        return await self.invitations.become(links[0], name, password=None, full_name=claims.name, by=by)

    async def _link(self, user: User, claims: Claims, *, address: str, agent: str) -> Identity:
        await self._note(user.id, "identity.link", issuer=claims.issuer, address=address, agent=agent)
        identity = Identity(claims.issuer, claims.subject, user.id, claims.email or "", self._wall())
        await self.identities.add(identity)
        return identity

    async def _note(self, user_id: str, action: str, *, issuer: str, address: str, agent: str) -> None:
        await self.auth.admission.audit.note(
            user_id, action, subject=user_id, after={"issuer": issuer}, address=address, agent=agent
        )

    def _provider(self, name: str) -> Provider:
        if name not in self.providers:
            raise NotFound(f"there is no sign-in by {name[:40]!r} here")
        return self.providers[name]


def home_of(public_url: str | None, asked: str) -> str:
    """The desk's own address as browsers know it: that of the settings, else the one that was asked for, whose name the
    guard has let through."""
    return (public_url or asked).rstrip("/")
