"""The vault's rows on both databases: what was sealed opens again, and no row holds a secret."""

from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.desk.sealing import Key, KeyRing
from evenkeel.desk.vault.ports import SealedCredential, Secret, VaultRow, Wrap
from evenkeel.desk.vault.safe import Safe, made
from evenkeel.domain.errors import Conflict, VaultLocked
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine, sync_engine
from evenkeel.storage.repositories import StoredVault
from evenkeel.storage.schema import upgrade
from evenkeel.storage.tables.people import users
from tests.desk.vault.memory import FIELDS, QUICK, VALUES

USER, PASSWORD = "user-1", "correct horse"


def people(database: Database) -> None:
    """A database with one person."""
    upgrade(database)
    row = {"id": USER, "username": "ann", "username_key": "ann", "role": "trader", "password_hash": "x"}
    with sync_engine(database, "migrate").begin() as connection:
        connection.execute(insert(users).values(row | {"is_active": True, "created_at": 1}))


async def test_what_is_sealed_opens_after_a_restart(database: Database) -> None:
    people(database)
    engine = async_engine(database)
    try:
        await _lives_through_restarts(database, engine)
    finally:
        await engine.dispose()


async def _lives_through_restarts(database: Database, engine: AsyncEngine) -> None:
    key = Key.random()

    def safe() -> Safe:
        store = StoredVault(engine, VaultRow, Wrap, SealedCredential)
        return made(store, KeyRing([key]), cost=QUICK)

    first = safe()
    codes = await first.vault.create(USER, PASSWORD, kind=Secret.PASSWORD)
    with pytest.raises(Conflict):
        await first.vault.create(USER, PASSWORD, kind=Secret.PASSWORD)
    for account_id in ("account-1", "account-2"):
        await first.credentials.save(USER, account_id, VALUES, fields=FIELDS)
    await first.credentials.set_unattended(USER, "account-1", unattended=True)
    second = safe()
    assert dict(await second.credentials.of("account-1")) == VALUES
    with pytest.raises(VaultLocked):
        await second.credentials.of("account-2")
    await second.vault.unlock_with_code(USER, codes[0])
    await second.credentials.save(USER, "account-2", {"api_key": "key-two"}, fields=FIELDS)
    renewed = await second.vault.rotate(USER, PASSWORD)
    third = safe()
    assert await third.vault.server_keys() == {key.fingerprint}
    assert await third.credentials.older_than(-1) != {}
    await third.vault.unlock_with_code(USER, renewed[0])
    assert dict(await third.credentials.of("account-2")) == VALUES | {"api_key": "key-two"}
    assert [one.version for one in await third.credentials.held("account-2")] == [2, 1]
    assert _rows_say_nothing(database, (*VALUES.values(), "key-two", PASSWORD, *codes, *renewed, key.material().hex()))
    await third.credentials.remove("account-2")
    assert await third.credentials.held("account-2") == ()
    await third.vault.forget(USER)
    assert await third.vault.store.all_wraps() == await third.vault.store.all_credentials() == ()


def _rows_say_nothing(database: Database, secrets: tuple[str, ...]) -> bool:
    """Whether no row of the vault holds one of these, as text or as its bytes."""
    with sync_engine(database, "read").connect() as connection:
        found = [
            str(tuple(row))
            for table in ("vaults", "vault_wraps", "account_credentials")
            for row in connection.execute(text(f"SELECT * FROM {table}"))
        ]
    assert len(found) > 10
    return not any(secret in row for secret in secrets for row in found)


def test_the_migration_goes_back_and_forth_with_rows(tmp_path: Path) -> None:
    """Down and up again keeps everything but the vault."""
    from alembic import command
    from alembic.config import Config

    from evenkeel.storage import migrations

    where = Database(tmp_path)
    people(where)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    engine = sync_engine(where, "migrate")
    with engine.begin() as connection:
        connection.execute(text("DROP VIEW IF EXISTS accounts_approx"))
        config.attributes["connection"] = connection
        for name in [row[0] for row in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'view'"))]:
            connection.execute(text(f"DROP VIEW {name}"))
        command.downgrade(config, "0018")
        assert connection.execute(text("SELECT count(*) FROM sqlite_master WHERE name = 'vaults'")).scalar() == 0
        command.upgrade(config, "0019")
        assert connection.execute(text("SELECT username FROM users")).scalar() == "ann"
