"""Credentials: checked by what their broker declares, versioned, opened by the server where that was asked for."""

import pickle

import pytest

from evenkeel.desk.sealing import Key
from evenkeel.desk.vault.ports import Secret
from evenkeel.desk.vault.safe import Safe
from evenkeel.domain.errors import BrokerUnavailable, InvalidInput, NotFound, VaultLocked
from evenkeel.trading.brokers.credentials import CredentialField, NoCredentials, Opened, faults
from tests.desk.vault.memory import FIELDS, VALUES, MemoryVault, safe

USER, ACCOUNT = "user-1", "account-1"


async def opened(found: Safe) -> Safe:
    await found.vault.create(USER, "correct horse", kind=Secret.PASSWORD)
    return found


async def test_they_are_saved_and_renewed_by_name() -> None:
    found = await opened(safe())
    first = await found.credentials.save(USER, ACCOUNT, VALUES, fields=FIELDS)
    assert [(one.name, one.version) for one in first] == [("api_key", 1), ("api_secret", 1)]
    second = await found.credentials.save(USER, ACCOUNT, {"api_secret": "another"}, fields=FIELDS)
    assert [(one.name, one.version) for one in second] == [("api_key", 1), ("api_secret", 2)]
    assert dict(await found.credentials.of(ACCOUNT)) == VALUES | {"api_secret": "another"}
    await found.credentials.remove(ACCOUNT)
    with pytest.raises(BrokerUnavailable, match="no credentials"):
        await found.credentials.of(ACCOUNT)
    with pytest.raises(NotFound):
        await found.credentials.remove(ACCOUNT)
    await found.credentials.save(USER, ACCOUNT, VALUES, fields=FIELDS)
    assert dict(await found.credentials.of(ACCOUNT)) == VALUES


async def test_what_is_wrong_is_named_and_never_repeated() -> None:
    found = await opened(safe())
    canary = "CANARY!"
    with pytest.raises(InvalidInput) as refused:
        await found.credentials.save(USER, ACCOUNT, {"api_key": canary, "pin": canary}, fields=FIELDS)
    assert sorted(one.field for one in refused.value.errors) == ["values.api_key", "values.api_secret", "values.pin"]
    assert canary not in str(refused.value) + repr(refused.value.errors)
    assert await found.credentials.held(ACCOUNT) == ()


def test_each_field_is_checked() -> None:
    one = CredentialField(name="pin", label="PIN", pattern=r"\d{4}", longest=8)
    cases = {"": "empty", "  ": "empty", "123456789": "at most 8", "12\x004": "cannot be typed", "12a4": "no PIN"}
    for value, said in cases.items():
        assert said in faults((one,), {"pin": value})[0].message
    assert faults((one,), {"pin": "1234"}) == []
    assert "no credentials" in faults((), {"pin": "1234"})[0].message


async def test_the_server_opens_what_is_unattended_and_nothing_else() -> None:
    store, key = MemoryVault(), Key.random()
    found = await opened(safe(store, key))
    for account_id in (ACCOUNT, "account-2"):
        await found.credentials.save(USER, account_id, VALUES, fields=FIELDS)
    await found.credentials.set_unattended(USER, ACCOUNT, unattended=True)
    restarted = safe(store, key).credentials
    assert dict(await restarted.of(ACCOUNT)) == VALUES
    assert [await restarted.is_locked(one, USER) for one in (ACCOUNT, "account-2", "account-3")] == [False, True, False]
    with pytest.raises(VaultLocked):
        await restarted.of("account-2")
    with pytest.raises(VaultLocked):
        await restarted.set_unattended(USER, "account-2", unattended=True)
    await restarted.set_unattended(USER, ACCOUNT, unattended=False)
    with pytest.raises(VaultLocked):
        await restarted.of(ACCOUNT)
    with pytest.raises(NotFound):
        await restarted.set_unattended(USER, "account-3", unattended=True)


async def test_what_is_saved_while_unattended_stays_so() -> None:
    store, key = MemoryVault(), Key.random()
    found = await opened(safe(store, key))
    await found.credentials.save(USER, ACCOUNT, VALUES, fields=FIELDS)
    await found.credentials.set_unattended(USER, ACCOUNT, unattended=True)
    await found.credentials.save(USER, ACCOUNT, {"api_key": "key-two"}, fields=FIELDS)
    assert dict(await safe(store, key).credentials.of(ACCOUNT)) == VALUES | {"api_key": "key-two"}


async def test_ages_are_known() -> None:
    found = await opened(safe())
    credentials = found.credentials
    credentials._wall = lambda: 1_000
    await credentials.save(USER, ACCOUNT, VALUES, fields=FIELDS)
    credentials._wall = lambda: 2_000
    await credentials.save(USER, ACCOUNT, {"api_key": "key-two"}, fields=FIELDS)
    assert await credentials.older_than(500) == {ACCOUNT: 1_000}
    assert await credentials.older_than(1_500) == {}


async def test_a_broker_without_credentials_says_so() -> None:
    with pytest.raises(BrokerUnavailable):
        await NoCredentials().of(ACCOUNT)


def test_opened_ones_show_names_only() -> None:
    values = Opened(VALUES)
    assert dict(values) == VALUES
    assert len(values) == 2
    assert repr(values) == "Opened(api_key, api_secret)"
    with pytest.raises(TypeError):
        pickle.dumps(values)


async def test_without_the_servers_key_an_unattended_account_is_locked_like_any_other() -> None:
    store = MemoryVault()
    found = await opened(safe(store, Key.random()))
    await found.credentials.save(USER, ACCOUNT, VALUES, fields=FIELDS)
    await found.credentials.set_unattended(USER, ACCOUNT, unattended=True)
    elsewhere = safe(store, Key.random())
    assert await elsewhere.vault.renew_server_key(elsewhere.vault.ring) == 0
    assert await elsewhere.credentials.is_locked(ACCOUNT, USER)
    with pytest.raises(VaultLocked, match="which is not here"):
        await elsewhere.credentials.of(ACCOUNT)
