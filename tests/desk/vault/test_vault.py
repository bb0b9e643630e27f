"""A person's vault: opened by what they know or a recovery code, locked by a restart or a reset, rewrapped, rotated."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from evenkeel.desk.ports import User
from evenkeel.desk.sealing import Key, KeyRing
from evenkeel.desk.vault import wrapping
from evenkeel.desk.vault.ports import Secret, WrapKind
from evenkeel.desk.vault.safe import Safe
from evenkeel.desk.vault.vault import Resets, Vault
from evenkeel.desk.vault.wrapping import CODES, Cost
from evenkeel.domain.errors import Conflict, InvalidInput, NotFound, SealBroken, Unauthenticated, VaultLocked
from tests.desk.vault.memory import FIELDS, QUICK, VALUES, MemoryVault, safe

USER, OTHER = User("user-1", "ann", "trader", "hash"), User("user-2", "bob", "trader", "hash")
PASSWORD, NEW = "correct horse", "battery staple"
ACCOUNT = "account-1"


async def opened(found: Safe, *, kind: Secret = Secret.PASSWORD) -> tuple[str, ...]:
    """A vault with one account's credentials; its recovery codes."""
    codes = await found.vault.create(USER.id, PASSWORD, kind=kind)
    await found.credentials.save(USER.id, ACCOUNT, VALUES, fields=FIELDS)
    return codes


async def test_a_vault_begins_open_and_its_codes_are_shown_once() -> None:
    found = safe()
    codes = await opened(found)
    assert len(set(codes)) == CODES
    assert all(len(code.replace("-", "")) == 32 for code in codes)
    standing = await found.vault.standing(USER.id)
    assert (standing.unlocked, standing.opens, standing.codes) == (True, True, CODES)
    assert dict(await found.credentials.of(ACCOUNT)) == VALUES
    with pytest.raises(Conflict, match="already"):
        await found.vault.create(USER.id, PASSWORD, kind=Secret.PASSWORD)


async def test_without_a_vault_everything_says_so() -> None:
    found = safe()
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: found.vault.standing(USER.id),
        lambda: found.vault.unlock(USER.id, PASSWORD),
        lambda: found.vault.unlock_with_code(USER.id, wrapping.new_code()),
        lambda: found.vault.rotate(USER.id, PASSWORD),
        lambda: found.vault.forget(USER.id),
        lambda: found.credentials.save(USER.id, ACCOUNT, VALUES, fields=FIELDS),
    ]
    for call in calls:
        with pytest.raises(NotFound, match="no vault"):
            await call()
    await found.vault.proved(USER, PASSWORD)
    await found.vault.changed(USER, PASSWORD, NEW)


async def test_a_restart_locks_it_and_a_password_opens_it_again() -> None:
    store, key = MemoryVault(), Key.random()
    await opened(safe(store, key))
    again = safe(store, key)
    with pytest.raises(VaultLocked, match="attended"):
        await again.credentials.of(ACCOUNT)
    with pytest.raises(Unauthenticated):
        await again.vault.unlock(USER.id, "something else")
    assert not again.vault.is_open(USER.id)
    told: list[str] = []
    again.vault.on_unlocked = told.append
    await again.vault.proved(USER, PASSWORD)
    assert dict(await again.credentials.of(ACCOUNT)) == VALUES
    assert told == [USER.id]


async def test_locking_overwrites_the_key() -> None:
    found = safe()
    await opened(found)
    key = found.vault.data_key(USER.id)
    found.vault.lock(USER.id)
    assert key.is_wiped
    for use in (found.credentials.of(ACCOUNT), found.vault.renew_codes(USER.id)):
        with pytest.raises(VaultLocked):
            await use
    found.vault.lock(USER.id)


