"""What people say of their accounts, kept at hand: labels, groups, numbers, notes, ways out to the network, how gains
are taxed, and the currency in which a person reads totals. Changes are stored first; trading knows nothing of them.
"""

import time
import unicodedata
from collections.abc import Callable, Collection, Iterable
from datetime import date
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, SOCK_STREAM, socket
from typing import Protocol

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from evenkeel.domain.account_details import MOST_GROUPS, MOST_LABELS, AccountDetails, AccountGroup
from evenkeel.domain.errors import FieldError, InvalidInput, NotFound
from evenkeel.domain.ids import Random
from evenkeel.domain.money import CURRENCIES
from evenkeel.domain.taxes import BEGINNING, MOST_SETTINGS, TaxSetting, TaxTerms, term_faults
from evenkeel.trading.engine.state import AccountState


class DetailsStore(Protocol):
    """Where details, groups, tax settings and base currencies are kept."""

    async def load(self) -> tuple[Iterable[AccountDetails], Iterable[AccountGroup], dict[str, str]]: ...

    async def describe(self, details: AccountDetails, *, at: int) -> None: ...

    async def taxes(self) -> Iterable[TaxSetting]: ...

    async def save_taxes(self, account_id: str, settings: Collection[TaxSetting], *, at: int) -> None: ...

    async def save_group(self, group: AccountGroup, *, name_key: str, at: int) -> None: ...

    async def remove_groups(self, group_ids: Collection[str]) -> None: ...

    async def set_currency(self, user_id: str, currency: str, *, at: int) -> None: ...

    async def erase(self, account_ids: Collection[str]) -> None: ...


