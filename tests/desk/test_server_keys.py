"""The server's keys of a home: made where nothing hangs on another, never in the place of one that is missing."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import Table, insert

from evenkeel.desk.sealing import Key, KeyRing
from evenkeel.desk.server_keys import (
    HomeKeys,
    KeysMissing,
    Needed,
    fingerprints,
    keys_to_start,
    needed_by_copy,
    needs,
    server_secrets,
)
from evenkeel.domain.errors import InvalidInput
from evenkeel.storage.database import Database
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.schema import upgrade
from evenkeel.storage.secrets import Secrets, ensure_secrets, read_secrets
from evenkeel.storage.tables.access import api_keys
from evenkeel.storage.tables.people import second_factors, users
from evenkeel.storage.tables.vault import vault_wraps

PERSON = {"id": "ann", "username": "ann", "username_key": "ann", "role": "trader", "password_hash": "h",
          "is_active": True, "created_at": 1}  # fmt: skip
OLD, OTHER = Key(bytes(range(32))), Key(bytes(32))
VAULT, FACTORS, SIGNING = "vault", "second factors", "signing of API keys"


@pytest.fixture
def home(tmp_path: Path) -> Database:
    found = Database(tmp_path / "home")
    found.home.mkdir()
    upgrade(found)
    put(found, users, PERSON)
    return found


def put(where: Database, table: Table, row: Mapping[str, object]) -> None:
    engine = sync_engine(where, "migrate")
    with engine.begin() as connection:
        connection.execute(insert(table), [row])
    engine.dispose()


def factor(where: Database, key: Key = OLD, *, confirmed: bool = True) -> None:
    sealed = KeyRing([key]).derived(FACTORS).seal(b"x", about=("second factor", "ann"))
    at = 1 if confirmed else None
    put(
        where, second_factors, {"user_id": "ann", "sealed": sealed, "created_at": 1, "confirmed_at": at, "last_step": 0}
    )


def wrap(where: Database, fingerprint: str = OLD.fingerprint) -> None:
    row = {"id": fingerprint, "user_id": "ann", "kind": "secret", "account_id": "", "envelope": "1.x.y"}
    put(where, vault_wraps, row | {"created_at": 1, "server_key": fingerprint})


def api_key(where: Database, fingerprint: str = OLD.fingerprint, *, ends: int = 2**62, revoked: int = 0) -> None:
    row = {"id": fingerprint or "k", "user_id": "ann", "name": "k", "prefix": fingerprint, "secret_hash": "h"}
    terms = {"scope": "read", "accounts": [], "networks": [], "signed": False, "created_at": 1, "expires_at": ends}
    put(where, api_keys, row | terms | {"revoked_at": revoked or None, "server_key": fingerprint})


def test_a_fresh_home_gets_its_keys_once(home: Database) -> None:
    first = keys_to_start(home)
    assert (len(first.server), len(first.token), first.missing) == (1, 32, ())
    assert keys_to_start(home) == first
    assert first.server[0].hex() not in repr(first)


@pytest.mark.parametrize(
    ("need", "named"),
    [
        (factor, f"{OLD.fingerprint} ({FACTORS})"),
        (wrap, f"{OLD.fingerprint} ({VAULT})"),
        (api_key, f"{OLD.fingerprint} ({SIGNING})"),
        (lambda home: api_key(home, ""), f"a key that nothing names ({SIGNING})"),
    ],
)
@pytest.mark.parametrize("there", ["nothing", "no server key"])
def test_no_key_is_made_in_the_place_of_one_that_something_needs(
    home: Database, need: object, named: str, there: str
) -> None:
    assert callable(need)
    need(home)
    if there != "nothing":
        ensure_secrets(home.home, sealing=False)
    before = read_secrets(home.home)
    with pytest.raises(KeysMissing) as refused:
        keys_to_start(home)
    assert named in refused.value.message
    assert "vault keys --from" in (refused.value.hint or "")
    assert "vault keys --new" in (refused.value.hint or "")
    assert read_secrets(home.home) == before
    assert not fingerprints(home.home)


def test_what_has_ended_or_was_never_begun_needs_no_key(home: Database) -> None:
    factor(home, confirmed=False)
    api_key(home, "0" * 16, ends=1)
    api_key(home, "1" * 16, revoked=1)
    assert keys_to_start(home).missing == ()


def test_a_key_that_is_missing_beside_others_is_named_and_the_desk_starts(home: Database) -> None:
    factor(home)
    wrap(home)
    started = keys_to_start(home, (OTHER.material(),))
    assert started.missing == (Needed(OLD.fingerprint, (VAULT, FACTORS), is_here=False),)
    assert started.ring.fingerprints == (OTHER.fingerprint,)
    assert started.fingerprints == (OTHER.fingerprint, OLD.fingerprint)
    assert needed_by_copy(home, (OTHER.material(),)) == started.fingerprints, "a backup says that it needs both"
    assert needed_by_copy(Database(home.home / "nothing"), (OTHER.material(),)) == (OTHER.fingerprint,)
    assert server_secrets(home.home) == (), "those of the settings are in force: the file holds none"


def test_rows_that_name_the_key_of_one_purpose_need_the_servers(home: Database) -> None:
    """As homes had it before one fingerprint stood for a key everywhere."""
    wrap(home, OLD.derived(VAULT).fingerprint)
    secrets = (OTHER.material(), OLD.material())
    assert needs(home, secrets) == (
        Needed(OTHER.fingerprint, (), is_here=True), Needed(OLD.fingerprint, (VAULT,), is_here=True)
    )  # fmt: skip
    assert [one.is_here for one in needs(home, secrets[:1])] == [True, False]


def test_an_api_key_that_names_no_server_key_may_need_any(home: Database) -> None:
    api_key(home, "")
    assert [one.needed_by for one in needs(home, (OTHER.material(), OLD.material()))] == [(SIGNING,), (SIGNING,)]


def test_with_all_keys_in_the_settings_no_file_is_made(home: Database) -> None:
    found = keys_to_start(home, (OLD.material(),), token=b"t" * 32)
    assert found == HomeKeys((OLD.material(),), b"t" * 32)
    assert read_secrets(home.home) is None
    token = keys_to_start(home, (OLD.material(),)).token
    assert read_secrets(home.home) == Secrets(token.hex())


def test_a_damaged_file_is_not_replaced(home: Database) -> None:
    path = home.home / "secrets.json"
    path.write_text("{", encoding="utf-8")
    path.chmod(0o600)
    for ask in (keys_to_start, lambda where: fingerprints(where.home)):
        with pytest.raises(InvalidInput, match="does not hold"):
            ask(home)
    assert path.read_text(encoding="utf-8") == "{"
