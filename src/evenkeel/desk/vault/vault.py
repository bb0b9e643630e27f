"""The vault of each person: made, opened, locked, rewrapped, rotated. Keys of opened ones are held here, and nowhere
else; `close` overwrites them.

Opening and wrapping with what a person knows is slow on purpose, and runs off the event loop, two at a time.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
import structlog
from msgspec import Struct

from evenkeel.desk.ports import User
from evenkeel.desk.sealing import Key, KeyRing, sealed_under
from evenkeel.desk.vault import wrapping
from evenkeel.desk.vault.ports import SealedCredential, Secret, VaultRow, VaultStore, Wrap, WrapKind
from evenkeel.desk.vault.wrapping import CODES, Cost
from evenkeel.domain.errors import (
    Conflict,
    EvenkeelError,
    FieldError,
    InvalidInput,
    NotFound,
    SealBroken,
    Unauthenticated,
    VaultLocked,
)

log = structlog.get_logger(__name__)
SHORTEST, LONGEST = 12, 256
T = TypeVar("T")


class Standing(Struct, frozen=True, kw_only=True):
    """How a person's vault stands. `opens`: whether what they know still opens it; `codes` recovery codes are left."""

    secret: Secret
    unlocked: bool
    opens: bool
    codes: int
    created_at: int
    rotated_at: int