class AccountDirectory:
    """Every account's details and every user's groups, in memory; call `load` once before anything is read."""

    def __init__(self, store: DetailsStore, *, wall: Callable[[], int] = time.time_ns) -> None:
        self._store, self._wall = store, wall
        self._details: dict[str, AccountDetails] = {}
        self._groups: dict[str, AccountGroup] = {}
        self._currencies: dict[str, str] = {}
        self._taxes: dict[str, tuple[TaxSetting, ...]] = {}

    async def load(self) -> None:
        details, groups, currencies = await self._store.load()
        self._details = {one.account_id: one for one in details}
        self._groups = {one.id: one for one in groups}
        self._currencies = dict(currencies)
        self._taxes = {}
        for one in await self._store.taxes():
            self._taxes[one.account_id] = (*self.taxes(one.account_id), one)

    def details(self, account_id: str, user_id: str) -> AccountDetails:
        """What is said of an account; nothing where nobody has said anything."""
        return self._details.get(account_id) or AccountDetails(account_id, user_id)

    def labels(self, account_id: str) -> tuple[str, ...]:
        known = self._details.get(account_id)
        return known.labels if known is not None else ()

    def egress_of(self, account_id: str) -> str | None:
        """The address of this machine from which the account's broker is spoken to; None: any."""
        known = self._details.get(account_id)
        return (known.egress or None) if known is not None else None

    async def describe(
        self,
        account_id: str,
        user_id: str,
        *,
        number: str | UnsetType = UNSET,
        labels: Iterable[str] | UnsetType = UNSET,
        notes: str | UnsetType = UNSET,
        egress: str | UnsetType = UNSET,
    ) -> AccountDetails:
        """Changes what is given and keeps the rest. Raises InvalidInput."""
        known, faults = self.details(account_id, user_id), list[FieldError]()
        wanted = known.labels if isinstance(labels, UnsetType) else tuple(dict.fromkeys(labels))
        if len(wanted) > MOST_LABELS:
            faults.append(FieldError("labels", f"at most {MOST_LABELS} labels"))
        address = known.egress if isinstance(egress, UnsetType) else egress
        if address != known.egress and (fault := egress_fault(address)):
            faults.append(FieldError("egress", fault))
        if faults:
            raise InvalidInput("the account's details are not valid", errors=tuple(faults))
        changed = replace(
            known,
            number=known.number if isinstance(number, UnsetType) else number,
            labels=wanted,
            notes=known.notes if isinstance(notes, UnsetType) else notes,
            egress=address,
        )
        if changed != known:
            await self._store.describe(changed, at=self._wall())
            self._details[account_id] = changed
        return changed

    def taxes(self, account_id: str) -> tuple[TaxSetting, ...]:
        """How gains are taxed in an account, from the earliest setting to the latest; none where nothing is said."""
        return self._taxes.get(account_id, ())

    async def set_taxes(
        self, account_id: str, user_id: str, terms: TaxTerms, *, since: date | None, today: date
    ) -> tuple[TaxSetting, ...]:
        """Sets the terms from a day on, in the place of all that were set from there on. Raises InvalidInput.

        Without a day, an account's first terms hold from its beginning, and later ones from today.
        """
        known, faults = self.taxes(account_id), term_faults(terms)
        first = since or (today if known else BEGINNING)
        if first > today:
            faults.append(FieldError("since", f"not after today, {today}"))
        before = tuple(one for one in known if one.since < first)
        if len(before) >= MOST_SETTINGS:
            faults.append(FieldError("since", f"at most {MOST_SETTINGS} settings; set one from an earlier day on"))
        if faults:
            raise InvalidInput("the tax setting is not valid", errors=tuple(faults))
        return await self._keep_taxes(account_id, (*before, TaxSetting(account_id, user_id, first, terms)))

    async def forget_taxes(self, account_id: str) -> None:
        """Takes all terms of an account away."""
        await self._keep_taxes(account_id, ())

    async def _keep_taxes(self, account_id: str, settings: tuple[TaxSetting, ...]) -> tuple[TaxSetting, ...]:
        if settings != self.taxes(account_id):
            await self._store.save_taxes(account_id, settings, at=self._wall())
            self._taxes[account_id] = settings
        return settings

    def groups(self, user_id: str) -> list[AccountGroup]:
        """A user's groups by name."""
        return sorted((one for one in self._groups.values() if one.user_id == user_id), key=lambda one: _key(one.name))

    def groups_of(self, account_id: str) -> list[AccountGroup]:
        """The groups that an account is in."""
        found = (one for one in self._groups.values() if account_id in one.account_ids)
        return sorted(found, key=lambda one: _key(one.name))

    def group(self, user_id: str, wanted: str) -> AccountGroup:
        """A user's group by its id or name. Raises NotFound."""
        mine = self.groups(user_id)
        found = next((one for one in mine if wanted == one.id or _key(wanted) == _key(one.name)), None)
        if found is None:
            hint = f"There are: {', '.join(one.name for one in mine)}." if mine else "There is none yet."
            raise NotFound(f"there is no group of accounts {wanted!r}", hint=hint)
        return found

    async def add_group(self, user_id: str, name: str, *, account_ids: Iterable[str] = ()) -> AccountGroup:
        """A new group. Raises InvalidInput where the user has one of that name, or too many."""
        if len(self.groups(user_id)) >= MOST_GROUPS:
            raise InvalidInput("no more groups", errors=(FieldError("name", f"at most {MOST_GROUPS} groups"),))
        now = self._wall()
        return await self._save(AccountGroup(Random().public(now, 0, "group"), user_id, name, _each(account_ids)))

    async def change_group(
        self, group: AccountGroup, *, name: str | None = None, account_ids: Iterable[str] | None = None
    ) -> AccountGroup:
        """Gives a group another name, or other accounts. Raises InvalidInput for a name that is taken."""
        accounts = group.account_ids if account_ids is None else _each(account_ids)
        return await self._save(replace(group, name=name or group.name, account_ids=accounts))

    async def _save(self, group: AccountGroup) -> AccountGroup:
        taken = (one for one in self.groups(group.user_id) if one.id != group.id)
        if any(_key(one.name) == _key(group.name) for one in taken):
            fault = FieldError("name", f"you have another group called {group.name!r}")
            raise InvalidInput("the name is taken", errors=(fault,))
        await self._store.save_group(group, name_key=_key(group.name), at=self._wall())
        self._groups[group.id] = group
        return group

    async def remove_group(self, group: AccountGroup) -> None:
        """Takes a group away; its accounts stay."""
        await self._store.remove_groups((group.id,))
        self._groups.pop(group.id, None)

    def currency(self, user_id: str, accounts: Iterable[AccountState]) -> str:
        """The currency in which a person reads totals: their own, else that of the first of these accounts."""
        return self._currencies.get(user_id) or next((one.account.currency for one in accounts), "USD")

    async def set_currency(self, user_id: str, currency: str) -> None:
        """Raises InvalidInput for what is no currency."""
        if currency not in CURRENCIES:
            fault = FieldError("currency", f"no currency is called {currency}; USD, EUR, INR and BTC are some")
            raise InvalidInput("the currency is not valid", errors=(fault,))
        await self._store.set_currency(user_id, currency, at=self._wall())
        self._currencies[user_id] = currency

    async def erase(self, account_ids: Collection[str]) -> None:
        """Forgets all that was said of these accounts, and takes them out of every group."""
        await self._store.erase(account_ids)
        for account_id in account_ids:
            self._details.pop(account_id, None)
            self._taxes.pop(account_id, None)
        for group in tuple(self._groups.values()):
            left = tuple(one for one in group.account_ids if one not in account_ids)
            self._groups[group.id] = replace(group, account_ids=left)

    async def erase_user(self, user_id: str) -> None:
        """Forgets a user's groups, and the currency of their totals."""
        gone = [one.id for one in self.groups(user_id)]
        await self._store.remove_groups(gone)
        for group_id in gone:
            self._groups.pop(group_id)
        self._currencies.pop(user_id, None)


def _each(account_ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(account_ids)))


def _key(name: str) -> str:
    """A name as it is compared: in any case and any form of its letters."""
    return unicodedata.normalize("NFKC", name).casefold()


def egress_fault(address: str) -> str:
    """Why connections cannot leave this machine from an address; empty where they can, or where none is given."""
    if not address:
        return ""
    try:
        parsed = ip_address(address)
    except ValueError:
        return f"expected an IPv4 or IPv6 address of this machine such as 203.0.113.7, not {address!r}"
    if parsed.is_unspecified or parsed.is_multicast:
        return f"{address} stands for no single address of this machine"
    try:
        with socket(AF_INET if parsed.version == 4 else AF_INET6, SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return f"{address} is not an address of this machine ({error.strerror or error}); `ip address` lists them"
    return ""
