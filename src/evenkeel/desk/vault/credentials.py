"""Credentials of accounts: saved sealed, handed to adapters opened, shown to people as names and ages only."""

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import Struct

from evenkeel.desk.sealing import Key, seal, sealed_under, unseal
from evenkeel.desk.vault import wrapping
from evenkeel.desk.vault.ports import SealedCredential, Wrap, WrapKind
from evenkeel.desk.vault.vault import Vault
from evenkeel.domain.errors import BrokerUnavailable, InvalidInput, NotFound, VaultLocked
from evenkeel.telemetry.unspoken import keep_unspoken
from evenkeel.trading.brokers.credentials import CredentialField, Opened, faults


class Held(Struct, frozen=True, kw_only=True):
    """One credential that is saved, without its value."""

    name: str
    version: int
    saved_at: int


class AccountCredentials:
    """Implements the brokers' port `Credentials`, and what people do with theirs."""

    def __init__(self, vault: Vault, *, wall: Callable[[], int] = time.time_ns) -> None:
        self.vault, self._wall = vault, wall

    async def of(self, account_id: str) -> Opened:
        """An account's values. Raises VaultLocked where only its owner can open them, and has not; BrokerUnavailable
        where there are none."""
        sealed = await self.vault.store.credentials(account_id)
        if not sealed:
            raise BrokerUnavailable(
                "no credentials of this account are saved", hint="Save them with `evenkeel account credentials set`."
            )
        with await self._account_key(account_id) as key:
            values = {one.name: _opened(one, key) for one in sealed}
        keep_unspoken(*values.values())
        return Opened(values)

    async def held(self, account_id: str) -> tuple[Held, ...]:
        """What is saved of an account, by name."""
        found = await self.vault.store.credentials(account_id)
        return tuple(Held(name=one.name, version=one.version, saved_at=one.created_at) for one in found)

    async def is_unattended(self, account_id: str) -> bool:
        """Whether this server can open an account by itself."""
        return any(wrap.kind is WrapKind.SERVER for wrap in await self.vault.store.wraps_of_account(account_id))

    async def is_locked(self, account_id: str, user_id: str) -> bool:
        """Whether an account has credentials that cannot be opened now."""
        if self.vault.is_open(user_id) or not await self.vault.store.credentials(account_id):
            return False
        wraps = await self.vault.store.wraps_of_account(account_id)
        ring = self.vault.ring
        return not any(wrap.kind is WrapKind.SERVER and ring.has(sealed_under(wrap.envelope)) for wrap in wraps)

    async def save(
        self, user_id: str, account_id: str, values: Mapping[str, str], *, fields: Sequence[CredentialField]
    ) -> tuple[Held, ...]:
        """Seals these values in place of those of the same names. Raises InvalidInput naming each field at fault,
        VaultLocked, and NotFound where their owner has no vault."""
        async with self.vault.changing:
            await self._save(user_id, account_id, values, fields=fields)
        return await self.held(account_id)

    async def _save(
        self, user_id: str, account_id: str, values: Mapping[str, str], *, fields: Sequence[CredentialField]
    ) -> None:
        await self.vault.standing(user_id)
        data = self.vault.data_key(user_id)
        keep_unspoken(*values.values())
        known = {one.name: one for one in await self.vault.store.credentials(account_id)}
        if wrong := faults(fields, values, tuple(known)):
            raise InvalidInput("these credentials cannot be saved", errors=tuple(wrong))
        wraps = await self.vault.store.wraps_of_account(account_id)
        new: list[Wrap] = []
        now = self._wall()
        if any(wrap.kind is WrapKind.DATA for wrap in wraps):
            key = await self._account_key(account_id)
        else:
            key = Key.random()
            new.append(wrapping.wrap_account(key, user_id, account_id, WrapKind.DATA, under=data, at=now))
        with key:
            rows = [
                _sealed(_row(user_id, account_id, name, known.get(name), at=now), value, key)
                for name, value in values.items()
            ]
        await self.vault.store.keep(new, rows)

    async def remove(self, account_id: str) -> None:
        """Takes an account's credentials away, with every key that opened them. Raises NotFound."""
        async with self.vault.changing:
            if not await self.vault.store.remove(account_id):
                raise NotFound("no credentials of this account are saved")

    async def set_unattended(self, user_id: str, account_id: str, *, unattended: bool) -> None:
        """Has the server open an account by itself from now on, or no more. Raises VaultLocked, and NotFound where
        nothing is saved that could be opened."""
        async with self.vault.changing:
            await self._set_unattended(user_id, account_id, unattended=unattended)

    async def _set_unattended(self, user_id: str, account_id: str, *, unattended: bool) -> None:
        wraps = await self.vault.store.wraps_of_account(account_id)
        by_server = [wrap.id for wrap in wraps if wrap.kind is WrapKind.SERVER]
        if not unattended:
            await self.vault.store.replace_wraps(user_id, by_server, [])
            return
        if not any(wrap.kind is WrapKind.DATA for wrap in wraps):
            raise NotFound("no credentials of this account are saved")
        self.vault.data_key(user_id)
        with await self._account_key(account_id) as key:
            server = self.vault.ring.current
            made = wrapping.wrap_account(key, user_id, account_id, WrapKind.SERVER, under=server, at=self._wall())
        await self.vault.store.replace_wraps(user_id, by_server, [made])

    async def older_than(self, age: int) -> dict[str, int]:
        """The accounts that have a credential saved more than `age` ns ago, with the time of the oldest."""
        oldest: dict[str, int] = {}
        for one in await self.vault.store.all_credentials():
            if one.created_at < self._wall() - age:
                oldest[one.account_id] = min(one.created_at, oldest.get(one.account_id, one.created_at))
        return oldest

    async def _account_key(self, account_id: str) -> Key:
        wraps = await self.vault.store.wraps_of_account(account_id)
        for wrap in wraps:
            if wrap.kind is WrapKind.DATA and self.vault.is_open(wrap.user_id):
                return wrapping.open_account(wrap, self.vault.data_key(wrap.user_id))
        for wrap in wraps:
            if wrap.kind is WrapKind.SERVER:
                return self._by_server(wrap)
        raise VaultLocked(
            "the credentials of this account are sealed, and it is attended: its owner has not unlocked the vault",
            hint="Sign in with the password, or run `evenkeel vault unlock`.",
        )

    def _by_server(self, wrap: Wrap) -> Key:
        named = sealed_under(wrap.envelope)
        if not self.vault.ring.has(named):
            raise VaultLocked(
                f"the credentials of this account are sealed under the server's key {named}, which is not here",
                hint="Put that key back, or have the account's owner unlock the vault.",
            )
        return wrapping.open_account(wrap, self.vault.ring.of(named))


def _row(user_id: str, account_id: str, name: str, before: SealedCredential | None, *, at: int) -> SealedCredential:
    """What is about to be sealed, one version after the one before."""
    version = 1 if before is None else before.version + 1
    return SealedCredential(
        account_id=account_id, name=name, user_id=user_id, version=version, envelope="", created_at=at
    )


def reseal(one: SealedCredential, before: Key, after: Key, *, at: int) -> SealedCredential:
    """The same value, under another account key. `at` is when the value was saved."""
    return _sealed(msgspec.structs.replace(one, created_at=at), _opened(one, before), after)


def _sealed(one: SealedCredential, value: str, key: Key) -> SealedCredential:
    return msgspec.structs.replace(one, envelope=seal(key, value.encode(), about=_about(one)))


def _opened(one: SealedCredential, key: Key) -> str:
    return unseal(key, one.envelope, about=_about(one)).decode()


def _about(one: SealedCredential) -> tuple[str, ...]:
    return ("credential", one.user_id, one.account_id, one.name, str(one.version))
