"""What the command line is handed by whoever starts it: the one thing it cannot build from the rooms below."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from msgspec import Struct


class ServePlan(Struct, frozen=True, kw_only=True):
    """How to run the desk until it is told to stop. None leaves a value to the settings and their defaults.

    `feed` is replay, simulated or none. `data` are files replayed in place of the sample market. `broker_socket` is a
    simulated broker that runs as its own process.
    """

    mode: str
    home: Path
    host: str | None = None
    port: int | None = None
    speed: Decimal | None = None
    password: str | None = None
    data: tuple[Path, ...] = ()
    feed: str | None = None
    timeframe: str = "1d"
    symbols: tuple[str, ...] = ()
    start: str | None = None
    seed: int | None = None
    run: str | None = None
    loop: bool = False
    open_browser: bool = True
    allow_public: bool | None = None
    log_level: str | None = None
    log_format: str | None = None
    broker_socket: Path | None = None


class Doors(Struct, frozen=True):
    """`serve` runs a plan to its end and returns the exit code."""

    serve: Callable[[ServePlan], int]
