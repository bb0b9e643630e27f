"""`evenkeel db` on real homes: what it does, what it says, and what it answers in JSON."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from evenkeel.cli.db import app
from evenkeel.storage.database import Database
from evenkeel.storage.migrations import HEAD
from evenkeel.storage.ownership import Owner
from evenkeel.storage.schema import is_up_to_date


@pytest.fixture(autouse=True)
def no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EVENKEEL_DATABASE_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_upgrade_sets_a_home_up_once(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    first = run("upgrade", "--home", home)
    assert first.exit_code == 0, first.output
    assert f"set up with schema {HEAD}" in first.output
    assert is_up_to_date(Database(tmp_path / "home"))
    assert "already up to date" in run("upgrade", "--home", home).output
    assert json.loads(run("upgrade", "--home", home, "--json").output) == {
        "before": HEAD,
        "schema": HEAD,
        "backup": None,
    }


def test_upgrade_leaves_a_running_home_alone(tmp_path: Path) -> None:
    with Owner(Database(tmp_path)):
        refused = run("upgrade", "--home", str(tmp_path))
    assert refused.exit_code == 1
    assert "in use by process" in refused.output


def test_status_describes_a_home(tmp_path: Path) -> None:
    home = str(tmp_path)
    empty = json.loads(run("status", "--home", home, "--json").output)
    assert (empty["schema"], empty["up_to_date"], empty["running"], empty["journal"]) == (None, False, False, None)
    with Owner(Database(tmp_path)) as owner:
        owner.journal("user-1").close()
        running = json.loads(run("status", "--home", home, "--json").output)
    assert running["running"]
    assert running["owner_pid"]
    assert running["journal_of_user-1"] == "sequence 0, epoch 1"
    assert "newest schema" in run("status", "--home", home).output


def test_a_wrong_url_is_explained(tmp_path: Path) -> None:
    for verb in ("upgrade", "status"):
        refused = run(verb, "--home", str(tmp_path), "--database-url", "mysql://host/name")
        assert refused.exit_code == 1
        assert "postgresql://" in refused.output


@pytest.mark.service
def test_postgresql_is_set_up_and_described(tmp_path: Path, postgres_url: str) -> None:
    arguments = ("--home", str(tmp_path), "--database-url", postgres_url)
    assert run("upgrade", *arguments).exit_code == 0
    status = json.loads(run("status", *arguments, "--json").output)
    assert status["up_to_date"]
    assert postgres_url not in json.dumps(status)


def test_an_unknown_revision_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    home = str(tmp_path)
    run("upgrade", "--home", home)
    refused = run("downgrade", "9999", "--home", home)
    assert refused.exit_code == 1
    assert "an older revision than" in refused.output
    assert "Go on?" not in refused.output
    assert "is lost" not in refused.output
