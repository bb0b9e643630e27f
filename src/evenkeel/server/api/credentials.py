"""Credentials of an account, and its live switch: sealed when they come, and never given out again."""

import time

from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.desk.vault.live_gate import MEANING, SECONDS
from evenkeel.domain.accounts import Account, AccountMode
from evenkeel.domain.commands import OpenLiveAccount, SwitchLive
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.ids import Random
from evenkeel.domain.live import Custody
from evenkeel.server import schemas as s
from evenkeel.server import vault as v
from evenkeel.server import views, wire
from evenkeel.server.api.accounts import check_currency, check_fees, opened
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant

_PATH = f"{PREFIX}/accounts/{{account_id}}"


async def get_credentials(
    account_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What the account's broker asks for, and what of it is saved: never a value."""
    held = seen.account(account_id)
    return wire.Json(await v.credentials_shown(parts.safe, parts, held, time.time_ns()))


async def save_credentials(
    account_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Seals credentials for an account, in the place of those of the same names. The vault must be unlocked."""
    given = await wire.body(request, v.CredentialsIn)
    held, safe = seen.account(account_id), parts.safe
    profile = v.profile_of(parts, held)
    if profile is None or not profile.credentials:
        raise InvalidInput(
            f"{held.account.broker} takes no credentials",
            hint="A simulated broker needs none; a real one's adapter has to be installed first.",
        )
    await safe.credentials.save(held.account.user_id, account_id, given.values, fields=profile.credentials)
    return wire.Json(await v.credentials_shown(safe, parts, held, time.time_ns()))


async def remove_credentials(
    account_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Takes an account's credentials away. It can then not be connected again."""
    await parts.safe.credentials.remove(seen.account(account_id).account.id)
    return Response(status_code=204)


async def open_live_account(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Opens an account whose orders are real. It is switched off, and is switched live by two acts of their own."""
    seen.require_everything()
    given = await wire.body(request, v.NewLiveAccount)
    fields = wire.Fields()
    cash = fields.required("cash", given.cash, "not-negative")
    check_currency(given.currency, fields)
    check_fees(given.fees, fields)
    fields.check("the account cannot be opened")
    received = time.time_ns()
    account = Account(
        id=Random().public(received, 0, "account"),
        user_id=seen.user.id,
        name=given.name,
        broker=given.broker,
        currency=given.currency,
        mode=AccountMode.LIVE,
        type=given.type,
        number=given.number,
        costs=given.fees,
        limits=parts.limits,
    )
    command = OpenLiveAccount(account=account, cash=cash, provenance=seen.provenance(received))
    return await opened(command, seen, parts, cash=cash)


async def ask_live(account_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """The first act of switching an account live: what it means, and a token for the second, within ten minutes."""
    held, safe = seen.account(account_id), parts.safe
    token = await safe.gate.ask(seen.user.id, held.account, v.profile_of(parts, held))
    return wire.Json(
        v.LiveAsked(
            token=token,
            expires_in=SECONDS,
            account_id=account_id,
            name=held.account.name,
            broker=held.account.broker,
            meaning={custody.value: said for custody, said in MEANING.items()},
        )
    )


async def switch_live(
    account_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The second act: switches an account live, with its name typed and who opens its credentials said."""
    given = await wire.body(request, v.LiveConfirmation)
    held, safe, custody = seen.account(account_id), parts.safe, Custody(given.custody)
    command = SwitchLive(account_id=account_id, on=True, custody=custody, provenance=seen.provenance(time.time_ns()))
    await safe.gate.confirm(
        seen.user.id,
        held.account,
        v.profile_of(parts, held),
        token=given.token,
        name=given.name,
        custody=custody,
        switch=lambda: parts.runner.submit(command),
    )
    return wire.Json(views.account(parts.runner.state, parts.runner.state.account(account_id)))


async def switch_live_off(
    account_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Stops an account from taking new risk, in one act; what reduces it still passes."""
    held = seen.account(account_id)
    command = SwitchLive(account_id=held.account.id, on=False, provenance=seen.provenance(time.time_ns()))
    await parts.runner.submit(command)
    return wire.Json(views.account(parts.runner.state, parts.runner.state.account(account_id)))


ENDPOINTS = (
    Endpoint(method="POST", path=f"{PREFIX}/accounts/live", handler=open_live_account, summary="Open a live account",
             tag="vault", body=v.NewLiveAccount, answers={201: s.AccountOut}, errors=(409,), needs=Permission.MANAGE,
             fresh=True),
    Endpoint(method="GET", path=f"{_PATH}/credentials", handler=get_credentials, summary="An account's credentials",
             tag="vault", answers={200: v.CredentialsOut}, needs=Permission.MANAGE),
    Endpoint(method="PUT", path=f"{_PATH}/credentials", handler=save_credentials, summary="Save credentials",
             tag="vault", body=v.CredentialsIn, answers={200: v.CredentialsOut}, errors=(423,),
             needs=Permission.MANAGE, fresh=True),
    Endpoint(method="DELETE", path=f"{_PATH}/credentials", handler=remove_credentials, summary="Remove credentials",
             tag="vault", answers={204: None}, needs=Permission.MANAGE, fresh=True),
    Endpoint(method="POST", path=f"{_PATH}/live/ask", handler=ask_live, summary="Ask to switch an account live",
             tag="vault", answers={200: v.LiveAsked}, errors=(409, 423), needs=Permission.MANAGE, fresh=True),
    Endpoint(method="POST", path=f"{_PATH}/live", handler=switch_live, summary="Switch an account live",
             tag="vault", body=v.LiveConfirmation, answers={200: s.AccountOut}, errors=(409, 423),
             needs=Permission.MANAGE, fresh=True),
    Endpoint(method="DELETE", path=f"{_PATH}/live", handler=switch_live_off, summary="Switch live trading off",
             tag="vault", answers={200: s.AccountOut}, errors=(409,), needs=Permission.REDUCE),
)  # fmt: skip
