"""What the vault keeps, and what it needs of a store. Times are wall-clock ns; no field holds a secret."""

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Protocol

from msgspec import Struct


class Secret(StrEnum):
    """What a person opens their vault with: the password they sign in with, or a passphrase of its own."""

    PASSWORD = "password"  # noqa: S105 - a kind, and no password
    PASSPHRASE = "passphrase"  # noqa: S105


class WrapKind(StrEnum):
    """What opens a wrap. The first two hold the data key, the others an account's key."""

    SECRET = "secret"  # noqa: S105
    RECOVERY = "recovery"
    DATA = "data"
    SERVER = "server"


class VaultRow(Struct, frozen=True):
    user_id: str
    secret: Secret
    created_at: int
    rotated_at: int


class Wrap(Struct, frozen=True, kw_only=True):
    """A key, sealed under another. `salt` and `cost` are those of argon2id; `server_key` names the one it took."""

    id: str
    user_id: str
    kind: WrapKind
    envelope: str
    created_at: int
    account_id: str = ""
    salt: str | None = None
    cost: str | None = None
    server_key: str | None = None


class SealedCredential(Struct, frozen=True, kw_only=True):
    account_id: str
    name: str
    user_id: str
    version: int
    envelope: str
    created_at: int


class VaultStore(Protocol):
    async def vault(self, user_id: str) -> VaultRow | None: ...

    async def wraps(self, user_id: str) -> tuple[Wrap, ...]: ...

    async def wraps_of_account(self, account_id: str) -> tuple[Wrap, ...]: ...

    async def all_wraps(self) -> tuple[Wrap, ...]: ...

    async def credentials(self, account_id: str) -> tuple[SealedCredential, ...]: ...

    async def credentials_of(self, user_id: str) -> tuple[SealedCredential, ...]: ...

    async def all_credentials(self) -> tuple[SealedCredential, ...]: ...

    async def create(self, vault: VaultRow, wraps: Iterable[Wrap]) -> None:
        """Raises Conflict where this person has a vault."""

    async def replace_wraps(
        self, user_id: str, gone: Collection[str], new: Iterable[Wrap], *, secret: Secret | None = None
    ) -> None:
        """All of it or nothing; `secret`: what kind of secret opens the vault from now on."""

    async def rotate(self, vault: VaultRow, wraps: Iterable[Wrap], credentials: Iterable[SealedCredential]) -> None: ...

    async def keep(self, wraps: Iterable[Wrap], credentials: Iterable[SealedCredential]) -> None: ...

    async def remove(self, account_id: str) -> int: ...

    async def forget(self, user_id: str) -> None: ...
