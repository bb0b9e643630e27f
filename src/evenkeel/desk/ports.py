"""What the desk needs of a store: users and their sessions. Times are wall-clock ns."""

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


class Session(Struct, frozen=True):
    """One sign-in of one browser. Only hashes of its refresh secrets are kept: the one in force and the one before."""

    id: str
    user_id: str
    secret_hash: str
    previous_hash: str | None
    created_at: int
    rotated_at: int
    expires_at: int
    revoked_at: int | None = None
    address: str = ""
    agent: str = ""


class Users(Protocol):
    async def by_id(self, user_id: str) -> User | None: ...

    async def by_name(self, username: str) -> User | None:
        """The user of that name, in any case."""

    async def by_role(self, role: str) -> tuple[User, ...]: ...

    async def add(self, user: User) -> None:
        """Raises Conflict when the name is taken."""

    async def replace(self, user: User) -> None: ...


class Sessions(Protocol):
    async def by_id(self, session_id: str) -> Session | None: ...

    async def add(self, session: Session) -> None: ...

    async def rotate(self, session: Session, *, expected_hash: str) -> bool:
        """Writes the rotated session if its stored secret hash is still `expected_hash`; else changes nothing."""

    async def revoke(self, session_id: str, at: int) -> None: ...

    async def revoke_user(self, user_id: str, at: int) -> None: ...