class Vault:
    """Everybody's. `ring` holds the server's keys; its first one is taken for what is sealed from now on. `changing` is
    held by whatever reads credentials or accounts' keys to write them anew: a rotation puts nothing back that has gone.
    """

    def __init__(
        self, store: VaultStore, ring: KeyRing, *, cost: Cost | None = None, wall: Callable[[], int] = time.time_ns
    ) -> None:
        self.store, self.ring = store, ring
        self.on_unlocked: Callable[[str], None] = lambda user_id: None
        self._cost, self._wall = cost or Cost(), wall
        self._open: dict[str, Key] = {}
        self._turns = asyncio.Semaphore(2)
        self.changing = asyncio.Lock()

    async def standing(self, user_id: str) -> Standing:
        """Raises NotFound where this person has no vault."""
        row, wraps = await self._row(user_id), await self.store.wraps(user_id)
        return Standing(
            secret=row.secret,
            unlocked=self.is_open(user_id),
            opens=any(wrap.kind is WrapKind.SECRET for wrap in wraps),
            codes=sum(wrap.kind is WrapKind.RECOVERY for wrap in wraps),
            created_at=row.created_at,
            rotated_at=row.rotated_at,
        )

    def is_open(self, user_id: str) -> bool:
        return user_id in self._open

    def data_key(self, user_id: str) -> Key:
        """Raises VaultLocked."""
        key = self._open.get(user_id)
        if key is None:
            raise VaultLocked(
                "the vault is locked",
                hint="Its owner unlocks it by signing in with their password, or with `evenkeel vault unlock`.",
            )
        return key

    async def create(self, user_id: str, secret: str, *, kind: Secret) -> tuple[str, ...]:
        """Makes a vault, opens it, and answers with its recovery codes, which are shown this once.

        Raises Conflict where there is one, InvalidInput for a passphrase that is too short or too long.
        """
        if kind is Secret.PASSPHRASE:
            check_passphrase(secret)
        now, data = self._wall(), Key.random()
        codes = tuple(wrapping.new_code() for _ in range(CODES))
        wraps = [await self._wrapped(data, user_id, secret), *self._coded(data, user_id, codes)]
        await self.store.create(VaultRow(user_id, kind, now, now), wraps)
        self._hold(user_id, data)
        return codes

    async def unlock(self, user_id: str, secret: str) -> None:
        """Raises Unauthenticated for a wrong secret, NotFound, and Conflict where only a recovery code opens it."""
        row = await self._row(user_id)
        wrap = await self._wrap_of_secret(user_id)
        if wrap is None:
            raise Conflict(
                f"the {row.secret} was reset, and opens the vault no more",
                hint="Unlock it with a recovery code, or forget the vault and enter the credentials again.",
            )
        data = await self._off_loop(lambda: wrapping.open_secret(wrap, secret, self.ring))
        self._hold(user_id, data)
        if wrap.server_key != self.ring.current.fingerprint or wrap.cost != str(self._cost):
            await self.store.replace_wraps(user_id, [wrap.id], [await self._wrapped(data, user_id, secret)])

    async def unlock_with_code(self, user_id: str, code: str, secret: str | None = None) -> None:
        """Spends a recovery code, and has `secret` open the vault from now on where one is given. Raises as `unlock`.

        A passphrase that was given is checked as a new one is.
        """
        row, wraps = await self._row(user_id), await self.store.wraps(user_id)
        if secret is not None and row.secret is Secret.PASSPHRASE:
            check_passphrase(secret)
        data, spent = _opened_by(code, wraps)
        new = [] if secret is None else [await self._wrapped(data, user_id, secret)]
        old = [wrap.id for wrap in wraps if wrap.kind is WrapKind.SECRET] if new else []
        await self.store.replace_wraps(user_id, [spent, *old], new)
        self._hold(user_id, data)

    def lock(self, user_id: str) -> None:
        """Overwrites the key; what runs with it already goes on."""
        key = self._open.pop(user_id, None)
        if key is not None:
            key.wipe()

    def close(self) -> None:
        """Locks everybody's."""
        for user_id in tuple(self._open):
            self.lock(user_id)

    async def change_secret(self, user_id: str, old: str | None, new: str, *, kind: Secret | None = None) -> None:
        """Has `new` open the vault in place of `old`, which may be left out while the vault is open. Raises as
        `unlock`, and VaultLocked; `kind` changes what kind of secret it is."""
        row = await self._row(user_id)
        if (kind or row.secret) is Secret.PASSPHRASE:
            check_passphrase(new)
        if old is not None:
            await self.unlock(user_id, old)
        data, wrap = self.data_key(user_id), await self._wrap_of_secret(user_id)
        renewed = await self._wrapped(data, user_id, new)
        await self.store.replace_wraps(user_id, [wrap.id] if wrap is not None else [], [renewed], secret=kind)

    async def renew_codes(self, user_id: str) -> tuple[str, ...]:
        """New recovery codes in the place of all there were. Raises VaultLocked, and NotFound where there is none."""
        await self._row(user_id)
        data, wraps = self.data_key(user_id), await self.store.wraps(user_id)
        codes = tuple(wrapping.new_code() for _ in range(CODES))
        gone = [wrap.id for wrap in wraps if wrap.kind is WrapKind.RECOVERY]
        await self.store.replace_wraps(user_id, gone, self._coded(data, user_id, codes))
        return codes

    async def rotate(self, user_id: str, secret: str) -> tuple[str, ...]:
        """A new data key, new account keys, every credential sealed anew; answers with new recovery codes.

        Raises as `unlock`; nothing has changed then.
        """
        async with self.changing:
            await self.unlock(user_id, secret)
            row, wraps = await self._row(user_id), await self.store.wraps(user_id)
            old, new, now = self.data_key(user_id), Key.random(), self._wall()
            sealed = await self.store.credentials_of(user_id)
            fresh, credentials = self._resealed(wraps, sealed, old=old, new=new, now=now)
            codes = tuple(wrapping.new_code() for _ in range(CODES))
            made = [await self._wrapped(new, user_id, secret), *self._coded(new, user_id, codes), *fresh]
            await self.store.rotate(msgspec.structs.replace(row, rotated_at=now), made, credentials)
            self._hold(user_id, new)
        return codes

    async def forget(self, user_id: str) -> None:
        """Takes the vault away with all credentials in it, whose owner can no longer open it. Raises NotFound."""
        async with self.changing:
            await self._row(user_id)
            self.lock(user_id)
            await self.store.forget(user_id)

    async def proved(self, user: User, password: str) -> None:
        """Opens the vault of who has just signed in by password, where that is what opens it; never in the way."""
        if self.is_open(user.id):
            return
        try:
            if (await self._row(user.id)).secret is Secret.PASSWORD:
                await self.unlock(user.id, password)
        except NotFound:
            return
        except EvenkeelError as error:
            log.warning("the vault stays locked", user_id=user.id, reason=error.message)

    async def changed(self, user: User, old: str | None, new: str) -> None:
        """Follows a change of the password. A reset proves nothing: the vault is locked until a recovery code."""
        try:
            if (await self._row(user.id)).secret is not Secret.PASSWORD:
                return
            if old is None:
                await self._drop_secret(user.id)
            else:
                await self.change_secret(user.id, old, new)
        except (NotFound, Conflict):  # there is none, or only a recovery code opens it
            return
        except (Unauthenticated, SealBroken) as error:
            log.warning("the vault was not rewrapped", user_id=user.id, reason=error.message)
            await self._drop_secret(user.id)

    async def recheck(self, user_id: str) -> bool:
        """Locks a vault that is open, and that its password opens no more: it was reset by another process. Whether it
        was locked."""
        row = await self.store.vault(user_id) if self.is_open(user_id) else None
        if row is None or row.secret is not Secret.PASSWORD or await self._wrap_of_secret(user_id) is not None:
            return False
        self.lock(user_id)
        return True

    @property
    def opened(self) -> tuple[str, ...]:
        """Whose vaults are open."""
        return tuple(self._open)

    async def renew_server_key(self, ring: KeyRing) -> int:
        """Takes another ring: what the server alone opens is sealed under its first key; how much that was.

        What a person's secret opens follows when they unlock it next: `server_keys` says what is still needed.
        """
        renewed = 0
        for wrap in await self.store.all_wraps():
            if wrap.kind is not WrapKind.SERVER or ring.is_current(wrap.envelope):
                continue
            if not ring.has(sealed_under(wrap.envelope)):
                log.warning("sealed under a server key that is not here", key=sealed_under(wrap.envelope))
                continue
            with wrapping.open_account(wrap, ring.of(sealed_under(wrap.envelope))) as key:
                again = wrapping.wrap_account(
                    key, wrap.user_id, wrap.account_id, wrap.kind, under=ring.current, at=self._wall()
                )
            await self.store.replace_wraps(wrap.user_id, [wrap.id], [again])
            renewed += 1
        self.ring = ring
        return renewed

    async def server_keys(self) -> frozenset[str]:
        """The fingerprints of the server keys without which something here does not open."""
        wraps = await self.store.all_wraps()
        sealed = (wrap.server_key for wrap in wraps if wrap.kind is WrapKind.SECRET)
        held = (sealed_under(wrap.envelope) for wrap in wraps if wrap.kind is WrapKind.SERVER)
        return frozenset(one for one in (*sealed, *held) if one)

    def _resealed(
        self, wraps: Sequence[Wrap], credentials: Sequence[SealedCredential], *, old: Key, new: Key, now: int
    ) -> tuple[list[Wrap], list[SealedCredential]]:
        """A person's account keys and credentials, made anew from the ones under the `old` data key."""
        from evenkeel.desk.vault.credentials import reseal

        fresh: list[Wrap] = []
        sealed: list[SealedCredential] = []
        unattended = {wrap.account_id for wrap in wraps if wrap.kind is WrapKind.SERVER}
        for wrap in wraps:
            if wrap.kind is not WrapKind.DATA:
                continue
            owner, account_id = wrap.user_id, wrap.account_id
            with wrapping.open_account(wrap, old) as before, Key.random() as after:
                mine = [one for one in credentials if one.account_id == account_id]
                sealed += [reseal(one, before, after, at=one.created_at) for one in mine]
                fresh.append(wrapping.wrap_account(after, owner, account_id, WrapKind.DATA, under=new, at=now))
                if account_id in unattended:
                    server = self.ring.current
                    fresh.append(wrapping.wrap_account(after, owner, account_id, WrapKind.SERVER, under=server, at=now))
        return fresh, sealed

    def _hold(self, user_id: str, data: Key) -> None:
        was_open = self.is_open(user_id)
        self.lock(user_id)
        self._open[user_id] = data
        if not was_open:
            self.on_unlocked(user_id)

    async def _row(self, user_id: str) -> VaultRow:
        row = await self.store.vault(user_id)
        if row is None:
            raise NotFound("there is no vault yet", hint="Make it with `evenkeel vault create`.")
        return row

    async def _wrap_of_secret(self, user_id: str) -> Wrap | None:
        found = [wrap for wrap in await self.store.wraps(user_id) if wrap.kind is WrapKind.SECRET]
        return found[0] if found else None

    async def _drop_secret(self, user_id: str) -> None:
        self.lock(user_id)
        await _drop_secret(self.store, user_id)

    async def _wrapped(self, data: Key, user_id: str, secret: str) -> Wrap:
        server, cost, now = self.ring.current, self._cost, self._wall()
        return await self._off_loop(
            lambda: wrapping.wrap_secret(data, user_id, secret, server=server, cost=cost, at=now)
        )

    def _coded(self, data: Key, user_id: str, codes: Sequence[str]) -> list[Wrap]:
        return [wrapping.wrap_code(data, user_id, code, at=self._wall()) for code in codes]

    async def _off_loop(self, work: Callable[[], T]) -> T:
        async with self._turns:
            return await asyncio.to_thread(work)

    def __repr__(self) -> str:
        return f"Vault({len(self._open)} open)"