async def test_another_server_key_does_not_open_it_but_a_recovery_code_does() -> None:
    store = MemoryVault()
    codes = await opened(safe(store, Key.random()))
    elsewhere = safe(store, Key.random())
    with pytest.raises(SealBroken, match="not here"):
        await elsewhere.vault.unlock(USER.id, PASSWORD)
    await elsewhere.vault.proved(USER, PASSWORD)
    assert not elsewhere.vault.is_open(USER.id)
    await elsewhere.vault.unlock_with_code(USER.id, codes[0].lower().replace("-", " "), PASSWORD)
    assert dict(await elsewhere.credentials.of(ACCOUNT)) == VALUES
    elsewhere.vault.lock(USER.id)
    await elsewhere.vault.unlock(USER.id, PASSWORD)


async def test_a_recovery_code_opens_once() -> None:
    store, key = MemoryVault(), Key.random()
    codes = await opened(safe(store, key))
    again = safe(store, key)
    await again.vault.unlock_with_code(USER.id, codes[3])
    assert (await again.vault.standing(USER.id)).codes == CODES - 1
    for code in (codes[3], wrapping.new_code()):
        with pytest.raises(Unauthenticated, match="has been used"):
            await again.vault.unlock_with_code(USER.id, code)
    for wrong in ("", "ABCD", "1" * 32):
        with pytest.raises(InvalidInput, match="no recovery code"):
            await again.vault.unlock_with_code(USER.id, wrong)
    renewed = await again.vault.renew_codes(USER.id)
    with pytest.raises(Unauthenticated):
        await again.vault.unlock_with_code(USER.id, codes[0])
    await again.vault.unlock_with_code(USER.id, renewed[0])


async def test_a_changed_password_opens_it_and_the_old_one_does_not() -> None:
    found = safe()
    await opened(found)
    found.vault.lock(USER.id)
    await found.vault.changed(USER, PASSWORD, NEW)
    found.vault.lock(USER.id)
    with pytest.raises(Unauthenticated):
        await found.vault.unlock(USER.id, PASSWORD)
    await found.vault.unlock(USER.id, NEW)
    assert dict(await found.credentials.of(ACCOUNT)) == VALUES


async def test_a_reset_password_opens_nothing_until_a_recovery_code_does() -> None:
    """Whoever resets a password has not shown that they may have the credentials, even where the vault stood open."""
    found = safe()
    codes = await opened(found)
    await found.vault.changed(USER, None, NEW)
    assert not found.vault.is_open(USER.id)
    assert not (await found.vault.standing(USER.id)).opens
    await found.vault.proved(USER, NEW)
    with pytest.raises(Conflict, match="was reset") as told:
        await found.vault.unlock(USER.id, NEW)
    assert "enter the credentials again" in (told.value.hint or "")
    await found.vault.unlock_with_code(USER.id, codes[0], NEW)
    found.vault.lock(USER.id)
    await found.vault.unlock(USER.id, NEW)


async def test_a_passphrase_is_apart_from_the_password() -> None:
    found = safe()
    with pytest.raises(InvalidInput, match="passphrase"):
        await found.vault.create(USER.id, "too short", kind=Secret.PASSPHRASE)
    await opened(found, kind=Secret.PASSPHRASE)
    found.vault.lock(USER.id)
    await found.vault.proved(USER, PASSWORD)
    await found.vault.changed(USER, None, NEW)
    assert (await found.vault.standing(USER.id)).opens
    await found.vault.change_secret(USER.id, PASSWORD, NEW, kind=Secret.PASSWORD)
    assert (await found.vault.standing(USER.id)).secret is Secret.PASSWORD
    found.vault.lock(USER.id)
    await found.vault.proved(USER, NEW)
    assert dict(await found.credentials.of(ACCOUNT)) == VALUES


