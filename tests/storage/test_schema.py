"""The schema: revisions lead to the tables as declared, newer ones are refused, a failed one leaves nothing behind."""

import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, insert, inspect, select, text
from sqlalchemy.dialects import sqlite

from evenkeel.domain.errors import Conflict, EvenkeelError, InexactMoney, NotReady
from evenkeel.storage import migrations, views
from evenkeel.storage.database import Database
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.journal.sqlite import SqliteReader
from evenkeel.storage.ownership import Owner
from evenkeel.storage.schema import current, is_up_to_date, require_up_to_date, upgrade
from evenkeel.storage.tables import METADATA, PROJECTED
from evenkeel.storage.tables.types import Exact
from tests.services import ROOT
from tests.storage.stories import SHARD, Story, commit
from tests.storage.test_projector import projected

VERSIONS = Path(migrations.__file__).parent


def test_the_list_of_revisions_is_alembics() -> None:
    config = Config()
    config.set_main_option("script_location", str(VERSIONS))
    config.set_main_option("path_separator", "os")
    found = [revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == migrations.REVISIONS


def test_an_upgrade_leads_to_the_tables_as_declared(database: Database) -> None:
    assert current(database) is None
    assert upgrade(database) is None
    assert current(database) == migrations.HEAD
    engine = sync_engine(database, "migrate")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert _without_journal(compare_metadata(context, METADATA)) == []
        assert set(views._definitions()) == set(inspect(connection).get_view_names())


@pytest.mark.parametrize("name", ["evenkeel.db", "journal.db"])
def test_a_file_whose_first_transaction_was_cut_off_is_as_it_was_before(name: str, tmp_path: Path) -> None:
    """Only a connection that writes can take back what a killed process began, and those that read come first."""
    home = _cut_off(name, tmp_path)
    if name == "journal.db":
        assert SqliteReader(home.journal_file, SHARD).shards() == ()
        return
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        sqlite3.connect(f"{home.file.as_uri()}?mode=ro", uri=True).execute("SELECT 1 FROM sqlite_master")
    assert current(home) is None
    upgrade(home)
    assert is_up_to_date(home)


def _cut_off(name: str, folder: Path) -> Database:
    """A home in which a process was killed while it wrote pages of a transaction that never ended."""
    born, found = folder / name, folder / "home" / name
    found.parent.mkdir()
    with closing(sqlite3.connect(born, isolation_level=None)) as writer:
        for statement in ("PRAGMA cache_size=1", "BEGIN", "CREATE TABLE big (text)"):
            writer.execute(statement)
        writer.executemany("INSERT INTO big VALUES (?)", [("x" * 2_000,)] * 100)
        for suffix in ("", "-journal"):
            shutil.copy(f"{born}{suffix}", f"{found}{suffix}")
    return Database(found.parent)


def _without_journal(found: list[object]) -> list[object]:
    """The journal keeps its own tables, apart from the migrations."""
    return [one for one in found if not re.search(r"Table\('(journal|journal_schema|leases|writers)'", str(one))]


def test_a_second_upgrade_does_nothing(database: Database) -> None:
    upgrade(database)
    require_up_to_date(database)
    assert upgrade(database) is None
    assert is_up_to_date(database)


def test_a_database_that_needs_an_upgrade_says_so(database: Database) -> None:
    with pytest.raises(NotReady, match="this version needs") as refused:
        require_up_to_date(database)
    assert refused.value.hint == "run `evenkeel db upgrade`"


def test_a_newer_schema_is_refused(database: Database) -> None:
    """F33: an old process does not touch what a newer one has upgraded."""
    upgrade(database)
    _stamp(database, "9999")
    for refuse in (upgrade, require_up_to_date):
        with pytest.raises(Conflict, match="schema 9999") as refused:
            refuse(database)
        assert "newer version" in (refused.value.hint or "")
    assert current(database) == "9999"


def test_a_failed_upgrade_leaves_everything_as_it_was(database: Database) -> None:
    """Something stands in the way of a late revision: none of those before it stays either."""
    engine = sync_engine(database, "migrate")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE strategy_configurations (x integer)"))
    with pytest.raises(EvenkeelError, match="left as it was"):
        upgrade(database)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["strategy_configurations"]
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE strategy_configurations"))
    upgrade(database)
    assert is_up_to_date(database)


def test_an_older_sqlite_file_is_backed_up_first(tmp_path: Path) -> None:
    where = Database(tmp_path)
    config = Config()
    config.set_main_option("script_location", str(VERSIONS))
    config.set_main_option("path_separator", "os")
    with sync_engine(where, "migrate").begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, migrations.REVISIONS[-2])
    backup = upgrade(where)
    assert backup is not None
    assert migrations.REVISIONS[-2] in backup.name
    assert backup.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (migrations.REVISIONS[-2],)
    assert is_up_to_date(where)