class Resets:
    """Told of passwords that are reset where no vault can be open, and no key is at hand: the old one opens nothing."""

    def __init__(self, store: VaultStore) -> None:
        self._store = store

    async def proved(self, user: User, password: str) -> None:
        """Opens nothing: nobody is here to use it."""

    async def changed(self, user: User, *, old: str | None, new: str) -> None:
        """What the password opened is opened by a recovery code from now on."""
        row = await self._store.vault(user.id)
        if row is not None and row.secret is Secret.PASSWORD:
            await _drop_secret(self._store, user.id)


async def _drop_secret(store: VaultStore, user_id: str) -> None:
    gone = [wrap.id for wrap in await store.wraps(user_id) if wrap.kind is WrapKind.SECRET]
    if gone:
        await store.replace_wraps(user_id, gone, [])


def check_passphrase(passphrase: str) -> None:
    """Raises InvalidInput unless a passphrase has 12 to 256 characters."""
    if not SHORTEST <= len(passphrase) <= LONGEST:
        message = f"{SHORTEST} to {LONGEST} characters"
        raise InvalidInput("the passphrase cannot be used", errors=(FieldError("secret", message),))


def _opened_by(code: str, wraps: Sequence[Wrap]) -> tuple[Key, str]:
    """The data key and the wrap that this code opens. Raises Unauthenticated for a code that opens none."""
    for wrap in wraps:
        if wrap.kind is WrapKind.RECOVERY:
            try:
                return wrapping.open_code(wrap, code), wrap.id
            except Unauthenticated:
                continue
    raise Unauthenticated("this code does not open the vault, or has been used")
