"""Settings: from the environment, a `.env` file and `evenkeel.toml` in the home, all checked at the start.

Names are `EVENKEEL_` and the field's name in capitals. Some older names that people bring with them are read as
aliases; ours wins where both are set. Every fault is reported at once, by the name the user wrote; a name that looks
like ours and is none gets a notice.
"""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource

from evenkeel.domain.accounts import Limits
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.limits import HOUSE

PREFIX = "EVENKEEL_"
TOML = "evenkeel.toml"
ALIASES = {
    "DATABASE_URL": "database_url",
    "JWT_SECRET_KEY": "jwt_secret_key",
    "MAX_POSITION_SIZE": "max_position_size",
    "RISK_LIMIT": "risk_limit",
    "MAX_DAILY_TRADES": "max_daily_trades",
    "ENABLE_SHORT_SELLING": "enable_short_selling",
}
# Read by the command line, not from here.
OPTIONS = ("EVENKEEL_HOME", "EVENKEEL_PASSWORD", "EVENKEEL_NEW_PASSWORD")
_SECRET = frozenset({"jwt_secret_key", "database_url"})


class Settings(BaseModel):
    """One installation's settings. Limits are the defaults of accounts opened from now on."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    allow_public: bool = Field(False, description="Permit an address that other machines can reach.")
    host: str = Field("127.0.0.1", description="Address to listen on.", validate_default=True)
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    hosts: tuple[str, ...] = Field((), description="Further host names to answer to, separated by commas.")
    database_url: str | None = Field(None, description="postgresql://USER:PASSWORD@HOST/NAME; empty means SQLite.")
    jwt_secret_key: SecretStr | None = Field(None, description="Signs access tokens; made at first start when empty.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is worth a line.")
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal.")
    speed: Decimal = Field(Decimal(2), ge=0, le=1000, description="Moments a second of a replay; 0 is flat out.")
    feed: Literal["none", "replay", "simulated"] = Field("none", description="The market that `up` starts with.")
    strategy_host: Literal["process", "inline"] = Field(
        "process", description="Where strategies run: in a process for each user, or in the desk's own (inline)."
    )
    strategy_deadline: float = Field(1.0, gt=0, le=60, description="Seconds that one call of a strategy may take.")
    strategy_start: float = Field(60.0, ge=1, le=3600, description="Seconds to start one and go through its history.")
    strategy_memory: int = Field(2048, ge=512, description="MiB of address space for a user's strategies.")
    strategy_files: int = Field(256, ge=32, description="Files and sockets a user's strategies may have open.")
    docs: bool = Field(True, description="Serve the API's documentation at /docs.")
    max_position_size: Decimal = Field(Decimal("0.1"), gt=0, le=1, description="Largest share of equity in one name.")
    risk_limit: Decimal = Field(Decimal("0.02"), gt=0, le=1, description="Loss of a day, as a share of equity.")
    max_daily_trades: int = Field(100, ge=1, description="Orders an account may place in a day.")
    enable_short_selling: bool = Field(False, description="Whether margin accounts may sell short.")

    @field_validator("jwt_secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < 32:
            raise ValueError("at least 32 bytes; leave it empty to have one made")
        return value

    @field_validator("database_url")
    @classmethod
    def _empty_is_none(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("host")
    @classmethod
    def _private_unless_told(cls, value: str, info: ValidationInfo) -> str:
        if not info.data.get("allow_public", True) and not _is_loopback(value):
            raise ValueError(f"{value} can be reached from other machines: set allow_public=true if you mean it")
        return value

    def limits(self) -> Limits:
        """The limits of an account opened under these settings, with those of the house."""
        limits = Limits(
            max_position_share=self.max_position_size,
            daily_loss=self.risk_limit,
            max_trades_per_day=self.max_daily_trades,
            allow_short=self.enable_short_selling,
        )
        return replace(limits, **HOUSE)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def load(
    home: Path,
    *,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    ignore_database: bool = False,
) -> tuple[Settings, tuple[str, ...]]:
    """The settings in force and notices about aliases. `overrides` (the command line) win over the environment,
    the environment over `.env` in the working folder, that over `evenkeel.toml` in `home`.

    `ignore_database` leaves out any database named in the surroundings: the demo never touches one. Raises
    InvalidInput listing every fault.
    """
    given, names, notices = _merged(home, os.environ if environ is None else environ)
    if ignore_database:
        given.pop("database_url", None)
    given.update(overrides or {})
    names.update({name: f"--{name.replace('_', '-')}" for name in overrides or {}})
    try:
        return Settings(**given), tuple(notices)
    except ValidationError as error:
        faults = tuple(_fault(fault, names) for fault in error.errors())
        raise InvalidInput("the settings are not valid", errors=faults) from error


def _fault(fault: Any, names: Mapping[str, str]) -> FieldError:
    place = str(fault["loc"][0]) if fault["loc"] else "host"
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = f"there is no such setting{_nearest(place, Settings.model_fields)}"
    elif place not in _SECRET and isinstance(fault.get("input"), str | int | float | Decimal):
        message = f"{message}; it is {fault['input']!r}"
    return FieldError(names.get(place, place), message[:1].lower() + message[1:])


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f": did you mean {near[0]}?" if near else ""


def _merged(home: Path, environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, value in _toml(home / TOML).items():
        values[name], names[name] = value, f"{TOML}: {name}"
    dotenv = {name: value for name, value in _dotenv().items() if value is not None}
    sources = (dotenv, environ)
    notices = _unknown(sources)
    ours = {field for field in Settings.model_fields if any(source.get(_variable(field)) for source in sources)}
    for source in sources:
        for alias, field in ALIASES.items():
            if source.get(alias) and field in ours:
                notices.append(f"{alias} is ignored: {_variable(field)} is set")
            elif source.get(alias):
                values[field], names[field] = source[alias], alias
                notices.append(f"{alias} is read as {_variable(field)}")
        for field in ours:
            if source.get(_variable(field)):
                values[field], names[field] = _parsed(field, source[_variable(field)]), _variable(field)
    return values, names, list(dict.fromkeys(notices))


def _variable(field: str) -> str:
    return PREFIX + field.upper()


def _unknown(sources: Iterable[Mapping[str, str]]) -> list[str]:
    known = {*map(_variable, Settings.model_fields), *OPTIONS}
    strange = {name for source in sources for name in source if name.startswith(PREFIX)} - known
    return [f"{name} is not a setting{_nearest(name, known)}" for name in sorted(strange)]


def _parsed(field: str, text: str) -> Any:
    if field == "hosts":
        return tuple(part.strip() for part in text.strip("[] ").replace('"', "").split(",") if part.strip())
    return text


def _dotenv() -> Mapping[str, str | None]:
    try:
        return DotEnvSettingsSource(BaseSettings, env_file=".env", case_sensitive=True).env_vars
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{Path('.env').absolute()} is not text in UTF-8: {error.reason}") from error


def _toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not TOML: {error}") from error