async def test_rotation_replaces_every_key_and_keeps_every_value() -> None:
    store, key = MemoryVault(), Key.random()
    found = safe(store, key)
    old = await opened(found)
    await found.credentials.save(USER.id, "account-2", VALUES | {"host": "example"}, fields=FIELDS)
    await found.credentials.set_unattended(USER.id, "account-2", unattended=True)
    before = {*(one.envelope for one in store.rows.values()), *(one.envelope for one in store.sealed.values())}
    with pytest.raises(Unauthenticated):
        await found.vault.rotate(USER.id, "something else")
    new = await found.vault.rotate(USER.id, PASSWORD)
    after = {*(one.envelope for one in store.rows.values()), *(one.envelope for one in store.sealed.values())}
    assert before.isdisjoint(after)
    assert dict(await found.credentials.of(ACCOUNT)) == VALUES
    again = safe(store, key)
    assert dict(await again.credentials.of("account-2")) == VALUES | {"host": "example"}
    with pytest.raises(VaultLocked):
        await again.credentials.of(ACCOUNT)
    with pytest.raises(Unauthenticated):
        await again.vault.unlock_with_code(USER.id, old[0])
    await again.vault.unlock_with_code(USER.id, new[0])
    assert [one.version for one in await again.credentials.held(ACCOUNT)] == [1, 1]


async def test_a_new_server_key_takes_over_and_says_when_the_old_one_is_free() -> None:
    store, old, new = MemoryVault(), Key.random(), Key.random()
    first = safe(store, old)
    await opened(first)
    await first.credentials.set_unattended(USER.id, ACCOUNT, unattended=True)
    assert await first.vault.server_keys() == {old.fingerprint}
    second = safe(store, new, old)
    assert await second.vault.renew_server_key(second.vault.ring) == 1
    assert await second.vault.server_keys() == {old.fingerprint, new.fingerprint}
    await second.vault.unlock(USER.id, PASSWORD)
    assert await second.vault.server_keys() == {new.fingerprint}
    third = safe(store, new)
    assert dict(await third.credentials.of(ACCOUNT)) == VALUES
    await third.vault.unlock(USER.id, PASSWORD)
    assert await third.vault.renew_server_key(third.vault.ring) == 0


async def test_a_vault_whose_rows_name_the_key_of_the_vault_itself_opens_and_names_the_servers_from_then_on() -> None:
    """As homes had it before one fingerprint stood for a key everywhere."""
    store, key = MemoryVault(), Key.random()
    own = Vault(store, KeyRing([key.derived("vault")]), cost=QUICK)
    await own.create(USER.id, PASSWORD, kind=Secret.PASSWORD)
    assert await own.server_keys() == {key.derived("vault").fingerprint}
    await safe(store, key).vault.unlock(USER.id, PASSWORD)
    assert await own.server_keys() == {key.fingerprint}


async def test_a_reset_by_another_process_is_found_out_when_sessions_end() -> None:
    store, key = MemoryVault(), Key.random()
    found = safe(store, key)
    await opened(found)
    assert not await found.vault.recheck(USER.id)
    assert found.vault.is_open(USER.id)
    elsewhere = Resets(store)
    await elsewhere.proved(USER, PASSWORD)
    await elsewhere.changed(OTHER, old=None, new=NEW)
    await elsewhere.changed(USER, old=None, new=NEW)
    assert await found.vault.recheck(USER.id)
    assert not found.vault.is_open(USER.id)
    assert not await found.vault.recheck(USER.id)
    with pytest.raises(Conflict, match="reset"):
        await found.vault.unlock(USER.id, NEW)


async def test_a_vault_with_words_of_its_own_stays_open_when_the_password_is_reset() -> None:
    store = MemoryVault()
    found = safe(store, Key.random())
    await opened(found, kind=Secret.PASSPHRASE)
    await Resets(store).changed(USER, old=None, new=NEW)
    assert not await found.vault.recheck(USER.id)
    assert found.vault.is_open(USER.id)


async def test_dearer_guesses_are_taken_up_at_the_next_unlocking() -> None:
    store, key = MemoryVault(), Key.random()
    found = safe(store, key)
    await opened(found)
    found.vault._cost = Cost(time=2, memory=16, lanes=1)
    await found.vault.unlock(USER.id, PASSWORD)
    assert {one.cost for one in store.rows.values() if one.kind is WrapKind.SECRET} == {"t=2,m=16,p=1"}
    await found.vault.unlock(USER.id, PASSWORD)


