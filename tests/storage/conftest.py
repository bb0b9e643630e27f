"""Every journal and projection test runs on SQLite and, where it is marked `service`, on a real PostgreSQL."""

from pathlib import Path

import pytest

from evenkeel.storage.database import Database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """The database of a fresh home."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Database(home, url)
