"""The vault's store in memory, and a vault that is quick to open."""

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from evenkeel.desk.sealing import Key, KeyRing
from evenkeel.desk.vault.ports import SealedCredential, Secret, VaultRow, Wrap
from evenkeel.desk.vault.safe import Safe, made
from evenkeel.desk.vault.wrapping import Cost
from evenkeel.domain.errors import Conflict
from evenkeel.trading.brokers.credentials import CredentialField

QUICK = Cost(time=1, memory=8, lanes=1)
FIELDS = (
    CredentialField(name="api_key", label="API key", pattern=r"[a-z0-9-]+"),
    CredentialField(name="api_secret", label="API secret"),
    CredentialField(name="host", label="Host", is_secret=False, is_required=False),
)
VALUES = {"api_key": "key-one", "api_secret": "canary secret"}


class MemoryVault:
    """Implements the desk's `VaultStore`."""

    def __init__(self) -> None:
        self.vaults: dict[str, VaultRow] = {}
        self.rows: dict[str, Wrap] = {}
        self.sealed: dict[tuple[str, str], SealedCredential] = {}

    async def vault(self, user_id: str) -> VaultRow | None:
        return self.vaults.get(user_id)

    async def wraps(self, user_id: str) -> tuple[Wrap, ...]:
        return tuple(one for one in self.rows.values() if one.user_id == user_id)

    async def wraps_of_account(self, account_id: str) -> tuple[Wrap, ...]:
        return tuple(one for one in self.rows.values() if one.account_id == account_id)

    async def all_wraps(self) -> tuple[Wrap, ...]:
        return tuple(self.rows.values())

    async def credentials(self, account_id: str) -> tuple[SealedCredential, ...]:
        return tuple(self.sealed[key] for key in sorted(self.sealed) if key[0] == account_id)

    async def credentials_of(self, user_id: str) -> tuple[SealedCredential, ...]:
        return tuple(one for one in self.sealed.values() if one.user_id == user_id)

    async def all_credentials(self) -> tuple[SealedCredential, ...]:
        return tuple(self.sealed.values())

    async def create(self, vault: VaultRow, wraps: Iterable[Wrap]) -> None:
        if vault.user_id in self.vaults:
            raise Conflict("there is a vault already")
        self.vaults[vault.user_id] = vault
        self.rows |= {one.id: one for one in wraps}

    async def replace_wraps(
        self, user_id: str, gone: Collection[str], new: Iterable[Wrap], *, secret: Secret | None = None
    ) -> None:
        if secret is not None:
            self.vaults[user_id] = replace(self.vaults[user_id], secret=secret)
        self.rows = {key: one for key, one in self.rows.items() if key not in gone} | {one.id: one for one in new}

    async def rotate(self, vault: VaultRow, wraps: Iterable[Wrap], credentials: Iterable[SealedCredential]) -> None:
        new, sealed = list(wraps), list(credentials)
        await self.forget(vault.user_id)
        self.vaults[vault.user_id] = vault
        await self.keep(new, sealed)

    async def keep(self, wraps: Iterable[Wrap], credentials: Iterable[SealedCredential]) -> None:
        self.rows |= {one.id: one for one in wraps}
        self.sealed |= {(one.account_id, one.name): one for one in credentials}

    async def remove(self, account_id: str) -> int:
        gone = [key for key in self.sealed if key[0] == account_id]
        self.sealed = {key: one for key, one in self.sealed.items() if key not in gone}
        self.rows = {key: one for key, one in self.rows.items() if one.account_id != account_id}
        return len(gone)

    async def forget(self, user_id: str) -> None:
        self.vaults.pop(user_id, None)
        self.rows = {key: one for key, one in self.rows.items() if one.user_id != user_id}
        self.sealed = {key: one for key, one in self.sealed.items() if one.user_id != user_id}


def safe(store: MemoryVault | None = None, *keys: Key, days: int | None = None) -> Safe:
    """A vault over a store, as a process makes it that holds these server keys."""
    return made(store or MemoryVault(), KeyRing(keys or (Key.random(),)), days=days, cost=QUICK)
