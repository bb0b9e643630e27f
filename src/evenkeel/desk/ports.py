"""What the desk needs of a store: people, their sessions, second factors, links and identities; and who is told of what
they do. Times are wall-clock ns. Secrets come here as hashes, or sealed.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct


class User(Struct, frozen=True):
    """A person who may sign in. `role` is one of `permissions.Role`; `networks` are CIDRs, none meaning everywhere.

    An empty `password_hash` fits no password: such a person has yet to set one, or signs in elsewhere.
    """

    id: str
    username: str
    role: str
    password_hash: str
    is_active: bool = True
    created_at: int = 0
    email: str | None = None
    full_name: str | None = None
    networks: tuple[str, ...] = ()
    last_login: int | None = None


class Actor(Struct, frozen=True):
    """Who does something to people, and from where. `id` is a user's, or `home` for whoever holds the home's files."""

    id: str
    role: str
    address: str = ""
    agent: str = ""


class RefreshToken(Struct, frozen=True):
    """One refresh token, known by its hash only. A sign-in is a family of them, each replacing the one before."""

    token_hash: str
    family_id: str
    user_id: str
    created_at: int
    expires_at: int
    family_expires_at: int
    used_at: int | None = None
    replaced_by: str | None = None
    revoked_at: int | None = None
    user_agent: str = ""
    address: str = ""


class Session(Struct, frozen=True):
    """One sign-in that goes on: since when, and when and from where its token was last renewed."""

    id: str
    user_id: str
    since: int
    seen: int
    expires_at: int
    user_agent: str = ""
    address: str = ""


LinkKind = Literal["invitation", "reset"]


class Link(Struct, frozen=True):
    """A one-time link that was handed out: to become somebody (`role`, `email`), or to set a password (`user_id`)."""

    id: str
    kind: LinkKind
    token_hash: str
    created_by: str
    created_at: int
    expires_at: int
    role: str | None = None
    email: str | None = None
    user_id: str | None = None
    used_at: int | None = None
    revoked_at: int | None = None


class SecondFactor(Struct, frozen=True):
    """A person's time-based secret, sealed. `last_step` is the last step whose code was taken."""

    user_id: str
    sealed: str
    created_at: int
    confirmed_at: int | None = None
    last_step: int = 0


class Identity(Struct, frozen=True):
    """A person as an issuer elsewhere knows them."""

    issuer: str
    subject: str
    user_id: str
    email: str
    linked_at: int


class KeptPassword(Protocol):
    """Where the password made for the first owner is kept until its first use."""

    def keep(self, password: str) -> None: ...

    def read(self) -> str | None: ...

    def forget(self) -> None: ...


class PasswordWatcher(Protocol):
    """Told of a password while it is at hand: what is sealed under it can be opened, or sealed anew, only then."""

    async def proved(self, user: User, password: str) -> None:
        """This person has just shown that they know their password."""

    async def changed(self, user: User, *, old: str | None, new: str) -> None:
        """The password is another now; `old` is None where nobody gave it, as after a reset."""


class Audit(Protocol):
    """The log of what people do; what it is told stays."""

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
    ) -> None: ...


class Users(Protocol):
    async def by_id(self, user_id: str) -> User | None: ...

    async def by_name(self, username: str) -> User | None:
        """The user of that name, in any case."""

    async def by_email(self, email: str) -> User | None:
        """The user of that address, in any case."""

    async def by_role(self, role: str) -> tuple[User, ...]:
        """Oldest first."""

    async def everyone(self) -> tuple[User, ...]:
        """Oldest first."""

    async def add(self, user: User) -> None:
        """Raises Conflict when the name or the address is taken."""

    async def replace(self, user: User, *, keeping: str | None = None) -> None:
        """Raises Conflict where nobody else of the role `keeping` would be left active; checked with the change."""

    async def put_hash(self, user_id: str, password_hash: str) -> None:
        """The hash of a password and nothing else: making one takes long, and the person may have changed meanwhile."""


class RefreshTokens(Protocol):
    async def by_hash(self, token_hash: str) -> RefreshToken | None: ...

    async def add(self, token: RefreshToken) -> None: ...

    async def replace(self, token_hash: str, successor: RefreshToken, at: int) -> bool:
        """Marks a token used and adds its successor, in one transaction; False, and nothing done, if it was used."""

    async def family_is_live(self, family_id: str) -> bool:
        """Whether the family exists and has not been revoked."""

    async def sessions_of(
        self, user_id: str, at: int, *, only: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> tuple[Sequence[Session], str | None]:
        """Those that have neither ended nor been revoked, or of them `only` one, the one seen last first; and the
        cursor of the next page. Raises InvalidInput for one that this did not give."""

    async def revoke_family(self, family_id: str, at: int) -> None: ...

    async def revoke_beyond(self, user_id: str, at: int, *, keep: int, first: str) -> Sequence[str]:
        """Ends a user's sessions but for `keep` of them: `first`, if it goes on, and those that were seen last. Says
        which ones, the one seen longest ago last."""

    async def revoke_user(self, user_id: str, at: int, *, but: str | None = None) -> None:
        """All families of a user, or all `but` one."""


class Links(Protocol):
    async def add(self, link: Link) -> None: ...

    async def by_hash(self, token_hash: str) -> Link | None: ...

    async def open(self, kind: LinkKind, at: int) -> tuple[Link, ...]:
        """Those that can still be used, newest first."""

    async def spend(self, link_id: str, at: int) -> bool:
        """Marks a link used; False, and nothing done, if it was used, revoked or too old."""

    async def revoke(self, link_id: str, at: int) -> bool:
        """False where there is no such link that can still be used."""

    async def revoke_resets(self, user_id: str, at: int) -> None:
        """Those of one person."""


class SecondFactors(Protocol):
    async def of(self, user_id: str) -> SecondFactor | None: ...

    async def put(self, factor: SecondFactor) -> None:
        """In place of one that was never confirmed. Raises Conflict where one was, however lately."""

    async def confirm(self, user_id: str, *, at: int, step: int) -> bool:
        """False where it was confirmed before."""

    async def take_step(self, user_id: str, step: int) -> bool:
        """Whether `step` is later than any taken before; it is the last one then."""

    async def reseal(self, user_id: str, sealed: str) -> None:
        """The same secret, sealed under another key."""

    async def set_codes(self, user_id: str, hashes: tuple[str, ...]) -> None:
        """These recovery codes and no others."""

    async def take_code(self, user_id: str, code_hash: str) -> bool:
        """Whether there was such a code; there is none then."""

    async def codes_left(self, user_id: str) -> int: ...

    async def remove(self, user_id: str) -> bool: ...


class Identities(Protocol):
    async def find(self, issuer: str, subject: str) -> Identity | None: ...

    async def of(self, user_id: str) -> tuple[Identity, ...]: ...

    async def add(self, identity: Identity) -> None:
        """Raises Conflict where that issuer's person is linked already, or the user to another one of it."""

    async def remove(self, user_id: str, issuer: str) -> bool: ...
