"""What the desk needs of a store: users and their refresh tokens. Times are wall-clock ns."""

from typing import Protocol

from msgspec import Struct


class User(Struct, frozen=True):
    """A person who may sign in. `role` is owner or trader."""

    id: str
    username: str
    role: str
    password_hash: str
    is_active: bool = True
    created_at: int = 0


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


class KeptPassword(Protocol):
    """Where the password made for the first owner is kept until its first use."""

    def keep(self, password: str) -> None: ...

    def read(self) -> str | None: ...

    def forget(self) -> None: ...


class Users(Protocol):
    async def by_id(self, user_id: str) -> User | None: ...

    async def by_name(self, username: str) -> User | None:
        """The user of that name, in any case."""

    async def by_role(self, role: str) -> tuple[User, ...]: ...

    async def add(self, user: User) -> None:
        """Raises Conflict when the name is taken."""

    async def replace(self, user: User) -> None: ...


class RefreshTokens(Protocol):
    async def by_hash(self, token_hash: str) -> RefreshToken | None: ...

    async def add(self, token: RefreshToken) -> None: ...

    async def replace(self, token_hash: str, successor: RefreshToken, at: int) -> bool:
        """Marks a token used and adds its successor, in one transaction; False, and nothing done, if it was used."""

    async def family_is_live(self, family_id: str) -> bool:
        """Whether the family exists and has not been revoked."""

    async def revoke_family(self, family_id: str, at: int) -> None: ...

    async def revoke_user(self, user_id: str, at: int) -> None: ...
