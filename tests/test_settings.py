"""Settings: where they come from, which wins, and all faults at once."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from evenkeel.domain.errors import InvalidInput
from evenkeel.settings import ALIASES, PREFIX, Settings, load
from tests.services import ROOT


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path


def test_defaults_bind_to_this_machine_and_keep_limits(home: Path) -> None:
    settings, notices = load(home, environ={})
    assert (settings.host, settings.port, settings.database_url) == ("127.0.0.1", 8000, None)
    limits = settings.limits()
    assert (limits.max_position_share, limits.daily_loss) == (Decimal("0.1"), Decimal("0.02"))
    assert (limits.max_trades_per_day, limits.allow_short) == (100, False)
    assert notices == ()


def test_command_line_beats_environment_beats_dotenv_beats_toml(home: Path) -> None:
    (home / "evenkeel.toml").write_text("port = 1\nspeed = '1'\nlog_level = 'debug'\nmax_daily_trades = 1\n")
    Path(".env").write_text("EVENKEEL_PORT=2\nEVENKEEL_SPEED=2\nEVENKEEL_LOG_LEVEL=error\n")
    environ = {"EVENKEEL_PORT": "3", "EVENKEEL_SPEED": "3"}
    settings, _ = load(home, environ=environ, overrides={"port": 4})
    assert (settings.port, settings.speed, settings.log_level, settings.max_daily_trades) == (
        4, Decimal(3), "error", 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("alias", "value"),
    [
        ("DATABASE_URL", "postgresql://h/d"),
        ("JWT_SECRET_KEY", "x" * 32),
        ("MAX_POSITION_SIZE", "0.25"),
        ("RISK_LIMIT", "0.05"),
        ("MAX_DAILY_TRADES", "7"),
        ("ENABLE_SHORT_SELLING", "True"),
    ],
)
def test_older_names_are_read_and_ours_win(home: Path, alias: str, value: str) -> None:
    ours = PREFIX + ALIASES[alias].upper()
    settings, notices = load(home, environ={alias: value})
    found = getattr(settings, ALIASES[alias])
    found = found.get_secret_value() if hasattr(found, "get_secret_value") else found
    assert str(found) == value
    assert notices == (f"{alias} is read as {ours}",)
    both, notices = load(home, environ={alias: "y" * 40 if "SECRET" in alias else value, ours: value})
    assert getattr(both, ALIASES[alias]) == getattr(settings, ALIASES[alias])
    assert "ignored" in notices[0]


def test_every_fault_is_told_at_once_by_the_name_that_was_written(home: Path) -> None:
    (home / "evenkeel.toml").write_text("speed = 'fast'\ncolour = 'red'\n")
    environ = {"EVENKEEL_PORT": "99999", "MAX_DAILY_TRADES": "none", "EVENKEEL_LOG_LEVEL": "loud"}
    with pytest.raises(InvalidInput) as refused:
        load(home, environ=environ, overrides={"feed": "magic"})
    fields = {fault.field for fault in refused.value.errors}
    assert fields == {
        "EVENKEEL_PORT", "MAX_DAILY_TRADES", "EVENKEEL_LOG_LEVEL", "--feed", "evenkeel.toml: speed",
        "evenkeel.toml: colour",
    }  # fmt: skip
    assert all(fault.message for fault in refused.value.errors)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "desk.example"])
def test_a_public_address_needs_an_explicit_word(home: Path, host: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load(home, environ={"EVENKEEL_HOST": host})
    (fault,) = refused.value.errors
    assert fault.field == "EVENKEEL_HOST"
    assert "allow_public" in fault.message
    assert load(home, environ={"EVENKEEL_HOST": host, "EVENKEEL_ALLOW_PUBLIC": "true"})[0].host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_loopback_needs_none(home: Path, host: str) -> None:
    assert load(home, environ={"EVENKEEL_HOST": host})[0].host == host


def test_a_secret_is_long_and_never_shown(home: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        load(home, environ={"JWT_SECRET_KEY": "canary"})
    assert "canary" not in str(refused.value) + repr(refused.value.errors)
    settings, _ = load(home, environ={"JWT_SECRET_KEY": "canary" * 6})
    assert "canary" not in repr(settings)


def test_the_demo_never_touches_a_database_of_the_surroundings(home: Path) -> None:
    environ = {"DATABASE_URL": "postgresql://live/desk", "EVENKEEL_DATABASE_URL": "postgresql://live/desk"}
    assert load(home, environ=environ, ignore_database=True)[0].database_url is None


@pytest.mark.parametrize("text", ["port = ", "\xff", "a = 1\na = 2", "[port]\nx = 1"])
def test_a_broken_file_is_a_clear_fault(home: Path, text: str) -> None:
    (home / "evenkeel.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidInput, match=r"evenkeel\.toml|settings"):
        load(home, environ={})


def test_host_names_are_a_list(home: Path) -> None:
    for text in ("desk.example, other.example", '["desk.example", "other.example"]'):
        assert load(home, environ={"EVENKEEL_HOSTS": text})[0].hosts == ("desk.example", "other.example")


def test_the_example_file_and_the_page_name_every_setting() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    written = set(re.findall(r"^#?([A-Z][A-Z_]+)=", example, re.MULTILINE))
    ours = {PREFIX + name.upper() for name in Settings.model_fields}
    assert written == ours | set(ALIASES)
    for name in written:
        assert f"`{name}`" in page
