"""Settings: from the environment, a `.env` file and `evenkeel.toml` in the home, all checked at the start.

Names are `EVENKEEL_` and the field's name in capitals. Some older names that people bring with them are read as
aliases; ours wins where both are set. Every fault is reported at once, by the name the user wrote; a name that looks
like ours and is none gets a notice.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource

from evenkeel.domain.accounts import Limits
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.limits import HOUSE, read_windows

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
OPTIONS = (
    "EVENKEEL_HOME",
    "EVENKEEL_PASSWORD",
    "EVENKEEL_NEW_PASSWORD",
    "EVENKEEL_VAULT_SECRET",
    "EVENKEEL_NEW_VAULT_SECRET",
    "EVENKEEL_VAULT_CODE",
    "EVENKEEL_CREDENTIALS",
    "EVENKEEL_KEYS_PASSPHRASE",
)
_LISTS = frozenset({"hosts", "proxies", "live_brokers", "two_factor_roles", "role_networks"})
_SECRET = frozenset(
    {
        "jwt_secret_key",
        "server_key",
        "database_url",
        "google_client_secret",
        "github_client_secret",
        "oidc_client_secret",
    }
)


class Settings(BaseModel):
    """One installation's settings. Limits are the defaults of accounts opened from now on."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    allow_public: bool = Field(False, description="Permit an address that other machines can reach.")
    host: str = Field("127.0.0.1", description="Address to listen on.", validate_default=True)
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    hosts: tuple[str, ...] = Field((), description="Further host names to answer to, separated by commas.")
    proxies: tuple[str, ...] = Field(
        (), description="Addresses of proxies that may say who asks (X-Forwarded-For), for webhooks' networks."
    )
    database_url: str | None = Field(None, description="postgresql://USER:PASSWORD@HOST/NAME; empty means SQLite.")
    jwt_secret_key: SecretStr | None = Field(None, description="Signs access tokens; made at first start when empty.")
    server_key: SecretStr | None = Field(None, description="Seals secrets: 64 hex digits; older ones after commas.")
    public_url: str | None = Field(
        None, description="The desk's address as browsers know it; https makes cookies secure."
    )
    two_factor_roles: tuple[str, ...] = Field((), description="Roles that must have two factors, separated by commas.")
    role_networks: tuple[str, ...] = Field(
        (), description="Where a role may come from: trader=192.0.2.0/24, admin=10.0.0.0/8."
    )
    max_sessions: int = Field(
        100, ge=1, le=10_000, description="Sign-ins of a person that go on at once; one more ends the one idle longest."
    )
    google_client_id: str | None = Field(None, description="Sign-in with Google: the client's id.")
    google_client_secret: SecretStr | None = Field(None, description="The client's secret.")
    github_client_id: str | None = Field(None, description="Sign-in with GitHub: the client's id.")
    github_client_secret: SecretStr | None = Field(None, description="The client's secret.")
    oidc_issuer: str | None = Field(None, description="Sign-in with another OpenID Connect issuer: its address.")
    oidc_title: str = Field("Single sign-on", description="What its button says.")
    oidc_client_id: str | None = Field(None, description="Our id there.")
    oidc_client_secret: SecretStr | None = Field(None, description="Our secret there.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is worth a line.")
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal.")
    speed: Decimal = Field(Decimal(2), ge=0, le=1000, description="Moments a second of a replay; 0 is flat out.")
    feed: Literal["none", "replay", "simulated"] = Field("none", description="The market that `up` starts with.")
    strategy_host: Literal["process", "inline"] = Field(
        "process", description="Where strategies run: in a process for each user, or in the desk's own (inline)."
    )
    projector: Literal["process", "inline"] = Field(
        "process", description="Where tables are kept behind the journal: in a process, or in the desk's own (inline)."
    )
    strategy_deadline: float = Field(1.0, gt=0, le=60, description="Seconds that one call of a strategy may take.")
    strategy_start: float = Field(60.0, ge=1, le=3600, description="Seconds to start one and go through its history.")
    strategy_memory: int = Field(2048, ge=512, description="MiB of address space for a user's strategies.")
    strategy_files: int = Field(256, ge=32, description="Files and sockets a user's strategies may have open.")
    live_brokers: tuple[str, ...] = Field((), description="Adapters to load for live accounts, separated by commas.")
    credential_days: int = Field(180, ge=0, description="Days after which credentials are due for renewal; 0: never.")
    backup_time: str = Field("03:30", description="Time of the daily backup, UTC; empty: none is made by itself.")
    backup_folder: str | None = Field(None, description="Folder for them; empty means backups in the home.")
    backup_daily: int = Field(7, ge=1, description="Of how many days the last backup is kept.")
    backup_weekly: int = Field(4, ge=0, description="Of how many weeks the last backup is kept.")
    backup_monthly: int = Field(12, ge=0, description="Of how many months the last backup is kept.")
    feed_silence: int = Field(
        60, ge=0, le=86_400, description="Seconds of session without a price before an instrument is silent; 0: never."
    )
    broker_restarts: str | None = Field(
        None,
        description="Hours in which the broker restarts: 23:45-23:55 America/New_York 1-5; several after semicolons.",
    )
    reconcile_every: int | None = Field(
        None, ge=0, le=86_400, description="Seconds between scheduled reconciles; 0: none; empty: as the broker says."
    )
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

    @field_validator("server_key")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        for text in value.get_secret_value().split(",") if value is not None else ():
            if not re.fullmatch(r"[0-9a-fA-F]{64}", text.strip()):
                raise ValueError("64 hex digits for each key, with commas between; leave it empty to have one made")
        return value

    @field_validator("backup_time")
    @classmethod
    def _is_time(cls, value: str) -> str:
        if value and not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
            raise ValueError("hours and minutes such as 03:30, or nothing")
        return value

    @field_validator("database_url", "backup_folder")
    @classmethod
    def _empty_is_none(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("two_factor_roles", "role_networks")
    @classmethod
    def _asks_what_can_be(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if value:
            from evenkeel.desk.admission import policy

            try:
                policy(**{str(info.field_name): value})
            except InvalidInput as error:
                raise ValueError("; ".join(fault.message for fault in error.errors)) from error
        return value

    @field_validator("proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ip_network(one)
            except ValueError:
                raise ValueError(f"{one} is neither an address nor a network such as 10.0.0.0/8") from None
        return value

    @field_validator("public_url", "oidc_issuer")
    @classmethod
    def _is_address(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
            raise ValueError("an address such as https://desk.example.com")
        # An issuer signs with its address as it writes it, with or without the stroke at the end.
        return value.rstrip("/") if value and info.field_name == "public_url" else value or None

    @field_validator("google_client_secret", "github_client_secret", "oidc_client_secret")
    @classmethod
    def _goes_with_an_id(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        name = str(info.field_name).removesuffix("_secret") + "_id"
        if value is not None and value.get_secret_value() and not info.data.get(name):
            raise ValueError(f"{name} is needed with it")
        return value

    @field_validator("host")
    @classmethod
    def _private_unless_told(cls, value: str, info: ValidationInfo) -> str:
        if not info.data.get("allow_public", True) and not _is_loopback(value):
            raise ValueError(f"{value} can be reached from other machines: set allow_public=true if you mean it")
        return value

    @field_validator("broker_restarts")
    @classmethod
    def _hours_of_a_zone(cls, value: str | None) -> str | None:
        try:
            read_windows(value or "")
        except InvalidInput as error:
            raise ValueError(error.message) from error
        return value

    def broker_options(self) -> dict[str, str]:
        """What these settings say of whichever broker there is, as options of its factory."""
        options = {"restarts": self.broker_restarts} if self.broker_restarts else {}
        if self.reconcile_every is not None:
            options["reconcile_every"] = str(self.reconcile_every)
        return options

    def server_keys(self) -> tuple[bytes, ...]:
        """The server keys that are named here, 32 bytes each, the one that seals first; none: the home has its own."""
        texts = self.server_key.get_secret_value().split(",") if self.server_key is not None else ()
        return tuple(bytes.fromhex(text.strip()) for text in texts)

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
    if field in _LISTS:
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