def _stamp(database: Database, revision: str) -> None:
    engine = sync_engine(database, "migrate")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_a_file_that_is_no_database_is_explained(tmp_path: Path) -> None:
    where = Database(tmp_path)
    where.file.write_text("not a database " * 500, encoding="utf-8")
    with pytest.raises(EvenkeelError, match="cannot be read"):
        upgrade(where)


def test_an_up_to_date_home_opens_without_sqlalchemy(tmp_path: Path) -> None:
    """The start of every command pays for what it imports."""
    where = Database(tmp_path)
    upgrade(where)
    code = (
        "import sys; from pathlib import Path; from evenkeel.storage.database import Database\n"
        "from evenkeel.storage.ownership import Owner; from evenkeel.storage.schema import upgrade\n"
        f"where = Database(Path({str(tmp_path)!r}))\n"
        "with Owner(where) as owner: upgrade(where); owner.journal('user-1').close()\n"
        "print([name for name in ('sqlalchemy', 'alembic', 'psycopg', 'asyncpg') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.strip() == "[]"


def test_every_projected_table_carries_its_shard_first() -> None:
    for table in PROJECTED:
        assert next(column.name for column in table.primary_key.columns) == "shard"


def test_views_show_approximations_beside_exact_amounts(database: Database) -> None:
    with Owner(database) as owner:
        upgrade(database)
        journal = owner.journal(SHARD)
        commit(journal, Story(3).tell(100).records)
        journal.close()
    projected(database)
    engine = sync_engine(database, "read")
    with engine.connect() as connection:
        for name in views._definitions():
            connection.execute(text(f"SELECT * FROM {name}")).all()
        row = connection.execute(text("SELECT amount, amount_approx FROM recent_transactions")).first()
    assert row is not None
    assert float(row.amount) == row.amount_approx


@pytest.mark.parametrize("folder", ["src/evenkeel/storage"])
def test_no_query_sums_orders_or_compares_a_decimal_in_sql(folder: str) -> None:
    """SQLite keeps decimals as text, where all of these go wrong."""
    columns = [column for table in METADATA.tables.values() for column in table.columns]
    names = {column.name for column in columns if isinstance(column.type, Exact)}
    assert "amount" in names
    exact = "|".join(sorted(names))
    wrong = re.compile(
        rf"func\.(?:sum|min|max|avg|total)\([^)]*\.({exact})\b|\.c\.({exact})\.(?:asc|desc)\(|\.c\.({exact})\s*[<>=!]=?"
        rf"|\b(?:sum|min|max|avg|total)\(\s*(?:\w+\.)?({exact})\s*\)|order by[^,;)]*\b({exact})\b",
        re.IGNORECASE,
    )
    for path in sorted((ROOT / folder).rglob("*.py")):
        found = wrong.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.name}: {found}"


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(
    lambda value: abs(value.adjusted()) < 60 and value.as_tuple().exponent not in ("n", "N", "F")
)


@given(value=DECIMALS)
def test_decimals_round_trip_as_text(value: Decimal) -> None:
    kind = Exact()
    stored = kind.process_bind_param(value, sqlite.dialect())
    back = kind.process_result_value(stored, sqlite.dialect())
    assert back == value
    assert "E" not in stored


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity")])
def test_what_is_no_number_is_not_stored(value: Decimal) -> None:
    with pytest.raises(InexactMoney):
        Exact().process_bind_param(value, sqlite.dialect())


def test_decimals_round_trip_in_the_database(database: Database) -> None:
    values = [Decimal(text_) for text_ in ("0", "-0.00", "1.50", "1E+3", "0.00000001", "-" + "9" * 38, "0." + "1" * 38)]
    table = Table("amounts", MetaData(), Column("amount", Exact))
    engine = sync_engine(database, "migrate")
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(insert(table), [{"amount": value} for value in values])
        found = [row.amount for row in connection.execute(select(table))]
    assert found == values
    assert [str(value) for value in found[1:3]] == ["0.00", "1.50"]
