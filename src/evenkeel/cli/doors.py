"""What the command line is handed by whoever starts it: the one thing it cannot build from the rooms below."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from evenkeel.domain.panics import ScopeKind


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


class PanicPlan(Struct, frozen=True, kw_only=True):
    """What to halt, or to let trade again, on a home on which nothing runs. `name` is an account's or a strategy's.

    `cooldown` and `wait` are in seconds; `abandon` resumes though the panic has not finished.
    """

    home: Path
    scope: ScopeKind
    name: str | None = None
    resume: bool = False
    abandon: bool = False
    keep_positions: bool = False
    cooldown: int = 0
    reason: str = ""
    wait: float = 30.0
    broker_socket: Path | None = None


class PanicReport(Struct, frozen=True):
    """How far it went: `rests` where all that is `left` waits at the broker."""

    name: str
    done: bool
    rests: bool
    left: tuple[str, ...] = ()


class Doors(Struct, frozen=True):
    """`serve` runs a plan to its end and returns the exit code. `panic` takes the home that nobody else has, does what
    the plan says, and gives it up again."""

    serve: Callable[[ServePlan], int]
    panic: Callable[[PanicPlan], PanicReport]
