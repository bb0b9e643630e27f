"""Shares: an account lent to another person, to read, to reduce, or to trade. Its owner keeps it and may end it.

All live shares are in memory, as every request asks for those of its person.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct

from evenkeel.desk.permissions import SHARABLE, Permission, granted, up_to
from evenkeel.desk.ports import User, Users
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput, NotFound
from evenkeel.domain.ids import Random

_NONE: Mapping[str, Permission] = MappingProxyType({})


class Share(Struct, frozen=True):
    """`owner_id` lends `account_id` to `user_id`, who may do there what `permission` and those below it allow."""

    id: str
    account_id: str
    owner_id: str
    user_id: str
    permission: Permission
    created_at: int


def in_force(permission: Permission, role: str) -> Permission | None:
    """What of a share a person of that role may use: the highest rung that both allow; None where they may nothing."""
    both = up_to(permission) & granted(role)
    return next((one for one in reversed(SHARABLE) if one in both), None)


class StoredShares(Protocol):
    """Where shares are kept."""

    async def all(self) -> tuple[Share, ...]:
        """Those that were not ended, oldest first."""

    async def put(self, share: Share) -> None:
        """In place of the one of the same account and person, where there is one."""

    async def end(self, share_id: str, at: int) -> None: ...


class Shares:
    """The shares of a home. Call `load` before anything is asked of it; `on_change` is told whose view has changed."""

    def __init__(self, stored: StoredShares, users: Users, *, wall: Callable[[], int] = time.time_ns) -> None:
        self.stored, self.users, self._wall = stored, users, wall
        self.on_change: Callable[[str], None] = lambda user_id: None
        self._turn = asyncio.Lock()
        self._by_id: dict[str, Share] = {}
        self._received: dict[str, dict[str, Permission]] = {}
        self._away: set[str] = set()

    async def load(self) -> None:
        self._by_id = {one.id: one for one in await self.stored.all()}
        owners = [await self.users.by_id(one) for one in {share.owner_id for share in self._by_id.values()}]
        self._away = {one.id for one in owners if one is not None and not one.is_active}
        self._gather()

    def person_changed(self, user: User) -> None:
        """What a deactivated owner has lent is of no use, from this moment until they are reactivated."""
        if user.is_active == (user.id not in self._away):
            return
        self._away ^= {user.id}
        self._gather()
        for one in self._by_id.values():
            if one.owner_id == user.id:
                self.on_change(one.user_id)

    def received(self, user_id: str) -> Mapping[str, Permission]:
        """What a person may do in accounts that are not theirs, by account."""
        return self._received.get(user_id, _NONE)

    def of(self, user_id: str) -> list[Share]:
        """What a person has lent and has been lent, oldest first."""
        return [one for one in self._by_id.values() if user_id in (one.owner_id, one.user_id)]

    async def lend(self, account_id: str, owner_id: str, *, to: str, permission: Permission) -> Share:
        """Shares an account with the person of that user name, or changes what they may do in it.

        Raises InvalidInput for a person or permission that cannot be, or that their role does not allow, Conflict for
        oneself.
        """
        user = await self.users.by_name(to) if "\0" not in to else None
        faults = []
        if user is None or not user.is_active:
            faults.append(FieldError("username", f"there is no user {to[:64]!r}"))
        if permission not in SHARABLE:
            faults.append(FieldError("permission", f"one of {', '.join(SHARABLE)}"))
        elif user is not None and in_force(permission, user.role) != permission:
            faults.append(FieldError("permission", _beyond(user, permission)))
        if user is None or faults:
            raise InvalidInput("the account cannot be shared", errors=tuple(faults))
        if user.id == owner_id:
            raise Conflict("the account is yours already")
        async with self._turn:  # or two at once would make two, of which one outlives the other's end
            known = next((x for x in self._by_id.values() if (x.account_id, x.user_id) == (account_id, user.id)), None)
            now = self._wall()
            share_id = known.id if known is not None else Random().public(now, 0, "share")
            share = Share(share_id, account_id, owner_id, user.id, permission, now)
            await self.stored.put(share)
            self._by_id[share.id] = share
            self._changed(share)
        return share

    async def end(self, user_id: str, share_id: str) -> Share:
        """Ends a share, on either side's word. Raises NotFound."""
        async with self._turn:
            share = self._by_id.get(share_id)
            if share is None or user_id not in (share.owner_id, share.user_id):
                raise NotFound(f"there is no share {share_id!r}")
            await self.stored.end(share.id, self._wall())
            self._by_id.pop(share.id, None)
            self._changed(share)
        return share

    def _changed(self, share: Share) -> None:
        self._gather()
        self.on_change(share.user_id)

    def _gather(self) -> None:
        self._received = {}
        for one in self._by_id.values():
            if one.owner_id in self._away:
                continue
            self._received.setdefault(one.user_id, {})[one.account_id] = one.permission


def _beyond(user: User, permission: Permission) -> str:
    most = in_force(permission, user.role)
    instead = f"lend it to {most}, or have" if most is not None else "have"
    return (
        f"{user.username} is a {user.role}, and may not {permission} anywhere: {instead} an administrator change that "
        f"with `evenkeel user role {user.username} trader`"
    )
