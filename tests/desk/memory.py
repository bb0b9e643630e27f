"""What people sign in with, in dictionaries, for tests of whatever signs people in."""

from collections.abc import Sequence

import msgspec

from evenkeel.desk.household import Stores
from evenkeel.desk.ports import Identity, Link, LinkKind, RefreshToken, SecondFactor, Session, User
from evenkeel.domain.errors import Conflict
from tests.desk.paging import page


class MemoryUsers:
    def __init__(self) -> None:
        self.rows: dict[str, User] = {}

    async def by_id(self, user_id: str) -> User | None:
        return self.rows.get(user_id)

    async def by_name(self, username: str) -> User | None:
        found = (one for one in self.rows.values() if one.username.casefold() == username.casefold())
        return next(found, None)

    async def by_email(self, email: str) -> User | None:
        found = (one for one in self.rows.values() if (one.email or "").casefold() == email.casefold())
        return next(found, None)

    async def by_role(self, role: str) -> tuple[User, ...]:
        return tuple(one for one in self.rows.values() if one.role == role)

    async def everyone(self) -> tuple[User, ...]:
        return tuple(self.rows.values())

    async def add(self, user: User) -> None:
        if await self.by_name(user.username) is not None:
            raise Conflict("taken")
        self.rows[user.id] = user

    async def replace(self, user: User, *, keeping: str | None = None) -> None:
        others = [one for one in self.rows.values() if one.role == keeping and one.is_active and one.id != user.id]
        if keeping is not None and not others:
            raise Conflict(f"this is the last active {keeping}")
        self.rows[user.id] = user

    async def put_hash(self, user_id: str, password_hash: str) -> None:
        self.rows[user_id] = msgspec.structs.replace(self.rows[user_id], password_hash=password_hash)


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
        family = self._family(family_id)
        return bool(family) and all(one.revoked_at is None for one in family)

    async def sessions_of(
        self, user_id: str, at: int, *, only: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> tuple[Sequence[Session], str | None]:
        return page(self._sessions(user_id, at, only=only), limit, cursor)

    async def revoke_beyond(self, user_id: str, at: int, *, keep: int, first: str) -> list[str]:
        ordered = sorted(self._sessions(user_id, at), key=lambda one: one.id != first)
        ended = [one.id for one in ordered[keep:]]
        for family_id in ended:
            await self.revoke_family(family_id, at)
        return ended

    def _sessions(self, user_id: str, at: int, *, only: str | None = None) -> list[Session]:
        families: dict[str, list[RefreshToken]] = {}
        for one in self.rows.values():
            if one.user_id == user_id and one.revoked_at is None and only in (None, one.family_id):
                families.setdefault(one.family_id, []).append(one)
        found = []
        for family in families.values():
            first, last = family[0], family[-1]
            until = min(last.expires_at, last.family_expires_at)
            if at < until:
                found.append(
                    Session(
                        last.family_id, user_id, first.created_at, last.created_at, until, last.user_agent, last.address
                    )
                )
        return sorted(found, key=lambda one: (one.seen, one.id), reverse=True)

    async def revoke_family(self, family_id: str, at: int) -> None:
        self._revoke(self._family(family_id), at)

    async def revoke_user(self, user_id: str, at: int, *, but: str | None = None) -> None:
        self._revoke([one for one in self.rows.values() if one.user_id == user_id and one.family_id != but], at)

    def _family(self, family_id: str) -> list[RefreshToken]:
        return [one for one in self.rows.values() if one.family_id == family_id]

    def _revoke(self, tokens: list[RefreshToken], at: int) -> None:
        for one in tokens:
            self.rows[one.token_hash] = msgspec.structs.replace(one, revoked_at=at)


class MemoryLinks:
    def __init__(self) -> None:
        self.rows: dict[str, Link] = {}

    async def add(self, link: Link) -> None:
        self.rows[link.id] = link

    async def by_hash(self, token_hash: str) -> Link | None:
        return next((one for one in self.rows.values() if one.token_hash == token_hash), None)

    async def open(self, kind: LinkKind, at: int) -> tuple[Link, ...]:
        return tuple(one for one in reversed(self.rows.values()) if one.kind == kind and _usable(one, at))

    async def spend(self, link_id: str, at: int) -> bool:
        return self._mark(link_id, at, used_at=at)

    async def revoke(self, link_id: str, at: int) -> bool:
        return self._mark(link_id, at, revoked_at=at)

    async def revoke_resets(self, user_id: str, at: int) -> None:
        for one in [one for one in self.rows.values() if one.user_id == user_id]:
            self._mark(one.id, at, revoked_at=at)

    def _mark(self, link_id: str, at: int, **change: int) -> bool:
        held = self.rows.get(link_id)
        if held is None or not _usable(held, at):
            return False
        self.rows[link_id] = msgspec.structs.replace(held, **change)
        return True


def _usable(link: Link, at: int) -> bool:
    return link.used_at is None and link.revoked_at is None and at < link.expires_at


class MemoryFactors:
    def __init__(self) -> None:
        self.rows: dict[str, SecondFactor] = {}
        self.codes: dict[str, set[str]] = {}

    async def of(self, user_id: str) -> SecondFactor | None:
        return self.rows.get(user_id)

    async def put(self, factor: SecondFactor) -> None:
        held = self.rows.get(factor.user_id)
        if held is not None and held.confirmed_at is not None:
            raise Conflict("two factors are on")
        self.rows[factor.user_id] = factor
        self.codes.pop(factor.user_id, None)

    async def confirm(self, user_id: str, *, at: int, step: int) -> bool:
        held = self.rows[user_id]
        if held.confirmed_at is not None:
            return False
        self.rows[user_id] = msgspec.structs.replace(held, confirmed_at=at, last_step=step)
        return True

    async def take_step(self, user_id: str, step: int) -> bool:
        held = self.rows[user_id]
        if step <= held.last_step:
            return False
        self.rows[user_id] = msgspec.structs.replace(held, last_step=step)
        return True

    async def reseal(self, user_id: str, sealed: str) -> None:
        self.rows[user_id] = msgspec.structs.replace(self.rows[user_id], sealed=sealed)

    async def set_codes(self, user_id: str, hashes: tuple[str, ...]) -> None:
        self.codes[user_id] = set(hashes)

    async def take_code(self, user_id: str, code_hash: str) -> bool:
        held = self.codes.get(user_id, set())
        found = code_hash in held
        held.discard(code_hash)
        return found

    async def codes_left(self, user_id: str) -> int:
        return len(self.codes.get(user_id, ()))

    async def remove(self, user_id: str) -> bool:
        self.codes.pop(user_id, None)
        return self.rows.pop(user_id, None) is not None


class MemoryIdentities:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Identity] = {}

    async def find(self, issuer: str, subject: str) -> Identity | None:
        return self.rows.get((issuer, subject))

    async def of(self, user_id: str) -> tuple[Identity, ...]:
        return tuple(one for one in self.rows.values() if one.user_id == user_id)

    async def add(self, identity: Identity) -> None:
        same = any(one.issuer == identity.issuer for one in await self.of(identity.user_id))
        if same or (identity.issuer, identity.subject) in self.rows:
            raise Conflict("linked")
        self.rows[identity.issuer, identity.subject] = identity

    async def remove(self, user_id: str, issuer: str) -> bool:
        held = [key for key, one in self.rows.items() if one.user_id == user_id and one.issuer == issuer]
        for key in held:
            del self.rows[key]
        return bool(held)


def memory_stores(users: MemoryUsers) -> Stores:
    """All of them, empty but for the users."""
    return Stores(users, MemoryTokens(), MemoryLinks(), MemoryFactors(), MemoryIdentities())
