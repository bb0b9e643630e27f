"""Where a command came from: who, by which door, because of what, under which limits, and what the market showed."""

from enum import StrEnum

from msgspec import Struct


class Source(StrEnum):
    USER = "user"
    API_KEY = "api-key"
    DEPLOYMENT = "deployment"
    WEBHOOK = "webhook"
    COPY_LINK = "copy-link"
    SCHEDULE = "schedule"
    SYSTEM = "system"
    PANIC = "panic"


class Provenance(Struct, frozen=True, omit_defaults=True, gc=False):
    """Recorded with every command. `received` is the wall clock in ns, outside what two replays compare."""

    actor: str
    source: Source
    cause_id: str | None = None
    parent_id: str | None = None
    strategy_version: str | None = None
    parameter_hash: str | None = None
    received: int = 0


class Arrival(Struct, frozen=True, omit_defaults=True, gc=False):
    """What the engine knew when it decided: the market, its age, and the version of the limits in force."""

    bid: float | None = None
    ask: float | None = None
    last: float | None = None
    quote_age: int | None = None
    limits_version: int = 0
