"""The purge: what is personal is erased, once and for good; ledger, journal and audit log stay, under ids.

Of an account: its name (the journal keeps the old one, and shows the new), number, labels, notes, groups, tax settings
and way out to the network. Of a person: their user name, address, full name, password, keys, sessions and all that
hangs on them.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from evenkeel.desk.accounts import AccountDirectory
from evenkeel.desk.ports import User
from evenkeel.domain.commands import AnyCommand, RenameAccount
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput, NotFound
from evenkeel.domain.provenance import Provenance
from evenkeel.trading.engine.state import AccountState

Submit = Callable[[AnyCommand], Awaitable[object]]
_SHOWN = 8


class PersonalData(Protocol):
    """Where what is personal lies."""

    async def erase_user(self, user_id: str, stand_in: str) -> int: ...


class Someone(Protocol):
    async def by_id(self, user_id: str) -> User | None: ...


class Purging:
    """Erases accounts and people that are out of use. What it does cannot be taken back."""

    def __init__(self, stored: PersonalData, directory: AccountDirectory, people: Someone) -> None:
        self._stored, self._directory, self._people = stored, directory, people

    def check_account(self, held: AccountState) -> str:
        """What an account would be called. Raises Conflict where it is in use or holds something."""
        _check(held)
        return stand_in(held.account.id)

    async def check_user(self, user_id: str, accounts: Iterable[AccountState]) -> User:
        """The person of that id. Raises NotFound, and Conflict where they or one of their accounts are in use or hold
        something."""
        user = await self._people.by_id(user_id)
        if user is None:
            raise NotFound(f"there is no user {user_id!r}")
        if user.is_active:
            hint = f"Deactivate them first: evenkeel user deactivate {user.username}"
            raise Conflict(f"{user.username} is active", hint=hint)
        for held in accounts:
            _check(held)
        return user

    async def account(self, held: AccountState, *, confirm: str, submit: Submit, provenance: Provenance) -> str:
        """Erases an account's name and all that was said of it, and returns what it is called now.

        Raises Conflict where it is in use or holds something, InvalidInput where `confirm` is not its name.
        """
        account, name = held.account, self.check_account(held)
        _confirmed(confirm, account.name)
        await submit(RenameAccount(account_id=account.id, name=name, erase=True, provenance=provenance))
        await self._directory.erase((account.id,))
        return name

    async def user(
        self,
        user_id: str,
        accounts: Iterable[AccountState],
        *,
        confirm: str,
        submit: Submit,
        provenance: Callable[[int], Provenance],
    ) -> str:
        """Erases a person who has been deactivated, with their accounts, and returns what they are called now.

        Raises NotFound, Conflict where they or one of their accounts are in use or hold something, InvalidInput where
        `confirm` is not their name; nothing is erased then.
        """
        mine = list(accounts)
        user = await self.check_user(user_id, mine)
        _confirmed(confirm, user.username)
        for held in mine:
            name = held.account.name
            await self.account(held, confirm=name, submit=submit, provenance=provenance(time.time_ns()))
        await self._directory.erase_user(user.id)
        await self._stored.erase_user(user.id, stand_in(user.id))
        return stand_in(user.id)


def stand_in(name: str) -> str:
    """What somebody, or something, is called whose name was erased: the end of an id, which is drawn at random."""
    return f"erased-{name.replace('-', '')[-_SHOWN:]}"


def _check(held: AccountState) -> None:
    """Raises Conflict where an account is in use or holds something."""
    name = held.account.name
    if not held.retired:
        raise Conflict(f"{name} is in use", hint="Take it out of use first: evenkeel account deactivate")
    if any(position.quantity for position in held.positions.values()):
        raise Conflict(f"{name} still holds positions", hint="Close them first.")


def _confirmed(confirm: str, name: str) -> None:
    if confirm != name:
        raise InvalidInput("the name does not fit", errors=(FieldError("confirm", f"type {name!r} to go on"),))