async def test_forgetting_leaves_nothing() -> None:
    store = MemoryVault()
    found = safe(store)
    await opened(found)
    await found.vault.forget(USER.id)
    assert (store.vaults, store.rows, store.sealed) == ({}, {}, {})
    await opened(found)


async def test_rows_cannot_be_swapped() -> None:
    """A wrap or credential of another person, account, name or version does not open in the place of one's own."""
    store = MemoryVault()
    found = safe(store)
    await opened(found)
    await found.vault.create(OTHER.id, PASSWORD, kind=Secret.PASSWORD)
    await found.credentials.save(OTHER.id, "account-2", VALUES, fields=FIELDS)
    key, secret = store.sealed[ACCOUNT, "api_key"], store.sealed[ACCOUNT, "api_secret"]
    theirs = store.sealed["account-2", "api_secret"]
    swaps = [
        msgspec.structs.replace(secret, envelope=key.envelope),
        msgspec.structs.replace(secret, envelope=theirs.envelope),
        msgspec.structs.replace(secret, version=2),
        msgspec.structs.replace(secret, user_id=OTHER.id),
    ]
    for swapped in swaps:
        store.sealed[ACCOUNT, "api_secret"] = swapped
        with pytest.raises(SealBroken):
            await found.credentials.of(ACCOUNT)
    mine = next(one for one in store.rows.values() if one.kind is WrapKind.DATA and one.account_id == ACCOUNT)
    other = next(one for one in store.rows.values() if one.kind is WrapKind.DATA and one.account_id == "account-2")
    store.sealed[ACCOUNT, "api_secret"] = secret
    store.rows[mine.id] = msgspec.structs.replace(mine, envelope=other.envelope)
    with pytest.raises(SealBroken):
        await found.credentials.of(ACCOUNT)


def test_a_wrap_says_how_it_was_made() -> None:
    data, server = Key.random(), Key.random()
    wrap = wrapping.wrap_secret(data, USER.id, PASSWORD, server=server, cost=QUICK, at=1)
    ring = KeyRing([server])
    assert wrapping.open_secret(wrap, PASSWORD, ring).fingerprint == data.fingerprint
    assert Cost.read(wrap.cost) == QUICK
    for text in (None, "", "t=1", "t=x,m=1,p=1"):
        with pytest.raises(SealBroken, match="how its key is made"):
            Cost.read(text)
    assert str(Cost()) == "t=3,m=65536,p=4"


async def test_nothing_that_is_shown_holds_a_secret() -> None:
    found = safe()
    codes = await opened(found)
    values = await found.credentials.of(ACCOUNT)
    shown = f"{found!r} {found.vault!r} {found.credentials!r} {values!r} {values} {found.vault.ring!r}"
    for secret in (*VALUES.values(), PASSWORD, *codes):
        assert secret not in shown


async def test_a_password_changed_after_a_reset_leaves_the_vault_to_its_recovery_codes() -> None:
    found = safe()
    codes = await opened(found)
    await found.vault.changed(USER, None, NEW)
    await found.vault.changed(USER, NEW, "a third one")
    assert not (await found.vault.standing(USER.id)).opens
    await found.vault.unlock_with_code(USER.id, codes[0], "a third one")
    assert (await found.vault.standing(USER.id)).opens


async def test_a_rotation_puts_nothing_back_that_was_taken_away_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    found = safe()
    await opened(found)
    rotate, removing = found.vault.store.rotate, []

    async def slowly(*given: Any) -> None:
        removing.append(asyncio.create_task(found.credentials.remove(ACCOUNT)))
        await asyncio.sleep(0.01)
        await rotate(*given)

    monkeypatch.setattr(found.vault.store, "rotate", slowly)
    await found.vault.rotate(USER.id, PASSWORD)
    await removing[0]
    assert await found.credentials.held(ACCOUNT) == ()
