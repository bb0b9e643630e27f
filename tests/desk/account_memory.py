"""Stores of account details and personal data in dictionaries, and kept totals made of the state itself."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from evenkeel.desk.ports import User
from evenkeel.domain.account_details import AccountDetails, AccountGroup
from evenkeel.domain.errors import NotFound
from evenkeel.domain.taxes import TaxSetting
from evenkeel.storage.kept import of_accounts, of_instruments
from evenkeel.storage.repositories.totals import InstrumentTotal, KeptTotal
from evenkeel.trading.engine.state import State
from tests.desk.memory import MemoryUsers


class MemoryDetails:
    """Implements `desk.accounts.DetailsStore`."""

    def __init__(self) -> None:
        self.details: dict[str, AccountDetails] = {}
        self.groups: dict[str, AccountGroup] = {}
        self.currencies: dict[str, str] = {}
        self.taxed: dict[str, tuple[TaxSetting, ...]] = {}

    async def load(self) -> tuple[Iterable[AccountDetails], Iterable[AccountGroup], dict[str, str]]:
        return tuple(self.details.values()), tuple(self.groups.values()), self.currencies

    async def describe(self, details: AccountDetails, *, at: int) -> None:
        self.details[details.account_id] = details

    async def taxes(self) -> Iterable[TaxSetting]:
        return tuple(one for settings in self.taxed.values() for one in settings)

    async def save_taxes(self, account_id: str, settings: Collection[TaxSetting], *, at: int) -> None:
        self.taxed[account_id] = tuple(settings)

    async def save_group(self, group: AccountGroup, *, name_key: str, at: int) -> None:
        self.groups[group.id] = group

    async def remove_groups(self, group_ids: Collection[str]) -> None:
        for group_id in group_ids:
            self.groups.pop(group_id, None)

    async def set_currency(self, user_id: str, currency: str, *, at: int) -> None:
        self.currencies[user_id] = currency

    async def erase(self, account_ids: Collection[str]) -> None:
        for account_id in account_ids:
            self.details.pop(account_id, None)
            self.taxed.pop(account_id, None)


class MemoryPersonalData:
    """Implements `desk.purging.PersonalData` over the users of a test."""

    def __init__(self, users: MemoryUsers) -> None:
        self.users = users

    async def erase_user(self, user_id: str, stand_in: str) -> int:
        user = await self.users.by_id(user_id)
        if user is None:
            raise NotFound(f"there is no user {user_id!r}")
        await self.users.replace(User(user.id, stand_in, user.role, "", is_active=False))
        return 0


class StateTotals:
    """Implements the server's `Totals`: what the projections hold once they have caught up with the state."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state

    async def platform(self) -> tuple[list[KeptTotal], list[InstrumentTotal]]:
        state = self._state()
        kept: Any = of_accounts(state).items()
        each: Any = of_instruments(state).items()
        return (
            [KeptTotal(scope, name, currency, **row) for (scope, name, currency), row in kept if scope == "platform"],
            [
                InstrumentTotal(
                    name,
                    state.instruments[name].currency,
                    **{figure: row[figure] for figure in InstrumentTotal.__struct_fields__[2:]},
                )
                for (name,), row in each
            ],
        )
