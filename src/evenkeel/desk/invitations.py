"""Links that are handed out once: to become somebody here, and to set a password anew.

The token is shown once, to whoever asks for it, and kept as a hash. A link names a role and at most an e-mail address,
or a person; it works once, until it expires or is revoked, and only while whoever made it might still make it. A reset
ends no second factor: who has one is asked for it at the next sign-in.
"""

import asyncio
import secrets
import time
from collections.abc import Callable

import msgspec
from msgspec import Struct

from evenkeel.desk import passwords
from evenkeel.desk.ports import Actor, Link, LinkKind, Links, User
from evenkeel.desk.tokens import digest
from evenkeel.desk.users import HOME, Change, People, about, checked_terms
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import FieldError, Forbidden, InvalidInput, NotFound, Unauthenticated
from evenkeel.domain.ids import Random

HOUR = 3600 * SECOND
INVITED_HOURS, MOST_HOURS = 72, 30 * 24
RESET_HOURS = 24


class Handed(Struct, frozen=True):
    """A link and its token, which is not kept."""

    link: Link
    token: str

    def __repr__(self) -> str:
        return f"Handed({self.link.id})"


class Invitations:
    """Hands out links and takes them back."""

    def __init__(self, links: Links, people: People, *, wall: Callable[[], int] = time.time_ns) -> None:
        self.links, self.people, self._wall = links, people, wall
        self._turn = asyncio.Lock()

    async def invite(self, role: str, *, email: str | None = None, hours: int = INVITED_HOURS, by: Actor) -> Handed:
        """A link to become somebody of that role. Raises InvalidInput, and Forbidden for a role above one's own."""
        if not 1 <= hours <= MOST_HOURS:
            raise InvalidInput("the invitation cannot be made", errors=(FieldError("hours", f"1 to {MOST_HOURS}"),))
        checked_terms(Change(role=role, email=email))
        self.people.check_rank(by, role)
        return await self._hand("invitation", hours, by=by, role=role, email=email)

    async def reset(self, user: User, *, by: Actor) -> Handed:
        """A link by which this person sets a password; earlier ones end. Raises Forbidden above one's rank."""
        self.people.check_rank(by, user.role)
        await self.links.revoke_resets(user.id, self._wall())
        return await self._hand("reset", RESET_HOURS, by=by, user_id=user.id)

    async def pending(self) -> tuple[Link, ...]:
        """The invitations that can still be accepted, newest first."""
        return await self.links.open("invitation", self._wall())

    async def revoke(self, link_id: str, *, by: Actor) -> None:
        """Raises NotFound for one that cannot be used any more, Forbidden for a role above one's own."""
        link = next((one for one in await self.pending() if one.id == link_id), None)
        if link is None:
            raise NotFound(f"there is no open invitation {link_id!r}")
        self.people.check_rank(by, str(link.role))
        await self.people.audit.note(by.id, "invitation.revoke", subject=link_id)
        if not await self.links.revoke(link_id, self._wall()):
            raise NotFound(f"there is no open invitation {link_id!r}")

    async def of_token(self, token: str, kind: LinkKind) -> Link:
        """The link of a token that can still be used. Raises Unauthenticated."""
        link = await self._usable(digest(token), kind)
        await self._maker(link)
        return link

    async def _usable(self, token_hash: str, kind: LinkKind) -> Link:
        link, now = await self.links.by_hash(token_hash), self._wall()
        usable = link is not None and link.kind == kind and link.used_at is None and link.revoked_at is None
        if link is None or not usable or link.expires_at <= now:
            raise spent()
        return link

    async def _maker(self, link: Link) -> Actor:
        """Whoever handed a link out, as they are now. Raises Unauthenticated where they may not any more: they have
        left, or stand no longer above whom it is for."""
        by, role = HOME, str(link.role)
        if link.created_by != HOME.id:
            maker = await self.people.users.by_id(link.created_by)
            if maker is None or not maker.is_active:
                raise spent()
            by = Actor(maker.id, maker.role)
        if link.user_id is not None:
            role = (await self.people.one(link.user_id)).role
        try:
            self.people.check_rank(by, role)
        except Forbidden:
            raise spent() from None
        return by

    async def become(
        self, link: Link, username: str, *, password: str | None, full_name: str | None = None, by: Actor | None = None
    ) -> User:
        """Makes the person that a link invites; without a password, one who signs in elsewhere. `by` says from where.
        Raises Unauthenticated where the link was used meanwhile, and InvalidInput, Conflict, which leave it as it was.
        """
        by = by or Actor("", "")
        terms = Change(role=str(link.role), email=link.email, full_name=full_name)
        async with self._turn:
            await self._usable(link.token_hash, "invitation")
            await self.people.check_new(username, terms)
            if password is not None:
                passwords.check(password, tuple(filter(None, (username, link.email, full_name))))
            maker = msgspec.structs.replace(await self._maker(link), address=by.address, agent=by.agent)
            await self._spend(link)
            return await self.people.create(
                username, password, role=str(link.role), email=link.email, full_name=full_name, by=maker
            )

    async def set_password(self, token: str, password: str, *, address: str = "", agent: str = "") -> User:
        """Sets the password of the person a reset link is for, and ends their sessions. Raises Unauthenticated, and
        InvalidInput, with which the link stays as it was."""
        link = await self.of_token(token, "reset")
        user = await self.people.one(str(link.user_id))
        if not user.is_active:
            raise spent()
        passwords.check(password, about(user))
        await self._spend(link)
        return await self.people.put_password(user, password, by=Actor(user.id, user.role, address, agent))

    async def _spend(self, link: Link) -> None:
        if not await self.links.spend(link.id, self._wall()):
            raise spent()

    async def _hand(
        self, kind: LinkKind, hours: int, *, by: Actor, role: str | None = None, email: str | None = None,
        user_id: str | None = None,
    ) -> Handed:  # fmt: skip
        token, now = secrets.token_urlsafe(32), self._wall()
        link = Link(
            id=Random().public(now, 0, "link"),
            kind=kind,
            token_hash=digest(token),
            created_by=by.id,
            created_at=now,
            expires_at=now + hours * HOUR,
            role=role,
            email=email,
            user_id=user_id,
        )
        action, subject = f"{kind}.make", user_id or link.id
        after = {"role": role, "email": email, "hours": hours}
        await self.people.audit.note(by.id, action, subject=subject, after=after, address=by.address, agent=by.agent)
        await self.links.add(link)
        return Handed(link, token)


def spent() -> Unauthenticated:
    """What a link that cannot be used is answered with, whatever the reason."""
    return Unauthenticated("the link has been used, was taken back, or has expired", hint="Ask for another one.")
