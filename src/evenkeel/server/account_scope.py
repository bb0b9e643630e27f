"""Which of a person's accounts a request is about: a group, a label, a mode or one account, or all of them."""

from collections.abc import Iterable

from msgspec import Struct

from evenkeel.desk.accounts import AccountDirectory
from evenkeel.domain.accounts import AccountMode
from evenkeel.server.requests import Name, Reference
from evenkeel.server.scope import Tenant
from evenkeel.trading.engine.state import AccountState


class AccountsFilter(Struct, forbid_unknown_fields=True):
    """Accounts that fit everything given: `group` is one of yours by name or id, `active` those in use or out of it."""

    group: Name | None = None
    label: Name | None = None
    mode: AccountMode | None = None
    account_id: Reference | None = None
    active: bool | None = None


def chosen(seen: Tenant, directory: AccountDirectory, *, wanted: AccountsFilter) -> list[AccountState]:
    """The accounts that are meant. Raises NotFound for an account or a group that is not there."""
    found: Iterable[AccountState] = seen.accounts()
    if wanted.account_id is not None:
        found = (seen.account(wanted.account_id),)
    if wanted.group is not None:
        members = members_of(seen, directory, group=wanted.group)
        found = (held for held in found if held.account.id in members)
    if wanted.label is not None:
        label = wanted.label
        found = (held for held in found if label in directory.labels(held.account.id))
    return [
        held for held in found if wanted.mode in (None, held.account.mode) and wanted.active in (None, not held.retired)
    ]


def ids_of(
    seen: Tenant, directory: AccountDirectory, *, account_id: str | None = None, group: str | None = None
) -> tuple[str, ...]:
    """The ids of the accounts that are meant, in the order they were opened. Raises NotFound."""
    found = chosen(seen, directory, wanted=AccountsFilter(group, account_id=account_id))
    return tuple(held.account.id for held in found)


def members_of(seen: Tenant, directory: AccountDirectory, *, group: str) -> frozenset[str]:
    """The accounts of a person's group that they may do this in. Raises NotFound."""
    named = directory.group(seen.user.id, group).account_ids
    return frozenset(one for one in named if seen.owns(one))
