"""People: the owner is made once, at the first start; there is no default password anywhere."""

import re
import time
from collections.abc import Callable

import msgspec

from evenkeel.desk import passwords
from evenkeel.desk.passwords import Passwords
from evenkeel.desk.ports import KeptPassword, RefreshTokens, User, Users
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput, NotFound
from evenkeel.domain.ids import Random

OWNER, TRADER = "owner", "trader"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{2,63}")


class People:
    """Makes and changes users; changing a password ends the sessions of its user."""

    def __init__(
        self,
        users: Users,
        tokens: RefreshTokens,
        hasher: Passwords,
        *,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self.users, self.tokens, self.passwords, self._wall = users, tokens, hasher, wall

    async def owner(self) -> User | None:
        """The owner, None before the first start has made one."""
        found = await self.users.by_role(OWNER)
        return found[0] if found else None

    async def everyone(self) -> tuple[User, ...]:
        """All users, the owner first."""
        return (*await self.users.by_role(OWNER), *await self.users.by_role(TRADER))

    async def ensure_owner(
        self,
        username: str,
        password: str | None = None,
        *,
        user_id: str | None = None,
        first: KeptPassword | None = None,
    ) -> tuple[User, str | None]:
        """The owner and, when this call made them or set the password, that password: to be shown.

        With `password`, an existing owner's password becomes that one; an unusable one, such as an empty one, raises
        InvalidInput. A new owner gets `user_id`, else a random id, and without `password` one that is made here: kept
        in `first` before there is an owner, and returned until it is not there any more, or not theirs.
        """
        known = await self.owner()
        if known is None:
            secret = password
            if secret is None:
                secret = passwords.generated()
                if first is not None:
                    first.keep(secret)
            return await self.create(username, secret, role=OWNER, user_id=user_id), secret
        if password is not None and not await self.passwords.verify(known.password_hash, password):
            return await self.set_password(known.username, password), password
        kept = first.read() if first is not None and password is None else None
        if kept is not None and await self.passwords.verify(known.password_hash, kept):
            return known, kept
        if first is not None:
            first.forget()
        return known, None

    async def create(self, username: str, password: str, *, role: str = TRADER, user_id: str | None = None) -> User:
        """Raises InvalidInput for an unusable name or password, Conflict for a name that is taken."""
        if not _NAME.fullmatch(username):
            message = "3 to 64 letters, digits and _ . @ -, beginning with a letter or digit"
            raise InvalidInput("the user name cannot be used", errors=(FieldError("username", message),))
        if await self.users.by_name(username) is not None:
            raise Conflict(f"there is already a user {username!r}")
        now = self._wall()
        user = User(
            id=user_id or Random().public(now, 0, "user"),
            username=username,
            role=role,
            password_hash=await self.passwords.hash(password),
            created_at=now,
        )
        await self.users.add(user)
        return user

    async def set_password(self, username: str, password: str) -> User:
        """Raises NotFound for an unknown user, InvalidInput for an unusable password."""
        user = await self.users.by_name(username)
        if user is None:
            raise NotFound(f"there is no user {username!r}")
        changed = msgspec.structs.replace(user, password_hash=await self.passwords.hash(password))
        await self.users.replace(changed)
        await self.tokens.revoke_user(user.id, self._wall())
        return changed
