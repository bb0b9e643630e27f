"""People: made, changed of role, deactivated and never deleted. The first is made at the first start; there is no
default password anywhere.

Whoever may change somebody stands above them: an admin changes traders and viewers, a super-admin everybody, and the
last active super-admin stays one. A change of role, of networks or of the password ends the person's sessions.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from evenkeel.desk import admission, passwords
from evenkeel.desk.passwords import Passwords
from evenkeel.desk.permissions import Role
from evenkeel.desk.ports import Actor, Audit, KeptPassword, PasswordWatcher, RefreshTokens, User, Users
from evenkeel.domain.errors import Conflict, FieldError, Forbidden, InvalidInput, NotFound
from evenkeel.domain.ids import Random

OWNER, TRADER = Role.SUPER_ADMIN.value, Role.TRADER.value
HOME = Actor("home", OWNER, "local", "the home's files")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{2,63}")
_EMAIL = re.compile(r"[^\s@<>\"(),:;\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_FULL_NAME = 100


class Change(Struct, frozen=True):
    """What is changed of a person; what is unset stays."""

    role: str | UnsetType = UNSET
    email: str | UnsetType | None = UNSET
    full_name: str | UnsetType | None = UNSET
    networks: tuple[str, ...] | UnsetType = UNSET


class People:
    """Makes and changes people. `on_ended` is told whose sessions have ended, `on_changed` what a person is now,
    `watchers` of passwords."""

    def __init__(
        self,
        users: Users,
        tokens: RefreshTokens,
        hasher: Passwords,
        *,
        wall: Callable[[], int] = time.time_ns,
        audit: Audit | None = None,
    ) -> None:
        self.users, self.tokens, self.passwords, self._wall = users, tokens, hasher, wall
        self.audit: Audit = audit or admission.Unheard()
        self.on_ended: list[Callable[[str], None]] = []
        self.on_changed: list[Callable[[User], None]] = []
        self.watchers: list[PasswordWatcher] = []
        self._turn = asyncio.Lock()

    async def owner(self) -> User | None:
        """The first active super-admin, None before the first start has made one."""
        found = await self.users.by_role(OWNER)
        return next((user for user in found if user.is_active), None)

    async def founder(self) -> User | None:
        """The first person there was, whose id the home's journal is kept under."""
        found = await self.users.everyone()
        return found[0] if found else None

    async def everyone(self) -> tuple[User, ...]:
        """All people, oldest first."""
        return await self.users.everyone()

    async def one(self, user_id: str) -> User:
        """Raises NotFound."""
        user = await self.users.by_id(user_id)
        if user is None:
            raise NotFound(f"there is no user {user_id!r}")
        return user

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

    async def create(
        self,
        username: str,
        password: str | None,
        *,
        role: str = TRADER,
        user_id: str | None = None,
        email: str | None = None,
        full_name: str | None = None,
        by: Actor = HOME,
    ) -> User:
        """A new person; without a password, one who has to set it by a link. Raises InvalidInput for an unusable name
        or password, Conflict for a name or address that is taken, Forbidden for a role above one's own."""
        self.check_rank(by, role)
        checked = await self.check_new(username, Change(role=role, email=email, full_name=full_name))
        words = tuple(filter(None, (username, email, full_name)))
        now = self._wall()
        user = User(
            id=user_id or Random().public(now, 0, "user"),
            username=username,
            password_hash="" if password is None else await self.passwords.hash(password, about=words),
            created_at=now,
            **checked,
        )
        await self.audit.note(
            by.id, "user.create", subject=user.id, after=_shown(user), address=by.address, agent=by.agent
        )
        await self.users.add(user)
        return user

    async def check_new(self, username: str, terms: Change) -> dict[str, Any]:
        """What a new person would be. Raises InvalidInput, Conflict."""
        checked = checked_terms(terms)
        if not _NAME.fullmatch(username):
            message = "3 to 64 letters, digits and _ . @ -, beginning with a letter or digit"
            raise InvalidInput("the user name cannot be used", errors=(FieldError("username", message),))
        if await self.users.by_name(username) is not None:
            raise Conflict(f"there is already a user {username!r}")
        if checked.get("email") and await self.users.by_email(checked["email"]) is not None:
            raise Conflict(f"there is already a user with the address {checked['email']!r}")
        return checked

    async def change(self, user_id: str, change: Change, *, by: Actor = HOME) -> User:
        """Changes a person. Raises NotFound, InvalidInput, Forbidden above one's rank, and Conflict for an address
        that is taken and for the last active super-admin."""
        async with self._turn:
            user = await self.one(user_id)
            self.check_rank(by, user.role)
            if isinstance(change.role, str):
                self.check_rank(by, change.role)
            changed = msgspec.structs.replace(user, **checked_terms(change))
            return await self._replace(user, changed, action="user.change", by=by)

    async def deactivate(self, user_id: str, *, by: Actor = HOME) -> User:
        """Ends a person's sessions and refuses their sign-ins, from now on. Raises as `change` does."""
        async with self._turn:
            user = await self.one(user_id)
            self.check_rank(by, user.role)
            return await self._replace(
                user, msgspec.structs.replace(user, is_active=False), action="user.deactivate", by=by
            )

    async def reactivate(self, user_id: str, *, by: Actor = HOME) -> User:
        """Lets a person sign in again. Raises NotFound, Forbidden."""
        async with self._turn:
            user = await self.one(user_id)
            self.check_rank(by, user.role)
            return await self._replace(
                user, msgspec.structs.replace(user, is_active=True), action="user.reactivate", by=by
            )

    async def set_password(self, username: str, password: str, *, by: Actor = HOME) -> User:
        """Raises NotFound for an unknown user, InvalidInput for an unusable password."""
        user = await self.users.by_name(username)
        if user is None:
            raise NotFound(f"there is no user {username!r}")
        return await self.put_password(user, password, by=by)

    async def put_password(
        self, user: User, password: str, *, old: str | None = None, but: str | None = None, by: Actor = HOME
    ) -> User:
        """A person's new password; their sessions end, all `but` one. `old` is the one before, where it was given.
        Raises InvalidInput."""
        made = await self.passwords.hash(password, about=about(user))
        changed = msgspec.structs.replace(user, password_hash=made)
        await self.audit.note(by.id, "user.password", subject=user.id, address=by.address, agent=by.agent)
        async with self._turn:  # a change under way writes the whole person
            await self.users.put_hash(user.id, made)
        await self.end_sessions(user.id, but=but)
        for watcher in self.watchers:
            await watcher.changed(changed, old=old, new=password)
        return changed

    async def end_sessions(self, user_id: str, *, but: str | None = None) -> None:
        """Ends a person's sessions, all `but` one, at once in this process."""
        await self.tokens.revoke_user(user_id, self._wall(), but=but)
        for told in self.on_ended:
            told(user_id)

    def check_rank(self, by: Actor, role: str) -> None:
        """Raises Forbidden where somebody of this role is not below whoever asks."""
        if by.role == Role.SUPER_ADMIN or (by.role == Role.ADMIN and role in (Role.TRADER, Role.VIEWER)):
            return
        raise Forbidden(f"a {by.role} may not make or change a {role}", hint="Ask a super-admin.")

    async def _replace(self, user: User, changed: User, *, action: str, by: Actor) -> User:
        if changed == user:
            return user
        loses = user.role == OWNER and user.is_active and (changed.role != OWNER or not changed.is_active)
        shown = _difference(_shown(user), _shown(changed))
        await self.audit.note(
            by.id, action, subject=user.id, before=shown[0], after=shown[1], address=by.address, agent=by.agent
        )
        await self.users.replace(changed, keeping=OWNER if loses else None)
        for tell in self.on_changed:
            tell(changed)
        if not changed.is_active or (changed.role, changed.networks) != (user.role, user.networks):
            await self.end_sessions(user.id)
        for told in self.on_ended:
            told(user.id)
        return changed


