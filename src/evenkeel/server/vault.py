"""What the vault's routes take and answer, and how it is shown: names, versions and ages, never a value."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from evenkeel.desk.vault.credentials import Held
from evenkeel.desk.vault.safe import Safe
from evenkeel.desk.vault.watch import DAY
from evenkeel.domain import clock
from evenkeel.domain.accounts import AccountType
from evenkeel.domain.errors import NotFound
from evenkeel.domain.live import Custody
from evenkeel.server import requests
from evenkeel.server.parts import AppParts
from evenkeel.trading.brokers.profiles import BrokerProfile
from evenkeel.trading.engine.state import AccountState

Known = Annotated[str, Meta(min_length=1, max_length=256)]
Code = Annotated[str, Meta(min_length=1, max_length=100)]
Value = Annotated[str, Meta(max_length=8192)]
CustodyName = Literal["attended", "unattended"]


class NewVault(Struct, forbid_unknown_fields=True):
    """`secret` is the password one signs in with, or, as a passphrase, words for the vault alone."""

    secret: Known
    kind: Literal["password", "passphrase"] = "password"


class Unlocking(Struct, forbid_unknown_fields=True):
    """`secret`, or a recovery `code`; with a code, `secret` opens the vault from then on."""

    secret: Known | None = None
    code: Code | None = None


class SecretChange(Struct, forbid_unknown_fields=True):
    """`present` opens the vault now; `new` opens it from then on."""

    present: Known
    new: Known
    kind: Literal["password", "passphrase"] | None = None


class SecretGiven(Struct, forbid_unknown_fields=True):
    secret: Known


class CredentialsIn(Struct, forbid_unknown_fields=True):
    """Values by the names that the account's broker declares; those that are left out stay."""

    values: dict[Annotated[str, Meta(max_length=64)], Value]


class NewLiveAccount(Struct, forbid_unknown_fields=True):
    """An account whose orders are real, at a broker that is not simulated; `number` is the broker's for it, `cash` what
    the broker holds for it now. It is opened switched off."""

    name: requests.Name
    broker: Annotated[str, Meta(min_length=1, max_length=64)]
    number: Annotated[str, Meta(min_length=1, max_length=64)]
    cash: requests.Cash
    currency: requests.Currency = "USD"
    type: AccountType = AccountType.CASH
    fees: requests.Reference = "zero"


class LiveConfirmation(Struct, forbid_unknown_fields=True):
    """`name` is the account's, typed; `token` that of the first act."""

    token: Annotated[str, Meta(max_length=100)]
    name: Annotated[str, Meta(max_length=200)]
    custody: CustodyName


class CodesOut(Struct):
    """Recovery codes, shown this once."""

    codes: list[str]


class HeldOut(Struct):
    name: str
    version: int
    saved_at: str


class CredentialFieldOut(Struct):
    """`saved` is when the present value was saved, null where there is none."""

    name: str
    label: str
    is_secret: bool
    is_required: bool
    saved_at: str | None = None


class CredentialsOut(Struct, kw_only=True):
    """`locked`: nobody but the owner can open them, and the vault is locked. `due`: they are old enough to renew."""

    account_id: str
    broker: str
    custody: CustodyName | None
    locked: bool
    due: bool
    age_days: int | None
    fields: list[CredentialFieldOut]


class VaultAccountOut(Struct, kw_only=True):
    id: str
    name: str
    broker: str
    custody: CustodyName | None
    locked: bool
    due: bool
    credentials: list[HeldOut]


class VaultOut(Struct, kw_only=True):
    """`secret` is null where there is no vault; `opens`: whether that secret still opens it, or only a code does."""

    secret: Literal["password", "passphrase"] | None = None
    unlocked: bool = False
    opens: bool = False
    codes_left: int = 0
    created_at: str | None = None
    rotated_at: str | None = None
    accounts: list[VaultAccountOut] = []


class LiveAsked(Struct, kw_only=True):
    """What switching an account live means, by custody, and the token of the second act."""

    token: str
    expires_in: int
    account_id: str
    name: str
    broker: str
    meaning: dict[str, str]


def profile_of(parts: AppParts, held: AccountState) -> BrokerProfile | None:
    """The profile of an account's broker, where that is here."""
    return parts.runner.state.profiles.get(held.account.broker)


async def shown(safe: Safe, user_id: str, accounts: list[AccountState], now: int) -> VaultOut:
    """A person's vault, with those of their accounts that have credentials."""
    try:
        standing = await safe.vault.standing(user_id)
    except NotFound:
        return VaultOut()
    found = [(held, await safe.credentials.held(held.account.id)) for held in accounts]
    return VaultOut(
        secret=standing.secret.value,
        unlocked=standing.unlocked,
        opens=standing.opens,
        codes_left=standing.codes,
        created_at=clock.iso(standing.created_at),
        rotated_at=clock.iso(standing.rotated_at),
        accounts=[
            VaultAccountOut(
                id=held.account.id,
                name=held.account.name,
                broker=held.account.broker,
                custody=custody_of(held),
                locked=await safe.credentials.is_locked(held.account.id, user_id),
                due=_is_due(safe, saved, now),
                credentials=[HeldOut(one.name, one.version, clock.iso(one.saved_at)) for one in saved],
            )
            for held, saved in found
            if saved
        ],
    )


async def credentials_shown(safe: Safe, parts: AppParts, held: AccountState, now: int) -> CredentialsOut:
    """What an account's broker asks for, and what of it is saved."""
    account, profile = held.account, profile_of(parts, held)
    saved = {one.name: one for one in await safe.credentials.held(account.id)}
    declared = profile.credentials if profile is not None else ()
    oldest = min((one.saved_at for one in saved.values()), default=None)
    return CredentialsOut(
        account_id=account.id,
        broker=account.broker,
        custody=custody_of(held),
        locked=await safe.credentials.is_locked(account.id, account.user_id),
        due=_is_due(safe, tuple(saved.values()), now),
        age_days=None if oldest is None else (now - oldest) // DAY,
        fields=[
            CredentialFieldOut(
                one.name,
                one.label,
                one.is_secret,
                one.is_required,
                clock.iso(saved[one.name].saved_at) if one.name in saved else None,
            )
            for one in declared
        ],
    )


def custody_of(held: AccountState) -> CustodyName | None:
    """Who opens the credentials of an account that is, or was, switched live."""
    if held.custody is None:
        return None
    return "attended" if held.custody is Custody.ATTENDED else "unattended"


def _is_due(safe: Safe, saved: tuple[Held, ...], now: int) -> bool:
    return safe.days is not None and any(now - one.saved_at > safe.days * DAY for one in saved)
