"""The schema goes down to every older revision with data in it, and up again: what is projected comes out the same."""

from pathlib import Path

import pytest
from sqlalchemy import insert, inspect, select, text

from evenkeel.domain.errors import Conflict, InvalidInput
from evenkeel.storage.database import Database
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.migrations import HEAD, REVISIONS
from evenkeel.storage.ownership import Owner
from evenkeel.storage.schema import current, downgrade, is_up_to_date, upgrade
from evenkeel.storage.tables.people import users
from evenkeel.storage.tables.system import projection_cursors
from evenkeel.storage.tables.trading import orders
from tests.storage.stories import SHARD
from tests.storage.test_projector import everything, projected, told

OLDER = REVISIONS[:-1]
PERSON = {
    "id": SHARD, "username": "anna", "username_key": "anna", "role": "owner", "password_hash": "$argon2id$x",
    "is_active": True, "created_at": 1,
}  # fmt: skip


@pytest.fixture
def filled(database: Database) -> Database:
    """A home that has traded, and whose owner may sign in."""
    told(database, seed=5, steps=120)
    assert projected(database).differences == []
    with sync_engine(database, "migrate").begin() as connection:
        connection.execute(insert(users), [PERSON])
    return database


def test_it_goes_down_to_every_revision_and_up_again(filled: Database) -> None:
    before = everything(filled)
    for revision in reversed(OLDER):
        copy = downgrade(filled, revision)
        assert current(filled) == revision
        assert (copy is not None) is filled.is_sqlite
        upgrade(filled)
        assert is_up_to_date(filled)
        assert projected(filled).differences == []
        assert everything(filled) == before, revision
        with sync_engine(filled, "read").connect() as connection:
            assert connection.execute(select(users.c.username, users.c.password_hash)).all() == [
                ("anna", "$argon2id$x")
            ]


def test_step_by_step_down_leaves_only_what_the_first_had(filled: Database) -> None:
    for revision in reversed(OLDER):
        downgrade(filled, revision)
    engine = sync_engine(filled, "read")
    with engine.connect() as connection:
        found = set(inspect(connection).get_table_names())
        assert connection.execute(text("SELECT username FROM users")).scalar_one() == "anna"
        assert inspect(connection).get_view_names() == []
    assert found - {"journal", "journal_schema", "leases", "writers"} == {"alembic_version", "users", "refresh_tokens"}


def test_views_of_an_older_schema_show_what_is_there(filled: Database) -> None:
    downgrade(filled, "0016")
    with sync_engine(filled, "read").connect() as connection:
        names = set(inspect(connection).get_view_names())
        assert {"accounts_approx", "orders_approx", "walkforward_trades"} <= names
        assert "kept_totals_approx" not in names
        for name in names:
            connection.execute(text(f"SELECT * FROM {name}")).all()


def test_projections_are_made_again_by_whatever_opens_it_next(filled: Database) -> None:
    downgrade(filled, "0010")
    with sync_engine(filled, "read").connect() as connection:
        assert connection.execute(select(projection_cursors.c.version)).all() == []
        assert connection.execute(select(orders.c.id)).all() == []


def test_only_an_older_revision_will_do(database: Database, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be taken back"):
        downgrade(database, "0001")
    upgrade(database)
    for wrong in (HEAD, "0099", "base"):
        with pytest.raises(InvalidInput, match="cannot be taken back") as refused:
            downgrade(database, wrong)
        assert f"{OLDER[0]} to {OLDER[-1]}" in refused.value.errors[0].message
    assert current(database) == HEAD
    assert not list(tmp_path.rglob("backups"))


def test_a_newer_schema_is_left_alone(database: Database) -> None:
    upgrade(database)
    with sync_engine(database, "migrate").begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with Owner(database), pytest.raises(Conflict, match="schema 9999"):
        downgrade(database, "0010")