def about(user: User) -> tuple[str, ...]:
    """The words of a person that a password may not be made of."""
    return tuple(filter(None, (user.username, user.email, user.full_name)))


def checked_terms(change: Change) -> dict[str, Any]:
    """The fields of a person that are set. Raises InvalidInput with every fault."""
    given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET}
    faults = []
    if "role" in given and given["role"] not in tuple(Role):
        faults.append(FieldError("role", f"one of {', '.join(Role)}"))
    if given.get("email") is not None and not _EMAIL.fullmatch(given["email"]):
        faults.append(FieldError("email", "an address such as ann@example.com"))
    name = given.get("full_name")
    if name is not None and not (name.strip() == name and 1 <= len(name) <= _FULL_NAME and name.isprintable()):
        faults.append(FieldError("full_name", f"1 to {_FULL_NAME} printable characters, no space at either end"))
    if faults:
        raise InvalidInput("this cannot be a person", errors=tuple(faults))
    if "networks" in given:
        given["networks"] = admission.parsed(given["networks"])
    return given


def _shown(user: User) -> dict[str, Any]:
    names = ("username", "role", "email", "full_name", "networks", "is_active")
    return {name: getattr(user, name) for name in names}


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    names = [name for name in before if before[name] != after[name]]
    return {name: before[name] for name in names}, {name: after[name] for name in names}
