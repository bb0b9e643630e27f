"""Settings: where they come from, which wins, what is refused, and that the example and the page name them all."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from evenkeel.domain.accounts import Limits
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.limits import HOUSE
from evenkeel.settings import ALIASES, OPTIONS, PREFIX, Settings, load
from tests.services import ROOT

LONG = "k" * 32


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, so that no `.env` of the developer's is read."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(home: Path, **environ: str) -> Settings:
    return load(home, environ=environ)[0]


def notices(home: Path, **environ: str) -> tuple[str, ...]:
    return load(home, environ=environ)[1]


def faults(home: Path, **environ: str) -> dict[str, str]:
    with pytest.raises(InvalidInput, match="the settings are not valid") as refused:
        load(home, environ=environ)
    return {fault.field: fault.message for fault in refused.value.errors}


def test_defaults_are_safe(folder: Path) -> None:
    found = read(folder)
    assert (found.host, found.port, found.database_url, found.feed) == ("127.0.0.1", 8000, None, "none")
    assert found.limits() == replace(Limits(), **HOUSE)
    assert notices(folder) == ()


def test_limits_are_those_of_accounts_opened_from_now_on(folder: Path) -> None:
    found = read(
        folder,
        EVENKEEL_MAX_POSITION_SIZE="0.25",
        EVENKEEL_RISK_LIMIT="0.05",
        EVENKEEL_MAX_DAILY_TRADES="7",
        EVENKEEL_ENABLE_SHORT_SELLING="true",
    )
    limits = found.limits()
    assert (limits.max_position_share, limits.daily_loss) == (Decimal("0.25"), Decimal("0.05"))
    assert (limits.max_trades_per_day, limits.allow_short, limits.cash_check) == (7, True, True)


def test_the_nearer_source_wins(folder: Path) -> None:
    (folder / "evenkeel.toml").write_text('port = 1\nhost = "localhost"\nspeed = 3\nlog_level = "error"\n')
    (folder / ".env").write_text("EVENKEEL_PORT=2\nEVENKEEL_SPEED=4\n# EVENKEEL_HOST=::1\nOTHER=x\n")
    found, _ = load(folder, environ={"EVENKEEL_PORT": "3"}, overrides={"log_level": "debug"})
    assert (found.port, found.speed, found.host, found.log_level) == (3, Decimal(4), "localhost", "debug")


@pytest.mark.parametrize(("alias", "field"), ALIASES.items())
def test_names_from_elsewhere_are_understood(folder: Path, alias: str, field: str) -> None:
    values = {"DATABASE_URL": "postgresql://u@h/d", "JWT_SECRET_KEY": LONG, "ENABLE_SHORT_SELLING": "True"}
    value = values.get(alias, "0.5" if "DAILY" not in alias else "5")
    ours = PREFIX + field.upper()
    assert getattr(read(folder, **{alias: value}), field) == getattr(read(folder, **{ours: value}), field)
    assert notices(folder, **{alias: value}) == (f"{alias} is read as {ours}",)
    assert notices(folder, **{alias: "nonsense", ours: value}) == (f"{alias} is ignored: {ours} is set",)


def test_ours_wins_from_any_source(folder: Path) -> None:
    (folder / ".env").write_text("EVENKEEL_RISK_LIMIT=0.03\n")
    assert read(folder, RISK_LIMIT="0.5").risk_limit == Decimal("0.03")
    assert notices(folder, RISK_LIMIT="0.5") == ("RISK_LIMIT is ignored: EVENKEEL_RISK_LIMIT is set",)


def test_a_misspelt_name_is_told(folder: Path) -> None:
    assert notices(folder, EVENKEEL_PROT="1") == ("EVENKEEL_PROT is not a setting: did you mean EVENKEEL_PORT?",)
    assert notices(folder, EVENKEEL_HOME="/x", EVENKEEL_PASSWORD="y") == ()
    (folder / "evenkeel.toml").write_text("prot = 1\n")
    assert faults(folder) == {"evenkeel.toml: prot": "there is no such setting: did you mean port?"}


def test_every_fault_is_told_at_once_by_the_name_it_was_given(folder: Path) -> None:
    (folder / "evenkeel.toml").write_text('log_level = "loud"\n')
    (folder / ".env").write_text("EVENKEEL_SPEED=fast\n")
    found = faults(folder, EVENKEEL_PORT="70000", RISK_LIMIT="2", EVENKEEL_ENABLE_SHORT_SELLING="perhaps")
    assert set(found) == {
        "evenkeel.toml: log_level",
        "EVENKEEL_SPEED",
        "EVENKEEL_PORT",
        "RISK_LIMIT",
        "EVENKEEL_ENABLE_SHORT_SELLING",
    }
    assert found["EVENKEEL_PORT"] == "input should be less than or equal to 65535; it is '70000'"
    with pytest.raises(InvalidInput) as refused:
        load(folder, environ={}, overrides={"allow_public": "x"})
    assert "--allow-public" in {fault.field for fault in refused.value.errors}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_POSITION_SIZE", "0"),
        ("MAX_POSITION_SIZE", "1.01"),
        ("MAX_POSITION_SIZE", "nan"),
        ("RISK_LIMIT", "-0.1"),
        ("MAX_DAILY_TRADES", "0"),
        ("MAX_DAILY_TRADES", "1.5"),
        ("SPEED", "-1"),
        ("SPEED", "inf"),
        ("PORT", "-1"),
        ("FEED", "real"),
        ("LOG_FORMAT", "xml"),
        ("JWT_SECRET_KEY", "short"),
    ],
)
def test_what_is_out_of_range_is_refused(folder: Path, name: str, value: str) -> None:
    assert list(faults(folder, **{PREFIX + name: value})) == [PREFIX + name]


def test_an_issuer_stands_as_it_writes_itself(folder: Path) -> None:
    found = read(
        folder, EVENKEEL_PUBLIC_URL="https://desk.example.com/", EVENKEEL_OIDC_ISSUER="https://id.example.com/"
    )
    assert (found.public_url, found.oidc_issuer) == ("https://desk.example.com", "https://id.example.com/")
    assert read(folder, EVENKEEL_OIDC_ISSUER="https://id.example.com").oidc_issuer == "https://id.example.com"
    assert read(folder, EVENKEEL_OIDC_ISSUER="").oidc_issuer is None
    assert set(faults(folder, EVENKEEL_OIDC_ISSUER="id.example.com")) == {"EVENKEEL_OIDC_ISSUER"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "desk.example.com"])
def test_a_public_address_must_be_meant(folder: Path, host: str) -> None:
    assert "can be reached from other machines" in faults(folder, EVENKEEL_HOST=host)["EVENKEEL_HOST"]
    assert read(folder, EVENKEEL_HOST=host, EVENKEEL_ALLOW_PUBLIC="true").host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_this_machine_is_always_allowed(folder: Path, host: str) -> None:
    assert read(folder, EVENKEEL_HOST=host).host == host


@pytest.mark.parametrize("text", ["a.example.com,b.example.com", '["a.example.com", "b.example.com"]'])
def test_host_names_are_a_list(folder: Path, text: str) -> None:
    assert read(folder, EVENKEEL_HOSTS=text).hosts == ("a.example.com", "b.example.com")


def test_secrets_are_not_repeated(folder: Path) -> None:
    said = faults(folder, EVENKEEL_JWT_SECRET_KEY="too-short-a-key")
    assert "too-short-a-key" not in str(said)
    assert LONG not in repr(read(folder, EVENKEEL_JWT_SECRET_KEY=LONG))


def test_the_demo_touches_no_database_of_the_surroundings(folder: Path) -> None:
    for name in ("DATABASE_URL", "EVENKEEL_DATABASE_URL"):
        found, _ = load(folder, environ={name: "postgresql://u@h/d"}, ignore_database=True)
        assert found.database_url is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("evenkeel.toml", b"port = "),
        ("evenkeel.toml", b"\xff"),
        ("evenkeel.toml", b"port = 1\nport = 2"),
        (".env", b"\xff"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=re.escape(name)):
        load(folder, environ={})


def all_names() -> set[str]:
    return {PREFIX + field.upper() for field in Settings.model_fields} | set(ALIASES) | set(OPTIONS)


def test_the_example_lists_every_name_with_its_default() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    given = dict(line.removeprefix("# ").split("=", 1) for line in lines if re.match(r"# [A-Z_]+=", line))
    assert given.keys() == all_names()
    shown = {PREFIX + name.upper(): field.default for name, field in Settings.model_fields.items()}
    examples = {"EVENKEEL_HOSTS", "EVENKEEL_DATABASE_URL", "EVENKEEL_LIVE_BROKERS"}
    differing = {name: value for name, value in shown.items() if name not in examples and given[name] != written(value)}
    assert differing == {}


def written(value: Any) -> str:
    if value is None or value == ():
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_page_tells_every_setting_as_the_code_does() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        default = written(field.default) if field.default not in (None, ()) else "none"
        row = f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |"
        assert row in page, row
    assert [name for name in sorted(all_names()) if f"`{name}`" not in page] == []
