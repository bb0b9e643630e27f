"""Users and refresh tokens in dictionaries, for tests of whatever signs people in."""

import msgspec

from evenkeel.desk.ports import RefreshToken, User
from evenkeel.domain.errors import Conflict


class MemoryUsers:
    def __init__(self) -> None:
        self.rows: dict[str, User] = {}

    async def by_id(self, user_id: str) -> User | None:
        return self.rows.get(user_id)

    async def by_name(self, username: str) -> User | None:
        found = (one for one in self.rows.values() if one.username.casefold() == username.casefold())
        return next(found, None)

    async def by_role(self, role: str) -> tuple[User, ...]:
        return tuple(one for one in self.rows.values() if one.role == role)

    async def add(self, user: User) -> None:
        if await self.by_name(user.username) is not None:
            raise Conflict("taken")
        self.rows[user.id] = user

    async def replace(self, user: User) -> None:
        self.rows[user.id] = user


class MemoryTokens:
    def __init__(self) -> None:
        self.rows: dict[str, RefreshToken] = {}

    async def by_hash(self, token_hash: str) -> RefreshToken | None:
        return self.rows.get(token_hash)

    async def add(self, token: RefreshToken) -> None:
        self.rows[token.token_hash] = token

    async def replace(self, token_hash: str, successor: RefreshToken, at: int) -> bool:
        held = self.rows[token_hash]
        if held.used_at is not None:
            return False
        self.rows[token_hash] = msgspec.structs.replace(held, used_at=at, replaced_by=successor.token_hash)
        self.rows[successor.token_hash] = successor
        return True

    async def family_is_live(self, family_id: str) -> bool:
        family = [one for one in self.rows.values() if one.family_id == family_id]
        return bool(family) and all(one.revoked_at is None for one in family)

    async def revoke_family(self, family_id: str, at: int) -> None:
        self._revoke([one for one in self.rows.values() if one.family_id == family_id], at)

    async def revoke_user(self, user_id: str, at: int) -> None:
        self._revoke([one for one in self.rows.values() if one.user_id == user_id], at)

    def _revoke(self, tokens: list[RefreshToken], at: int) -> None:
        for one in tokens:
            self.rows[one.token_hash] = msgspec.structs.replace(one, revoked_at=at)
