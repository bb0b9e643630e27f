"""The vault of whoever asks: made, unlocked, locked, rewrapped and rotated. Every answer is free of secrets but one:
recovery codes, when they are made.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.desk.vault.ports import Secret
from evenkeel.domain.errors import FieldError, InvalidInput, Unauthenticated
from evenkeel.server import vault as v
from evenkeel.server import wire
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.gate import address_of
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant

_PATH = f"{PREFIX}/vault"


async def get_vault(seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """How one's vault stands, and which accounts have credentials in it."""
    accounts = [held for held in seen.accounts() if held.account.user_id == seen.user.id]
    return wire.Json(await v.shown(parts.safe, seen.user.id, accounts, time.time_ns()))


async def create_vault(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Makes one's vault, and answers with its recovery codes: they are shown this once."""
    given = await wire.body(request, v.NewVault)
    if given.kind == "password":
        await _check_password(request, seen, parts, given.secret)
    codes = await parts.safe.vault.create(seen.user.id, given.secret, kind=Secret(given.kind))
    return wire.Json(v.CodesOut(list(codes)), 201)


async def unlock_vault(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Unlocks one's vault by its secret or a recovery code. Attended accounts are connected then."""
    given = await wire.body(request, v.Unlocking)
    vault, user = parts.safe.vault, seen.user
    field = "secret" if given.code is None else "code"
    async with _guess(request, seen, parts, field=field, told="the vault stays locked"):
        if given.code is not None:
            if given.secret is not None and (await vault.standing(user.id)).secret is Secret.PASSWORD:
                await _check_password(request, seen, parts, given.secret)
            await vault.unlock_with_code(user.id, given.code, given.secret)
        elif given.secret is not None:
            await vault.unlock(user.id, given.secret)
        else:
            raise InvalidInput("nothing to unlock with", errors=(FieldError("secret", "a secret or a code"),))
    return Response(status_code=204)


async def lock_vault(seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Locks one's vault. What is connected stays so until its connection is lost."""
    parts.safe.vault.lock(seen.user.id)
    return Response(status_code=204)


async def change_vault_secret(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Has another secret open one's vault; a changed password does so by itself."""
    given = await wire.body(request, v.SecretChange)
    vault = parts.safe.vault
    kind = Secret(given.kind) if given.kind is not None else (await vault.standing(seen.user.id)).secret
    if kind is Secret.PASSWORD:
        await _check_password(request, seen, parts, given.new, "new")
    async with _guess(request, seen, parts, field="present"):
        await vault.change_secret(seen.user.id, given.present, given.new, kind=kind)
    return Response(status_code=204)


async def renew_vault_codes(seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """New recovery codes in the place of all there were, shown this once."""
    return wire.Json(v.CodesOut(list(await parts.safe.vault.renew_codes(seen.user.id))), 201)


async def rotate_vault(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """New keys for all of one's credentials, and new recovery codes, shown this once."""
    given = await wire.body(request, v.SecretGiven)
    async with _guess(request, seen, parts, field="secret"):
        codes = await parts.safe.vault.rotate(seen.user.id, given.secret)
    return wire.Json(v.CodesOut(list(codes)), 201)


async def forget_vault(seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Takes one's vault away with every credential in it: they have to be entered again."""
    await parts.safe.vault.forget(seen.user.id)
    return Response(status_code=204)


async def _check_password(
    request: Request, seen: Tenant, parts: AppParts, password: str, field: str = "secret"
) -> None:
    """Raises InvalidInput where this is not the password that whoever asks signs in with; guesses are counted."""
    async with _guess(request, seen, parts, field=field):
        if not await parts.auth.passwords.verify(seen.user.password_hash or None, password):
            raise Unauthenticated("is not the password you sign in with")
    parts.auth.throttle.succeeded(seen.user.username, address_of(request))


@asynccontextmanager
async def _guess(
    request: Request, seen: Tenant, parts: AppParts, *, field: str, told: str = "the vault stays as it is"
) -> AsyncIterator[None]:
    """Around whatever tries a secret: one that does not fit counts like a failed sign-in, and is told as InvalidInput.
    Raises TooManyAttempts where there have been too many."""
    throttle, address = parts.auth.throttle, address_of(request)
    throttle.check(seen.user.username, address)
    try:
        yield
    except Unauthenticated as error:
        throttle.failed(seen.user.username, address)
        raise InvalidInput(told, errors=(FieldError(field, error.message),)) from None


ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=get_vault, summary="One's vault", tag="vault",
             answers={200: v.VaultOut}, needs=Permission.SELF),
    Endpoint(method="POST", path=_PATH, handler=create_vault, summary="Make one's vault", tag="vault",
             body=v.NewVault, answers={201: v.CodesOut}, errors=(409,), needs=Permission.SELF, fresh=True),
    Endpoint(method="DELETE", path=_PATH, handler=forget_vault, summary="Forget one's vault", tag="vault",
             answers={204: None}, errors=(404,), needs=Permission.SELF, fresh=True),
    Endpoint(method="POST", path=f"{_PATH}/unlock", handler=unlock_vault, summary="Unlock one's vault", tag="vault",
             body=v.Unlocking, answers={204: None}, errors=(404, 409), needs=Permission.SELF),
    Endpoint(method="POST", path=f"{_PATH}/lock", handler=lock_vault, summary="Lock one's vault", tag="vault",
             answers={204: None}, needs=Permission.SELF),
    Endpoint(method="POST", path=f"{_PATH}/secret", handler=change_vault_secret, summary="Change the vault's secret",
             tag="vault", body=v.SecretChange, answers={204: None}, errors=(404, 409), needs=Permission.SELF,
             fresh=True),
    Endpoint(method="POST", path=f"{_PATH}/codes", handler=renew_vault_codes, summary="New recovery codes",
             tag="vault", answers={201: v.CodesOut}, errors=(404, 423), needs=Permission.SELF, fresh=True),
    Endpoint(method="POST", path=f"{_PATH}/rotate", handler=rotate_vault, summary="New keys for one's vault",
             tag="vault", body=v.SecretGiven, answers={201: v.CodesOut}, errors=(404, 409), needs=Permission.SELF,
             fresh=True),
)  # fmt: skip
