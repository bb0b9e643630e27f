"""Accounts beside trading: what is said of them, groups with one health and one panic, out of use and back, erased."""

import asyncio
import time
from collections.abc import Iterable

from fastapi import Depends, Request, Response

from evenkeel.desk.consolidated import together
from evenkeel.desk.permissions import Permission
from evenkeel.desk.purging import stand_in
from evenkeel.domain.account_details import AccountDetails, AccountGroup
from evenkeel.domain.clock import SECOND
from evenkeel.domain.commands import AnyCommand, DeactivateAccount, Panic, ReactivateAccount, RenameAccount, Resume
from evenkeel.domain.errors import EvenkeelError, InvalidInput
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.server import account_details as d
from evenkeel.server import consolidated, halting, views, wire
from evenkeel.server import schemas as s
from evenkeel.server.account_scope import members_of
from evenkeel.server.api.accounts import unknown_account
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.parts import AppParts
from evenkeel.server.requests import NoQuery
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.state import AccountState

_PATH = f"{PREFIX}/accounts"
_ONE = f"{_PATH}/{{account_id}}"
_GROUPS = f"{_PATH}/groups"
_GROUP = f"{_GROUPS}/{{group_id}}"


async def get_details(account_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """What is said of an account: number, labels, notes, groups, and the address from which its broker is spoken to."""
    return wire.Json(_details(seen, parts, account_id=account_id))


def _details(seen: Tenant, parts: AppParts, *, account_id: str) -> d.DetailsOut:
    held, said = seen.account(account_id), parts.directory
    groups = [one for one in said.groups_of(account_id) if one.user_id == seen.user.id]
    owner = held.account.user_id
    # What its owner says of an account that is shared is for its owner.
    found = said.details(account_id, owner) if owner == seen.user.id else AccountDetails(account_id, owner)
    return d.details_out(found, groups)


async def change_details(
    account_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Changes what is said of an account. None of it is in the journal. The audit log says what was changed, and not
    to what, so that a purge leaves nothing of it."""
    given = await wire.body(request, d.DetailsChange)
    owner = seen.account(account_id).account.user_id
    await parts.directory.describe(
        account_id, owner, number=given.number, labels=given.labels, notes=given.notes, egress=given.egress
    )
    return wire.Json(_details(seen, parts, account_id=account_id))


async def rename_account(
    account_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Gives an account another name. The journal keeps every name that an account has had."""
    given = await wire.body(request, d.NewName)
    command = RenameAccount(account_id=account_id, name=given.name, provenance=seen.provenance(time.time_ns()))
    return await _done(parts, seen, account_id=account_id, command=command)


async def deactivate_account(
    account_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Takes an account out of use: it takes no new risk from anybody, and what works there is cancelled. 409 while it
    holds positions, unless these are to be closed or kept. Its history stays, and it can be put back into use."""
    given = await wire.body(request, d.Deactivation)
    command = DeactivateAccount(
        account_id=account_id,
        reason=given.reason,
        close=given.close,
        keep=given.keep,
        provenance=seen.provenance(time.time_ns()),
    )
    return await _done(parts, seen, account_id=account_id, command=command)


async def activate_account(
    account_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Puts an account back into use."""
    command = ReactivateAccount(account_id=account_id, provenance=seen.provenance(time.time_ns()))
    return await _done(parts, seen, account_id=account_id, command=command)


async def _done(parts: AppParts, seen: Tenant, *, account_id: str, command: AnyCommand) -> Response:
    seen.account(account_id)
    await parts.runner.submit(command)
    return wire.Json(views.account(parts.runner.state, parts.runner.state.account(account_id)))


async def list_groups(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Your groups of accounts, by name."""
    wire.query(request, NoQuery)
    return wire.Json(s.Page([_group_out(seen, one) for one in parts.directory.groups(seen.user.id)]))


def _group_out(seen: Tenant, group: AccountGroup) -> d.GroupOut:
    """A group with those of its accounts that are there for whoever asks, in the order they were opened."""
    members = frozenset(group.account_ids)
    return d.GroupOut(group.id, group.name, [one for one in seen.state.accounts if one in members and seen.owns(one)])


async def add_group(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """A new group of accounts; an account may be in several."""
    given = await wire.body(request, d.NewGroup)
    _check_members(seen, given.account_ids, field="account_ids")
    made = await parts.directory.add_group(seen.user.id, given.name, account_ids=given.account_ids)
    return wire.Json(_group_out(seen, made), 201, {"location": f"{_GROUPS}/{made.id}"})


def _check_members(seen: Tenant, named: Iterable[str], *, field: str) -> None:
    """Raises InvalidInput naming each account that is not there."""
    faults = tuple(
        unknown_account(seen, f"{field}.{place}", one) for place, one in enumerate(named) if not seen.owns(one)
    )
    if faults:
        raise InvalidInput("the group is not valid", errors=faults)


async def get_group(group_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """A group by its id or name: its accounts' health, and their total in your base currency."""
    group = _group_out(seen, parts.directory.group(seen.user.id, group_id))
    held = [seen.account(one) for one in group.account_ids]
    _, whole = together(seen.state, held, parts.directory.currency(seen.user.id, held))
    answer = d.GroupView(
        group.id,
        group.name,
        group.account_ids,
        consolidated.total_out(whole),
        [halting.health(parts.runner, one) for one in held],
    )
    return wire.Json(answer)


async def change_group(
    group_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Renames a group, or says which accounts are in it."""
    given = await wire.body(request, d.GroupChange)
    group = parts.directory.group(seen.user.id, group_id)
    for field in ("account_ids", "add"):
        _check_members(seen, getattr(given, field) or (), field=field)
    members = set(group.account_ids if given.account_ids is None else given.account_ids)
    members = (members | set(given.add)) - set(given.remove)
    changed = await parts.directory.change_group(group, name=given.name, account_ids=members)
    return wire.Json(_group_out(seen, changed))


async def remove_group(group_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Takes a group away; its accounts stay."""
    await parts.directory.remove_group(parts.directory.group(seen.user.id, group_id))
    return Response(status_code=204)


async def panic_group(
    group_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """A panic of every account of the group, in one batch; each then stands, and is resumed, for itself. What one
    account declines keeps nothing from the others."""
    given = await wire.body(request, d.GroupPanic)
    provenance, scopes = seen.provenance(time.time_ns()), _scopes(seen, parts, group_id=group_id)
    commands = [
        Panic(
            provenance=provenance,
            scope=scope,
            keep_positions=given.keep_positions,
            cooldown=given.cooldown * SECOND,
            reason=given.reason,
        )
        for scope in scopes
    ]
    await _each(parts, commands)
    return wire.Json(_panics(parts, seen, scopes=scopes), 202)


async def resume_group(
    group_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Lets every account of the group trade again that is halted by a panic of its own. 409 as for one account: those
    that could be resumed are, and the answer names the first that could not."""
    given = await wire.body(request, d.GroupResume)
    provenance = seen.provenance(time.time_ns())
    scopes = [one for one in _scopes(seen, parts, group_id=group_id) if one.key in seen.state.halts]
    before = _panics(parts, seen, scopes=scopes)
    await _each(parts, [Resume(provenance=provenance, scope=one, abandon=given.abandon) for one in scopes])
    for one in before.items:
        one.state = "resumed"
    return wire.Json(before)


def _scopes(seen: Tenant, parts: AppParts, *, group_id: str) -> list[Scope]:
    members = sorted(members_of(seen, parts.directory, group=group_id))
    if not members:
        raise InvalidInput("the group has no account that you may do this in")
    return [Scope(ScopeKind.ACCOUNT, one) for one in members]


async def _each(parts: AppParts, commands: Iterable[AnyCommand]) -> None:
    """Submits all at once. Raises the first error after all have been answered."""
    answers = await asyncio.gather(*(parts.runner.submit(one) for one in commands), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, EvenkeelError):
            raise answer
        if isinstance(answer, BaseException):
            raise answer


def _panics(parts: AppParts, seen: Tenant, *, scopes: Iterable[Scope]) -> d.GroupPanicOut:
    now = seen.at(parts.runner.state)
    found = [now.state.halts.get(scope.key) for scope in scopes]
    return d.GroupPanicOut([halting.panic_of(now, one, parts.runner.clock) for one in found if one is not None])


async def preview_purge(
    account_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Whether an account may be erased: it is out of use and holds nothing. Erases nothing."""
    held = seen.account(account_id)
    return wire.Json(d.ErasableOut(account_id, held.account.name, parts.purging.check_account(held)))


async def preview_user_purge(
    user_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Whether a person may be erased: they are deactivated, and their accounts are out of use and hold nothing. Erases
    nothing."""
    seen.require_admin()
    seen.require_everything()
    user = await parts.purging.check_user(user_id, _accounts_of(seen, user_id))
    return wire.Json(d.ErasableOut(user_id, user.username, stand_in(user_id)))


def _accounts_of(seen: Tenant, user_id: str) -> list[AccountState]:
    return [held for held in seen.state.accounts.values() if held.account.user_id == user_id]


async def purge_account(
    account_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Erases what is personal of an account out of use: its name, number, labels, notes, groups, tax settings and
    egress address. Ledger and history stay under its id; the journal keeps the name it was opened with. It cannot be
    taken back."""
    given = await wire.body(request, d.Confirmation)
    held, provenance = seen.account(account_id), seen.provenance(time.time_ns())
    name = await parts.purging.account(held, confirm=given.confirm, submit=parts.runner.submit, provenance=provenance)
    return wire.Json(d.ErasedOut(account_id, name))


async def purge_user(
    user_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Erases what is personal of a person who has been deactivated, and of their accounts. What they traded stays,
    under ids, as does the audit log. It cannot be taken back."""
    given = await wire.body(request, d.Confirmation)
    seen.require_admin()
    seen.require_everything()
    name = await parts.purging.user(
        user_id,
        _accounts_of(seen, user_id),
        confirm=given.confirm,
        submit=parts.runner.submit,
        provenance=seen.provenance,
    )
    return wire.Json(d.ErasedOut(user_id, name))


_NEW = (Link("get_group", "group_id"), Link("change_group", "group_id"), Link("remove_group", "group_id"))
GROUPS = (
    Endpoint(method="GET", path=_GROUPS, handler=list_groups, summary="Groups of accounts", tag="accounts",
             query=NoQuery, answers={200: s.Page[d.GroupOut]}, needs=Permission.READ),
    Endpoint(method="POST", path=_GROUPS, handler=add_group, summary="A new group of accounts", tag="accounts",
             body=d.NewGroup, answers={201: d.GroupOut}, links=_NEW, needs=Permission.MANAGE),
    Endpoint(method="GET", path=_GROUP, handler=get_group, summary="A group's health and total", tag="accounts",
             answers={200: d.GroupView}, needs=Permission.READ),
    Endpoint(method="PATCH", path=_GROUP, handler=change_group, summary="Change a group", tag="accounts",
             body=d.GroupChange, answers={200: d.GroupOut}, needs=Permission.MANAGE),
    Endpoint(method="DELETE", path=_GROUP, handler=remove_group, summary="Remove a group", tag="accounts",
             answers={204: None}, needs=Permission.MANAGE),
    Endpoint(method="POST", path=f"{_GROUP}/panic", handler=panic_group, summary="Panic of a group", tag="accounts",
             body=d.GroupPanic, answers={202: d.GroupPanicOut}, needs=Permission.REDUCE),
    Endpoint(method="POST", path=f"{_GROUP}/resume", handler=resume_group, summary="Resume a group", tag="accounts",
             body=d.GroupResume, answers={200: d.GroupPanicOut}, errors=(409,), needs=Permission.TRADE),
)  # fmt: skip
ENDPOINTS = (
    Endpoint(method="GET", path=f"{_ONE}/details", handler=get_details, summary="An account's details",
             tag="accounts", answers={200: d.DetailsOut}, needs=Permission.READ),
    Endpoint(method="PATCH", path=f"{_ONE}/details", handler=change_details, summary="Change an account's details",
             tag="accounts", body=d.DetailsChange, answers={200: d.DetailsOut}, needs=Permission.MANAGE),
    Endpoint(method="POST", path=f"{_ONE}/rename", handler=rename_account, summary="Rename an account",
             tag="accounts", body=d.NewName, answers={200: s.AccountOut}, needs=Permission.MANAGE),
    Endpoint(method="POST", path=f"{_ONE}/deactivate", handler=deactivate_account, summary="Take out of use",
             tag="accounts", body=d.Deactivation, answers={200: s.AccountOut}, errors=(409,),
             needs=Permission.MANAGE),
    Endpoint(method="POST", path=f"{_ONE}/activate", handler=activate_account, summary="Put back into use",
             tag="accounts", answers={200: s.AccountOut}, needs=Permission.MANAGE),
    Endpoint(method="GET", path=f"{_ONE}/purge", handler=preview_purge, summary="Whether it may be erased",
             tag="accounts", answers={200: d.ErasableOut}, errors=(409,), needs=Permission.MANAGE),
    Endpoint(method="GET", path=f"{PREFIX}/users/{{user_id}}/purge", handler=preview_user_purge,
             summary="Whether a person may be erased", tag="users", answers={200: d.ErasableOut}, errors=(403, 409),
             needs=Permission.ADMIN),
    Endpoint(method="POST", path=f"{_ONE}/purge", handler=purge_account, summary="Erase personal data",
             tag="accounts", body=d.Confirmation, answers={200: d.ErasedOut}, errors=(409,), fresh=True,
             needs=Permission.MANAGE),
    Endpoint(method="POST", path=f"{PREFIX}/users/{{user_id}}/purge", handler=purge_user,
             summary="Erase a person's data", tag="users", body=d.Confirmation, answers={200: d.ErasedOut},
             errors=(403, 409), fresh=True, needs=Permission.ADMIN),
)  # fmt: skip
